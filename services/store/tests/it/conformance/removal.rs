//! Deleting bars, bringing them back, and deleting what nothing needs.

use market::{SeriesKey, Timeframe, Utc};
use store::{ALL_TIME, GarbageKind, RawBars, Store};

use super::series::{edit, hours, series};
use super::{on_every_store, utc};

/// Later than every object that a test writes.
const FAR_FUTURE: Utc = Utc(i64::MAX);

/// Eight hourly bars around a new year, in two files.
async fn store_eight_hours(store: &Store) -> (SeriesKey, RawBars) {
    let key = series("EURUSD", Timeframe::HOUR_1);
    let bars = hours("2019-12-31T20:00:00Z", 8, 1.25);
    let committed = store.series().commit(&key, edit(bars.clone()), None).await;
    committed.unwrap();
    (key, bars)
}

async fn stored_opens(store: &Store, key: &SeriesKey) -> Vec<Utc> {
    let snapshot = store.series().snapshot(key, None).await.unwrap().unwrap();
    let bars = store.series().raw_bars(&snapshot, ALL_TIME).await.unwrap();
    bars.open_time
}

#[test]
fn whoever_takes_bars_away_is_named_until_the_next_one() {
    on_every_store(|store| async move {
        let (key, _) = store_eight_hours(&store).await;
        let series = store.series();

        let deleted = series.delete_for("ann", &key, ALL_TIME, Utc(8)).await;
        let removal = deleted.unwrap().snapshot.manifest.removal.unwrap();
        assert_eq!((removal.by.as_str(), removal.revision), ("ann", 2));
        assert!(!removal.is_undone);
        let restored = series.undelete_for("bob", &key, Utc(9)).await.unwrap();
        let removal = restored.snapshot.manifest.removal.unwrap();
        assert_eq!((removal.by.as_str(), removal.at), ("bob", 9));
        assert!(removal.is_undone);

        // A revision that nobody asked for in person goes on saying it.
        let later = series.delete(&key, ALL_TIME, Utc(10)).await.unwrap();
        let removal = later.snapshot.manifest.removal.unwrap();
        assert_eq!((removal.by.as_str(), removal.revision), ("bob", 3));
    });
}

#[test]
fn deleted_bars_come_back_as_they_were() {
    on_every_store(|store| async move {
        let (key, bars) = store_eight_hours(&store).await;
        let before = store.series().snapshot(&key, None).await.unwrap().unwrap();

        let deleted = store.series().delete(&key, ALL_TIME, Utc(8)).await.unwrap();
        let deletion = deleted.snapshot.manifest.deletion.unwrap();
        assert_eq!(deletion.bars, 8);
        assert_eq!(Utc(deletion.last), utc("2020-01-01T03:00:00Z"));
        assert!(stored_opens(&store, &key).await.is_empty());

        let restored = store.series().undelete(&key, Utc(9)).await.unwrap();
        assert_eq!(restored.new, 8);
        assert_eq!(restored.snapshot.content_sha256(), before.content_sha256());
        assert_eq!(stored_opens(&store, &key).await, bars.open_time);

        // Once more is no further revision.
        let repeated = store.series().undelete(&key, Utc(10)).await.unwrap();
        assert_eq!(repeated.new, 0);
        assert_eq!(repeated.snapshot.manifest.revision, 3);
    });
}

#[test]
fn a_range_is_deleted_and_nothing_else() {
    on_every_store(|store| async move {
        let (key, bars) = store_eight_hours(&store).await;

        // The last hour of one year and the first two of the next.
        let range = utc("2019-12-31T23:00:00Z")..utc("2020-01-01T02:00:00Z");
        let deleted = store.series().delete(&key, range, Utc(8)).await.unwrap();
        assert_eq!(deleted.snapshot.manifest.deletion.unwrap().bars, 3);
        let rest = [&bars.open_time[..3], &bars.open_time[6..]].concat();
        assert_eq!(stored_opens(&store, &key).await, rest);

        let nothing = utc("2021-01-01T00:00:00Z")..utc("2022-01-01T00:00:00Z");
        let again = store.series().delete(&key, nothing, Utc(9)).await.unwrap();
        assert_eq!(again.snapshot.manifest.revision, 2);
    });
}

