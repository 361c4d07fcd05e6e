//! Messages as they were written, byte by byte: programs of the release before send and store them.
//!
//! A file is `recorded/<kind>.<version>`, with `.json` for the documents of the store. Whoever changes a wire form raises the version of the
//! message, and keeps the files of the version before. `KTRDR_RECORD=1` writes those that are
//! missing and never changes one.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use schemas::codec::{self, Message};
use schemas::ids::StepNumber;
use schemas::manifests::{
    AliasChange, ArtifactManifest, DataSetManifest, DeletionChange, ModelManifest, ModelNote,
    NameReservation, RenameChange, SeriesManifest, TagsChange,
};
use schemas::messages::CommandMessage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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

/// The document of this version is read, and written with the same fields.
fn assert_document<T: Serialize + DeserializeOwned>(kind: &str, version: u16) {
    let file = folder().join(format!("{kind}.{version}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let recorded: Value = serde_json::from_str(&text).expect(kind);

    let read: T = serde_json::from_value(recorded.clone()).expect(kind);
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(
        written, recorded,
        "{kind}: raise its version, and record it"
    );

    // A newer program of the same version may say more.
    let mut newer = recorded;
    newer["colour"] = Value::from("blue");
    serde_json::from_value::<T>(newer).expect(kind);
}

#[test]
fn every_document_of_the_store_is_written_as_recorded() {
    assert_document::<SeriesManifest>("series", SeriesManifest::VERSION);
    assert_document::<DataSetManifest>("data-set", DataSetManifest::VERSION);
    assert_document::<ArtifactManifest>("artifact", ArtifactManifest::VERSION);
    assert_document::<ModelManifest>("model", ModelManifest::VERSION);
    assert_document::<AliasChange>("alias", AliasChange::VERSION);
    assert_document::<DeletionChange>("deletion", DeletionChange::VERSION);
    assert_document::<RenameChange>("rename", RenameChange::VERSION);
    assert_document::<NameReservation>("name-reservation", NameReservation::VERSION);
    assert_document::<ModelNote>("note", ModelNote::VERSION);
    assert_document::<TagsChange>("tags", TagsChange::VERSION);
}
