//! `ktrdr data follow`: an operation that loads each bar as it closes, until its end or a cancel.

use clap::Args;
use jiff::Timestamp;
use market::{Instrument, Timeframe};
use schemas::commands::FollowBars;
use schemas::requests::DataFollow;

use crate::arguments::values::{parse_instant, parse_instrument, parse_timeframe};
use crate::arguments::{RunArgs, join_names, series_requests};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::require_calendar;
use crate::watch::start;

/// `ktrdr data follow`.
#[derive(Debug, Args)]
pub(super) struct FollowArgs {
    /// Symbols, as in EURUSD AAPL crypto:BTC/USD
    #[arg(value_name = "SYMBOL", required = true, value_parser = parse_instrument)]
    symbols: Vec<Instrument>,
    /// Length of a bar: minutes, hours, days or weeks, as in 5m, 4h, 1d, 1w
    #[arg(
        long,
        short,
        required = true,
        value_delimiter = ',',
        value_parser = parse_timeframe
    )]
    timeframe: Vec<Timeframe>,
    /// Provider to ask
    #[arg(long, default_value = "file")]
    provider: String,
    /// Calendar by which the symbols trade, if not that of their exchange
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// End before the first close after this date or instant
    #[arg(long, value_name = "WHEN", value_parser = parse_instant)]
    until: Option<Timestamp>,
    /// End once N bars of each series have closed and are stored
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    bars: Option<u64>,
    /// How to run the operation
    #[command(flatten)]
    run: RunArgs,
}

/// Starts the operation.
///
/// # Errors
/// The calendar does not exist, the operation cannot be submitted, or it fails.
pub(super) async fn run(args: &FollowArgs, context: &Context) -> Result<Exit, Failure> {
    if let Some(name) = &args.calendar {
        require_calendar(name, context).await?;
    }
    start(context, request_of(args).operation(), &args.run).await
}

fn request_of(args: &FollowArgs) -> DataFollow {
    let follow = FollowBars {
        provider: args.provider.clone(),
        series: series_requests(&args.symbols, &args.timeframe),
        until: args.until,
        bars: args.bars,
        calendar: args.calendar.clone(),
    };
    let symbols = join_names(args.symbols.iter().map(Instrument::symbol));
    let timeframes = join_names(args.timeframe.iter().map(ToString::to_string));
    let labels = [
        ("symbol", symbols),
        ("timeframe", timeframes),
        ("mode", "follow".to_owned()),
    ];

    DataFollow {
        follow,
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use schemas::ids::Lane;
    use serde_json::json;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        follow: FollowArgs,
    }

    #[test]
    fn every_flag_reaches_the_command_in_a_lane_of_its_own() {
        let line = "follow EURUSD AAPL -t 1m,1h --provider mine --until 2027-01-01 --bars 5";
        let line = Line::try_parse_from(line.split(' ')).unwrap();

        let operation = request_of(&line.follow).operation();

        let step = operation.plan.steps().next().unwrap();
        assert_eq!((step.verb.as_str(), step.lane), ("follow", Lane::Live));
        let expected = json!({
            "provider": "mine",
            "series": [
                {"symbol": "fx:EUR.USD", "timeframe": "1m"},
                {"symbol": "fx:EUR.USD", "timeframe": "1h"},
                {"symbol": "stk:AAPL", "timeframe": "1m"},
                {"symbol": "stk:AAPL", "timeframe": "1h"},
            ],
            "until": "2027-01-01T00:00:00Z",
            "bars": 5,
        });
        assert_eq!(step.command, expected);
        assert_eq!(operation.labels["symbol"], "EURUSD, AAPL");
    }
}
