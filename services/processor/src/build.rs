//! The work: read series, assemble, publish. No bus, no clock: time and progress come from the caller.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use market::{Bars, SeriesKey, Utc};
use schemas::manifests::{DatasetManifest, SeriesInput};
use schemas::progress::{Context, Count, Progress};
use store::{DatasetTable, PARTS, SeriesSnapshot, Store, WRITTEN_BY};
use strategies::{DataSet, DataSetError, Resolved, Step, SymbolBars, SymbolInput, assemble, canonical_sha256};

use crate::{Job, ProcessError};

/// Share of the step's progress that reading takes; the rest but a little for writing is assembly.
const READING: f64 = 0.15;

/// Share of the step's progress at which writing begins.
const WRITING: f64 = 0.95;

/// A data set that stands in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// Its manifest.
    pub manifest: DatasetManifest,
    /// True when it stood before.
    pub reused: bool,
}

/// Builds the data set of `job`, or finds it. `stop` is asked before each series and each indicator.
///
/// # Errors
/// A series that is not stored, rows that cannot be made, a failing store, a stop.
pub async fn build(
    store: &Store,
    job: &Job,
    now: Utc,
    stop: impl Fn() -> bool + Send + 'static,
    report: impl Fn(Progress) + Send + 'static,
) -> Result<Built, ProcessError> {
    let snapshots = snapshots(store, job).await?;
    let contents: BTreeMap<String, String> =
        snapshots.iter().map(|snapshot| (snapshot.key.prefix(), snapshot.content_sha256())).collect();
    let inputs = job.resolved.data_part(&contents);
    let inputs_sha256 = canonical_sha256(&inputs);
    if let Some(manifest) = store.find_dataset(&inputs_sha256).await? {
        return Ok(Built { manifest, reused: true });
    }
    let range = job.resolved.start.unwrap_or(Utc(i64::MIN))..job.resolved.end.unwrap_or(Utc(i64::MAX));
    let (symbols, series) = read(store, job, &snapshots, range, &stop, &report).await?;
    let resolved = job.resolved.clone();
    let rows = series.iter().map(|input| input.rows).sum();
    let assembled = tokio::task::spawn_blocking(move || {
        assemble(&resolved, &symbols, &mut |step| {
            report(progress(&resolved, step, rows));
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    let set = match assembled.await {
        Ok(Err(DataSetError::Stopped)) => return Err(ProcessError::Stopped),
        Ok(result) => result?,
        Err(error) => return Err(ProcessError::Lost { reason: error.to_string() }),
    };
    let draft = DatasetManifest {
        v: DatasetManifest::VERSION,
        inputs_sha256,
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs,
        series,
        features: set.features.clone(),
        output: set.output.clone(),
        weighted: set.weight.is_some(),
        validation_start: set.cuts.validation_start.0,
        test_start: set.cuts.test_start.0,
        embargo_micros: set.embargo_micros,
        parts: set.parts.clone(),
        dropped: set.dropped.clone(),
        coverage: set.coverage.clone(),
        leak_test_cuts: set.leak_test_cuts,
        created_at: now.0,
        written_by: WRITTEN_BY.to_owned(),
    };
    Ok(Built { manifest: store.publish_dataset(table(set), draft).await?, reused: false })
}

/// The newest revision of every series, in the job's order.
async fn snapshots(store: &Store, job: &Job) -> Result<Vec<SeriesSnapshot>, ProcessError> {
    let mut snapshots = Vec::with_capacity(job.series.len());
    for (_, _, key) in &job.series {
        let found = store.snapshot(key, None).await?;
        snapshots.push(found.ok_or_else(|| ProcessError::NotStored { series: key.prefix() })?);
    }
    Ok(snapshots)
}

/// The bars of every symbol in `range`, and what manifests say about their series.
async fn read(
    store: &Store,
    job: &Job,
    snapshots: &[SeriesSnapshot],
    range: Range<Utc>,
    stop: &impl Fn() -> bool,
    report: &impl Fn(Progress),
) -> Result<(Vec<SymbolInput>, Vec<SeriesInput>), ProcessError> {
    let mut symbols: Vec<SymbolInput> = Vec::new();
    let mut series = Vec::new();
    let total = job.series.len();
    for (position, ((symbol, timeframe, key), snapshot)) in job.series.iter().zip(snapshots).enumerate() {
        if stop() {
            return Err(ProcessError::Stopped);
        }
        report(reading(key, position, total));
        let bars = store.bars(snapshot, range.clone()).await?;
        series.push(input(snapshot, &bars));
        match symbols.iter_mut().find(|each| each.symbol == *symbol) {
            Some(known) => drop(known.bars.insert(*timeframe, bars)),
            None => symbols.push(SymbolInput { symbol: symbol.clone(), bars: SymbolBars::from([(*timeframe, bars)]) }),
        }
    }
    Ok((symbols, series))
}

fn input(snapshot: &SeriesSnapshot, bars: &Bars) -> SeriesInput {
    SeriesInput {
        series: snapshot.key.prefix(),
        revision: snapshot.manifest.revision,
        content_sha256: snapshot.content_sha256(),
        rows: bars.len() as u64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of series")]
fn reading(key: &SeriesKey, position: usize, total: usize) -> Progress {
    let (symbol, timeframe) = (key.instrument.symbol(), key.timeframe.to_string());
    Progress {
        fraction: READING * position as f64 / total.max(1) as f64,
        message: format!("Reading {symbol} [{timeframe}] (series {}/{total})", position + 1),
        context: Context::Data { symbol, timeframe, bars: 0, saved_bars: 0 },
        ..Progress::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of symbols and indicators")]
fn progress(resolved: &Resolved, step: Step<'_>, bars: u64) -> Progress {
    let done = (step.symbol_number - 1) * step.works + step.work_number - 1;
    let total = step.symbols * step.works;
    let indicators = resolved.indicators.len();
    let work = match resolved.indicators.get(step.work_number - 1) {
        Some(planned) => format!("{} [{}] (indicator {}/{indicators})", step.work, planned.timeframe, step.work_number),
        None => step.work.to_owned(),
    };
    let (symbol, timeframe) = (step.symbol.to_owned(), resolved.base.to_string());
    Progress {
        fraction: READING + (WRITING - READING) * done as f64 / total.max(1) as f64,
        message: format!("Processing {symbol}: {work} (symbol {}/{})", step.symbol_number, step.symbols),
        items: Some(Count { done: done as u64, total: total as u64 }),
        context: Context::Data { symbol, timeframe, bars, saved_bars: 0 },
        waiting: None,
    }
}

/// The columns of the Parquet file.
fn table(set: DataSet) -> DatasetTable {
    let micros = |times: &[Utc]| times.iter().map(|time| time.0).collect();
    let code = |part| PARTS.iter().position(|name| *name == DataSet::part_name(part)).unwrap_or(PARTS.len());
    DatasetTable {
        symbols: set.symbols.iter().map(market::Instrument::id).collect(),
        symbol: set.symbol.iter().map(|symbol| u16::try_from(*symbol).unwrap_or(u16::MAX)).collect(),
        open_time: micros(&set.open_time),
        known_at: micros(&set.decision_time),
        part: set.part.iter().map(|part| u8::try_from(code(*part)).unwrap_or(u8::MAX)).collect(),
        label_known_at: micros(&set.label_known_at),
        feature_names: set.features.iter().map(|column| column.name.clone()).collect(),
        features: (0..set.features.len()).map(|position| set.feature(position).collect()).collect(),
        label: set.label,
        weight: set.weight,
    }
}
