//! What is left after a crash, a full disk, or a flipped bit: always the state before or the state
//! after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::stream::BoxStream;
use market::{Instrument, SeriesKey, Timeframe, Utc};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use schemas::errors::chain;
use schemas::ids::StepNumber;
use store::{ALL_TIME, Bytes, Checkpoint, CheckpointKey, Edit, RawBar, RawBars, Store, StoreError};

/// A backend whose writes fail once a budget is used up, before or after they took effect.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    writes_left: AtomicI64,
    after_effect: bool,
    kind: io::ErrorKind,
}

impl Failing {
    fn new(after_effect: bool, kind: io::ErrorKind) -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            writes_left: AtomicI64::new(i64::MAX),
            after_effect,
            kind,
        })
    }

    /// Lets this many writes through; a negative number lets all through.
    fn allow(&self, writes: i64) {
        self.writes_left
            .store(if writes < 0 { i64::MAX } else { writes }, Ordering::SeqCst);
    }

    fn error(&self) -> object_store::Error {
        object_store::Error::Generic {
            store: "failing",
            source: Box::new(io::Error::from(self.kind)),
        }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("failing")
    }
}

type Pending<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl ObjectStore for Failing {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        place: &'b Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> Pending<'c, Result<PutResult>>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let allowed = self.writes_left.fetch_sub(1, Ordering::SeqCst) > 0;
            if !allowed && !self.after_effect {
                return Err(self.error());
            }
            let done = self.inner.put_opts(place, bytes, options).await?;
            if allowed { Ok(done) } else { Err(self.error()) }
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        place: &'b Path,
        options: PutMultipartOptions,
    ) -> Pending<'c, Result<Box<dyn MultipartUpload>>>
    where
        'a: 'c,
        'b: 'c,
    {
        self.inner.put_multipart_opts(place, options)
    }

    fn get_opts<'a, 'b, 'c>(
        &'a self,
        place: &'b Path,
        options: GetOptions,
    ) -> Pending<'c, Result<GetResult>>
    where
        'a: 'c,
        'b: 'c,
    {
        self.inner.get_opts(place, options)
    }

    fn get_ranges<'a, 'b, 'd, 'c>(
        &'a self,
        place: &'b Path,
        ranges: &'d [Range<u64>],
    ) -> Pending<'c, Result<Vec<Bytes>>>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
    {
        self.inner.get_ranges(place, ranges)
    }

    fn delete_stream(
        &self,
        places: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(places)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_delimiter<'a, 'b, 'c>(
        &'a self,
        prefix: Option<&'b Path>,
    ) -> Pending<'c, Result<ListResult>>
    where
        'a: 'c,
        'b: 'c,
    {
        self.inner.list_with_delimiter(prefix)
    }

    fn copy_opts<'a, 'b, 'd, 'c>(
        &'a self,
        from: &'b Path,
        to: &'d Path,
        options: CopyOptions,
    ) -> Pending<'c, Result<()>>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
    {
        self.inner.copy_opts(from, to, options)
    }
}

fn key() -> SeriesKey {
    SeriesKey::standard(
        "file",
        Instrument::parse("EURUSD").unwrap(),
        Timeframe::Hour1,
    )
    .unwrap()
}

/// Hourly bars over two years, so that a commit writes two files and a manifest.
fn edit(close: f64) -> Edit {
    let start: Utc = Utc::from_timestamp("2019-12-31T12:00:00Z".parse().unwrap());
    let bar = |k: i64| RawBar {
        open_time: start.plus_micros(k * 3_600_000_000),
        prices: [1.0, 2.0, 0.5, close],
        volume: f64::NAN,
    };
    let bars: RawBars = (0..24).map(bar).collect();
    Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: "fx".to_owned(),
        at: Utc(0),
    }
}

async fn closes(store: &Store) -> Vec<f64> {
    let snapshot = store
        .series()
        .snapshot(&key(), None)
        .await
        .unwrap()
        .unwrap();
    let mut closes = store
        .series()
        .raw_bars(&snapshot, ALL_TIME)
        .await
        .unwrap()
        .close;
    closes.dedup();
    closes
}

