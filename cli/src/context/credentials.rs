//! A folder of keys: one file for each service and person, for its owner only, and the server's
//! file with their public keys.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use bus::identity::{Identity, InvalidKey, KeyFile, Role, Tenant, server_file};
use schemas::codes::{self, Advice, Code};

use super::private_files::{create_private_folder, make_folder_private, replace_private_file};
use crate::console::{Exit, Failure};

/// How the names of key files end.
const KEY_ENDING: &str = "nk";
/// The server's file in the folder.
pub(crate) const SERVER_FILE: &str = "permissions.conf";
/// The folder of the keys of a local system, in that of the system.
pub(crate) const LOCAL_KEYS: &str = "credentials";

/// A folder of keys, which need not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct KeyFolder {
    path: PathBuf,
    /// Whose keys they are on a server of several systems.
    tenant: Option<Tenant>,
}

/// A key in the folder.
#[derive(Clone, Debug)]
pub(crate) struct StoredKey {
    /// Whose it is.
    pub(crate) identity: Identity,
    /// The tenant that its file names.
    pub(crate) tenant: Option<Tenant>,
    /// What the server knows of it.
    pub(crate) public_key: String,
    /// The file with the secret.
    pub(crate) file: PathBuf,
}

/// Why keys cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// A file or the folder cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// A file is not a key.
    #[error("{} is not a key", path.display())]
    NotAKey {
        /// The file that is damaged.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidKey,
    },
    /// There is no key of this name.
    #[error("{} has no key of {name}", folder.display())]
    Missing {
        /// The folder of the keys.
        folder: PathBuf,
        /// The name that was asked for.
        name: String,
    },
    /// The folder is of another kind: of tenants, or of one system.
    #[error("{} holds {holds}", folder.display())]
    Mixed {
        /// The folder that was named.
        folder: PathBuf,
        /// The keys that are in it.
        holds: &'static str,
    },
}

impl Advice for KeyError {
    fn code(&self) -> Code {
        codes::CONFIG_CREDENTIALS
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::File { .. } => "check who owns the folder, or name another one with --dir".into(),
            Self::NotAKey { path, .. } => format!(
                "`rm {}`, then `ktrdr infra credentials` makes a new one",
                path.display()
            )
            .into(),
            Self::Mixed { .. } => {
                "name a tenant with --tenant in a folder of tenants, and a folder of \
                                   its own with --dir for everything else"
                    .into()
            }
            Self::Missing { folder, .. } => format!(
                "`ktrdr infra credentials --dir {} --list` shows those that there are",
                folder.display()
            )
            .into(),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::advised(Exit::Failed, &error)
    }
}

