//! `ktrdr data load`: an operation that fetches bars and validates them.

use clap::Args;
use market::Instrument;
use schemas::commands::{FetchBars, FetchMode};
use schemas::requests::DataLoad;

use crate::arguments::{FetchArgs, RunArgs, join_names, series_requests};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::require_calendar;
use crate::watch::start;

/// `ktrdr data load`.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// What is fetched.
    #[command(flatten)]
    fetch: FetchArgs,
    /// How to run the operation.
    #[command(flatten)]
    run: RunArgs,
}

/// Starts the operation.
///
/// # Errors
/// The operation cannot be submitted, or fails.
pub(super) async fn run(args: &LoadArgs, context: &Context) -> Result<Exit, Failure> {
    let fetch_args = &args.fetch;
    if let Some(name) = &fetch_args.calendar {
        require_calendar(name, context).await?;
    }
    let mode = FetchMode::from(fetch_args.mode);
    let fetch = FetchBars {
        provider: fetch_args.provider.clone(),
        series: series_requests(&fetch_args.symbols, &fetch_args.timeframe),
        mode,
        start: fetch_args.start,
        end: fetch_args.end,
        refetch: fetch_args.refetch,
        calendar: fetch_args.calendar.clone(),
    };

    // Labels are how people find the operation again.
    let symbols = join_names(fetch_args.symbols.iter().map(Instrument::symbol));
    let timeframes = join_names(fetch_args.timeframe.iter().map(ToString::to_string));
    let labels = [
        ("symbol", symbols),
        ("timeframe", timeframes),
        ("mode", mode.as_str().to_owned()),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    start(context, DataLoad { fetch, labels }.operation(), &args.run).await
}
