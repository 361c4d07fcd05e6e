//! The layers of settings: which keys exist, what each layer gives, and whether it fits, one key at
//! a time.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use schemas::ids::Service;
use schemas::spelling::nearest_name;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Mistake, Origin, Setting, SettingsError, Settled};

/// Prefix of all variables.
const PREFIX: &str = "KTRDR_";
/// Short names of variables, and the keys they stand for.
const ALIASES: [(&str, &str); 5] = [
    ("NATS_URL", "bus.url"),
    ("CREDS", "bus.credentials"),
    ("PROFILE", "bus.profile"),
    ("STORE", "store.url"),
    ("LOG", "log.filter"),
];
/// Variables that other parts of the system read.
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
const OWN: &str = "service";

/// A value from one layer, not yet known to fit.
pub(super) struct Given {
    /// As in `bus.url`; the own section is called `service`.
    path: String,
    /// What it may mean, best guess first: text from a variable may be a number.
    readings: Vec<Value>,
    origin: Origin,
}

/// The keys that exist, with their defaults.
pub(super) struct Known {
    service: String,
    base: Value,
    defaults: BTreeMap<String, ValueKind>,
}

impl Known {
    /// The leaves of the defaults are the keys.
    pub(super) fn of<T: Serialize>(service: &str, defaults: &T) -> Result<Self, SettingsError> {
        let failed = |reason: String| SettingsError::Defaults {
            service: service.to_owned(),
            reason,
        };
        let json = serde_json::to_value(defaults).map_err(|error| failed(error.to_string()))?;
        let base: Value =
            serde_json::from_value(json).map_err(|error| failed(error.to_string()))?;
        let mut leaves = BTreeMap::new();
        collect_leaves("", &base, &mut leaves);
        let defaults = leaves
            .into_iter()
            .map(|(path, value)| (path, value.kind))
            .collect();
        Ok(Self {
            service: service.to_owned(),
            base,
            defaults,
        })
    }

    /// What people call a path: the own section has the service's name.
    fn shown(&self, path: &str) -> String {
        path.strip_prefix("service.").map_or_else(
            || path.to_owned(),
            |rest| format!("{}.{rest}", self.service),
        )
    }

    /// The path of a key as people write it, whole or the last part of an own one.
    fn path_of(&self, key: &str) -> Option<String> {
        let own = format!("{OWN}.{key}");
        let found = |path: &str| self.defaults.contains_key(path);
        match key.split_once('.') {
            Some((section, rest)) if section == self.service => {
                Some(format!("{OWN}.{rest}")).filter(|path| found(path))
            }
            Some((section, _)) if section == OWN => None,
            _ if found(key) => Some(key.to_owned()),
            _ => Some(own).filter(|path| found(path)),
        }
    }

    fn unknown(&self, key: &str, origin: Origin) -> Mistake {
        let names: Vec<String> = self.defaults.keys().map(|path| self.shown(path)).collect();
        let hint = match nearest_name(key, names.iter().map(String::as_str)) {
            Some(name) => format!("; did you mean `{name}`?"),
            None => String::new(),
        };
        Mistake {
            origin,
            problem: format!("there is no setting `{key}`{hint}"),
        }
    }

    /// Reads a TOML file. Sections of other services are theirs.
    pub(super) fn read_file(
        &self,
        path: &Path,
        given: &mut Vec<Given>,
        mistakes: &mut Vec<Mistake>,
    ) -> Result<(), SettingsError> {
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
        let mut leaves = BTreeMap::new();
        collect_leaves("", &Value::new(None, ValueKind::Table(table)), &mut leaves);
        for (key, value) in leaves {
            let origin = Origin::File(path.to_owned());
            if self.is_foreign_section(key.split('.').next().unwrap_or_default()) {
                continue;
            }
            match self.path_of(&key).filter(|_| key.contains('.')) {
                Some(path) => given.push(Given {
                    path,
                    readings: vec![value],
                    origin,
                }),
                None => mistakes.push(self.unknown(&key, origin)),
            }
        }
        Ok(())
    }

    fn is_foreign_section(&self, section: &str) -> bool {
        section != self.service
            && Service::ALL
                .iter()
                .any(|service| service.as_str() == section)
    }

    /// Reads the `KTRDR_*` variables; those of other services and parts are theirs.
    pub(super) fn read_environment(
        &self,
        env: &BTreeMap<String, String>,
        given: &mut Vec<Given>,
        mistakes: &mut Vec<Mistake>,
    ) {
        let variables: BTreeMap<String, &String> = self
            .defaults
            .keys()
            .map(|path| {
                (
                    self.shown(path).replace('.', "_").to_ascii_uppercase(),
                    path,
                )
            })
            .collect();
        for (name, text) in env {
            let Some(word) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let alias = ALIASES
                .iter()
                .find(|(short, path)| *short == word && self.defaults.contains_key(*path));
            let path = variables
                .get(word)
                .map(|path| (*path).clone())
                .or_else(|| alias.map(|(_, path)| (*path).to_owned()));
            let section = word
                .split('_')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let origin = Origin::Environment(name.clone());
            match path {
                Some(path) => given.push(self.text(path, text, origin)),
                None if FOREIGN.contains(&word) || self.is_foreign_section(&section) => {}
                None => mistakes
                    .push(self.unknown(&word.to_ascii_lowercase().replacen('_', ".", 1), origin)),
            }
        }
    }

