//! Roles, and the identities that have them.

use std::fmt;
use std::str::FromStr;

use schemas::ids::Service;

/// Longest name of a person or a tenant.
const NAME_BYTES_MAX: usize = 32;

/// What a connection is for; it decides what the server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Applies streams, buckets and consumers; may do everything.
    Infra,
    /// One of the services.
    Service(Service),
    /// People with the `ktrdr` command and the stock tool of NATS.
    Person,
}

/// A role with the name under which its key is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    role: Role,
    name: String,
}

/// A name that no person can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is not a name for a person: expected 1 to 32 of [a-z0-9_-], and no name of a role"
)]
pub struct InvalidName {
    /// The name as it was given.
    name: String,
}

impl Role {
    /// Every role, `infra` first and people last.
    pub fn all() -> impl Iterator<Item = Self> {
        let services = Service::ALL.iter().copied().map(Self::Service);
        std::iter::once(Self::Infra)
            .chain(services)
            .chain(std::iter::once(Self::Person))
    }

    /// The role as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infra => "infra",
            Self::Service(service) => service.as_str(),
            Self::Person => "person",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                let roles: Vec<&str> = Self::all().map(Self::as_str).collect();
                format!("expected one of {}", roles.join(", "))
            })
    }
}

impl Identity {
    /// The one identity of a role; for people the one that need not say who they are.
    pub fn of(role: Role) -> Self {
        Self {
            role,
            name: role.as_str().to_owned(),
        }
    }

    /// A person by name.
    ///
    /// # Errors
    /// The name has other characters, is too long, or is that of a role.
    pub fn person(name: &str) -> Result<Self, InvalidName> {
        let is_role = Role::all().any(|role| role.as_str() == name);
        if is_role || !is_plain_name(name) {
            return Err(InvalidName {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            role: Role::Person,
            name: name.to_owned(),
        })
    }

    /// The role that it has.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Its name: that of its role, or of the person.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where answers to its requests go: a prefix that nobody else may read.
    pub fn inbox(&self) -> String {
        format!("_INBOX_{}", self.name)
    }
}

/// Whether the text can name a person or a tenant.
pub(super) fn is_plain_name(text: &str) -> bool {
    let is_legal = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_a_name_that_is_no_role() {
        let ann = Identity::person("ann").unwrap();
        assert_eq!((ann.name(), ann.inbox().as_str()), ("ann", "_INBOX_ann"));

        assert!(Identity::person(&"a".repeat(32)).is_ok());
        let long = "a".repeat(33);
        for name in ["", "Ann", "a.b", "a*", "trainer", "infra", "person", &long] {
            assert!(Identity::person(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_role_reads_back() {
        for role in Role::all() {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("baker".parse::<Role>().unwrap_err().contains("trainer"));
    }
}
