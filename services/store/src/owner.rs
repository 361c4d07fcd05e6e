//! Whose store it is, where several systems share one server and one bucket: a mark that the first
//! service of a tenant leaves, so that nobody works on the objects of another by mistake.

use serde::{Deserialize, Serialize};

use crate::{Store, StoreError};

/// The key of the mark.
const KEY: &str = "tenant.json";

/// The content of the mark.
#[derive(Deserialize, Serialize)]
struct Owner {
    /// The tenant whose objects these are.
    tenant: String,
}

impl Store {
    /// The tenant whose store it is; none of a system that shares its server with no other.
    ///
    /// # Errors
    /// The store cannot be read, or the mark is damaged.
    pub async fn tenant(&self) -> Result<Option<String>, StoreError> {
        let owner: Option<Owner> = self.document(KEY).await?;
        Ok(owner.map(|owner| owner.tenant))
    }

    /// Refuses a store of another tenant than that of our key; a store of nobody is as good.
    ///
    /// # Errors
    /// [`StoreError::OtherTenant`], or the store cannot be read.
    pub async fn check_tenant(&self, ours: Option<&str>) -> Result<(), StoreError> {
        match self.tenant().await? {
            Some(owner) if ours != Some(owner.as_str()) => Err(StoreError::OtherTenant {
                url: self.url().to_owned(),
                owner,
                ours: match ours {
                    Some(tenant) => format!("of the tenant `{tenant}`"),
                    None => "of no tenant".to_owned(),
                },
            }),
            _ => Ok(()),
        }
    }

    /// [`Self::check_tenant`]; a store of nobody becomes that of our tenant.
    ///
    /// # Errors
    /// [`StoreError::OtherTenant`], or the store cannot be read or written.
    pub async fn claim_for_tenant(&self, ours: Option<&str>) -> Result<(), StoreError> {
        if let (Some(tenant), None) = (ours, self.tenant().await?) {
            let tenant = tenant.to_owned();
            // Whoever was first is read below.
            self.create_document(KEY, &Owner { tenant }).await?;
        }
        self.check_tenant(ours).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_service_of_a_tenant_marks_its_store() {
        let store = Store::open("memory:///").await.unwrap();

        // A system without tenants leaves no mark, and a person none either.
        store.claim_for_tenant(None).await.unwrap();
        store.check_tenant(Some("north")).await.unwrap();
        assert_eq!(store.tenant().await.unwrap(), None);

        store.claim_for_tenant(Some("north")).await.unwrap();
        store.claim_for_tenant(Some("north")).await.unwrap();
        assert_eq!(store.tenant().await.unwrap().as_deref(), Some("north"));
    }

    #[tokio::test]
    async fn a_store_of_another_tenant_is_refused() {
        let store = Store::open("memory:///").await.unwrap();
        store.claim_for_tenant(Some("north")).await.unwrap();

        for (ours, said) in [(Some("south"), "tenant `south`"), (None, "of no tenant")] {
            let refused = store.claim_for_tenant(ours).await.unwrap_err();
            assert!(matches!(refused, StoreError::OtherTenant { .. }));
            assert!(refused.to_string().contains(said), "{refused}");
        }
        assert_eq!(store.tenant().await.unwrap().as_deref(), Some("north"));
    }
}
