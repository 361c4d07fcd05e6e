//! A store that another process reads for us: objects page by page, and nothing is written.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use schemas::queries::{ListObjects, ObjectHead, ObjectPage, ObjectSummary, ReadObject};
use serde::Serialize;

use super::fault::{QueryError, QueryFault};

/// Sends a query to whoever has access to the store: name of the endpoint (`data.list`,
/// `data.read`) and payload, for the payload of the answer.
pub type AskStore = Arc<
    dyn Fn(&'static str, Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, QueryError>> + Send + Sync,
>;

/// The objects behind the queries.
#[derive(Clone)]
pub(crate) struct QueriedObjects {
    ask: AskStore,
}

/// What a page of a list says.
type Metas = stream::Iter<std::vec::IntoIter<Result<ObjectMeta>>>;

/// A page of an object.
struct Page {
    head: ObjectHead,
    bytes: Bytes,
}

impl QueriedObjects {
    pub(crate) fn new(ask: AskStore) -> Self {
        Self { ask }
    }

    async fn ask(&self, endpoint: &'static str, query: &impl Serialize) -> Result<Vec<u8>> {
        let query = serde_json::to_vec(query).map_err(no_answer)?;
        (self.ask)(endpoint, query).await.map_err(no_answer)
    }

    async fn list_page(&self, query: &ListObjects) -> Result<ObjectPage> {
        let answer = self.ask("data.list", query).await?;
        serde_json::from_slice(&answer).map_err(no_answer)
    }

    /// The page that a query asks for, and the query of the page after it; `None` after the last.
    async fn list_next(
        self,
        query: Option<ListObjects>,
    ) -> Result<Option<(Metas, Option<ListObjects>)>> {
        let Some(query) = query else {
            return Ok(None);
        };
        let page = self.list_page(&query).await?;

        let last = page.objects.last().filter(|_| page.more);
        let next = last.map(|object| ListObjects {
            after: Some(object.key.clone()),
            ..query
        });
        let metas: Vec<_> = page.objects.iter().map(listed_meta).collect();
        Ok(Some((stream::iter(metas), next)))
    }

    /// `None` if there is no such object.
    async fn read_page(&self, path: &Path, from: u64) -> Result<Option<Page>> {
        let query = ReadObject {
            key: path.to_string(),
            from,
        };
        let answer = Bytes::from(self.ask("data.read", &query).await?);

        // A line of JSON, then the object.
        let line_end = memchr::memchr(b'\n', &answer).ok_or_else(|| no_answer("it has no line"))?;
        let head: Option<ObjectHead> =
            serde_json::from_slice(&answer.slice(..line_end)).map_err(no_answer)?;
        Ok(head.map(|head| Page {
            head,
            bytes: answer.slice(line_end + 1..),
        }))
    }

    /// The pages after `first`, which is not empty, until the object is whole.
    fn pages_after(&self, path: Path, first: &Page) -> BoxStream<'static, Result<Bytes>> {
        let objects = self.clone();
        let head = first.head;
        let begin = first.bytes.len() as u64;

        let pages = stream::try_unfold(begin, move |from| {
            let objects = objects.clone();
            let path = path.clone();
            async move {
                if from >= head.size_bytes {
                    return Ok(None);
                }

                // Pages of two objects are no object.
                let page = objects.read_page(&path, from).await?;
                match page.filter(|page| page.head == head && !page.bytes.is_empty()) {
                    Some(page) => {
                        let end = from + page.bytes.len() as u64;
                        Ok(Some((page.bytes, end)))
                    }
                    None => Err(no_answer(format!("`{path}` changed while it was read"))),
                }
            }
        });
        pages.boxed()
    }
}

#[async_trait]
impl ObjectStore for QueriedObjects {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        // Whole objects are all that this crate reads.
        if options.range.is_some() {
            return Err(refusal("it answers whole objects"));
        }

