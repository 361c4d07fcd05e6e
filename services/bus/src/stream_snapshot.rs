//! Snapshots of one stream, as the server makes and takes them: its settings, its messages and
//! their sequences.

use std::io::{Read, Write};
use std::time::Duration;

use async_nats::Request;
use async_nats::jetstream::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backup_error::BackupError;
use crate::connect::REQUEST_TIMEOUT;
use crate::error::BusError;
use crate::handles::Infra;

/// Bytes of a piece, both ways.
const CHUNK_BYTES: usize = 128 * 1024;
/// Bound of one step of a restore: the last one makes the stream.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(60);
/// Statuses from here on are failures.
const STATUS_FAILED: u16 = 400;

/// Settings and state of a stream, which the server wants back before the bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// Settings as the server writes them.
    pub config: Value,
    /// First and last sequence, counts and bytes.
    pub state: Value,
}

#[derive(Serialize)]
struct SnapshotRequest<'a> {
    deliver_subject: &'a str,
    no_consumers: bool,
    chunk_size: usize,
}

#[derive(Deserialize)]
struct RestoreAnswer {
    deliver_subject: String,
}

impl SnapshotHead {
    /// Messages in the stream.
    pub fn messages(&self) -> u64 {
        let messages = self.state.get("messages");
        messages.and_then(Value::as_u64).unwrap_or_default()
    }
}

impl Infra<'_> {
    /// Writes a stream without its consumers into `sink`, as it is at one instant.
    pub(crate) async fn write_snapshot(
        self,
        name: &str,
        sink: &mut (dyn Write + Send),
    ) -> Result<SnapshotHead, BackupError> {
        let what = || format!("take a snapshot of the stream {name}");
        let client = &self.bus.client;
        let inbox = client.new_inbox();
        let chunks = client.subscribe(inbox.clone()).await;
        let mut chunks = chunks.map_err(BusError::request(what()))?;

        let request = SnapshotRequest {
            deliver_subject: &inbox,
            no_consumers: true,
            chunk_size: CHUNK_BYTES,
        };
        let subject = format!("STREAM.SNAPSHOT.{name}");
        let answer = self.bus.js.request(subject, &request).await;
        let head = accepted(answer.map_err(BusError::request(what()))?, what())?;

        loop {
            let chunk = tokio::time::timeout(REQUEST_TIMEOUT, chunks.next()).await;
            let chunk = chunk.map_err(|_| BusError::Timeout { what: what() })?;
            let chunk = chunk.ok_or_else(|| BusError::Timeout { what: what() })?;
            let status = chunk
                .status
                .filter(|status| status.as_u16() >= STATUS_FAILED);
            if let Some(status) = status {
                return Err(BusError::request(what())(status).into());
            }
            if chunk.payload.is_empty() {
                return Ok(head);
            }

            sink.write_all(&chunk.payload)?;
            // The server sends a few pieces ahead of these answers.
            if let Some(reply) = chunk.reply {
                let answered = client.publish(reply, Bytes::new()).await;
                answered.map_err(BusError::request(what()))?;
            }
        }
    }

    /// Makes a stream that does not exist from a snapshot, with the same sequences.
    pub(crate) async fn read_snapshot(
        self,
        name: &str,
        head: &SnapshotHead,
        source: &mut (dyn Read + Send),
    ) -> Result<(), BackupError> {
        let what = || format!("restore the stream {name}");
        let subject = format!("STREAM.RESTORE.{name}");
        let answer = self.bus.js.request(subject, head).await;
        let answer: RestoreAnswer = accepted(answer.map_err(BusError::request(what()))?, what())?;

        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let length = source.read(&mut buffer)?;
            let piece = buffer.iter().take(length).copied().collect();
            let request = Request::new().payload(piece).timeout(Some(RESTORE_TIMEOUT));
            let subject = answer.deliver_subject.clone();
            let reply = self.bus.client.send_request(subject, request).await;
            let reply = reply.map_err(BusError::request(what()))?;

            // A piece is answered with nothing, unless it is refused.
            if !reply.payload.is_empty() {
                let made = serde_json::from_slice::<Response<Value>>(&reply.payload);
                accepted(made.map_err(BusError::request(what()))?, what())?;
            }
            if length == 0 {
                return Ok(());
            }
        }
    }
}

/// The answer, unless it is a refusal.
fn accepted<T>(answer: Response<T>, what: String) -> Result<T, BusError> {
    match answer {
        Response::Ok(answer) => Ok(answer),
        Response::Err { error } => Err(BusError::request(what)(error)),
    }
}
