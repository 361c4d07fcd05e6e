//! `ktrdr train`: a strategy file, checked here first, becomes an operation of five steps.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use market::{Instrument, Timeframe, Utc};
use schemas::commands::{FetchBars, TrainOutcome, TrainRequest};
use schemas::ids::{Lane, Service};
use schemas::operation::OperationRecord;
use schemas::requests::Training;
use strategies::{Overrides, Resolved, Strategy};

use crate::args::RunArgs;
use crate::context::Context;
use crate::data::{Mode, end, instant, instrument, joined, series_of, timeframe};
use crate::exit::{Exit, Failure};
use crate::{outcome, run};

/// Where the strategies of a checkout are.
const CATALOG: &str = "strategies/catalog";

/// `ktrdr train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// A strategy file, or the name of one in strategies/catalog
    pub strategy: String,
    /// Symbols instead of the strategy's
    #[arg(long, value_delimiter = ',', value_parser = instrument)]
    pub symbols: Option<Vec<Instrument>>,
    /// Timeframes instead of the strategy's
    #[arg(long, value_delimiter = ',', value_parser = timeframe)]
    pub timeframes: Option<Vec<Timeframe>>,
    /// First bar instead of the strategy's: a date or an instant
    #[arg(long, visible_alias = "start-date", value_name = "WHEN", value_parser = instant)]
    pub start: Option<Timestamp>,
    /// Last date, included, instead of the strategy's; or an instant, excluded
    #[arg(long, visible_alias = "end-date", value_name = "WHEN", value_parser = end)]
    pub end: Option<Timestamp>,
    /// Passes over the training part instead of the strategy's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub epochs: Option<u32>,
    /// Seed instead of the strategy's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Learning rate instead of the strategy's
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Rows a step instead of the strategy's
    #[arg(long)]
    pub batch_size: Option<u32>,
    /// Name of the model instead of the strategy's
    #[arg(long)]
    pub model: Option<String>,
    /// Which bars to fetch first
    #[arg(long, value_enum, default_value = "local")]
    pub data_mode: Mode,
    /// Whom to ask for bars
    #[arg(long, default_value = "file")]
    pub provider: String,
    /// Only on a worker with a GPU; without it any trainer, those with a GPU first
    #[arg(long)]
    pub gpu: bool,
    /// How to run it.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Runs the command.
///
/// # Errors
/// The strategy is wrong, or the operation cannot be submitted or fails.
pub async fn run(args: &TrainArgs, context: &Context) -> Result<Exit, Failure> {
    let (path, text) = read_strategy(&args.strategy, &context.working_directory)?;
    let strategy = Strategy::parse(&text).map_err(|findings| in_file(&path, findings.into()))?;
    for warning in strategy.warnings.iter() {
        context.output.note(&warning.to_string());
    }
    let overrides = overrides(args);
    let resolved = strategy.resolve(&overrides)?;
    run::start(context, training(args, text, &overrides, &resolved)?.operation(), &args.run, describe).await
}

fn overrides(args: &TrainArgs) -> Overrides {
    Overrides {
        symbols: args.symbols.clone(),
        timeframes: args.timeframes.clone(),
        start: args.start.map(Utc::from_timestamp),
        end: args.end.map(Utc::from_timestamp),
        epochs: args.epochs,
        seed: args.seed,
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
    }
}

fn training(args: &TrainArgs, text: String, overrides: &Overrides, resolved: &Resolved) -> Result<Training, Failure> {
    let overrides =
        serde_json::to_value(overrides).map_err(|error| Failure::of(Exit::Usage, "STRATEGY-Overrides", &error))?;
    let names = |words: Vec<String>| joined(words.into_iter());
    let labels = [
        ("strategy", resolved.name.clone()),
        ("symbol", names(resolved.symbols.iter().map(Instrument::symbol).collect())),
        ("timeframe", names(resolved.timeframes.iter().map(ToString::to_string).collect())),
    ];
    Ok(Training {
        request: TrainRequest { strategy: text, overrides, model: args.model.clone() },
        fetch: FetchBars {
            provider: args.provider.clone(),
            series: series_of(&resolved.symbols, &resolved.timeframes),
            mode: args.data_mode.into(),
            start: resolved.start.map(Utc::timestamp),
            end: resolved.end.map(Utc::timestamp),
            refetch: false,
        },
        lane: if args.gpu { Lane::Gpu } else { Lane::Default },
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
    })
}

