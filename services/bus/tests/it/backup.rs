//! Backups on real servers: what comes back, and what is refused.

use std::fs;
use std::path::Path;

use bus::topology::{Topology, TopologyOptions};
use bus::{Backup, BackupError, Bus, MANIFEST_FILE, Profile, saved_streams};
use nats_test_server::{Client, jetstream};
use schemas::codes::Advice as _;
use schemas::ids::OperationId;
use schemas::subjects;

use crate::server::TestServer;

fn op() -> OperationId {
    "op_dummy_20260301_142233_9f3a01bc".parse().unwrap()
}

fn declared() -> Topology {
    Topology::declare(Profile::Test, TopologyOptions::default())
}

/// A server with the declared streams, a mark, and a cancel request in place of two.
async fn filled() -> (TestServer, Bus) {
    let server = TestServer::start();
    let bus = server.bus().await;
    bus.infra().apply(&declared()).await.unwrap();
    bus.active().mark(&op()).await.unwrap();

    let jetstream = jetstream::new(server.client().await);
    for request in ["first", "second", "third"] {
        let subject = format!("ktrdr.control.cancel.{}", op());
        let ack = jetstream.publish(subject, request.into()).await.unwrap();
        ack.await.unwrap();
    }
    (server, bus)
}

/// Last sequence and messages of a stream.
async fn state_of(client: &Client, name: &str) -> (u64, u64) {
    let stream = jetstream::new(client.clone()).get_stream(name).await;
    let stream = stream.unwrap();
    let state = &stream.cached_info().state;
    (state.last_sequence, state.messages)
}

async fn backup_of(bus: &Bus, folder: &Path) -> Backup {
    bus.infra().back_up(folder).await.unwrap();
    Backup::open(folder).unwrap()
}

#[tokio::test]
async fn a_restored_stream_has_its_messages_and_sequences() {
    let (server, bus) = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let backup = backup_of(&bus, &folder.path().join("backup")).await;

    let empty = TestServer::start();
    let other = empty.bus().await;
    other.infra().restore(&backup, false).await.unwrap();

    let clients = [server.client().await, empty.client().await];
    for name in saved_streams() {
        let before = state_of(&clients[0], &name).await;
        assert_eq!(state_of(&clients[1], &name).await, before, "{name}");
    }
    let control = state_of(&clients[1], subjects::CONTROL).await;
    assert_eq!(control, (3, 1));
    assert_eq!(other.active().list().await.unwrap(), [op()]);
    other.check(&declared()).await.unwrap();
}

#[tokio::test]
async fn every_stream_is_saved_or_harmless_to_lose() {
    let mut lost = Vec::new();
    for stream in declared().streams {
        if !saved_streams().contains(&stream.name) {
            lost.push(stream.name);
        }
    }

    assert_eq!(
        lost,
        ["KTRDR_PROGRESS", "KV_ktrdr_workers", "KV_ktrdr_leases"]
    );
}

#[tokio::test]
async fn a_system_with_content_is_replaced_only_by_force() {
    let (_server, bus) = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let backup = backup_of(&bus, &folder.path().join("backup")).await;
    let later: OperationId = "op_dummy_20260302_142233_9f3a01bc".parse().unwrap();
    bus.active().mark(&later).await.unwrap();

    let refused = bus.infra().restore(&backup, false).await.unwrap_err();
    assert!(refused.hint().contains("--force"), "{refused}");
    assert_eq!(bus.active().list().await.unwrap().len(), 2);

    bus.infra().restore(&backup, true).await.unwrap();
    assert_eq!(bus.active().list().await.unwrap(), [op()]);
}

#[tokio::test]
async fn a_changed_byte_of_any_file_is_found() {
    let (_server, bus) = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    backup_of(&bus, &path).await;

    let mut files: Vec<_> = fs::read_dir(&path).unwrap().collect();
    assert_eq!(files.len(), saved_streams().len() + 1);
    for file in files.drain(..) {
        let file = file.unwrap().path();
        let whole = fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&file, damaged).unwrap();

        let refused = Backup::open(&path).unwrap_err();
        let is_damage = matches!(refused, BackupError::Damaged { .. });
        assert!(is_damage, "{}: {refused}", file.display());
        fs::write(&file, whole).unwrap();
    }
    Backup::open(&path).unwrap();
}

#[tokio::test]
async fn a_backup_of_a_newer_program_is_refused() {
    let (_server, bus) = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    backup_of(&bus, &path).await;
    let manifest = path.join(MANIFEST_FILE);
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("\"v\": 1", "\"v\": 2", 1)).unwrap();

    let refused = Backup::open(&path).unwrap_err();

    assert!(refused.to_string().contains("has version 2"), "{refused}");
}

#[tokio::test]
async fn a_folder_of_something_else_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Backup::open(folder.path()).unwrap_err();
    assert!(matches!(missing, BackupError::Foreign { .. }), "{missing}");

    fs::write(folder.path().join(MANIFEST_FILE), "{\"v\": 1}").unwrap();
    let foreign = Backup::open(folder.path()).unwrap_err();
    assert!(matches!(foreign, BackupError::Foreign { .. }), "{foreign}");
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing() {
    let server = TestServer::start();
    let bus = server.bus().await;
    let folder = tempfile::tempdir().unwrap();

    // Without streams there is nothing to read.
    let path = folder.path().join("backup");
    bus.infra().back_up(&path).await.unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    fs::create_dir(&path).unwrap();
    let exists = bus.infra().back_up(&path).await.unwrap_err();
    assert!(matches!(exists, BackupError::Exists(_)), "{exists}");
}
