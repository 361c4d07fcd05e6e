//! `ktrdr models`: list, show, and predict with a stored model, without any service and without libtorch.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use market::{Calendar, Instrument, Timeframe, Utc, close_times};
use schemas::manifests::{ArtifactManifest, ModelManifest, OutputKind};
use serde_json::json;
use store::files::{Expected, Mapping, parse_name, read_path};
use store::{ALL_TIME, Cells, Store, Table};
use strategies::{FeatureMatrix, Overrides, Resolved, Signal, Strategy, SymbolBars, features};

use crate::context::Context;
use crate::data::{end, instant, instrument, key, no_data, open_store};
use crate::exit::{Exit, Failure};
use crate::train::TrainArgs;

/// The file of an artifact that holds the weights.
const WEIGHTS: &str = "model.safetensors";

/// `ktrdr models …`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Train a model: the same as `ktrdr train`
    Train(Box<TrainArgs>),
    /// List every version of every model
    List,
    /// Show one version: where it came from, how good it is, what it computes
    Show(ModelArgs),
    /// Predict on bars of the store or of files
    Predict(PredictArgs),
}

/// One version of a model.
#[derive(Clone, Debug, Args)]
pub struct ModelArgs {
    /// NAME for the newest version, NAME@3 for version 3, NAME@production for an alias
    pub model: String,
}

