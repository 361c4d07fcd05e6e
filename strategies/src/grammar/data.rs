//! The `training_data` section: symbols, timeframes, dates.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use market::{Instrument, Timeframe, Utc};
use schemas::commands::fetch::SERIES_MAX;

use super::TrainingData;
use crate::fields::{Fields, Retired, wrong_type};
use crate::finding::Finding;
use crate::yaml::{Content, Node};

const RETIRED: &[Retired] =
    &[("date_range", "key.moved", "this section had no effect: write start_date and end_date under training_data")];

const RETIRED_SYMBOLS: &[Retired] =
    &[("selection_criteria", "key.no_effect", "nothing selects symbols by criteria: list them")];

/// Most symbols of one strategy. Named in full twice, in the text and in a request that changes them, and in a fetch of every
/// timeframe, they take 29 of the 36 KiB of a request; the rest of a strategy takes 2 to 3.
pub(crate) const SYMBOLS_MAX: usize = 256;

const _: () = assert!(SYMBOLS_MAX * Timeframe::ALL.len() <= SERIES_MAX, "a fetch brings all that a strategy may need");

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Single,
    Several,
}

/// Reads the section; `None` after an error.
pub(super) fn read(fields: Fields<'_>) -> Option<TrainingData> {
    let symbols = fields.required_section("symbols").and_then(symbols);
    let timeframes = fields.required_section("timeframes").and_then(timeframes);
    let history_required = fields.integer("history_required", 50, 10_000_000);
    let start = date(&fields, "start_date", false);
    let end = date(&fields, "end_date", true);
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        fields.finding("end_date", "date.order", "the end is not after the start");
    }
    fields.finish(RETIRED);
    let (timeframes, base) = timeframes?;
    let history_required = history_required.unwrap_or(200);
    Some(TrainingData { symbols: symbols?, timeframes, base, history_required, start, end })
}

fn symbols(fields: Fields<'_>) -> Option<Vec<Instrument>> {
    let modes = [("single", Mode::Single), ("multi_symbol", Mode::Several)];
    let mode = fields.required("mode").and_then(|_| fields.word("mode", &modes));
    let single = fields.text("symbol").map(|text| instrument(&fields, "symbol", fields.line_of("symbol"), text));
    let key = if fields.has("list") { "list" } else { "symbols" };
    let several = fields.list(key).map(|items| {
        let texts = texts(&fields, key, items, SYMBOLS_MAX, "a symbol");
        texts.into_iter().filter_map(|(line, text)| instrument(&fields, key, line, text)).collect::<Vec<_>>()
    });
    fields.node("list");
    let symbols = one_of(&fields, mode?, single.map(|one| one.into_iter().collect()), several, ("symbol", "list"));
    if let Some(twice) = symbols.as_deref().and_then(repeated) {
        fields.finding(key, "value.duplicate", format!("{twice} is listed twice"));
    }
    fields.finish(RETIRED_SYMBOLS);
    symbols
}

fn timeframes(fields: Fields<'_>) -> Option<(Vec<Timeframe>, Timeframe)> {
    let modes = [("single", Mode::Single), ("multi_timeframe", Mode::Several)];
    let mode = fields.required("mode").and_then(|_| fields.word("mode", &modes));
    let words: Vec<(&str, Timeframe)> = Timeframe::ALL.iter().map(|each| (each.as_str(), *each)).collect();
    let single = fields.has("timeframe").then(|| fields.word("timeframe", &words).into_iter().collect());
    let key = if fields.has("list") { "list" } else { "timeframes" };
    let items = fields.list(key);
    let several = items.map(|items| list(&fields, key, items));
    let found = one_of(&fields, mode?, single, several, ("timeframe", "list"));
    fields.node("list");
    let base = fields.word("base_timeframe", &words);
    if let Some(found) = &found {
        if mode == Some(Mode::Several) && items.is_some_and(|items| items.len() < 2) {
            fields.finding(key, "timeframes.few", "multi_timeframe needs two timeframes or more");
        }
        if let Some(twice) = repeated(found) {
            fields.finding(key, "value.duplicate", format!("{twice} is listed twice"));
        }
        if let Some(base) = base.filter(|base| !found.contains(base)) {
            let message = format!("the base timeframe {base} is not among the timeframes");
            let finding = Finding::error(
                fields.at("base_timeframe"),
                fields.line_of("base_timeframe"),
                "timeframes.base",
                message,
            );
            fields.sink.push(finding.allowing(base.as_str(), found.iter().map(|each| each.as_str())));
        }
    }
    fields.finish(&[]);
    let mut found = found?;
    let mut seen = Vec::new();
    found.retain(|each| {
        !seen.contains(each) && {
            seen.push(*each);
            true
        }
    });
    let base = base.or_else(|| found.iter().copied().min())?;
    Some((found, base))
}

