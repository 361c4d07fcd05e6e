//! `ktrdr models show NAME --analytics`: each epoch of the training in detail.

use schemas::manifests::OutputKind;
use schemas::names::ANALYTICS_FILE;
use serde_json::{Map, Value, json};
use store::Store;

use super::show::StoredModel;
use super::show_tables::{not_stored, short_number};
use crate::console::Failure;
use crate::context::Context;

/// The figures of a class, as columns and JSON call them.
const CLASS_FIGURES: [&str; 4] = ["precision", "recall", "f1", "predicted_share"];
/// What the heads of the table mean.
const NOTES: [&str; 2] = [
    "GRADIENT is the mean norm over batches before clipping, WEIGHTS the norm of all",
    "F1 and decisions are those of the validation part; --json has all figures",
];
/// The decisions, as columns and JSON call them.
const DECISIONS: [&str; 3] = ["BUY", "HOLD", "SELL"];

/// Prints the analytics of each epoch: a short table, or in JSON every figure.
///
/// # Errors
/// None are stored, or they cannot be read.
pub(super) async fn print_analytics(
    store: &Store,
    stored: &StoredModel,
    context: &Context,
) -> Result<(), Failure> {
    let names = column_names(stored);
    let StoredModel {
        model, artifact, ..
    } = stored;
    let artifacts = store.artifacts();
    let columns = artifacts.columns(&model.artifact, artifact, ANALYTICS_FILE, &names);
    let columns = columns.await?;
    let epochs = columns.first().map_or(0, Vec::len);
    if epochs == 0 {
        return Err(not_stored(stored, "analytics").with_hint(
            "they are stored by a training with --detailed-analytics, or with \
             training.detailed_analytics: true in the strategy",
        ));
    }

    let mut rows = Vec::new();
    for epoch in 0..epochs {
        let figures = names.iter().zip(&columns);
        let figures = figures.filter_map(|(name, column)| Some((name, *column.get(epoch)?)));
        let epoch = Epoch {
            number: epoch + 1,
            figures: figures.collect(),
        };
        context.output.json(&epoch.json());
        rows.push(epoch.cells(&class_names(stored)));
    }
    let heads = heads_of(&class_names(stored));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    context.output.table(&heads, &rows);
    for note in NOTES {
        context.output.note(note);
    }
    Ok(())
}

fn class_names(stored: &StoredModel) -> Vec<String> {
    match &stored.artifact.network.output {
        OutputKind::Classes { names } => names.clone(),
        OutputKind::Regression => Vec::new(),
    }
}

/// The columns of the file, as `docs/metrics.md` lists them.
fn column_names(stored: &StoredModel) -> Vec<String> {
    let mut names = ["learning_rate", "gradient_norm_mean", "gradient_norm_max"]
        .map(str::to_owned)
        .to_vec();
    let tensors = stored.artifact.network.tensors().into_iter();
    names.extend(tensors.map(|tensor| format!("weight_norm.{}", tensor.name)));

    for class in class_names(stored) {
        names.extend(CLASS_FIGURES.map(|figure| format!("{figure}.{class}")));
    }
    names.extend(DECISIONS.map(|decision| format!("decided.{decision}")));
    names
}

fn heads_of(classes: &[String]) -> Vec<String> {
    let mut heads = ["EPOCH", "RATE", "GRADIENT", "WEIGHTS"]
        .map(str::to_owned)
        .to_vec();
    heads.extend(classes.iter().map(|class| format!("F1 {class}")));
    heads.extend(DECISIONS.map(str::to_owned));
    heads
}

/// One epoch with the figures that are stored of it.
struct Epoch<'a> {
    /// Counts from 1.
    number: usize,
    /// By the names of their columns.
    figures: Vec<(&'a String, f64)>,
}

impl Epoch<'_> {
    fn figure(&self, name: &str) -> f64 {
        let mut figures = self.figures.iter();
        let figure = figures.find(|figure| figure.0 == name);
        figure.map_or(f64::NAN, |figure| figure.1)
    }

    /// The norm of all weights, from those of the tensors.
    fn weight_norm(&self) -> f64 {
        let figures = self.figures.iter();
        let norms = figures.filter(|figure| figure.0.starts_with("weight_norm."));
        norms.map(|norm| norm.1 * norm.1).sum::<f64>().sqrt()
    }

    fn cells(&self, classes: &[String]) -> Vec<String> {
        let mut cells = vec![
            self.number.to_string(),
            short_number(self.figure("learning_rate")),
            format!("{:.4}", self.figure("gradient_norm_mean")),
            format!("{:.4}", self.weight_norm()),
        ];

        let rates = classes
            .iter()
            .map(|class| self.figure(&format!("f1.{class}")));
        cells.extend(rates.map(|rate| format!("{rate:.4}")));
        let shares = DECISIONS.map(|decision| self.figure(&format!("decided.{decision}")));
        cells.extend(shares.map(|share| format!("{:.0} %", 100.0 * share)));
        cells
    }

    /// Every figure by the name of its column.
    fn json(&self) -> Value {
        let figures = self.figures.iter();
        let figures = figures.map(|figure| (figure.0.clone(), json!(figure.1)));
        json!({
            "type": "epoch_analytics",
            "epoch": self.number,
            "figures": figures.collect::<Map<String, Value>>(),
        })
    }
}