/// `ktrdr models predict`.
#[derive(Clone, Debug, Args)]
pub struct PredictArgs {
    /// Which.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Files called SYMBOL_TIMEFRAME.csv (or .csv.gz, .parquet), one a timeframe; without it the stored bars
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub bars: Vec<PathBuf>,
    /// Symbol of the stored bars; without it the one the model was trained on
    #[arg(long, short, value_parser = instrument, conflicts_with = "bars")]
    pub symbol: Option<Instrument>,
    /// Provider of the stored bars
    #[arg(long, default_value = "file")]
    pub provider: String,
    /// First decision: a date or an instant
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    pub start: Option<Timestamp>,
    /// Last date, included; or an instant, excluded
    #[arg(long, value_name = "WHEN", value_parser = end)]
    pub end: Option<Timestamp>,
    /// Write all predictions to a .csv or .parquet file; without it the last ten are shown
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub async fn run(command: &ModelsCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        ModelsCommand::Train(args) => crate::train::run(args, context).await,
        ModelsCommand::List => list(context).await,
        ModelsCommand::Show(args) => show(args, context).await,
        ModelsCommand::Predict(args) => predict(args, context).await,
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let models = open_store(context).await?.list_models().await?;
    for model in &models {
        context.output.json(&summary(model));
    }
    if models.is_empty() {
        context.output.note(&format!("there is no model in {}", context.store_url()));
        context.output.note("hint: `ktrdr train STRATEGY` makes one");
    } else {
        let rows: Vec<Vec<String>> = models.iter().map(row).collect();
        context.output.table(&["MODEL", "SYMBOLS", "TIMEFRAMES", "CREATED", "ACCURACY"], &rows);
    }
    Ok(Exit::Done)
}

fn row(model: &ModelManifest) -> Vec<String> {
    let accuracy = ["accuracy", "directional_accuracy"].iter().find_map(|name| model.metrics.get(*name));
    vec![
        format!("{}@{}", model.name, model.version),
        model.lineage.symbols.join(", "),
        model.lineage.timeframes.join(", "),
        Utc(model.created_at).to_string(),
        accuracy.map(|value| format!("{value:.4}")).unwrap_or_default(),
    ]
}

fn summary(model: &ModelManifest) -> serde_json::Value {
    json!({
        "type": "model",
        "name": model.name,
        "version": model.version,
        "artifact": model.artifact,
        "operation": model.operation,
        "symbols": model.lineage.symbols,
        "timeframes": model.lineage.timeframes,
        "created_at": Utc(model.created_at).to_string(),
        "metrics": model.metrics,
    })
}

/// The version that `NAME`, `NAME@3` or `NAME@alias` means.
async fn find(store: &Store, text: &str) -> Result<ModelManifest, Failure> {
    let (name, version) = match text.split_once('@') {
        None => (text, None),
        Some((name, label)) => match label.parse::<u32>() {
            Ok(number) => (name, Some(number)),
            Err(_) => {
                let alias = store.alias(name, label).await?.ok_or_else(|| unknown(text))?;
                (name, Some(alias.version))
            }
        },
    };
    store.model(name, version).await?.ok_or_else(|| unknown(text))
}

fn unknown(text: &str) -> Failure {
    Failure::new(Exit::NotFound, "MODEL-NotFound", format!("there is no model `{text}`"))
        .with_hint("`ktrdr models list` shows the models that stand")
}

async fn show(args: &ModelArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store(context).await?;
    let model = find(&store, &args.model).await?;
    let artifact = store.artifact_manifest(&model.artifact).await?;
    let mut all = summary(&model);
    all["lineage"] = serde_json::to_value(&model.lineage).unwrap_or_default();
    all["network"] = serde_json::to_value(&artifact.network).unwrap_or_default();
    all["training"] = artifact.training.clone();
    context.output.json(&all);
    for (name, text) in described(&model, &artifact) {
        context.output.line(&format!("{name:<12} {text}"));
    }
    Ok(Exit::Done)
}

fn described(model: &ModelManifest, artifact: &ArtifactManifest) -> Vec<(&'static str, String)> {
    let widths: Vec<String> = artifact.network.widths().iter().map(ToString::to_string).collect();
    let metrics: Vec<String> = model.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    let features: Vec<&str> = artifact.network.features.iter().map(|feature| feature.name.as_str()).collect();
    vec![
        ("model", format!("{}@{}", model.name, model.version)),
        ("registered", format!("{} by {}", Utc(model.created_at), model.operation)),
        ("trained on", format!("{} [{}]", model.lineage.symbols.join(", "), model.lineage.timeframes.join(", "))),
        ("test part", metrics.join(", ")),
        ("network", widths.join(" → ")),
        ("features", features.join(", ")),
        ("data set", format!("datasets/{}", model.lineage.dataset)),
        ("artifact", format!("artifacts/{}", model.artifact)),
        ("seed", model.lineage.seed.to_string()),
    ]
}

async fn predict(args: &PredictArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store(context).await?;
    let model = find(&store, &args.model.model).await?;
    let artifact = store.read_artifact(&model.artifact).await?;
    let resolved = resolved(&model, &artifact.manifest)?;
    let (symbol, bars) =
        if args.bars.is_empty() { stored(args, &store, &model, &resolved).await? } else { from_files(args, context)? };
    let network = &artifact.manifest.network;
    let weights = artifact.files.get(WEIGHTS).ok_or_else(|| {
        let message = format!("the artifact {} holds no {WEIGHTS}", model.artifact);
        Failure::new(Exit::Failed, "MODEL-Incomplete", message)
    })?;
    let forward = inference::Model::from_safetensors(network, weights)?;
    let matrix = features(&resolved, &bars, &network.features)?;
    let rows: Vec<&[f32]> = matrix.values.chunks_exact(matrix.width.max(1)).collect();
    let predictions = forward.predict(&rows)?;
    let within = |time: Utc| {
        args.start.is_none_or(|start| time >= Utc::from_timestamp(start))
            && args.end.is_none_or(|end| time < Utc::from_timestamp(end))
    };
    let kept: Vec<usize> =
        (0..predictions.len()).filter(|row| matrix.decision_time.get(*row).is_some_and(|time| within(*time))).collect();
    let made = Predictions { symbol, resolved: &resolved, matrix: &matrix, predictions: &predictions, kept: &kept };
    write(&made, args, context, &format!("{}@{}", model.name, model.version))
}

/// What was predicted, row by row.
struct Predictions<'a> {
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
            OutputKind::Classes { names } => names.iter().map(|name| format!("p_{}", name.to_lowercase())).collect(),
            OutputKind::Regression => vec!["forward_return".to_owned()],
        }
    }

    fn outputs(&self, row: usize) -> Vec<f64> {
        self.predictions.get(row).map(|row| row.iter().map(|value| f64::from(*value)).collect()).unwrap_or_default()
    }

    fn signal(&self, row: usize) -> &'static str {
        match self.resolved.decisions.signal(&self.outputs(row)) {
            Signal::Buy => "BUY",
            Signal::Hold => "HOLD",
            Signal::Sell => "SELL",
        }
    }

    fn times(&self, times: &[Utc]) -> Vec<i64> {
        self.kept.iter().filter_map(|row| times.get(*row)).map(|time| time.0).collect()
    }

    fn table(&self) -> Table {
        let mut table = Table::default()
            .with("symbol", Cells::Text(vec![self.symbol.id(); self.kept.len()]))
            .with("open_time", Cells::Time(self.times(&self.matrix.open_time)))
            .with("decision_time", Cells::Time(self.times(&self.matrix.decision_time)));
        for (position, name) in self.columns().into_iter().enumerate() {
            let column = self.kept.iter().map(|row| self.outputs(*row).get(position).copied().unwrap_or(f64::NAN));
            table = table.with(name, Cells::Number(column.collect()));
        }
        table.with("signal", Cells::Text(self.kept.iter().map(|row| self.signal(*row).to_owned()).collect()))
    }
}

