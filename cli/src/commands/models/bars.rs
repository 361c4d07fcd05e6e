//! The bars that `ktrdr models predict` predicts on: stored series, or files whose rows must all be
//! usable.

use market::{Instrument, Utc};
use schemas::codes;
use schemas::manifests::ModelManifest;
use store::files::{FileBars, Mapping};
use store::{ALL_TIME, Store};
use strategies::{Resolved, SymbolBars};

use super::open_model::OpenModel;
use super::predict::PredictArgs;
use crate::console::{Exit, Failure, now};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, close_times_of, read_file, report_left_out};
use crate::inputs::stored_series::{no_stored_bars, series_key};
use crate::inputs::usable_rows::{Contradictions, choose_rows};

/// The bars of one symbol in every timeframe that a model needs.
pub(super) struct ModelBars {
    pub(super) symbol: Instrument,
    pub(super) series: SymbolBars,
}

impl ModelBars {
    /// Number of bars in the timeframe of the decisions.
    pub(super) fn base_count(&self, resolved: &Resolved) -> usize {
        self.series.get(&resolved.base).map_or(0, market::Bars::len)
    }
}

/// Reads the bars from the files of `args`, or those of each symbol from the store where there are
/// none.
///
/// # Errors
/// Bars are missing, of different symbols, or not usable.
pub(super) async fn read_model_bars(
    args: &PredictArgs,
    context: &Context,
    store: &Store,
    model: &OpenModel,
) -> Result<Vec<ModelBars>, Failure> {
    if !args.bars.is_empty() {
        return Ok(vec![read_files(args, context, &model.resolved)?]);
    }

    let mut bars = Vec::new();
    for symbol in symbols_of(args, &model.manifest)? {
        bars.push(read_stored(args, store, symbol, &model.resolved).await?);
    }
    Ok(bars)
}

/// A model is asked about its own markets unless somebody names another.
fn symbols_of(args: &PredictArgs, model: &ModelManifest) -> Result<Vec<Instrument>, Failure> {
    if let Some(symbol) = &args.symbol {
        return Ok(vec![symbol.clone()]);
    }

    let trained_on = model.lineage.symbols.iter();
    let symbols: Vec<Instrument> = trained_on
        .filter_map(|text| Instrument::parse(text).ok())
        .collect();
    if symbols.is_empty() {
        let message = "the model names no symbol";
        return Err(Failure::new(Exit::Usage, codes::MODEL_NO_SYMBOL, message)
            .with_hint("name one with --symbol"));
    }
    Ok(symbols)
}

async fn read_stored(
    args: &PredictArgs,
    store: &Store,
    symbol: Instrument,
    resolved: &Resolved,
) -> Result<ModelBars, Failure> {
    let mut series = SymbolBars::new();
    for timeframe in &resolved.timeframes {
        let key = series_key(&args.provider, &symbol, *timeframe)?;
        let stored = match store.series().snapshot(&key, None).await? {
            Some(snapshot) if snapshot.manifest.rows() > 0 => Some(snapshot),
            _ => store.series().find_finer(&key).await?,
        };
        let Some(snapshot) = stored else {
            return Err(no_stored_bars(store, &symbol, *timeframe).await);
        };

        let bars = store.series().bars_in(&snapshot, *timeframe, ALL_TIME);
        series.insert(*timeframe, bars.await?);
    }
    Ok(ModelBars { symbol, series })
}

fn read_files(
    args: &PredictArgs,
    context: &Context,
    resolved: &Resolved,
) -> Result<ModelBars, Failure> {
    let Some(first) = args.bars.first() else {
        return Err(
            refused_bars("no file of bars was given".to_owned()).with_hint("add --bars FILE")
        );
    };
    let symbol = first.symbol.clone();

    // A file of another symbol is refused: its bars would pass for those of the first.
    let mut series = SymbolBars::new();
    for named in &args.bars {
        if named.symbol != symbol {
            return Err(other_symbol(named, &symbol));
        }
        let bars = read_usable(named, args, context)?;
        if series.insert(named.timeframe, bars).is_some() {
            let text = format!("two files hold {} bars", named.timeframe);
            return Err(refused_bars(text).with_hint("give one file for each timeframe"));
        }
    }

    let missing = resolved
        .timeframes
        .iter()
        .find(|timeframe| !series.contains_key(timeframe));
    if let Some(missing) = missing {
        let text = format!("the model needs {missing} bars and no file holds them");
        return Err(refused_bars(text)
            .with_hint(format!("add --bars {}:{missing}=FILE", symbol.spelling())));
    }
    Ok(ModelBars { symbol, series })
}

/// Reads one file, with the time at which each bar becomes known.
fn read_usable(
    named: &NamedFile,
    args: &PredictArgs,
    context: &Context,
) -> Result<market::Bars, Failure> {
    let key = series_key(&args.provider, &named.symbol, named.timeframe)?;
    let mapping = Mapping {
        zone: args.zone.clone(),
        ..Mapping::default()
    };
    let file = read_file(&context.working_directory.join(&named.file), &key, &mapping)?;

    // A bar that is not over is left out, whatever it holds.
    let known_at = close_times_of(&file.bars, &key)?;
    let now = now();
    require_prices(&named.file.display().to_string(), &file, &known_at, now)?;

    let refuse = Contradictions::Refuse;
    let rows = choose_rows(&named.file, file, known_at, now, true, refuse)?;
    report_left_out(&named.file, &rows.left_out, &context.output);
    Ok(rows.into_bars())
}

/// Every bar that is over at `now` has its prices: an indicator would carry a hole far beyond the
/// row that has it.
fn require_prices(file: &str, read: &FileBars, known_at: &[Utc], now: Utc) -> Result<(), Failure> {
    let hole =
        read.bars.iter().zip(known_at).position(|(bar, end)| {
            *end <= now && bar.prices.iter().any(|price| !price.is_finite())
        });
    let Some(row) = hole else {
        return Ok(());
    };

    let line = read.lines.get(row).copied().unwrap_or_default();
    Err(
        refused_bars(format!("`{file}` line {line}: a price is missing"))
            .with_hint("complete or remove the row; `ktrdr data check FILE` names all of them"),
    )
}

fn other_symbol(named: &NamedFile, symbol: &Instrument) -> Failure {
    refused_bars(format!(
        "{} holds bars of {}, the first file bars of {}",
        named.file.display(),
        named.symbol.symbol(),
        symbol.symbol()
    ))
    .with_hint("predict one symbol at a time")
}

fn refused_bars(text: String) -> Failure {
    Failure::new(Exit::Usage, codes::MODEL_BARS, text)
}
