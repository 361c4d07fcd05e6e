//! What a fetch leaves behind, whatever interrupts it, against a scripted provider and against the
//! sample files.

use fetcher::fetch::fetch;
use fetcher::file_provider::FileProvider;
use fetcher::provider::Provider;
use fetcher::{FetchError, GapSettings};
use market::{SeriesKey, Utc};
use runtime::StepError;
use schemas::commands::{FetchBars, FetchMode, FetchedSeries, SeriesRequest};
use schemas::errors::ErrorRecord;
use store::files::Mapping;
use store::{ALL_TIME, Edit, RawBar, RawBars, Store};

use crate::scripted::{DAY, HOUR, Runner, Scripted, euro, utc};

pub fn command(symbol: &str, timeframe: &str, mode: FetchMode) -> FetchBars {
    let series = vec![SeriesRequest {
        symbol: symbol.to_owned(),
        timeframe: timeframe.to_owned(),
    }];

    FetchBars {
        provider: "file".to_owned(),
        series,
        mode,
        start: None,
        end: None,
        refetch: false,
        calendar: None,
        accept_finer: false,
        accept_stored: false,
    }
}

pub fn hourly(mode: FetchMode) -> FetchBars {
    command("EURUSD", "1h", mode)
}

pub async fn run(
    store: &Store,
    provider: &(impl Provider + ?Sized),
    command: &FetchBars,
    now: Utc,
) -> Result<FetchedSeries, FetchError> {
    let settings = GapSettings::default();
    let runner = Runner::default();
    let outcome = fetch(store, provider, command, &settings, now, &runner).await?;

    Ok(outcome.series.into_iter().next().unwrap())
}

pub async fn stored(store: &Store, key: &SeriesKey) -> RawBars {
    let snapshot = store.series().snapshot(key, None).await.unwrap().unwrap();
    store.series().raw_bars(&snapshot, ALL_TIME).await.unwrap()
}

pub async fn memory() -> Store {
    Store::open("memory:///").await.unwrap()
}

/// Trading hours between Monday 2020-03-02 and Saturday 2020-06-27.
pub fn spring() -> (Scripted, Utc) {
    (
        Scripted::hourly(utc("2020-03-02T00:00:00Z")..utc("2020-06-27T00:00:00Z")),
        utc("2020-06-27T12:00:00Z"),
    )
}

#[tokio::test]
async fn the_sample_files_are_imported_once_and_whole() {
    let store = memory().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/bars");
    let now = utc("2026-01-01T00:00:00Z");
    let mut request = command("EUR/USD", "1h", FetchMode::Full);

    for symbol in ["AAPL", "ibm", "stk:SPY"] {
        request.series.push(SeriesRequest {
            symbol: symbol.to_owned(),
            timeframe: "1d".to_owned(),
        });
    }
    let provider = || FileProvider::open(folder, Mapping::default()).unwrap();
    let runner = Runner::default();
    let first = fetch(
        &store,
        &provider(),
        &request,
        &GapSettings::default(),
        now,
        &runner,
    )
    .await
    .unwrap();
    // Lines of the files without their headers.
    assert_eq!(
        first
            .series
            .iter()
            .map(|series| (series.rows, series.work.new))
            .collect::<Vec<_>>(),
        [
            (30_843, 30_843),
            (3_335, 3_335),
            (3_335, 3_335),
            (3_335, 3_335)
        ]
    );
    let fractions = runner.fractions.lock().unwrap().clone();
    assert!(fractions.is_sorted() && fractions[0] == 0.0 && *fractions.last().unwrap() <= 1.0);
    let euro: SeriesKey = first.series[0].series.parse().unwrap();
    assert!(
        stored(&store, &euro)
            .await
            .volume
            .iter()
            .all(|volume| volume.is_nan()),
        "0 of a currency pair is unknown"
    );
    insta::assert_debug_snapshot!(first.series[0].warnings);
    let again = fetch(
        &store,
        &provider(),
        &request,
        &GapSettings::default(),
        now,
        &Runner::default(),
    )
    .await
    .unwrap();
    for (first, again) in first.series.iter().zip(&again.series) {
        assert_eq!(
            (again.work.segments, again.work.new, again.revision),
            (0, 0, first.revision),
            "{}",
            first.series
        );
        assert_eq!(again.content_sha256, first.content_sha256);
    }
}

#[tokio::test]
async fn a_fetch_takes_at_most_the_series_of_the_largest_strategy() {
    let most = schemas::commands::fetch::SERIES_MAX;
    let of = |count: usize| {
        let series = (0..count).map(|number| SeriesRequest {
            symbol: format!("S{number}"),
            timeframe: "1h".to_owned(),
        });
        FetchBars {
            series: series.collect(),
            ..hourly(FetchMode::Local)
        }
    };
    let (provider, now) = spring();
    let store = memory().await;
    let refusal = run(&store, &provider, &of(most), now).await.unwrap_err();

    assert!(matches!(refusal, FetchError::NothingStored { series } if series.len() == most));
    let refusal = run(&store, &provider, &of(most + 1), now)
        .await
        .unwrap_err();
    assert!(matches!(refusal, FetchError::Count { count } if count == most + 1));
}

