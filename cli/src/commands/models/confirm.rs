//! `ktrdr models confirm`: opens the sealed rows of a version, once, and shows what came out.

use clap::Args;
use market::Utc;
use schemas::codes;
use schemas::commands::ConfirmModel;
use schemas::manifests::{Confirmation, Opening};
use schemas::metrics::{MetricsDocument, PartMetrics, Uncertainty};
use schemas::names::{SEALED_PART, TEST_PART, VALIDATION_PART};
use schemas::requests::Confirming;
use serde_json::{Value, json};
use store::Store;

use super::decisions::describe_counts;
use super::report::tables::{PartFigure, figures_of};
use super::sealed::{SealedPeriod, describe_opening, opening_json};
use super::show::{StoredModel, read_model};
use crate::arguments::RunArgs;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::models::ModelArgs;
use crate::inputs::stored_series::open_existing_store;
use crate::watch::start;

/// `ktrdr models confirm`.
#[derive(Clone, Debug, Args)]
pub(super) struct ConfirmArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Measure it although another candidate was measured on this period; every record says so
    #[arg(long)]
    again: bool,
    /// How to run the operation.
    #[command(flatten)]
    run: RunArgs,
}

/// Confirms the version, or shows what came out when that was done before.
///
/// # Errors
/// There is no such version, nothing is sealed for it, another candidate was measured on the
/// period, or the operation fails.
pub(super) async fn run(args: &ConfirmArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let stored = read_model(&store, &args.model, context).await?;
    let sealed = stored.sealed.as_ref().ok_or_else(|| not_sealed(&stored))?;

    // What came out once is never computed again.
    if let Some(confirmed) = Confirmed::of(sealed) {
        confirmed.print(&stored, true, context);
        return Ok(Exit::Done);
    }

    let command = ConfirmModel {
        name: stored.model.name.clone(),
        version: stored.model.version,
        again: args.again,
    };
    let operation = Confirming { command }.operation();
    let exit = start(context, operation, &args.run).await?;
    if exit != Exit::Done || args.run.detach || args.run.dry_run {
        return Ok(exit);
    }
    print_outcome(&store, &stored, context).await
}

/// Prints what an operation that has ended has stored.
async fn print_outcome(
    store: &Store,
    stored: &StoredModel,
    context: &Context,
) -> Result<Exit, Failure> {
    let artifact = &stored.model.artifact;
    let sealed = SealedPeriod::read(store, artifact, stored.data_set.as_ref()).await?;

    match sealed.as_ref().and_then(Confirmed::of) {
        Some(confirmed) => {
            confirmed.print(stored, false, context);
            Ok(Exit::Done)
        }
        None => Err(not_sealed(stored)),
    }
}

fn not_sealed(stored: &StoredModel) -> Failure {
    let message = format!("the data set of {} has no sealed rows", stored.title());
    Failure::new(Exit::Refused, codes::MODEL_NOT_SEALED, message).with_hint(
        "write `training_data.sealed_from: DATE` into its strategy and train it again, not with \
         --folds nor with an --end before that date",
    )
}

/// A period that was opened for a version, and measured.
struct Confirmed<'a> {
    period: &'a SealedPeriod,
    opening: &'a Opening,
    outcome: &'a Confirmation,
}

impl<'a> Confirmed<'a> {
    fn of(period: &'a SealedPeriod) -> Option<Self> {
        Some(Self {
            period,
            opening: period.opening.as_ref()?,
            outcome: period.outcome.as_ref()?,
        })
    }

    /// Prints the figures beside those of the validation and the test part.
    fn print(&self, stored: &StoredModel, is_repeated: bool, context: &Context) {
        let output = &context.output;
        output.json(&self.json(stored, is_repeated));

        if is_repeated {
            let text = format!(
                "{} was confirmed before: nothing was opened or computed again",
                stored.title()
            );
            output.sentence(&text);
        }
        output.sentence(&format!(
            "{}: opened {}",
            stored.title(),
            describe_opening(self.opening)
        ));
        output.line("");
        output.table(&["", "VALIDATION", "TEST", "SEALED"], &self.rows(stored));
        output.line("");
        let decisions = describe_counts(&self.outcome.decisions);
        output.sentence(&format!("Decisions: {decisions}"));
        output.sentence(&self.period.verdict(self.outcome));
    }

    /// A row for each figure.
    fn rows(&self, stored: &StoredModel) -> Vec<Vec<String>> {
        let document = stored.document.as_ref();
        let part = |name| document.and_then(|document: &MetricsDocument| document.parts.get(name));
        let of_test = document.and_then(|it| it.evaluation.uncertainty.as_ref());
        let of_sealed = self.outcome.uncertainty.as_ref();

        let validation = cells_of(part(VALIDATION_PART), None);
        let test = cells_of(part(TEST_PART), of_test);
        let mut rows = Vec::new();
        for (row, figure) in figures_of(&self.outcome.figures).iter().enumerate() {
            let cell = |cells: &[String]| cells.get(row).cloned().unwrap_or_default();
            let sealed = cell_of(figure, of_sealed);
            rows.push(vec![
                figure.label.to_owned(),
                cell(&validation),
                cell(&test),
                sealed,
            ]);
        }
        rows
    }

    fn json(&self, stored: &StoredModel, is_repeated: bool) -> Value {
        let document = stored.document.as_ref();
        let part = |name: &str| document.and_then(|document| document.parts.get(name));

        json!({
            "type": "confirmation",
            "model": stored.model.name,
            "version": stored.model.version,
            "artifact": stored.model.artifact,
            "is_repeated": is_repeated,
            "opened": opening_json(self.opening),
            "period": {
                "from": Utc(self.opening.from).to_string(),
                "first": Utc(self.opening.range.first).to_string(),
                "last": Utc(self.opening.range.last).to_string(),
            },
            "parts": {
                VALIDATION_PART: part(VALIDATION_PART),
                TEST_PART: part(TEST_PART),
                SEALED_PART: self.outcome.figures,
            },
            "uncertainty": self.outcome.uncertainty,
            "groups": self.outcome.groups,
            "decisions": self.outcome.decisions,
            "verdict": self.period.verdict(self.outcome),
            "measured_at": Utc(self.outcome.at).to_string(),
        })
    }
}

fn cells_of(part: Option<&PartMetrics>, uncertainty: Option<&Uncertainty>) -> Vec<String> {
    let figures = part.map(figures_of).unwrap_or_default();
    let cells = figures.iter().map(|figure| cell_of(figure, uncertainty));
    cells.collect()
}

/// `43.2 % [38.0 %, 48.0 %]`.
fn cell_of(figure: &PartFigure, uncertainty: Option<&Uncertainty>) -> String {
    let Some(value) = figure.value else {
        return String::new();
    };
    let text = (figure.text)(value);
    match uncertainty.and_then(|all| all.intervals.get(figure.name)) {
        None => text,
        Some(interval) => {
            let low = (figure.text)(interval.low);
            let high = (figure.text)(interval.high);
            format!("{text} [{low}, {high}]")
        }
    }
}
