//! `ktrdr train`: a strategy file, checked here first, becomes an operation of five steps.

use clap::Args;
use jiff::Timestamp;
use market::{Instrument, Timeframe, Utc};
use schemas::commands::{FetchBars, FetchMode, TrainRequest};
use schemas::ids::Lane;
use schemas::requests::Training;
use strategies::{Overrides, Resolved, Strategy};

use super::train_result;
use crate::arguments::values::{parse_end, parse_instant, parse_instrument, parse_timeframe};
use crate::arguments::{FetchModeArg, RunArgs, join_names, series_requests};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::strategy_files::{find_strategy, in_file};
use crate::watch::start;

/// `ktrdr train`.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// A strategy file, or the name of one in $KTRDR_STRATEGIES or strategies/catalog
    pub(crate) strategy: String,
    /// Symbols instead of the strategy's
    #[arg(long, value_delimiter = ',', value_parser = parse_instrument)]
    pub(crate) symbols: Option<Vec<Instrument>>,
    /// Timeframes instead of the strategy's
    #[arg(long, value_delimiter = ',', value_parser = parse_timeframe)]
    pub(crate) timeframes: Option<Vec<Timeframe>>,
    /// First bar instead of the strategy's: a date or an instant
    #[arg(long, visible_alias = "start-date", value_name = "WHEN", value_parser = parse_instant)]
    pub(crate) start: Option<Timestamp>,
    /// Last date, included, instead of the strategy's; or an instant, excluded
    #[arg(long, visible_alias = "end-date", value_name = "WHEN", value_parser = parse_end)]
    pub(crate) end: Option<Timestamp>,
    /// Where validation begins instead of by the strategy's split, as in `ktrdr strategies folds`:
    /// a date or an instant
    #[arg(long, value_name = "WHEN", value_parser = parse_instant, requires = "test_start")]
    pub(crate) validation_start: Option<Timestamp>,
    /// Where the test begins instead of by the strategy's split: a date or an instant
    #[arg(long, value_name = "WHEN", value_parser = parse_instant, requires = "validation_start")]
    pub(crate) test_start: Option<Timestamp>,
    /// Passes over the training part instead of the strategy's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) epochs: Option<u32>,
    /// Seed instead of the strategy's
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Learning rate instead of the strategy's
    #[arg(long)]
    pub(crate) learning_rate: Option<f64>,
    /// Rows a step instead of the strategy's
    #[arg(long)]
    pub(crate) batch_size: Option<u32>,
    /// Name of the model instead of the strategy's
    #[arg(long, value_parser = model_name)]
    pub(crate) model: Option<String>,
    /// Which bars to fetch first
    #[arg(long, value_enum, default_value = "local")]
    pub(crate) data_mode: FetchModeArg,
    /// Whom to ask for bars
    #[arg(long, default_value = "file")]
    pub(crate) provider: String,
    /// Only on a worker with a GPU; without it any trainer, those with a GPU first
    #[arg(long)]
    pub(crate) gpu: bool,
    /// How to run it.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Runs the command.
///
/// # Errors
/// The strategy is wrong, or the operation cannot be submitted or fails.
pub(crate) async fn run(args: &TrainArgs, context: &Context) -> Result<Exit, Failure> {
    let (path, text) = find_strategy(&args.strategy, context)?;
    let strategy = Strategy::parse(&text).map_err(|findings| in_file(&path, findings.into()))?;
    for warning in strategy.warnings.iter() {
        context.output.note(&warning.to_string());
    }
    let overrides = overrides(args);
    let resolved = strategy.resolve(&overrides).map_err(|findings| {
        let hint = "change the flag named after `request.`, or the strategy";
        in_file(&path, Failure::from(findings).with_hint(hint))
    })?;
    let training = training(args, text, &overrides, &resolved)?;
    let model = args.model.as_deref().unwrap_or(&resolved.name);
    let bars = match training.fetch.mode {
        FetchMode::Local => "as stored".to_owned(),
        _ => format!("fetched from `{}` where missing", args.provider),
    };
    context
        .output
        .note(&format!("Strategy {} ({})", resolved.name, path.display()));
    context
        .output
        .note(&train_result::parameters(&resolved, model, &bars));
    start(context, training.operation(), &args.run).await
}

/// A name that the registry will accept, so that a training does not fail in its last step.
fn model_name(text: &str) -> Result<String, String> {
    if strategies::is_name(text) {
        return Ok(text.to_owned());
    }
    Err("use 1 to 64 of a-z, 0-9, _ and -, a letter or digit first".to_owned())
}

fn overrides(args: &TrainArgs) -> Overrides {
    Overrides {
        symbols: args.symbols.clone(),
        timeframes: args.timeframes.clone(),
        start: args.start.map(Utc::from_timestamp),
        end: args.end.map(Utc::from_timestamp),
        validation_start: args.validation_start.map(Utc::from_timestamp),
        test_start: args.test_start.map(Utc::from_timestamp),
        epochs: args.epochs,
        seed: args.seed,
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
    }
}

