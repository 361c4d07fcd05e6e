//! The Parquet file of one period of a series.

use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array};
use bytes::Bytes;
use market::Utc;

use crate::StoreError;
use crate::parquet_file::{Column, Decoded, encode, instant_column, nullable_column};
use crate::raw_bars::RawBars;

/// Parquet bytes: `ts` timestamp(us, UTC), `open`, `high`, `low`, `close` float64, `volume` float64
/// or null.
pub(super) fn encode_bars(bars: &RawBars) -> Result<Bytes, StoreError> {
    let opens = bars.open_time.iter().map(|open| open.0).collect();

    // Plain names, so that other tools read the files without a mapping.
    let columns = vec![
        Column::required("ts", instant_column(opens)),
        price_column("open", &bars.open),
        price_column("high", &bars.high),
        price_column("low", &bars.low),
        price_column("close", &bars.close),
        Column::optional("volume", nullable_column(&bars.volume)),
    ];
    encode("bars", columns, None)
}

fn price_column(name: &str, values: &[f64]) -> Column {
    let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    Column::required(name, values)
}

/// The bars of a file; `key` names it in errors.
pub(super) fn decode_bars(key: &str, bytes: Bytes) -> Result<RawBars, StoreError> {
    let file = Decoded::read(key, bytes)?;
    let prices = |name: &str| file.values::<Float64Type>(key, name, None);

    // Only a volume may be unknown; an empty price is damage.
    Ok(RawBars {
        open_time: file.instants(key, "ts")?.into_iter().map(Utc).collect(),
        open: prices("open")?,
        high: prices("high")?,
        low: prices("low")?,
        close: prices("close")?,
        volume: file.values::<Float64Type>(key, "volume", Some(f64::NAN))?,
    })
}
