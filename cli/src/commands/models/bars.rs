//! The bars that `ktrdr models predict` predicts on: stored series, or files whose rows must all be
//! usable.

use market::Instrument;
use schemas::manifests::ModelManifest;
use store::files::{FileBars, Mapping};
use store::{ALL_TIME, Store};
use strategies::{Resolved, SymbolBars};

use super::predict::PredictArgs;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, close_times_of, read_file};
use crate::inputs::stored_series::{no_stored_bars, series_key};

/// The bars of one symbol in every timeframe that `resolved` needs.
///
/// # Errors
/// Bars are missing, of different symbols, or not usable.
pub(crate) async fn read(
    args: &PredictArgs,
    context: &Context,
    store: &Store,
    model: &ModelManifest,
    resolved: &Resolved,
) -> Result<(Instrument, SymbolBars), Failure> {
    if args.bars.is_empty() {
        stored(args, store, model, resolved).await
    } else {
        from_files(args, context, resolved)
    }
}

async fn stored(
    args: &PredictArgs,
    store: &Store,
    model: &ModelManifest,
    resolved: &Resolved,
) -> Result<(Instrument, SymbolBars), Failure> {
    let trained_on = model
        .lineage
        .symbols
        .first()
        .and_then(|text| Instrument::parse(text).ok());
    let symbol = args.symbol.clone().or(trained_on).ok_or_else(|| {
        Failure::new(Exit::Usage, "MODEL-NoSymbol", "the model names no symbol")
            .with_hint("name one with --symbol")
    })?;
    let mut bars = SymbolBars::new();
    for timeframe in &resolved.timeframes {
        let key = series_key(&args.provider, &symbol, *timeframe)?;
        let snapshot = store
            .series()
            .snapshot(&key, None)
            .await?
            .ok_or_else(|| no_stored_bars(&symbol, *timeframe))?;
        bars.insert(*timeframe, store.series().bars(&snapshot, ALL_TIME).await?);
    }
    Ok((symbol, bars))
}

fn from_files(
    args: &PredictArgs,
    context: &Context,
    resolved: &Resolved,
) -> Result<(Instrument, SymbolBars), Failure> {
    let refused = |text: String| Failure::new(Exit::Usage, "MODEL-Bars", text);
    let first = args
        .bars
        .first()
        .ok_or_else(|| refused("no file was given".to_owned()))?;
    let symbol = first.symbol.clone();
    let mut bars = SymbolBars::new();
    for NamedFile {
        symbol: other,
        timeframe,
        file,
    } in &args.bars
    {
        if *other != symbol {
            let text = format!(
                "{} is of {}, the file before it of {}",
                file.display(),
                other.symbol(),
                symbol.symbol()
            );
            return Err(refused(text).with_hint("predict one symbol at a time"));
        }
        let key = series_key(&args.provider, other, *timeframe)?;
        let mapping = Mapping {
            zone: args.zone.clone(),
            ..Mapping::default()
        };
        let read = read_file(&context.working_directory.join(file), &key, &mapping)?;
        let raw = usable(&file.display().to_string(), read)?.sorted();
        let known = close_times_of(&raw, &key)?;
        if bars
            .insert(*timeframe, raw.with_close_times(known))
            .is_some()
        {
            return Err(refused(format!("two files hold {timeframe} bars"))
                .with_hint("give one file a timeframe"));
        }
    }
    match resolved
        .timeframes
        .iter()
        .find(|needed| !bars.contains_key(needed))
    {
        Some(missing) => Err(refused(format!(
            "the model needs {missing} bars and no file holds them"
        ))
        .with_hint(format!("add --bars {}:{missing}=FILE", symbol.symbol()))),
        None => Ok((symbol, bars)),
    }
}

/// The rows, if every one has its prices: an indicator would carry a hole far beyond the row that
/// has it.
fn usable(file: &str, read: FileBars) -> Result<store::RawBars, Failure> {
    let hole = read
        .bars
        .iter()
        .position(|bar| bar.prices.iter().any(|price| !price.is_finite()));
    let Some(row) = hole else {
        return Ok(read.bars);
    };
    let line = read.lines.get(row).copied().unwrap_or_default();
    Err(Failure::new(
        Exit::Usage,
        "MODEL-Bars",
        format!("`{file}` line {line}: a price is missing"),
    )
    .with_hint("complete or remove the row; `ktrdr data check FILE` names all of them"))
}
