//! The errors of the bus: one variant per failed operation, each with the next action as a hint.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use schemas::codec::CodecError;
use schemas::codes::{self, Advice, Code};
use schemas::ids::OperationId;
use schemas::subjects;

use crate::drift::Drift;
use crate::timing::Profile;

/// A cause in the words of the client library. Its errors repeat their sources in their text, so
/// only the text is kept.
pub type Cause = Box<dyn Error + Send + Sync>;

/// How a server refuses a stream whose limit is more than what it may still store.
const NO_ROOM: &str = "insufficient storage resources";

/// What the client library says of a message that no stream has acknowledged.
const NOT_STORED: &str = "didn't receive ack in time";

/// What can go wrong between a process and the NATS server.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nothing answers at the address.
    #[error("cannot connect to the NATS server at {url}")]
    Connect {
        /// Address without credentials.
        url: String,
        /// The failure of the last attempt.
        source: Cause,
    },
    /// The server refuses our credentials.
    #[error("the NATS server at {url} does not accept our credentials")]
    Unauthorised {
        /// Address without credentials.
        url: String,
        /// The refusal of the server.
        source: Cause,
    },
    /// The credentials file cannot be used.
    #[error("cannot read the credentials in {}", path.display())]
    Credentials {
        /// The file that the settings name.
        path: PathBuf,
        /// The failed read, or the fault in its text.
        source: std::io::Error,
    },
    /// The server lacks features that we build on.
    #[error("the NATS server at {url} has version {found}; at least {needed} is needed")]
    ServerTooOld {
        /// Address without credentials.
        url: String,
        /// Version of the server.
        found: String,
        /// The oldest version that is accepted.
        needed: &'static str,
    },
    /// The server runs without JetStream.
    #[error("the NATS server at {url} runs without JetStream")]
    NoJetStream {
        /// Address without credentials.
        url: String,
    },
    /// The settings of this process name another profile than the server has.
    #[error(
        "the system at {url} runs with the profile `{server}`, but the settings of this program \
         say `{expected}`"
    )]
    OtherProfile {
        /// Address without credentials.
        url: String,
        /// The profile that `ktrdr infra apply` wrote into the server.
        server: Profile,
        /// The profile in the settings.
        expected: Profile,
    },
    /// The server refused a request, or it could not be sent.
    #[error("cannot {what}")]
    Request {
        /// The request as a verb phrase, such as "read the record of …".
        what: String,
        /// The refusal of the server, or of the client library.
        source: Cause,
    },
    /// No answer in time.
    #[error("no answer in time while trying to {what}")]
    Timeout {
        /// The request as a verb phrase.
        what: String,
    },
    /// Streams, buckets or consumers differ from what this program declares.
    #[error("the streams on the NATS server differ from what this program needs: {}", Listed(.0))]
    Drift(Vec<Drift>),
    /// A message cannot be written or read.
    #[error("a message cannot be used")]
    Codec(#[from] CodecError),
    /// What is stored as the record of an operation cannot be read.
    #[error("the record of {op} cannot be read")]
    UnreadableRecord {
        /// The operation that the key names.
        op: OperationId,
        /// Its version, its size, or the fault in its bytes.
        source: CodecError,
    },
}

impl BusError {
    /// True when asking again gives the same: what is stored, or to be stored, is the fault.
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Codec(_) | Self::UnreadableRecord { .. })
    }

    /// Wraps a failure of the client library: `.map_err(BusError::request("create the stream"))`.
    pub fn request<E: fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::Request {
            what,
            source: error.to_string().into(),
        }
    }
}

impl Advice for BusError {
    fn code(&self) -> Code {
        match self {
            Self::Connect { .. } => codes::BUS_UNREACHABLE,
            Self::Unauthorised { .. } => codes::BUS_UNAUTHORISED,
            Self::Credentials { .. } => codes::CONFIG_CREDENTIALS,
            Self::ServerTooOld { .. } => codes::BUS_SERVER_TOO_OLD,
            Self::NoJetStream { .. } => codes::BUS_NO_JET_STREAM,
            Self::OtherProfile { .. } => codes::CONFIG_PROFILE,
            Self::Request { .. } => codes::BUS_REQUEST_FAILED,
            Self::Timeout { .. } => codes::BUS_TIMEOUT,
            Self::Drift(_) => codes::BUS_DRIFT,
            Self::Codec(_) => codes::BUS_UNDECODABLE,
            Self::UnreadableRecord { .. } => codes::OPS_RECORD_UNREADABLE,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::Connect { .. } => {
                "start a local system with `ktrdr up`, or name the server with --server or \
                 KTRDR_NATS_URL"
            }
            Self::Unauthorised { .. } | Self::Credentials { .. } => {
                "name a credentials file with --creds or KTRDR_CREDS"
            }
            Self::ServerTooOld { .. } => {
                "`infra/setup` fetches a server that is new enough; `ktrdr up` starts it"
            }
            Self::NoJetStream { .. } => "start it with `-js`, or let `ktrdr up` start one",
            Self::OtherProfile { expected, .. } => {
                return format!(
                    "leave the profile out of the settings to use the server's, or change it for \
                     the whole system with `ktrdr infra apply --profile {expected}`"
                )
                .into();
            }
            Self::Request { source, .. } if source.to_string().contains(NO_ROOM) => {
                "the streams may take up to 1.6 GB, and the server gives them three quarters of \
                 the free room on its disk: have 2.3 GB free there, or keep a local system on \
                 another disk with `ktrdr up --dir FOLDER`"
            }
            Self::Request { source, .. } if source.to_string().contains(NOT_STORED) => {
                "`ktrdr doctor` shows whether the server can store; after a full disk make room, \
                 and start it again"
            }
            Self::Request { .. } | Self::Timeout { .. } => {
                "`ktrdr doctor` checks connection, streams and permissions; a new server needs \
                 `ktrdr infra apply` first"
            }
            Self::Drift(_) => {
                "`ktrdr infra apply` creates what is missing; `ktrdr infra check` shows the rest"
            }
            Self::UnreadableRecord { op, .. } => {
                return format!(
                    "if a newer program wrote it, upgrade this one; if it is damaged, \
                     `nats kv del {} {}` removes it, and the operation must be submitted again",
                    subjects::OPERATIONS,
                    subjects::operation_key(op)
                )
                .into();
            }
            Self::Codec(_) => {
                "a program of another version may have written it; `ktrdr decode` shows its content"
            }
        };

        hint.into()
    }
}

/// Differences in one line.
struct Listed<'a>(&'a [Drift]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, drift) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{drift}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stores_nothing_is_told_from_a_new_one() {
        let hint_of = |reason: &str| BusError::request("store it")(reason).hint().into_owned();

        let silent = hint_of("ack error: timed out: didn't receive ack in time");
        assert!(silent.contains("full disk"), "{silent}");
        let missing = hint_of("stream not found");
        assert!(missing.contains("ktrdr infra apply"), "{missing}");
    }
}