#[tokio::test]
async fn local_never_asks_a_provider() {
    let (provider, now) = spring();
    let store = memory().await;
    let nothing = run(&store, &provider, &hourly(FetchMode::Local), now)
        .await
        .unwrap_err();

    assert!(
        matches!(nothing, FetchError::NothingStored { .. }),
        "{nothing}"
    );
    run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    provider.take_requests();
    let local = run(&store, &provider, &hourly(FetchMode::Local), now)
        .await
        .unwrap();
    assert_eq!(local.rows, provider.bars.len() as u64);
    assert!(provider.take_requests().is_empty());
}

#[tokio::test]
async fn full_fills_before_inside_and_after_and_then_asks_for_nothing() {
    let (provider, now) = spring();
    let store = memory().await;
    let all = provider.bars.clone();
    // Stored: all but the first 100, the last 100, and one Wednesday.
    let hole = utc("2020-04-15T00:00:00Z")..utc("2020-04-16T00:00:00Z");
    let inside = |bar: &RawBar| !hole.contains(&bar.open_time);
    let some: RawBars = all
        .iter()
        .take(all.len() - 100)
        .skip(100)
        .filter(inside)
        .collect();
    let edit = Edit {
        bars: some,
        empty_intervals: Vec::new(),
        calendar: String::new(),
        at: now,
    };
    store.series().commit(&euro(), edit, None).await.unwrap();
    let filled = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!(
        (
            filled.missing,
            filled.remaining,
            filled.work.new,
            filled.work.changed
        ),
        (224, 0, 224, 0)
    );
    assert_eq!(stored(&store, &euro()).await.open_time, all.open_time);
    let requests = provider.take_requests();
    assert!(
        requests.is_sorted_by(|later, earlier| earlier.end <= later.start),
        "newest first, disjoint: {requests:?}"
    );
    let again = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    assert_eq!((again.work.segments, again.revision), (0, filled.revision));
    assert!(provider.take_requests().is_empty());
}

#[tokio::test]
async fn tail_starts_at_the_last_stored_bar_however_old_it_is() {
    let (provider, now) = spring();
    let store = memory().await;
    let old: RawBars = provider.bars.iter().take(300).collect();
    let last = *old.open_time.last().unwrap();
    let edit = Edit {
        bars: old,
        empty_intervals: Vec::new(),
        calendar: String::new(),
        at: now,
    };
    store.series().commit(&euro(), edit, None).await.unwrap();
    let tail = run(&store, &provider, &hourly(FetchMode::Tail), now)
        .await
        .unwrap();

    assert_eq!((tail.rows, tail.remaining), (provider.bars.len() as u64, 0));
    let requests = provider.take_requests();
    assert!(
        requests.is_sorted_by(|earlier, later| earlier.end <= later.start),
        "oldest first"
    );
    assert!(requests[0].start == last, "{last} {requests:?}");
}

#[tokio::test]
async fn a_bar_that_is_not_complete_is_not_stored() {
    let (provider, _) = spring();
    let store = memory().await;
    // 10:30 on a Wednesday: the bar of 09:00 is the last complete one.
    let now = utc("2020-04-15T10:30:00Z");
    let read = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!(read.last, Some(utc("2020-04-15T09:00:00Z").0));
    let later = run(
        &store,
        &provider,
        &hourly(FetchMode::Tail),
        utc("2020-04-15T11:00:00Z"),
    )
    .await
    .unwrap();
    assert_eq!(
        (later.last, later.work.new),
        (Some(utc("2020-04-15T10:00:00Z").0), 1)
    );
}

#[tokio::test]
async fn what_the_provider_does_not_have_is_asked_for_once() {
    let (mut provider, now) = spring();
    provider.tells_coverage = false;
    let third = provider
        .bars
        .iter()
        .enumerate()
        .filter(|(row, _)| row % 3 != 0)
        .map(|(_, bar)| bar);
    provider.bars = third.collect();
    let store = memory().await;
    let request = FetchBars {
        start: Some(utc("2020-03-02T00:00:00Z").timestamp()),
        ..hourly(FetchMode::Full)
    };
    let first = run(&store, &provider, &request, now).await.unwrap();

    assert!(
        first.remaining > 600 && first.work.new == provider.bars.len() as u64,
        "{first:?}"
    );
    provider.take_requests();
    let second = run(&store, &provider, &request, now.plus_micros(HOUR))
        .await
        .unwrap();
    assert_eq!((second.work.segments, second.revision), (0, first.revision));
    // A day later the answers about the last week are doubted; older ones are final.
    run(&store, &provider, &request, now.plus_micros(25 * HOUR))
        .await
        .unwrap();
    let requests = provider.take_requests();
    assert!(
        !requests.is_empty()
            && requests
                .iter()
                .all(|range| range.start.0 >= now.0 - 7 * DAY),
        "{requests:?}"
    );
}

