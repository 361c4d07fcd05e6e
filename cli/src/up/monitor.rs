//! What the NATS server says about itself on its monitor port, which no ordinary client can ask
//! for.

use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Whether an acknowledged message survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Every acknowledged message is on disk.
    Synced,
    /// Acknowledged messages reach the disk later.
    SyncedLater {
        /// How much later at most, in seconds.
        seconds: u64,
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
                "a power cut may lose the last {seconds} s of acknowledged messages; set `sync_interval: always`"
            ),
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
    /// Nanoseconds.
    #[serde(default)]
    sync_interval: u64,
    #[serde(default)]
    sync_always: bool,
}

/// Asks the monitor at `http://host:port`.
pub(crate) async fn read_durability(monitor_url: &str) -> Durability {
    match tokio::time::timeout(TIMEOUT, get(monitor_url, "/jsz")).await {
        Ok(Some(body)) => parse(&body),
        _ => Durability::Unverified,
    }
}

fn parse(body: &str) -> Durability {
    match serde_json::from_str::<JetStreamState>(body) {
        Ok(JetStreamState { config }) if config.sync_always => Durability::Synced,
        Ok(JetStreamState { config }) => Durability::SyncedLater {
            seconds: config.sync_interval / 1_000_000_000,
        },
        Err(_) => Durability::Unverified,
    }
}

/// One plain request to a server on this host or network; enough for a monitor that answers in one
/// piece.
async fn get(url: &str, path: &str) -> Option<String> {
    let address = url.strip_prefix("http://")?.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut answer)
        .await
        .ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.lines()
        .next()?
        .contains(" 200")
        .then(|| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_read_from_the_answer_of_the_monitor() {
        let body = |sync: &str| {
            format!(
                r#"{{"memory": 0, "config": {{"sync_interval": 120000000000, {sync} "strict": true}}}}"#
            )
        };
        assert_eq!(parse(&body(r#""sync_always": true,"#)), Durability::Synced);
        assert_eq!(parse(&body("")), Durability::SyncedLater { seconds: 120 });
        assert_eq!(parse("<html>"), Durability::Unverified);
    }

    #[tokio::test]
    async fn a_port_that_nobody_answers_on_leaves_it_unverified() {
        assert_eq!(
            read_durability("http://127.0.0.1:1").await,
            Durability::Unverified
        );
    }
}
