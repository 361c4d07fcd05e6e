//! Every provider there is, by name, and what is opened of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;
use runtime::{OwnMemory, SharedMemory};

use crate::breaker::Breaker;
use crate::exchanges::{binance, coinbase, kraken, yahoo};
use crate::file_provider;
use crate::handler::FetcherSettings;
use crate::http_account::{AccountRules, HttpAccount, http_client};
use crate::ib;
use crate::provider::{AskingRules, Provider, ProviderError};
use crate::remote_error::{Failure, RemoteError};

/// All providers: one line for each.
pub const REGISTRATIONS: &[Registration] = &[
    file_provider::REGISTRATION,
    binance::REGISTRATION,
    kraken::REGISTRATION,
    coinbase::REGISTRATION,
    ib::provider::REGISTRATION,
    yahoo::REGISTRATION,
    yahoo::ADJUSTED,
];

/// What makes a provider one of those that there are.
pub struct Registration {
    /// Its name on the command line, in settings and in keys.
    pub name: &'static str,
    /// Where it is, unless a setting says otherwise; absent for one without a host.
    pub hosts: Option<Hosts>,
    /// Opens it with the settings of these providers.
    pub open: fn(&Providers) -> Result<Arc<dyn Provider>, ProviderError>,
}

/// The hosts of a provider.
#[derive(Clone, Copy, Debug)]
pub struct Hosts {
    /// URL of its first host.
    pub url: &'static str,
    /// URL of the host for perpetuals, where that is another one.
    pub perp_url: Option<&'static str>,
}

/// The providers of a process: those on the network are opened once, so that connections, heads and
/// the use of limits are shared by all requests.
pub struct Providers {
    settings: FetcherSettings,
    memory: Arc<dyn SharedMemory>,
    client: Mutex<Option<Client>>,
    opened: Mutex<BTreeMap<&'static str, Arc<dyn Provider>>>,
    breakers: Mutex<BTreeMap<String, Arc<Breaker>>>,
}

impl Providers {
    /// With nothing opened yet; they share nothing with other processes.
    pub fn new(settings: FetcherSettings) -> Self {
        Self::with_memory(settings, Arc::new(OwnMemory::default()))
    }

    /// The same, sharing limits, heads and look-ups with all that have the same memory.
    pub const fn with_memory(settings: FetcherSettings, memory: Arc<dyn SharedMemory>) -> Self {
        Self {
            settings,
            memory,
            client: Mutex::new(None),
            opened: Mutex::new(BTreeMap::new()),
            breakers: Mutex::new(BTreeMap::new()),
        }
    }

    /// The settings that they are opened with.
    pub const fn settings(&self) -> &FetcherSettings {
        &self.settings
    }

    /// What they share with other processes.
    pub const fn memory(&self) -> &Arc<dyn SharedMemory> {
        &self.memory
    }

    /// The names of all providers.
    pub fn names() -> Vec<&'static str> {
        let names = REGISTRATIONS.iter().map(|registration| registration.name);
        names.collect()
    }

    /// The provider of a name.
    ///
    /// # Errors
    /// There is none of that name, or its settings are wrong.
    pub fn open(&self, name: &str) -> Result<Arc<dyn Provider>, ProviderError> {
        let registration = REGISTRATIONS.iter().find(|each| each.name == name);
        let Some(registration) = registration else {
            return Err(ProviderError::Unconfigured {
                name: name.to_owned(),
                names: Self::names(),
            });
        };

        // Files may change between two requests, and remember nothing worth keeping.
        if registration.hosts.is_none() {
            return (registration.open)(self);
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(provider) = opened.get(registration.name) {
            return Ok(Arc::clone(provider));
        }
        let provider = (registration.open)(self)?;
        opened.insert(registration.name, Arc::clone(&provider));
        Ok(provider)
    }

    /// What this process remembers of a provider's failures.
    pub fn breaker(&self, name: &str) -> Arc<Breaker> {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(breakers.entry(name.to_owned()).or_default())
    }

    /// How a provider is asked, with what the settings say about it.
    pub fn asking_rules(&self, provider: &dyn Provider) -> AskingRules {
        let rules = provider.asking_rules();
        let settings = self.settings.providers.get(provider.name());
        AskingRules {
            at_once: settings.map_or(rules.at_once, |settings| settings.at_once),
            ..rules
        }
    }

    /// The account of a provider at the host that a setting of it names: `url` or `perp_url`.
    ///
    /// # Errors
    /// The setting is no URL.
    pub fn open_account(
        &self,
        registration: &Registration,
        setting: &str,
        rules: AccountRules,
    ) -> Result<HttpAccount, RemoteError> {
        let name = registration.name;
        let settings = self.settings.providers.get(name);
        let settings = settings.cloned().unwrap_or_default();
        let url = match setting {
            "perp_url" => settings.perp_url.unwrap_or_default(),
            _ => settings.url,
        };

        let budget = rules.budget.with_percent(settings.limit_percent);
        let rules = AccountRules { budget, ..rules };
        let client = self.client(name)?;
        let account = HttpAccount::open(name, client, &url, setting, settings.timeout, rules)?;
        Ok(account.with_memory(Arc::clone(&self.memory)))
    }

    /// The one client of this process.
    fn client(&self, provider: &str) -> Result<Client, RemoteError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }

        let made = http_client().map_err(|error| RemoteError {
            provider: provider.to_owned(),
            failure: Failure::Connection {
                address: "its host".to_owned(),
                reason: format!("no TLS: {error}"),
            },
        })?;
        *client = Some(made.clone());
        Ok(made)
    }
}
