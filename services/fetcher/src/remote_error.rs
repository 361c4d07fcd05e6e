//! What can go wrong with a provider on the network, in classes, and what people are advised to do.

use std::borrow::Cow;

use jiff::Timestamp;
use market::Timeframe;
use schemas::codes::{self, Advice, Code};

use crate::provider_error::{FailureClass, search_command};

/// A failure of a provider on the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {failure}")]
pub struct RemoteError {
    /// Name of the provider.
    pub provider: String,
    /// What has happened.
    pub failure: Failure,
}

/// What has happened between us and a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection, or one that broke off.
    #[error("{address} cannot be reached: {reason}")]
    Connection {
        /// Address of the request, without its query.
        address: String,
        /// The reason, as the network gives it.
        reason: String,
    },
    /// The server says that it cannot answer now.
    #[error("{address} cannot answer now (HTTP {status})")]
    Away {
        /// Address of the request, without its query.
        address: String,
        /// HTTP status of 500 or more.
        status: u16,
    },
    /// No answer in time.
    #[error("{address} did not answer within {seconds} s")]
    Timeout {
        /// Address of the request, without its query.
        address: String,
        /// The time that was waited.
        seconds: u64,
    },
    /// It wants a pause that is too long to be waited out.
    #[error("it answers no request before {until}")]
    Pacing {
        /// When it may be asked again.
        until: Timestamp,
    },
    /// It does not answer us.
    #[error("{address} refuses to answer (HTTP {status}){}", with_colon(.text))]
    Permission {
        /// Address of the request, without its query.
        address: String,
        /// HTTP status: 401, 403 or 451.
        status: u16,
        /// What it says, or nothing.
        text: String,
    },
    /// It does not have the instrument.
    #[error("it has no {symbol}{}", similar_ones(.similar))]
    UnknownSymbol {
        /// Its own name of the instrument.
        symbol: String,
        /// Instruments with names like that one.
        similar: Vec<String>,
    },
    /// It has the instrument without bars.
    #[error("it has no bars of {series} yet")]
    NoData {
        /// Symbol and timeframe.
        series: String,
    },
    /// It has no instruments of that class.
    #[error("it has no {instrument}: it has {classes} only")]
    Class {
        /// The instrument in our spelling.
        instrument: String,
        /// What it has, in words.
        classes: String,
    },
    /// It has no bars of that length.
    #[error("it has no {timeframe} bars; it has {timeframes}")]
    Timeframe {
        /// The instrument in our spelling.
        instrument: String,
        /// The timeframe of the request.
        timeframe: String,
        /// Those that it has.
        timeframes: String,
    },
    /// Its answer is not what it should be.
    #[error("the answer of {address} cannot be read: {reason}")]
    Protocol {
        /// Address of the request, without its query.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting of ours is wrong.
    #[error("the setting `{key}` cannot be used: {reason}")]
    Setting {
        /// The whole key.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
}

fn with_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

fn similar_ones(similar: &[String]) -> String {
    if similar.is_empty() {
        return String::new();
    }
    format!("; it has {}", similar.join(", "))
}

impl RemoteError {
    /// What kind of failure it is.
    pub const fn class(&self) -> FailureClass {
        match self.failure {
            Failure::Connection { .. } | Failure::Away { .. } => FailureClass::Connection,
            Failure::Timeout { .. } => FailureClass::Timeout,
            Failure::Pacing { .. } => FailureClass::Pacing,
            Failure::Permission { .. } => FailureClass::Permission,
            Failure::UnknownSymbol { .. } => FailureClass::UnknownSymbol,
            Failure::NoData { .. } => FailureClass::NoData,
            Failure::Protocol { .. } => FailureClass::Protocol,
            Failure::Class { .. } | Failure::Timeframe { .. } | Failure::Setting { .. } => {
                FailureClass::Request
            }
        }
    }

    /// True if asking again soon may help. A long pause is over later, and asking in it may make it
    /// longer.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.class(),
            FailureClass::Connection | FailureClass::Timeout
        )
    }
}

impl Advice for RemoteError {
    fn code(&self) -> Code {
        match self.failure {
            Failure::Connection { .. } | Failure::Away { .. } => codes::PROVIDER_UNREACHABLE,
            Failure::Timeout { .. } => codes::PROVIDER_TIMEOUT,
            Failure::Pacing { .. } => codes::PROVIDER_PACING,
            Failure::Permission { .. } => codes::PROVIDER_NO_PERMISSION,
            Failure::UnknownSymbol { .. } => codes::PROVIDER_UNKNOWN_INSTRUMENT,
            Failure::NoData { .. } => codes::DATA_NO_BARS,
            Failure::Class { .. } | Failure::Timeframe { .. } => codes::PROVIDER_UNSUPPORTED,
            Failure::Protocol { .. } => codes::PROVIDER_PROTOCOL,
            Failure::Setting { .. } => codes::CONFIG_INVALID,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        let provider = &self.provider;
        let check = format!("`ktrdr provider status {provider}`");

        let hint = match &self.failure {
            Failure::Connection { .. } => format!(
                "look at the network, a firewall and `fetcher.providers.{provider}.url`; {check} \
                 asks again"
            ),
            Failure::Away { .. } => format!(
                "the fault is the provider's: run the command again later, {check} shows when"
            ),
            Failure::Timeout { .. } => format!(
                "{check} shows how fast it answers; `fetcher.providers.{provider}.timeout` is the \
                 time to wait"
            ),
            Failure::Pacing { until } => format!(
                "run the command again after {until}: it goes on where it stopped; other programs \
                 on this address count as well"
            ),
            Failure::Permission { .. } => {
                "the provider may not serve your country or address: use another provider of \
                 `ktrdr provider list`"
                    .to_owned()
            }
            Failure::UnknownSymbol { symbol: name, .. } | Failure::NoData { series: name } => {
                format!("{} lists what it has", search_command(provider, name))
            }
            Failure::Class { .. } => {
                "`ktrdr provider list` shows which provider has what".to_owned()
            }
            Failure::Timeframe {
                instrument,
                timeframe,
                timeframes,
            } => name_a_timeframe(provider, instrument, timeframe, timeframes),
            Failure::Protocol { .. } => format!(
                "its interface may have changed, or something else answers at \
                 `fetcher.providers.{provider}.url`; {check} asks again"
            ),
            Failure::Setting { key, .. } => format!("give `{key}` a URL such as https://host"),
        };
        hint.into()
    }
}

/// The commands that make bars of a length out of those that there are.
fn name_a_timeframe(provider: &str, instrument: &str, timeframe: &str, timeframes: &str) -> String {
    let shorter = longest_part(timeframe, timeframes);
    let Some(shorter) = shorter else {
        return "load one of these: no longer bars can be made of them that fit".to_owned();
    };

    format!(
        "`ktrdr data load {instrument} -t {shorter} --mode full --provider {provider}` loads \
         shorter ones, and `ktrdr data resample {instrument} -t {shorter} --to {timeframe} \
         --provider {provider} --yes` makes {timeframe} bars of them"
    )
}

/// The longest of some timeframes that another one is a multiple of.
fn longest_part(timeframe: &str, timeframes: &str) -> Option<Timeframe> {
    let whole: Timeframe = timeframe.parse().ok()?;
    let parts = timeframes.split(", ").filter_map(|text| text.parse().ok());
    let is_part = |part: &Timeframe| {
        *part < whole && part.is_intraday() && whole.minutes() % part.minutes() == 0
    };
    parts.filter(is_part).max()
}
