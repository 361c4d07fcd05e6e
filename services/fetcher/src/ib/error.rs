//! What can go wrong with a TWS or a Gateway, and what people are advised to do.
//!
//! Each message says what happened; each hint says what is safe, what to do, and how to go on.

use std::borrow::Cow;

use jiff::Timestamp;
use schemas::codes::{self, Advice, Code};

use crate::provider_error::{FailureClass, search_command};

/// A failure of the provider `ib`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ib at {address}: {failure}")]
pub struct IbError {
    /// Host and port of the gateway.
    pub address: String,
    /// What has happened.
    pub failure: IbFailure,
}

/// What has happened between us and a gateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IbFailure {
    /// Nothing listens there.
    #[error("no TWS or Gateway answers: {reason}")]
    Unreachable {
        /// The reason, as the network gives it.
        reason: String,
    },
    /// It takes connections and says nothing.
    #[error("it takes the connection and says nothing for {seconds} s")]
    Silent {
        /// The time that was waited.
        seconds: u64,
    },
    /// It takes a connection and closes it before it has said anything.
    #[error("it closes the connection at once: {reason}")]
    Rejected {
        /// What the library makes of it.
        reason: String,
    },
    /// Its interface is too old.
    #[error("it is too old: its interface has version {version}, {needed} or newer is needed")]
    Old {
        /// What it has.
        version: i32,
        /// What is needed.
        needed: i32,
    },
    /// Every client id that was tried belongs to another program.
    #[error("other programs hold the client ids {}", joined(.ids))]
    ClientIds {
        /// The ids that were tried.
        ids: Vec<i32>,
    },
    /// The connection broke, and did not come back in time.
    #[error("the connection is lost: {reason}")]
    Lost {
        /// What is known of it.
        reason: String,
    },
    /// The gateway has no link to its servers for too long.
    #[error("the gateway has been without its servers for {minutes} min")]
    LinkLost {
        /// The time that was waited.
        minutes: u64,
    },
    /// A request without an answer, though the gateway lives.
    #[error("there is no answer about {subject} within {seconds} s")]
    Timeout {
        /// What was asked for.
        subject: String,
        /// The time that was waited.
        seconds: u64,
    },
    /// It wants fewer requests, again and again.
    #[error("it wants fewer requests; the next one may follow at {until}")]
    Pacing {
        /// When it may be asked again.
        until: Timestamp,
    },
    /// A subscription is missing.
    #[error("it may not show {subject} to this account (code {code}): {text}")]
    Permission {
        /// Contract and price.
        subject: String,
        /// Number of the message.
        code: i32,
        /// What it says.
        text: String,
    },
    /// Another login uses the data session.
    #[error("another login uses the data session (code {code}): {text}")]
    Session {
        /// Number of the message.
        code: i32,
        /// What it says.
        text: String,
    },
    /// There is no such contract.
    #[error("it has no {instrument}{}", similar_ones(.similar))]
    UnknownSymbol {
        /// The instrument in our spelling.
        instrument: String,
        /// Contracts with names like that one.
        similar: Vec<String>,
    },
    /// There are several such contracts.
    #[error("{instrument} can be {}", .candidates.join(" or "))]
    Ambiguous {
        /// The instrument in our spelling.
        instrument: String,
        /// Symbol, exchange and currency of each.
        candidates: Vec<String>,
    },
    /// There is a contract that has no bars any more.
    #[error("it has no bars of {subject} any more (code {code}): {text}")]
    Unavailable {
        /// The contract that has none.
        subject: String,
        /// Number of the message.
        code: i32,
        /// What it says.
        text: String,
    },
    /// No instruments of that class.
    #[error("it has no {instrument}: it has no crypto perpetuals")]
    Class {
        /// The instrument in our spelling.
        instrument: String,
    },
    /// No bars of that length.
    #[error("it has no {timeframe} bars; it has {timeframes}")]
    Timeframe {
        /// The timeframe of the request.
        timeframe: String,
        /// Those that it has.
        timeframes: String,
    },
    /// A request that it refuses whatever happens.
    #[error("it refuses the request for {subject} (code {code}): {text}")]
    Refused {
        /// What was asked for.
        subject: String,
        /// Number of the message.
        code: i32,
        /// What it says.
        text: String,
    },
    /// It cannot answer now.
    #[error("it cannot answer about {subject} now (code {code}): {text}")]
    Away {
        /// What was asked for.
        subject: String,
        /// Number of the message.
        code: i32,
        /// What it says.
        text: String,
    },
    /// An answer that cannot be read.
    #[error("its answer about {subject} cannot be read: {reason}")]
    Protocol {
        /// What was asked for.
        subject: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn joined(ids: &[i32]) -> String {
    let texts: Vec<String> = ids.iter().map(i32::to_string).collect();
    texts.join(", ")
}

fn similar_ones(similar: &[String]) -> String {
    if similar.is_empty() {
        return String::new();
    }
    format!("; it has {}", similar.join(", "))
}

impl IbError {
    /// What kind of failure it is.
    pub const fn class(&self) -> FailureClass {
        match self.failure {
            IbFailure::Unreachable { .. }
            | IbFailure::Lost { .. }
            | IbFailure::LinkLost { .. }
            | IbFailure::Away { .. } => FailureClass::Connection,
            IbFailure::Silent { .. } | IbFailure::Timeout { .. } => FailureClass::Timeout,
            IbFailure::Pacing { .. } => FailureClass::Pacing,
            IbFailure::Permission { .. } | IbFailure::Session { .. } => FailureClass::Permission,
            IbFailure::UnknownSymbol { .. } | IbFailure::Ambiguous { .. } => {
                FailureClass::UnknownSymbol
            }
            IbFailure::Unavailable { .. } => FailureClass::NoData,
            IbFailure::Protocol { .. } => FailureClass::Protocol,
            IbFailure::Rejected { .. }
            | IbFailure::Old { .. }
            | IbFailure::ClientIds { .. }
            | IbFailure::Class { .. }
            | IbFailure::Timeframe { .. }
            | IbFailure::Refused { .. } => FailureClass::Request,
        }
    }

    /// True if asking again soon may help.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.class(),
            FailureClass::Connection | FailureClass::Timeout
        )
    }
}

