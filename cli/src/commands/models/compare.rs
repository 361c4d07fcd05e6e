//! `ktrdr models compare`: versions of models side by side, how their strategies differ, and
//! whether one is really better.

use std::path::Path;

use clap::Args;
use schemas::codes;
use schemas::edge::PartEdge;
use schemas::manifests::OutputKind;
use schemas::metrics::{KindMetrics, MetricsDocument, PartMetrics};
use schemas::names::{PARTS, TEST_PART, VALIDATION_PART};
use serde_json::json;
use similar::TextDiff;
use store::Store;

use super::edge::{edge_words, net_words, rank_ic_words};
use super::open_model::OpenModel;
use super::paired::{PairedLosses, TestLosses};
use super::registry::{join_symbols, open_store_to_read, summary_json};
use super::show::{StoredModel, read_model};
use super::show_data::describe_days;
use crate::console::{Exit, Failure, count_of, print_pairs};
use crate::context::Context;
use crate::inputs::models::{ModelArgs, describe_layers};
use crate::inputs::text_files::read_text;

/// Lines around a change of a strategy.
const DIFF_CONTEXT: usize = 1;

/// `ktrdr models compare`.
#[derive(Clone, Debug, Args)]
pub(super) struct CompareArgs {
    /// The model that the others are compared with: NAME, or NAME@3 for version 3
    first: String,
    /// Other models, or a strategy file to see what it changes, as in trend@4 or trend.yaml
    #[arg(required = true, value_name = "MODEL|FILE")]
    others: Vec<String>,
}

/// Compares the models.
///
/// # Errors
/// A model or file is missing, or the store cannot be read.
pub(super) async fn run(args: &CompareArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store_to_read(context).await?;
    let first = read_one(&store, &args.first, context).await?;

    let mut models = Vec::new();
    let mut files = Vec::new();
    for other in &args.others {
        if is_file(other) {
            files.push((other.clone(), read_file(other, context)?));
        } else {
            models.push(read_one(&store, other, context).await?);
        }
    }

    if !models.is_empty() {
        let all: Vec<&StoredModel> = std::iter::once(&first).chain(&models).collect();
        show_side_by_side(&all, context);
        for other in &models {
            show_paired(&store, &first, other, context).await?;
        }
    }
    let strategies = models.iter().map(|other| {
        let strategy = other.model.lineage.strategy.clone();
        (other.title(), strategy)
    });
    for (name, text) in strategies.chain(files) {
        show_difference(&first, &name, &text, context);
    }
    Ok(Exit::Done)
}

fn is_file(text: &str) -> bool {
    let ending = Path::new(text).extension();
    ending.is_some_and(|ending| ending == "yaml" || ending == "yml")
}

fn read_file(file: &str, context: &Context) -> Result<String, Failure> {
    read_text(&context.working_directory.join(file)).map_err(|error| {
        let message = format!("`{file}` cannot be read");
        Failure {
            causes: vec![error.to_string()],
            ..Failure::new(Exit::NotFound, codes::STRATEGY_UNREADABLE, message)
        }
        .with_hint("name a strategy file, or a model without an ending")
    })
}

async fn read_one(store: &Store, text: &str, context: &Context) -> Result<StoredModel, Failure> {
    let args = ModelArgs {
        model: text.to_owned(),
    };
    read_model(store, &args, context).await
}

/// A line for each fact, a column for each model.
fn show_side_by_side(models: &[&StoredModel], context: &Context) {
    let output = &context.output;
    let facts: Vec<Vec<(&str, String)>> = models.iter().map(|model| facts_of(model)).collect();
    let names = facts.first().into_iter().flatten().map(|(name, _)| *name);

    let mut rows = Vec::new();
    for (position, name) in names.enumerate() {
        let mut row = vec![name.to_owned()];
        for model in &facts {
            row.push(
                model
                    .get(position)
                    .map(|fact| fact.1.clone())
                    .unwrap_or_default(),
            );
        }
        rows.push(row);
    }

    for model in models {
        let mut value = summary_json(&model.summary());
        if let Some(fields) = value.as_object_mut() {
            fields.insert("evaluation".to_owned(), json!(model.document));
        }
        output.json(&value);
    }
    let titles: Vec<String> = models.iter().map(|model| model.title()).collect();
    let mut heads = vec![""];
    heads.extend(titles.iter().map(String::as_str));
    output.table(&heads, &rows);
}

/// What is compared of a model, always in this order.
fn facts_of(stored: &StoredModel) -> Vec<(&'static str, String)> {
    let lineage = &stored.model.lineage;
    let symbols = join_symbols(&lineage.symbols);
    let mut facts = vec![
        (
            "trained on",
            format!("{symbols} {}", lineage.timeframes.join(", ")),
        ),
        ("network", describe_layers(&stored.artifact.network)),
        (
            "features",
            stored.artifact.network.features.len().to_string(),
        ),
        ("seed", lineage.seed.to_string()),
    ];

    let data_set = stored.data_set.as_ref();
    for part in PARTS {
        let days = data_set.and_then(|data_set| describe_days(data_set, part));
        facts.push((part, days.unwrap_or_default()));
    }

    let document = stored.document.as_ref();
    let part = |name: &str| document.and_then(|document| document.parts.get(name));
    facts.extend(figures_of(part(VALIDATION_PART)).map(|(name, text)| (name.validation, text)));
    facts.extend(figures_of(part(TEST_PART)).map(|(name, text)| (name.test, text)));
    facts.extend(edge_facts(document));
    let epochs =
        document.map(|document| format!("{}, best {}", document.epochs, document.best_epoch));
    facts.push(("epochs", epochs.unwrap_or_default()));
    facts
}

