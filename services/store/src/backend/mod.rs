//! From the URL of a store to the program interface behind it: a folder, an S3 bucket, or memory.

mod aws_profile;
mod fault;
mod observed;
mod queries;
mod s3;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use url::Url;

pub(crate) use self::fault::names_no_bucket;
pub use self::fault::{BackendError, QueryError, RemoteFault};
pub(crate) use self::observed::observed;
pub use self::observed::{RequestEnd, RequestObserver, StoreRequest, observe_requests};
pub use self::queries::AskStore;
pub(crate) use self::queries::QueriedObjects;
use crate::StoreError;

/// The URL of the store that the registry reads for others.
pub const REGISTRY_URL: &str = "bus://registry";

/// The kinds of stores, each with the form of its URLs.
const FORMS: [(&str, &str); 4] = [
    ("file", "file:///absolute/folder"),
    ("s3", "s3://bucket/prefix"),
    ("bus", REGISTRY_URL),
    ("memory", "memory:///"),
];

/// Environment variables by name. An argument everywhere, so that a test can pass others.
pub(crate) type Environment = BTreeMap<String, String>;

/// The variables of this process; those that are not UTF-8 are left out.
pub(crate) fn process_environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// True for a text that is meant as the URL of a store, and not as a path: also for one that lacks
/// its `//`, which no store opens.
pub fn is_store_url(text: &str) -> bool {
    text.contains("://") || form_of(text).is_some()
}

/// The form of the URLs of a store whose kind begins the text.
fn form_of(text: &str) -> Option<&'static str> {
    let (kind, _) = text.split_once(':')?;
    let mut forms = FORMS.iter();
    forms
        .find(|(name, _)| name.eq_ignore_ascii_case(kind))
        .map(|(_, form)| *form)
}

/// The backend behind a URL, without touching it.
///
/// # Errors
/// The URL names no kind of store that exists here, or its settings contradict each other.
pub(crate) fn open_backend(
    url: &str,
    environment: &Environment,
) -> Result<Arc<dyn ObjectStore>, StoreError> {
    // Synced, because an acknowledged write must survive a power cut.
    if let Some(folder) = folder_of(url)? {
        let local =
            LocalFileSystem::new_with_prefix(folder).map_err(|source| StoreError::Open {
                url: url.to_owned(),
                source: Box::new(source),
            })?;
        return Ok(Arc::new(local.with_fsync(true)));
    }

    let parsed = parse_url(url)?;
    match parsed.scheme() {
        "memory" => Ok(Arc::new(InMemory::new())),
        "s3" => s3::open_bucket(&parsed, environment),
        "bus" if url != REGISTRY_URL => Err(invalid_url(
            url,
            format!("the store that is read through the registry is written `{REGISTRY_URL}`"),
        )),
        "bus" => Err(invalid_url(
            url,
            "only the commands of `ktrdr` can read a store through the registry; a service needs \
             the store itself",
        )),
        other => Err(invalid_url(
            url,
            format!("`{other}` is not a kind of store"),
        )),
    }
}

/// The folder of a `file:` URL, `None` for another kind of URL.
///
/// # Errors
/// The text is not a URL, or the path in it is not absolute.
pub(crate) fn folder_of(url: &str) -> Result<Option<PathBuf>, StoreError> {
    let parsed = parse_url(url)?;
    if parsed.scheme() != "file" {
        return Ok(None);
    }
    match parsed.to_file_path() {
        Ok(folder) => Ok(Some(folder)),
        Err(()) => Err(invalid_url(
            url,
            "it has a host, or its path is not absolute",
        )),
    }
}

fn parse_url(url: &str) -> Result<Url, StoreError> {
    // What follows would be taken for a path from the root, or for nothing.
    if !url.contains("://")
        && let Some(form) = form_of(url)
    {
        let reason = format!("a store of this kind is written `{form}`");
        return Err(invalid_url(url, reason));
    }
    Url::parse(url).map_err(|error| invalid_url(url, error.to_string()))
}

/// A URL or a setting of its backend that cannot be used. A password in the URL is not repeated.
fn invalid_url(url: &str, reason: impl Into<String>) -> StoreError {
    let safe_url = match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            let _ = parsed.set_password(Some("***"));
            parsed.to_string()
        }
        _ => url.to_owned(),
    };

    StoreError::Url {
        url: safe_url,
        reason: reason.into(),
    }
}
