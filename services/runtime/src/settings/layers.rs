//! The layers above the defaults: what file, variables and flags say, not yet known to fit.

use std::collections::BTreeMap;
use std::path::Path;

use config::{File, FileFormat, Source, Value, ValueKind};

use super::keys::{SettingKeys, VariableOwner, leaves_of};
use super::{Mistake, Origin, SettingsError, SystemSettings};

/// Sections that a running local system decides.
const OF_A_SYSTEM: [&str; 2] = ["bus.", "store."];

/// A value from one layer.
pub(super) struct LayerValue {
    /// As in `bus.url`; the own section is called `service`.
    pub(super) path: String,
    /// All ways to read it, best guess first: text from a variable may be a number.
    pub(super) readings: Vec<Value>,
    pub(super) origin: Origin,
}

/// The values of all layers, lowest layer first, and the mistakes made in them.
pub(super) struct Layers<'a> {
    keys: &'a SettingKeys,
    pub(super) values: Vec<LayerValue>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(keys: &'a SettingKeys) -> Self {
        Self {
            keys,
            values: Vec::new(),
            mistakes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads a TOML file. Sections of other services are left to them.
    pub(super) fn read_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.to_owned(),
            source,
        })?;
        let table = File::from_str(&text, FileFormat::Toml)
            .collect()
            .map_err(|source| SettingsError::Parse {
                path: path.to_owned(),
                source: Box::new(source),
            })?;

        for (key, value) in leaves_of(&Value::new(None, ValueKind::Table(table))) {
            let origin = Origin::File(path.to_owned());
            // In a file every key is in a section, even where a flag needs none.
            let section = key.split_once('.').map(|(section, _)| section);
            if section.is_some_and(|section| self.keys.is_foreign_section(section)) {
                continue;
            }

            match self.keys.path_of(&key).filter(|_| section.is_some()) {
                Some(path) => self.values.push(LayerValue {
                    path,
                    readings: vec![value],
                    origin,
                }),
                None => self.refuse(&key, origin),
            }
        }
        Ok(())
    }

    /// Takes over what a local system says about itself. Server and store are its own: what the
    /// file says about others, with their credentials and profile, is not for it.
    pub(super) fn read_system(&mut self, system: &SystemSettings) {
        self.values.retain(|value| {
            !OF_A_SYSTEM
                .iter()
                .any(|section| value.path.starts_with(section))
        });

        for (key, text) in &system.values {
            let origin = Origin::System(system.path.clone());
            match self.keys.path_of(key) {
                Some(path) => self.values.push(LayerValue {
                    readings: self.readings_of(&path, text),
                    path,
                    origin,
                }),
                None => self.refuse(key, origin),
            }
        }
    }

    /// Reads the `KTRDR_*` variables. Those of other services and parts are left to them; one
    /// without a value counts as not set.
    pub(super) fn read_environment(&mut self, env: &BTreeMap<String, String>) {
        for (name, text) in env {
            let origin = Origin::Environment(name.clone());

            match self.keys.owner_of_variable(name) {
                Some(VariableOwner::Key(_)) if text.trim().is_empty() => {}
                Some(VariableOwner::Key(path)) => self.values.push(LayerValue {
                    readings: self.readings_of(&path, text),
                    path,
                    origin,
                }),
                // A shell may have variables of other programs: no reason to refuse to work.
                Some(VariableOwner::Nobody) => self.warnings.push(Mistake {
                    origin,
                    problem: self.keys.unknown_variable(name),
                }),
                Some(VariableOwner::Elsewhere) | None => {}
            }
        }
    }

    /// Reads flags, given as pairs of key and text.
    pub(super) fn read_flags(&mut self, flags: &[(String, String)]) {
        for (key, text) in flags {
            match self.keys.path_of(key) {
                Some(path) => self.values.push(LayerValue {
                    readings: self.readings_of(&path, text),
                    path,
                    origin: Origin::Flag,
                }),
                None => self.refuse(key, Origin::Flag),
            }
        }
    }

    fn refuse(&mut self, key: &str, origin: Origin) {
        self.mistakes.push(Mistake {
            origin,
            problem: self.keys.unknown_key(key),
        });
    }

    /// Text as the default's type reads it: a list splits at commas, and a number is tried before
    /// the word where the default is not a word.
    fn readings_of(&self, path: &str, text: &str) -> Vec<Value> {
        let word = Value::new(None, text.trim());
        let literal = toml_literal(text);

        match self.keys.defaults.get(path) {
            Some(ValueKind::Array(_)) => vec![comma_separated(text)],
            Some(ValueKind::String(_) | ValueKind::Nil) => {
                std::iter::once(word).chain(literal).collect()
            }
            _ => literal.into_iter().chain([word]).collect(),
        }
    }
}

/// The text as TOML reads it on the right of `=`; `None` for a bare word.
fn toml_literal(text: &str) -> Option<Value> {
    File::from_str(&format!("value = {text}"), FileFormat::Toml)
        .collect()
        .ok()
        .and_then(|mut table| table.remove("value"))
}

fn comma_separated(text: &str) -> Value {
    let items: Vec<Value> = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| Value::new(None, item))
        .collect();

    Value::new(None, items)
}
