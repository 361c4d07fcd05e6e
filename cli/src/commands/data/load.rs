//! `ktrdr data load`: an operation that fetches bars and validates them.

use clap::Args;
use jiff::Timestamp;
use market::{Instrument, Timeframe};
use schemas::commands::{FetchBars, FetchMode};
use schemas::requests::DataLoad;

use crate::arguments::values::{parse_end, parse_instant, parse_instrument, parse_timeframe};
use crate::arguments::{FetchModeArg, RunArgs, join_names, series_requests};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::require_calendar;
use crate::watch::start;

/// `ktrdr data load`.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Symbols, as in EURUSD AAPL crypto:BTC/USD
    #[arg(required = true, value_parser = parse_instrument)]
    symbols: Vec<Instrument>,
    /// Length of a bar: minutes, hours, days, weeks or a month, as in 5m, 4h, 1d, 1w, 1mo
    #[arg(
        long,
        short,
        default_value = "1d",
        value_delimiter = ',',
        value_parser = parse_timeframe
    )]
    timeframe: Vec<Timeframe>,
    /// Part of the series to fetch
    #[arg(long, short, value_enum, default_value_t)]
    mode: FetchModeArg,
    /// Start instead of that of the mode: a date or an instant, included
    #[arg(long, value_name = "WHEN", value_parser = parse_instant)]
    start: Option<Timestamp>,
    /// End instead of that of the mode: a date, included, or an instant, excluded
    #[arg(long, value_name = "WHEN", value_parser = parse_end)]
    end: Option<Timestamp>,
    /// Provider to ask
    #[arg(long, default_value = "file")]
    provider: String,
    /// Calendar by which the symbols trade, if not that of their exchange; see `ktrdr calendars
    /// list`
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// Fetch stored bars again; newer values replace stored ones
    #[arg(long)]
    refetch: bool,
    /// How to run the operation.
    #[command(flatten)]
    run: RunArgs,
}

/// Starts the operation.
///
/// # Errors
/// The operation cannot be submitted, or fails.
pub(super) async fn run(args: &LoadArgs, context: &Context) -> Result<Exit, Failure> {
    if let Some(name) = &args.calendar {
        require_calendar(name, context).await?;
    }
    let mode = FetchMode::from(args.mode);
    let fetch = FetchBars {
        provider: args.provider.clone(),
        series: series_requests(&args.symbols, &args.timeframe),
        mode,
        start: args.start,
        end: args.end,
        refetch: args.refetch,
        calendar: args.calendar.clone(),
    };

    // Labels are how people find the operation again.
    let symbols = join_names(args.symbols.iter().map(Instrument::symbol));
    let timeframes = join_names(args.timeframe.iter().map(ToString::to_string));
    let labels = [
        ("symbol", symbols),
        ("timeframe", timeframes),
        ("mode", mode.as_str().to_owned()),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    start(context, DataLoad { fetch, labels }.operation(), &args.run).await
}
