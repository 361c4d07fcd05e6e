//! What a fetch makes of the answers that it gets: classes of gaps, lost beginnings, other writers.

use fake_http::yahoo::Share;
use fetcher::GapSettings;
use fetcher::fetch::fetch;
use schemas::codes::Advice;
use schemas::commands::{FetchBars, FetchMode};
use schemas::gaps::{GapClass, GapCount};
use store::{Edit, RawBar, RawBars};

use crate::fetching::{command, hourly, memory, run, spring, stored};
use crate::scripted::{HOUR, Runner, bar, euro, utc};
use crate::yahoo::{Desk, august, now as today};

/// An edit that stores these bars and says nothing about emptiness.
fn edit(bars: RawBars) -> Edit {
    Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: String::new(),
        at: utc("2020-06-27T12:00:00Z"),
    }
}

#[tokio::test]
async fn a_load_counts_its_gaps_by_class() {
    let (mut provider, now) = spring();
    let store = memory().await;

    // Stored: all but the first 100 and three hours of a Wednesday; the provider lacks a Thursday.
    let thursday = utc("2020-04-16T00:00:00Z")..utc("2020-04-17T00:00:00Z");
    let hours = utc("2020-04-15T10:00:00Z")..utc("2020-04-15T13:00:00Z");
    let has_bar = |bar: &RawBar| !thursday.contains(&bar.open_time);
    provider.bars = provider.bars.iter().filter(has_bar).collect();
    let is_stored = |bar: &RawBar| !hours.contains(&bar.open_time);
    let bars = provider.bars.iter().skip(100).filter(is_stored).collect();
    store
        .series()
        .commit(&euro(), edit(bars), None)
        .await
        .unwrap();

    let loaded = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    // Head: 100 hours from Monday 2020-03-02 on. Thursday's hours reach into two sessions of
    // 17:00 to 17:00 New York, so none of them is missing as a whole.
    let count_of = |class| loaded.gaps.found.get(&class).copied();
    let bars = |stretches, bars| Some(GapCount { stretches, bars });
    assert_eq!(count_of(GapClass::UnlistedClosure), bars(1, 100));
    assert_eq!(count_of(GapClass::MissingData), bars(2, 27));
    assert_eq!(count_of(GapClass::ExpectedWeekend), bars(16, 0));
    assert_eq!(loaded.gaps.filled, 103);
    assert_eq!(
        loaded.gaps.remaining[&GapClass::ProviderEmpty],
        GapCount {
            stretches: 1,
            bars: 24
        }
    );
    assert!(!loaded.gaps.remaining.contains_key(&GapClass::MissingData));
}

#[tokio::test]
async fn every_load_reports_that_it_analyses_gaps() {
    let (provider, now) = spring();
    let store = memory().await;

    for mode in [
        FetchMode::Full,
        FetchMode::Tail,
        FetchMode::Backfill,
        FetchMode::Local,
    ] {
        let runner = Runner::default();
        let settings = GapSettings::default();
        fetch(&store, &provider, &hourly(mode), &settings, now, &runner)
            .await
            .unwrap();

        let messages = runner.messages.lock().unwrap().clone();
        let step = format!("Analyse gaps of EURUSD 1h ({} mode)", mode.as_str());
        assert!(messages.contains(&step), "{messages:?}");
    }
}

#[tokio::test]
async fn an_answer_without_its_beginning_is_asked_for_again() {
    let (mut provider, now) = spring();
    let whole = provider.bars.clone();
    provider.tells_coverage = false;
    provider.answer_bars_max = Some(150);
    let store = memory().await;
    let request = FetchBars {
        start: Some(utc("2020-03-02T00:00:00Z").timestamp()),
        ..hourly(FetchMode::Full)
    };

    // Four pieces of 30 days and one of a few; the newest 150 bars of each come.
    let first = run(&store, &provider, &request, now).await.unwrap();
    assert!(first.remaining > 1_000, "{first:?}");
    assert!(
        first.warnings[0].contains("is asked for again"),
        "{:?}",
        first.warnings
    );
    assert!(!first.gaps.remaining.contains_key(&GapClass::ProviderEmpty));

    for _ in 0..3 {
        run(&store, &provider, &request, now).await.unwrap();
    }
    let last = run(&store, &provider, &request, now).await.unwrap();
    assert_eq!(last.remaining, 0);
    assert_eq!(stored(&store, &euro()).await.open_time, whole.open_time);
}

