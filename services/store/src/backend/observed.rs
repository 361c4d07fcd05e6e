//! A backend whose requests are seen by whoever asked to see them: what was asked, how it ended,
//! how long it took, and how many bytes went.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// How a request to the store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestEnd {
    /// It was carried out.
    Done,
    /// There is no such object.
    Absent,
    /// The object to be created exists already.
    Exists,
    /// The store did not answer, or refused.
    Failed,
}

/// A request to the store that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreRequest {
    /// `get`, `put`, `list`, `delete` or `copy`.
    pub operation: &'static str,
    /// How it ended.
    pub end: RequestEnd,
    /// Until the answer; of a list until its last page, of a read until its first byte.
    pub took: Duration,
    /// Bytes of the objects that it read.
    pub bytes_read: u64,
    /// Bytes of the objects that it wrote.
    pub bytes_written: u64,
}

/// Sees every request that has ended; must return at once.
pub type RequestObserver = fn(&StoreRequest);

static OBSERVER: OnceLock<RequestObserver> = OnceLock::new();

/// Has the requests of all stores that this process opens from now on seen by `observer`. The first
/// one stays for the life of the process.
pub fn observe_requests(observer: RequestObserver) {
    let _ = OBSERVER.set(observer);
}

/// The backend itself, unless somebody wants to see its requests.
pub(crate) fn observed(inner: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    match OBSERVER.get() {
        Some(observer) => Arc::new(Observed {
            inner,
            observer: *observer,
        }),
        None => inner,
    }
}

#[derive(Debug)]
struct Observed {
    inner: Arc<dyn ObjectStore>,
    observer: RequestObserver,
}

impl fmt::Display for Observed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

/// A request under way; the observer sees it when this is dropped.
struct Seen {
    observer: RequestObserver,
    began: Instant,
    request: StoreRequest,
}

impl Observed {
    fn begin(&self, operation: &'static str) -> Seen {
        Seen {
            observer: self.observer,
            began: Instant::now(),
            request: StoreRequest {
                operation,
                end: RequestEnd::Done,
                took: Duration::ZERO,
                bytes_read: 0,
                bytes_written: 0,
            },
        }
    }

    /// The items of a stream, which is one request until its end.
    fn observe_items<T: 'static>(
        &self,
        operation: &'static str,
        items: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let mut seen = self.begin(operation);
        items.inspect(move |item| seen.note(item)).boxed()
    }
}

impl Seen {
    fn note<T>(&mut self, answer: &Result<T>) {
        self.request.end = match answer {
            Ok(_) => return,
            Err(Error::NotFound { .. }) => RequestEnd::Absent,
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => RequestEnd::Exists,
            Err(_) => RequestEnd::Failed,
        };
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.request.took = self.began.elapsed();
        (self.observer)(&self.request);
    }
}

#[async_trait]
impl ObjectStore for Observed {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let bytes = payload.content_length() as u64;
        let mut seen = self.begin("put");
        let answer = self.inner.put_opts(path, payload, options).await;

        seen.note(&answer);
        if answer.is_ok() {
            seen.request.bytes_written = bytes;
        }
        answer
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut seen = self.begin("get");
        let answer = self.inner.get_opts(path, options).await;

        seen.note(&answer);
        if let Ok(object) = &answer {
            seen.request.bytes_read = object.range.end.saturating_sub(object.range.start);
        }
        answer
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let mut seen = self.begin("get");
        let answer = self.inner.get_ranges(path, ranges).await;

        seen.note(&answer);
        let parts = answer.iter().flatten();
        seen.request.bytes_read = parts.map(|part| part.len() as u64).sum();
        answer
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.observe_items("delete", self.inner.delete_stream(paths))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.observe_items("list", self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.observe_items("list", self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut seen = self.begin("list");
        let answer = self.inner.list_with_delimiter(prefix).await;
        seen.note(&answer);
        answer
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mut seen = self.begin("copy");
        let answer = self.inner.copy_opts(from, to, options).await;
        seen.note(&answer);
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt as _, PutMode};

    use super::*;

    static SEEN: Mutex<Vec<StoreRequest>> = Mutex::new(Vec::new());

    #[tokio::test]
    async fn every_request_is_seen_with_its_end_and_bytes() {
        let store = Observed {
            inner: Arc::new(InMemory::new()),
            observer: |request| SEEN.lock().unwrap().push(*request),
        };
        let path = Path::from("bars/1");
        let create = PutOptions::from(PutMode::Create);

        store.get(&path).await.unwrap_err();
        let put = store.put_opts(&path, "abc".into(), create.clone()).await;
        put.unwrap();
        let put = store.put_opts(&path, "abc".into(), create).await;
        put.unwrap_err();
        store.get(&path).await.unwrap();
        assert_eq!(store.list(None).count().await, 1);
        store.delete(&path).await.unwrap();

        let seen = SEEN.lock().unwrap();
        let seen = seen.iter().map(|request| {
            let bytes = (request.bytes_read, request.bytes_written);
            (request.operation, request.end, bytes)
        });
        let expected = [
            ("get", RequestEnd::Absent, (0, 0)),
            ("put", RequestEnd::Done, (0, 3)),
            ("put", RequestEnd::Exists, (0, 0)),
            ("get", RequestEnd::Done, (3, 0)),
            ("list", RequestEnd::Done, (0, 0)),
            ("delete", RequestEnd::Done, (0, 0)),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }
}