#[tokio::test]
async fn the_past_is_rewritten_only_when_asked_to() {
    let (mut provider, now) = spring();
    let store = memory().await;
    let first = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    provider.bars.close[17] = 9.0;
    let same = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!(same.content_sha256, first.content_sha256);
    let request = FetchBars {
        refetch: true,
        ..hourly(FetchMode::Full)
    };
    let changed = run(&store, &provider, &request, now).await.unwrap();
    assert_eq!((changed.work.changed, changed.work.new), (1, 0));
    assert_eq!(stored(&store, &euro()).await.close[17], 9.0);
}

#[tokio::test]
async fn a_ranged_load_keeps_the_rest() {
    let (provider, now) = spring();
    let store = memory().await;
    run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    let april = |day: &str| Some(format!("2020-04-{day}T00:00:00Z").parse().unwrap());
    let request = FetchBars {
        start: april("06"),
        end: april("11"),
        refetch: true,
        ..hourly(FetchMode::Full)
    };
    provider.take_requests();
    let ranged = run(&store, &provider, &request, now).await.unwrap();

    assert_eq!(ranged.rows, provider.bars.len() as u64);
    let requests = provider.take_requests();
    assert!(
        requests
            .iter()
            .all(|range| range.start >= utc("2020-04-06T00:00:00Z")
                && range.end <= utc("2020-04-11T00:00:00Z"))
    );
}

#[tokio::test]
async fn bad_requests_and_bad_files_fail_with_place_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let bars = "timestamp,open,high,low,close\n2020-01-02T14:00:00Z,1,2,0.5,1\n2020-01-02T15:00:00Z,1,2,0.5,x\n";
    std::fs::write(folder.path().join("AAPL_1h.csv"), bars).unwrap();
    let provider = FileProvider::open(folder.path().to_str().unwrap(), Mapping::default()).unwrap();
    let store = memory().await;
    let now = utc("2026-01-01T00:00:00Z");
    let day = |day: &str| Some(format!("{day}T00:00:00Z").parse().unwrap());
    let ranged = FetchBars {
        start: day("2020-02-02"),
        end: day("2020-01-01"),
        ..command("EURUSD", "1h", FetchMode::Full)
    };
    std::fs::write(folder.path().join("EURUSD_1h.csv"), bars.replace('x', "1")).unwrap();
    let mut local = command("EURUSD", "1h", FetchMode::Local);
    local
        .series
        .extend(command("AAPL", "1h", FetchMode::Local).series);
    let mut said = Vec::new();

    for request in [
        command("A PPL", "1h", FetchMode::Full),
        command("AAPL", "2x", FetchMode::Full),
        command("MSFT", "1h", FetchMode::Full),
        command("AAPL", "1h", FetchMode::Full),
        ranged,
        local,
    ] {
        let error = run(&store, &provider, &request, now).await.unwrap_err();
        let StepError::Permanent(record) = StepError::from(error) else {
            panic!("{request:?} is retried")
        };
        let ErrorRecord {
            code,
            message,
            hint,
            ..
        } = *record;
        said.push(
            format!("{code}: {message}\n  hint: {hint}")
                .replace(folder.path().to_str().unwrap(), "FOLDER"),
        );
    }
    assert!(store.series().list().await.unwrap().is_empty());
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_file_is_found_by_what_its_name_can_only_mean() {
    let folder = tempfile::tempdir().unwrap();
    let bars = "timestamp,open,high,low,close\n2020-01-02T14:00:00Z,1,2,0.5,1\n";
    for name in ["BTCUSDT_1h.csv", "BTCUSD_1h.csv"] {
        std::fs::write(folder.path().join(name), bars).unwrap();
    }
    let place = folder.path().to_str().unwrap();
    let provider = FileProvider::open(place, Mapping::default()).unwrap();
    let store = memory().await;
    let now = utc("2026-01-01T00:00:00Z");

    // Nothing but crypto is priced in USDT.
    let clear = command("crypto:BTC/USDT", "1h", FetchMode::Full);
    run(&store, &provider, &clear, now).await.unwrap();

    // The spot market and a perpetual are both called BTCUSD.
    let unclear = command("crypto:BTC/USD", "1h", FetchMode::Full);
    let error = run(&store, &provider, &unclear, now).await.unwrap_err();
    let StepError::Permanent(record) = StepError::from(error) else {
        panic!("an unclear name is retried")
    };
    let said = format!("{}\n  hint: {}", record.message, record.hint);
    insta::assert_snapshot!(said.replace(place, "FOLDER"));

    std::fs::rename(
        folder.path().join("BTCUSD_1h.csv"),
        folder.path().join("crypto-btc-usd_1h.csv"),
    )
    .unwrap();
    run(&store, &provider, &unclear, now).await.unwrap();
}
