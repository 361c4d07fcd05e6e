//! Series: commits that lose nothing, snapshots that do not change, and listing.

use market::{Instrument, SeriesKey, Timeframe, Utc};
use schemas::manifests::EmptyInterval;
use store::{ALL_TIME, Edit, Garbage, GarbageKind, RawBar, RawBars, SeriesSnapshot, Store};

use super::{on_every_store, utc};

const HOUR: i64 = 3_600_000_000;

pub(super) fn series(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap()
}

/// `count` hourly bars from `start`, all closing at `close`.
pub(super) fn hours(start: &str, count: i64, close: f64) -> RawBars {
    let start = utc(start);
    (0..count)
        .map(|k| RawBar {
            open_time: start.plus_micros(k * HOUR),
            prices: [1.0, 2.0, 0.5, close],
            volume: f64::NAN,
        })
        .collect()
}

pub(super) fn edit(bars: RawBars) -> Edit {
    Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: "fx".to_owned(),
        at: Utc(7),
    }
}

#[test]
fn bars_come_back_as_committed() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::HOUR_1);
        assert!(store.series().snapshot(&key, None).await.unwrap().is_none());
        let mut bars = hours("2019-12-31T20:00:00Z", 8, 1.25);
        bars.volume[3] = 5.0;

        let outcome = store
            .series()
            .commit(&key, edit(bars.clone()), None)
            .await
            .unwrap();
        assert_eq!((outcome.new, outcome.changed), (8, 0));
        let manifest = &outcome.snapshot.manifest;
        assert_eq!(manifest.revision, 1);
        let rows_by_year: Vec<_> = manifest
            .files
            .iter()
            .map(|file| (file.period.as_str(), file.rows))
            .collect();
        assert_eq!(rows_by_year, [("2019", 4), ("2020", 4)]);

        // An unknown volume stays unknown.
        let stored = store
            .series()
            .raw_bars(&outcome.snapshot, ALL_TIME)
            .await
            .unwrap();
        assert_eq!(stored.open_time, bars.open_time);
        assert_eq!(stored.volume[3], 5.0);
        assert_eq!(stored.volume.iter().filter(|v| v.is_nan()).count(), 7);

        let two_hours = utc("2019-12-31T23:00:00Z")..utc("2020-01-01T01:00:00Z");
        let part = store
            .series()
            .raw_bars(&outcome.snapshot, two_hours)
            .await
            .unwrap();
        assert_eq!(part.len(), 2);

        // 20:00 to 21:00 on a trading day: known at 21:00.
        let (_, bars) = store.series().read_newest(&key, ALL_TIME).await.unwrap();
        assert_eq!(bars.close_time[0], utc("2019-12-31T21:00:00Z"));
    });
}

#[test]
fn a_commit_of_one_month_leaves_every_other_file() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::MINUTE_5);
        let ten_months = hours("2020-01-01T00:00:00Z", 24 * 300, 1.0);
        let before = store
            .series()
            .commit(&key, edit(ten_months), None)
            .await
            .unwrap()
            .snapshot;
        assert_eq!(before.manifest.files.len(), 10);

        let one_day = hours("2020-03-05T00:00:00Z", 24, 2.0);
        let after = store
            .series()
            .commit(&key, edit(one_day), Some(1))
            .await
            .unwrap();

        assert_eq!((after.new, after.changed), (0, 24));
        let pairs = before
            .manifest
            .files
            .iter()
            .zip(&after.snapshot.manifest.files);
        let changed: Vec<_> = pairs
            .filter(|(old, new)| old != new)
            .map(|(old, _)| old.period.as_str())
            .collect();
        assert_eq!(changed, ["2020-03"]);
        let all = store.series().raw_bars(&after.snapshot, ALL_TIME).await;
        assert_eq!(all.unwrap().len(), 24 * 300);
    });
}

#[test]
fn the_same_edit_twice_is_one_revision() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::HOUR_1);
        let empty = EmptyInterval {
            start: 10,
            end: 20,
            asked_at: 5,
        };
        let same = Edit {
            empty_intervals: vec![empty],
            ..edit(hours("2020-01-01T00:00:00Z", 10, 1.0))
        };

        let first = store.series().commit(&key, same.clone(), None).await;
        let second = store.series().commit(&key, same, None).await.unwrap();

        assert_eq!((second.new, second.changed), (0, 0));
        assert_eq!(second.snapshot, first.unwrap().snapshot);
    });
}

async fn commit(store: &Store, key: &SeriesKey, bars: RawBars) -> SeriesSnapshot {
    let outcome = store.series().commit(key, edit(bars), None).await;
    outcome.unwrap().snapshot
}