impl KeyFolder {
    /// The folder at this path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, tenant: None }
    }

    /// The folder of a tenant at this path.
    pub(super) fn of_tenant(path: PathBuf, tenant: Tenant) -> Self {
        let tenant = Some(tenant);
        Self { path, tenant }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key file of an identity, whether it exists or not.
    pub(crate) fn file_of(&self, identity: &Identity) -> PathBuf {
        self.path.join(format!("{}.{KEY_ENDING}", identity.name()))
    }

    /// The server's file with the public keys.
    pub(crate) fn server_file(&self) -> PathBuf {
        self.path.join(SERVER_FILE)
    }

    /// Makes the key of an identity unless there is one; true if it was made.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn ensure(&self, identity: &Identity) -> Result<bool, KeyError> {
        if self.file_of(identity).exists() {
            return Ok(false);
        }
        self.make(identity)?;
        Ok(true)
    }

    /// Makes the key of an identity in place of the one that there may be.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn make(&self, identity: &Identity) -> Result<(), KeyError> {
        let path = self.file_of(identity);
        let failed = |source| KeyError::File {
            path: path.clone(),
            source,
        };

        create_private_folder(&self.path).map_err(failed)?;
        make_folder_private(&self.path).map_err(failed)?;
        let key = KeyFile::generate(identity);
        let key = key.map_err(|error| failed(io::Error::other(error)))?;
        let key = match &self.tenant {
            Some(tenant) => key.in_tenant(tenant),
            None => key,
        };
        replace_private_file(&path, &key.text()).map_err(failed)
    }

    /// Removes the key of a name.
    ///
    /// # Errors
    /// There is none, or the folder cannot be written.
    pub(crate) fn remove(&self, name: &str) -> Result<StoredKey, KeyError> {
        let key = self.find(name)?;

        match std::fs::remove_file(&key.file) {
            Ok(()) => Ok(key),
            Err(source) => Err(KeyError::File {
                path: key.file,
                source,
            }),
        }
    }

    /// The key of a name.
    ///
    /// # Errors
    /// There is none, or the folder cannot be read.
    pub(crate) fn find(&self, name: &str) -> Result<StoredKey, KeyError> {
        let mut keys = self.list()?.into_iter();
        keys.find(|key| key.identity.name() == name)
            .ok_or_else(|| KeyError::Missing {
                folder: self.path.clone(),
                name: name.to_owned(),
            })
    }

    /// Every key, `infra` first and people last. A folder that does not exist has none.
    ///
    /// # Errors
    /// A file cannot be read, or is not a key.
    pub(crate) fn list(&self) -> Result<Vec<StoredKey>, KeyError> {
        let failed = |source| KeyError::File {
            path: self.path.clone(),
            source,
        };
        let entries = match std::fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };

        let mut keys = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == KEY_ENDING) {
                keys.push(read_key(path)?);
            }
        }
        keys.sort_by(|a, b| a.identity.cmp(&b.identity));
        Ok(keys)
    }

    /// Writes the server's file from the keys that there are.
    ///
    /// # Errors
    /// A key cannot be read, or the file cannot be written.
    pub(crate) fn write_server_file(&self) -> Result<(), KeyError> {
        let keys = self.list()?.into_iter();
        let users: Vec<_> = keys.map(|key| (key.identity, key.public_key)).collect();

        let path = self.server_file();
        replace_private_file(&path, &server_file(&users))
            .map_err(|source| KeyError::File { path, source })
    }
}

/// Reads a key file; its name is that of the file.
fn read_key(path: PathBuf) -> Result<StoredKey, KeyError> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(KeyError::File { path, source }),
    };
    let stem = path.file_stem().and_then(|stem| stem.to_str());

    let key = KeyFile::parse(&text);
    match (key, stem.and_then(identity_of)) {
        (Ok(key), Some(identity)) => Ok(StoredKey {
            identity,
            tenant: key.tenant().and_then(|name| name.parse().ok()),
            public_key: key.public_key().to_owned(),
            file: path,
        }),
        (Ok(_), None) => Err(KeyError::NotAKey {
            path,
            source: InvalidKey,
        }),
        (Err(source), _) => Err(KeyError::NotAKey { path, source }),
    }
}

/// The identity of a name: that of a role, else a person.
fn identity_of(name: &str) -> Option<Identity> {
    match name.parse::<Role>() {
        Ok(role) => Some(Identity::of(role)),
        Err(_) => Identity::person(name).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_listed_by_role() {
        let root = tempfile::tempdir().unwrap();
        let keys = KeyFolder::at(root.path().join("keys"));
        assert_eq!(keys.list().unwrap().len(), 0);
        let ann = Identity::person("ann").unwrap();
        let infra = Identity::of(Role::Infra);

        assert!(keys.ensure(&ann).unwrap());
        assert!(keys.ensure(&infra).unwrap());
        let before = keys.find("ann").unwrap().public_key;
        assert!(!keys.ensure(&ann).unwrap());
        assert_eq!(keys.find("ann").unwrap().public_key, before);
        keys.make(&ann).unwrap();
        assert_ne!(keys.find("ann").unwrap().public_key, before);

        let listed = keys.list().unwrap().into_iter();
        let names: Vec<_> = listed.map(|key| key.identity.name().to_owned()).collect();
        assert_eq!(names, ["infra", "ann"]);
        assert_eq!(keys.remove("ann").unwrap().identity, ann);
        assert!(matches!(keys.find("ann"), Err(KeyError::Missing { .. })));
    }
}