/// The value of the key that fits the mode; the other key, an empty list or a missing key is a finding.
fn one_of<T>(
    fields: &Fields<'_>,
    mode: Mode,
    single: Option<Vec<T>>,
    several: Option<Vec<T>>,
    (one, many): (&'static str, &'static str),
) -> Option<Vec<T>> {
    let (wanted, found, other) =
        if mode == Mode::Single { (one, single, several.map(|_| many)) } else { (many, several, single.map(|_| one)) };
    if let Some(other) = other {
        fields.finding(other, "mode.conflict", format!("`{other}` does not go with this mode: use `{wanted}`"));
    }
    match &found {
        None if !fields.has(wanted) => fields.finding(wanted, "key.missing", format!("the key `{wanted}` is missing")),
        Some(list) if list.is_empty() && mode == Mode::Several => {
            fields.finding(wanted, "value.empty", "the list is empty");
        }
        _ => {}
    }
    found.filter(|list| !list.is_empty())
}

/// Timeframes of a list, each a known word.
pub(super) fn list(fields: &Fields<'_>, key: &str, items: &[Node]) -> Vec<Timeframe> {
    let texts = texts(fields, key, items, Timeframe::ALL.len(), "a timeframe such as \"1h\"");
    let read = texts.into_iter().filter_map(|(line, text)| match text.parse::<Timeframe>() {
        Ok(timeframe) => Some(timeframe),
        Err(_) => {
            let finding =
                Finding::error(fields.at(key), line, "timeframe.unknown", format!("`{text}` is not a timeframe"));
            fields.sink.push(finding.allowing(text, Timeframe::ALL.map(Timeframe::as_str)));
            None
        }
    });
    read.collect()
}

fn texts<'a>(fields: &Fields<'a>, key: &str, items: &'a [Node], most: usize, wanted: &str) -> Vec<(usize, &'a str)> {
    if items.len() > most {
        fields.finding(key, "list.long", format!("{} entries are listed, the most is {most}", items.len()));
    }
    let read = items.iter().enumerate().filter_map(|(index, item)| match &item.content {
        Content::Text(text) => Some((item.line, text.as_str())),
        _ => {
            fields.sink.push(wrong_type(&format!("{}[{index}]", fields.at(key)), item, wanted));
            None
        }
    });
    read.collect()
}

fn instrument(fields: &Fields<'_>, key: &str, line: usize, text: &str) -> Option<Instrument> {
    Instrument::parse(text)
        .map_err(|error| {
            let message = format!("{error}: {}", error.hint());
            fields.sink.push(Finding::error(fields.at(key), line, "symbol.unknown", message));
        })
        .ok()
}

fn repeated<T: PartialEq>(items: &[T]) -> Option<&T> {
    items
        .iter()
        .enumerate()
        .find(|(index, item)| items.iter().take(*index).any(|earlier| earlier == *item))
        .map(|(_, item)| item)
}

/// An instant: RFC 3339, or a plain date meaning midnight UTC (the midnight after it for an inclusive end).
pub(super) fn date(fields: &Fields<'_>, key: &'static str, inclusive_end: bool) -> Option<Utc> {
    let text = fields.text(key)?;
    let instant = text.parse::<Timestamp>().ok().or_else(|| {
        let date = text.parse::<Date>().ok()?;
        let date = if inclusive_end { date.checked_add(1.day()).ok()? } else { date };
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    });
    if instant.is_none() {
        fields.finding(
            key,
            "date.form",
            format!("`{text}` is neither a date (2020-01-31) nor an instant (2020-01-31T00:00:00Z)"),
        );
    }
    instant.map(Utc::from_timestamp)
}