impl Advice for IbError {
    fn code(&self) -> Code {
        match self.failure {
            IbFailure::Unreachable { .. }
            | IbFailure::Rejected { .. }
            | IbFailure::Lost { .. }
            | IbFailure::LinkLost { .. }
            | IbFailure::Away { .. } => codes::PROVIDER_UNREACHABLE,
            IbFailure::Silent { .. } | IbFailure::Timeout { .. } => codes::PROVIDER_TIMEOUT,
            IbFailure::Pacing { .. } => codes::PROVIDER_PACING,
            IbFailure::Permission { .. } | IbFailure::Session { .. } => {
                codes::PROVIDER_NO_PERMISSION
            }
            IbFailure::UnknownSymbol { .. } | IbFailure::Ambiguous { .. } => {
                codes::PROVIDER_UNKNOWN_INSTRUMENT
            }
            IbFailure::Unavailable { .. } => codes::DATA_NO_BARS,
            IbFailure::Class { .. } | IbFailure::Timeframe { .. } => codes::PROVIDER_UNSUPPORTED,
            IbFailure::Old { .. } | IbFailure::ClientIds { .. } => codes::CONFIG_INVALID,
            IbFailure::Refused { .. } | IbFailure::Protocol { .. } => codes::PROVIDER_PROTOCOL,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match &self.failure {
            IbFailure::Pacing { until } => format!(
                "wait until {until}; other programs of this account count as well, and a lower \
                 `fetcher.ib.limit_percent` leaves them room"
            )
            .into(),
            IbFailure::UnknownSymbol { instrument, .. }
            | IbFailure::Ambiguous { instrument, .. }
            | IbFailure::Unavailable {
                subject: instrument,
                ..
            } => {
                let search = search_command("ib", instrument);
                format!("{search} lists contracts; {}", advice_of(&self.failure)).into()
            }
            failure => advice_of(failure).into(),
        }
    }
}

/// What to do about a failure that needs no more than words.
const fn advice_of(failure: &IbFailure) -> &'static str {
    match failure {
        IbFailure::Unreachable { .. } => {
            "start TWS or Gateway and allow socket clients in its API settings, or correct \
             `fetcher.ib.host` and `fetcher.ib.port`: Gateway has 4002 (paper) and 4001 (live), \
             TWS 7497 and 7496; from a container, run the fetcher beside the gateway; `ktrdr \
             provider status ib` asks again"
        }
        IbFailure::Silent { .. } => {
            "restart the gateway, and see that its API is enabled, that it has logged in, that \
             `fetcher.ib.port` is the port of that API, and that no firewall is in between"
        }
        IbFailure::Rejected { .. } => {
            "add this machine to the trusted addresses of the gateway's API settings, and see that \
             the port is that of its API"
        }

        IbFailure::Old { .. } => "install a newer TWS or Gateway",
        IbFailure::ClientIds { .. } => {
            "give this program other ids with `fetcher.ib.client_ids`, or stop the other program"
        }

        IbFailure::Lost { .. } => "see that the gateway still runs and is logged in",
        IbFailure::LinkLost { .. } => {
            "see in the gateway's own window whether it is logged in, and whether the network works"
        }
        IbFailure::Timeout { .. } => {
            "`ktrdr provider status ib` shows whether the gateway answers; `fetcher.ib.timeout` is \
             the time to wait"
        }
        IbFailure::Pacing { .. } => "wait",

        IbFailure::Permission { .. } => {
            "subscribe to the data of that exchange in the account's settings, or share the \
             subscription with the paper account"
        }
        IbFailure::Session { .. } => {
            "log out of the other TWS, Gateway or telephone application that uses this account, or \
             wait until it is closed"
        }

        IbFailure::UnknownSymbol { .. } | IbFailure::Ambiguous { .. } => {
            "write a currency pair as EUR.USD, a share class as BRK.B, a share abroad as VOD.L, a \
             future as fut:ES:202612"
        }
        IbFailure::Unavailable { .. } => {
            "name one that still trades, or the continuous series as fut:ES: expired futures are \
             kept for two years"
        }

        IbFailure::Class { .. } => "`ktrdr provider list` shows which provider has what",
        IbFailure::Timeframe { .. } => {
            "load a shorter timeframe, and make longer bars of it with `ktrdr data resample`"
        }

        IbFailure::Refused { .. } => {
            "asking again does not help: report it with this message, and load another timeframe \
             or a later start meanwhile"
        }
        IbFailure::Away { .. } => {
            "the fault is the provider's, often for minutes: `ktrdr provider status ib` shows its \
             state"
        }
        IbFailure::Protocol { .. } => {
            "see that the port is that of the API of a TWS or a Gateway, and that it is up to date"
        }
    }
}
