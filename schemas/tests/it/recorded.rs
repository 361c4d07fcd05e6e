//! Messages as they were written, byte by byte: programs of the release before send and store them.
//!
//! A file is `recorded/<kind>.<version>`. Whoever changes a wire form raises the version of the
//! message, and keeps the files of the version before. `KTRDR_RECORD=1` writes those that are
//! missing and never changes one.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use schemas::codec::{self, Message};
use schemas::ids::StepNumber;
use schemas::messages::CommandMessage;

use crate::samples::{
    dead_letter, event, op, operation, progress, record, schedule, sign_of_life, worker_info,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

/// The message is written as it was recorded, and read from every version that must be read.
fn assert_recorded<M: Message + PartialEq + Debug>(kind: &str, message: &M) {
    let written = codec::encode(message).unwrap();
    let file = |version: u16| folder().join(format!("{kind}.{version}"));
    let newest = file(M::VERSION);
    if std::env::var_os("KTRDR_RECORD").is_some() && !newest.exists() {
        std::fs::write(&newest, &written).unwrap();
    }

    let recorded = std::fs::read(&newest).unwrap_or_default();
    assert!(
        recorded == written,
        "the wire form of {kind} is not that of {}: raise its version, and record it",
        newest.display()
    );
    assert_eq!(&codec::decode::<M>(&recorded).unwrap(), message);

    // What the release before wrote must be read, whatever it lacks.
    if let Ok(before) = std::fs::read(file(M::VERSION.saturating_sub(1))) {
        codec::decode::<M>(&before).unwrap();
    }
}

#[test]
fn every_message_is_written_as_it_was_recorded() {
    let first = CommandMessage::new(&op(), StepNumber::FIRST, 1, Some(operation()));
    assert_recorded("command", &first);
    let second = CommandMessage::new(&op(), StepNumber::FIRST, 2, None);
    assert_recorded("command-without-request", &second);
    assert_recorded("operation", &record());
    assert_recorded("event", &event());
    assert_recorded("progress", &progress());
    assert_recorded("schedule", &schedule());
    assert_recorded("dead-letter", &dead_letter());
    assert_recorded("worker", &worker_info());
    assert_recorded("sign-of-life", &sign_of_life());
}
