//! `ktrdr strategies folds`: the dates of a walk-forward series of trainings, each of which
//! `ktrdr train` takes as flags.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use market::{Bars, Utc};
use schemas::names::MICROS_PER_DAY;
use serde_json::json;
use strategies::splits::SplitError;
use strategies::{Fold, Growth, Resolved, WalkForward, walk_forward};

use crate::arguments::values::{parse_end, parse_instant};
use crate::console::{Exit, Failure, extended};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::inputs::strategy_files::load_strategy;

/// `ktrdr strategies folds`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FoldsArgs {
    /// Its name, or a .yaml file
    pub(crate) strategy: String,
    /// Cut the time of these base bars, within the strategy's dates, so that the tests have equally
    /// many; as in EURUSD:1h=bars.csv or EURUSD_1h.csv, once for each symbol
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse, conflicts_with_all = ["start", "end"])]
    pub(crate) bars: Vec<NamedFile>,
    /// Cut whole days from here on instead of the strategy's start: a date or an instant
    #[arg(long, visible_alias = "start-date", value_name = "WHEN", value_parser = parse_instant)]
    pub(crate) start: Option<Timestamp>,
    /// Last date, included, instead of the strategy's; or an instant, excluded
    #[arg(long, visible_alias = "end-date", value_name = "WHEN", value_parser = parse_end)]
    pub(crate) end: Option<Timestamp>,
    /// How many trainings
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) folds: u16,
    /// What the training part does from fold to fold
    #[arg(long, value_enum, default_value = "expanding")]
    pub(crate) growth: Growing,
    /// Share of the whole time in the training part of the first fold
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub(crate) train: f64,
    /// Share of the whole time in the validation part of every fold; the tests share what is left
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) validation: f64,
    /// How times are read.
    #[command(flatten)]
    pub(crate) times: TimeArgs,
}

/// What the training part does from fold to fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Growing {
    /// It keeps its start, and grows
    Expanding,
    /// It keeps its length, and moves
    Sliding,
}

/// What is cut: the instants, what one of them is called, and where the last fold ends.
struct Span {
    instants: Vec<Utc>,
    unit: &'static str,
    end: Utc,
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) fn run(args: &FoldsArgs, context: &Context) -> Result<Exit, Failure> {
    let resolved = load_strategy(&args.strategy, context)?.resolved;
    let bars = base_bars(args, &resolved, context)?;
    let span = if args.bars.is_empty() {
        of_days(args, &resolved)?
    } else {
        of_bars(&bars, &resolved)
    };
    let growth = match args.growth {
        Growing::Expanding => Growth::Expanding,
        Growing::Sliding => Growth::Sliding,
    };
    let plan = WalkForward {
        folds: args.folds.into(),
        growth,
        train: args.train,
        validation: args.validation,
    };
    let folds =
        walk_forward(&plan, span.instants).map_err(|error| refused(&error, span.unit, args))?;
    // The last fold is closed too: bars that come later change no test.
    let folds: Vec<Fold> = folds
        .into_iter()
        .map(|fold| Fold {
            end: fold.end.or(Some(span.end)),
            ..fold
        })
        .collect();
    show(&folds, &bars, &resolved, context);
    if let Some(first) = folds.first() {
        let flags = flags(first);
        context.output.note(&format!(
            "hint: `ktrdr train {} {flags}` trains the first",
            args.strategy
        ));
    }
    Ok(Exit::Done)
}

/// The base bars of each symbol, within the strategy's dates.
fn base_bars(
    args: &FoldsArgs,
    resolved: &Resolved,
    context: &Context,
) -> Result<Vec<Bars>, Failure> {
    let symbols = read_symbols(
        &args.bars,
        &[resolved.base],
        &args.times,
        &context.working_directory,
    )?;
    Ok(symbols
        .iter()
        .filter_map(|(_, bars)| Some(resolved.clip(bars.get(&resolved.base)?)))
        .collect())
}

fn of_bars(bars: &[Bars], resolved: &Resolved) -> Span {
    let instants: Vec<Utc> = bars
        .iter()
        .flat_map(|bars| bars.open_time.iter().copied())
        .collect();
    let after = instants
        .iter()
        .max()
        .map(|last| last.plus_micros(resolved.base.micros()));
    // A strategy that ends within the last bar ends there.
    let end = resolved
        .end
        .into_iter()
        .chain(after)
        .min()
        .unwrap_or(Utc(0));
    Span {
        instants,
        unit: "bar times",
        end,
    }
}

