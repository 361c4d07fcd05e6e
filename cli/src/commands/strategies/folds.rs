//! `ktrdr strategies folds`: the dates of a walk-forward series of trainings, each of which
//! `ktrdr train` takes as flags.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use market::{Bars, Instrument, Utc};
use schemas::codes;
use serde_json::json;
use strategies::splits::SplitError;
use strategies::{Fold, Growth, Resolved, WalkForward, walk_forward};

use crate::arguments::values::{parse_end, parse_instant};
use crate::console::{Exit, Failure, extended};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::inputs::day_folds::{TRAIN_SHARE, VALIDATION_SHARE, days_between};
use crate::inputs::strategy_files::load_strategy;

const HEADS: [&str; 8] = [
    "FOLD",
    "TRAIN FROM",
    "VALIDATION FROM",
    "TEST FROM",
    "TO BEFORE",
    "TRAIN BARS",
    "VALIDATION BARS",
    "TEST BARS",
];
/// Columns that need no bars.
const DATE_COLUMNS: usize = 5;

/// `ktrdr strategies folds`.
#[derive(Clone, Debug, Args)]
pub(super) struct FoldsArgs {
    /// Name of the strategy, or a .yaml file
    strategy: String,
    /// File of base bars, as in EURUSD:1h=bars.csv or EURUSD_1h.csv, one for each symbol: cut their
    /// time, within the strategy's dates, so that every test has the same number of bars
    #[arg(
        long,
        value_name = "SYMBOL:TF=FILE",
        value_parser = NamedFile::parse,
        conflicts_with_all = ["start", "end"]
    )]
    bars: Vec<NamedFile>,
    /// Cut whole days from this date or instant instead of the strategy's start
    #[arg(long, visible_alias = "start-date", value_name = "WHEN", value_parser = parse_instant)]
    start: Option<Timestamp>,
    /// End instead of the strategy's: a date, included, or an instant, excluded
    #[arg(long, visible_alias = "end-date", value_name = "WHEN", value_parser = parse_end)]
    end: Option<Timestamp>,
    /// Number of folds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    folds: u16,
    /// How the training part changes from fold to fold
    #[arg(long, value_enum, default_value = "expanding")]
    growth: GrowthArg,
    /// Share of the whole time in the training part of the first fold
    #[arg(long, value_name = "SHARE", default_value_t = TRAIN_SHARE)]
    train: f64,
    /// Share of the whole time in the validation part of every fold; the tests share the rest
    #[arg(long, value_name = "SHARE", default_value_t = VALIDATION_SHARE)]
    validation: f64,
    /// How the times of the files are read.
    #[command(flatten)]
    times: TimeArgs,
}

/// How the training part changes from fold to fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GrowthArg {
    /// It keeps its start and grows
    Expanding,
    /// It keeps its length and moves
    Sliding,
}

/// The time that is cut into folds.
struct TimeToCut {
    /// Every instant at which a part may begin.
    instants: Vec<Utc>,
    /// The plural name of one instant, for messages.
    unit: &'static str,
    /// Where the last fold ends, exclusive.
    end: Utc,
}

/// Bars of all symbols in each part of a fold.
#[derive(Default)]
struct PartCounts {
    train: usize,
    validation: usize,
    test: usize,
}

/// Lists the folds.
///
/// # Errors
/// The strategy or the bars cannot be used, or the time is too short for the folds.
pub(super) fn run(args: &FoldsArgs, context: &Context) -> Result<Exit, Failure> {
    let resolved = load_strategy(&args.strategy, context)?.resolved;
    let bars = read_base_bars(args, &resolved, context)?;
    let time = if args.bars.is_empty() {
        time_of_days(args, &resolved)?
    } else {
        time_of_bars(&bars, &resolved)
    };

    let mut folds = walk_forward(&walk_forward_plan(args), time.instants)
        .map_err(|error| refused_folds(&error, time.unit, args))?;
    // The last fold is closed too, so that bars that come later change no test.
    for fold in &mut folds {
        fold.end = fold.end.or(Some(time.end));
    }

    show_folds(&folds, &bars, &resolved, context);
    if let Some(first) = folds.first() {
        context.output.note(&format!(
            "hint: `ktrdr train {}{} {}` trains the first",
            args.strategy,
            symbols_flag(args, &resolved),
            train_flags(first)
        ));
    }
    Ok(Exit::Done)
}

/// ` --symbols …` where the files are not of the symbols that the strategy trains on.
fn symbols_flag(args: &FoldsArgs, resolved: &Resolved) -> String {
    let of_files: BTreeSet<String> = args.bars.iter().map(|file| file.symbol.id()).collect();
    let of_strategy: BTreeSet<String> = resolved.symbols.iter().map(Instrument::id).collect();
    if of_files.is_empty() || of_files == of_strategy {
        return String::new();
    }

    let names: Vec<String> = of_files.into_iter().collect();
    format!(" --symbols {}", names.join(","))
}

fn walk_forward_plan(args: &FoldsArgs) -> WalkForward {
    let growth = match args.growth {
        GrowthArg::Expanding => Growth::Expanding,
        GrowthArg::Sliding => Growth::Sliding,
    };
    WalkForward {
        folds: args.folds.into(),
        growth,
        train: args.train,
        validation: args.validation,
    }
}

