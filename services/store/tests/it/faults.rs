//! What is left after a crash, a full disk, or a flipped bit: always the state before or the state
//! after.

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
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use schemas::codes::Advice as _;
use schemas::errors::chain;
use schemas::ids::StepNumber;
use store::{ALL_TIME, Bytes, Checkpoint, CheckpointKey, Edit, RawBar, Store, StoreError};

/// A backend whose writes fail once a budget is used up, before or after they took effect.
#[derive(Debug)]
pub(crate) struct Failing {
    inner: InMemory,
    /// Overwrites although it was asked to create.
    overwrites: bool,
    writes_left: AtomicI64,
    after_effect: bool,
    kind: io::ErrorKind,
}

impl Failing {
    /// A backend that fails with `kind` from the moment at which [`allow`](Self::allow) says so.
    pub(crate) fn new(after_effect: bool, kind: io::ErrorKind) -> Arc<Self> {
        Arc::new(Self {
            after_effect,
            kind,
            ..Self::passing()
        })
    }

    fn passing() -> Self {
        Self {
            inner: InMemory::new(),
            overwrites: false,
            writes_left: AtomicI64::new(i64::MAX),
            after_effect: false,
            kind: io::ErrorKind::Other,
        }
    }

    /// Lets this many writes through; a negative number lets all through.
    pub(crate) fn allow(&self, writes: i64) {
        let budget = if writes < 0 { i64::MAX } else { writes };
        self.writes_left.store(budget, Ordering::SeqCst);
    }

