//! A folder of several tenants: a folder of keys for each, and one file of the server for all.

use std::io;
use std::path::PathBuf;

use bus::identity::{Tenant, TenantAccount, accounts_file};

use super::credentials::{KeyError, KeyFolder};
use super::private_files::{create_private_folder, replace_private_file};

/// What a tenant may store on the server unless something else is said: the streams take up to
/// 1.6 GB.
const STORAGE_GB: u32 = 5;
/// The file beside the keys of a tenant that says how much it may store.
const LIMITS_FILE: &str = "limits.conf";
const STORAGE_KEY: &str = "storage_gb: ";

/// A folder of tenants, which need not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct TenantFolder(PathBuf);

impl TenantFolder {
    /// The folder at this path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The keys of a tenant, which need not exist yet.
    pub(crate) fn keys_of(&self, tenant: &Tenant) -> KeyFolder {
        KeyFolder::of_tenant(self.0.join(tenant.as_str()), tenant.clone())
    }

    /// Every tenant that has keys, by name.
    ///
    /// # Errors
    /// A folder cannot be read, or holds something that is not a key.
    pub(crate) fn list(&self) -> Result<Vec<Tenant>, KeyError> {
        let failed = |source| KeyError::File {
            path: self.0.clone(),
            source,
        };
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };

        let mut tenants = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let tenant: Option<Tenant> = name.to_str().and_then(|name| name.parse().ok());
            if let Some(tenant) = tenant.filter(|_| entry.path().is_dir())
                && !self.keys_of(&tenant).list()?.is_empty()
            {
                tenants.push(tenant);
            }
        }
        tenants.sort_unstable();
        Ok(tenants)
    }

    /// What a tenant may store, in GB.
    pub(crate) fn storage_gb(&self, tenant: &Tenant) -> u32 {
        let file = self.0.join(tenant.as_str()).join(LIMITS_FILE);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut values = text
            .lines()
            .filter_map(|line| line.strip_prefix(STORAGE_KEY));
        let value = values.next().and_then(|value| value.trim().parse().ok());
        value.unwrap_or(STORAGE_GB)
    }

    /// Notes what a tenant may store.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn limit_storage(&self, tenant: &Tenant, storage_gb: u32) -> Result<(), KeyError> {
        let folder = self.0.join(tenant.as_str());
        let path = folder.join(LIMITS_FILE);
        let text = format!("# `ktrdr infra credentials` reads it.\n{STORAGE_KEY}{storage_gb}\n");

        let written =
            create_private_folder(&folder).and_then(|()| replace_private_file(&path, &text));
        written.map_err(|source| KeyError::File { path, source })
    }

    /// Writes the server's file with the account of every tenant; returns how much they may store
    /// together, in GB.
    ///
    /// # Errors
    /// A key cannot be read, or the file cannot be written.
    pub(crate) fn write_server_file(&self) -> Result<u32, KeyError> {
        let mut accounts = Vec::new();
        for tenant in self.list()? {
            let keys = self.keys_of(&tenant).list()?.into_iter();
            accounts.push(TenantAccount {
                storage_gb: self.storage_gb(&tenant),
                users: keys.map(|key| (key.identity, key.public_key)).collect(),
                tenant,
            });
        }

        let path = KeyFolder::at(self.0.clone()).server_file();
        replace_private_file(&path, &accounts_file(&accounts))
            .map_err(|source| KeyError::File { path, source })?;
        Ok(accounts.iter().map(|account| account.storage_gb).sum())
    }

    /// Refuses a folder with the keys of a system that has the server for itself.
    ///
    /// # Errors
    /// [`KeyError::Mixed`], or a key cannot be read.
    pub(crate) fn require_no_single_system(&self) -> Result<(), KeyError> {
        match KeyFolder::at(self.0.clone()).list()?.is_empty() {
            true => Ok(()),
            false => Err(KeyError::Mixed {
                folder: self.0.clone(),
                holds: "the keys of a system without tenants",
            }),
        }
    }

    /// Refuses a folder with the keys of tenants.
    ///
    /// # Errors
    /// [`KeyError::Mixed`], or a key cannot be read.
    pub(crate) fn require_no_tenants(&self) -> Result<(), KeyError> {
        match self.list()?.is_empty() {
            true => Ok(()),
            false => Err(KeyError::Mixed {
                folder: self.0.clone(),
                holds: "the keys of tenants",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bus::identity::{Identity, Role};

    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn a_new_tenant_leaves_the_keys_of_another_as_they_are() {
        let root = tempfile::tempdir().unwrap();
        let tenants = TenantFolder::at(root.path().join("keys"));
        let infra = Identity::of(Role::Infra);
        tenants.keys_of(&tenant("north")).ensure(&infra).unwrap();
        let before = tenants.keys_of(&tenant("north")).find("infra").unwrap();

        tenants.keys_of(&tenant("south")).ensure(&infra).unwrap();
        tenants.limit_storage(&tenant("south"), 20).unwrap();
        let storage = tenants.write_server_file().unwrap();

        assert_eq!(tenants.list().unwrap(), [tenant("north"), tenant("south")]);
        let after = tenants.keys_of(&tenant("north")).find("infra").unwrap();
        assert_eq!(after.public_key, before.public_key);
        assert_eq!(storage, 25);
        let text = std::fs::read_to_string(root.path().join("keys/permissions.conf")).unwrap();
        assert!(text.contains("\"north\""), "{text}");
        assert!(text.contains("max_file: 20GB"), "{text}");
        assert_eq!(Tenant::of_key(&after.file), Some(tenant("north")));
    }

    #[test]
    fn a_folder_is_of_tenants_or_of_one_system() {
        let root = tempfile::tempdir().unwrap();
        let infra = Identity::of(Role::Infra);
        let single = root.path().join("single");
        KeyFolder::at(single.clone()).ensure(&infra).unwrap();
        let shared = TenantFolder::at(root.path().join("shared"));
        shared.keys_of(&tenant("north")).ensure(&infra).unwrap();

        let single = TenantFolder::at(single);
        let refused = single.require_no_single_system().unwrap_err();
        assert!(matches!(refused, KeyError::Mixed { .. }), "{refused}");
        single.require_no_tenants().unwrap();
        let refused = shared.require_no_tenants().unwrap_err();
        assert!(refused.to_string().contains("tenants"), "{refused}");
        shared.require_no_single_system().unwrap();
    }
}