        let page = self.read_page(path, 0).await?;
        let page = page.ok_or_else(|| object_store::Error::NotFound {
            path: path.to_string(),
            source: "the registry says that there is none".into(),
        })?;
        let meta = object_meta(path.clone(), page.head);
        options.check_preconditions(&meta)?;

        let rest = self.pages_after(path.clone(), &page);
        let first = stream::once(async move { Ok(page.bytes) });
        Ok(GetResult {
            payload: GetResultPayload::Stream(first.chain(rest).boxed()),
            range: 0..meta.size,
            meta,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let objects = self.clone();
        let query = ListObjects {
            prefix: prefix.map(Path::to_string).unwrap_or_default(),
            after: None,
        };

        // The state is the query of the next page.
        let pages = stream::try_unfold(Some(query), move |query| objects.clone().list_next(query));
        pages.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(refusal("it lists objects, not folders"))
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only())
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        paths.and_then(async |_| Err(read_only())).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only())
    }
}

fn listed_meta(object: &ObjectSummary) -> Result<ObjectMeta> {
    let head = ObjectHead {
        size_bytes: object.size_bytes,
        modified_at: object.modified_at,
    };
    Ok(object_meta(Path::parse(&object.key)?, head))
}

fn object_meta(location: Path, head: ObjectHead) -> ObjectMeta {
    let since_1970 = Duration::from_micros(u64::try_from(head.modified_at).unwrap_or(0));

    ObjectMeta {
        location,
        last_modified: (SystemTime::UNIX_EPOCH + since_1970).into(),
        size: head.size_bytes,
        e_tag: None,
        version: None,
    }
}

fn no_answer(reason: impl Into<QueryError>) -> object_store::Error {
    QueryFault::NoAnswer(reason.into()).into()
}

fn refusal(reason: &'static str) -> object_store::Error {
    QueryFault::Refused(reason).into()
}

fn read_only() -> object_store::Error {
    QueryFault::ReadOnly.into()
}

impl fmt::Debug for QueriedObjects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("QueriedObjects")
    }
}

impl fmt::Display for QueriedObjects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the store of the registry")
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt};
    use schemas::queries::OBJECTS_MAX;

    use super::*;
    use crate::Store;

    /// Lists the objects of a store, and reads none.
    fn lists_of(store: Store) -> QueriedObjects {
        QueriedObjects::new(Arc::new(move |endpoint, query| {
            assert_eq!(endpoint, "data.list");
            let store = store.clone();
            Box::pin(async move {
                let page = store.list_page(&serde_json::from_slice(&query)?).await?;
                Ok(serde_json::to_vec(&page)?)
            })
        }))
    }

    #[tokio::test]
    async fn a_list_of_several_pages_has_every_object_once() {
        let memory = InMemory::new();
        let count = 2 * OBJECTS_MAX + 1;
        for number in 0..count {
            let path = Path::from(format!("bars/{number}"));
            memory.put(&path, "bytes".into()).await.unwrap();
        }
        memory.put(&Path::from("other"), "1".into()).await.unwrap();
        let seen = lists_of(Store::over(Arc::new(memory), "memory:///"));

        let listed: Vec<ObjectMeta> = seen
            .list(Some(&Path::from("bars")))
            .try_collect()
            .await
            .unwrap();

        let mut keys: Vec<&Path> = listed.iter().map(|meta| &meta.location).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert!(listed.iter().all(|meta| meta.size == 5));
    }

    #[tokio::test]
    async fn an_object_that_changes_between_its_pages_is_no_object() {
        let objects = QueriedObjects::new(Arc::new(|_, query| {
            Box::pin(async move {
                let query: ReadObject = serde_json::from_slice(&query)?;
                // Of a larger object each time.
                let size = 4 + query.from;
                let head = format!("{{\"size_bytes\":{size},\"modified_at\":0}}\nab");
                Ok(head.into_bytes())
            })
        }));

        let object = objects.get(&Path::from("bars/1")).await.unwrap();

        let error = object.bytes().await.unwrap_err();
        assert!(
            error.to_string().contains("changed while it was read"),
            "{error}"
        );
    }
}
