//! `ktrdr models predict`: the outputs of a model on stored bars or on bars of files, with the
//! signal of its strategy.

use std::collections::BTreeMap;

use clap::Args;
use market::Instrument;
use networks::tsk::Contribution;
use schemas::codes;
use schemas::errors::messages;
use schemas::manifests::{ArtifactManifest, ModelManifest};
use schemas::names::MODEL_FILE;
use store::Artifact;
use strategies::{FeatureMatrix, RequestError, Resolved, compute_features};

use super::bars::read_model_bars;
use super::predictions::{FiredRules, Predictions, WindowOutputs};
use super::rules::rule_shape;
use crate::arguments::values::parse_instrument;
use crate::arguments::{OutFile, RangeArgs};
use crate::console::{Exit, Failure, require_other_file};
use crate::context::Context;
use crate::inputs::bar_files::NamedFile;
use crate::inputs::models::{ModelArgs, find_model};
use crate::inputs::stored_series::open_existing_store;

/// `ktrdr models predict`.
#[derive(Clone, Debug, Args)]
pub(super) struct PredictArgs {
    /// The model to predict with.
    #[command(flatten)]
    model: ModelArgs,
    /// Files of bars instead of the stored ones, one for each timeframe: EURUSD:1h=FILE, or FILE
    /// alone if its name contains both, as in EURUSD_1h.csv
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = NamedFile::parse)]
    pub(super) bars: Vec<NamedFile>,
    /// IANA zone of times without a zone in these files, as in America/New_York
    #[arg(long, requires = "bars")]
    pub(super) zone: Option<String>,
    /// Symbol of the stored bars; without it the one that the model was trained on
    #[arg(long, value_parser = parse_instrument, conflicts_with = "bars")]
    pub(super) symbol: Option<Instrument>,
    /// Provider of the stored bars
    #[arg(long, default_value = "file")]
    pub(super) provider: String,
    /// The range of predictions.
    #[command(flatten)]
    range: RangeArgs,
    /// Show which rules made each prediction, and with what share; only for models with rules
    #[arg(long)]
    rules: bool,
    /// Write all predictions to a .csv or .parquet file, or as CSV to standard output with `-`;
    /// without it the last ten are shown
    #[arg(long, value_name = "FILE", value_parser = OutFile::parser())]
    out: Option<OutFile>,
}

/// Predicts, and shows or writes the predictions.
///
/// # Errors
/// The model or its bars are missing or cannot be used.
pub(super) async fn run(args: &PredictArgs, context: &Context) -> Result<Exit, Failure> {
    check_output(args, context)?;

    let store = open_existing_store(context).await?;
    let model = find_model(&store, &args.model.model).await?;
    let artifact = store.artifacts().read(&model.artifact).await?;
    let network = &artifact.manifest.network;
    let forward = open_network(&model, &artifact)?;

    // The features are computed as in the training, from the strategy that the model was trained
    // with.
    let mut resolved = resolve_strategy(&model, &artifact.manifest)?;
    let chosen = artifact.manifest.confidence_threshold;
    resolved.decisions = resolved.decisions.with_chosen(chosen);
    let bars = read_model_bars(args, context, &store, &model, &resolved).await?;
    let matrix = compute_features(&resolved, &bars.series, &network.features)?;
    let outputs = predict_windows(&forward, &matrix)?;
    let firing = if args.rules {
        let shape = rule_shape(&model, network)?;
        let fired = fired_rules(&forward, &matrix, &outputs)?;
        Some(FiredRules {
            count: shape.base.rules.len(),
            by_row: fired,
        })
    } else {
        None
    };

    let predictions = Predictions::new(
        format!("{}@{}", model.name, model.version),
        bars.symbol,
        &resolved,
        &matrix,
        &outputs,
        args.range.times(),
    )
    .with_rules(firing);
    match &args.out {
        Some(OutFile::Standard) => predictions.print_csv(context)?,
        Some(OutFile::File(file)) => predictions.write(file, context)?,
        None => predictions.show_last(context),
    }
    Ok(Exit::Done)
}

/// The outputs of each row that ends a window of consecutive bars; for a network that reads single
/// rows that is every row.
fn predict_windows(
    model: &networks::Model,
    matrix: &FeatureMatrix,
) -> Result<WindowOutputs, Failure> {
    let length = model.network().architecture.sequence_length();
    let windows = matrix.windows(length);
    let inputs = windows.last_rows.iter();
    let inputs: Vec<&[f32]> = inputs.map(|row| matrix.window(*row, length)).collect();

    let predictions = model.predict(&inputs)?;
    Ok(WindowOutputs {
        length,
        by_row: windows.last_rows.into_iter().zip(predictions).collect(),
    })
}

/// The rules that made each prediction, strongest first.
fn fired_rules(
    model: &networks::Model,
    matrix: &FeatureMatrix,
    outputs: &WindowOutputs,
) -> Result<BTreeMap<usize, Vec<Contribution>>, Failure> {
    let mut fired = BTreeMap::new();
    for row in outputs.by_row.keys() {
        fired.insert(*row, model.contributions(matrix.window(*row, 1))?);
    }
    Ok(fired)
}

/// Refuses an output that would mix with another, or replace the bars.
fn check_output(args: &PredictArgs, context: &Context) -> Result<(), Failure> {
    if context.output.json && args.out == Some(OutFile::Standard) {
        let message = "standard output cannot take both CSV and JSON lines";
        return Err(Failure::new(Exit::Usage, codes::MODEL_OUTPUT, message)
            .with_hint("give --out a file, or leave --json out"));
    }

    let Some(out) = &args.out else {
        return Ok(());
    };
    let files = args.bars.iter().map(|named| named.file.as_path());
    require_other_file(out, files, &context.working_directory)
}

/// The network of an artifact with its weights.
///
/// # Errors
/// The artifact holds none, or others than its manifest says.
pub(super) fn open_network(
    model: &ModelManifest,
    artifact: &Artifact,
) -> Result<networks::Model, Failure> {
    let weights = weights_of(model, artifact)?;
    Ok(networks::Model::from_safetensors(
        &artifact.manifest.network,
        weights,
    )?)
}

fn weights_of<'a>(model: &ModelManifest, artifact: &'a Artifact) -> Result<&'a [u8], Failure> {
    match artifact.files.get(MODEL_FILE) {
        Some(weights) => Ok(weights),
        None => {
            let message = format!("the artifact {} holds no {MODEL_FILE}", model.artifact);
            Err(Failure::new(Exit::Failed, codes::MODEL_INCOMPLETE, message)
                .with_hint("train the model again"))
        }
    }
}

/// The strategy as the model was trained with it.
fn resolve_strategy(
    model: &ModelManifest,
    artifact: &ArtifactManifest,
) -> Result<Resolved, Failure> {
    Resolved::from_lineage(&model.lineage, &artifact.network.features).map_err(|error| {
        let message = format!(
            "the strategy in {}@{} does not give the inputs of its network",
            model.name, model.version
        );
        // The message says already that the columns differ.
        let causes = match &error {
            RequestError::Columns => Vec::new(),
            cause => messages(cause),
        };

        Failure {
            causes,
            ..Failure::new(Exit::Failed, codes::MODEL_FEATURES, message)
        }
        .with_hint("it was trained by another version of the program: train it again")
    })
}
