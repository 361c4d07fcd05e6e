//! The table of a sweep.

use schemas::codes;
use schemas::ids::OperationId;
use schemas::queries::ModelSummary;
use schemas::sweep::{MODEL, TRAININGS};
use serde_json::{Value, json};
use statistics::{BLOCKS_MAX, BLOCKS_MIN, Moments, Overfitting};

use super::edge::SweepEdge;
use super::results::{CombinationResult, MEAN_ERROR, SweepResults, SweptTraining, summarise};
use crate::commands::models::list::read_models;
use crate::console::{Exit, Failure, Output, count_of};
use crate::context::Context;
use crate::watch::fill_results;

/// Kind of the operations that make a version.
const TRAIN: &str = "train";

/// Shows what the sweep came to so far.
///
/// # Errors
/// The operation is not there or is no sweep, or its models cannot be read.
pub(super) async fn show(context: &Context, op: &OperationId) -> Result<SweepResults, Failure> {
    let bus = context.bus().await?;
    let stored = bus.operations().get(op).await?;
    let parent = stored.ok_or_else(|| Failure::no_operation(op))?.record;
    let model = match (parent.labels.get(MODEL), parent.labels.get(TRAININGS)) {
        (Some(model), Some(_)) => model.clone(),
        _ => return Err(no_sweep(op)),
    };

    let mut children = bus.operations().children(&parent).await?;
    for child in &mut children {
        fill_results(context, child).await;
    }
    let models: Vec<ModelSummary> = read_models(Some(&model), context).await?;
    let children = children.iter().filter(|child| child.kind == TRAIN);
    let trainings = children.flat_map(|child| SweptTraining::all_of(child, &models));
    let trainings: Vec<SweptTraining> = trainings.collect();
    let results = summarise(&trainings);
    print(&context.output, op, &model, &results);
    Ok(results)
}

fn no_sweep(op: &OperationId) -> Failure {
    let message = format!("{op} is no sweep of trainings");
    Failure::new(Exit::Usage, codes::OPS_INVALID, message).with_hint(
        "`ktrdr ops --kind family` lists sweeps among others; `ktrdr train STRATEGY --sweep \
         KEY=VALUES` starts one",
    )
}

fn print(output: &Output, op: &OperationId, model: &str, results: &SweepResults) {
    output.json(&results_json(op, model, results));

    let heads = ["COMBINATION", "TRAINED", "VALIDATION", "BEST"];
    let rows: Vec<Vec<String>> = results.combinations.iter().map(row_of).collect();
    output.table(&heads, &rows);
    let figure = match results.figure {
        MEAN_ERROR => "mean error of returns",
        _ => "plain loss",
    };
    output.note(&format!(
        "VALIDATION: {figure} as mean ± deviation, the lower the better; BEST: the version of \
         {model} with the lowest"
    ));

    let open = results.trainings - results.trained;
    if open > 0 {
        let open = count_of(open, "training");
        output.note(&format!(
            "{open} made no version, so this is not all; `ktrdr ops --parent {op}` shows their \
             states, `ktrdr resume {op}` goes on with what failed or was cancelled"
        ));
    }
    if let Some(chosen) = results
        .combinations
        .first()
        .filter(|first| first.trained > 0)
    {
        print_chosen(output, model, chosen, results);
    }
}

/// The test figures of the best on validation alone: those of the others would tempt to choose by
/// them.
fn print_chosen(output: &Output, model: &str, chosen: &CombinationResult, results: &SweepResults) {
    let name = match chosen.combination.as_str() {
        "" => "the strategy as it is",
        combination => combination,
    };
    if let Some(test) = chosen.test {
        let rival = chosen.test_rival.map_or_else(String::new, |rival| {
            format!(", the simplest rival {}", describe(Some(rival)))
        });
        let text = format!(
            "best on validation: {name}; on test {}{rival}",
            describe(Some(test))
        );
        output.sentence(&text);
    }

    if results.combinations.len() > 1 {
        output.note(&format!(
            "warning: the best of {} looks better than it is{}",
            count_of(results.combinations.len(), "combination"),
            describe_overfitting(results)
        ));
    }
    print_edge(output, results);
    if let Some(version) = chosen.best {
        output.note(&format!(
            "hint: `ktrdr models show {model}@{version}` shows the best of its versions"
        ));
    }
}

/// Whether the chosen version has an edge, and what its Sharpe ratio is worth as the best of many.
fn print_edge(output: &Output, results: &SweepResults) {
    match &results.edge {
        None => output.note(
            "edge: not measured: an earlier version made the data set or the models; train again",
        ),
        Some(edge) => {
            output.sentence(&edge.sentence());
            if let Some(text) = edge.describe_deflated() {
                output.sentence(&text);
            }
        }
    }
}

fn describe_overfitting(results: &SweepResults) -> String {
    match results.overfitting {
        Some(Overfitting {
            probability,
            splits,
        }) => format!(
            "; probability of overfitting {:.0} % (CSCV over {}, {})",
            100.0 * probability,
            count_of(results.folds, "fold"),
            count_of(splits, "split")
        ),
        None if results.folds < BLOCKS_MIN => format!(
            "; --folds {BLOCKS_MIN}, or another even number up to {BLOCKS_MAX}, estimates the \
             probability of overfitting"
        ),
        None => "; the probability of overfitting needs every fold of every combination, and an \
                 even number of folds"
            .to_owned(),
    }
}

fn row_of(result: &CombinationResult) -> Vec<String> {
    let name = match result.combination.as_str() {
        "" => "as it is",
        combination => combination,
    };

    vec![
        name.to_owned(),
        format!("{}/{}", result.trained, result.trainings),
        describe(result.validation),
        result
            .best
            .map(|version| format!("@{version}"))
            .unwrap_or_default(),
    ]
}

/// `1.0412 ± 0.0031`; small figures, as errors of returns are, in powers of ten.
fn describe(moments: Option<Moments>) -> String {
    let Some(Moments { mean, deviation }) = moments else {
        return String::new();
    };
    let number = |value: f64| match mean.abs() < 0.01 {
        true => format!("{value:.2e}"),
        false => format!("{value:.4}"),
    };
    match deviation {
        Some(deviation) => format!("{} ± {}", number(mean), number(deviation)),
        None => number(mean),
    }
}

fn results_json(op: &OperationId, model: &str, results: &SweepResults) -> Value {
    let combinations: Vec<Value> = results.combinations.iter().map(combination_json).collect();
    let chosen = results.combinations.first();
    let overfitting = results.overfitting.map(
        |overfitting| json!({"probability": overfitting.probability, "splits": overfitting.splits}),
    );

    json!({
        "type": "sweep",
        "op": op,
        "model": model,
        "figure": results.figure,
        "trainings": results.trainings,
        "trained": results.trained,
        "failed": results.failed,
        "folds": results.folds,
        "combinations": combinations,
        "test_of_first": {
            "test": moments_json(chosen.and_then(|chosen| chosen.test)),
            "rival": moments_json(chosen.and_then(|chosen| chosen.test_rival)),
        },
        "overfitting": overfitting,
        "edge": results.edge.as_ref().map(SweepEdge::json),
    })
}

fn combination_json(result: &CombinationResult) -> Value {
    json!({
        "combination": result.combination,
        "trainings": result.trainings,
        "trained": result.trained,
        "validation": moments_json(result.validation),
        "best_version": result.best,
    })
}

fn moments_json(moments: Option<Moments>) -> Value {
    moments.map_or(
        Value::Null,
        |moments| json!({"mean": moments.mean, "deviation": moments.deviation}),
    )
}
