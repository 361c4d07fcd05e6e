//! Settings of the providers on the network: the configuration's sections `[fetcher.providers.*]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::providers::REGISTRATIONS;

/// Where a provider is, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderSettings {
    /// URL of its host.
    pub url: String,
    /// URL of its host for perpetuals, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perp_url: Option<String>,
    /// The time that an answer may take, as in `30s`.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// Share of its limit that is used, in percent: other programs on this address need the rest.
    pub limit_percent: u8,
    /// Requests that a load makes at the same time; the limit holds for all of them together.
    pub at_once: usize,
}

impl Default for ProviderSettings {
    /// No host, 30 seconds, 80 percent, four requests at a time.
    fn default() -> Self {
        Self {
            url: String::new(),
            perp_url: None,
            timeout: Duration::from_secs(30),
            limit_percent: 80,
            at_once: 4,
        }
    }
}

/// The settings of every provider that has a host.
pub(crate) fn default_providers() -> BTreeMap<String, ProviderSettings> {
    let mut settings = BTreeMap::new();
    for registration in REGISTRATIONS {
        let Some(hosts) = registration.hosts else {
            continue;
        };

        let of_provider = ProviderSettings {
            url: hosts.url.to_owned(),
            perp_url: hosts.perp_url.map(str::to_owned),
            ..ProviderSettings::default()
        };
        settings.insert(registration.name.to_owned(), of_provider);
    }
    settings
}
