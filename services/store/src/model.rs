//! Named model versions, each the work of one operation.

use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::ModelManifest;

use crate::object::{Created, form, segment};
use crate::{Store, StoreError};

/// Manifests read at once.
const READS_MAX: usize = 16;

/// Model versions by name: the handle that [`Store::models`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredModels<'a> {
    pub(crate) store: &'a Store,
}

impl StoredModels<'_> {
    /// Gives the next version of model `name` to `operation`. Creating the manifest is the
    /// assignment; if a version already names this operation, that one is returned and nothing is
    /// written. `make` is called with a version and may be called again with a higher one.
    ///
    /// # Errors
    /// A name that is none, or a failed read or write.
    pub async fn assign_version(
        self,
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
                .store
                .create_document(&model_key(name, version), &manifest)
                .await?
                == Created::New
            {
                return Ok(manifest);
            }
            match self.find(name, Some(version)).await? {
                Some(other) if other.operation == operation => return Ok(other),
                Some(_) => version += 1,
                // Refused for another create that then failed: the number is still free.
                None => {}
            }
        }
    }

    /// A version of a model, or its newest; `None` if there is none.
    ///
    /// # Errors
    /// A name that is none, or a failed read.
    pub async fn find(
        self,
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
        let found: Option<ModelManifest> = self.store.document(&key).await?;
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
    pub async fn versions(self, name: &str) -> Result<Vec<ModelManifest>, StoreError> {
        let numbers = self.version_numbers(name).await?;
        let reads = stream::iter(numbers)
            .map(|version| self.find(name, Some(version)))
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
    pub async fn list(self) -> Result<Vec<ModelManifest>, StoreError> {
        let listed = self.store.keys("models").await?;
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

    /// Version numbers of a model, ascending.
    async fn version_numbers(self, name: &str) -> Result<Vec<u32>, StoreError> {
        let prefix = format!("models/{}", segment("a model name", name)?);
        let number = |key: &String| {
            key.strip_prefix(&prefix)?
                .strip_prefix('/')?
                .strip_suffix("/manifest.json")?
                .parse()
                .ok()
        };
        let mut numbers: Vec<u32> = self
            .store
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
