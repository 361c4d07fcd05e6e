//! `ktrdr data resample`: stored bars put together to bars of a longer timeframe.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use market::{
    Calendar, HourAnchor, ResampleError, Resampled, Resampling, SeriesKey, Timeframe, Utc,
};
use schemas::codes;
use serde_json::json;
use store::{Edit, RawBars, Store};

use super::stored::{SeriesArgs, export, find_series};
use crate::arguments::RangeArgs;
use crate::arguments::values::parse_timeframe;
use crate::console::{Exit, Failure, count_of, now, time_or_blank};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

/// `ktrdr data resample`.
#[derive(Clone, Debug, Args)]
pub(super) struct ResampleArgs {
    /// The series of the finer bars.
    #[command(flatten)]
    series: SeriesArgs,
    /// Length of the longer bars: a multiple of that of the stored ones, or days, weeks, a month
    #[arg(long, value_name = "TIMEFRAME", value_parser = parse_timeframe)]
    to: Timeframe,
    /// What bars within the day are counted from; by default the open of the session, or midnight
    /// UTC for currencies and crypto
    #[arg(long, value_enum)]
    anchor: Option<AnchorArg>,
    /// The range of finer bars.
    #[command(flatten)]
    range: RangeArgs,
    /// Write the bars to a .csv or .parquet file
    #[arg(long, value_name = "FILE", conflicts_with = "yes")]
    out: Option<PathBuf>,
    /// Store the bars; without it and without --out nothing is written
    #[arg(long)]
    yes: bool,
}

/// What bars within the day are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AnchorArg {
    /// The open of the session: 09:30, 13:30 in New York
    Session,
    /// Midnight of the clock: 08:00, 12:00
    Clock,
}

impl ResampleArgs {
    fn anchor(&self, source: &SeriesKey) -> HourAnchor {
        match self.anchor {
            Some(AnchorArg::Session) => HourAnchor::SessionOpen,
            Some(AnchorArg::Clock) => HourAnchor::ClockHour,
            None => HourAnchor::of_boundary(source.day_boundary),
        }
    }
}

/// Puts bars together, and shows, writes or stores them.
///
/// # Errors
/// Nothing is stored, the timeframes do not fit, or the bars cannot be written.
pub(super) async fn run(args: &ResampleArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let series = find_series(&args.series, &store, context).await?;
    let source = &series.key;
    let bars = store.series().bars(&series, args.range.times()).await?;

    // A last bar that may still change is left out: once stored, it would look final.
    let resampling = Resampling {
        source,
        calendar: Calendar::for_key(source),
        timeframe: args.to,
        anchor: args.anchor(source),
        keeps_partial: false,
    };
    let mut resampled = resampling.run(bars.as_slice()).map_err(refused)?;
    let cut = match args.range.start {
        Some(_) => {
            let around = store.series().bars(&series, around_start(args)).await?;
            let whole = resampling.run(around.as_slice()).map_err(refused)?;
            take_cut_bar(&mut resampled, &whole)
        }
        None => 0,
    };
    show_resampled(args, &resampled, cut, context);

    let mut key = source.clone();
    key.timeframe = args.to;
    let raw = raw_bars(resampled);
    match &args.out {
        Some(file) => export(&raw, file, context),
        None if args.yes => write_bars(&key, raw, &store, context).await,
        None => {
            show_dry_run(&key, &raw, context);
            Ok(Exit::Done)
        }
    }
}

fn refused(error: ResampleError) -> Failure {
    Failure::of(Exit::Usage, codes::DATA_INVALID_TIMEFRAME, &error).with_hint(error.hint())
}

/// The finer bars of which the first bar of the range is made, those before the range included.
fn around_start(args: &ResampleArgs) -> Range<Utc> {
    let start = args.range.times().start;
    let reach = args.to.micros_max() + Timeframe::DAY_1.micros();
    Utc(start.0.saturating_sub(reach))..Utc(start.0.saturating_add(reach))
}

/// Takes out a first bar of which the range cuts off a part, and counts its finer bars: once
/// stored, its open would look like that of the whole bar.
fn take_cut_bar(resampled: &mut Resampled, whole: &Resampled) -> usize {
    let Some(first) = resampled.bars.open_time.first() else {
        return 0;
    };
    let place = whole.bars.open_time.binary_search(first).ok();
    let expected = place.and_then(|place| whole.sources.get(place));
    if resampled.sources.first() == expected {
        return 0;
    }

    resampled.bars = resampled.bars.slice(1..resampled.bars.len());
    resampled.complete.drain(..1);
    resampled.sources.drain(..1).sum()
}

/// What the bars were made of, and what is not in them.
fn show_resampled(args: &ResampleArgs, resampled: &Resampled, cut: usize, context: &Context) {
    let bars = &resampled.bars;
    let incomplete = resampled.complete.iter().filter(|whole| !**whole).count();
    context.output.line(&format!(
        "{} {}: {} from {}, {} to {}",
        args.series.symbol.symbol(),
        args.to,
        count_of(bars.len(), "bar"),
        count_of(resampled.sources.iter().sum(), "bar"),
        time_or_blank(bars.open_time.first().copied()),
        time_or_blank(bars.open_time.last().copied())
    ));

    // Nothing is left out in silence: whoever counts the finer bars must find all of them.
    let from = args.series.timeframe;
    let notes = [
        (incomplete, format!("lack some of their {from} bars")),
        (
            cut,
            format!(
                "{from} bars left out: their {} bar begins before --start",
                args.to
            ),
        ),
        (
            resampled.partial,
            format!(
                "{from} bars left out: more of their {} bar may come",
                args.to
            ),
        ),
        (
            resampled.outside,
            format!("{from} bars left out: outside of every session"),
        ),
    ];
    for (count, note) in notes {
        if count > 0 {
            context.output.line(&format!("  note      {count} {note}"));
        }
    }
}

/// The columns that are stored: close times follow from the series.
fn raw_bars(resampled: Resampled) -> RawBars {
    let bars = resampled.bars;
    RawBars {
        open_time: bars.open_time,
        open: bars.open,
        high: bars.high,
        low: bars.low,
        close: bars.close,
        volume: bars.volume,
    }
}

fn show_dry_run(key: &SeriesKey, bars: &RawBars, context: &Context) {
    let count = bars.len();
    let series = key.prefix();
    let output = &context.output;

    output.json(&json!({"type": "resample", "written": false, "bars": count, "series": series}));
    output.line(&format!(
        "would store {} as {series}",
        count_of(count, "bar")
    ));
    output.note("nothing was written; add --yes to store them, or --out FILE");
}

async fn write_bars(
    key: &SeriesKey,
    bars: RawBars,
    store: &Store,
    context: &Context,
) -> Result<Exit, Failure> {
    // No interval is stored as empty: only a provider can say that it has no bars.
    let count = bars.len();
    let edit = Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: Calendar::for_key(key).name().to_owned(),
        at: now(),
    };
    let outcome = store.series().commit(key, edit, None).await?;
    let revision = outcome.snapshot.manifest.revision;

    context.output.json(&json!({
        "type": "resample",
        "written": true,
        "series": key.prefix(),
        "bars": count,
        "new": outcome.new,
        "changed": outcome.changed,
        "revision": revision,
    }));
    context.output.line(&format!(
        "{} {}: {count} bars, {} new, {} changed, revision {revision}",
        key.instrument.symbol(),
        key.timeframe,
        outcome.new,
        outcome.changed
    ));
    Ok(Exit::Done)
}
