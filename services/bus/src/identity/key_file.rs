//! The file of one key: a secret with lines that say whose it is and where its answers go.
//!
//! Tools of NATS read it too: they look for the line that begins with `SU`.

use std::fmt;

use nkeys::KeyPair;

use super::role::Identity;
use super::tenant::Tenant;

const NAME: &str = "# name: ";
const ROLE: &str = "# role: ";
const INBOX: &str = "# inbox: ";
const TENANT: &str = "# tenant: ";
/// How the seed of a user begins.
const SEED: &str = "SU";
/// A `.creds` file has a token beside its seed, and is not ours to read.
const TOKEN: &str = "BEGIN NATS USER JWT";

/// A key of a user, with what its file says about it. Its secret is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    seed: String,
    public_key: String,
    name: Option<String>,
    role: Option<String>,
    inbox: Option<String>,
    tenant: Option<String>,
}

/// A file that holds no key of a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds no NKEY seed of a user")]
pub struct InvalidKey;

impl KeyFile {
    /// Makes a new key for an identity. The file of [`Identity::of`] a person names nobody, so that
    /// whoever uses it is recorded by the user of the operating system.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate(identity: &Identity) -> Result<Self, InvalidKey> {
        let pair = KeyPair::new_user();
        let is_anonymous = *identity == Identity::of(super::Role::Person);

        Ok(Self {
            seed: pair.seed().map_err(|_| InvalidKey)?,
            public_key: pair.public_key(),
            name: (!is_anonymous).then(|| identity.name().to_owned()),
            role: Some(identity.role().to_string()),
            inbox: Some(identity.inbox()),
            tenant: None,
        })
    }

    /// The same key for a system that shares its server with others.
    #[must_use]
    pub fn in_tenant(&self, tenant: &Tenant) -> Self {
        Self {
            tenant: Some(tenant.to_string()),
            ..self.clone()
        }
    }

    /// Reads the text of a file: lines of ours, or a seed alone.
    ///
    /// # Errors
    /// There is no seed in it, or one that is damaged, or a token beside it.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        if text.contains(TOKEN) {
            return Err(InvalidKey);
        }
        let mut lines = text.lines().map(str::trim);
        let seed = lines.find(|line| line.starts_with(SEED));
        let seed = seed.ok_or(InvalidKey)?;
        let pair = KeyPair::from_seed(seed).map_err(|_| InvalidKey)?;

        Ok(Self {
            public_key: pair.public_key(),
            seed: seed.to_owned(),
            name: value_of(text, NAME),
            role: value_of(text, ROLE),
            inbox: value_of(text, INBOX),
            tenant: value_of(text, TENANT),
        })
    }

    /// The text to write, a secret.
    pub fn text(&self) -> String {
        let mut text =
            "# A secret key of KTRDR: whoever reads this file may do what it allows.\n".to_owned();
        let lines = [
            (NAME, &self.name),
            (ROLE, &self.role),
            (INBOX, &self.inbox),
            (TENANT, &self.tenant),
        ];
        for (word, value) in lines {
            if let Some(value) = value {
                text.push_str(&format!("{word}{value}\n"));
            }
        }

        text.push_str(&self.seed);
        text.push('\n');
        text
    }

    /// What the server knows of it; no secret.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The name of whose key it is; none if the file does not say.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The role in words; none if the file does not say.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Where answers to requests go; none if the file does not say.
    pub fn inbox(&self) -> Option<&str> {
        self.inbox.as_deref()
    }

    /// The tenant in whose account it is; none if the file does not say.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The secret, for the client library alone.
    pub(crate) fn seed(&self) -> &str {
        &self.seed
    }
}

/// What follows the word at the beginning of a line.
fn value_of(text: &str, word: &str) -> Option<String> {
    let mut values = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(word));
    values.next().map(|value| value.trim().to_owned())
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyFile")
            .field("public_key", &self.public_key)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    #[test]
    fn a_key_file_reads_back_and_hides_its_secret() {
        let identity = Identity::person("ann").unwrap();
        let key = KeyFile::generate(&identity).unwrap();

        let read = KeyFile::parse(&key.text()).unwrap();

        assert_eq!(read, key);
        assert_eq!(read.name(), Some("ann"));
        assert_eq!(read.inbox(), Some("_INBOX_ann"));
        assert!(read.public_key().starts_with('U'));
        assert!(!format!("{read:?}").contains(read.seed()));
    }

    #[test]
    fn the_key_of_any_person_names_nobody() {
        let key = KeyFile::generate(&Identity::of(Role::Person)).unwrap();
        assert_eq!((key.name(), key.role()), (None, Some("person")));
    }

    #[test]
    fn a_seed_alone_is_a_key_and_damaged_text_is_none() {
        let key = KeyFile::generate(&Identity::of(Role::Infra)).unwrap();
        let alone = KeyFile::parse(&format!("  {}\n", key.seed())).unwrap();
        assert_eq!(alone.public_key(), key.public_key());
        assert_eq!(alone.inbox(), None);

        let damaged = key.seed().replace(&key.seed()[10..12], "18");
        let with_token = format!("-----BEGIN NATS USER JWT-----\n{}", key.seed());
        for text in ["", "# name: ann", "SUABC", &damaged, &with_token] {
            assert_eq!(KeyFile::parse(text), Err(InvalidKey), "{text}");
        }
    }
}
