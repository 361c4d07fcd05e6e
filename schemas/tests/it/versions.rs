//! Messages of other versions, and payloads that are not messages.

use std::fmt::Debug;

use schemas::codec::{self, CodecError, Message, PAYLOAD_BYTES_MAX};
use schemas::events::Event;
use schemas::ids::StepNumber;
use schemas::messages::CommandMessage;
use schemas::progress::{Context, ProgressRecord};
use serde_json::{Value, json};

use crate::samples::{event, op, operation, progress, record, schedule, wire_form};

/// MessagePack of a text of one letter, which the first field `v` begins with.
const ONE_LETTER: u8 = 0xa1;

/// The message with other top-level values, as JSON, which is read like MessagePack.
fn with_fields(message: &impl Message, changes: Value) -> Vec<u8> {
    let mut json = wire_form(message);
    let fields = json.as_object_mut().unwrap();
    fields.extend(changes.as_object().unwrap().clone());
    serde_json::to_vec(&json).unwrap()
}

fn command() -> CommandMessage {
    CommandMessage::new(&op(), StepNumber::FIRST, 1, Some(operation()))
}

fn assert_version_before_is_read<M: Message>(message: &M) {
    let older = with_fields(message, json!({ "v": M::VERSION - 1 }));
    codec::decode::<M>(&older).unwrap();
}

#[test]
fn the_version_before_is_read() {
    assert_version_before_is_read(&command());
    assert_version_before_is_read(&record());
    assert_version_before_is_read(&event());
    assert_version_before_is_read(&progress());
    assert_version_before_is_read(&schedule());
}

fn assert_next_version_is_refused<M: Message + Debug>(message: &M) {
    let next = M::VERSION + 1;
    let newer = with_fields(message, json!({ "v": next }));
    let error = codec::decode::<M>(&newer).unwrap_err();
    assert!(
        matches!(error, CodecError::Version { found, .. } if found == next),
        "{error}"
    );
}

#[test]
fn the_next_version_is_refused() {
    assert_next_version_is_refused(&command());
    assert_next_version_is_refused(&record());
    assert_next_version_is_refused(&event());
    assert_next_version_is_refused(&progress());
    assert_next_version_is_refused(&schedule());
}

/// As JSON and as MessagePack.
fn assert_unknown_fields_are_ignored<M: Message + PartialEq + Debug>(message: &M) {
    let json = with_fields(message, json!({ "colour": { "deep": ["blue"] } }));
    assert_eq!(&codec::decode::<M>(&json).unwrap(), message);

    let fields: Value = serde_json::from_slice(&json).unwrap();
    let packed = rmp_serde::to_vec_named(&fields).unwrap();
    assert_eq!(&codec::decode::<M>(&packed).unwrap(), message);
}

#[test]
fn unknown_fields_are_ignored() {
    assert_unknown_fields_are_ignored(&command());
    assert_unknown_fields_are_ignored(&record());
    assert_unknown_fields_are_ignored(&event());
    assert_unknown_fields_are_ignored(&progress());
    assert_unknown_fields_are_ignored(&schedule());
}

fn assert_version_comes_first<M: Message>(message: &M) {
    let bytes = codec::encode(message).unwrap();
    let mut texts = bytes.iter().skip_while(|byte| **byte != ONE_LETTER);
    assert_eq!(texts.nth(1), Some(&b'v'));
}

#[test]
fn the_version_is_the_first_field() {
    assert_version_comes_first(&command());
    assert_version_comes_first(&record());
    assert_version_comes_first(&event());
    assert_version_comes_first(&progress());
    assert_version_comes_first(&schedule());
}

#[test]
fn a_version_that_cannot_be_read_names_those_that_can() {
    let newer = with_fields(&event(), json!({ "v": 9 }));
    let error = codec::decode::<Event>(&newer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the event message has version 9; this program reads 0 and 1"
    );
}

#[test]
fn progress_of_an_unknown_kind_is_still_progress() {
    let context = json!({ "context": { "kind": "backtest", "trades": 3 } });
    let newer = with_fields(&progress(), context);
    let read = codec::decode::<ProgressRecord>(&newer).unwrap();
    assert_eq!(read.context, Context::Other);
}

/// Why a payload is not a command.
fn refusal_of(payload: &[u8]) -> String {
    let result = codec::decode::<CommandMessage>(payload);
    result.unwrap_err().to_string()
}

#[test]
fn an_empty_payload_is_refused() {
    assert_eq!(
        refusal_of(b""),
        "cannot decode the command message: the payload is empty"
    );
}

#[test]
fn half_a_json_text_is_refused() {
    assert_eq!(
        refusal_of(b"{"),
        "cannot decode the command message: EOF while parsing an object at line 1 column 1"
    );
}

#[test]
fn a_field_of_another_type_is_named() {
    assert_eq!(
        refusal_of(br#"{"v":"one"}"#),
        "cannot decode the command message: \
         invalid type: string \"one\", expected u16 at line 1 column 10"
    );
}

#[test]
fn bytes_that_are_not_messagepack_are_refused() {
    let refusal = refusal_of(&[0xc1; 10]);
    assert!(
        refusal.starts_with("cannot decode the command message: "),
        "{refusal}"
    );
}

#[test]
fn a_payload_over_the_limit_is_refused() {
    assert_eq!(
        refusal_of(&vec![b'{'; PAYLOAD_BYTES_MAX + 1]),
        "the command message of 65537 bytes is over the limit of 65536"
    );
}
