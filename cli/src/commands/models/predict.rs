//! `ktrdr models predict`: what a stored model says about each bar, without any service and without
//! libtorch.

use std::path::PathBuf;

use clap::Args;
use market::{Instrument, Utc};
use schemas::codes;
use schemas::errors::messages;
use schemas::manifests::{ArtifactManifest, ModelManifest, OutputKind};
use schemas::names::MODEL_FILE;
use serde_json::json;
use store::{Cells, Table};
use strategies::{FeatureMatrix, RequestError, Resolved, Signal, compute_features};

use super::bars;
use crate::arguments::RangeArgs;
use crate::arguments::values::parse_instrument;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::bar_files::NamedFile;
use crate::inputs::models::{ModelArgs, find_model};
use crate::inputs::stored_series::open_store;

/// Predictions on the screen.
const SHOWN: usize = 10;

/// `ktrdr models predict`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PredictArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Files of bars instead of the stored ones, one a timeframe: EURUSD:1h=FILE, or FILE alone if
    /// its name says both, as in EURUSD_1h.csv
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = NamedFile::parse)]
    pub(crate) bars: Vec<NamedFile>,
    /// IANA zone of times in these files that carry none, as in America/New_York
    #[arg(long, requires = "bars")]
    pub(crate) zone: Option<String>,
    /// Symbol of the stored bars; without it the one the model was trained on
    #[arg(long, value_parser = parse_instrument, conflicts_with = "bars")]
    pub(crate) symbol: Option<Instrument>,
    /// Provider of the stored bars
    #[arg(long, default_value = "file")]
    pub(crate) provider: String,
    /// Which decisions.
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Write all predictions to a .csv or .parquet file, or as CSV to standard output with `-`;
    /// without it the last ten are shown
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The model or its bars are missing or cannot be used.
pub(crate) async fn run(args: &PredictArgs, context: &Context) -> Result<Exit, Failure> {
    if context.output.json && to_stdout(args) {
        let message = "standard output cannot take both CSV and JSON lines";
        return Err(Failure::new(Exit::Usage, "MODEL-Output", message)
            .with_hint("give --out a file, or leave --json out"));
    }
    let store = open_store(context).await?;
    let model = find_model(&store, &args.model.model).await?;
    let artifact = store.artifacts().read(&model.artifact).await?;
    let resolved = resolved(&model, &artifact.manifest)?;
    let (symbol, series) = bars::read(args, context, &store, &model, &resolved).await?;
    let network = &artifact.manifest.network;
    let weights = artifact.files.get(MODEL_FILE).ok_or_else(|| {
        let message = format!("the artifact {} holds no {MODEL_FILE}", model.artifact);
        Failure::new(Exit::Failed, "MODEL-Incomplete", message).with_hint("train the model again")
    })?;
    let forward = networks::Model::from_safetensors(network, weights)?;
    let matrix = compute_features(&resolved, &series, &network.features)?;
    let rows: Vec<&[f32]> = matrix.values.chunks_exact(matrix.width.max(1)).collect();
    let predictions = forward.predict(&rows)?;
    let within = |row: &usize| {
        matrix
            .known_at
            .get(*row)
            .is_some_and(|time| args.range.times().contains(time))
    };
    let kept: Vec<usize> = (0..predictions.len()).filter(within).collect();
    let name = format!("{}@{}", model.name, model.version);
    write(
        &Predictions {
            name,
            symbol,
            resolved: &resolved,
            matrix: &matrix,
            predictions: &predictions,
            kept: &kept,
        },
        args,
        context,
    )
}

fn to_stdout(args: &PredictArgs) -> bool {
    args.out
        .as_ref()
        .is_some_and(|file| file.as_os_str() == "-")
}

/// What was predicted, row by row.
struct Predictions<'a> {
    name: String,
    symbol: Instrument,
    resolved: &'a Resolved,
    matrix: &'a FeatureMatrix,
    predictions: &'a [Vec<f32>],
    kept: &'a [usize],
}

