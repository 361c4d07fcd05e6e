//! The errors of the bus: one variant per failed operation, each with the next action as a hint.

use std::error::Error;
use std::path::PathBuf;

use schemas::codec::CodecError;

use crate::drift::Drift;

/// A cause as the client library told it. Its errors repeat their sources in their text, so only
/// the text is kept.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What can go wrong between us and the NATS server.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nobody answers at the address.
    #[error("cannot connect to the NATS server at {url}")]
    Connect {
        /// Address without credentials.
        url: String,
        /// Cause.
        source: Cause,
    },
    /// The server refuses our credentials.
    #[error("the NATS server at {url} does not accept our credentials")]
    Unauthorised {
        /// Address without credentials.
        url: String,
        /// Cause.
        source: Cause,
    },
    /// The credentials file cannot be used.
    #[error("cannot read the credentials in {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The server lacks what we build on.
    #[error("the NATS server at {url} has version {found}; at least {needed} is needed")]
    ServerTooOld {
        /// Address without credentials.
        url: String,
        /// Its version.
        found: String,
        /// Our minimum.
        needed: &'static str,
    },
    /// The server runs without JetStream.
    #[error("the NATS server at {url} runs without JetStream")]
    NoJetStream {
        /// Address without credentials.
        url: String,
    },
    /// A request to the server failed.
    #[error("cannot {what}")]
    Request {
        /// What was asked for, as a verb phrase.
        what: String,
        /// Cause.
        source: Cause,
    },
    /// No answer in time.
    #[error("no answer in time while trying to {what}")]
    Timeout {
        /// What was asked for, as a verb phrase.
        what: String,
    },
    /// Streams, buckets or consumers differ from what this program declares.
    #[error("the streams on the NATS server differ from what this program needs: {}", listed(.0))]
    Drift(Vec<Drift>),
    /// A message cannot be written or read.
    #[error("a message cannot be used")]
    Codec(#[from] CodecError),
}

fn listed(drifts: &[Drift]) -> String {
    drifts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl BusError {
    /// Wraps a failure of the client library: `.map_err(BusError::request("create the stream"))`.
    pub fn request<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::Request {
            what,
            source: error.to_string().into(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Connect { .. } => {
                "start a local system with `ktrdr up`, or name the server with --server or KTRDR_NATS_URL"
            }
            Self::Unauthorised { .. } | Self::Credentials { .. } => {
                "name a credentials file with --creds or KTRDR_CREDS"
            }
            Self::ServerTooOld { .. } => {
                "`infra/setup` fetches a server that is new enough; `ktrdr up` starts it"
            }
            Self::NoJetStream { .. } => "start it with `-js`, or let `ktrdr up` start one",
            Self::Request { .. } | Self::Timeout { .. } => {
                "`ktrdr doctor` checks connection, streams and permissions; a new server needs `ktrdr infra apply` first"
            }
            Self::Drift(_) => {
                "`ktrdr infra apply` creates what is missing; `ktrdr infra diff` shows the rest"
            }
            Self::Codec(_) => {
                "a program of another version may have written it; `ktrdr decode` shows what is in it"
            }
        }
    }
}
