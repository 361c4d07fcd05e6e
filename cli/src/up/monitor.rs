//! The durability of the NATS server, which it says on its monitor port only: an ordinary client
//! cannot ask for it.

use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long the NATS server may take to answer about itself.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest answer that is read of it.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Whether an acknowledged message survives a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Every acknowledged message is on disk.
    Synced,
    /// Acknowledged messages reach the disk later.
    SyncedLater {
        /// The longest delay, in seconds.
        seconds: u64,
    },
    /// The server refuses to store, which after a full disk lasts until it is started again.
    Failing {
        /// What it says about it.
        reason: String,
    },
    /// The server could not be asked.
    Unverified,
}

impl std::fmt::Display for Durability {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Synced => {
                formatter.write_str("acknowledged means on disk (sync_interval: always)")
            }

            Self::SyncedLater { seconds } => write!(
                formatter,
                "a power cut may lose the last {seconds} s of acknowledged messages; set \
                 `sync_interval: always`"
            ),

            Self::Failing { reason } => write!(formatter, "the server cannot store: {reason}"),

            Self::Unverified => {
                formatter.write_str("unverified (the monitor port does not answer)")
            }
        }
    }
}

#[derive(Deserialize)]
struct JetStreamState {
    config: JetStreamConfig,
}

#[derive(Deserialize)]
struct JetStreamConfig {
    /// Longest time between two syncs, in nanoseconds.
    #[serde(default)]
    sync_interval: u64,
    #[serde(default)]
    sync_always: bool,
}

#[derive(Deserialize)]
struct Health {
    /// Absent while all is well.
    error: Option<String>,
}

/// Asks the monitor at `http://host:port`.
pub(crate) async fn read_durability(monitor_url: &str) -> Durability {
    let answers = async {
        let health = request(monitor_url, "/healthz").await;
        (health, request(monitor_url, "/jsz").await)
    };
    let Ok((health, state)) = tokio::time::timeout(TIMEOUT, answers).await else {
        return Durability::Unverified;
    };

    if let Some(reason) = health.as_deref().and_then(parse_fault) {
        return Durability::Failing { reason };
    }
    state.map_or(Durability::Unverified, |body| parse_durability(&body))
}

fn parse_fault(body: &str) -> Option<String> {
    serde_json::from_str::<Health>(body).ok()?.error
}

fn parse_durability(body: &str) -> Durability {
    match serde_json::from_str::<JetStreamState>(body) {
        Ok(JetStreamState { config }) if config.sync_always => Durability::Synced,
        Ok(JetStreamState { config }) => Durability::SyncedLater {
            seconds: config.sync_interval / 1_000_000_000,
        },
        Err(_) => Durability::Unverified,
    }
}

/// One plain request to a server on this host or network; enough for a monitor that answers in one
/// piece, with 503 where it is not well.
async fn request(url: &str, path: &str) -> Option<String> {
    let address = url.strip_prefix("http://")?.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.ok()?;

    // The server closes after its answer, so that the end of the stream is that of the body.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;

    let mut answer = String::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut answer)
        .await
        .ok()?;

    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.lines().next()?;
    let is_answer = status.contains(" 200") || status.contains(" 503");
    is_answer.then(|| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sync: &str) -> String {
        format!(
            r#"{{"memory": 0, "config": {{"sync_interval": 120000000000, {sync} "strict": true}}}}"#
        )
    }

    #[test]
    fn the_setting_is_read_from_the_answer_of_the_monitor() {
        let synced = parse_durability(&answer(r#""sync_always": true,"#));
        assert_eq!(synced, Durability::Synced);

        let later = parse_durability(&answer(""));
        assert_eq!(later, Durability::SyncedLater { seconds: 120 });

        assert_eq!(parse_durability("<html>"), Durability::Unverified);
    }

    #[test]
    fn a_server_that_cannot_store_says_why() {
        let full = r#"{"status":"unavailable","error":"write error: no space left on device"}"#;
        let reason = "write error: no space left on device";
        assert_eq!(parse_fault(full).as_deref(), Some(reason));

        assert_eq!(parse_fault(r#"{"status":"ok"}"#), None);
    }

    #[tokio::test]
    async fn a_port_where_nothing_answers_leaves_it_unverified() {
        let durability = read_durability("http://127.0.0.1:1").await;

        assert_eq!(durability, Durability::Unverified);
    }
}
