//! The confirm command: everything that may fail is read, the opening is recorded, and only then
//! are the sealed rows read and measured.

use std::collections::BTreeSet;

use jiff::Timestamp;
use runtime::{StepContext, StepError};
use schemas::codes;
use schemas::commands::{ConfirmModel, ConfirmOutcome};
use schemas::errors::ErrorRecord;
use schemas::manifests::{
    Confirmation, DataSetManifest, EarlierCandidate, ModelManifest, Opening, SealedRows,
};
use store::{ChangeOutcome, Store};

use crate::handler::show;
use crate::measure::{Candidate, MeasuredRows};
use crate::opening::{OpeningDecision, decide_opening};

/// The code of the part in a table of sealed rows.
const SEALED: u8 = 3;
/// Share of the step at which the candidate is ready.
const READY: f64 = 0.3;

/// Measures a version on its sealed rows, or finds what came out when that was done before.
///
/// # Errors
/// There is no such version, nothing is sealed for it, another candidate was shown the period, or
/// the store fails.
pub(crate) async fn confirm(
    command: ConfirmModel,
    step: &StepContext,
) -> Result<ConfirmOutcome, StepError> {
    let store = step.store();
    let sealed = SealedCandidate::find(store, &command).await?;
    show(step, 0.0, "Reading the candidate");
    let ready = sealed.prepare(step).await?;
    step.check_stop()?;

    // From here on the rows count as seen, whatever happens to this process.
    let opening = open(store, sealed.draft(step), command.again).await?;
    if let Some(outcome) = store.confirmations().outcome(opening.number).await? {
        return Ok(ConfirmOutcome {
            confirmation: outcome.number,
            reused: true,
        });
    }

    show(step, READY, "Measuring the candidate on the sealed rows");
    let measured = sealed.measure(ready, step).await?;
    let outcome = outcome_of(opening.number, measured);
    let outcome = store.confirmations().conclude(outcome).await?;
    Ok(ConfirmOutcome {
        confirmation: outcome.number,
        reused: false,
    })
}

/// Records the opening, or finds that of the same candidate.
///
/// # Errors
/// Another candidate was shown the period and `again` is false, or the store fails.
pub async fn open(store: &Store, draft: Opening, again: bool) -> Result<Opening, StepError> {
    loop {
        let openings = store.confirmations().openings().await?;
        let opening = match decide_opening(&openings, draft.clone(), again) {
            OpeningDecision::Opened(opening) => return Ok(opening),
            OpeningDecision::Shown(earlier) => return Err(refused(&draft, &earlier)),
            OpeningDecision::Open(opening) => opening,
        };

        // Whoever was overtaken decides once more, with the other's record before its eyes.
        if let ChangeOutcome::Made(opening) = store.confirmations().open(opening).await? {
            return Ok(opening);
        }
    }
}

fn refused(draft: &Opening, earlier: &[EarlierCandidate]) -> StepError {
    let mut names = Vec::with_capacity(earlier.len());
    for candidate in earlier {
        let EarlierCandidate { model, version, .. } = candidate;
        names.push(format!("{model}@{version} on {}", date_of(candidate.at)));
    }

    let Opening { model, version, .. } = draft;
    let message = format!(
        "another candidate was measured on this sealed period, or on a part of it: {}",
        names.join(", ")
    );
    let hint = format!(
        "a figure that was chosen among several candidates is no confirmation any more; \
         `ktrdr models confirm {model}@{version} --again` measures it all the same, and says so \
         wherever it is shown"
    );
    StepError::permanent(codes::MODEL_SHOWN, message, hint)
}

fn date_of(at: i64) -> String {
    let instant = Timestamp::from_microsecond(at).unwrap_or_default();
    instant.strftime("%Y-%m-%d").to_string()
}

fn outcome_of(number: u32, measured: MeasuredRows) -> Confirmation {
    Confirmation {
        v: Confirmation::VERSION,
        number,
        figures: measured.figures,
        uncertainty: measured.uncertainty,
        groups: measured.groups,
        decisions: measured.decisions,
        at: Timestamp::now().as_microsecond(),
    }
}

/// A version with sealed rows.
struct SealedCandidate {
    model: ModelManifest,
    data_set: DataSetManifest,
    sealed: SealedRows,
}

impl SealedCandidate {
    async fn find(store: &Store, command: &ConfirmModel) -> Result<Self, StepError> {
        let ConfirmModel { name, version, .. } = command;
        let model = store.models().find(name, Some(*version)).await?;
        let model = model.ok_or_else(|| {
            let message = format!("there is no model {name} version {version}");
            let hint = "`ktrdr models list` shows all";
            StepError::permanent(codes::MODEL_NOT_FOUND, message, hint)
        })?;

        let dataset = &model.lineage.dataset;
        let data_set = store.data_sets().find(dataset).await?;
        let data_set = data_set.ok_or_else(|| {
            let message = format!("the data set {dataset} is not in the store");
            let hint = "train the version again: `ktrdr models show NAME --strategy` prints its \
                        strategy";
            StepError::permanent(codes::DATA_DATASET_MISSING, message, hint)
        })?;
        let sealed = data_set.sealed.clone().ok_or_else(|| not_sealed(&model))?;
        Ok(Self {
            model,
            data_set,
            sealed,
        })
    }

    /// Reads what is no secret, so that nothing of it can fail once the rows are open.
    async fn prepare(&self, step: &StepContext) -> Result<Candidate, StepError> {
        let artifact = step.store().artifacts().read(&self.model.artifact).await?;
        let open = step.store().data_sets().read(&self.data_set).await?;

        step.blocking(move || {
            let candidate = Candidate::new(&artifact, &open);
            Ok(candidate.map_err(|error| ErrorRecord::from_advice(&error))?)
        })
        .await
    }

    /// Reads the sealed rows, and measures the candidate on them.
    async fn measure(
        &self,
        candidate: Candidate,
        step: &StepContext,
    ) -> Result<MeasuredRows, StepError> {
        let data_sets = step.store().data_sets();
        let hash = &self.data_set.inputs_sha256;
        let rows = data_sets.read_sealed(hash, &self.sealed).await?;

        step.blocking(move || {
            let measured = candidate.measure(&rows, SEALED);
            Ok(measured.map_err(|error| ErrorRecord::from_advice(&error))?)
        })
        .await
    }

    fn draft(&self, step: &StepContext) -> Opening {
        let parts = self.data_set.parts.iter();
        let symbols: BTreeSet<String> = parts.map(|count| count.symbol.clone()).collect();

        Opening {
            v: Opening::VERSION,
            number: 0,
            model: self.model.name.clone(),
            version: self.model.version,
            artifact: self.model.artifact.clone(),
            dataset: self.data_set.inputs_sha256.clone(),
            sealed: self.sealed.sha256.clone(),
            rows: self.sealed.rows,
            from: self.sealed.from,
            range: self.sealed.range,
            symbols: symbols.into_iter().collect(),
            earlier: Vec::new(),
            operation: step.op().to_string(),
            by: step.record().by.clone(),
            at: Timestamp::now().as_microsecond(),
        }
    }
}

fn not_sealed(model: &ModelManifest) -> StepError {
    let ModelManifest { name, version, .. } = model;
    let message = format!("the data set of {name}@{version} has no sealed rows");
    let hint = "write `training_data.sealed_from: DATE` into its strategy and train it again, not \
                with --folds nor with an --end before that date";
    StepError::permanent(codes::MODEL_NOT_SEALED, message, hint)
}
