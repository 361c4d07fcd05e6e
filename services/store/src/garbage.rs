//! Garbage: objects that nothing needs any more, and deleting them.
//!
//! Needed is what a reader can reach: the newest revision of a series, older ones until they have
//! been out of date for a grace period, those that a data set was made from, and the files of all
//! these. Of data sets, with their sealed rows, and artifacts everything below a manifest is
//! needed, unless all versions with the artifact were deleted. Objects without a manifest are what
//! interrupted programs left behind; younger ones may still get theirs.
//!
//! Models, reports and checkpoints are left alone: who needs them, only records of operations say.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use market::Utc;
use schemas::manifests::{DataSetManifest, SeriesManifest};

use crate::object::ListedObject;
use crate::series::{any_revision_of, copy_revision_of, revision_of};
use crate::{Store, StoreError};

/// Manifests read at once.
const READS_MAX: usize = 16;

/// Why nothing needs an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GarbageKind {
    /// The manifest of a revision that was replaced, or its copy.
    OldRevision,
    /// Bars that no remaining revision of their series has.
    OldBars,
    /// Part of a data set or an artifact that was never finished.
    Unfinished,
    /// File of an artifact all of whose versions were deleted.
    DeletedModel,
}

/// An object that nothing needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Garbage {
    /// Why it is not needed; manifests come first, and so are deleted first.
    pub kind: GarbageKind,
    /// Key of the object.
    pub key: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl Garbage {
    fn new(kind: GarbageKind, object: &ListedObject) -> Self {
        Self {
            kind,
            key: object.key.clone(),
            size_bytes: object.size_bytes,
        }
    }
}

impl Store {
    /// Everything that nothing has needed since `before`, sorted: manifests first.
    ///
    /// # Errors
    /// Listing or reading fails, or a manifest is damaged.
    pub async fn find_garbage(&self, before: Utc) -> Result<Vec<Garbage>, StoreError> {
        let mut garbage = Vec::new();
        let pinned = self.revisions_of_data_sets().await?;

        // A folder below `bars` is a series: its manifests say which files are needed.
        for (folder, objects) in by_folder(self.objects_below("bars").await?) {
            let manifests = self.manifests_among(&objects).await?;
            let pinned = pinned.get(&folder).cloned().unwrap_or_default();
            garbage.extend(garbage_of_series(&objects, &manifests, &pinned, before));
        }

        for place in ["datasets", "artifacts"] {
            for objects in by_folder(self.objects_below(place).await?).values() {
                garbage.extend(garbage_of_folder(objects, before));
            }
        }

        // Sealed rows are part of a data set that lies elsewhere.
        let data_sets = by_folder(self.objects_below("datasets").await?);
        for (folder, objects) in by_folder(self.objects_below("sealed").await?) {
            let hash = folder.strip_prefix("sealed/").unwrap_or_default();
            let open = data_sets.get(&format!("datasets/{hash}"));
            let with_open: Vec<_> = objects.iter().chain(open.into_iter().flatten()).collect();
            if !is_finished(&with_open) && is_older(&with_open, before) {
                let unfinished = objects.iter();
                garbage.extend(unfinished.map(|it| Garbage::new(GarbageKind::Unfinished, it)));
            }
        }

        for artifact in self.models().artifacts_of_deleted(before).await? {
            let objects = self.objects_below(&format!("artifacts/{artifact}")).await?;
            let objects = objects.iter();
            garbage.extend(objects.map(|it| Garbage::new(GarbageKind::DeletedModel, it)));
        }

        garbage.sort();
        Ok(garbage)
    }

    /// Deletes objects in the order given. What is gone already is no error.
    ///
    /// Nothing may be written to the store meanwhile: a commit that needs bars which were garbage
    /// until now would not write them again.
    ///
    /// # Errors
    /// An object cannot be deleted; those before it are gone.
    pub async fn delete_garbage(&self, garbage: &[Garbage]) -> Result<(), StoreError> {
        for object in garbage {
            self.delete(&object.key).await?;
        }
        Ok(())
    }

    /// The revisions that data sets were made from, by the prefix of their series.
    async fn revisions_of_data_sets(&self) -> Result<BTreeMap<String, BTreeSet<u64>>, StoreError> {
        let mut keys = self.keys("datasets").await?;
        keys.retain(|key| key.ends_with("/manifest.json"));
        let reads = stream::iter(keys)
            .map(|key| async move { self.document::<DataSetManifest>(&key).await })
            .buffer_unordered(READS_MAX);
        let manifests: Vec<_> = reads.try_collect().await?;

        // A data set that is gone since the listing pins nothing.
        let mut revisions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for input in manifests.into_iter().flatten().flat_map(|set| set.series) {
            let series = revisions.entry(input.series).or_default();
            series.insert(input.revision);
        }
        Ok(revisions)
    }