fn of_days(args: &FoldsArgs, resolved: &Resolved) -> Result<Span, Failure> {
    let start = args.start.map(Utc::from_timestamp).or(resolved.start);
    let end = args.end.map(Utc::from_timestamp).or(resolved.end);
    let (Some(start), Some(end)) = (start, end) else {
        let message = "what time to cut is not known: neither flags nor the strategy say both its start and its end";
        return Err(Failure::new(Exit::Usage, "STRATEGY-Folds", message)
            .with_hint("add --start DATE --end DATE, or --bars SYMBOL:TF=FILE"));
    };
    if end <= start {
        let message = format!("the end {end} is not after the start {start}");
        return Err(Failure::new(Exit::Usage, "STRATEGY-Folds", message)
            .with_hint("change --start or --end"));
    }
    let days = (end.0.saturating_sub(start.0)).div_euclid(MICROS_PER_DAY);
    let instants = (0..days)
        .map(|day| start.plus_micros(day * MICROS_PER_DAY))
        .collect();
    Ok(Span {
        instants,
        unit: "days",
        end,
    })
}

fn refused(error: &SplitError, unit: &str, args: &FoldsArgs) -> Failure {
    match error {
        SplitError::TooFewRows { instants } => {
            let more = if args.bars.is_empty() {
                "cut a longer time"
            } else {
                "give more bars within the strategy's dates"
            };
            let message = format!(
                "{instants} {unit} are too few for {} folds with these shares",
                args.folds
            );
            Failure::new(Exit::Usage, "STRATEGY-Folds", message)
                .with_hint(format!("{more}, or ask for fewer --folds"))
        }
        SplitError::Fractions { .. } => {
            Failure::of(Exit::Usage, "STRATEGY-Folds", error).with_hint(error.hint())
        }
    }
}

fn show(folds: &[Fold], bars: &[Bars], resolved: &Resolved, context: &Context) {
    let mut rows = Vec::new();
    for (number, fold) in (1..).zip(folds) {
        let mut row = vec![number.to_string()];
        row.extend(dates(fold).map(|(_, date)| date));
        let mut fields = vec![("type", json!("fold")), ("number", json!(number))];
        if !bars.is_empty() {
            let [train, validation, test] = counts(fold, bars, resolved);
            fields.push((
                "bars",
                json!({"train": train, "validation": validation, "test": test}),
            ));
            row.extend([train, validation, test].map(|count| count.to_string()));
        }
        context.output.json(&extended(fold, fields));
        rows.push(row);
    }
    let heads = [
        "FOLD",
        "TRAIN FROM",
        "VALIDATION FROM",
        "TEST FROM",
        "TO BEFORE",
        "TRAIN BARS",
        "VALIDATION BARS",
        "TEST BARS",
    ];
    let shown = if bars.is_empty() {
        heads.len() - 3
    } else {
        heads.len()
    };
    context
        .output
        .table(heads.get(..shown).unwrap_or_default(), &rows);
}

/// Bars of all symbols in each part, before purge and embargo. As in a training, a bar counts where
/// it is known.
fn counts(fold: &Fold, bars: &[Bars], resolved: &Resolved) -> [usize; 3] {
    let own = fold.of(resolved);
    let mut counts = [0; 3];
    for bars in bars {
        let known = own.clip(bars).close_time;
        let before = |cut: Utc| known.partition_point(|close| *close < cut);
        let (train, second) = (
            before(fold.cuts.validation_start),
            before(fold.cuts.test_start),
        );
        let parts = [train, second - train, known.len() - second];
        counts
            .iter_mut()
            .zip(parts)
            .for_each(|(count, part)| *count += part);
    }
    counts
}

/// The dates of a fold with the flags of `ktrdr train` that take them.
fn dates(fold: &Fold) -> [(&'static str, String); 4] {
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

fn flags(fold: &Fold) -> String {
    dates(fold)
        .map(|(flag, date)| format!("{flag} {date}"))
        .join(" ")
}