    fn error(&self) -> object_store::Error {
        // A server that refuses a create although the object is absent.
        if self.kind == io::ErrorKind::AlreadyExists {
            return object_store::Error::AlreadyExists {
                path: "failing".to_owned(),
                source: Box::new(io::Error::from(self.kind)),
            };
        }
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
        mut options: PutOptions,
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
            if self.overwrites {
                options.mode = PutMode::Overwrite;
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

/// The series that these tests write.
pub(crate) fn key() -> SeriesKey {
    let instrument = Instrument::parse("EURUSD").unwrap();
    SeriesKey::standard("file", instrument, Timeframe::HOUR_1).unwrap()
}

/// Hourly bars over two years, so that a commit writes two files and a manifest.
pub(crate) fn edit(close: f64) -> Edit {
    let start = Utc::from_timestamp("2019-12-31T12:00:00Z".parse().unwrap());
    let bars = (0..24)
        .map(|k| RawBar {
            open_time: start.plus_micros(k * 3_600_000_000),
            prices: [1.0, 2.0, 0.5, close],
            volume: f64::NAN,
        })
        .collect();

    Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: "fx".to_owned(),
        at: Utc(0),
    }
}

/// The different closes of the newest revision.
pub(crate) async fn newest_closes(store: &Store) -> Vec<f64> {
    let snapshot = store.series().snapshot(&key(), None).await.unwrap();
    let bars = store.series().raw_bars(&snapshot.unwrap(), ALL_TIME).await;
    let mut closes = bars.unwrap().close;
    closes.dedup();
    closes
}

#[tokio::test]
async fn a_commit_that_dies_at_any_write_can_be_repeated() {
    for after_effect in [false, true] {
        // Two files and the manifest are three writes.
        for dies_at in 0..3 {
            let backend = Failing::new(after_effect, io::ErrorKind::ConnectionReset);
            let store = Store::over(backend.clone(), "failing:///");
            let case = format!("died at write {dies_at}, after its effect: {after_effect}");
            store
                .series()
                .commit(&key(), edit(1.0), None)
                .await
                .unwrap();

            backend.allow(dies_at);
            let failed = store.series().commit(&key(), edit(2.0), None).await;
            assert!(failed.unwrap_err().is_transient());

            // Readers see the state before or the state after, and nothing between.
            let is_done = after_effect && dies_at == 2;
            let expected = if is_done { 2.0 } else { 1.0 };
            assert_eq!(newest_closes(&store).await, [expected], "{case}");

            backend.allow(-1);
            let repeated = store.series().commit(&key(), edit(2.0), None).await;
            assert_eq!(repeated.unwrap().snapshot.manifest.revision, 2, "{case}");
            assert_eq!(newest_closes(&store).await, [2.0], "{case}");
        }
    }
}

#[tokio::test]
async fn a_checkpoint_without_its_state_does_not_exist() {
    let backend = Failing::new(false, io::ErrorKind::ConnectionReset);
    let store = Store::over(backend.clone(), "failing:///");
    let checkpoints = store.checkpoints();
    let key = CheckpointKey {
        operation: "op_train_20260301_142233_9f3a01bc".parse().unwrap(),
        step: StepNumber::new(4).unwrap(),
        attempt: 1,
        seq: 1,
    };
    let weights = ("model.safetensors".to_owned(), Bytes::from_static(b"half"));
    let checkpoint = Checkpoint {
        state: serde_json::json!({"epoch": 3}),
        files: BTreeMap::from([weights]),
    };

    // One file is written, then the process dies before it writes `state.json`.
    backend.allow(1);
    let died = checkpoints.put(&key, checkpoint.clone()).await;
    assert!(died.is_err());
    let listed = checkpoints.list(&key.operation, key.step).await.unwrap();
    assert_eq!(listed, []);

    backend.allow(-1);
    checkpoints.put(&key, checkpoint.clone()).await.unwrap();
    assert_eq!(checkpoints.get(&key).await.unwrap(), checkpoint);
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
    let failed = store.series().commit(&key(), edit(2.0), None).await;

    let error = failed.unwrap_err();
    assert!(error.is_full() && !error.is_transient());
    insta::assert_snapshot!(error.hint());
    assert_eq!(newest_closes(&store).await, [1.0]);
}

#[tokio::test]
async fn a_store_that_overwrites_is_found_out() {
    let backend = Failing {
        overwrites: true,
        ..Failing::passing()
    };
    let store = Store::over(Arc::new(backend), "failing:///");

    let error = store.probe().await.unwrap_err();
    assert!(matches!(error, StoreError::Overwrites { .. }), "{error:?}");
}

/// Every file below a folder.
fn files_below(folder: &FilePath) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

async fn read_all(store: &Store) -> Result<(), StoreError> {
    let snapshot = store.series().snapshot(&key(), None).await?.unwrap();
    store.series().raw_bars(&snapshot, ALL_TIME).await?;
    Ok(())
}

#[tokio::test]
async fn a_flipped_bit_in_any_object_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = Store::open(&url).await.unwrap();
    store
        .series()
        .commit(&key(), edit(1.0), None)
        .await
        .unwrap();
    // The copy of a manifest is read only where the manifest is gone.
    let mut objects = files_below(folder.path());
    objects.retain(|path| !path.ends_with("copy.1.json"));
    assert_eq!(objects.len(), 3);

    for path in objects {
        let intact = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for position in [0, intact.len() / 3, intact.len() / 2, intact.len() - 1] {
            let mut damaged = intact.clone();
            damaged[position] ^= 0b100;
            std::fs::write(&path, &damaged).unwrap();

            let read = read_all(&store).await;
            let Err(error @ (StoreError::Hash { .. } | StoreError::Form { .. })) = read else {
                panic!("{name} with a flipped bit at {position}: {read:?}")
            };
            assert!(error.to_string().contains(name), "{error}");
        }
        std::fs::write(&path, &intact).unwrap();
    }
    assert_eq!(newest_closes(&store).await, [1.0]);
}

#[tokio::test]
async fn a_damaged_object_does_not_pass_for_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = Store::open(&url).await.unwrap();
    let report = serde_json::json!({});
    let key = store.reports().put(&report).await.unwrap();

    std::fs::write(folder.path().join(&key), b"{ }").unwrap();

    let again = store.reports().put(&report).await;
    assert!(matches!(again, Err(StoreError::Hash { .. })), "{again:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_looked_into_is_no_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();

    let url = format!("file://{}/objects", file.display());
    assert!(Store::open_existing(&url).await.is_err());
}

#[tokio::test]
async fn a_url_that_cannot_be_opened_says_why() {
    let mut reasons = BTreeMap::new();
    for url in [
        "data",
        "ftp://host/folder",
        "file://host/folder",
        "gs://bucket/prefix",
        "bus://other",
        "bus://registry",
        "bus:registry",
        "file:objects",
        "s3:bucket/prefix",
        "s3://key:secret@bucket",
        "file:///proc/none",
    ] {
        let error = Store::open(url).await.unwrap_err();
        let text = format!("{}\nhint: {}", chain(&error), error.hint());
        reasons.insert(url, text);
    }

    insta::assert_debug_snapshot!(reasons);
}