    /// Reads flags, given as pairs of key and text.
    pub(super) fn read_flags(
        &self,
        flags: &[(String, String)],
        given: &mut Vec<Given>,
        mistakes: &mut Vec<Mistake>,
    ) {
        for (key, text) in flags {
            match self.path_of(key) {
                Some(path) => given.push(self.text(path, text, Origin::Flag)),
                None => mistakes.push(self.unknown(key, Origin::Flag)),
            }
        }
    }

    /// Text as the default's type reads it: a list splits at commas, a number is tried before the
    /// word.
    fn text(&self, path: String, text: &str, origin: Origin) -> Given {
        let word = Value::new(None, text.trim());
        let parsed = File::from_str(&format!("value = {text}"), FileFormat::Toml).collect();
        let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
        let readings = match self.defaults.get(&path) {
            Some(ValueKind::Array(_)) => {
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                vec![Value::new(
                    None,
                    items.map(|item| Value::new(None, item)).collect::<Vec<_>>(),
                )]
            }
            Some(ValueKind::String(_) | ValueKind::Nil) => {
                std::iter::once(word).chain(parsed).collect()
            }
            _ => parsed.into_iter().chain([word]).collect(),
        };
        Given {
            path,
            readings,
            origin,
        }
    }

    /// Tries every value alone over the defaults, so that each mistake is found, then all of them
    /// together.
    pub(super) fn settle<T: DeserializeOwned>(
        &self,
        given: Vec<Given>,
        mistakes: &mut Vec<Mistake>,
    ) -> Result<Settled<T>, SettingsError> {
        let mut chosen: BTreeMap<String, (Value, Origin)> = BTreeMap::new();
        for Given {
            path,
            readings,
            origin,
        } in given
        {
            let alone = |value: &Value| self.over_defaults(std::iter::once((path.as_str(), value)));
            let fits = |value: &&Value| alone(value).and_then(Config::try_deserialize::<T>).is_ok();
            let fit = readings.iter().find(fits).cloned();
            let problem = || {
                readings
                    .first()
                    .and_then(|value| alone(value).ok())
                    .map_or_else(String::new, complaint::<T>)
            };
            match fit {
                Some(value) => drop(chosen.insert(path, (value, origin))),
                None => {
                    let problem = format!("{}: {}", self.shown(&path), problem());
                    mistakes.push(Mistake { origin, problem });
                }
            }
        }
        let merged = self.over_defaults(
            chosen
                .iter()
                .map(|(path, (value, _))| (path.as_str(), value)),
        );
        let failed = |error: ConfigError| SettingsError::Defaults {
            service: self.service.clone(),
            reason: error.to_string(),
        };
        let value = merged.and_then(Config::try_deserialize).map_err(failed)?;
        let mut settings: Vec<Setting> = self
            .defaults
            .iter()
            .map(|(path, default)| {
                let (kind, origin) = chosen
                    .get(path)
                    .map_or((default, Origin::Default), |(value, origin)| {
                        (&value.kind, origin.clone())
                    });
                Setting {
                    key: self.shown(path),
                    value: shown_value(path, kind),
                    origin,
                }
            })
            .collect();
        settings.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Settled { value, settings })
    }

    fn over_defaults<'a>(
        &self,
        values: impl Iterator<Item = (&'a str, &'a Value)>,
    ) -> Result<Config, ConfigError> {
        let table = self.base.clone().into_table()?;
        let mut builder = Config::builder().add_source(Layer(table));
        for (path, value) in values {
            builder = builder.set_override(path, value.clone())?;
        }
        builder.build()
    }
}

/// A table as a source.
#[derive(Clone, Debug)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn collect_leaves(prefix: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (key, inner) in table {
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                collect_leaves(&path, inner, leaves);
            }
        }
        _ => drop(leaves.insert(prefix.to_owned(), value.clone())),
    }
}

/// What JSON says about the same document: it lists the words an enumeration has, which `config`
/// does not.
fn complaint<T: DeserializeOwned>(config: Config) -> String {
    let json = config
        .try_deserialize::<serde_json::Value>()
        .map_err(|error| error.to_string());
    json.and_then(|json| {
        serde_json::from_value::<T>(json)
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .err()
    .unwrap_or_else(|| "does not fit".to_owned())
}

fn shown_value(path: &str, kind: &ValueKind) -> String {
    let key = path.rsplit('.').next().unwrap_or_default();
    if ["password", "token", "secret", "key"]
        .iter()
        .any(|word| key.ends_with(word))
        && *kind != ValueKind::Nil
    {
        return "(hidden)".to_owned();
    }
    match kind {
        ValueKind::Nil => "(none)".to_owned(),
        ValueKind::Array(items) => items
            .iter()
            .map(|item| shown_value(path, &item.kind))
            .collect::<Vec<_>>()
            .join(","),
        ValueKind::String(text) => without_password(text),
        other => other.to_string(),
    }
}

/// A URL without what stands before its host: `nats://user:word@host` becomes `nats://…@host`.
fn without_password(text: &str) -> String {
    match text
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)))
    {
        Some((scheme, host)) => format!("{scheme}://…@{host}"),
        None => text.to_owned(),
    }
}
