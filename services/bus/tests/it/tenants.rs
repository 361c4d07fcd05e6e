//! Tenants: accounts of one server, each with the permissions of the table, with streams of its
//! own, and with nothing of another.

use std::path::{Path, PathBuf};

use bus::identity::{Identity, KeyFile, Role, Tenant, TenantAccount, accounts_file};
use bus::topology::{Topology, TopologyOptions};
use bus::{Bus, ConnectOptions, Profile, TlsFiles};
use futures::StreamExt as _;
use nats_test_server::{Ask, Client, Server, connect_with, jetstream};
use schemas::subjects;

use crate::permissions::{differences, everything};

const TENANTS: [&str; 2] = ["north", "south"];
/// Two are enough for the streams of a system.
const STORAGE_GB: u32 = 2;

/// Makes the keys of both tenants; returns the server's file.
fn make_keys(folder: &Path) -> String {
    let accounts = TENANTS.map(|name| TenantAccount {
        tenant: name.parse().unwrap(),
        storage_gb: STORAGE_GB,
        users: Role::all()
            .map(|role| make_key(folder, name, role))
            .collect(),
    });
    accounts_file(&accounts)
}

/// Makes the key of a role of a tenant; returns what the server knows of it.
fn make_key(folder: &Path, name: &str, role: Role) -> (Identity, String) {
    let tenant: Tenant = name.parse().unwrap();
    let identity = Identity::of(role);
    let key = KeyFile::generate(&identity).unwrap().in_tenant(&tenant);

    std::fs::create_dir_all(folder.join(name)).unwrap();
    std::fs::write(key_of(folder, name, role), key.text()).unwrap();
    (identity, key.public_key().to_owned())
}

fn key_of(folder: &Path, tenant: &str, role: Role) -> PathBuf {
    folder.join(tenant).join(format!("{role}.nk"))
}

fn start(folder: &Path) -> Server {
    let permissions = folder.join("accounts.conf");
    std::fs::write(&permissions, make_keys(folder)).unwrap();
    Server::start_with_permissions(&folder.join("nats"), &permissions)
}

async fn connect(server: &Server, key: PathBuf) -> Bus {
    let options = ConnectOptions {
        url: server.url(),
        credentials: Some(key),
        tls: TlsFiles::default(),
        name: "tenants".to_owned(),
        profile: None,
        connect_timeout: std::time::Duration::from_secs(5),
        wait_for_server: false,
    };
    Bus::connect(&options).await.unwrap()
}

async fn apply_topology(bus: &Bus) {
    let topology = Topology::declare(Profile::Test, TopologyOptions::default());
    let applied = bus.infra().apply(&topology).await.unwrap();
    assert_eq!(
        applied.created.len(),
        topology.streams.len() + topology.consumers.len()
    );
}

#[test]
fn each_tenant_may_do_what_the_table_says_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());

    for tenant in TENANTS {
        let differences = differences(&server, |role| key_of(folder.path(), tenant, role));
        assert!(
            differences.is_empty(),
            "{tenant}:\n{}",
            differences.join("\n")
        );
    }
}

#[tokio::test]
async fn no_message_passes_from_one_tenant_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let infra_of = |tenant| key_of(folder.path(), tenant, Role::Infra);
    let north = connect_with(&server.url(), &infra_of("north")).await;
    let south = connect_with(&server.url(), &infra_of("south")).await;
    let mut messages = north.subscribe(">").await.unwrap();
    north.flush().await.unwrap();

    let mut count = 0;
    for ask in everything() {
        if let Ask::Publish(subject) = ask {
            south.publish(subject, "of south".into()).await.unwrap();
            count += 1;
        }
    }
    south.flush().await.unwrap();
    north.publish("of.north", "last".into()).await.unwrap();

    assert!(count > 100, "{count}");
    let first = messages.next().await.unwrap();
    assert_eq!(first.subject.as_str(), "of.north");
}

#[tokio::test]
async fn each_tenant_has_streams_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let infra_of = |tenant| key_of(folder.path(), tenant, Role::Infra);
    let north = connect(&server, infra_of("north")).await;
    let south = connect(&server, infra_of("south")).await;
    assert_eq!(north.tenant().map(Tenant::as_str), Some("north"));

    apply_topology(&north).await;
    let topology = Topology::declare(Profile::Test, TopologyOptions::default());
    let missing = south.infra().differences(&topology).await.unwrap();

    assert_eq!(
        missing.len(),
        topology.streams.len() + topology.consumers.len()
    );
    apply_topology(&south).await;
}

#[tokio::test]
async fn a_tenant_without_room_does_not_stop_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let infra_of = |tenant| key_of(folder.path(), tenant, Role::Infra);
    for tenant in TENANTS {
        apply_topology(&connect(&server, infra_of(tenant)).await).await;
    }

    // Two gigabytes take long to fill, so the first one gets less.
    let permissions = folder.path().join("accounts.conf");
    let text = std::fs::read_to_string(&permissions).unwrap();
    let less = text.replacen("max_file: 2GB", "max_file: 1MB", 1);
    std::fs::write(&permissions, less).unwrap();
    server.reload_permissions(&permissions);

    let north = connect_with(&server.url(), &infra_of("north")).await;
    let south = connect_with(&server.url(), &infra_of("south")).await;
    let refused = publish_much(&north, 200).await.unwrap_err();
    assert!(refused.contains("resource limits exceeded"), "{refused}");
    publish_much(&south, 10).await.unwrap();
}

/// Stores messages of 20 KB; the error is how the server refuses one.
async fn publish_much(client: &Client, count: usize) -> Result<(), String> {
    let jetstream = jetstream::new(client.clone());
    for number in 0..count {
        let subject = format!("ktrdr.event.dummy.some.{number}.started");
        let sent = jetstream.publish(subject, vec![b' '; 20_000].into()).await;
        let stored = sent.unwrap().await.map_err(|error| error.to_string())?;
        assert_eq!(stored.stream, subjects::EVENTS);
    }
    Ok(())
}