#[test]
fn bars_stored_after_a_deletion_outlive_its_undoing() {
    on_every_store(|store| async move {
        let (key, bars) = store_eight_hours(&store).await;
        store.series().delete(&key, ALL_TIME, Utc(8)).await.unwrap();
        let newer = hours("2020-01-01T01:00:00Z", 1, 1.75);
        let committed = store.series().commit(&key, edit(newer), None).await;
        committed.unwrap();

        let restored = store.series().undelete(&key, Utc(10)).await.unwrap();
        assert_eq!(restored.new, 7);
        let stored = store.series().raw_bars(&restored.snapshot, ALL_TIME).await;
        let stored = stored.unwrap();
        assert_eq!(stored.open_time, bars.open_time);
        assert_eq!(stored.close[4..7], [1.25, 1.75, 1.25]);
    });
}

#[test]
fn what_was_never_deleted_cannot_come_back() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::HOUR_1);
        let absent = store.series().undelete(&key, Utc(1)).await.unwrap_err();
        assert!(absent.to_string().contains("does not exist"), "{absent}");

        let (key, _) = store_eight_hours(&store).await;
        let untouched = store.series().undelete(&key, Utc(2)).await.unwrap_err();
        let text = untouched.to_string();
        assert!(text.contains("no bars of"), "{text}");
        assert!(text.contains("were deleted"), "{text}");
    });
}

#[test]
fn garbage_is_what_no_recent_revision_needs() {
    on_every_store(|store| async move {
        let (key, _) = store_eight_hours(&store).await;
        let changed = hours("2020-01-01T01:00:00Z", 1, 1.75);
        let committed = store.series().commit(&key, edit(changed), None).await;
        committed.unwrap();
        store.series().delete(&key, ALL_TIME, Utc(9)).await.unwrap();
        store.series().undelete(&key, Utc(20)).await.unwrap();

        // Revisions 2 and 3 were replaced at 9 and 20: to a grace period that begins at 15, only
        // revisions 1 and 2 are out of date. Files are written by the clock of the store, now.
        let garbage = store.find_garbage(Utc(15)).await.unwrap();
        let keys: Vec<_> = garbage.iter().map(|object| object.key.as_str()).collect();
        let prefix = key.prefix();
        let names = ["copy.1", "copy.2", "manifest.1", "manifest.2"];
        assert_eq!(keys, names.map(|name| format!("{prefix}/{name}.json")));

        // Without a grace period the file of 2020 as it was first goes too.
        let garbage = store.find_garbage(FAR_FUTURE).await.unwrap();
        let kinds: Vec<_> = garbage.iter().map(|object| object.kind).collect();
        let old = GarbageKind::OldRevision;
        assert_eq!(kinds, [old, old, old, old, old, old, GarbageKind::OldBars]);
        assert!(garbage[6].key.contains("/2020."), "{}", garbage[6].key);

        store.delete_garbage(&garbage).await.unwrap();
        assert_eq!(stored_opens(&store, &key).await.len(), 8);
        assert!(store.find_garbage(FAR_FUTURE).await.unwrap().is_empty());
    });
}

#[test]
fn a_deletion_cannot_be_undone_after_the_garbage_is_gone() {
    on_every_store(|store| async move {
        let (key, _) = store_eight_hours(&store).await;
        store.series().delete(&key, ALL_TIME, Utc(8)).await.unwrap();

        let garbage = store.find_garbage(FAR_FUTURE).await.unwrap();
        store.delete_garbage(&garbage).await.unwrap();
        let gone = store.series().undelete(&key, Utc(9)).await.unwrap_err();
        assert!(gone.to_string().starts_with("revision 1 of"), "{gone}");

        // The series goes on counting, so that readers of older revisions cannot mistake it.
        let bars = hours("2019-12-31T20:00:00Z", 8, 1.25);
        let again = store.series().commit(&key, edit(bars), None).await.unwrap();
        assert_eq!(again.snapshot.manifest.revision, 3);
        assert_eq!(stored_opens(&store, &key).await.len(), 8);
    });
}
