//! Tenants: several systems on one server, each in an account of its own.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::key_file::KeyFile;
use super::role::{Identity, is_plain_name};

/// The name of a tenant: of its account on the server, and of the folder of its keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenant(String);

/// What the server's file says about a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantAccount {
    /// Whose account it is.
    pub tenant: Tenant,
    /// What its streams may take on the disk of a server, in GB.
    pub storage_gb: u32,
    /// Its users with their public keys.
    pub users: Vec<(Identity, String)>,
}

/// A text that cannot be the name of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a name for a tenant: expected 1 to 32 of [a-z0-9_-]")]
pub struct InvalidTenant {
    /// The text that is refused.
    name: String,
}

impl Tenant {
    /// The name as a word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant of a key file; none if the file cannot be read, or names none.
    pub fn of_key(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let key = KeyFile::parse(&text).ok()?;
        key.tenant().and_then(|name| name.parse().ok())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if is_plain_name(name) {
            return Ok(Self(name.to_owned()));
        }
        Err(InvalidTenant {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    #[test]
    fn a_tenant_has_a_plain_name() {
        assert_eq!("desk-1".parse::<Tenant>().unwrap().as_str(), "desk-1");
        for name in ["", "Desk", "a.b", "$G", "a/b", "..", &"a".repeat(33)] {
            assert!(name.parse::<Tenant>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_key_file_says_whose_tenant_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let tenant: Tenant = "desk".parse().unwrap();
        let key = KeyFile::generate(&Identity::of(Role::Person)).unwrap();
        let alone = folder.path().join("alone.nk");
        std::fs::write(&alone, key.text()).unwrap();
        let of_tenant = folder.path().join("tenant.nk");
        std::fs::write(&of_tenant, key.in_tenant(&tenant).text()).unwrap();

        assert_eq!(Tenant::of_key(&of_tenant), Some(tenant));
        assert_eq!(Tenant::of_key(&alone), None);
        assert_eq!(Tenant::of_key(&folder.path().join("absent")), None);
    }
}
