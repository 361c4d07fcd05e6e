//! Settings of every process: defaults, then the file, then the local system that runs here, then
//! `KTRDR_*` variables, then flags; all mistakes reported at once.
//!
//! A file has the sections `[bus]`, `[store]`, `[log]` and one per service. Each key has one
//! variable, `[bus] url` being `KTRDR_BUS_URL` and `[fetcher] files` being `KTRDR_FETCHER_FILES`,
//! and one flag, `--set bus.url=…` or `--set files=…`.
//!
//! An unknown key in the file or among the flags is refused with the nearest one that exists. An
//! unknown variable is only warned of: a shell may carry variables of other programs, and they must
//! not break every command. Each value remembers where it came from, so that `--check` and `ktrdr
//! doctor` can show it; secrets are never shown.

mod environment;
mod keys;
mod lanes;
mod layers;
mod listen_address;
mod loaded;
mod merge;
mod sections;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use bus::Profile;
pub use environment::process_environment;
pub use lanes::LaneSetting;
pub use listen_address::ListenAddress;
pub use loaded::{LoadedSettings, Mistake, Origin, Setting, SettingsError, SystemSettings};
pub use sections::{
    BusSettings, ClientSettings, LogFormat, LogSettings, NoSettings, ServiceSettings,
    StoreSettings, WorkSettings,
};

use keys::SettingKeys;
pub(crate) use keys::variable_prefix;
use layers::Layers;

/// The file that is read when `--config` names none and it exists in the working directory.
pub const DEFAULT_FILE: &str = "ktrdr.toml";

/// Loads `T` for `service`: `defaults`, then `file`, then the `KTRDR_*` variables of `env`, then
/// `flags`, later winning.
///
/// A flag is a pair of key and text, the key being whole (`bus.url`) or, for the service's own
/// section, its last part. The field `service` of `T` is the section `[<service>]`; sections and
/// variables of other services are left to them.
///
/// # Errors
/// The file cannot be read or parsed, or any setting is unknown or unfit: all of these in one
/// error. Unknown variables are no error; they are among the warnings of the result.
pub fn load<T: Serialize + DeserializeOwned>(
    service: &str,
    defaults: &T,
    file: Option<&Path>,
    env: &BTreeMap<String, String>,
    flags: &[(String, String)],
) -> Result<LoadedSettings<T>, SettingsError> {
    load_beside(service, defaults, file, None, env, flags)
}

/// [`load`] beside a local system, whose settings win over those of the file.
///
/// # Errors
/// As [`load`].
pub fn load_beside<T: Serialize + DeserializeOwned>(
    service: &str,
    defaults: &T,
    file: Option<&Path>,
    system: Option<&SystemSettings>,
    env: &BTreeMap<String, String>,
    flags: &[(String, String)],
) -> Result<LoadedSettings<T>, SettingsError> {
    let keys = SettingKeys::of(service, defaults)?;

    let mut layers = Layers::new(&keys);
    if let Some(path) = file {
        layers.read_file(path)?;
    }
    if let Some(system) = system {
        layers.read_system(system);
    }
    layers.read_environment(env);
    layers.read_flags(flags);

    merge::merge(&keys, layers)
}
