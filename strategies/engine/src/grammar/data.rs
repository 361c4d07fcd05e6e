//! The `training_data` section: symbols, timeframes, dates.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use market::{Instrument, Timeframe, Utc};

use crate::fields::{Fields, Retired, wrong_type};
use crate::finding::Finding;
use crate::strategy::{SYMBOLS_MAX, TrainingData};
use crate::yaml::{Content, Node};

const RETIRED: &[Retired] = &[(
    "date_range",
    "key.moved",
    "this section had no effect: write start_date and end_date under training_data",
)];

const RETIRED_SYMBOLS: &[Retired] = &[(
    "selection_criteria",
    "key.no_effect",
    "nothing selects symbols by criteria: list them",
)];

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Single,
    Several,
}

/// The section as far as it could be read.
#[derive(Default)]
pub(super) struct DataDraft {
    pub(super) timeframes: Timeframes,
    pub(super) finished: Option<TrainingData>,
}

/// The timeframes as far as they could be read: inputs are checked against them whatever else is
/// wrong with the section.
#[derive(Default)]
pub(super) struct Timeframes {
    /// Those that are known words, each once, in file order.
    pub(super) listed: Vec<Timeframe>,
    /// True when they are all that were written, so that another one is certainly none of them.
    pub(super) complete: bool,
    base: Option<Timeframe>,
}

/// Reads the section.
pub(super) fn read(fields: Fields<'_>) -> DataDraft {
    let symbols = fields.required_section("symbols").and_then(symbols);
    let timeframes = fields
        .required_section("timeframes")
        .map(timeframes)
        .unwrap_or_default();
    let history_required = fields
        .integer("history_required", 50, 10_000_000)
        .unwrap_or(200);
    let start = date(&fields, "start_date", false);
    let end = date(&fields, "end_date", true);
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        fields.finding("end_date", "date.order", "the end is not after the start");
    }
    fields.finish(RETIRED);
    let base = timeframes
        .base
        .or_else(|| timeframes.listed.iter().copied().min());
    let finished = symbols.zip(base).map(|(symbols, base)| {
        let timeframes = timeframes.listed.clone();
        TrainingData {
            symbols,
            timeframes,
            base,
            history_required,
            start,
            end,
        }
    });
    DataDraft {
        timeframes,
        finished,
    }
}

/// An entry of a list and where it stands.
pub(super) struct Placed<T> {
    path: String,
    line: usize,
    pub(super) value: T,
}

impl<T> Placed<T> {
    /// The finding that this entry is wrong.
    pub(super) fn error(&self, rule: &'static str, message: impl Into<String>) -> Finding {
        Finding::error(&self.path, self.line, rule, message)
    }
}

fn symbols(fields: Fields<'_>) -> Option<Vec<Instrument>> {
    let modes = [("single", Mode::Single), ("multi_symbol", Mode::Several)];
    let mode = fields
        .required("mode")
        .and_then(|_| fields.word("mode", &modes));
    let single = fields.text("symbol").map(|text| {
        let text = Placed {
            path: fields.at("symbol"),
            line: fields.line_of("symbol"),
            value: text,
        };
        instrument(&fields, text)
            .into_iter()
            .map(|symbol| symbol.value)
            .collect()
    });
    let key = list_key(&fields, "symbols");
    let several = fields.list(key).map(|items| {
        let texts = texts(&fields, key, items, SYMBOLS_MAX, "a symbol");
        let read = once(
            &fields,
            texts
                .into_iter()
                .filter_map(|text| instrument(&fields, text)),
        );
        read.into_iter().map(|symbol| symbol.value).collect()
    });
    let symbols = one_of(&fields, mode, single, several, ("symbol", key));
    fields.finish(RETIRED_SYMBOLS);
    symbols
}

fn timeframes(fields: Fields<'_>) -> Timeframes {
    let modes = [("single", Mode::Single), ("multi_timeframe", Mode::Several)];
    let mode = fields
        .required("mode")
        .and_then(|_| fields.word("mode", &modes));
    let words: Vec<(&str, Timeframe)> = Timeframe::ALL
        .iter()
        .map(|each| (each.as_str(), *each))
        .collect();
    let single = fields
        .has("timeframe")
        .then(|| fields.word("timeframe", &words).into_iter().collect());
    let key = list_key(&fields, "timeframes");
    let items = fields.list(key);
    let several = items.map(|items| list(&fields, key, items));
    let all_read = several.as_ref().is_none_or(|list| list.complete);
    let several = several.map(|list| list.timeframes.into_iter().map(|each| each.value).collect());
    let listed = one_of(&fields, mode, single, several, ("timeframe", key)).unwrap_or_default();
    let base = fields.word("base_timeframe", &words);
    if mode == Some(Mode::Several) && items.is_some_and(|items| items.len() < 2) {
        fields.finding(
            key,
            "timeframes.few",
            "multi_timeframe needs two timeframes or more",
        );
    }
    let complete = all_read && !listed.is_empty();
    if let Some(base) = base.filter(|base| complete && !listed.contains(base)) {
        let message = format!("the base timeframe {base} is not among the timeframes");
        let line = fields.line_of("base_timeframe");
        let finding = Finding::error(
            fields.at("base_timeframe"),
            line,
            "timeframes.base",
            message,
        );
        fields
            .sink
            .push(finding.allowing(base.as_str(), listed.iter().map(|each| each.as_str())));
    }
    fields.finish(&[]);
    Timeframes {
        listed,
        complete,
        base,
    }
}