/// Whether predictions and decisions are worth anything on the held-out parts.
fn edge_facts(document: Option<&MetricsDocument>) -> [(&'static str, String); 4] {
    let report = document.and_then(|document| document.evaluation.edge.as_ref());
    let part = |name: &str| report.and_then(|report| report.parts.get(name));
    let validation = part(VALIDATION_PART);
    let test = part(TEST_PART);

    [
        ("validation rank IC", words_of(validation, rank_ic_words)),
        ("test rank IC", words_of(test, rank_ic_words)),
        ("test edge", words_of(test, edge_words)),
        ("test net", words_of(test, net_words)),
    ]
}

fn words_of(edge: Option<&PartEdge>, words: fn(&PartEdge) -> String) -> String {
    edge.map_or_else(|| "not measured".to_owned(), words)
}

/// The name of a figure in each part.
struct FigureTitle {
    validation: &'static str,
    test: &'static str,
}

/// Loss, what the simplest rival reaches, and the rate of right answers.
fn figures_of(part: Option<&PartMetrics>) -> [(FigureTitle, String); 3] {
    let (loss, rival, right) = match part.map(|part| (part, &part.kind)) {
        None => Default::default(),
        Some((part, KindMetrics::Classes(metrics))) => (
            format!("{:.4}", part.loss),
            metrics
                .skill
                .as_ref()
                .map(|skill| format!("{:.4}", skill.prior_loss)),
            Some(format!("{:.1} %", 100.0 * metrics.accuracy)),
        ),
        Some((_, KindMetrics::Regression(metrics))) => (
            format!("{:.3e}", metrics.mse),
            Some(format!("{:.3e}", metrics.baseline_mse)),
            metrics
                .directional_accuracy
                .map(|share| format!("{:.1} %", 100.0 * share)),
        ),
    };

    let title = |validation, test| FigureTitle { validation, test };
    [
        (title("validation loss", "test loss"), loss),
        (title("its rival", "its rival"), rival.unwrap_or_default()),
        (title("right", "right"), right.unwrap_or_default()),
    ]
}

/// Says whether `other` has lower losses than `first` on the rows that both were tested on.
async fn show_paired(
    store: &Store,
    first: &StoredModel,
    other: &StoredModel,
    context: &Context,
) -> Result<(), Failure> {
    let names = (first.title(), other.title());
    let text = match compare_losses(store, first, other).await? {
        Some(paired) => {
            context
                .output
                .json(&paired_json(&names.0, &names.1, &paired));
            describe_paired(&names.0, &names.1, &paired, &first.artifact.network.output)
        }
        None => format!(
            "{} and {} cannot be compared row by row: they answer different questions, or the \
             store has the data set of one no more",
            names.0, names.1
        ),
    };

    print_pairs(&context.output, &[("row by row".to_owned(), text)]);
    Ok(())
}

async fn compare_losses(
    store: &Store,
    first: &StoredModel,
    other: &StoredModel,
) -> Result<Option<PairedLosses>, Failure> {
    let (Some(data_set), Some(other_data_set)) = (&first.data_set, &other.data_set) else {
        return Ok(None);
    };
    let model = OpenModel::read(store, &first.title()).await?;
    let losses = TestLosses::read(store, &model, data_set).await?;
    let other_model = OpenModel::read(store, &other.title()).await?;
    let other_losses = TestLosses::read(store, &other_model, other_data_set).await?;
    Ok(losses.compare(&other_losses))
}

fn paired_json(first: &str, other: &str, paired: &PairedLosses) -> serde_json::Value {
    json!({
        "type": "paired",
        "first": first,
        "other": other,
        "rows": paired.rows,
        "block_rows": paired.block_rows,
        "difference": paired.difference,
    })
}

fn describe_paired(first: &str, other: &str, paired: &PairedLosses, output: &OutputKind) -> String {
    let rows = format!(
        "{} that both were tested on with equal labels",
        count_of(paired.rows, "row")
    );
    let Some(difference) = paired.difference else {
        return format!("{other} and {first} share too few rows to be told apart: {rows}");
    };

    let what = match output {
        OutputKind::Classes { .. } => "log loss",
        OutputKind::Regression => "squared error",
    };
    let verdict = if difference.high < 0.0 {
        format!("{other} is better than {first}")
    } else if difference.low > 0.0 {
        format!("{other} is worse than {first}")
    } else {
        format!("{other} and {first} cannot be told apart")
    };
    format!(
        "{verdict}: its {what} differs by {:+.3e} [{:+.3e}, {:+.3e}], 95 % of 1000 draws of \
         {rows}, in blocks of {}",
        difference.value, difference.low, difference.high, paired.block_rows
    )
}

/// Shows the lines in which a strategy differs from that of `first`.
fn show_difference(first: &StoredModel, name: &str, text: &str, context: &Context) {
    let ours = &first.model.lineage.strategy;
    let difference = TextDiff::from_lines(ours.as_str(), text)
        .unified_diff()
        .context_radius(DIFF_CONTEXT)
        .header(&first.title(), name)
        .to_string();

    context.output.json(&json!({
        "type": "strategy_difference", "first": first.title(), "other": name,
        "difference": difference,
    }));
    if difference.is_empty() {
        let text = format!("those of {} and {name} are equal", first.title());
        print_pairs(&context.output, &[("strategies".to_owned(), text)]);
    } else {
        context.output.line(difference.trim_end());
    }
}
