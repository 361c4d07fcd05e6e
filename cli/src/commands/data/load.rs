//! `ktrdr data load`: an operation that fetches bars and validates them; for several symbols, a
//! family of one such operation for each.

use clap::Args;
use market::Instrument;
use schemas::commands::{FetchBars, FetchMode};
use schemas::operation::NewOperation;
use schemas::requests::{DataLoad, Family};

use super::plan::show_plans;
use crate::arguments::{FamilyArgs, FetchArgs, RunArgs, join_names, series_requests};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::require_calendar;
use crate::inputs::symbol_files::gather_symbols;
use crate::watch::{start, start_family};

/// `ktrdr data load`.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// What is fetched.
    #[command(flatten)]
    fetch: FetchArgs,
    /// Where the provider cannot answer, end with the stored bars and a warning that says how old
    /// they are
    #[arg(long)]
    accept_stored: bool,
    /// How the operations of several symbols run.
    #[command(flatten)]
    family: FamilyArgs,
    /// How to run the operation.
    #[command(flatten)]
    run: RunArgs,
}

/// Starts the operation.
///
/// # Errors
/// A symbol is wrong, the operation cannot be submitted, or it fails.
pub(super) async fn run(args: &LoadArgs, context: &Context) -> Result<Exit, Failure> {
    let mut loads = make_operations(args, context).await?;
    let exit = match loads.as_mut_slice() {
        [load] => start(context, std::mem::take(load), &args.run).await?,
        _ => start_family(context, family_of(loads, args), &args.run).await?,
    };

    if args.run.dry_run {
        show_requests(args, context).await;
    }
    Ok(exit)
}

/// What would be submitted does not say how many requests it leads to, nor how long they take. The
/// fetcher may reach what this host does not: an answer that is missing here refuses nothing.
async fn show_requests(args: &LoadArgs, context: &Context) {
    if let Err(failure) = show_plans(&args.fetch, context).await {
        context.output.note(&format!(
            "its requests cannot be planned from here: {}",
            failure.message
        ));
    }
}

/// The request of one load, or of the family of several.
///
/// # Errors
/// As those of [`make_operations`].
pub(crate) async fn make_request(
    args: &LoadArgs,
    context: &Context,
) -> Result<NewOperation, Failure> {
    let mut loads = make_operations(args, context).await?;
    if let [load] = loads.as_mut_slice() {
        return Ok(std::mem::take(load));
    }

    let mut family = family_of(loads, args).operation();
    args.run.mark(&mut family);
    Ok(family)
}

fn family_of(loads: Vec<NewOperation>, args: &LoadArgs) -> Family {
    Family {
        labels: labels_of_family(&loads),
        stages: vec![loads],
        limit: args.family.children_at_once(),
        on_failure: args.family.on_failure(),
    }
}

/// One load for each symbol.
///
/// # Errors
/// A symbol or the calendar is wrong.
pub(crate) async fn make_operations(
    args: &LoadArgs,
    context: &Context,
) -> Result<Vec<NewOperation>, Failure> {
    if let Some(name) = &args.fetch.calendar {
        require_calendar(name, context).await?;
    }

    let symbols = gather_symbols(
        &args.fetch.symbols,
        args.fetch.symbols_from.as_deref(),
        context,
    )?;
    let mut loads: Vec<NewOperation> = symbols.iter().map(|symbol| load_of(symbol, args)).collect();
    for load in &mut loads {
        args.run.mark(load);
    }
    Ok(loads)
}

fn load_of(symbol: &Instrument, load: &LoadArgs) -> NewOperation {
    let args = &load.fetch;
    let mode = FetchMode::from(args.mode);
    let fetch = FetchBars {
        provider: args.provider.clone(),
        series: series_requests(std::slice::from_ref(symbol), &args.timeframe),
        mode,
        start: args.start,
        end: args.end,
        refetch: args.refetch,
        calendar: args.calendar_of(symbol),
        accept_finer: false,
        accept_stored: load.accept_stored,
    };

    // Labels are how people find the operation again.
    let labels = [
        ("symbol", symbol.symbol()),
        ("timeframe", timeframes_of(args)),
        ("mode", mode.as_str().to_owned()),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    DataLoad { fetch, labels }.operation()
}

fn timeframes_of(args: &FetchArgs) -> String {
    join_names(args.timeframe.iter().map(ToString::to_string))
}

/// The labels that all loads share, and their symbols.
fn labels_of_family(loads: &[NewOperation]) -> std::collections::BTreeMap<String, String> {
    let first = loads.first().map(|load| load.labels.clone());
    let mut labels = first.unwrap_or_default();
    let symbols = loads.iter().filter_map(|load| load.labels.get("symbol"));

    labels.insert("symbol".to_owned(), join_names(symbols.cloned()));
    labels
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::{Value, json};

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }

    /// The command of the first step that a line of one symbol leads to.
    fn command_of(line: &str) -> Value {
        let line = Line::try_parse_from(line.split(' ')).unwrap();
        let operation = load_of(&line.load.fetch.symbols[0], &line.load);
        let first = operation.plan.steps().next().unwrap();
        first.command.clone()
    }

    #[test]
    fn every_flag_reaches_the_command() {
        let command = command_of(
            "load EURUSD --timeframe 1h,4h --mode backfill --start 2015-01-01 --end 2015-12-31 \
             --provider mine --calendar fx_24x5 --refetch --accept-stored",
        );

        // The last date is included: the end is the midnight after it.
        let expected = json!({
            "provider": "mine",
            "series": [
                {"symbol": "fx:EUR.USD", "timeframe": "1h"},
                {"symbol": "fx:EUR.USD", "timeframe": "4h"},
            ],
            "mode": "backfill",
            "start": "2015-01-01T00:00:00Z",
            "end": "2016-01-01T00:00:00Z",
            "refetch": true,
            "calendar": "fx_24x5",
            "accept_stored": true,
        });
        assert_eq!(command, expected);
    }

    #[test]
    fn extended_hours_are_those_of_the_calendar_of_the_symbol() {
        let calendar = |line: &str| command_of(line)["calendar"].clone();

        let extended = calendar("load AAPL --timeframe 1h --include-extended");
        assert_eq!(extended, "us_equities_extended");
        // Currencies have no hours before and after.
        assert_eq!(calendar("load EURUSD --include-extended"), Value::Null);
        assert_eq!(calendar("load AAPL --trading-hours"), Value::Null);
        let both = "load AAPL --trading-hours --include-extended";
        assert!(Line::try_parse_from(both.split(' ')).is_err());
    }

    #[test]
    fn without_flags_the_newest_daily_bars_are_loaded() {
        let expected = json!({
            "provider": "file",
            "series": [{"symbol": "fx:EUR.USD", "timeframe": "1d"}],
            "mode": "tail",
            "refetch": false,
        });
        assert_eq!(command_of("load EURUSD"), expected);
    }
}
