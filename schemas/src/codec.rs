//! The wire form: MessagePack maps with field names, `v` first; JSON is read too.
//!
//! Readers accept versions N and N−1 and ignore unknown fields, so that a fleet can be upgraded one
//! process at a time.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest payload on the bus; what is larger is an object.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// `Content-Type` of every payload that this program writes.
pub const CONTENT_TYPE: &str = "application/msgpack";

/// A top-level message: its first field is `v`.
pub trait Message: Serialize + DeserializeOwned {
    /// Name in the `Ktrdr-Schema` header, as `<name>.v<version>`.
    const NAME: &'static str;
    /// The version written; this and the one before are read.
    const VERSION: u16;
}

/// Why a payload could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The value cannot be serialised.
    #[error("cannot encode the {name} message")]
    Encode {
        /// Name of the message's type.
        name: &'static str,
        /// What the encoder said.
        source: rmp_serde::encode::Error,
    },
    /// The payload exceeds [`PAYLOAD_BYTES_MAX`].
    #[error("the {name} message of {size} bytes is over the limit of {PAYLOAD_BYTES_MAX}")]
    TooLarge {
        /// Name of the message's type.
        name: &'static str,
        /// Size of the payload in bytes.
        size: usize,
    },
    /// Neither MessagePack nor JSON of the expected shape.
    #[error("cannot decode the {name} message: {reason}")]
    Decode {
        /// Name of the message's type.
        name: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// Written by a program too old or too new.
    #[error(
        "the {name} message has version {found}; this program reads {} and {current}",
        current.saturating_sub(1)
    )]
    Version {
        /// Name of the message's type.
        name: &'static str,
        /// Version in the payload.
        found: u16,
        /// Version of this program.
        current: u16,
    },
}

/// The `Ktrdr-Schema` header of a message type.
pub fn schema_of<M: Message>() -> String {
    format!("{}.v{}", M::NAME, M::VERSION)
}

/// MessagePack with field names.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, CodecError> {
    let bytes = rmp_serde::to_vec_named(message).map_err(|source| CodecError::Encode {
        name: M::NAME,
        source,
    })?;

    // Here rather than on the server, whose refusal would not say which message it was.
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(CodecError::TooLarge {
            name: M::NAME,
            size: bytes.len(),
        });
    }
    Ok(bytes)
}

/// The field that every message begins with, whatever its version.
#[derive(serde::Deserialize)]
struct VersionField {
    v: u16,
}

/// Reads MessagePack, or JSON when the first byte is `{`.
pub fn decode<M: Message>(payload: &[u8]) -> Result<M, CodecError> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(CodecError::TooLarge {
            name: M::NAME,
            size: payload.len(),
        });
    }

    // The version first: a message of another one may lack fields, and the reader's complaint about
    // those would hide the reason.
    let VersionField { v } = read_payload(M::NAME, payload)?;
    if v > M::VERSION || v + 1 < M::VERSION {
        return Err(CodecError::Version {
            name: M::NAME,
            found: v,
            current: M::VERSION,
        });
    }

    read_payload(M::NAME, payload)
}

/// Reads a payload of either form; `name` is for the error.
fn read_payload<T: DeserializeOwned>(name: &'static str, payload: &[u8]) -> Result<T, CodecError> {
    let result = match payload.first() {
        None => Err("the payload is empty".to_owned()),
        Some(b'{') => serde_json::from_slice(payload).map_err(|error| error.to_string()),
        Some(_) => rmp_serde::from_slice(payload).map_err(|error| error.to_string()),
    };
    result.map_err(|reason| CodecError::Decode { name, reason })
}

/// Bytes that a value takes in a message. Its JSON text can be shorter: `0.5` packs into nine
/// bytes.
pub fn packed_bytes(value: &serde_json::Value) -> usize {
    rmp_serde::to_vec_named(value).map_or(usize::MAX, |bytes| bytes.len())
}

/// Any payload as JSON, for people: what `ktrdr decode` prints.
pub fn to_json(payload: &[u8]) -> Result<serde_json::Value, CodecError> {
    if payload.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    read_payload("ktrdr", payload)
}
