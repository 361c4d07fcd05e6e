//! The object store of a command: the store itself, or the one that the registry reads for it.

use std::sync::Arc;

use bus::Bus;
use schemas::ids::Service;
use store::{AskStore, QueryError, REGISTRY_URL, Store};

use super::Context;
use crate::console::Failure;

impl Context {
    /// Opens the object store that the settings name; a folder that does not exist is created, so
    /// this is for commands that store something.
    ///
    /// # Errors
    /// The settings are wrong, or the store cannot be opened.
    pub(crate) async fn store(&self) -> Result<Store, Failure> {
        match self.store_url()?.as_str() {
            REGISTRY_URL => self.store_of_registry().await,
            url => self.require_own(Store::open(url).await?).await,
        }
    }

    /// [`Self::store`] for commands that look at what is there: a folder that does not exist is an
    /// empty store, and stays so.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub(crate) async fn existing_store(&self) -> Result<Store, Failure> {
        match self.store_url()?.as_str() {
            REGISTRY_URL => self.store_of_registry().await,
            url => self.require_own(Store::open_existing(url).await?).await,
        }
    }

    /// Refuses the store of another tenant than that of the key. A command without a tenant is not
    /// asked: whoever may read the bucket looks at what is in it.
    async fn require_own(&self, store: Store) -> Result<Store, Failure> {
        if let Some(tenant) = self.tenant()? {
            store.check_tenant(Some(tenant.as_str())).await?;
        }
        Ok(store)
    }

    /// The store as the registry reads it; nothing can be written to it.
    ///
    /// # Errors
    /// The settings are wrong, or the server cannot be reached.
    pub(crate) async fn store_of_registry(&self) -> Result<Store, Failure> {
        let bus = self.bus().await?;
        let ask: AskStore =
            Arc::new(move |endpoint, query| Box::pin(ask_registry(bus.clone(), endpoint, query)));

        Ok(Store::over_queries(ask, REGISTRY_URL))
    }
}

async fn ask_registry(
    bus: Bus,
    endpoint: &'static str,
    query: Vec<u8>,
) -> Result<Vec<u8>, QueryError> {
    let answer = bus.services().ask(Service::Registry, endpoint, query).await;
    Ok(answer?)
}
