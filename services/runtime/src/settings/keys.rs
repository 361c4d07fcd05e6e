//! The keys that exist: every leaf of the defaults, under the names that people use for it.

use std::collections::BTreeMap;

use config::{Value, ValueKind};
use schemas::ids::Service;
use schemas::spelling::nearest_name;
use serde::Serialize;

use super::SettingsError;

/// Prefix of all variables.
const PREFIX: &str = "KTRDR_";
/// Short names of variables, without the prefix, and the keys that they set.
const ALIASES: [(&str, &str); 5] = [
    ("NATS_URL", "bus.url"),
    ("CREDS", "bus.credentials"),
    ("PROFILE", "bus.profile"),
    ("STORE", "store.url"),
    ("LOG", "log.filter"),
];
/// Variables, without the prefix, that other parts of the system read.
const FOREIGN: [&str; 7] = [
    "CONFIG",
    "CONTEXT",
    "DEPS",
    "BIN_DIR",
    "STRATEGIES",
    "NATS_SERVER",
    "TEST_PYTHON",
];
/// The field of the settings type that is the service's own section.
const OWN_FIELD: &str = "service";
/// The beginning of the paths of its keys.
const OWN_PREFIX: &str = "service.";

/// The keys that exist, with their defaults. A *path* is a key as the settings type has it: the own
/// section is called `service`, whatever the service's name is.
pub(super) struct SettingKeys {
    pub(super) service: String,
    /// The defaults as one table.
    pub(super) base: Value,
    /// Path → default.
    pub(super) defaults: BTreeMap<String, ValueKind>,
}

/// The beginning of the variables that set the own section of a service: `KTRDR_DUMMY_`.
pub(crate) fn variable_prefix(service: Service) -> String {
    format!("{PREFIX}{}_", service.to_string().to_uppercase())
}

/// The reader of a variable.
pub(super) enum VariableOwner {
    /// It sets the key at this path.
    Key(String),
    /// Another service or another part of the system reads it.
    Elsewhere,
    /// Nothing reads it.
    Nobody,
}

impl SettingKeys {
    /// Takes the leaves of the defaults as the keys.
    pub(super) fn of<T: Serialize>(service: &str, defaults: &T) -> Result<Self, SettingsError> {
        // By way of JSON, because `config` reads values and does not write them.
        let base: Value = serde_json::to_value(defaults)
            .and_then(serde_json::from_value)
            .map_err(|error| SettingsError::Defaults {
                service: service.to_owned(),
                reason: error.to_string(),
            })?;
        let defaults = leaves_of(&base)
            .into_iter()
            .map(|(path, value)| (path, value.kind))
            .collect();

        Ok(Self {
            service: service.to_owned(),
            base,
            defaults,
        })
    }

    /// The name that people use for a path: the own section has the service's name.
    pub(super) fn name_of(&self, path: &str) -> String {
        match path.strip_prefix(OWN_PREFIX) {
            Some(rest) => format!("{}.{rest}", self.service),
            None => path.to_owned(),
        }
    }

    /// The path of a key as people write it, whole or the last part of an own one.
    pub(super) fn path_of(&self, key: &str) -> Option<String> {
        let path = match key.split_once('.') {
            Some((section, rest)) if section == self.service => format!("{OWN_PREFIX}{rest}"),
            Some((OWN_FIELD, _)) => return None,
            _ if self.defaults.contains_key(key) => key.to_owned(),
            _ => format!("{OWN_PREFIX}{key}"),
        };

        Some(path).filter(|path| self.defaults.contains_key(path))
    }

    /// Who reads the variable `name`; `None` for one without our prefix.
    pub(super) fn owner_of_variable(&self, name: &str) -> Option<VariableOwner> {
        let word = name.strip_prefix(PREFIX)?;
        let section = word.split('_').next().unwrap_or_default();

        let owner = match self.path_of_variable(word) {
            Some(path) => VariableOwner::Key(path),
            None if FOREIGN.contains(&word) => VariableOwner::Elsewhere,
            None if self.is_foreign_section(&section.to_ascii_lowercase()) => {
                VariableOwner::Elsewhere
            }
            None => VariableOwner::Nobody,
        };
        Some(owner)
    }

    /// The path that a variable sets; `word` is its name without the prefix.
    fn path_of_variable(&self, word: &str) -> Option<String> {
        let path_by_name = self
            .defaults
            .keys()
            .find(|path| variable_word(&self.name_of(path)) == word)
            .cloned();

        path_by_name.or_else(|| {
            ALIASES
                .iter()
                .find(|(short, path)| *short == word && self.defaults.contains_key(*path))
                .map(|(_, path)| (*path).to_owned())
        })
    }

    /// True for a section that belongs to another service.
    pub(super) fn is_foreign_section(&self, section: &str) -> bool {
        section != self.service
            && Service::ALL
                .iter()
                .any(|service| service.as_str() == section)
    }

    /// Says that a key does not exist, and which one may be meant.
    pub(super) fn unknown_key(&self, key: &str) -> String {
        // A flag may leave out the section of the service.
        let names: Vec<String> = self
            .defaults
            .keys()
            .map(|path| self.name_of(path))
            .chain(self.own_names())
            .collect();

        match nearest_name(key, names.iter().map(String::as_str)) {
            Some(name) => format!("there is no setting `{key}`; did you mean `{name}`?"),
            None => format!("there is no setting `{key}`"),
        }
    }

    /// The keys of the service's own section, without it.
    fn own_names(&self) -> impl Iterator<Item = String> {
        self.defaults
            .keys()
            .filter_map(|path| path.strip_prefix(OWN_PREFIX))
            .map(str::to_owned)
    }

    /// Says that nothing reads a variable, and which one may be meant.
    pub(super) fn unknown_variable(&self, variable: &str) -> String {
        let words: Vec<String> = self
            .defaults
            .keys()
            .map(|path| variable_word(&self.name_of(path)))
            .chain(ALIASES.map(|(short, _)| short.to_owned()))
            .chain(FOREIGN.map(str::to_owned))
            .collect();

        // Compared without the prefix, which makes any two of them look alike.
        let word = variable.strip_prefix(PREFIX).unwrap_or(variable);
        match nearest_name(word, words.iter().map(String::as_str)) {
            Some(word) => {
                format!("nothing reads this variable; did you mean `{PREFIX}{word}`?")
            }
            None => "nothing reads this variable".to_owned(),
        }
    }
}

/// `bus.url` → `BUS_URL`.
fn variable_word(name: &str) -> String {
    name.replace('.', "_").to_ascii_uppercase()
}

/// All values that are not tables, by their path.
pub(super) fn leaves_of(value: &Value) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    collect_leaves("", value, &mut leaves);
    leaves
}

fn collect_leaves(prefix: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    let ValueKind::Table(table) = &value.kind else {
        leaves.insert(prefix.to_owned(), value.clone());
        return;
    };

    for (key, inner) in table {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        collect_leaves(&path, inner, leaves);
    }
}
