//! Trained artifacts: the files of one network and the manifest that names them.

use std::collections::BTreeMap;

use arrow_array::types::Float64Type;
use bytes::Bytes;
use schemas::manifests::{ArtifactManifest, Network, ObjectRef};
use schemas::names::HISTORY_FILE;

use crate::object::{checked_segment, reference_to, sha256_hex};
use crate::parquet_file::Decoded;
use crate::{Store, StoreError};

/// An artifact that was read, every file checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// Its name: `artifacts/<sha256>`.
    pub sha256: String,
    /// Its network, files and origin.
    pub manifest: ArtifactManifest,
    /// Files by name: `model.safetensors`, `metrics.json`, `metrics.parquet`,
    /// `history.parquet`.
    pub files: BTreeMap<String, Bytes>,
}

/// Artifacts by their hash: the handle that [`Store::artifacts`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredArtifacts<'a> {
    pub(crate) store: &'a Store,
}

impl StoredArtifacts<'_> {
    /// Stores an artifact: its files, then the manifest, of which `files` is filled in here.
    /// Returns its name, which follows from files and network, so publishing twice is one artifact;
    /// the first manifest counts.
    ///
    /// # Errors
    /// An invalid file name, or a failed write.
    pub async fn publish(
        self,
        files: BTreeMap<String, Bytes>,
        draft: ArtifactManifest,
    ) -> Result<String, StoreError> {
        let references: BTreeMap<String, ObjectRef> = files
            .iter()
            .map(|(name, bytes)| (name.clone(), reference_to(bytes)))
            .collect();
        let sha256 = artifact_sha256(&draft.network, &references)?;

        // The manifest comes last: an artifact without it does not exist.
        for (name, bytes) in files {
            let name = checked_segment("a file name", &name)?;
            let key = format!("artifacts/{sha256}/{name}");
            let written = reference_to(&bytes);
            self.store.put_verified(&key, &written, bytes).await?;
        }

        // If it exists already, an earlier publication of the same files wrote it.
        let manifest = ArtifactManifest {
            files: references,
            ..draft
        };
        let key = manifest_key(&sha256)?;
        self.store.create_document(&key, &manifest).await?;
        Ok(sha256)
    }

    /// The manifest of an artifact.
    ///
    /// # Errors
    /// It is absent, damaged, or in the folder of another artifact.
    pub async fn manifest(self, sha256: &str) -> Result<ArtifactManifest, StoreError> {
        let key = manifest_key(sha256)?;
        let manifest: Option<ArtifactManifest> = self.store.document(&key).await?;
        let manifest = manifest.ok_or_else(|| StoreError::Missing { key: key.clone() })?;

        // Its checksum says that it is intact; only its name says that it is the right one.
        let actual = artifact_sha256(&manifest.network, &manifest.files)?;
        if actual == sha256 {
            Ok(manifest)
        } else {
            Err(StoreError::Hash {
                key,
                expected: sha256.to_owned(),
                actual,
            })
        }
    }

    /// Reads one file of the artifact that `manifest` describes, and checks it; none if it has no
    /// such file.
    ///
    /// # Errors
    /// It is absent or damaged.
    pub async fn file(
        self,
        sha256: &str,
        manifest: &ArtifactManifest,
        name: &str,
    ) -> Result<Option<Bytes>, StoreError> {
        let Some(file) = manifest.files.get(name) else {
            return Ok(None);
        };
        let sha256 = checked_segment("the hash of an artifact", sha256)?;
        let key = format!("artifacts/{sha256}/{name}");
        Ok(Some(self.store.get_checked(&key, &file.sha256).await?))
    }

    /// The losses of each epoch and the time that it took, in order, from `history.parquet` of the
    /// artifact that `manifest` describes; empty if it has no such file.
    ///
    /// # Errors
    /// It is absent or damaged.
    pub async fn losses(
        self,
        sha256: &str,
        manifest: &ArtifactManifest,
    ) -> Result<Vec<EpochLosses>, StoreError> {
        let Some(bytes) = self.file(sha256, manifest, HISTORY_FILE).await? else {
            return Ok(Vec::new());
        };
        let table = Decoded::read(HISTORY_FILE, bytes)?;
        let column = |name: &str| table.values::<Float64Type>(HISTORY_FILE, name, Some(f64::NAN));
        let train = column("train_loss")?;
        let validation = column("validation_loss")?;

        let seconds = column("seconds")?;

        let pairs = train.into_iter().zip(validation);
        let mut losses = Vec::with_capacity(seconds.len());
        for ((train, validation), seconds) in pairs.zip(seconds) {
            losses.push(EpochLosses {
                train,
                validation,
                seconds,
            });
        }
        Ok(losses)
    }

    /// Columns of numbers of the table `file` of an artifact, in the order of `names`; empty if it
    /// has no such file. An empty cell is NaN.
    ///
    /// # Errors
    /// It is absent or damaged, or lacks a column.
    pub async fn columns(
        self,
        sha256: &str,
        manifest: &ArtifactManifest,
        file: &str,
        names: &[String],
    ) -> Result<Vec<Vec<f64>>, StoreError> {
        let Some(bytes) = self.file(sha256, manifest, file).await? else {
            return Ok(Vec::new());
        };
        let table = Decoded::read(file, bytes)?;

        let columns = names.iter();
        columns
            .map(|name| table.values::<Float64Type>(file, name, Some(f64::NAN)))
            .collect()
    }

    /// Reads an artifact and checks every file.
    ///
    /// # Errors
    /// It is absent or damaged.
    pub async fn read(self, sha256: &str) -> Result<Artifact, StoreError> {
        let manifest = self.manifest(sha256).await?;

        // One changed file spoils the artifact: its name stands for all of its files together.
        let mut files = BTreeMap::new();
        for (name, file) in &manifest.files {
            let key = format!("artifacts/{sha256}/{name}");
            let bytes = self.store.get_checked(&key, &file.sha256).await?;
            files.insert(name.clone(), bytes);
        }

        Ok(Artifact {
            sha256: sha256.to_owned(),
            manifest,
            files,
        })
    }
}

fn manifest_key(sha256: &str) -> Result<String, StoreError> {
    let name = checked_segment("the hash of an artifact", sha256)?;
    Ok(format!("artifacts/{name}/manifest.json"))
}

/// What was minimised in an epoch, the criterion of the training, and how long that took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochLosses {
    /// Mean over the batches, while the weights moved.
    pub train: f64,
    /// Over the whole validation part at the end.
    pub validation: f64,
    /// Time that the epoch took, its evaluation included.
    pub seconds: f64,
}

/// Name of an artifact: SHA-256 over the network (canonical JSON) and the names and hashes of its
/// files.
fn artifact_sha256(
    network: &Network,
    files: &BTreeMap<String, ObjectRef>,
) -> Result<String, StoreError> {
    let network = serde_json::to_value(network).map_err(|error| StoreError::Encode {
        what: "a network",
        reason: error.to_string(),
    })?;

    // In the order of their names, so that the same files always give the same artifact.
    let lines: String = files
        .iter()
        .map(|(name, file)| format!("{name} {}\n", file.sha256))
        .collect();
    Ok(sha256_hex(format!("{network}\n{lines}").as_bytes()))
}
