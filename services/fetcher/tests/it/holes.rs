//! Holes in real bars: hours of AAPL in 2018 and 2019, of which fifty stretches are missing.

use std::collections::BTreeSet;

use fetcher::GapSettings;
use fetcher::file_provider::FileProvider;
use fetcher::plan::{FetchWish, SeriesFacts, plan};
use fetcher::provider::Provider;
use market::{Calendar, HourAnchor, Instrument, SeriesKey, Timeframe, Utc};
use schemas::commands::{FetchMode, FetchState};
use store::files::Mapping;
use store::{Edit, RawBars};

use crate::fetching::{command, memory, run, stored};
use crate::numbers::Numbers;
use crate::scripted::{DAY, Scripted, utc};

fn key_of(provider: &str) -> SeriesKey {
    let instrument = Instrument::parse("AAPL").unwrap();
    SeriesKey::standard(provider, instrument, Timeframe::HOUR_1).unwrap()
}

async fn real_bars() -> RawBars {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bars");
    let files = FileProvider::open(folder, Mapping::default()).unwrap();
    let range = utc("2018-01-01T00:00:00Z")..utc("2020-01-01T00:00:00Z");
    files.bars(&key_of("file"), range).await.unwrap()
}

/// The rows of fifty stretches of up to twelve bars, none of which touches another.
fn fifty_holes(rows: usize) -> BTreeSet<usize> {
    let mut numbers = Numbers(50);
    let mut missing = BTreeSet::new();
    let mut holes = 0;

    while holes < 50 {
        let length = 1 + numbers.below(12) as usize;
        let start = 1 + numbers.below((rows - 20) as u64) as usize;
        let with_edges = start - 1..start + length + 1;
        if with_edges.clone().any(|row| missing.contains(&row)) {
            continue;
        }

        missing.extend(start..start + length);
        holes += 1;
    }

    missing
}

#[tokio::test(start_paused = true)]
async fn fifty_holes_are_filled_and_nothing_else_is_asked_for() {
    let provider = Scripted::with_bars(real_bars().await);
    let key = key_of("scripted");
    let now = utc("2020-01-01T00:00:00Z");
    let request = command("AAPL", "1h", FetchMode::Full);
    let whole_store = memory().await;
    let whole = run(&whole_store, &provider, &request, now).await.unwrap();
    let snapshot = whole_store.series().snapshot(&key, None).await.unwrap();
    let ledger = snapshot.unwrap().manifest.empty.clone();
    provider.take_requests();
    assert!(whole.rows > 3_400, "{}", whole.rows);

    // Another store has all but the holes, and remembers what the provider never had.
    let missing = fifty_holes(provider.bars.len());
    let rest = provider.bars.iter().enumerate();
    let rest: RawBars = rest
        .filter(|(row, _)| !missing.contains(row))
        .map(|(_, bar)| bar)
        .collect();
    let store = memory().await;
    let edit = Edit {
        bars: rest.clone(),
        empty_intervals: ledger.clone(),
        calendar: String::new(),
        at: now,
    };
    store.series().commit(&key, edit, None).await.unwrap();
    let planned = planned_requests(&key, &rest, &provider, &ledger, now);

    let series = run(&store, &provider, &request, now).await.unwrap();

    assert_eq!((series.state, series.remaining), (FetchState::Completed, 0));
    assert_eq!(series.work.new, missing.len() as u64);
    assert_eq!(series.content_sha256, whole.content_sha256);
    assert_eq!(stored(&store, &key).await, provider.bars);

    // Each request is for a bar that was missing; nights and weekends alone are never asked for.
    let requests = provider.take_requests();
    assert!(requests.len() <= planned, "{} of {planned}", requests.len());
    let opens = &provider.bars.open_time;
    for range in &requests {
        let is_missing = |row: &usize| range.contains(&opens[*row]);
        assert!(missing.iter().any(is_missing), "{range:?}");
    }
}

fn planned_requests(
    key: &SeriesKey,
    rest: &RawBars,
    provider: &Scripted,
    ledger: &[schemas::manifests::EmptyInterval],
    now: Utc,
) -> usize {
    let first = *provider.bars.open_time.first().unwrap();
    let last = *provider.bars.open_time.last().unwrap();
    let facts = SeriesFacts {
        key,
        calendar: Calendar::for_key(key),
        anchor: HourAnchor::ClockHour,
        stored: &rest.open_time,
        empty: ledger,
        coverage: Some(first..last.plus_micros(1)),
        span_max: Some(30 * DAY),
        settings: &GapSettings::default(),
        now,
    };
    let wish = FetchWish {
        mode: FetchMode::Full,
        start: None,
        end: None,
        refetch: false,
    };

    plan(&wish, &facts).unwrap().segments.len()
}