fn write(made: &Predictions<'_>, args: &PredictArgs, context: &Context, name: &str) -> Result<Exit, Failure> {
    let output = &context.output;
    let count = made.kept.len();
    if let Some(file) = &args.out {
        made.table().write(&context.working_directory.join(file))?;
        output.json(
            &json!({"type": "predictions", "model": name, "symbol": made.symbol.id(), "rows": count, "file": file}),
        );
        output.line(&format!(
            "{count} predictions of {name} on {} written to {}",
            made.symbol.symbol(),
            file.display()
        ));
        return Ok(Exit::Done);
    }
    let columns = made.columns();
    let mut rows = Vec::new();
    let time = |times: &[Utc], row: usize| times.get(row).map(ToString::to_string).unwrap_or_default();
    for &row in made.kept.iter().skip(count.saturating_sub(10)) {
        let decision = time(&made.matrix.decision_time, row);
        let outputs = made.outputs(row);
        output.json(&json!({
            "type": "prediction",
            "model": name,
            "decision_time": decision,
            "outputs": columns.iter().zip(&outputs).collect::<std::collections::BTreeMap<_, _>>(),
            "signal": made.signal(row),
        }));
        let numbers = outputs.iter().map(|value| format!("{value:.4}"));
        rows.push(std::iter::once(decision).chain(numbers).chain([made.signal(row).to_owned()]).collect());
    }
    let heads = std::iter::once("DECISION".to_owned()).chain(columns.iter().map(|name| name.to_uppercase()));
    let heads: Vec<String> = heads.chain(["SIGNAL".to_owned()]).collect();
    output.table(&heads.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
    Ok(Exit::Done)
}

/// The strategy as the model was trained with it: as written, or with the timeframes of the request, whichever gives the
/// columns of the network.
fn resolved(model: &ModelManifest, artifact: &ArtifactManifest) -> Result<Resolved, Failure> {
    let strategy = Strategy::parse(&model.lineage.strategy)?;
    let trained: Vec<Timeframe> = model.lineage.timeframes.iter().filter_map(|text| text.parse().ok()).collect();
    let requested = Overrides { timeframes: Some(trained), ..Overrides::default() };
    let fits = |resolved: &Resolved| {
        let wanted = artifact.network.features.iter().map(|column| &column.name);
        wanted.eq(resolved.features.iter().map(|feature| &feature.name))
    };
    let plain = strategy.resolve(&Overrides::default());
    match plain {
        Ok(resolved) if fits(&resolved) => Ok(resolved),
        _ => Ok(strategy.resolve(&requested)?),
    }
}

async fn stored(
    args: &PredictArgs,
    store: &Store,
    model: &ModelManifest,
    resolved: &Resolved,
) -> Result<(Instrument, SymbolBars), Failure> {
    let trained_on = model.lineage.symbols.first().and_then(|text| Instrument::parse(text).ok());
    let symbol = args.symbol.clone().or(trained_on).ok_or_else(|| {
        Failure::new(Exit::Usage, "MODEL-NoSymbol", "the model names no symbol").with_hint("name one with --symbol")
    })?;
    let mut bars = SymbolBars::new();
    for timeframe in &resolved.timeframes {
        let key = key(&args.provider, &symbol, *timeframe)?;
        let snapshot = store.snapshot(&key, None).await?.ok_or_else(|| no_data(&symbol, *timeframe))?;
        bars.insert(*timeframe, store.bars(&snapshot, ALL_TIME).await?);
    }
    Ok((symbol, bars))
}

/// Bars of one symbol from files whose names say symbol and timeframe; rows without prices are left out.
fn from_files(args: &PredictArgs, context: &Context) -> Result<(Instrument, SymbolBars), Failure> {
    let mut symbol: Option<Instrument> = None;
    let mut bars = SymbolBars::new();
    for file in &args.bars {
        let refused = |text: String| {
            Failure::new(Exit::Usage, "DATA-Unnamed", text)
                .with_hint("call files of bars SYMBOL_TIMEFRAME.csv, as in EURUSD_1h.csv")
        };
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (instrument, timeframe) =
            parse_name(name).ok_or_else(|| refused(format!("`{name}` does not say symbol and timeframe")))?;
        if symbol.as_ref().is_some_and(|symbol| *symbol != instrument) {
            return Err(refused(format!("`{name}` is of another symbol than the files before it")));
        }
        let key = key(&args.provider, &instrument, timeframe)?;
        let expected = Expected { instrument: instrument.clone(), timeframe, day_boundary: key.day_boundary };
        let read = read_path(&context.working_directory.join(file), &Mapping::default(), &expected)?;
        let mut raw = store::RawBars::default();
        read.bars.iter().filter(|bar| bar.prices.iter().all(|price| price.is_finite())).for_each(|bar| raw.push(bar));
        let raw = raw.sorted();
        let known = close_times(Calendar::for_key(&key), &key, &raw.open_time)
            .map_err(|error| Failure::of(Exit::Failed, "DATA-Labels", &error).with_hint(error.hint()))?;
        bars.insert(timeframe, raw.with_close_times(known));
        symbol = Some(instrument);
    }
    symbol.map(|symbol| (symbol, bars)).ok_or_else(|| Failure::new(Exit::Usage, "DATA-Unnamed", "no file was given"))
}
