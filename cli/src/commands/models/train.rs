//! `ktrdr train`: a strategy file, checked here first, becomes an operation of five steps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use market::{Instrument, Timeframe, Utc};
use schemas::codes;
use schemas::commands::{FetchBars, FetchMode, TrainRequest};
use schemas::ids::Lane;
use schemas::operation::NewOperation;
use schemas::requests::Training;
use serde_json::{Map, Value};
use strategies::{Overrides, Resolved, Strategy};

use super::sweep::{self, SweepArgs};
use crate::arguments::values::{
    parse_end, parse_instant, parse_instrument, parse_key_and_value, parse_timeframe,
};
use crate::arguments::{FetchModeArg, RunArgs, join_names, series_requests};
use crate::console::{Exit, Failure, Output, count_of, describe_settings, pair_lines};
use crate::context::Context;
use crate::inputs::strategy_files::{describe_split, find_strategy, in_file};
use crate::inputs::training_keys::{TRAINING_PREFIX, put_training_key};
use crate::watch::start;

/// `ktrdr train`.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Strategy file, or a name that `ktrdr strategies list` shows
    pub(super) strategy: String,
    /// Symbols instead of the strategy's, as in AAPL or AAPL,MSFT
    #[arg(value_name = "SYMBOL", value_parser = parse_symbols)]
    symbol: Option<Symbols>,
    /// Timeframes instead of the strategy's, as in 1h or 1h,4h
    #[arg(value_name = "TIMEFRAME", value_parser = parse_timeframes)]
    timeframe: Option<Timeframes>,
    /// The same as SYMBOL
    #[arg(
        long,
        alias = "symbol",
        value_delimiter = ',',
        value_parser = parse_instrument,
        conflicts_with = "symbol"
    )]
    symbols: Option<Vec<Instrument>>,
    /// The same as TIMEFRAME
    #[arg(
        long,
        short,
        alias = "timeframe",
        value_delimiter = ',',
        value_parser = parse_timeframe,
        conflicts_with = "timeframe"
    )]
    timeframes: Option<Vec<Timeframe>>,
    /// Start instead of the strategy's: a date or an instant, included
    #[arg(long, visible_alias = "start-date", value_name = "WHEN", value_parser = parse_instant)]
    start: Option<Timestamp>,
    /// End instead of the strategy's: a date, included, or an instant, excluded
    #[arg(long, visible_alias = "end-date", value_name = "WHEN", value_parser = parse_end)]
    end: Option<Timestamp>,
    /// Start of the validation part instead of the strategy's split, as `ktrdr strategies folds`
    /// lists it: a date or an instant
    #[arg(long, value_name = "WHEN", value_parser = parse_instant, requires = "test_start")]
    validation_start: Option<Timestamp>,
    /// Start of the test part instead of the strategy's split: a date or an instant
    #[arg(long, value_name = "WHEN", value_parser = parse_instant, requires = "validation_start")]
    test_start: Option<Timestamp>,
    /// Share of the rows that validate, as in 0.2, instead of the strategy's; the training part
    /// gives or takes the difference
    #[arg(long, value_name = "SHARE", conflicts_with = "validation_start")]
    validation_split: Option<f64>,
    /// Passes over the training part instead of the strategy's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: Option<u32>,
    /// Seed of all random choices instead of the strategy's
    #[arg(long)]
    seed: Option<u64>,
    /// Learning rate instead of the strategy's
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Rows per training step instead of the strategy's
    #[arg(long)]
    batch_size: Option<u32>,
    /// Store figures of every epoch, too; the weights are the same. The same as
    /// `--set training.detailed_analytics=true`
    #[arg(long)]
    detailed_analytics: bool,
    /// Another value of a key of the strategy's section `training`, as in training.optimizer=sgd or
    /// training.early_stopping.patience=8; or any setting, as in store.url=…; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_and_value)]
    set: Vec<(String, String)>,
    /// Name of the model instead of the strategy's; that of a sweep has the time of its start
    #[arg(long, value_parser = parse_model_name)]
    pub(super) model: Option<String>,
    /// Several trainings as one operation.
    #[command(flatten)]
    pub(super) sweep: SweepArgs,
    /// Bars to fetch before the training
    #[arg(long, value_enum, default_value = "local")]
    pub(super) data_mode: FetchModeArg,
    /// Provider to ask for bars
    #[arg(long, default_value = "file")]
    provider: String,
    /// Calendar of every series, if they are stored with another one than that of their instrument
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// Train on a GPU: the operation waits for a trainer of the lane gpu, which only a trainer with
    /// a GPU serves. Without it any trainer takes the operation, one with a GPU first
    #[arg(long)]
    gpu: bool,
    /// How to run the operation.
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// Symbols in one argument, between commas.
#[derive(Clone, Debug)]
struct Symbols(Vec<Instrument>);

