//! Numbers, texts and instants in the answers of exchanges. Fields that nobody asked for are passed
//! over; one that is missing or of another kind makes the answer unreadable.

use market::Utc;
use serde_json::Value;
use store::RawBar;

use crate::http_account::{Answer, HttpAccount};
use crate::remote_error::{Failure, RemoteError};

/// Where the fields of a bar are in the array that stands for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BarColumns {
    /// Start of the bar.
    pub(super) time: usize,
    /// Microseconds of one unit of that time.
    pub(super) time_unit: i64,
    /// Open, high, low, close.
    pub(super) prices: [usize; 4],
    /// Amount of the base that was traded.
    pub(super) volume: usize,
}

/// The rows of a list.
pub(super) fn rows<'a>(
    list: Option<&'a Value>,
    answer: &Answer,
    account: &HttpAccount,
) -> Result<&'a [Value], RemoteError> {
    let rows = list.and_then(Value::as_array).map(Vec::as_slice);
    rows.ok_or_else(|| unreadable(answer, account, "there is no list in it"))
}

/// The bars of rows that are arrays.
pub(super) fn bars(
    rows: &[Value],
    columns: &BarColumns,
    answer: &Answer,
    account: &HttpAccount,
) -> Result<Vec<RawBar>, RemoteError> {
    let mut bars = Vec::with_capacity(rows.len());

    for (number, row) in rows.iter().enumerate() {
        let bar = bar_of(row, columns).ok_or_else(|| {
            let row: String = row.to_string().chars().take(100).collect();
            unreadable(answer, account, &format!("bar {number} is {row}"))
        })?;
        bars.push(bar);
    }
    Ok(bars)
}

fn bar_of(row: &Value, columns: &BarColumns) -> Option<RawBar> {
    let time = row.get(columns.time)?.as_i64()?;
    let [open, high, low, close] = columns.prices;

    Some(RawBar {
        open_time: Utc(time.checked_mul(columns.time_unit)?),
        prices: [
            number(row.get(open)?)?,
            number(row.get(high)?)?,
            number(row.get(low)?)?,
            number(row.get(close)?)?,
        ],
        volume: number(row.get(columns.volume)?)?,
    })
}

/// A finite number, written as one or as a text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    Some(number).filter(|number: &f64| number.is_finite())
}

/// The text of a field; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// An answer that is JSON and not what was asked for.
pub(super) fn unreadable(answer: &Answer, account: &HttpAccount, reason: &str) -> RemoteError {
    account.error(Failure::Protocol {
        address: answer.address.clone(),
        reason: reason.to_owned(),
    })
}

/// Where an exchange says that it does not have a symbol: whoever asked knows its name.
pub(super) fn unknown_symbol() -> Failure {
    Failure::UnknownSymbol {
        symbol: String::new(),
        similar: Vec::new(),
    }
}
