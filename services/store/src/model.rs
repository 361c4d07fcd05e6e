//! Trained artifacts, named model versions, and aliases that point at versions.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::{AliasManifest, ArtifactManifest, ModelManifest, Network, ObjectRef};

use crate::object::{Created, form, reference, segment, sha256_hex};
use crate::{Store, StoreError};

/// Manifests read at once.
const READS_MAX: usize = 16;

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

impl Store {
    /// Stores an artifact: its files, then the manifest, of which `files` is filled in here.
    /// Returns its name, which follows from files and network, so publishing twice is one artifact;
    /// the manifest that stands counts.
    ///
    /// # Errors
    /// A file name that is none, or a failed write.
    pub async fn publish_artifact(
        &self,
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
            self.put_verified(&key, &written, bytes).await?;
        }
        let manifest = ArtifactManifest {
            files: references,
            ..draft
        };
        self.create_document(&format!("artifacts/{sha256}/manifest.json"), &manifest)
            .await?;
        Ok(sha256)
    }

    /// The manifest of an artifact.
    ///
    /// # Errors
    /// It is absent, damaged, or stands under a name that is not its own.
    pub async fn artifact_manifest(&self, sha256: &str) -> Result<ArtifactManifest, StoreError> {
        let key = format!(
            "artifacts/{}/manifest.json",
            segment("the hash of an artifact", sha256)?
        );
        let manifest: Option<ArtifactManifest> = self.document(&key).await?;
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
    pub async fn read_artifact(&self, sha256: &str) -> Result<Artifact, StoreError> {
        let manifest = self.artifact_manifest(sha256).await?;
        let mut files = BTreeMap::new();
        for (name, file) in &manifest.files {
            let bytes = self
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

    /// Gives the next version of model `name` to `operation`. Creating the manifest is the
    /// assignment; if a version already names this operation, that one is returned and nothing is
    /// written. `make` is called with a version and may be called again with a higher one.
    ///
    /// # Errors
    /// A name that is none, or a failed read or write.
    pub async fn assign_version(
        &self,
        name: &str,
        operation: &str,
        make: impl Fn(u32) -> ModelManifest + Send,
    ) -> Result<ModelManifest, StoreError> {
        let standing = self.versions(name).await?;
        let mut version = standing.last().map_or(0, |newest| newest.version) + 1;
        if let Some(ours) = standing
            .into_iter()
            .find(|model| model.operation == operation)
        {
            return Ok(ours);
        }
        loop {
            let manifest = ModelManifest {
                name: name.to_owned(),
                version,
                operation: operation.to_owned(),
                ..make(version)
            };
            if self
                .create_document(&model_key(name, version), &manifest)
                .await?
                == Created::New
            {
                return Ok(manifest);
            }
            match self.model(name, Some(version)).await? {
                Some(other) if other.operation == operation => return Ok(other),
                _ => version += 1,
            }
        }
    }

    /// A version of a model, or its newest; `None` if there is none.
    ///
    /// # Errors
    /// A name that is none, or a failed read.
    pub async fn model(
        &self,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<ModelManifest>, StoreError> {
        let version = match version {
            Some(version) => version,
            None => match self.version_numbers(name).await?.last() {
                Some(newest) => *newest,
                None => return Ok(None),
            },
        };
        let key = model_key(segment("a model name", name)?, version);
        let found: Option<ModelManifest> = self.document(&key).await?;
        match found {
            Some(model) if model.name != name || model.version != version => Err(form(
                &key,
                format!("it is version {} of {}", model.version, model.name),
            )),
            found => Ok(found),
        }
    }

    /// Every version of a model, oldest first.
    ///
    /// # Errors
    /// A name that is none, or a failed read.
    pub async fn versions(&self, name: &str) -> Result<Vec<ModelManifest>, StoreError> {
        let numbers = self.version_numbers(name).await?;
        let reads = stream::iter(numbers)
            .map(|version| self.model(name, Some(version)))
            .buffered(READS_MAX);
        Ok(reads
            .try_collect::<Vec<_>>()
            .await?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Every version of every model, by name, oldest first.
    ///
    /// # Errors
    /// A failed read.
    pub async fn list_models(&self) -> Result<Vec<ModelManifest>, StoreError> {
        let listed = self.keys("models").await?;
        let names = listed
            .iter()
            .filter_map(|key| key.split('/').nth(1))
            .collect::<std::collections::BTreeSet<_>>();
        let mut models = Vec::new();
        for name in names {
            models.extend(self.versions(name).await?);
        }
        Ok(models)
    }

    /// Points an alias at a version: creates the alias's next revision. Returns what now stands,
    /// which is another writer's target only if that writer came later.
    ///
    /// # Errors
    /// A name that is none, or a failed read or write.
    pub async fn set_alias(
        &self,
        model: &str,
        alias: &str,
        version: u32,
        at: i64,
    ) -> Result<AliasManifest, StoreError> {
        let mut standing = self.alias(model, alias).await?;
        loop {
            if let Some(same) = standing
                .as_ref()
                .filter(|standing| standing.version == version)
            {
                return Ok(same.clone());
            }
            let revision = standing.map_or(0, |standing| standing.revision) + 1;
            let next = AliasManifest {
                v: AliasManifest::VERSION,
                model: model.to_owned(),
                alias: alias.to_owned(),
                version,
                revision,
                created_at: at,
            };
            let key = format!("aliases/{model}/{alias}.{revision}.json");
            if self.create_document(&key, &next).await? == Created::New {
                return Ok(next);
            }
            standing = self.document(&key).await?;
        }
    }

    /// What an alias points at, `None` if it was never set.
    ///
    /// # Errors
    /// A name that is none, or a failed read.
    pub async fn alias(
        &self,
        model: &str,
        alias: &str,
    ) -> Result<Option<AliasManifest>, StoreError> {
        let folder = format!("aliases/{}", segment("a model name", model)?);
        let prefix = format!("{folder}/{}.", segment("an alias", alias)?);
        let revision = |key: &String| {
            key.strip_prefix(&prefix)?
                .strip_suffix(".json")?
                .parse::<u64>()
                .ok()
        };
        match self.keys(&folder).await?.iter().filter_map(revision).max() {
            Some(newest) => self.document(&format!("{prefix}{newest}.json")).await,
            None => Ok(None),
        }
    }

    /// Version numbers of a model, ascending.
    async fn version_numbers(&self, name: &str) -> Result<Vec<u32>, StoreError> {
        let prefix = format!("models/{}", segment("a model name", name)?);
        let number = |key: &String| {
            key.strip_prefix(&prefix)?
                .strip_prefix('/')?
                .strip_suffix("/manifest.json")?
                .parse()
                .ok()
        };
        let mut numbers: Vec<u32> = self
            .keys(&prefix)
            .await?
            .iter()
            .filter_map(number)
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn model_key(name: &str, version: u32) -> String {
    format!("models/{name}/{version}/manifest.json")
}
