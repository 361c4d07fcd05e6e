//! The sections of the settings: what there is to set, and its defaults.

use std::num::NonZeroU16;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::Profile;
use schemas::retries::RetryPolicy;
use serde::{Deserialize, Serialize};

use super::lanes::LaneSetting;
use super::listen_address::ListenAddress;

/// How long a process waits for one connection to the server before it tries again or gives up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the NATS server is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusSettings {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// A NATS credentials file; absent = none needed.
    pub credentials: Option<PathBuf>,
    /// Certificates of the authorities to trust beside those of the system; a server without TLS is
    /// refused then.
    pub tls_ca: Option<PathBuf>,
    /// The certificate that this program shows to a server that asks for one.
    pub tls_cert: Option<PathBuf>,
    /// The file with the key of that certificate.
    pub tls_key: Option<PathBuf>,
    /// The profile that the system is expected to have; absent = whichever the server says.
    pub profile: Option<Profile>,
}

impl Default for BusSettings {
    /// A server on this host, no credentials, whichever profile it has.
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            credentials: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            profile: None,
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
            tls: bus::TlsFiles {
                authority: self.tls_ca.clone(),
                certificate: self.tls_cert.clone(),
                key: self.tls_key.clone(),
            },
            name: name.to_owned(),
            profile: self.profile,
            connect_timeout: CONNECT_TIMEOUT,
            wait_for_server,
        }
    }
}

/// Where series, data sets, checkpoints and models are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreSettings {
    /// `file:///folder`, `s3://bucket/prefix` (server and credentials from the `AWS_*` variables),
    /// or a folder relative to the working directory.
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
    /// The URL to open: a plain folder becomes `file:///…`, taken from `working_directory`. A URL
    /// with a mistake stays as it is, and whoever opens it names the mistake.
    pub fn resolved(&self, working_directory: &Path) -> String {
        if store::is_store_url(&self.url) {
            return self.url.clone();
        }
        let plain = Path::new(self.url.strip_prefix("./").unwrap_or(&self.url));
        format!("file://{}", url_path(&working_directory.join(plain)))
    }
}

/// A path as part of a URL: bytes that are not UTF-8, and characters that mean something else in a
/// URL, are percent-encoded, so that the URL leads back to this path and to no other.
fn url_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '%' | '#' | '?' | '\\' => text.push_str(&format!("%{:02X}", u32::from(character))),
                _ => text.push(character),
            }
        }

        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Which log lines are written, and how. Logs go to standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogSettings {
    /// Directives as in `info,runtime=debug`.
    pub filter: String,
    /// Text for people, or JSON for programs.
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

/// The section of one service: settings that every worker has, and its `Own`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkSettings<Own> {
    /// Queues this process serves: `all` that it may, or lanes, the preferred one first.
    pub lanes: LaneSetting,
    /// Steps it works on at a time.
    pub slots: NonZeroU16,
    /// How long a stop waits for running steps to reach a checkpoint, as in `30s`.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub drain_timeout: Duration,
    /// When a step that failed for now is tried again, and how often.
    pub retry: RetryPolicy,
    /// Where the process shows its metrics and whether it is ready; absent = nowhere.
    pub metrics_address: Option<ListenAddress>,
    /// The settings that only this service has.
    #[serde(flatten)]
    pub own: Own,
}

impl<Own: Default> Default for WorkSettings<Own> {
    /// One step at a time from every lane that the worker may serve; 20 s to stop; three retries.
    fn default() -> Self {
        Self {
            lanes: LaneSetting::All,
            slots: NonZeroU16::MIN,
            drain_timeout: Duration::from_secs(20),
            retry: RetryPolicy::default(),
            metrics_address: None,
            own: Own::default(),
        }
    }
}

/// Everything that a service process can be set to: the common sections and its own one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceSettings<Own: Default = NoSettings> {
    /// The server and the clocks, section `[bus]`.
    pub bus: BusSettings,
    /// The object store, section `[store]`.
    pub store: StoreSettings,
    /// The log lines, section `[log]`.
    pub log: LogSettings,
    /// The section with the service's name.
    pub service: WorkSettings<Own>,
}

/// The sections that every process has; the command line needs no others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientSettings {
    /// The server and the clocks, section `[bus]`.
    pub bus: BusSettings,
    /// The object store, section `[store]`.
    pub store: StoreSettings,
    /// The log lines, section `[log]`.
    pub log: LogSettings,
}
