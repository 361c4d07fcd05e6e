//! The work: read series, assemble, publish. No bus, no clock: time and progress come from the
//! caller.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;

use market::{Instrument, Timeframe, Utc};
use schemas::manifests::{DataSetManifest, SealedRows};
use schemas::names::PARTS;
use schemas::progress::{Context, Count, Progress};
use store::{DataSetTable, Store, WRITTEN_BY};
use strategies::splits::Part;
use strategies::{
    AssemblyStep, DataSet, DataSetError, Resolved, assemble_data_set, assemble_sealed_rows,
    canonical_sha256,
};

use crate::source::StoredSource;
use crate::{ProcessError, ProcessJob};

/// Share of the step's progress at which writing begins.
const WRITING_BEGINS: f64 = 0.95;
/// The code of the part of sealed rows.
const SEALED_CODE: u8 = 3;
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
    stop: impl Fn() -> bool + Send + Sync + 'static,
    report: impl Fn(Progress) + Send + Sync + 'static,
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

    let assembled = assemble_on_thread(job, &source, threads, stop, report).await?;
    // What the manifest names exists before it.
    let sealed = match assembled.sealed {
        None => None,
        Some(rows) => Some(publish_sealed(store, job, &inputs_sha256, rows).await?),
    };
    let draft = DataSetManifest {
        inputs_sha256,
        inputs,
        sealed,
        ..draft_manifest(&assembled.open, &source, now)
    };
    let table = table_of(assembled.open);
    let manifest = store.data_sets().publish(table, draft).await?;
    Ok(BuiltDataSet {
        manifest,
        reused: false,
    })
}

/// The rows of a job: those of the data set, and those that it withholds.
struct AssembledRows {
    open: DataSet,
    sealed: Option<DataSet>,
}

/// Stores the sealed rows, as an object of their own.
async fn publish_sealed(
    store: &Store,
    job: &ProcessJob,
    inputs_sha256: &str,
    rows: DataSet,
) -> Result<SealedRows, ProcessError> {
    let from = job.resolved.sealed_from.map_or(i64::MAX, |from| from.0);
    let count = rows.rows();
    let table = DataSetTable {
        part: vec![SEALED_CODE; count],
        ..table_of(rows)
    };

    let data_sets = store.data_sets();
    Ok(data_sets.publish_sealed(inputs_sha256, from, table).await?)
}

/// Computes the rows on a thread for blocking code; its own threads share the symbols.
async fn assemble_on_thread(
    job: &ProcessJob,
    source: &Arc<StoredSource>,
    threads: NonZeroUsize,
    stop: impl Fn() -> bool + Send + Sync + 'static,
    report: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<AssembledRows, ProcessError> {
    let assembly = Assembly {
        resolved: job.resolved.clone(),
        source: Arc::clone(source),
        stop,
        report,
    };
    let assembled = tokio::task::spawn_blocking(move || assembly.assemble(threads));

    // A panic must not take the worker with it: other steps may be running there.
    match assembled.await {
        Ok(Err(ProcessError::DataSet(DataSetError::Stopped))) => Err(ProcessError::Stopped),
        Ok(result) => result,
        Err(error) => Err(ProcessError::Lost {
            reason: error.to_string(),
        }),
    }
}

/// What a thread for blocking code computes the rows from, and whom it asks and tells.
struct Assembly<Stop, Report> {
    resolved: Resolved,
    source: Arc<StoredSource>,
    stop: Stop,
    report: Report,
}

impl<Stop, Report> Assembly<Stop, Report>
where
    Stop: Fn() -> bool + Send + Sync,
    Report: Fn(Progress) + Send + Sync,
{
    /// The rows before the sealed period, then those of it: two passes over the symbols.
    fn assemble(&self, threads: NonZeroUsize) -> Result<AssembledRows, ProcessError> {
        let Self {
            resolved, source, ..
        } = self;
        let read =
            |symbol: &Instrument, timeframes: &[Timeframe]| source.read_symbol(symbol, timeframes);
        let threads = threads.get();

        let on_open_step = &mut |step: AssemblyStep<'_>| self.on_step(0, step);
        let open = assemble_data_set(resolved, threads, read, on_open_step)?;
        let on_sealed_step = &mut |step: AssemblyStep<'_>| self.on_step(1, step);
        let sealed = assemble_sealed_rows(resolved, &open, threads, read, on_sealed_step)?;
        Ok(AssembledRows { open, sealed })
    }

    fn on_step(&self, pass: usize, step: AssemblyStep<'_>) -> ControlFlow<()> {
        let passes = 1 + usize::from(self.resolved.sealed_start().is_some());
        let progress = progress_of(&self.resolved, step, self.source.bars_read());
        (self.report)(in_pass(progress, pass, passes));

        if (self.stop)() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
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
        sealed: None,
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
            segments: None,
        },
        waiting: None,
    }
}

/// Progress of one of several passes over the symbols, as a share of them all.
#[expect(clippy::cast_precision_loss, reason = "one pass or two")]
fn in_pass(progress: Progress, pass: usize, passes: usize) -> Progress {
    let done = WRITING_BEGINS * pass as f64;
    Progress {
        fraction: (done + progress.fraction) / passes as f64,
        ..progress
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
