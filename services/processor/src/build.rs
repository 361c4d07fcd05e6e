//! The work: read series, assemble, publish. No bus, no clock: time and progress come from the
//! caller.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;

use market::Utc;
use schemas::manifests::DataSetManifest;
use schemas::names::PARTS;
use schemas::progress::{Context, Count, Progress};
use store::{DataSetTable, Store, WRITTEN_BY};
use strategies::splits::Part;
use strategies::{
    AssemblyStep, DataSet, DataSetError, Resolved, assemble_data_set, canonical_sha256,
};

use crate::source::StoredSource;
use crate::{ProcessError, ProcessJob};

/// Share of the step's progress at which writing begins.
const WRITING_BEGINS: f64 = 0.95;
/// Works of a symbol that come before its first indicator: reading its bars.
const WORKS_BEFORE_INDICATORS: usize = 1;

/// A data set that is in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltDataSet {
    /// Manifest of the data set.
    pub manifest: DataSetManifest,
    /// True when it was there before.
    pub reused: bool,
}

/// Builds the data set of `job` on that number of threads, or finds it. `stop` is asked before each
/// piece of work: the bars of a symbol, each indicator, labels, leak test.
///
/// # Errors
/// A series is not stored, rows cannot be made, the store fails, or `stop` says so.
pub async fn build_data_set(
    store: &Store,
    job: &ProcessJob,
    threads: NonZeroUsize,
    now: Utc,
    stop: impl Fn() -> bool + Send + 'static,
    report: impl Fn(Progress) + Send + 'static,
) -> Result<BuiltDataSet, ProcessError> {
    let source = Arc::new(StoredSource::open(store, job).await?);

    // Everything that decides the rows is in the key, so a stored data set with it is this one.
    let inputs = job.resolved.data_part(&source.contents());
    let inputs_sha256 = canonical_sha256(&inputs);
    if let Some(manifest) = store.data_sets().find(&inputs_sha256).await? {
        return Ok(BuiltDataSet {
            manifest,
            reused: true,
        });
    }

    let set = assemble_on_thread(job, &source, threads, stop, report).await?;
    let draft = DataSetManifest {
        inputs_sha256,
        inputs,
        ..draft_manifest(&set, &source, now)
    };
    let manifest = store.data_sets().publish(table_of(set), draft).await?;
    Ok(BuiltDataSet {
        manifest,
        reused: false,
    })
}

/// Computes the rows on a thread for blocking code; its own threads share the symbols.
async fn assemble_on_thread(
    job: &ProcessJob,
    source: &Arc<StoredSource>,
    threads: NonZeroUsize,
    stop: impl Fn() -> bool + Send + 'static,
    report: impl Fn(Progress) + Send + 'static,
) -> Result<DataSet, ProcessError> {
    let resolved = job.resolved.clone();
    let source = Arc::clone(source);
    let assembled = tokio::task::spawn_blocking(move || {
        let resolved = &resolved;
        let source = source.as_ref();
        assemble_data_set(
            resolved,
            threads.get(),
            |symbol, timeframes| source.read_symbol(symbol, timeframes),
            &mut move |step| {
                report(progress_of(resolved, step, source.bars_read()));
                if stop() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )
    });

    // A panic must not take the worker with it: other steps may be running there.
    match assembled.await {
        Ok(Err(ProcessError::DataSet(DataSetError::Stopped))) => Err(ProcessError::Stopped),
        Ok(result) => result,
        Err(error) => Err(ProcessError::Lost {
            reason: error.to_string(),
        }),
    }
}

/// The manifest but for the inputs; the store fills in hash, size and rows of the file.
fn draft_manifest(set: &DataSet, source: &StoredSource, now: Utc) -> DataSetManifest {
    DataSetManifest {
        v: DataSetManifest::VERSION,

        // Filled in by the caller and by the store.
        inputs_sha256: String::new(),
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs: serde_json::Value::Null,

        series: source.inputs(),
        features: set.features.clone(),
        output: set.output.clone(),
        weighted: set.weight.is_some(),
        validation_start: set.cuts.validation_start.0,
        test_start: set.cuts.test_start.0,
        embargo_micros: set.embargo_micros,
        parts: set.parts.clone(),
        dropped: set.dropped.clone(),
        coverage: set.coverage.clone(),
        holes: set.holes.clone(),
        thresholds: set.thresholds.clone(),
        forward_bars: Some(set.forward_bars),
        leak_test_cuts: set.leak_test_cuts,
        created_at: now.0,
        written_by: WRITTEN_BY.to_owned(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of symbols and indicators"
)]
fn progress_of(resolved: &Resolved, step: AssemblyStep<'_>, bars: u64) -> Progress {
    let total = step.symbols * step.works;
    let message = format!(
        "Processing {}: {} (symbol {}/{})",
        step.symbol,
        describe_work(resolved, &step),
        step.symbol_number,
        step.symbols
    );

    // Every piece of work counts the same, whatever it costs.
    Progress {
        fraction: WRITING_BEGINS * step.begun as f64 / total.max(1) as f64,
        message,
        items: Some(Count {
            done: step.begun as u64,
            total: total as u64,
        }),
        context: Context::Data {
            symbol: step.symbol.to_owned(),
            timeframe: resolved.base.to_string(),
            bars,
            saved_bars: 0,
        },
        waiting: None,
    }
}

/// `rsi_14 [1h] (indicator 1/3)`, or the word for another piece of work.
fn describe_work(resolved: &Resolved, step: &AssemblyStep<'_>) -> String {
    let indicators = &resolved.indicators;
    // Works count from 1.
    let indicator = step
        .work_number
        .checked_sub(WORKS_BEFORE_INDICATORS + 1)
        .and_then(|position| Some((position, indicators.get(position)?)));

    match indicator {
        Some((position, planned)) => format!(
            "{} [{}] (indicator {}/{})",
            step.work,
            planned.timeframe,
            position + 1,
            indicators.len()
        ),
        None => step.work.to_owned(),
    }
}

/// The columns of the Parquet file.
fn table_of(set: DataSet) -> DataSetTable {
    // A strategy has at most 256 symbols, so every number fits.
    let symbol_numbers = set.symbol.iter().map(|symbol| u16::try_from(*symbol));
    let names = set.features.iter().map(|column| column.name.clone());

    DataSetTable {
        symbols: set.symbols.iter().map(market::Instrument::id).collect(),
        symbol: symbol_numbers
            .map(|number| number.unwrap_or(u16::MAX))
            .collect(),
        bar: Some(set.bar),
        open_time: micros_of(set.open_time),
        known_at: micros_of(set.known_at),
        part: set.part.into_iter().map(code_of).collect(),
        label_known_at: micros_of(set.label_known_at),
        feature_names: names.collect(),
        features: set.values,
        label: set.label,
        weight: set.weight,
        forward_return: Some(set.forward_return),
    }
}

fn micros_of(times: Vec<Utc>) -> Vec<i64> {
    times.into_iter().map(|time| time.0).collect()
}

/// The code of a part in the table: its position among [`PARTS`].
fn code_of(part: Part) -> u8 {
    let position = PARTS.iter().position(|name| *name == part.name());
    position
        .and_then(|position| u8::try_from(position).ok())
        .unwrap_or(u8::MAX)
}