/// `list`, or the other name that a file may use for it.
fn list_key(fields: &Fields<'_>, other: &'static str) -> &'static str {
    fields.node("list");
    if fields.has("list") {
        return "list";
    }
    fields.node(other);
    if fields.has(other) { other } else { "list" }
}

/// The value of the key that fits the mode; the other key or a missing key is a finding. Without a
/// mode what is there is taken, so that it can be checked.
fn one_of<T>(
    fields: &Fields<'_>,
    mode: Option<Mode>,
    single: Option<Vec<T>>,
    several: Option<Vec<T>>,
    (one, many): (&'static str, &'static str),
) -> Option<Vec<T>> {
    let Some(mode) = mode else {
        return several.or(single).filter(|list| !list.is_empty());
    };
    let (wanted, found, other) = if mode == Mode::Single {
        (one, single, several.map(|_| many))
    } else {
        (many, several, single.map(|_| one))
    };
    if let Some(other) = other {
        fields.finding(
            other,
            "mode.conflict",
            format!("`{other}` does not go with this mode: use `{wanted}`"),
        );
    }
    if !fields.has(wanted) {
        fields.finding(
            wanted,
            "key.missing",
            format!("the key `{wanted}` is missing"),
        );
    }
    found.filter(|list| !list.is_empty())
}

/// Timeframes of a list, each once.
pub(super) struct TimeframeList {
    /// Those that are known words.
    pub(super) timeframes: Vec<Placed<Timeframe>>,
    /// True when every entry is one.
    pub(super) complete: bool,
}

/// Timeframes of a list, each a known word.
pub(super) fn list(fields: &Fields<'_>, key: &str, items: &[Node]) -> TimeframeList {
    let texts = texts(
        fields,
        key,
        items,
        Timeframe::ALL.len(),
        "a timeframe such as \"1h\"",
    );
    let read = texts
        .into_iter()
        .filter_map(|text| match text.value.parse::<Timeframe>() {
            Ok(timeframe) => Some(Placed {
                path: text.path,
                line: text.line,
                value: timeframe,
            }),
            Err(_) => {
                let finding = text.error(
                    "timeframe.unknown",
                    format!("`{}` is not a timeframe", text.value),
                );
                fields
                    .sink
                    .push(finding.allowing(text.value, Timeframe::ALL.map(Timeframe::as_str)));
                None
            }
        });
    let mut known = 0;
    let timeframes = once(fields, read.inspect(|_| known += 1));
    TimeframeList {
        timeframes,
        complete: known == items.len(),
    }
}

fn texts<'a>(
    fields: &Fields<'a>,
    key: &str,
    items: &'a [Node],
    most: usize,
    wanted: &str,
) -> Vec<Placed<&'a str>> {
    if items.is_empty() {
        fields.finding(key, "value.empty", "the list is empty");
    }
    if items.len() > most {
        fields.finding(
            key,
            "list.long",
            format!("{} entries are listed, the most is {most}", items.len()),
        );
    }
    let read = items.iter().enumerate().filter_map(|(index, item)| {
        let (path, line) = (format!("{}[{index}]", fields.at(key)), item.line);
        match &item.content {
            Content::Text(text) => Some(Placed {
                path,
                line,
                value: text.as_str(),
            }),
            _ => {
                fields.sink.push(wrong_type(&path, item, wanted));
                None
            }
        }
    });
    read.collect()
}

fn instrument(fields: &Fields<'_>, text: Placed<&str>) -> Option<Placed<Instrument>> {
    match Instrument::parse(text.value) {
        Ok(value) => Some(Placed {
            path: text.path,
            line: text.line,
            value,
        }),
        Err(error) => {
            fields
                .sink
                .push(text.error("symbol.unknown", format!("{error}: {}", error.hint())));
            None
        }
    }
}

/// The entries without those that came before, each of which is a finding.
fn once<T: PartialEq + fmt::Display>(
    fields: &Fields<'_>,
    entries: impl Iterator<Item = Placed<T>>,
) -> Vec<Placed<T>> {
    let mut kept: Vec<Placed<T>> = Vec::new();
    for entry in entries {
        if kept.iter().any(|earlier| earlier.value == entry.value) {
            fields.sink.push(entry.error(
                "value.duplicate",
                format!("{} is listed twice", entry.value),
            ));
        } else {
            kept.push(entry);
        }
    }
    kept
}

/// An instant: RFC 3339, or a plain date meaning midnight UTC (the midnight after it for an
/// inclusive end).
pub(super) fn date(fields: &Fields<'_>, key: &'static str, inclusive_end: bool) -> Option<Utc> {
    let text = fields.text(key)?;
    let instant = text.parse::<Timestamp>().ok().or_else(|| {
        let date = text.parse::<Date>().ok()?;
        let date = if inclusive_end {
            date.checked_add(1.day()).ok()?
        } else {
            date
        };
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    });
    if instant.is_none() {
        fields.finding(
            key,
            "date.form",
            format!(
                "`{text}` is neither a date (2020-01-31) nor an instant (2020-01-31T00:00:00Z)"
            ),
        );
    }
    instant.map(Utc::from_timestamp)
}
