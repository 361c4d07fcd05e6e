//! `ktrdr models predict`: the outputs of a model on stored bars or on bars of files, with the
//! signal of its strategy.

use std::time::Instant;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use market::{Instrument, Timeframe};
use schemas::codes;
use schemas::manifests::ModelManifest;
use store::Store;

use super::bars::read_model_bars;
use super::cost::Cost;
use super::open_model::OpenModel;
use super::prediction_set::PredictionSet;
use super::predictions::Choice;
use super::registry::open_store_to_read;
use super::trained_time::{PART_NAMES, SEALED, TrainedTime, no_parts};
use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::arguments::{OutFile, RangeArgs};
use crate::console::{Exit, Failure, require_other_file};
use crate::context::Context;
use crate::inputs::bar_files::NamedFile;
use crate::inputs::models::ModelArgs;

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
    /// Symbol of the stored bars; without it all that the model was trained on
    #[arg(long, value_parser = parse_instrument, conflicts_with = "bars")]
    pub(super) symbol: Option<Instrument>,
    /// Timeframe of the decisions, which is that of the model
    #[arg(long, short, value_parser = parse_timeframe)]
    timeframe: Option<Timeframe>,
    /// Provider of the stored bars
    #[arg(long, default_value = "file")]
    pub(super) provider: String,
    /// The range of predictions.
    #[command(flatten)]
    range: RangeArgs,
    /// Only decisions in the time of this part of the training; `later` is after all of them
    #[arg(long, value_parser = part_parser())]
    part: Option<String>,
    /// Show which rules made each prediction, and with what share; only for models with rules
    #[arg(long)]
    rules: bool,
    /// Say how long it took to read the bars, and to compute features and outputs
    #[arg(long)]
    cost: bool,
    /// How many predictions of the end are shown
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "out")]
    last: usize,
    /// Write all predictions to a .csv, .parquet or .arrow file, or as CSV to standard output with
    /// `-`; without it the last ones are shown, of several symbols some of each
    #[arg(long, value_name = "FILE", value_parser = OutFile::parser())]
    out: Option<OutFile>,
}

/// The parts, and the word of the sealed period, which is refused with the way on.
fn part_parser() -> PossibleValuesParser {
    let parts = PART_NAMES.map(PossibleValue::new).into_iter();
    PossibleValuesParser::new(parts.chain([PossibleValue::new(SEALED).hide(true)]))
}

/// Predicts, and shows or writes the predictions.
///
/// # Errors
/// The model or its bars are missing or cannot be used.
pub(super) async fn run(args: &PredictArgs, context: &Context) -> Result<Exit, Failure> {
    check_output(args, context)?;
    let store = open_store_to_read(context).await?;
    let model = OpenModel::read(&store, &args.model.model).await?;
    check_timeframe(args, &model)?;
    check_part(args, &model.manifest)?;
    let choice = choose_predictions(args, &store, &model.manifest).await?;

    let mut cost = Cost::default();
    let start = Instant::now();
    let bars = read_model_bars(args, context, &store, &model).await?;
    cost.add_reading(start);

    let mut symbols = Vec::with_capacity(bars.len());
    for bars in bars {
        let start = Instant::now();
        let count = bars.base_count(&model.resolved);
        symbols.push(model.predict_symbol(bars, &choice, args.rules)?);
        cost.add_symbol(count, start);
    }

    let predictions = PredictionSet {
        model: format!("{}@{}", model.manifest.name, model.manifest.version),
        output: model.resolved.output(),
        with_rules: args.rules,
        symbols,
    };
    match &args.out {
        Some(OutFile::Standard) => predictions.print_csv(context)?,
        Some(OutFile::File(file)) => predictions.write(file, context)?,
        None => predictions.show_last(args.last, context),
    }
    if args.cost {
        cost.show(&predictions.model, predictions.count(), context);
    }
    Ok(Exit::Done)
}

/// A model decides on the bars that it was trained on, and on no others.
fn check_timeframe(args: &PredictArgs, model: &OpenModel) -> Result<(), Failure> {
    let base = model.resolved.base;
    let Some(other) = args.timeframe.filter(|timeframe| *timeframe != base) else {
        return Ok(());
    };

    let name = &model.manifest.name;
    let message = format!("{name} decides on bars of {base}, and not on those of {other}");
    Err(
        Failure::new(Exit::Usage, codes::MODEL_BARS, message).with_hint(format!(
            "leave --timeframe out; `ktrdr train {name} --timeframe {other}` trains one that does"
        )),
    )
}

/// The sealed period is no part to look at: it is measured once, and on record.
fn check_part(args: &PredictArgs, model: &ModelManifest) -> Result<(), Failure> {
    if args.part.as_deref() != Some(SEALED) {
        return Ok(());
    }

    let ModelManifest { name, version, .. } = model;
    let message = "the sealed period is no part that predictions are chosen by";
    let hint = format!(
        "`ktrdr models confirm {name}@{version}` measures the version on it, once; --start DATE \
         predicts on any bars, and marks those of the period"
    );
    Err(Failure::new(Exit::Refused, codes::MODEL_SEALED, message).with_hint(hint))
}

/// Which predictions `args` asks for. Without the data set of the training no part is known.
async fn choose_predictions(
    args: &PredictArgs,
    store: &Store,
    model: &ModelManifest,
) -> Result<Choice, Failure> {
    let trained = TrainedTime::read(store, model).await?;
    if trained.is_none() && args.part.is_some() {
        return Err(no_parts(model));
    }

    Ok(Choice {
        times: args.range.times(),
        part: args.part.clone(),
        trained: trained.unwrap_or_default(),
    })
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
