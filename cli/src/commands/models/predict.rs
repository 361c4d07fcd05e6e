//! `ktrdr models predict`: what a stored model says about each bar, without any service and without
//! libtorch.

use std::path::PathBuf;

use clap::Args;
use market::{Instrument, Timeframe, Utc};
use schemas::manifests::{ArtifactManifest, ModelManifest, OutputKind};
use serde_json::json;
use store::{Cells, Table};
use strategies::{FeatureMatrix, Overrides, Resolved, Signal, Strategy, compute_features};

use super::bars;
use crate::arguments::RangeArgs;
use crate::arguments::values::parse_instrument;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::bar_files::NamedFile;
use crate::inputs::models::{ModelArgs, find_model};
use crate::inputs::stored_series::open_store;

/// The file of an artifact that holds the weights.
const WEIGHTS: &str = "model.safetensors";
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
    let weights = artifact.files.get(WEIGHTS).ok_or_else(|| {
        let message = format!("the artifact {} holds no {WEIGHTS}", model.artifact);
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

/// The strategy as the model was trained with it. The lineage has the text and the timeframes of
/// the training, base first, but not the order in which a request listed them; the columns of the
/// network tell which order it was.
fn resolved(model: &ModelManifest, artifact: &ArtifactManifest) -> Result<Resolved, Failure> {
    let strategy = Strategy::parse(&model.lineage.strategy).map_err(|findings| {
        let cause = Failure::from(findings).message;
        Failure {
            causes: vec![cause],
            ..not_ours(model)
        }
    })?;
    let trained: Vec<Timeframe> = model
        .lineage
        .timeframes
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let columns = &artifact.network.features;
    let of_column = |name: &str| {
        trained
            .iter()
            .copied()
            .find(|timeframe| name.starts_with(&format!("{timeframe}_")))
    };
    let mut by_columns: Vec<Timeframe> = Vec::new();
    for timeframe in columns
        .iter()
        .filter_map(|column| of_column(&column.name))
        .chain(trained.iter().copied())
    {
        if !by_columns.contains(&timeframe) {
            by_columns.push(timeframe);
        }
    }
    let same = |resolved: &Resolved| {
        let names = resolved.features.iter().map(|feature| &feature.name);
        resolved.timeframes.first() == trained.first()
            && columns.iter().map(|column| &column.name).eq(names)
    };
    let orders = [None, Some(by_columns), Some(trained.clone())];
    let fitting = orders.into_iter().find_map(|timeframes| {
        strategy
            .resolve(&Overrides {
                timeframes,
                ..Overrides::default()
            })
            .ok()
            .filter(same)
    });
    fitting.ok_or_else(|| not_ours(model))
}

fn not_ours(model: &ModelManifest) -> Failure {
    let message = format!(
        "the strategy in {}@{} does not give the inputs of its network",
        model.name, model.version
    );
    Failure::new(Exit::Failed, "MODEL-Features", message)
        .with_hint("it was trained by another version of the program: train it again")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemas::manifests::{Lineage, Network};

    use super::*;

    const STRATEGY: &str = "name: two\nversion: \"1.0\"\n\
        training_data:\n  symbols: {mode: single, symbol: EURUSD}\n\
        \x20 timeframes: {mode: multi_timeframe, list: [\"1h\", \"4h\"], base_timeframe: \"1h\"}\n\
        indicators:\n  roc_1: {type: roc, period: 1}\n\
        fuzzy_sets: {}\n\
        nn_inputs:\n  - {raw_indicator: roc_1, timeframes: all}\n\
        model:\n  type: mlp\n  architecture: {hidden_layers: [1], activation: relu, dropout: 0.0}\n\
        decisions:\n  output_format: regression\n  cost_model: {round_trip_cost: 0.0001, min_edge_multiplier: 1.5}\n\
        training:\n  labels: {source: forward_return, horizon: 1}\n\
        \x20 data_split: {train: 0.7, validation: 0.15, test: 0.15}\n";

    /// What a training that was asked for `timeframes` leaves behind, as far as it matters here.
    fn trained(timeframes: Option<Vec<Timeframe>>) -> (ModelManifest, ArtifactManifest, Resolved) {
        let overrides = Overrides {
            timeframes,
            ..Overrides::default()
        };
        let resolved = Strategy::parse(STRATEGY)
            .unwrap()
            .resolve(&overrides)
            .unwrap();
        let network: Network = resolved.network(resolved.feature_columns());
        let lineage = Lineage {
            operation: "op".to_owned(),
            dataset: "d".to_owned(),
            series: BTreeMap::new(),
            strategy: STRATEGY.to_owned(),
            strategy_sha256: String::new(),
            seed: 1,
            symbols: vec!["fx:EUR.USD".to_owned()],
            timeframes: resolved
                .timeframes
                .iter()
                .map(ToString::to_string)
                .collect(),
            versions: BTreeMap::new(),
        };
        let model = ModelManifest {
            v: 1,
            name: "two".to_owned(),
            version: 1,
            artifact: "a".to_owned(),
            operation: "op".to_owned(),
            metrics: BTreeMap::new(),
            lineage: lineage.clone(),
            created_at: 0,
        };
        let training = serde_json::Value::Null;
        (
            model,
            ArtifactManifest {
                v: 1,
                files: BTreeMap::new(),
                network,
                lineage,
                training,
                created_at: 0,
            },
            resolved,
        )
    }

    #[test]
    fn a_model_gets_its_columns_back_whatever_order_of_timeframes_the_training_asked_for() {
        use Timeframe::{Day1, Hour1, Hour4};
        let asked = [
            None,
            Some(vec![Hour4, Hour1]),
            Some(vec![Hour4]),
            Some(vec![Day1, Hour1, Hour4]),
        ];
        for timeframes in asked {
            let (model, artifact, was) = trained(timeframes.clone());
            let found = resolved(&model, &artifact).unwrap();
            assert_eq!(
                (found.base, found.timeframes),
                (was.base, was.timeframes),
                "{timeframes:?}"
            );
            let names = |all: &[strategies::Feature]| {
                all.iter().map(|each| each.name.clone()).collect::<Vec<_>>()
            };
            assert_eq!(
                names(&found.features),
                names(&was.features),
                "{timeframes:?}"
            );
        }
    }

    #[test]
    fn a_network_with_other_inputs_than_its_strategy_is_refused() {
        let (model, mut artifact, _) = trained(None);
        artifact.network.features.pop();
        let failure = resolved(&model, &artifact).unwrap_err();
        assert_eq!(
            (failure.exit, failure.code.as_str()),
            (Exit::Failed, "MODEL-Features")
        );
    }
}
