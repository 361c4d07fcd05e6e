//! The service around the work: what its step shows, what it records, how its errors are classed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use jiff::Timestamp;
use market::{Timeframe, Utc};
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{FetchBars, ProcessBars, ProcessOutcome, TrainRequest};
use schemas::errors::ErrorRecord;
use schemas::manifests::{DataSetManifest, FuzzyHole};
use schemas::names::PARTS;
use serde::{Deserialize, Serialize};

use crate::{BuiltDataSet, ProcessError, ProcessJob, build_data_set};

/// Most symbols that a warning names.
const NAMES_MAX: usize = 5;
/// Most warnings of an outcome: it is part of the operation's record.
const WARNINGS_MAX: usize = 6;

/// Share of rows that a class should have in every part.
const CLASS_SHARE_MIN: f64 = 0.05;

/// Section `[processor]` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessorSettings {
    /// Symbols worked on at a time. More take more memory: see `strategies::assemble_data_set`.
    pub threads: NonZeroUsize,
}

impl Default for ProcessorSettings {
    /// As many as the machine has cores.
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// Handles the verb `process`.
#[derive(Clone, Debug)]
pub struct Processor {
    settings: ProcessorSettings,
}

impl Processor {
    /// With these settings.
    pub const fn new(settings: ProcessorSettings) -> Self {
        Self { settings }
    }
}

impl StepHandler for Processor {
    type Command = ProcessBars;

    async fn handle(
        &self,
        command: ProcessBars,
        step: &StepContext,
    ) -> Result<ProcessOutcome, StepError> {
        let request: TrainRequest = step.params()?;
        let series = if command.series.is_empty() {
            fetched_series(step).await?
        } else {
            command.series
        };
        step.store().calendars().load_for(&series).await?;
        let job = ProcessJob::new(&request, &series).map_err(into_step_error)?;

        // Both outlive this call on the thread that computes.
        let stop = step.stop().clone();
        let reporter = step.clone();
        let built = build_data_set(
            step.store(),
            &job,
            self.settings.threads,
            Utc::from_timestamp(Timestamp::now()),
            move || stop.is_requested(),
            move |progress| reporter.report(progress),
        )
        .await;
        match built {
            Ok(built) => Ok(outcome_of(&job, &built)),
            Err(error) => Err(into_step_error(error)),
        }
    }
}

/// Keys of the series that the fetch step of the operation brought up to date.
async fn fetched_series(step: &StepContext) -> Result<Vec<String>, StepError> {
    let fetched = step.outcome_of::<FetchBars>().await?.series;
    Ok(fetched.into_iter().map(|series| series.series).collect())
}

fn into_step_error(error: ProcessError) -> StepError {
    match error {
        ProcessError::Stopped => StepError::Stopped,
        // The store knows which of its failures may pass.
        ProcessError::Store(error) => error.into(),
        error => ErrorRecord::from_advice(&error).into(),
    }
}

fn outcome_of(job: &ProcessJob, built: &BuiltDataSet) -> ProcessOutcome {
    let manifest = &built.manifest;
    let mut parts = BTreeMap::new();
    let mut classes = BTreeMap::new();
    for part in PARTS {
        parts.insert(part.to_owned(), manifest.rows_of(part));
        let counts = manifest.classes_of(part);
        // A regression has none.
        if !counts.is_empty() {
            classes.insert(part.to_owned(), counts);
        }
    }

    ProcessOutcome {
        dataset: manifest.inputs_sha256.clone(),
        rows: manifest.rows,
        features: u32::try_from(manifest.features.len()).unwrap_or(u32::MAX),
        reused: built.reused,
        parts,
        classes,
        dropped: manifest.dropped.clone(),
        warnings: warnings_of(job, manifest),
    }
}

/// What people should know before they trust a model of this data set.
fn warnings_of(job: &ProcessJob, manifest: &DataSetManifest) -> Vec<String> {
    let mut warnings = notes_on_finer_bars(job);
    for part in PARTS {
        warnings.extend(warnings_of_rare_classes(job, manifest, part));
    }
    warnings.extend(manifest.holes.iter().map(describe_hole));

    let findings = job.warnings.iter();
    warnings.extend(findings.map(|finding| format!("{}: {}", finding.path, finding.message)));

    warnings.truncate(WARNINGS_MAX);
    warnings
}

/// Says for each timeframe that is not stored which bars it is made of.
fn notes_on_finer_bars(job: &ProcessJob) -> Vec<String> {
    let mut symbols: BTreeMap<(Timeframe, Timeframe), Vec<String>> = BTreeMap::new();
    for needed in &job.series {
        let finer = needed.key.timeframe;
        if finer != needed.timeframe {
            let of_timeframes = symbols.entry((needed.timeframe, finer)).or_default();
            of_timeframes.push(needed.symbol.symbol());
        }
    }

    let mut notes = Vec::with_capacity(symbols.len());
    for ((timeframe, finer), symbols) in symbols {
        let names = name_some(symbols);
        notes.push(format!(
            "{timeframe} bars are not stored, and made of the {finer} bars: {names}"
        ));
    }
    notes
}

/// `EURUSD, GBPUSD and 7 more`: a strategy may have hundreds of symbols.
fn name_some(mut symbols: Vec<String>) -> String {
    let more = symbols.len().saturating_sub(NAMES_MAX);
    symbols.truncate(NAMES_MAX);

    let names = symbols.join(", ");
    if more > 0 {
        format!("{names} and {more} more")
    } else {
        names
    }
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn warnings_of_rare_classes(
    job: &ProcessJob,
    manifest: &DataSetManifest,
    part: &str,
) -> Vec<String> {
    let rows = manifest.rows_of(part) as f64;
    let mut warnings = Vec::new();

    // A class that hardly occurs is hardly learnt, and its scores mean little.
    let names = job.resolved.labels.classes();
    for (name, count) in names.iter().zip(manifest.classes_of(part)) {
        let share = count as f64 / rows;
        if share < CLASS_SHARE_MIN {
            warnings.push(format!(
                "only {:.1} % of the {part} rows are labelled {name}",
                share * 100.0
            ));
        }
    }
    warnings
}

fn describe_hole(hole: &FuzzyHole) -> String {
    let FuzzyHole {
        set,
        symbol,
        share,
        low,
        high,
    } = hole;
    format!(
        "{:.2} % of the central values behind {set} belong to no member on {symbol}; \
         they lie from {low:.6} to {high:.6}",
        share * 100.0
    )
}