/// The base bars of each symbol, within the strategy's dates.
fn read_base_bars(
    args: &FoldsArgs,
    resolved: &Resolved,
    context: &Context,
) -> Result<Vec<Bars>, Failure> {
    let symbols = read_symbols(
        &args.bars,
        &[resolved.base],
        &args.times,
        &context.working_directory,
        &context.output,
    )?;

    // Only bars of the base timeframe were read, so every symbol has them.
    Ok(symbols
        .iter()
        .filter_map(|(_, bars)| Some(resolved.clip(bars.get(&resolved.base)?)))
        .collect())
}

fn time_of_bars(bars: &[Bars], resolved: &Resolved) -> TimeToCut {
    let mut instants = Vec::new();
    for symbol in bars {
        instants.extend_from_slice(&symbol.open_time);
    }

    // A strategy whose end lies within the last bar ends there.
    let after_last_bar = instants
        .iter()
        .max()
        .map(|last| resolved.base.nominal_end(*last));
    let end = resolved.open_end().into_iter().chain(after_last_bar).min();
    TimeToCut {
        instants,
        unit: "bar times",
        end: end.unwrap_or(Utc(0)),
    }
}

fn time_of_days(args: &FoldsArgs, resolved: &Resolved) -> Result<TimeToCut, Failure> {
    let start = args.start.map(Utc::from_timestamp).or(resolved.start);
    let end = args.end.map(Utc::from_timestamp).or(resolved.end);
    // The sealed period is in no fold.
    let end = end.into_iter().chain(resolved.sealed_from).min();
    let hint = "add --start DATE --end DATE, or --bars SYMBOL:TF=FILE";
    let instants = days_between(start, end, hint)?;
    Ok(TimeToCut {
        end: end.unwrap_or(Utc(0)),
        instants,
        unit: "days",
    })
}

fn refused_folds(error: &SplitError, unit: &str, args: &FoldsArgs) -> Failure {
    match error {
        SplitError::TooFewRows { instants } => {
            let longer = if args.bars.is_empty() {
                "cut a longer time"
            } else {
                "give more bars within the strategy's dates"
            };

            let message = format!(
                "{instants} {unit} are too few for {} folds with these shares",
                args.folds
            );
            Failure::new(Exit::Usage, codes::STRATEGY_FOLDS, message)
                .with_hint(format!("{longer}, or ask for fewer --folds"))
        }
        SplitError::Fractions { .. } => {
            Failure::of(Exit::Usage, codes::STRATEGY_FOLDS, error).with_hint(error.hint())
        }
    }
}

fn show_folds(folds: &[Fold], bars: &[Bars], resolved: &Resolved, context: &Context) {
    let mut rows = Vec::new();
    for (number, fold) in (1..).zip(folds) {
        let mut fields = vec![("type", json!("fold")), ("number", json!(number))];
        let mut row = vec![number.to_string()];
        row.extend(dates_of(fold).map(|(_, date)| date));

        if !bars.is_empty() {
            let counts = count_bars(fold, bars, resolved);
            row.extend([counts.train, counts.validation, counts.test].map(|n| n.to_string()));
            fields.push((
                "bars",
                json!({
                    "train": counts.train,
                    "validation": counts.validation,
                    "test": counts.test,
                }),
            ));
        }
        context.output.json(&extended(fold, fields));
        rows.push(row);
    }

    // Without bars nothing was counted, and the table ends with the dates.
    let columns = if bars.is_empty() {
        DATE_COLUMNS
    } else {
        HEADS.len()
    };
    let heads = HEADS.get(..columns).unwrap_or_default();
    context.output.table(heads, &rows);
}

/// Bars of all symbols in each part, before purge and embargo. As in a training, a bar counts from
/// the instant at which it is known.
fn count_bars(fold: &Fold, bars: &[Bars], resolved: &Resolved) -> PartCounts {
    let of_fold = fold.of(resolved);
    let mut counts = PartCounts::default();
    for symbol in bars {
        let known_at = of_fold.clip(symbol).close_time;
        // The instants ascend, so that a cut is found by bisection.
        let before = |cut: Utc| known_at.partition_point(|instant| *instant < cut);
        let train = before(fold.cuts.validation_start);
        let train_and_validation = before(fold.cuts.test_start);

        counts.train += train;
        counts.validation += train_and_validation - train;
        counts.test += known_at.len() - train_and_validation;
    }
    counts
}

/// The dates of a fold with the flags of `ktrdr train` that take them.
fn dates_of(fold: &Fold) -> [(&'static str, String); 4] {
    [
        ("--start", fold.start.to_string()),
        ("--validation-start", fold.cuts.validation_start.to_string()),
        ("--test-start", fold.cuts.test_start.to_string()),
        (
            "--end",
            fold.end.map(|end| end.to_string()).unwrap_or_default(),
        ),
    ]
}

fn train_flags(fold: &Fold) -> String {
    dates_of(fold)
        .map(|(flag, date)| format!("{flag} {date}"))
        .join(" ")
}
