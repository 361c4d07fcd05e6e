//! The command line that every service has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::settings::{self, DEFAULT_FILE, LoadedSettings, SettingsError};

/// Flags of a service; they win over `KTRDR_*` variables, which win over the file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServiceArgs {
    /// Settings file (TOML); without it `ktrdr.toml` in the working directory, if there is one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// NATS server, as in nats://127.0.0.1:4222
    #[arg(long, value_name = "URL")]
    pub nats_url: Option<String>,
    /// Key file or NATS credentials file
    #[arg(long, value_name = "FILE")]
    pub creds: Option<String>,
    /// Object store: a folder, file:///folder or s3://bucket/prefix
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Profile that the system must have: test, dev or prod; without it the server's
    #[arg(long)]
    pub profile: Option<String>,
    /// Any other setting, as in --set slots=2 or --set log.format=json; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// Show all settings and where each came from, then end
    #[arg(long)]
    pub check: bool,
    /// With --check: one JSON line per setting, for programs
    #[arg(long, requires = "check")]
    pub json: bool,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected KEY=VALUE, as in slots=2".to_owned()),
    }
}

impl ServiceArgs {
    /// The flags as pairs of key and text, for [`settings::load`].
    pub fn flags(&self) -> Vec<(String, String)> {
        let named_flags = [
            ("bus.url", &self.nats_url),
            ("bus.credentials", &self.creds),
            ("store.url", &self.store),
            ("bus.profile", &self.profile),
        ];

        named_flags
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)))
            .chain(self.set.iter().cloned())
            .collect()
    }

    /// The file to read: the one named, else `ktrdr.toml` in `working_directory` if it exists.
    pub fn file(&self, working_directory: &Path) -> Option<PathBuf> {
        let default = working_directory.join(DEFAULT_FILE);

        self.config
            .clone()
            .or_else(|| default.is_file().then_some(default))
    }

    /// Loads the settings of `service` from these flags, `env` and the file.
    ///
    /// # Errors
    /// As [`settings::load`].
    pub fn load<T: Serialize + DeserializeOwned>(
        &self,
        service: &str,
        defaults: &T,
        env: &BTreeMap<String, String>,
        working_directory: &Path,
    ) -> Result<LoadedSettings<T>, SettingsError> {
        let file = self.file(working_directory);

        settings::load(service, defaults, file.as_deref(), env, &self.flags())
    }
}