#[tokio::test]
async fn a_refetch_asks_for_what_the_ledger_calls_empty() {
    let (mut provider, now) = spring();
    let whole = provider.bars.clone();
    let day = utc("2020-04-15T00:00:00Z")..utc("2020-04-16T00:00:00Z");
    let has_bar = |bar: &RawBar| !day.contains(&bar.open_time);
    provider.bars = whole.iter().filter(has_bar).collect();
    let store = memory().await;
    run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    // The provider has the day now; the ledger keeps others from asking.
    provider.bars = whole.clone();
    provider.take_requests();
    let again = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    assert!(provider.take_requests().is_empty());
    assert_eq!(again.gaps.remaining[&GapClass::ProviderEmpty].bars, 24);

    let refetch = FetchBars {
        refetch: true,
        ..hourly(FetchMode::Full)
    };
    let filled = run(&store, &provider, &refetch, now).await.unwrap();
    assert_eq!(
        (filled.work.new, filled.gaps.filled, filled.remaining),
        (24, 24, 0)
    );
    assert_eq!(stored(&store, &euro()).await.open_time, whole.open_time);
}

#[tokio::test]
async fn a_ranged_refetch_leaves_every_other_bar_as_it_was() {
    let (mut provider, now) = spring();
    let store = memory().await;
    run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    let before = stored(&store, &euro()).await;

    // The provider revises everything, and a week of it is fetched again.
    for close in &mut provider.bars.close {
        *close += 0.25;
    }
    let week = utc("2020-04-06T00:00:00Z")..utc("2020-04-11T00:00:00Z");
    let request = FetchBars {
        start: Some(week.start.timestamp()),
        end: Some(week.end.timestamp()),
        refetch: true,
        ..hourly(FetchMode::Full)
    };
    let ranged = run(&store, &provider, &request, now).await.unwrap();

    let after = stored(&store, &euro()).await;
    // Four days, and Friday up to 17:00 New York.
    assert_eq!(ranged.work.changed, 4 * 24 + 21);
    assert_eq!(after.open_time, before.open_time);
    for (old, new) in before.iter().zip(after.iter()) {
        let moved = if week.contains(&old.open_time) {
            0.25
        } else {
            0.0
        };
        let [.., close] = old.prices;
        let [.., new_close] = new.prices;
        assert_eq!(
            new_close.to_bits(),
            (close + moved).to_bits(),
            "{}",
            old.open_time
        );
    }
}

#[tokio::test]
async fn two_fetches_of_one_series_lose_nothing() {
    let (provider, now) = spring();
    let store = memory().await;
    let early = FetchBars {
        end: Some(utc("2020-05-15T00:00:00Z").timestamp()),
        ..hourly(FetchMode::Full)
    };
    let late = FetchBars {
        start: Some(utc("2020-04-15T00:00:00Z").timestamp()),
        ..hourly(FetchMode::Full)
    };

    let (first, second) = tokio::join!(
        run(&store, &provider, &early, now),
        run(&store, &provider, &late, now.plus_micros(HOUR)),
    );

    assert_eq!(
        (first.unwrap().remaining, second.unwrap().remaining),
        (0, 0)
    );
    let after = stored(&store, &euro()).await;
    assert_eq!(after.open_time, provider.bars.open_time);
    assert_eq!(after.close, provider.bars.close);
}