/// The file at `name`, or the strategy of that name in the catalog of the checkout that `working_directory` lies in.
///
/// # Errors
/// There is neither, or it cannot be read.
pub fn read_strategy(name: &str, working_directory: &Path) -> Result<(PathBuf, String), Failure> {
    let as_file = working_directory.join(name);
    let named = |folder: &Path| folder.join(CATALOG).join(format!("{name}.yaml"));
    let mut places = std::iter::once(as_file.clone()).chain(working_directory.ancestors().map(named));
    let Some(path) = places.find(|path| path.is_file()) else {
        let message = format!("there is no strategy `{name}`: neither a file of that name nor one in {CATALOG}");
        return Err(Failure::new(Exit::NotFound, "STRATEGY-NotFound", message)
            .with_hint("name a .yaml file, or one of `ktrdr strategies list`"));
    };
    let read = std::fs::read_to_string(&path);
    let text = read.map_err(|error| in_file(&path, Failure::of(Exit::Failed, "STRATEGY-Unreadable", &error)))?;
    Ok((path, text))
}

fn in_file(path: &Path, failure: Failure) -> Failure {
    let message = format!("{}: {}", path.display(), failure.message);
    Failure { message, ..failure }
}

/// The result of a training: what a person wants to know first.
fn describe(record: &OperationRecord) -> Vec<(String, String)> {
    let result = |service| {
        let found = record.plan.steps().zip(&record.steps).find(|(spec, _)| spec.service == service);
        found.map(|(_, step)| step.result.clone()).unwrap_or_default()
    };
    let mut lines = Vec::new();
    let mut add = |name: &str, text: String| lines.push((name.to_owned(), text));
    let registered = result(Service::Registry);
    if let (Some(name), Some(version)) = (registered["name"].as_str(), registered["version"].as_u64()) {
        add("model", format!("{name}@{version}"));
    }
    let Ok(trained) = serde_json::from_value::<TrainOutcome>(result(Service::Trainer)) else {
        return outcome::of_steps(record);
    };
    let early = if trained.stopped_early { ", stopped early" } else { "" };
    add("epochs", format!("{} (best {}{early}) on {}", trained.epochs, trained.best_epoch, trained.device));
    let metrics: Vec<String> = trained.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    add("test part", metrics.join(", "));
    for warning in trained.warnings {
        add("warning", warning);
    }
    add("artifact", trained.artifact);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArgs,
    }

    fn args(text: &str) -> TrainArgs {
        Line::try_parse_from(text.split(' ')).unwrap().train
    }

    #[test]
    fn a_strategy_of_the_catalog_is_found_by_its_name_from_a_folder_below_the_checkout() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (path, text) = read_strategy("eurusd_rsi_macd", &here).unwrap();
        assert!(path.ends_with("strategies/catalog/eurusd_rsi_macd.yaml"));
        assert!(text.contains("name: eurusd_rsi_macd"));
        assert_eq!(read_strategy("nothing", &here).unwrap_err().exit, Exit::NotFound);
    }

    #[test]
    fn what_the_flags_change_is_in_the_request_and_in_what_is_fetched() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let args = args("train eurusd_rsi_macd --symbols GBPUSD --start 2015-01-01 --end 2015-12-31 --epochs 3 --gpu");
        let (_, text) = read_strategy(&args.strategy, here).unwrap();
        let overrides = overrides(&args);
        let resolved = Strategy::parse(&text).unwrap().resolve(&overrides).unwrap();
        let training = training(&args, text, &overrides, &resolved).unwrap();
        assert_eq!(training.lane, Lane::Gpu);
        assert_eq!(training.request.overrides["epochs"], 3);
        assert_eq!(training.fetch.series.len(), 1);
        assert_eq!(training.fetch.series[0].symbol, "fx:GBP.USD");
        // The last date is included: the end is the midnight after it.
        assert_eq!(training.fetch.end, Some("2016-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(training.labels["symbol"], "GBPUSD");
    }
}
