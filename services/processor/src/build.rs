//! The work: read series, assemble, publish. No bus, no clock: time and progress come from the
//! caller.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, PoisonError};

use market::{Instrument, Timeframe, Utc};
use schemas::manifests::{DatasetManifest, SeriesInput};
use schemas::names::PARTS;
use schemas::progress::{Context, Count, Progress};
use store::{DataSetTable, SeriesSnapshot, Store, WRITTEN_BY};
use strategies::{
    AssemblyStep, DataSet, DataSetError, Resolved, SymbolBars, assemble_data_set, canonical_sha256,
};
use tokio::runtime::Handle;

use crate::{Job, ProcessError};

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

/// Builds the data set of `job` on so many threads, or finds it. `stop` is asked before each piece
/// of work: the bars of a symbol, each indicator, labels, leak test.
///
/// # Errors
/// A series that is not stored, rows that cannot be made, a failing store, a stop.
pub async fn build(
    store: &Store,
    job: &Job,
    threads: NonZeroUsize,
    now: Utc,
    stop: impl Fn() -> bool + Send + 'static,
    report: impl Fn(Progress) + Send + 'static,
) -> Result<Built, ProcessError> {
    let source = Source::new(store, job).await?;
    let contents: BTreeMap<String, String> = source
        .series
        .iter()
        .map(|(_, _, found)| (found.key.prefix(), found.content_sha256()))
        .collect();
    let inputs = job.resolved.data_part(&contents);
    let inputs_sha256 = canonical_sha256(&inputs);
    if let Some(manifest) = store.data_sets().find(&inputs_sha256).await? {
        return Ok(Built {
            manifest,
            reused: true,
        });
    }
    let (resolved, shared) = (job.resolved.clone(), Arc::new(source));
    let source = Arc::clone(&shared);
    let assembled = tokio::task::spawn_blocking(move || {
        let (resolved, source) = (&resolved, source.as_ref());
        let read = |symbol: &Instrument, timeframes: &[Timeframe]| source.read(symbol, timeframes);
        assemble_data_set(resolved, threads.get(), read, &mut move |step| {
            report(progress(resolved, step, source.bars()));
            if stop() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    });
    let set = match assembled.await {
        Ok(Err(ProcessError::DataSet(DataSetError::Stopped))) => return Err(ProcessError::Stopped),
        Ok(result) => result?,
        Err(error) => {
            return Err(ProcessError::Lost {
                reason: error.to_string(),
            });
        }
    };
    let draft = DatasetManifest {
        v: DatasetManifest::VERSION,
        inputs_sha256,
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs,
        series: shared.inputs(),
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
        leak_test_cuts: set.leak_test_cuts,
        created_at: now.0,
        written_by: WRITTEN_BY.to_owned(),
    };
    Ok(Built {
        manifest: store.data_sets().publish(table(set), draft).await?,
        reused: false,
    })
}

/// The series of a job, each at its newest revision, read when the turn of its symbol comes.
struct Source {
    store: Store,
    runtime: Handle,
    range: Range<Utc>,
    series: Vec<(Instrument, Timeframe, SeriesSnapshot)>,
    /// Bars read, by the prefix of their series.
    rows: Mutex<BTreeMap<String, u64>>,
}

impl Source {
    async fn new(store: &Store, job: &Job) -> Result<Self, ProcessError> {
        let range =
            job.resolved.start.unwrap_or(Utc(i64::MIN))..job.resolved.end.unwrap_or(Utc(i64::MAX));
        let mut series = Vec::with_capacity(job.series.len());
        for (symbol, timeframe, key) in &job.series {
            let found = store.series().snapshot(key, None).await?;
            let found = found.ok_or_else(|| ProcessError::NotStored {
                series: key.prefix(),
            })?;
            series.push((symbol.clone(), *timeframe, found));
        }
        let runtime = Handle::current();
        Ok(Self {
            store: store.clone(),
            runtime,
            range,
            series,
            rows: Mutex::default(),
        })
    }

    /// For a thread that may block: it waits until the runtime has read the bars.
    fn read(
        &self,
        symbol: &Instrument,
        timeframes: &[Timeframe],
    ) -> Result<SymbolBars, ProcessError> {
        let mut all = SymbolBars::new();
        let own = self
            .series
            .iter()
            .filter(|(of, timeframe, _)| of == symbol && timeframes.contains(timeframe));
        for (_, timeframe, snapshot) in own {
            let bars = self
                .runtime
                .block_on(self.store.series().bars(snapshot, self.range.clone()))?;
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.insert(snapshot.key.prefix(), bars.len() as u64);
            all.insert(*timeframe, bars);
        }
        Ok(all)
    }

    /// Bars read so far.
    fn bars(&self) -> u64 {
        self.rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .sum()
    }

    /// What the manifest says about the series.
    fn inputs(&self) -> Vec<SeriesInput> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let input = |(_, _, snapshot): &(Instrument, Timeframe, SeriesSnapshot)| SeriesInput {
            series: snapshot.key.prefix(),
            revision: snapshot.manifest.revision,
            content_sha256: snapshot.content_sha256(),
            rows: rows.get(&snapshot.key.prefix()).copied().unwrap_or(0),
        };
        self.series.iter().map(input).collect()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of symbols and indicators"
)]
fn progress(resolved: &Resolved, step: AssemblyStep<'_>, bars: u64) -> Progress {
    let total = step.symbols * step.works;
    let indicators = resolved.indicators.len();
    // The bars come before the first indicator.
    let indicator = step
        .work_number
        .checked_sub(2)
        .and_then(|position| resolved.indicators.get(position));
    let work = match indicator {
        Some(planned) => {
            format!(
                "{} [{}] (indicator {}/{indicators})",
                step.work,
                planned.timeframe,
                step.work_number - 1
            )
        }
        None => step.work.to_owned(),
    };
    let (symbol, timeframe) = (step.symbol.to_owned(), resolved.base.to_string());
    Progress {
        fraction: WRITING * step.begun as f64 / total.max(1) as f64,
        message: format!(
            "Processing {symbol}: {work} (symbol {}/{})",
            step.symbol_number, step.symbols
        ),
        items: Some(Count {
            done: step.begun as u64,
            total: total as u64,
        }),
        context: Context::Data {
            symbol,
            timeframe,
            bars,
            saved_bars: 0,
        },
        waiting: None,
    }
}

/// The columns of the Parquet file.
fn table(set: DataSet) -> DataSetTable {
    let micros = |times: Vec<Utc>| times.into_iter().map(|time| time.0).collect();
    let code = |part: strategies::splits::Part| {
        PARTS
            .iter()
            .position(|name| *name == part.name())
            .unwrap_or(PARTS.len())
    };
    DataSetTable {
        symbols: set.symbols.iter().map(market::Instrument::id).collect(),
        symbol: set
            .symbol
            .iter()
            .map(|symbol| u16::try_from(*symbol).unwrap_or(u16::MAX))
            .collect(),
        open_time: micros(set.open_time),
        known_at: micros(set.known_at),
        part: set
            .part
            .iter()
            .map(|part| u8::try_from(code(*part)).unwrap_or(u8::MAX))
            .collect(),
        label_known_at: micros(set.label_known_at),
        feature_names: set
            .features
            .iter()
            .map(|column| column.name.clone())
            .collect(),
        features: set.values,
        label: set.label,
        weight: set.weight,
    }
}
