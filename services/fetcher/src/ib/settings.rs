//! Settings of the provider `ib`: the configuration's section `[fetcher.ib]`.

use std::time::Duration;

use market::{PriceKind, Session};
use serde::{Deserialize, Serialize};

use super::codes::{ATTEMPTS_MAX, PAUSE};
use super::pacing::PacingRules;
use crate::asking_rules::AskingRules;

/// Where the gateway is, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IbSettings {
    /// Host of the TWS or Gateway. `127.0.0.1` rather than `localhost`, which may be an IPv6
    /// address that the gateway refuses.
    pub host: String,
    /// Port of its API: Gateway has 4002 (paper) and 4001 (live), TWS 7497 and 7496.
    pub port: u16,
    /// Name of the account whose limit counts, where gateways of one account have several
    /// addresses, or one gateway several names; without it, `HOST:PORT`.
    pub account: Option<String>,
    /// Client ids that are tried in order where another program holds one; the first three count.
    pub client_ids: Vec<i32>,
    /// The time that a connection may take until it is ready, as in `15s`.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub connect_timeout: Duration,
    /// The time that an answer may take.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// The time for which work waits for a gateway that was there before: it restarts every night.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub outage: Duration,
    /// The time after which an unused connection is closed.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub idle: Duration,
    /// Share of the 60 historical requests in 10 minutes that is used, in percent: other programs
    /// of the account need the rest.
    pub limit_percent: u8,
    /// The time between two historical requests, at least.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub spacing: Duration,
    /// False where the 60 in 10 minutes are not counted and only the spacing holds.
    pub counts_window: bool,
    /// Historical requests that a load makes at the same time: 1, or up to 3.
    pub at_once: usize,
    /// Price that bars of currency and metal pairs are made of: `midpoint`, `bid` or `ask`.
    pub fx_price: PriceKind,
    /// Trading hours of shares, funds, indices and futures: `regular` or `extended`.
    pub hours: Session,
}

impl Default for IbSettings {
    /// A paper Gateway on this machine; 15 s to connect, 60 s to answer, 80 percent of the limit.
    fn default() -> Self {
        let rules = PacingRules::default();

        Self {
            host: "127.0.0.1".to_owned(),
            port: 4002,
            account: None,
            client_ids: vec![111, 112, 113],
            connect_timeout: Duration::from_secs(15),
            timeout: Duration::from_secs(60),
            outage: Duration::from_secs(1800),
            idle: Duration::from_secs(180),
            limit_percent: rules.limit_percent,
            spacing: rules.spacing,
            counts_window: rules.counts_window,
            at_once: 1,
            fx_price: PriceKind::Midpoint,
            hours: Session::Regular,
        }
    }
}

impl IbSettings {
    /// `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What the limit is counted by: all that have the same share one.
    pub fn paced_account(&self) -> String {
        match self.account.as_deref().map(str::trim) {
            Some(account) if !account.is_empty() => account.to_owned(),
            _ => self.address(),
        }
    }

    /// How loads ask: the provider tries and shortens its requests itself.
    pub(crate) fn asking_rules(&self) -> AskingRules {
        AskingRules {
            own_tries: ATTEMPTS_MAX,
            at_once: self.at_once,
            span_min: None,
            ..AskingRules::default()
        }
    }

    /// The rules of pacing that they make.
    pub fn pacing(&self, waits: &IbWaits) -> PacingRules {
        PacingRules {
            limit_percent: self.limit_percent,
            spacing: self.spacing,
            counts_window: self.counts_window,
            identical_apart: waits.identical,
        }
    }
}

/// How long we wait of our own accord. Not a setting: shorter waits harm the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IbWaits {
    /// After a message about pacing, while another login is in the way, and for a broken farm.
    pub pause: Duration,
    /// Before the next client id is tried.
    pub next_id: Duration,
    /// After the connection is ready and before the first request, unless a farm reports earlier.
    pub ready: Duration,
    /// For the answer to a sign of life.
    pub probe: Duration,
    /// Between two identical requests.
    pub identical: Duration,
    /// What the pauses between attempts are multiplied with, in percent.
    pub back_off_percent: u32,
    /// Before each further try to connect; the last one is repeated.
    pub reconnect: Vec<Duration>,
}

impl Default for IbWaits {
    fn default() -> Self {
        Self {
            pause: PAUSE,
            next_id: Duration::from_millis(1500),
            ready: Duration::from_secs(2),
            probe: Duration::from_secs(3),
            identical: PacingRules::default().identical_apart,
            back_off_percent: 100,
            reconnect: [5, 10, 30, 60, 120, 300].map(Duration::from_secs).to_vec(),
        }
    }
}