/// Timeframes in one argument, between commas.
#[derive(Clone, Debug)]
struct Timeframes(Vec<Timeframe>);

fn parse_symbols(text: &str) -> Result<Symbols, String> {
    let symbols: Result<_, _> = text.split(',').map(parse_instrument).collect();
    symbols.map(Symbols)
}

fn parse_timeframes(text: &str) -> Result<Timeframes, String> {
    let timeframes: Result<_, _> = text.split(',').map(parse_timeframe).collect();
    timeframes.map(Timeframes)
}

/// Those after the strategy, or those of the flag.
fn symbols_of_args(args: &TrainArgs) -> Option<Vec<Instrument>> {
    let by_place = args.symbol.as_ref().map(|Symbols(symbols)| symbols);
    by_place.or(args.symbols.as_ref()).cloned()
}

fn timeframes_of_args(args: &TrainArgs) -> Option<Vec<Timeframe>> {
    let by_place = args.timeframe.as_ref();
    let by_place = by_place.map(|Timeframes(timeframes)| timeframes);
    by_place.or(args.timeframes.as_ref()).cloned()
}

/// Checks the strategy, shows what decides the training, and starts it.
///
/// # Errors
/// The strategy is wrong, or the operation cannot be submitted or fails.
pub(crate) async fn run(args: &TrainArgs, context: &Context) -> Result<Exit, Failure> {
    if args.sweep.is_several() {
        return sweep::run(args, context).await;
    }
    args.sweep.refuse_family_options()?;

    let checked = check(args, context)?;
    print_parameters(&context.output, &checked, args);
    start(context, checked.training.operation(), &args.run).await
}

/// The operation that the command would start.
///
/// # Errors
/// The strategy is wrong.
pub(crate) fn make_operations(
    args: &TrainArgs,
    context: &Context,
) -> Result<Vec<NewOperation>, Failure> {
    if args.sweep.is_several() {
        return sweep::make_operations(args, context);
    }

    Ok(vec![one_training(args, context)?])
}

/// The one request that the command would submit; of several trainings that of their family.
///
/// # Errors
/// The strategy is wrong.
pub(crate) fn make_request(args: &TrainArgs, context: &Context) -> Result<NewOperation, Failure> {
    if args.sweep.is_several() {
        return sweep::make_request(args, context);
    }
    one_training(args, context)
}

fn one_training(args: &TrainArgs, context: &Context) -> Result<NewOperation, Failure> {
    args.sweep.refuse_family_options()?;
    let mut operation = check(args, context)?.training.operation();
    args.run.mark(&mut operation);
    Ok(operation)
}

/// A training whose strategy has no fault.
struct CheckedTraining {
    path: PathBuf,
    resolved: Resolved,
    /// Neither the file nor a flag names the epochs.
    has_default_epochs: bool,
    training: Training,
}

fn check(args: &TrainArgs, context: &Context) -> Result<CheckedTraining, Failure> {
    let output = &context.output;
    let (path, text) = find_strategy(&args.strategy, context)?;
    let strategy = Strategy::parse(&text).map_err(|findings| in_file(&path, findings.into()))?;

    // Shown before the flags are applied: flags that are refused would hide the warnings.
    for warning in strategy.warnings.iter() {
        output.note(&warning.to_string());
    }

    let overrides = overrides_of(args);
    let resolved = strategy.resolve(&overrides).map_err(|findings| {
        let hint = "change the flag named after `request.`, or the strategy";
        in_file(&path, Failure::from(findings).with_hint(hint))
    })?;
    let model = model_name(args, &resolved);
    let training = training_request(args, text, model, &overrides, &resolved)?;
    Ok(CheckedTraining {
        path,
        resolved,
        has_default_epochs: args.epochs.is_none()
            && !overrides.training.contains_key("epochs")
            && !strategy.training.has_epochs,
        training,
    })
}