fn training(
    args: &TrainArgs,
    text: String,
    overrides: &Overrides,
    resolved: &Resolved,
) -> Result<Training, Failure> {
    let overrides = serde_json::to_value(overrides)
        .map_err(|error| Failure::of(Exit::Usage, "STRATEGY-Overrides", &error))?;
    let names = |words: Vec<String>| join_names(words.into_iter());
    let labels = [
        ("strategy", resolved.name.clone()),
        (
            "symbol",
            names(resolved.symbols.iter().map(Instrument::symbol).collect()),
        ),
        (
            "timeframe",
            names(
                resolved
                    .timeframes
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
        ),
        (
            "model",
            args.model.clone().unwrap_or_else(|| resolved.name.clone()),
        ),
    ];
    Ok(Training {
        request: TrainRequest {
            strategy: text,
            overrides,
            model: args.model.clone(),
        },
        fetch: FetchBars {
            provider: args.provider.clone(),
            series: series_requests(&resolved.symbols, &resolved.timeframes),
            mode: args.data_mode.into(),
            start: resolved.start.map(Utc::timestamp),
            end: resolved.end.map(Utc::timestamp),
            refetch: false,
        },
        lane: if args.gpu { Lane::Gpu } else { Lane::Default },
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser as _;
    use schemas::ids::OperationId;
    use schemas::operation::{OperationRecord, result_bytes_max};
    use strategies::Split;

    use super::*;
    use crate::inputs::strategy_files::find_in;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArgs,
    }

    fn args(text: &str) -> TrainArgs {
        Line::try_parse_from(text.split(' ')).unwrap().train
    }

    #[test]
    fn what_the_flags_change_is_in_the_request_and_in_what_is_fetched() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let args = args(
            "train eurusd_rsi_macd --symbols GBPUSD --start 2015-01-01 --end 2015-12-31 --epochs 3 --gpu",
        );
        let (_, text) = find_in(&args.strategy, here, None).unwrap();
        let overrides = overrides(&args);
        let resolved = Strategy::parse(&text).unwrap().resolve(&overrides).unwrap();
        let training = training(&args, text, &overrides, &resolved).unwrap();
        assert_eq!(training.lane, Lane::Gpu);
        assert_eq!(training.request.overrides["epochs"], 3);
        assert_eq!(training.fetch.series.len(), 1);
        assert_eq!(training.fetch.series[0].symbol, "fx:GBP.USD");
        // The last date is included: the end is the midnight after it.
        assert_eq!(
            training.fetch.end,
            Some("2016-01-01T00:00:00Z".parse().unwrap())
        );
        assert_eq!(training.labels["symbol"], "GBPUSD");
        assert_eq!(training.labels["model"], "eurusd_rsi_macd");
    }

    #[test]
    fn the_dates_of_a_fold_are_the_range_and_the_split_of_a_training() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fold = "--start 2015-01-01T00:00:00Z --validation-start 2016-06-01T05:00:00Z \
                    --test-start 2016-09-01T00:00:00Z --end 2017-01-01T00:00:00Z";
        let args = args(&format!(
            "train eurusd_rsi_macd {}",
            fold.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
        let (_, text) = find_in(&args.strategy, here, None).unwrap();
        // What a worker resolves is what the request says in JSON.
        let sent = serde_json::to_value(overrides(&args)).unwrap();
        let resolved = Strategy::parse(&text)
            .unwrap()
            .resolve(&serde_json::from_value(sent).unwrap())
            .unwrap();
        let at = |text: &str| Utc::from_timestamp(text.parse().unwrap());
        let (validation_start, test_start) =
            (at("2016-06-01T05:00:00Z"), at("2016-09-01T00:00:00Z"));
        assert_eq!(
            resolved.split,
            Split::Dates {
                validation_start,
                test_start
            }
        );
        let range = (
            Some(at("2015-01-01T00:00:00Z")),
            Some(at("2017-01-01T00:00:00Z")),
        );
        assert_eq!((resolved.start, resolved.end), range);
        for half in ["--validation-start 2016-06-01", "--test-start 2016-06-01"] {
            assert!(
                Line::try_parse_from(format!("train x {half}").split(' ')).is_err(),
                "{half} goes with the other"
            );
        }
    }

    #[test]
    fn the_longest_list_of_symbols_in_every_timeframe_is_a_request_whose_record_has_room_for_its_results()
     {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (_, text) = find_in("eurusd_rsi_macd", here, None).unwrap();
        // 256 symbols whose ids are as long as ids get, in the text and, as if they were changed,
        // in the request too.
        let symbols = |between: &str| {
            (0..256)
                .map(|n| format!("crypto:{n:017}USD"))
                .collect::<Vec<_>>()
                .join(between)
        };
        let timeframes = "list: [\"1m\", \"5m\", \"15m\", \"30m\", \"1h\", \"4h\", \"1d\", \"1w\"]";
        let text = text.replace(
            "single, symbol: EURUSD",
            &format!("multi_symbol, list: [{}]", symbols(", ")),
        );
        let text = text.replace(
            "single, timeframe: \"1h\"",
            &format!("multi_timeframe, {timeframes}"),
        );
        let dates = "--start 2014-01-01 --validation-start 2017-01-01 --test-start 2018-01-01 --end 2018-12-31";
        let args = args(&format!(
            "train eurusd_rsi_macd {dates} --symbols {}",
            symbols(",")
        ));
        let overrides = overrides(&args);
        let resolved = Strategy::parse(&text).unwrap().resolve(&overrides).unwrap();
        assert_eq!(
            Strategy::parse(&text).unwrap().data.symbols,
            resolved.symbols
        );
        let operation = training(&args, text, &overrides, &resolved).unwrap();
        assert_eq!(operation.fetch.series.len(), 2_048);
        let operation = operation.operation();
        let op = OperationId::new("train", Timestamp::UNIX_EPOCH, 7).unwrap();
        operation.validate(&op).unwrap();
        let mut record = OperationRecord::create(op, operation, Timestamp::UNIX_EPOCH);
        let largest = serde_json::json!("x".repeat(result_bytes_max(record.steps.len()) - 3));
        record
            .steps
            .iter_mut()
            .for_each(|step| step.result = largest.clone());
        schemas::codec::encode(&record).unwrap();
    }
}