#[test]
fn content_does_not_depend_on_the_order_of_commits() {
    on_every_store(|store| async move {
        let whole = series("EURUSD", Timeframe::HOUR_1);
        let pieces = series("GBPUSD", Timeframe::HOUR_1);
        let bars = hours("2018-12-01T00:00:00Z", 2_000, 1.5);
        let middle = bars.open_time[700];

        let at_once = commit(&store, &whole, bars.clone()).await;
        let second_half = bars.between(&(middle..Utc(i64::MAX)));
        commit(&store, &pieces, second_half).await;
        let first_half = bars.between(&(Utc(0)..middle));
        let last = commit(&store, &pieces, first_half).await;

        assert_eq!(last.manifest.revision, 2);
        assert_eq!(at_once.content_sha256(), last.content_sha256());
    });
}

/// Commits 60 bars, of which the last ten are the first ten of the next writer.
async fn commit_as(writer: i64, store: Store, key: SeriesKey) {
    let start = Utc(writer * 50 * HOUR).to_string();
    let bars = edit(hours(&start, 60, 1.0));
    store.series().commit(&key, bars, None).await.unwrap();
}

#[test]
fn many_writers_of_one_series_lose_nothing() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::HOUR_1);
        // The server of the tests answers one request at a time, and contention is quadratic.
        let writers: i64 = if store.url().starts_with("s3:") {
            6
        } else {
            20
        };

        let tasks: Vec<_> = (0..writers)
            .map(|writer| tokio::spawn(commit_as(writer, store.clone(), key.clone())))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }

        let snapshot = store.series().snapshot(&key, Some(3)).await.unwrap();
        let snapshot = snapshot.unwrap();
        let bars = store.series().raw_bars(&snapshot, ALL_TIME).await.unwrap();
        assert_eq!(bars.len() as i64, (writers - 1) * 50 + 60);
        let revision = snapshot.manifest.revision;
        assert!(revision <= writers as u64, "at most one per writer");
    });
}

async fn closes(store: &Store, snapshot: &SeriesSnapshot) -> Vec<f64> {
    let bars = store.series().raw_bars(snapshot, ALL_TIME).await;
    bars.unwrap().close
}

#[test]
fn a_reader_keeps_its_revision_while_others_write() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::HOUR_1);
        let five = edit(hours("2020-01-01T00:00:00Z", 5, 1.0));
        let old = store.series().commit(&key, five, None).await.unwrap();

        let nine = edit(hours("2020-01-01T00:00:00Z", 9, 2.0));
        store.series().commit(&key, nine, None).await.unwrap();

        assert_eq!(closes(&store, &old.snapshot).await, [1.0; 5]);
        let newest = store.series().snapshot(&key, Some(1)).await.unwrap();
        assert_eq!(closes(&store, &newest.unwrap()).await, [2.0; 9]);
    });
}

#[test]
fn every_series_is_listed_once_with_its_newest_revision() {
    on_every_store(|store| async move {
        let once = series("AAPL", Timeframe::DAY_1);
        let twice = series("EURUSD", Timeframe::HOUR_1);
        for (key, bars) in [(&once, 1), (&twice, 1), (&twice, 2)] {
            let bars = edit(hours("2020-01-01T00:00:00Z", bars, 1.0));
            store.series().commit(key, bars, None).await.unwrap();
        }

        let mut listed: Vec<_> = store
            .series()
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|snapshot| (snapshot.key, snapshot.manifest.revision))
            .collect();

        listed.sort_unstable();
        let mut expected = [(once, 1), (twice, 2)];
        expected.sort_unstable();
        assert_eq!(listed, expected);
    });
}

#[test]
fn a_bar_without_a_finite_price_is_refused_by_name() {
    on_every_store(|store| async move {
        let mut bars = hours("2020-01-01T00:00:00Z", 3, 1.0);
        bars.high[1] = f64::NAN;

        let key = series("EURUSD", Timeframe::HOUR_1);
        let refused = store.series().commit(&key, edit(bars), None).await;

        let text = refused.unwrap_err().to_string();
        assert!(text.contains("2020-01-01T01:00:00Z"), "{text}");
        assert!(store.series().list().await.unwrap().is_empty());
    });
}

/// Deletes the manifest of a revision, as somebody might do by mistake.
async fn lose_manifest(store: &Store, key: &SeriesKey, revision: u64) {
    let manifest = Garbage {
        kind: GarbageKind::OldRevision,
        key: format!("{}/manifest.{revision}.json", key.prefix()),
        size_bytes: 0,
    };
    store.delete_garbage(&[manifest]).await.unwrap();
}

