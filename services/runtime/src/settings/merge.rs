//! Merging: every value is tried alone over the defaults, so that each mistake is found in one run,
//! then all of them together.

use std::collections::BTreeMap;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::keys::SettingKeys;
use super::layers::{LayerValue, Layers};
use super::{LoadedSettings, Mistake, Origin, Setting, SettingsError};

/// Endings of keys whose values are never shown.
const SECRET_ENDINGS: [&str; 4] = ["password", "token", "secret", "key"];

/// The winning values by path, with the layer that each came from.
type Chosen = BTreeMap<String, (Value, Origin)>;

/// Settings from the defaults and all layers.
///
/// # Errors
/// All mistakes of all layers at once.
pub(super) fn merge<T: DeserializeOwned>(
    keys: &SettingKeys,
    layers: Layers<'_>,
) -> Result<LoadedSettings<T>, SettingsError> {
    // In the order of the layers, so that a later value of a key replaces an earlier one.
    let mut mistakes = layers.mistakes;
    let mut chosen = Chosen::new();
    for value in layers.values {
        match fitting_reading::<T>(keys, &value) {
            Ok(reading) => {
                chosen.insert(value.path, (reading, value.origin));
            }
            Err(complaint) => mistakes.push(Mistake {
                problem: format!("{}: {complaint}", keys.name_of(&value.path)),
                origin: value.origin,
            }),
        }
    }
    if !mistakes.is_empty() {
        return Err(SettingsError::Mistakes { mistakes });
    }

    // Each value fits alone, so a failure of all together is a defect of the defaults.
    let values = chosen
        .iter()
        .map(|(path, (value, _))| (path.as_str(), value));
    let value = over_defaults(keys, values)
        .and_then(Config::try_deserialize)
        .map_err(|error| SettingsError::Defaults {
            service: keys.service.clone(),
            reason: error.to_string(),
        })?;

    Ok(LoadedSettings {
        value,
        entries: list_entries(keys, &chosen),
        warnings: layers.warnings,
    })
}

/// The first reading of a value that fits `T` when it alone is put over the defaults; the complaint
/// about the best guess when none does.
fn fitting_reading<T: DeserializeOwned>(
    keys: &SettingKeys,
    value: &LayerValue,
) -> Result<Value, String> {
    for reading in &value.readings {
        let config = over_defaults(keys, [(value.path.as_str(), reading)].into_iter());
        if config.and_then(Config::try_deserialize::<T>).is_ok() {
            return Ok(reading.clone());
        }
    }

    let best_guess = value.readings.iter().take(1);
    let config = over_defaults(keys, best_guess.map(|guess| (value.path.as_str(), guess)));
    Err(config.map_or_else(|error| error.to_string(), complaint::<T>))
}

fn over_defaults<'a>(
    keys: &SettingKeys,
    values: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<Config, ConfigError> {
    let table = keys.base.clone().into_table()?;
    let mut builder = Config::builder().add_source(TableSource(table));
    for (path, value) in values {
        builder = builder.set_override(path, value.clone())?;
    }
    builder.build()
}

/// A table as a source of `config`.
#[derive(Clone, Debug)]
struct TableSource(Map<String, Value>);

impl Source for TableSource {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// The complaint of JSON about the same document: it lists the words that an enumeration has, which
/// `config` does not.
fn complaint<T: DeserializeOwned>(config: Config) -> String {
    let json = match config.try_deserialize::<serde_json::Value>() {
        Ok(json) => json,
        Err(error) => return error.to_string(),
    };

    match serde_json::from_value::<T>(json) {
        Ok(_) => "does not fit".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// One entry per key, in alphabetical order of the names that people use.
fn list_entries(keys: &SettingKeys, chosen: &Chosen) -> Vec<Setting> {
    let mut entries: Vec<Setting> = keys
        .defaults
        .iter()
        .map(|(path, default)| match chosen.get(path) {
            Some((value, origin)) => entry(keys, path, &value.kind, origin.clone()),
            None => entry(keys, path, default, Origin::Default),
        })
        .collect();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}

fn entry(keys: &SettingKeys, path: &str, kind: &ValueKind, origin: Origin) -> Setting {
    Setting {
        key: keys.name_of(path),
        value: display_value(path, kind),
        origin,
    }
}

/// A value for people; secrets are hidden.
fn display_value(path: &str, kind: &ValueKind) -> String {
    let is_secret = SECRET_ENDINGS.iter().any(|ending| path.ends_with(ending));

    match kind {
        ValueKind::Nil => "(none)".to_owned(),
        _ if is_secret => "(hidden)".to_owned(),
        ValueKind::Array(items) => items
            .iter()
            .map(|item| display_value(path, &item.kind))
            .collect::<Vec<_>>()
            .join(","),
        ValueKind::String(text) => without_password(text),
        other => other.to_string(),
    }
}

/// A URL without the credentials before its host: `nats://user:word@host` becomes
/// `nats://…@host`.
fn without_password(text: &str) -> String {
    let scheme_and_host = text
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)));

    match scheme_and_host {
        Some((scheme, host)) => format!("{scheme}://…@{host}"),
        None => text.to_owned(),
    }
}
