//! The Parquet file of one period of a series.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};
use bytes::Bytes;
use market::Utc;

use crate::StoreError;
use crate::jobs::run_jobs;
use crate::parquet_columns::ColumnFile;
use crate::parquet_file::{Column, encode, instant_column, nullable_column};
use crate::raw_bars::RawBars;

/// Parquet bytes: `ts` timestamp(us, UTC), `open`, `high`, `low`, `close` float64, `volume` float64
/// or null.
pub(super) fn encode_bars(bars: RawBars) -> Result<Bytes, StoreError> {
    let opens = bars.open_time.into_iter().map(|open| open.0).collect();

    // Plain names, so that other tools read the files without a mapping.
    let columns = vec![
        Column::required("ts", instant_column(opens)),
        price_column("open", bars.open),
        price_column("high", bars.high),
        price_column("low", bars.low),
        price_column("close", bars.close),
        Column::optional("volume", nullable_column(bars.volume)),
    ];
    encode("bars", columns, None)
}

fn price_column(name: &str, values: Vec<f64>) -> Column {
    let values: ArrayRef = Arc::new(Float64Array::from(values));
    Column::required(name, values)
}

/// The bars of a file; `key` names it in errors.
pub(super) fn decode_bars(key: &str, bytes: Bytes) -> Result<RawBars, StoreError> {
    let file = ColumnFile::open(key, bytes)?;
    let opens = file.instants("ts")?;

    // Only a volume may be unknown; an empty price is damage.
    let names = [
        ("open", None),
        ("high", None),
        ("low", None),
        ("close", None),
    ];
    let names = names.into_iter().chain([("volume", Some(f64::NAN))]);
    let jobs = names.map(|(name, null)| {
        let file = &file;
        move || file.floats(name, null)
    });
    let columns = run_jobs(jobs.collect(), file.rows()).into_iter();

    let mut columns = columns.collect::<Result<Vec<_>, _>>()?.into_iter();
    let mut next_column = || columns.next().unwrap_or_default();
    Ok(RawBars {
        open_time: opens.into_iter().map(Utc).collect(),
        open: next_column(),
        high: next_column(),
        low: next_column(),
        close: next_column(),
        volume: next_column(),
    })
}