/// A name that the registry will accept, so that a training does not fail in its last step.
pub(super) fn parse_model_name(text: &str) -> Result<String, String> {
    if strategies::is_name(text) {
        return Ok(text.to_owned());
    }
    Err("use 1 to 64 of a-z, 0-9, _ and -, a letter or digit first".to_owned())
}

/// What the flags change in the strategy.
pub(super) fn overrides_of(args: &TrainArgs) -> Overrides {
    Overrides {
        symbols: symbols_of_args(args),
        timeframes: timeframes_of_args(args),
        start: args.start.map(Utc::from_timestamp),
        end: args.end.map(Utc::from_timestamp),
        validation_start: args.validation_start.map(Utc::from_timestamp),
        test_start: args.test_start.map(Utc::from_timestamp),
        validation_split: args.validation_split,
        epochs: args.epochs,
        seed: args.seed,
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        training: changes_of_section(args),
    }
}

/// The keys of the section that the flags change.
fn changes_of_section(args: &TrainArgs) -> Map<String, Value> {
    let mut changes = training_changes(&args.set);
    if args.detailed_analytics {
        changes.insert("detailed_analytics".to_owned(), Value::Bool(true));
    }
    changes
}

/// The keys of the section that are set; the others are settings of the program.
pub(super) fn training_changes(set: &[(String, String)]) -> Map<String, Value> {
    let mut changes = Map::new();
    for (key, text) in set {
        if let Some(key) = key.strip_prefix(TRAINING_PREFIX) {
            put_training_key(&mut changes, key, text);
        }
    }
    changes
}

/// A training of the strategy text, resolved with `overrides`, whose versions get the name `model`.
///
/// # Errors
/// A number of the overrides has no form in JSON.
pub(super) fn training_request(
    args: &TrainArgs,
    strategy: String,
    model: &str,
    overrides: &Overrides,
    resolved: &Resolved,
) -> Result<Training, Failure> {
    let overrides = serde_json::to_value(overrides).map_err(|error| {
        Failure::of(Exit::Usage, codes::STRATEGY_OVERRIDES, &error)
            .with_hint("give numbers that JSON can hold")
    })?;
    let request = TrainRequest {
        strategy,
        overrides,
        model: (model != resolved.name).then(|| model.to_owned()),
    };
    let fetch = FetchBars {
        provider: args.provider.clone(),
        series: series_requests(&resolved.symbols, &resolved.timeframes),
        mode: args.data_mode.into(),
        start: resolved.start.map(Utc::timestamp),
        end: resolved.end.map(Utc::timestamp),
        refetch: false,
        calendar: args.calendar.clone(),
        accept_finer: true,
        accept_stored: false,
    };

    // Labels are how people find the operation again.
    let labels = [
        ("strategy", resolved.name.clone()),
        ("symbol", join_names(symbols_of(resolved))),
        ("timeframe", join_names(timeframes_of(resolved))),
        ("model", model.to_owned()),
    ];
    Ok(Training {
        request,
        fetch,
        bundle: None,
        lane: if args.gpu { Lane::Gpu } else { Lane::Default },
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
    })
}

/// The name that the versions of a training get.
pub(super) fn model_name<'a>(args: &'a TrainArgs, resolved: &'a Resolved) -> &'a str {
    args.model.as_deref().unwrap_or(&resolved.name)
}

fn symbols_of(resolved: &Resolved) -> impl Iterator<Item = String> {
    resolved.symbols.iter().map(Instrument::symbol)
}

fn timeframes_of(resolved: &Resolved) -> impl Iterator<Item = String> {
    resolved.timeframes.iter().map(ToString::to_string)
}

/// Prints everything that decides the training, with the values that the file and the flags give:
/// one line each.
fn print_parameters(output: &Output, checked: &CheckedTraining, args: &TrainArgs) {
    let resolved = &checked.resolved;
    let mut lines = vec![
        ("symbols", join_all(symbols_of(resolved))),
        ("timeframes", join_all(timeframes_of(resolved))),
        ("bars", bars_line(resolved, args)),
        ("parts", describe_split(&resolved.split)),
        ("features", features_line(resolved)),
        ("training", training_line(checked)),
    ];
    lines.extend(describe_settings(&resolved.settings, &BTreeMap::new()));
    lines.push(("model", model_name(args, resolved).to_owned()));

    output.note(&format!(
        "Strategy {} ({})",
        resolved.name,
        checked.path.display()
    ));
    output.note(&pair_lines(&lines).join("\n"));
}