    /// The manifests of a series among its objects, oldest first.
    async fn manifests_among(
        &self,
        objects: &[ListedObject],
    ) -> Result<Vec<SeriesManifest>, StoreError> {
        let keys = manifest_keys(objects);
        let reads = stream::iter(keys.into_values())
            .map(|key| async move { self.document::<SeriesManifest>(&key).await })
            .buffer_unordered(READS_MAX);
        let manifests: Vec<_> = reads.try_collect().await?;

        // Answers come in any order, and each revision is judged by the one after it.
        let mut manifests: Vec<SeriesManifest> = manifests.into_iter().flatten().collect();
        manifests.sort_by_key(|manifest| manifest.revision);
        Ok(manifests)
    }
}

/// Where each revision of a series is read: its manifest, or the copy of one that is gone.
fn manifest_keys(objects: &[ListedObject]) -> BTreeMap<u64, String> {
    let mut keys = BTreeMap::new();
    for object in objects {
        if let Some(revision) = revision_of(&object.key) {
            keys.insert(revision, object.key.clone());
        } else if let Some(revision) = copy_revision_of(&object.key) {
            keys.entry(revision).or_insert_with(|| object.key.clone());
        }
    }
    keys
}

/// Objects by their folder, which is their key up to the last slash.
fn by_folder(objects: Vec<ListedObject>) -> BTreeMap<String, Vec<ListedObject>> {
    let mut folders: BTreeMap<String, Vec<ListedObject>> = BTreeMap::new();
    for object in objects {
        if let Some((folder, _)) = object.key.rsplit_once('/') {
            let folder = folder.to_owned();
            folders.entry(folder).or_default().push(object);
        }
    }
    folders
}

/// Old revisions of a series, and the files that no other revision has.
fn garbage_of_series(
    objects: &[ListedObject],
    manifests: &[SeriesManifest],
    pinned: &BTreeSet<u64>,
    before: Utc,
) -> Vec<Garbage> {
    // A revision is out of date from the moment its successor was made.
    let successors = manifests.iter().skip(1);
    let mut old_revisions = BTreeSet::new();
    for (manifest, successor) in manifests.iter().zip(successors) {
        let is_old = successor.updated_at < before.0;
        if is_old && !pinned.contains(&manifest.revision) {
            old_revisions.insert(manifest.revision);
        }
    }

    let mut needed_hashes = BTreeSet::new();
    for manifest in manifests {
        if !old_revisions.contains(&manifest.revision) {
            needed_hashes.extend(manifest.files.iter().map(|file| file.sha256.as_str()));
        }
    }

    let mut garbage = Vec::new();
    for object in objects {
        match (any_revision_of(&object.key), bar_file_hash(&object.key)) {
            (Some(revision), _) if old_revisions.contains(&revision) => {
                garbage.push(Garbage::new(GarbageKind::OldRevision, object));
            }
            // A commit under way has written files that no manifest names yet.
            (None, Some(hash)) if !needed_hashes.contains(hash) && object.modified < before => {
                garbage.push(Garbage::new(GarbageKind::OldBars, object));
            }
            _ => {}
        }
    }
    garbage
}

/// The hash in the key `…/<period>.<sha256>.parquet` of a file of bars; none for other objects,
/// which may be somebody else's.
fn bar_file_hash(key: &str) -> Option<&str> {
    let name = key.strip_suffix(".parquet")?;
    let (_, hash) = name.rsplit_once('.')?;
    (hash.len() == 64).then_some(hash)
}

fn is_finished(objects: &[&ListedObject]) -> bool {
    let mut objects = objects.iter();
    objects.any(|object| object.key.ends_with("/manifest.json"))
}

fn is_older(objects: &[&ListedObject], before: Utc) -> bool {
    objects.iter().all(|object| object.modified < before)
}

/// The objects of a data set or an artifact that has no manifest.
fn garbage_of_folder(objects: &[ListedObject], before: Utc) -> Vec<Garbage> {
    let all: Vec<_> = objects.iter().collect();
    if is_finished(&all) || !is_older(&all, before) {
        return Vec::new();
    }

    let garbage = objects.iter();
    garbage
        .map(|object| Garbage::new(GarbageKind::Unfinished, object))
        .collect()
}