impl Predictions<'_> {
    /// One column per output, with the signal.
    fn columns(&self) -> Vec<String> {
        match self.resolved.output() {
            OutputKind::Classes { names } => names
                .iter()
                .map(|name| format!("p_{}", name.to_lowercase()))
                .collect(),
            OutputKind::Regression => vec!["forward_return".to_owned()],
        }
    }

    fn outputs(&self, row: usize) -> Vec<f64> {
        self.predictions
            .get(row)
            .map(|row| row.iter().map(|value| f64::from(*value)).collect())
            .unwrap_or_default()
    }

    fn signal(&self, row: usize) -> &'static str {
        match self.resolved.decisions.signal(&self.outputs(row)) {
            Signal::Buy => "BUY",
            Signal::Hold => "HOLD",
            Signal::Sell => "SELL",
        }
    }

    fn times(&self, times: &[Utc]) -> Vec<i64> {
        self.kept
            .iter()
            .filter_map(|row| times.get(*row))
            .map(|time| time.0)
            .collect()
    }

    fn table(&self) -> Table {
        let mut table = Table::default()
            .with(
                "symbol",
                Cells::Text(vec![self.symbol.id(); self.kept.len()]),
            )
            .with("open_time", Cells::Time(self.times(&self.matrix.open_time)))
            .with(
                "decision_time",
                Cells::Time(self.times(&self.matrix.known_at)),
            );
        for (position, name) in self.columns().into_iter().enumerate() {
            let column = self.kept.iter().map(|row| {
                self.outputs(*row)
                    .get(position)
                    .copied()
                    .unwrap_or(f64::NAN)
            });
            table = table.with(name, Cells::Number(column.collect()));
        }
        table.with(
            "signal",
            Cells::Text(
                self.kept
                    .iter()
                    .map(|row| self.signal(*row).to_owned())
                    .collect(),
            ),
        )
    }
}

fn write(made: &Predictions<'_>, args: &PredictArgs, context: &Context) -> Result<Exit, Failure> {
    let (output, count, name) = (&context.output, made.kept.len(), &made.name);
    let FeatureMatrix {
        warm_up, undefined, ..
    } = made.matrix;
    let symbol = made.symbol.symbol();
    let told = format!(
        "{count} predictions of {name} on {symbol}; left out: {warm_up} bars of warm-up, {undefined} with undefined features"
    );
    let mut facts = json!({
        "type": "predictions", "model": name, "symbol": made.symbol.id(), "rows": count, "warm_up": warm_up,
        "undefined": undefined,
    });
    match &args.out {
        Some(_) if to_stdout(args) => {
            let csv = made.table().to_csv()?;
            output.line(String::from_utf8_lossy(&csv).trim_end());
            output.note(&told);
        }
        Some(file) => {
            made.table().write(&context.working_directory.join(file))?;
            if let Some(facts) = facts.as_object_mut() {
                facts.insert("file".to_owned(), json!(file));
            }
            output.json(&facts);
            output.line(&format!("{told}; written to {}", file.display()));
        }
        None => {
            screen(made, context);
            output.json(&facts);
            output.note(&told);
        }
    }
    Ok(Exit::Done)
}

/// The last predictions.
fn screen(made: &Predictions<'_>, context: &Context) {
    let columns = made.columns();
    let mut rows = Vec::new();
    let time =
        |times: &[Utc], row: usize| times.get(row).map(ToString::to_string).unwrap_or_default();
    for &row in made.kept.iter().skip(made.kept.len().saturating_sub(SHOWN)) {
        let (open, decision) = (
            time(&made.matrix.open_time, row),
            time(&made.matrix.known_at, row),
        );
        let outputs = made.outputs(row);
        context.output.json(&json!({
            "type": "prediction",
            "model": made.name,
            "open_time": open,
            "decision_time": decision,
            "outputs": columns.iter().zip(&outputs).collect::<std::collections::BTreeMap<_, _>>(),
            "signal": made.signal(row),
        }));
        let numbers = outputs.iter().map(|value| format!("{value:.4}"));
        rows.push(
            [open, decision]
                .into_iter()
                .chain(numbers)
                .chain([made.signal(row).to_owned()])
                .collect(),
        );
    }
    let heads = ["OPENS", "DECISION"].map(str::to_owned).into_iter();
    let heads: Vec<String> = heads
        .chain(columns.iter().map(|name| name.to_uppercase()))
        .chain(["SIGNAL".to_owned()])
        .collect();
    context
        .output
        .table(&heads.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
}

/// The strategy as the model was trained with it.
fn resolved(model: &ModelManifest, artifact: &ArtifactManifest) -> Result<Resolved, Failure> {
    Resolved::from_lineage(&model.lineage, &artifact.network.features).map_err(|error| {
        let message = format!(
            "the strategy in {}@{} does not give the inputs of its network",
            model.name, model.version
        );
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
