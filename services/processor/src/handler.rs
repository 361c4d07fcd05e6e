//! The shell around the work: what the step says, what it tells, how its errors settle.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use jiff::Timestamp;
use market::Utc;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{FetchBars, ProcessBars, ProcessOutcome, TrainRequest};
use schemas::errors::ErrorRecord;
use schemas::manifests::{DatasetManifest, FuzzyHole};
use schemas::names::PARTS;
use serde::{Deserialize, Serialize};

use crate::{Built, Job, ProcessError, build};

/// Most warnings of an outcome: it stands in the operation's record.
const WARNINGS_MAX: usize = 6;

/// Share of rows that a class should have in every part.
const CLASS_SHARE_MIN: f64 = 0.05;

/// Section `[processor]`.
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

/// Handles `process`.
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
            step.outcome_of::<FetchBars>()
                .await?
                .series
                .into_iter()
                .map(|each| each.series)
                .collect()
        } else {
            command.series
        };
        let job = Job::new(&request, &series).map_err(into_step_error)?;
        let (stop, progress) = (step.stop().clone(), step.clone());
        let now = Utc::from_timestamp(Timestamp::now());
        let (stopped, report) = (
            move || stop.is_requested(),
            move |value| progress.report(value),
        );
        let built = build(
            step.store(),
            &job,
            self.settings.threads,
            now,
            stopped,
            report,
        )
        .await;
        built
            .map(|built| outcome(&job, &built))
            .map_err(into_step_error)
    }
}

fn into_step_error(error: ProcessError) -> StepError {
    match error {
        ProcessError::Stopped => StepError::Stopped,
        // The store knows which of its failures may pass.
        ProcessError::Store(error) => error.into(),
        error => ErrorRecord::from_advice(&error).into(),
    }
}

fn outcome(job: &Job, Built { manifest, reused }: &Built) -> ProcessOutcome {
    let parts = PARTS
        .iter()
        .map(|part| ((*part).to_owned(), manifest.rows_of(part)));
    let classes = PARTS
        .iter()
        .map(|part| ((*part).to_owned(), manifest.classes_of(part)));
    ProcessOutcome {
        dataset: manifest.inputs_sha256.clone(),
        rows: manifest.rows,
        features: u32::try_from(manifest.features.len()).unwrap_or(u32::MAX),
        reused: *reused,
        parts: parts.collect(),
        classes: classes
            .filter(|(_, counts)| !counts.is_empty())
            .collect::<BTreeMap<_, _>>(),
        dropped: manifest.dropped.clone(),
        warnings: warnings(job, manifest),
    }
}

/// What people should know before they trust a model of this data set.
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn warnings(job: &Job, manifest: &DatasetManifest) -> Vec<String> {
    let rare = PARTS.iter().flat_map(|part| {
        let (rows, names) = (manifest.rows_of(part) as f64, job.resolved.labels.classes());
        let shares = names
            .iter()
            .zip(manifest.classes_of(part))
            .map(move |(name, count)| (name, count as f64 / rows));
        let rare = shares.filter(|(_, share)| *share < CLASS_SHARE_MIN);
        rare.map(move |(name, share)| {
            format!(
                "only {:.1} % of the {part} rows are labelled {name}",
                share * 100.0
            )
        })
    });
    let holes = manifest.holes.iter().map(|FuzzyHole { set, symbol, share, low, high }| {
        format!(
            "{:.2} % of the central values behind {set} belong to no member on {symbol}; they lie from {low:.6} to {high:.6}",
            share * 100.0
        )
    });
    let written = job
        .warnings
        .iter()
        .map(|finding| format!("{}: {}", finding.path, finding.message));
    rare.chain(holes)
        .chain(written)
        .take(WARNINGS_MAX)
        .collect()
}
