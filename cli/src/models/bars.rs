//! The bars that `ktrdr models predict` predicts on: stored series, or files whose rows must all be usable.

use std::path::PathBuf;

use market::{Calendar, Instrument, Timeframe, close_times};
use schemas::manifests::ModelManifest;
use store::files::{Expected, FileBars, Mapping, parse_name, read_path};
use store::{ALL_TIME, Store};
use strategies::{Resolved, SymbolBars};

use super::predict::PredictArgs;
use crate::context::Context;
use crate::data::{instrument, key, no_data, timeframe};
use crate::exit::{Exit, Failure};

/// A file, and what its bars are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarsFile {
    symbol: Instrument,
    timeframe: Timeframe,
    file: PathBuf,
}

impl BarsFile {
    /// `EURUSD:1h=path`, `crypto:BTC/USD:1h=path`, or a path whose file name says both.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((series, file)) = text.split_once('=') {
            let (symbol, length) = series.rsplit_once(':').ok_or("expected SYMBOL:TIMEFRAME=FILE")?;
            return Ok(Self { symbol: instrument(symbol)?, timeframe: timeframe(length)?, file: file.into() });
        }
        let file = PathBuf::from(text);
        let named = file.file_name().and_then(|name| name.to_str()).and_then(parse_name);
        let (symbol, timeframe) = named.ok_or("its name does not say symbol and timeframe; write EURUSD:1h=FILE")?;
        Ok(Self { symbol, timeframe, file })
    }
}

/// The bars of one symbol in every timeframe that `resolved` needs.
///
/// # Errors
/// Bars are missing, of different symbols, or not usable.
pub async fn read(
    args: &PredictArgs,
    context: &Context,
    store: &Store,
    model: &ModelManifest,
    resolved: &Resolved,
) -> Result<(Instrument, SymbolBars), Failure> {
    if args.bars.is_empty() { stored(args, store, model, resolved).await } else { from_files(args, context, resolved) }
}

async fn stored(
    args: &PredictArgs,
    store: &Store,
    model: &ModelManifest,
    resolved: &Resolved,
) -> Result<(Instrument, SymbolBars), Failure> {
    let trained_on = model.lineage.symbols.first().and_then(|text| Instrument::parse(text).ok());
    let symbol = args.symbol.clone().or(trained_on).ok_or_else(|| {
        Failure::new(Exit::Usage, "MODEL-NoSymbol", "the model names no symbol").with_hint("name one with --symbol")
    })?;
    let mut bars = SymbolBars::new();
    for timeframe in &resolved.timeframes {
        let key = key(&args.provider, &symbol, *timeframe)?;
        let snapshot = store.snapshot(&key, None).await?.ok_or_else(|| no_data(&symbol, *timeframe))?;
        bars.insert(*timeframe, store.bars(&snapshot, ALL_TIME).await?);
    }
    Ok((symbol, bars))
}

fn from_files(args: &PredictArgs, context: &Context, resolved: &Resolved) -> Result<(Instrument, SymbolBars), Failure> {
    let refused = |text: String| Failure::new(Exit::Usage, "MODEL-Bars", text);
    let first = args.bars.first().ok_or_else(|| refused("no file was given".to_owned()))?;
    let symbol = first.symbol.clone();
    let mut bars = SymbolBars::new();
    for BarsFile { symbol: other, timeframe, file } in &args.bars {
        if *other != symbol {
            let text =
                format!("{} is of {}, the file before it of {}", file.display(), other.symbol(), symbol.symbol());
            return Err(refused(text).with_hint("predict one symbol at a time"));
        }
        let key = key(&args.provider, other, *timeframe)?;
        let expected = Expected { instrument: other.clone(), timeframe: *timeframe, day_boundary: key.day_boundary };
        let mapping = Mapping { zone: args.zone.clone(), ..Mapping::default() };
        let read = read_path(&context.working_directory.join(file), &mapping, &expected)?;
        let raw = usable(&file.display().to_string(), read)?.sorted();
        let known = close_times(Calendar::for_key(&key), &key, &raw.open_time)
            .map_err(|error| Failure::of(Exit::Failed, "DATA-Labels", &error).with_hint(error.hint()))?;
        if bars.insert(*timeframe, raw.with_close_times(known)).is_some() {
            return Err(refused(format!("two files hold {timeframe} bars")).with_hint("give one file a timeframe"));
        }
    }
    match resolved.timeframes.iter().find(|needed| !bars.contains_key(needed)) {
        Some(missing) => Err(refused(format!("the model needs {missing} bars and no file holds them"))
            .with_hint(format!("add --bars {}:{missing}=FILE", symbol.symbol()))),
        None => Ok((symbol, bars)),
    }
}

/// The rows, if every one has its prices: an indicator would carry a hole far beyond the row that has it.
fn usable(file: &str, read: FileBars) -> Result<store::RawBars, Failure> {
    let hole = read.bars.iter().position(|bar| bar.prices.iter().any(|price| !price.is_finite()));
    let Some(row) = hole else { return Ok(read.bars) };
    let line = read.lines.get(row).copied().unwrap_or_default();
    Err(Failure::new(Exit::Usage, "MODEL-Bars", format!("`{file}` line {line}: a price is missing"))
        .with_hint("complete or remove the row; `ktrdr data check FILE` names all of them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_bars_says_what_it_holds_in_front_of_it_or_by_its_name() {
        let read = |text: &str| {
            let BarsFile { symbol, timeframe, file } = BarsFile::parse(text)?;
            Ok::<_, String>(format!("{symbol} {timeframe} {}", file.display()))
        };
        assert_eq!(read("EURUSD:1h=my bars.csv").unwrap(), "fx:EUR.USD 1h my bars.csv");
        assert_eq!(read("crypto:BTC/USD:5m=x.csv").unwrap(), "crypto:BTC.USD 5m x.csv");
        assert_eq!(read("data/AAPL_1d.csv.gz").unwrap(), "stk:AAPL 1d data/AAPL_1d.csv.gz");
        assert!(read("bars.csv").unwrap_err().contains("write EURUSD:1h=FILE"));
        assert!(read("EURUSD=x.csv").is_err());
        assert!(read("EURUSD:7h=x.csv").is_err());
    }
}