#[tokio::test]
async fn a_commit_that_dies_at_any_write_leaves_old_or_new_and_can_be_repeated() {
    for after_effect in [false, true] {
        // Two files and the manifest are three writes.
        for dies_at in 0..3 {
            let backend = Failing::new(after_effect, io::ErrorKind::ConnectionReset);
            let store = Store::over(backend.clone(), "failing:///");
            store
                .series()
                .commit(&key(), edit(1.0), None)
                .await
                .unwrap();
            backend.allow(dies_at);
            let failed = store
                .series()
                .commit(&key(), edit(2.0), None)
                .await
                .unwrap_err();
            assert!(failed.is_transient(), "{failed}");
            let seen = closes(&store).await;
            let expected = if after_effect && dies_at == 2 {
                2.0
            } else {
                1.0
            };
            assert_eq!(
                seen,
                [expected],
                "died at write {dies_at}, after its effect: {after_effect}"
            );
            backend.allow(-1);
            store
                .series()
                .commit(&key(), edit(2.0), None)
                .await
                .unwrap();
            assert_eq!(closes(&store).await, [2.0]);
            assert_eq!(
                store
                    .series()
                    .snapshot(&key(), None)
                    .await
                    .unwrap()
                    .unwrap()
                    .manifest
                    .revision,
                2
            );
        }
    }
}

#[tokio::test]
async fn a_checkpoint_without_its_state_does_not_exist() {
    let backend = Failing::new(false, io::ErrorKind::ConnectionReset);
    let store = Store::over(backend.clone(), "failing:///");
    let key = CheckpointKey {
        operation: "op_train_20260301_142233_9f3a01bc".parse().unwrap(),
        step: StepNumber::new(4).unwrap(),
        attempt: 1,
        seq: 1,
    };
    let checkpoint = Checkpoint {
        state: serde_json::json!({"epoch": 3}),
        files: BTreeMap::from([("model.safetensors".to_owned(), Bytes::from_static(b"half"))]),
    };

    // One file is written, then the process dies before it writes `state.json`.
    backend.allow(1);
    store
        .checkpoints()
        .put(&key, checkpoint.clone())
        .await
        .unwrap_err();
    let listed = store.checkpoints().list(&key.operation, key.step).await;
    assert_eq!(listed.unwrap(), []);

    backend.allow(-1);
    store
        .checkpoints()
        .put(&key, checkpoint.clone())
        .await
        .unwrap();
    assert_eq!(store.checkpoints().get(&key).await.unwrap(), checkpoint);
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_the_state_before() {
    let backend = Failing::new(false, io::ErrorKind::StorageFull);
    let store = Store::over(backend.clone(), "failing:///");
    store
        .series()
        .commit(&key(), edit(1.0), None)
        .await
        .unwrap();
    backend.allow(1);
    let failed = store
        .series()
        .commit(&key(), edit(2.0), None)
        .await
        .unwrap_err();
    assert!(failed.is_full() && !failed.is_transient());
    insta::assert_snapshot!(failed.hint(), @"the store is full (disk, quota or file-size limit): make room, then run the command again; nothing half-written is visible");
    assert_eq!(closes(&store).await, [1.0]);
}

/// Every file below a folder.
fn files(folder: &FilePath) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test]
async fn a_flipped_bit_in_any_object_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("file://{}", folder.path().display()))
        .await
        .unwrap();
    store
        .series()
        .commit(&key(), edit(1.0), None)
        .await
        .unwrap();
    let objects = files(folder.path());
    assert_eq!(objects.len(), 3);
    for path in objects {
        let whole = std::fs::read(&path).unwrap();
        for position in [0, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[position] ^= 0b100;
            std::fs::write(&path, &damaged).unwrap();
            let read = match store.series().snapshot(&key(), None).await {
                Ok(snapshot) => store
                    .series()
                    .raw_bars(&snapshot.unwrap(), ALL_TIME)
                    .await
                    .map(|_| ()),
                Err(error) => Err(error),
            };
            let name = path.file_name().unwrap().to_str().unwrap();
            let Err(error @ (StoreError::Hash { .. } | StoreError::Form { .. })) = read else {
                panic!("{name} with a flipped bit at {position}: {read:?}")
            };
            assert!(error.to_string().contains(name), "{error}");
        }
        std::fs::write(&path, &whole).unwrap();
    }
    assert_eq!(closes(&store).await, [1.0]);
}

#[tokio::test]
async fn a_damaged_object_is_not_taken_for_the_content_that_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("file://{}", folder.path().display()))
        .await
        .unwrap();
    let report = serde_json::json!({});
    let key = store.reports().put(&report).await.unwrap();
    std::fs::write(folder.path().join(&key), b"{ }").unwrap();
    let again = store.reports().put(&report).await;
    assert!(matches!(again, Err(StoreError::Hash { .. })), "{again:?}");
}

#[tokio::test]
async fn a_url_that_cannot_be_opened_says_why() {
    let mut said = BTreeMap::new();
    for url in [
        "data",
        "ftp://host/folder",
        "file://host/folder",
        "s3://bucket/prefix",
        "file:///proc/none",
    ] {
        let error = Store::open(url).await.unwrap_err();
        said.insert(url, format!("{}\nhint: {}", chain(&error), error.hint()));
    }
    insta::assert_debug_snapshot!(said);
}
