//! Trained artifacts: the files of one network and the manifest that names them.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::manifests::{ArtifactManifest, Network, ObjectRef};

use crate::object::{reference, segment, sha256_hex};
use crate::{Store, StoreError};

/// An artifact that was read, every file checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// Its name: `artifacts/<sha256>`.
    pub sha256: String,
    /// What it holds and where it came from.
    pub manifest: ArtifactManifest,
    /// Files by name: `model.safetensors`, `metrics.json`, `history.parquet`.
    pub files: BTreeMap<String, Bytes>,
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
    let lines: String = files
        .iter()
        .map(|(name, file)| format!("{name} {}\n", file.sha256))
        .collect();
    Ok(sha256_hex(format!("{network}\n{lines}").as_bytes()))
}

/// Artifacts by their hash: the handle that [`Store::artifacts`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredArtifacts<'a> {
    pub(crate) store: &'a Store,
}

impl StoredArtifacts<'_> {
    /// Stores an artifact: its files, then the manifest, of which `files` is filled in here.
    /// Returns its name, which follows from files and network, so publishing twice is one artifact;
    /// the manifest that stands counts.
    ///
    /// # Errors
    /// A file name that is none, or a failed write.
    pub async fn publish(
        self,
        files: BTreeMap<String, Bytes>,
        draft: ArtifactManifest,
    ) -> Result<String, StoreError> {
        let references: BTreeMap<String, ObjectRef> = files
            .iter()
            .map(|(name, bytes)| (name.clone(), reference(bytes)))
            .collect();
        let sha256 = artifact_sha256(&draft.network, &references)?;
        for (name, bytes) in files {
            let key = format!("artifacts/{sha256}/{}", segment("a file name", &name)?);
            let written = reference(&bytes);
            self.store.put_verified(&key, &written, bytes).await?;
        }
        let manifest = ArtifactManifest {
            files: references,
            ..draft
        };
        self.store
            .create_document(&format!("artifacts/{sha256}/manifest.json"), &manifest)
            .await?;
        Ok(sha256)
    }

    /// The manifest of an artifact.
    ///
    /// # Errors
    /// It is absent, damaged, or stands under a name that is not its own.
    pub async fn manifest(self, sha256: &str) -> Result<ArtifactManifest, StoreError> {
        let key = format!(
            "artifacts/{}/manifest.json",
            segment("the hash of an artifact", sha256)?
        );
        let manifest: Option<ArtifactManifest> = self.store.document(&key).await?;
        let manifest = manifest.ok_or_else(|| StoreError::Missing { key: key.clone() })?;
        let found = artifact_sha256(&manifest.network, &manifest.files)?;
        if found == sha256 {
            Ok(manifest)
        } else {
            Err(StoreError::Hash {
                key,
                expected: sha256.to_owned(),
                found,
            })
        }
    }

    /// Reads an artifact and checks every file.
    ///
    /// # Errors
    /// It is absent or damaged.
    pub async fn read(self, sha256: &str) -> Result<Artifact, StoreError> {
        let manifest = self.manifest(sha256).await?;
        let mut files = BTreeMap::new();
        for (name, file) in &manifest.files {
            let bytes = self
                .store
                .get_checked(&format!("artifacts/{sha256}/{name}"), &file.sha256)
                .await?;
            files.insert(name.clone(), bytes);
        }
        Ok(Artifact {
            sha256: sha256.to_owned(),
            manifest,
            files,
        })
    }
}