fn join_all(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn bars_line(resolved: &Resolved, args: &TrainArgs) -> String {
    let start = time_or(resolved.start, "the first");
    let end = time_or(resolved.end, "now");
    let origin = match FetchMode::from(args.data_mode) {
        FetchMode::Local => "as stored".to_owned(),
        _ => format!("fetched from `{}` where missing", args.provider),
    };
    let sealed = match resolved.sealed_start() {
        Some(from) => format!(", sealed from {from}"),
        None => String::new(),
    };
    format!("from {start} to before {end}{sealed}, {origin}")
}

fn time_or(time: Option<Utc>, open_end: &str) -> String {
    time.map_or_else(|| open_end.to_owned(), |time| time.to_string())
}

fn features_line(resolved: &Resolved) -> String {
    let columns = count_of(resolved.features.len(), "column");
    let indicators = count_of(resolved.indicators.len(), "indicator");
    format!("{columns} of {indicators}")
}

fn training_line(checked: &CheckedTraining) -> String {
    let resolved = &checked.resolved;
    let settings = &resolved.settings;
    // Nobody chose a default, so it is not passed over in silence.
    let origin = match checked.has_default_epochs {
        true => " (the default: the strategy names none)",
        false => "",
    };

    format!(
        "{} epochs{origin}, {} rows per batch, seed {}",
        settings.epochs, settings.batch_size, resolved.seed
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser as _;
    use schemas::ids::OperationId;
    use schemas::operation::{OperationRecord, result_bytes_max};
    use schemas::training::{LearningRateSchedule, Optimizer};
    use strategies::Split;

    use super::*;
    use crate::inputs::strategy_files::find_in;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArgs,
    }

    fn parse_line(text: &str) -> TrainArgs {
        Line::try_parse_from(text.split_whitespace()).unwrap().train
    }

    fn example() -> String {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (_, text) = find_in("eurusd_rsi_macd", here, None).unwrap();
        text
    }

    fn instant(text: &str) -> Utc {
        Utc::from_timestamp(text.parse().unwrap())
    }

    #[test]
    fn flags_change_the_request_and_the_fetched_bars() {
        let args = parse_line(
            "train eurusd_rsi_macd --symbols GBPUSD --start 2015-01-01 --end 2015-12-31 \
             --epochs 3 --gpu --detailed-analytics",
        );
        let overrides = overrides_of(&args);
        let strategy = Strategy::parse(&example()).unwrap();
        let resolved = strategy.resolve(&overrides).unwrap();

        let training = training_request(
            &args,
            example(),
            model_name(&args, &resolved),
            &overrides,
            &resolved,
        )
        .unwrap();

        assert_eq!(training.lane, Lane::Gpu);
        let changed = &training.request.overrides["training"];
        assert_eq!(changed["detailed_analytics"], true);
        assert!(resolved.settings.detailed_analytics);
        assert_eq!(training.request.overrides["epochs"], 3);
        assert_eq!(training.fetch.series.len(), 1);
        assert_eq!(training.fetch.series[0].symbol, "fx:GBP.USD");
        // The last date is included: the end is the midnight after it.
        let end = "2016-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(training.fetch.end, Some(end));
        assert_eq!(training.labels["symbol"], "GBPUSD");
        assert_eq!(training.labels["model"], "eurusd_rsi_macd");
    }

    #[test]
    fn every_key_of_the_section_training_can_be_set() {
        let args = parse_line(
            "train eurusd_rsi_macd --epochs 3 --set training.optimizer=sgd --set training.momentum=0.8 \
             --set store.url=file:///x \
             --set training.lr_scheduler=cosine --set training.early_stopping.patience=8",
        );
        // A worker resolves what the request says in JSON.
        let sent = serde_json::to_value(overrides_of(&args)).unwrap();
        let received = serde_json::from_value(sent).unwrap();

        let strategy = Strategy::parse(&example()).unwrap();
        let settings = strategy.resolve(&received).unwrap().settings;

        assert_eq!(settings.epochs, 3);
        assert_eq!(settings.optimizer, Optimizer::Sgd { momentum: 0.8 });
        assert_eq!(settings.lr_scheduler, LearningRateSchedule::cosine());
        // The example says patience 5 and min_delta 0.0005; only one of the two is set.
        let stopping = settings.early_stopping.unwrap();
        assert_eq!((stopping.patience, stopping.min_delta), (8, 0.0005));
    }

    #[test]
    fn symbol_and_timeframe_may_follow_the_strategy() {
        let by_place = overrides_of(&parse_line("train x AAPL,MSFT 1h"));
        let by_flag = overrides_of(&parse_line("train x --symbols AAPL,MSFT --timeframes 1h"));

        assert_eq!(by_place, by_flag);
        assert_eq!(by_place.symbols.map(|symbols| symbols.len()), Some(2));
        assert!(Line::try_parse_from(["train", "x", "AAPL", "--symbols", "MSFT"]).is_err());
    }

    #[test]
    fn the_share_of_validation_is_part_of_the_request() {
        let args = parse_line("train eurusd_rsi_macd --validation-split 0.2");

        assert_eq!(overrides_of(&args).validation_split, Some(0.2));
    }

    #[test]
    fn the_dates_of_a_fold_are_the_range_and_the_split() {
        let args = parse_line(
            "train eurusd_rsi_macd --start 2015-01-01T00:00:00Z \
             --validation-start 2016-06-01T05:00:00Z --test-start 2016-09-01T00:00:00Z \
             --end 2017-01-01T00:00:00Z",
        );
        // A worker resolves what the request says in JSON.
        let sent = serde_json::to_value(overrides_of(&args)).unwrap();
        let received = serde_json::from_value(sent).unwrap();

        let resolved = Strategy::parse(&example())
            .unwrap()
            .resolve(&received)
            .unwrap();

        let split = Split::Dates {
            validation_start: instant("2016-06-01T05:00:00Z"),
            test_start: instant("2016-09-01T00:00:00Z"),
        };
        assert_eq!(resolved.split, split);
        assert_eq!(resolved.start, Some(instant("2015-01-01T00:00:00Z")));
        assert_eq!(resolved.end, Some(instant("2017-01-01T00:00:00Z")));
    }

    #[test]
    fn one_date_of_a_split_needs_the_other() {
        for half in ["--validation-start 2016-06-01", "--test-start 2016-06-01"] {
            let line = format!("train x {half}");
            assert!(
                Line::try_parse_from(line.split(' ')).is_err(),
                "{half} goes with the other"
            );
        }
    }

    /// 256 symbols whose ids are as long as ids get.
    fn longest_symbols(separator: &str) -> String {
        let symbols: Vec<String> = (0..256).map(|n| format!("crypto:{n:016}USD")).collect();
        symbols.join(separator)
    }

    #[test]
    fn the_longest_list_of_symbols_fits_a_request_and_its_record() {
        // In the text and, as if they were changed, in the request too.
        let timeframes = "list: [\"1m\", \"5m\", \"15m\", \"30m\", \"1h\", \"4h\", \"1d\", \"1w\"]";
        let text = example()
            .replace(
                "single, symbol: EURUSD",
                &format!("multi_symbol, list: [{}]", longest_symbols(", ")),
            )
            .replace(
                "single, timeframe: \"1h\"",
                &format!("multi_timeframe, {timeframes}"),
            );
        let args = parse_line(&format!(
            "train eurusd_rsi_macd --start 2014-01-01 --validation-start 2017-01-01 \
             --test-start 2018-01-01 --end 2018-12-31 --symbols {}",
            longest_symbols(",")
        ));
        let overrides = overrides_of(&args);
        let strategy = Strategy::parse(&text).unwrap();
        let resolved = strategy.resolve(&overrides).unwrap();
        assert_eq!(strategy.data.symbols, resolved.symbols);

        let training = training_request(
            &args,
            text,
            model_name(&args, &resolved),
            &overrides,
            &resolved,
        )
        .unwrap();
        assert_eq!(training.fetch.series.len(), 2_048);
        let operation = training.operation();
        let op = OperationId::new("train", Timestamp::UNIX_EPOCH, 7).unwrap();
        operation.validate(&op).unwrap();

        // The record still has room when every result is as large as a result may be.
        let mut record = OperationRecord::create(op, operation, Timestamp::UNIX_EPOCH);
        let largest = serde_json::json!("x".repeat(result_bytes_max(record.steps.len()) - 3));
        for step in &mut record.steps {
            step.result = largest.clone();
        }
        schemas::codec::encode(&record).unwrap();
    }
}
