//! Reads the object store: every document, and the whole content of every object that one names.

mod documents;
mod listing;

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use store::{Store, StoreError};

use super::facts::Facts;
use super::finding::Finding;
use super::rules::Rule;
use documents::{Meaning, Named, is_document, understand};
use listing::{Listing, judge_listing};

pub(super) use listing::checkpoints_of;

/// Every folder of the store.
const FOLDERS: [&str; 14] = [
    "bars",
    "datasets",
    "sealed",
    "checkpoints",
    "artifacts",
    "models",
    "aliases",
    "deletions",
    "renames",
    "notes",
    "tags",
    "confirmations",
    "reports",
    "calendars",
];
/// Objects read at once.
const READS_MAX: usize = 8;
/// What nobody names and is younger may still be named.
const YOUNG_HOURS: i64 = 1;

/// What was found in the store, and how much was read.
#[derive(Debug, Default)]
pub(super) struct CheckedObjects {
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
    /// Objects that there are.
    pub(super) objects: u64,
    /// Bytes of those whose content was read.
    pub(super) bytes: u64,
}

/// What was made of a document.
type Understood = (String, Result<Meaning, String>);

/// Reads the store, and judges it together with what the bus says.
pub(super) async fn check(store: &Store, facts: &Facts) -> Result<CheckedObjects, StoreError> {
    let mut listing = list(store).await?;
    let mut checked = CheckedObjects {
        objects: listing.objects.len() as u64,
        ..CheckedObjects::default()
    };

    // What is listed is read, unless it was deleted meanwhile.
    let keys: Vec<String> = listing.objects.keys().cloned().collect();
    let documents = keys.into_iter().filter(|key| is_document(key));
    let documents: Vec<_> = documents.map(|key| read_document(store, key)).collect();
    let mut reads = stream::iter(documents).buffered(READS_MAX);
    while let Some(read) = reads.try_next().await? {
        match read {
            Some((key, Ok(meaning))) => listing.add(key, meaning),
            Some((key, Err(reason))) => {
                let finding = Finding::new(Rule::DocumentUnreadable, key, reason);
                checked.findings.push(finding);
            }
            None => {}
        }
    }
    drop(reads);

    let now = Timestamp::now();
    let young_from = now - SignedDuration::from_hours(YOUNG_HOURS);
    let findings = judge_listing(&listing, facts, young_from);
    for finding in findings {
        if is_still_so(store, &finding, &listing).await? {
            checked.findings.push(finding);
        }
    }
    check_contents(store, &listing, &mut checked).await?;
    Ok(checked)
}

/// Lists every object of the store.
async fn list(store: &Store) -> Result<Listing, StoreError> {
    let mut listing = Listing::default();
    for folder in FOLDERS {
        for object in store.raw_objects(folder).await? {
            let written_at = Timestamp::from_microsecond(object.written_at.0);
            let written_at = written_at.unwrap_or_default();
            listing.objects.insert(object.key, written_at);
        }
    }
    Ok(listing)
}

async fn read_document(store: &Store, key: String) -> Result<Option<Understood>, StoreError> {
    let bytes = store.raw_bytes(&key).await?;
    Ok(bytes.map(|bytes| {
        let understood = understand(&key, &bytes);
        (key, understood)
    }))
}

/// Whether something that the listing lacks is lacking still: it may have been written, or what
/// names it may have been deleted, while the listing was made.
async fn is_still_so(
    store: &Store,
    finding: &Finding,
    listing: &Listing,
) -> Result<bool, StoreError> {
    let Some(missing) = listing.missing_of(finding) else {
        return Ok(true);
    };
    Ok(store.raw_bytes(&missing).await?.is_none())
}

/// Reads what the documents name to the last byte.
async fn check_contents(
    store: &Store,
    listing: &Listing,
    checked: &mut CheckedObjects,
) -> Result<(), StoreError> {
    let mut named: BTreeMap<&Named, &str> = BTreeMap::new();
    for (document, meaning) in &listing.documents {
        for name in &meaning.names {
            named.entry(name).or_insert(document);
        }
    }
    let named = named.into_iter();
    let named = named.map(|entry| (entry.0.clone(), entry.1.to_owned()));
    // A report is named by its content, and by a record.
    let reports = listing.reports();
    let reports = reports.map(|report| (report.clone(), report.key));
    let reads: Vec<_> = named
        .chain(reports)
        .map(|entry| check_content(store, entry.0, entry.1))
        .collect();

    let mut reads = stream::iter(reads).buffered(READS_MAX);
    while let Some((bytes, finding)) = reads.try_next().await? {
        checked.bytes += bytes;
        checked.findings.extend(finding);
    }
    Ok(())
}

/// Reads one object, and compares it with what a document says of it.
async fn check_content(
    store: &Store,
    named: Named,
    document: String,
) -> Result<(u64, Option<Finding>), StoreError> {
    let Some(content) = store.raw_content(&named.key).await? else {
        // Whoever deletes garbage deletes the document first.
        let is_named = store.raw_bytes(&document).await?.is_some();
        let what = format!("{document} names it, and it is not there");
        let finding = Finding::new(Rule::ObjectMissing, &named.key, what);
        return Ok((0, is_named.then_some(finding)));
    };

    let size = content.size_bytes;
    let what = match named.content {
        Some((_, Some(stated))) if stated != size => {
            format!("{document} says {stated} bytes, and it has {size}")
        }
        Some((stated, _)) if stated != content.sha256 => {
            format!("its SHA-256 is {}, not {stated}", content.sha256)
        }
        _ => return Ok((size, None)),
    };
    Ok((
        size,
        Some(Finding::new(Rule::ObjectDamaged, &named.key, what)),
    ))
}