#[test]
fn a_newest_manifest_that_is_gone_is_read_from_its_copy() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::HOUR_1);
        for close in [1.25, 1.5] {
            let bars = hours("2020-01-02T00:00:00Z", 3, close);
            store.series().commit(&key, edit(bars), None).await.unwrap();
        }
        lose_manifest(&store, &key, 2).await;

        let snapshot = store.series().snapshot(&key, None).await.unwrap().unwrap();
        assert_eq!(snapshot.manifest.revision, 2, "not silently one older");
        let loss = snapshot.describe_loss().unwrap();
        assert!(loss.contains("manifest.2.json"), "{loss}");
        let bars = store.series().raw_bars(&snapshot, ALL_TIME).await.unwrap();
        assert_eq!(bars.close[0], 1.5);
        assert_eq!(store.series().list().await.unwrap(), [snapshot]);

        // Its files are needed, however old they are.
        let later = utc("2100-01-01T00:00:00Z");
        let garbage = store.find_garbage(later).await.unwrap();
        store.delete_garbage(&garbage).await.unwrap();
        let bars = hours("2020-01-02T03:00:00Z", 1, 2.0);
        let outcome = store.series().commit(&key, edit(bars), None).await.unwrap();
        assert_eq!(outcome.snapshot.manifest.revision, 3);
        let newest = store.series().snapshot(&key, None).await.unwrap().unwrap();
        assert_eq!(newest.describe_loss(), None);
        assert_eq!(newest.manifest.rows(), 4);
    });
}

/// Hours from `start` that close at 1, 2, 3 and so on.
fn counted_hours(start: &str, count: i64) -> RawBars {
    let hours = hours(start, count, 1.0);
    let counted = hours.iter().zip(1_i32..).map(|(bar, number)| RawBar {
        prices: [1.0, 2.0, 0.5, f64::from(number)],
        ..bar
    });
    counted.collect()
}

#[test]
fn bars_of_a_range_are_made_of_finer_ones_around_it() {
    on_every_store(|store| async move {
        let hourly = series("EURUSD", Timeframe::HOUR_1);
        // Monday to Wednesday, and one hour of Thursday.
        let bars = edit(counted_hours("2020-03-02T00:00:00Z", 73));
        store.series().commit(&hourly, bars, None).await.unwrap();

        let daily = series("EURUSD", Timeframe::DAY_1);
        let snapshot = store.series().find_finer(&daily).await.unwrap().unwrap();
        assert_eq!(snapshot.key, hourly);
        let range = utc("2020-03-02T12:00:00Z")..utc("2020-03-04T12:00:00Z");
        let days = store
            .series()
            .bars_in(&snapshot, Timeframe::DAY_1, range)
            .await
            .unwrap();

        // Monday begins before the range; Wednesday begins in it, and is whole.
        let opens = [utc("2020-03-03T00:00:00Z"), utc("2020-03-04T00:00:00Z")];
        let closes = [utc("2020-03-04T00:00:00Z"), utc("2020-03-05T00:00:00Z")];
        assert_eq!(days.open_time, opens);
        assert_eq!(days.close_time, closes);
        assert_eq!(days.close, [48.0, 72.0]);
    });
}

#[test]
fn a_series_has_no_finer_one_of_another_kind() {
    on_every_store(|store| async move {
        let hourly = series("EURUSD", Timeframe::HOUR_1);
        let bars = edit(hours("2020-03-02T00:00:00Z", 24, 1.0));
        store.series().commit(&hourly, bars, None).await.unwrap();

        for other in [
            series("EURUSD", Timeframe::MINUTE_5),
            series("GBPUSD", Timeframe::DAY_1),
        ] {
            assert_eq!(store.series().find_finer(&other).await.unwrap(), None);
        }
    });
}

#[test]
fn a_lost_manifest_is_seen_from_the_revision_before_it() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::HOUR_1);
        for close in [1.25, 1.5] {
            let bars = hours("2020-01-02T00:00:00Z", 3, close);
            store.series().commit(&key, edit(bars), None).await.unwrap();
        }
        lose_manifest(&store, &key, 2).await;

        let snapshot = store.series().snapshot(&key, Some(1)).await.unwrap();
        let snapshot = snapshot.unwrap();
        assert_eq!(snapshot.manifest.revision, 2);
        assert!(snapshot.describe_loss().is_some());

        // A commit goes on from the lost one, and writes no other in its place.
        let bars = hours("2020-01-02T03:00:00Z", 1, 2.0);
        let outcome = store.series().commit(&key, edit(bars), Some(1)).await;
        let newest = outcome.unwrap().snapshot;
        assert_eq!(newest.manifest.revision, 3);
        assert_eq!(closes(&store, &newest).await, [1.5, 1.5, 1.5, 2.0]);
    });
}
