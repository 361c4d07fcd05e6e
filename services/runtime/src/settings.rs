//! Settings of every process: defaults, then the file, then `KTRDR_*` variables, then flags; all
//! mistakes reported at once.
//!
//! A file has the sections `[bus]`, `[store]`, `[log]` and one per service. Each key has one
//! variable, `[bus] url` being `KTRDR_BUS_URL` and `[trainer] threads` being
//! `KTRDR_TRAINER_THREADS`, and one flag, `--set bus.url=…` or `--set threads=…`. Keys nobody knows
//! are refused with the nearest one that exists. What was settled remembers where it came from, so
//! that `--check` and `ktrdr doctor` can say it; secrets are never shown.

mod layers;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use bus::Profile;
use schemas::ids::Lane;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The file that is read when `--config` names none and it exists in the working directory.
pub const DEFAULT_FILE: &str = "ktrdr.toml";

/// Where the NATS server is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusSettings {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// A NATS credentials file; absent = none needed.
    pub credentials: Option<PathBuf>,
    /// Timing of claims, signs of life and takeovers; the same in all processes of a system.
    pub profile: Profile,
}

impl Default for BusSettings {
    /// A server on this host, no credentials, profile `dev`.
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            credentials: None,
            profile: Profile::default(),
        }
    }
}

impl BusSettings {
    /// How a process called `name` connects: services wait for a server that is not there yet,
    /// people do not.
    pub fn connect_options(&self, name: &str, wait_for_server: bool) -> bus::ConnectOptions {
        bus::ConnectOptions {
            url: self.url.clone(),
            credentials: self.credentials.clone(),
            name: name.to_owned(),
            profile: self.profile,
            connect_timeout: Duration::from_secs(5),
            wait_for_server,
        }
    }
}

/// Where series, data sets, checkpoints and models are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreSettings {
    /// `file:///folder`, `s3://bucket/prefix` (server and credentials from the `AWS_*` variables), or
    /// a folder relative to the working directory.
    pub url: String,
}

impl Default for StoreSettings {
    /// The folder `.ktrdr/objects` of the working directory.
    fn default() -> Self {
        Self {
            url: ".ktrdr/objects".to_owned(),
        }
    }
}

impl StoreSettings {
    /// The URL to open: a plain folder becomes `file:///…`, taken from `working_directory`.
    pub fn resolved(&self, working_directory: &Path) -> String {
        if self.url.contains("://") {
            return self.url.clone();
        }
        let plain = Path::new(self.url.strip_prefix("./").unwrap_or(&self.url));
        format!("file://{}", working_directory.join(plain).display())
    }
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how. Logs go to standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogSettings {
    /// Directives as in `info,runtime=debug`.
    pub filter: String,
    /// Shape of a line.
    pub format: LogFormat,
}

impl Default for LogSettings {
    /// Changes of state, as text; the NATS client only when something is odd.
    fn default() -> Self {
        Self {
            filter: "info,async_nats=warn".to_owned(),
            format: LogFormat::default(),
        }
    }
}

/// The settings of a service that has none of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSettings {}

/// The service's own section: what every worker has, and `Own`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkSettings<Own> {
    /// Queues this process serves.
    pub lanes: Vec<Lane>,
    /// Steps it works on at a time.
    pub slots: NonZeroU16,
    /// How long a stop waits for running steps to reach a checkpoint, as in `30s`.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub drain_timeout: Duration,
    /// What only this service has.
    #[serde(flatten)]
    pub own: Own,
}

impl<Own: Default> Default for WorkSettings<Own> {
    /// One step at a time from the default lane; 20 s to stop.
    fn default() -> Self {
        Self {
            lanes: vec![Lane::Default],
            slots: NonZeroU16::MIN,
            drain_timeout: Duration::from_secs(20),
            own: Own::default(),
        }
    }
}

/// Everything a service process is told: the common sections and its own one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceSettings<Own: Default = NoSettings> {
    /// Section `[bus]`.
    pub bus: BusSettings,
    /// Section `[store]`.
    pub store: StoreSettings,
    /// Section `[log]`.
    pub log: LogSettings,
    /// The section with the service's name.
    pub service: WorkSettings<Own>,
}

/// The sections that every process has: what the CLI needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientSettings {
    /// Section `[bus]`.
    pub bus: BusSettings,
    /// Section `[store]`.
    pub store: StoreSettings,
    /// Section `[log]`.
    pub log: LogSettings,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Built in.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.pad("default"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => formatter.pad(name),
            Self::Flag => formatter.pad("command line"),
        }
    }
}

/// One value that was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// As in `bus.url`.
    pub key: String,
    /// For the eye: secrets are hidden.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Settings, and where each came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled<T> {
    /// The settings.
    pub value: T,
    /// Every key in alphabetical order.
    pub settings: Vec<Setting>,
}

impl<T> fmt::Display for Settled<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .settings
            .iter()
            .map(|setting| setting.key.len())
            .max()
            .unwrap_or(0);
        for Setting { key, value, origin } in &self.settings {
            writeln!(formatter, "{key:width$} = {value}  ({origin})")?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was given.
    pub origin: Origin,
    /// What is wrong with it, naming the key.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin, self.problem)
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{} is not valid TOML", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<config::ConfigError>,
    },
    /// The built-in defaults do not fit their own type: a defect of the program.
    #[error("the defaults of {service} cannot be loaded: {reason}")]
    Defaults {
        /// Whose.
        service: String,
        /// Why.
        reason: String,
    },
    /// All that is wrong, at once.
    #[error("{}", sentence(mistakes))]
    Mistakes {
        /// At least one.
        mistakes: Vec<Mistake>,
    },
}

fn sentence(mistakes: &[Mistake]) -> String {
    let head = if mistakes.len() == 1 {
        "1 setting is".to_owned()
    } else {
        format!("{} settings are", mistakes.len())
    };
    mistakes
        .iter()
        .fold(format!("{head} wrong"), |text, mistake| {
            format!("{text}\n  {mistake}")
        })
}

impl SettingsError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Read { .. } => "check the path given with --config".to_owned(),
            Self::Parse { .. } => {
                "correct the line; sections are [bus], [store], [log] and one per service"
                    .to_owned()
            }
            Self::Defaults { .. } => "report this as a defect".to_owned(),
            Self::Mistakes { .. } => {
                "correct them, then look at the result with --check".to_owned()
            }
        }
    }
}

/// Settles `T` for `service`: `defaults`, then `file`, then the `KTRDR_*` variables of `env`, then
/// `flags`, later winning.
///
/// A flag is a pair of key and text, the key being whole (`bus.url`) or, for the service's own
/// section, its last part. The field `service` of `T` is the section `[<service>]`; sections and
/// variables of other services are left to them.
///
/// # Errors
/// The file cannot be read or parsed, or any setting is unknown or unfit: all of these in one
/// error.
pub fn load<T: Serialize + DeserializeOwned>(
    service: &str,
    defaults: &T,
    file: Option<&Path>,
    env: &BTreeMap<String, String>,
    flags: &[(String, String)],
) -> Result<Settled<T>, SettingsError> {
    let known = layers::Known::of(service, defaults)?;
    let mut given = Vec::new();
    let mut mistakes = Vec::new();
    if let Some(path) = file {
        known.read_file(path, &mut given, &mut mistakes)?;
    }
    known.read_environment(env, &mut given, &mut mistakes);
    known.read_flags(flags, &mut given, &mut mistakes);
    let settled = known.settle(given, &mut mistakes)?;
    if mistakes.is_empty() {
        Ok(settled)
    } else {
        Err(SettingsError::Mistakes { mistakes })
    }
}
