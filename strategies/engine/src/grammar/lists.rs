//! Lists of symbols and timeframes: each item is checked, and keeps its place for findings about
//! it. Repeated items are reported.

use std::fmt;

use market::{Instrument, Timeframe};

use crate::fields::{Fields, wrong_type};
use crate::finding::Finding;
use crate::strategy::{SYMBOLS_MAX, TIMEFRAMES_MAX};
use crate::yaml::{Content, Node};

/// A value and its place in the file.
pub(super) struct Placed<T> {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) value: T,
}

impl<T> Placed<T> {
    /// The finding that this value is wrong.
    pub(super) fn error(&self, rule: &'static str, message: impl Into<String>) -> Finding {
        Finding::error(&self.path, self.line, rule, message)
    }

    /// Another value at the same place.
    fn with_value<U>(self, value: U) -> Placed<U> {
        Placed {
            path: self.path,
            line: self.line,
            value,
        }
    }
}

/// The timeframes of a list.
pub(super) struct TimeframeList {
    /// Those that could be read, each once.
    pub(super) timeframes: Vec<Placed<Timeframe>>,
    /// True when every item could be read.
    pub(super) is_complete: bool,
}

/// Reads a list of timeframes.
pub(super) fn read_timeframes(fields: &Fields<'_>, key: &str, items: &[Node]) -> TimeframeList {
    let list = ListOfTexts {
        key,
        items,
        items_max: TIMEFRAMES_MAX,
        expected: "a timeframe such as \"1h\"",
    };
    let timeframes: Vec<Placed<Timeframe>> = list
        .read(fields)
        .into_iter()
        .filter_map(|text| parse_timeframe(fields, text))
        .collect();

    // Counted before repeated ones go: a repetition was understood, too.
    TimeframeList {
        is_complete: timeframes.len() == items.len(),
        timeframes: drop_repeated(fields, timeframes),
    }
}

/// Reads a list of symbols; those that could not be read are left out.
pub(super) fn read_symbols(fields: &Fields<'_>, key: &str, items: &[Node]) -> Vec<Instrument> {
    let list = ListOfTexts {
        key,
        items,
        items_max: SYMBOLS_MAX,
        expected: "a symbol",
    };
    let symbols: Vec<Placed<Instrument>> = list
        .read(fields)
        .into_iter()
        .filter_map(|text| parse_symbol(fields, text))
        .collect();

    // Compared after parsing, so that two spellings of one instrument count as one.
    let symbols = drop_repeated(fields, symbols);
    symbols.into_iter().map(|symbol| symbol.value).collect()
}

/// A symbol, or a finding at its place.
pub(super) fn parse_symbol(fields: &Fields<'_>, text: Placed<&str>) -> Option<Placed<Instrument>> {
    match Instrument::parse(text.value) {
        Ok(symbol) => Some(text.with_value(symbol)),
        Err(error) => {
            let message = format!("{error}: {}", error.hint());
            fields.sink.push(text.error("symbol.unknown", message));
            None
        }
    }
}

fn parse_timeframe(fields: &Fields<'_>, text: Placed<&str>) -> Option<Placed<Timeframe>> {
    match text.value.parse::<Timeframe>() {
        Ok(timeframe) => Some(text.with_value(timeframe)),
        Err(error) => {
            let finding = text.error("timeframe.unknown", error.to_string());
            fields.sink.push(finding);
            None
        }
    }
}

/// The timeframe at an optional key, or a finding there.
pub(super) fn read_timeframe(fields: &Fields<'_>, key: &'static str) -> Option<Timeframe> {
    let text = Placed {
        value: fields.text(key)?,
        path: fields.path_of(key),
        line: fields.line_of(key),
    };
    parse_timeframe(fields, text).map(|timeframe| timeframe.value)
}

/// A list whose items must be texts.
struct ListOfTexts<'a> {
    key: &'a str,
    items: &'a [Node],
    items_max: usize,
    /// What an item is, for the finding of one that is not a text.
    expected: &'a str,
}

impl<'a> ListOfTexts<'a> {
    /// The texts with their places; an empty or too long list is a finding, and so is every item of
    /// another type.
    fn read(self, fields: &Fields<'_>) -> Vec<Placed<&'a str>> {
        if self.items.is_empty() {
            fields.add_error(self.key, "value.empty", "the list is empty");
        }
        if self.items.len() > self.items_max {
            let message = format!(
                "{} entries are listed; at most {} are allowed",
                self.items.len(),
                self.items_max
            );
            fields.add_error(self.key, "list.long", message);
        }

        // The items of a list that is too long are checked all the same.
        let mut texts = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            let path = format!("{}[{index}]", fields.path_of(self.key));
            match &item.content {
                Content::Text(text) => texts.push(Placed {
                    path,
                    line: item.line,
                    value: text.as_str(),
                }),
                _ => fields.sink.push(wrong_type(&path, item, self.expected)),
            }
        }
        texts
    }
}

/// Reports and drops every value that an earlier one equals.
fn drop_repeated<T: PartialEq + fmt::Display>(
    fields: &Fields<'_>,
    values: Vec<Placed<T>>,
) -> Vec<Placed<T>> {
    let mut first_values: Vec<Placed<T>> = Vec::new();

    // The first value stays, so that the order of the file decides.
    for value in values {
        let is_repeated = first_values.iter().any(|first| first.value == value.value);
        if is_repeated {
            let message = format!("{} is listed twice", value.value);
            fields.sink.push(value.error("value.duplicate", message));
        } else {
            first_values.push(value);
        }
    }
    first_values
}
