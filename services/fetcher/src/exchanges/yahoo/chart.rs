//! What an answer of the chart endpoint holds: rows, the clock of the exchange, splits and
//! dividends. A row is made of columns that stand beside each other; a null in one of its prices
//! says that there was no trade.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::readings::{number, text};

/// An answer with bars, as it came.
#[derive(Debug)]
pub(super) struct Chart {
    /// Rows in the order of their times.
    pub(super) rows: Vec<Row>,
    /// Clock of the exchange.
    pub(super) zone: TimeZone,
    /// First trade in Unix seconds; absent if there is none.
    pub(super) first_trade: Option<i64>,
    /// The newest trade in Unix seconds; the row of a bar that is not over has its time.
    pub(super) newest_trade: Option<i64>,
    /// True if Yahoo has nothing but the name.
    pub(super) is_phantom: bool,
    /// Length of the bars in Yahoo's words; empty if it does not say.
    pub(super) granularity: String,
    /// Splits and dividends of the range.
    pub(super) events: Vec<Event>,
}

/// A row of the answer whose prices are all there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Its time in Unix seconds.
    pub(super) time: i64,
    /// Open, high, low, close: adjusted for splits.
    pub(super) prices: [f64; 4],
    /// Traded shares; not a number where it is unknown.
    pub(super) volume: f64,
    /// The close that is adjusted for dividends as well.
    pub(super) adjusted_close: Option<f64>,
}

/// What happened to shares on a day.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// Its time in Unix seconds.
    pub(super) time: i64,
    /// Which of the two it is.
    pub(super) kind: EventKind,
}

/// A split or a dividend.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum EventKind {
    /// New shares for old ones, as in `4:1`.
    Split(String),
    /// Money for a share, adjusted for splits.
    Dividend(f64),
}

/// Reads an answer; the error says what is wrong with it.
pub(super) fn read(content: &Value) -> Result<Chart, String> {
    let chart = content.pointer("/chart/result/0");
    let chart = chart.ok_or("there is no chart in it")?;
    let meta = chart.get("meta").unwrap_or(&Value::Null);
    let times = chart.get("timestamp").map(times).transpose()?;

    let zone = text(meta, "exchangeTimezoneName");
    let zone = match zone {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|_| format!("it has the unknown time zone {name}"))?,
    };
    Ok(Chart {
        rows: rows(&times.unwrap_or_default(), chart)?,
        zone,
        first_trade: meta.get("firstTradeDate").and_then(Value::as_i64),
        newest_trade: meta.get("regularMarketTime").and_then(Value::as_i64),
        is_phantom: meta.get("currency").is_some_and(Value::is_null),
        granularity: text(meta, "dataGranularity").to_owned(),
        events: events(chart),
    })
}

fn times(list: &Value) -> Result<Vec<i64>, String> {
    let list = list.as_array().ok_or("`timestamp` is no list")?;
    let times = list.iter().map(|time| {
        let seconds = time.as_i64();
        seconds.ok_or_else(|| format!("`timestamp` has {}", brief(time)))
    });
    times.collect()
}

fn rows(times: &[i64], chart: &Value) -> Result<Vec<Row>, String> {
    if times.is_empty() {
        return Ok(Vec::new());
    }

    let quote = chart.pointer("/indicators/quote/0");
    let quote = quote.ok_or("it has times and no prices")?;
    let column = |name: &str| column(quote.get(name), name, times.len());
    let prices = [
        column("open")?,
        column("high")?,
        column("low")?,
        column("close")?,
    ];
    let volumes = match quote.get("volume") {
        Some(_) => column("volume")?,
        None => vec![None; times.len()],
    };
    let adjusted = chart.pointer("/indicators/adjclose/0/adjclose");
    let adjusted = match adjusted {
        Some(list) => self::column(Some(list), "adjclose", times.len())?,
        None => vec![None; times.len()],
    };

    let mut rows = Vec::with_capacity(times.len());
    for (index, time) in times.iter().enumerate() {
        let [open, high, low, close] = prices.each_ref().map(|column| value_at(column, index));
        let (Some(open), Some(high), Some(low), Some(close)) = (open, high, low, close) else {
            continue;
        };
        rows.push(Row {
            time: *time,
            prices: [open, high, low, close],
            volume: value_at(&volumes, index).unwrap_or(f64::NAN),
            adjusted_close: value_at(&adjusted, index),
        });
    }
    rows.sort_by_key(|row| row.time);
    Ok(rows)
}

fn value_at(column: &[Option<f64>], index: usize) -> Option<f64> {
    column.get(index).copied().flatten()
}

/// A column with as many values as there are times, some of them null.
fn column(list: Option<&Value>, name: &str, count: usize) -> Result<Vec<Option<f64>>, String> {
    let list = list.and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("there is no list `{name}` in it"))?;
    if list.len() != count {
        let values = list.len();
        return Err(format!("`{name}` has {values} values for {count} times"));
    }

    let values = list.iter().map(|value| match value {
        Value::Null => Ok(None),
        value => {
            let read = number(value);
            let read = read.ok_or_else(|| format!("`{name}` has {}", brief(value)))?;
            Ok(Some(read))
        }
    });
    values.collect()
}

/// The beginning of a value, for an error.
fn brief(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

/// Splits and dividends by time. They change no price here: one that cannot be read is passed over.
fn events(chart: &Value) -> Vec<Event> {
    let splits = events_called(chart, "splits").filter_map(|split| {
        let kind = EventKind::Split(text(split, "splitRatio").to_owned());
        let time = split.get("date")?.as_i64()?;
        Some(Event { time, kind })
    });
    let dividends = events_called(chart, "dividends").filter_map(|dividend| {
        let kind = EventKind::Dividend(number(dividend.get("amount")?)?);
        let time = dividend.get("date")?.as_i64()?;
        Some(Event { time, kind })
    });

    let mut events: Vec<Event> = splits.chain(dividends).collect();
    events.sort_by_key(|event| event.time);
    events
}

/// The entries of one kind of events.
fn events_called<'a>(chart: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    let entries = chart.get("events").and_then(|events| events.get(kind));
    let entries = entries.and_then(Value::as_object);
    entries.into_iter().flat_map(|entries| entries.values())
}