#[tokio::test]
async fn appending_a_week_writes_two_files_at_most() {
    let store = memory().await;
    let mut key = euro();
    key.timeframe = "5m".parse().unwrap();
    let bars = |range: [&str; 2]| -> RawBars {
        let count = (utc(range[1]).0 - utc(range[0]).0) / (5 * 60_000_000);
        let opens = (0..count).map(|step| utc(range[0]).plus_micros(step * 300_000_000));
        opens.map(|open| bar(open, 1.0)).collect()
    };
    let history = edit(bars(["2019-06-01T00:00:00Z", "2020-03-28T00:00:00Z"]));
    let before = store.series().commit(&key, history, None).await.unwrap();

    // A week over the end of a month.
    let week = edit(bars(["2020-03-28T00:00:00Z", "2020-04-04T00:00:00Z"]));
    let after = store.series().commit(&key, week, None).await.unwrap();

    let old_files = &before.snapshot.manifest.files;
    let new_files = &after.snapshot.manifest.files;
    let written: Vec<&str> = new_files
        .iter()
        .filter(|file| !old_files.contains(file))
        .map(|file| file.period.as_str())
        .collect();
    assert_eq!(written, ["2020-03", "2020-04"]);
    assert_eq!((old_files.len(), new_files.len()), (10, 11));
}

#[tokio::test]
async fn a_tail_on_the_scale_after_a_split_is_refused() {
    let (mut provider, now) = spring();
    let store = memory().await;
    let old: RawBars = provider.bars.iter().take(300).collect();
    store
        .series()
        .commit(&euro(), edit(old.clone()), None)
        .await
        .unwrap();

    // Ten for one: the provider gives all of its history again.
    let bars = &mut provider.bars;
    for column in [
        &mut bars.open,
        &mut bars.high,
        &mut bars.low,
        &mut bars.close,
    ] {
        for price in column {
            *price /= 10.0;
        }
    }
    let refusal = run(&store, &provider, &hourly(FetchMode::Tail), now)
        .await
        .unwrap_err();

    assert_eq!(refusal.code(), schemas::codes::DATA_ADJUSTMENT_BREAK);
    assert!(refusal.to_string().contains("0.1000 times"), "{refusal}");
    assert_eq!(stored(&store, &euro()).await.close, old.close);

    // What the hint says makes one scale of it.
    let refetch = FetchBars {
        refetch: true,
        ..hourly(FetchMode::Full)
    };
    run(&store, &provider, &refetch, now).await.unwrap();
    assert_eq!(stored(&store, &euro()).await.close, provider.bars.close);
}

#[tokio::test]
async fn a_small_dividend_is_not_joined_to_earlier_prices() {
    let store = memory().await;
    let mut first = command("AAPL", "1d", FetchMode::Full);
    first.end = Some(utc("2020-08-20T00:00:00Z").timestamp());
    let before = Desk::of("yahoo_adjusted", august());
    let key = before.key("AAPL", "1d");
    run(&store, &*before.provider, &first, today())
        .await
        .unwrap();
    let old = stored(&store, &key).await;

    // A dividend of 0.2 % is paid, and all earlier prices are adjusted for it.
    let adjusted = Share {
        adjusted_share: 0.499,
        ..august()
    };
    let after = Desk::of("yahoo_adjusted", adjusted);
    for mode in [FetchMode::Tail, FetchMode::Full] {
        let load = command("AAPL", "1d", mode);
        let refusal = run(&store, &*after.provider, &load, today())
            .await
            .unwrap_err();

        assert_eq!(refusal.code(), schemas::codes::DATA_ADJUSTMENT_BREAK);
        insta::allow_duplicates!(
            insta::assert_snapshot!(format!("{refusal}\n{}", refusal.hint()), @"
        the provider's prices of AAPL 1d are 0.9980 times the stored ones of the same times, as after a split or a dividend
        `ktrdr data load AAPL --timeframe 1d --provider yahoo_adjusted --mode full --refetch` replaces the stored bars by the provider's
        ")
        );
        assert_eq!(stored(&store, &key).await.close, old.close);
    }

    // What the hint says makes one scale of it.
    let mut refetch = command("AAPL", "1d", FetchMode::Full);
    refetch.refetch = true;
    run(&store, &*after.provider, &refetch, today())
        .await
        .unwrap();
    let closes = stored(&store, &key).await.close;
    assert!(closes.len() > old.len());
    assert!(
        closes.iter().all(|close| (close - 49.9).abs() < 1e-9),
        "{closes:?}"
    );
}
