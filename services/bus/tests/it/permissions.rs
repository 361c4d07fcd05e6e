//! The deny matrix: every role and every subject that the table of permissions names, and every
//! request of the server that changes something, tried on the server that we ship.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bus::Profile;
use bus::identity::{Direction, Identity, KeyFile, Role, grants, server_file};
use bus::topology::{Topology, TopologyOptions};
use nats_test_server::{Ask, Server, probe};

/// Requests that nobody but `infra` may send: what they would change is everybody's.
const ONLY_INFRA: &[&str] = &[
    "$JS.API.STREAM.CREATE.KTRDR_EVENTS",
    "$JS.API.STREAM.UPDATE.KTRDR_EVENTS",
    "$JS.API.STREAM.DELETE.KTRDR_EVENTS",
    "$JS.API.STREAM.PURGE.KTRDR_EVENTS",
    "$JS.API.STREAM.DELETE.KV_ktrdr_operations",
    "$JS.API.STREAM.PURGE.KTRDR_COMMANDS",
    "$JS.API.STREAM.SNAPSHOT.KTRDR_EVENTS",
    "$JS.API.STREAM.RESTORE.KTRDR_EVENTS",
    "$JS.API.STREAM.LEADER.STEPDOWN.KTRDR_EVENTS",
    "$JS.API.STREAM.PEER.REMOVE.KTRDR_EVENTS",
    "$JS.API.STREAM.MSG.DELETE.KTRDR_EVENTS",
    "$JS.API.STREAM.MSG.DELETE.KV_ktrdr_operations",
    "$JS.API.CONSUMER.CREATE.KTRDR_COMMANDS",
    "$JS.API.CONSUMER.CREATE.KTRDR_COMMANDS.trainer_default.ktrdr.cmd.trainer.default.>",
    "$JS.API.CONSUMER.DURABLE.CREATE.KTRDR_COMMANDS.trainer_default",
    "$JS.API.CONSUMER.DELETE.KTRDR_COMMANDS.trainer_default",
    "$JS.API.CONSUMER.PAUSE.KTRDR_COMMANDS.trainer_default",
    "$JS.API.CONSUMER.UNPIN.KTRDR_COMMANDS.trainer_default",
    "$JS.API.CONSUMER.LEADER.STEPDOWN.KTRDR_COMMANDS.trainer_default",
    "$JS.API.CONSUMER.DELETE.KTRDR_SCHEDULES.schedules_due",
    "$JS.API.ACCOUNT.PURGE.G",
    "$JS.API.SERVER.REMOVE",
    "$JS.API.META.LEADER.STEPDOWN",
    "$KV.ktrdr_elsewhere.key",
    "_INBOX.anybody.answer",
    "_INBOX_person.answer",
    "_INBOX_registry.answer",
    "another.system",
];
/// What nobody but `infra` may read.
const ONLY_INFRA_READS: &[&str] = &[
    ">",
    "*.>",
    "_INBOX.>",
    "$JS.>",
    "$JS.API.>",
    "$SYS.>",
    "$KV.>",
    "$KV.ktrdr_operations.>",
    "another.system",
];

/// What a stolen key of a trainer may do to the work of others, as `docs/operating.md` says.
const TRAINER_MAY: &[&str] = &[
    "$KV.ktrdr_operations.20260301.op_data_1",
    "$KV.ktrdr_operations.20260301.child.op_data_1",
    "$KV.ktrdr_active.op_data_1",
    "ktrdr.cmd.fetcher.default.op_data_1.1",
    "$JS.API.STREAM.MSG.DELETE.KTRDR_COMMANDS",
    "$JS.API.CONSUMER.MSG.NEXT.KTRDR_COMMANDS.trainer_default",
    "ktrdr.event.trainer.op_train_1.1.completed",
    "ktrdr.progress.trainer.op_train_1.1",
    "ktrdr.dead.trainer.op_train_1.1",
    "ktrdr.control.cancel.op_data_1",
    "ktrdr.alive.fetcher-host-1-1",
    "$KV.ktrdr_workers.fetcher-host-1-1",
    "$JS.API.DIRECT.GET.KV_ktrdr_operations.$KV.ktrdr_operations.20260301.op_data_1",
];
/// What it may not do, as that page says.
const TRAINER_MAY_NOT: &[&str] = &[
    "ktrdr.event.fetcher.op_data_1.1.completed",
    "ktrdr.event.registry.op_train_1.5.completed",
    "ktrdr.progress.fetcher.op_data_1.1",
    "ktrdr.dead.fetcher.op_data_1.1",
    "$JS.API.CONSUMER.MSG.NEXT.KTRDR_COMMANDS.fetcher_default",
    "$JS.ACK.KTRDR_COMMANDS.fetcher_default.1.1.1.1.1",
    "ktrdr.control.drain.fetcher-host-1-1",
    "$KV.ktrdr_schedules.nightly",
    "$JS.API.STREAM.MSG.DELETE.KTRDR_CONTROL",
    "$KV.ktrdr_leases.housekeeping",
    "ktrdr.event.act.ops-prune",
    "$JS.API.STREAM.UPDATE.KV_ktrdr_operations",
];

/// Everything to try: a subject for every pattern that any role has, and what only `infra` may.
pub fn everything() -> Vec<Ask> {
    let mut asks = BTreeSet::new();
    for identity in Role::all().map(Identity::of) {
        for grant in grants() {
            for pattern in grant.subjects_of(&identity) {
                asks.insert(match grant.direction {
                    Direction::Publish => Ask::Publish(example(&pattern)),
                    Direction::Subscribe => Ask::Subscribe(pattern),
                });
            }
        }
    }

    asks.extend(
        ONLY_INFRA
            .iter()
            .map(|each| Ask::Publish((*each).to_owned())),
    );
    asks.extend(
        ONLY_INFRA_READS
            .iter()
            .map(|each| Ask::Subscribe((*each).to_owned())),
    );
    asks.into_iter().collect()
}

/// A subject that a pattern matches.
fn example(pattern: &str) -> String {
    pattern.replace('*', "some").replace('>', "more")
}

/// Whether the table gives this to the role.
fn is_granted(role: Role, ask: &Ask) -> bool {
    let identity = Identity::of(role);
    let (direction, subject) = match ask {
        Ask::Publish(subject) => (Direction::Publish, subject),
        Ask::Subscribe(subject) => (Direction::Subscribe, subject),
    };

    let rows = grants().iter().filter(|row| row.direction == direction);
    let mut patterns = rows.flat_map(|row| row.subjects_of(&identity));
    role == Role::Infra || patterns.any(|pattern| covers(&pattern, subject))
}

/// Whether every subject that `narrow` matches is matched by `wide`, as NATS defines it.
fn covers(wide: &str, narrow: &str) -> bool {
    let mut narrow = narrow.split('.');
    for token in wide.split('.') {
        match (token, narrow.next()) {
            (_, None) => return false,
            (">", Some(_)) => return true,
            ("*", Some(other)) if other != ">" => {}
            (token, Some(other)) if token == other => {}
            _ => return false,
        }
    }
    narrow.next().is_none()
}

fn server_role(role: Role) -> nats_test_server::Role {
    match role {
        Role::Infra => nats_test_server::Role::Infra,
        Role::Service(service) => nats_test_server::Role::Service(service.as_str()),
        Role::Person => nats_test_server::Role::Person,
    }
}

/// Everything that the server allows otherwise than the table says; `key_of` finds the key of a role.
pub fn differences(server: &Server, key_of: impl Fn(Role) -> PathBuf) -> Vec<String> {
    let asks = everything();
    assert!(asks.len() > 150, "{}", asks.len());

    let mut differences = Vec::new();
    for role in Role::all() {
        let allowed = probe(&server.url(), Some(&key_of(role)), &asks).unwrap();
        for (ask, allowed) in asks.iter().zip(allowed) {
            if allowed != is_granted(role, ask) {
                differences.push(format!("{role}: {ask:?} is allowed: {allowed}"));
            }
        }
    }
    differences
}

/// The server that `ktrdr up` starts: its configuration, with new keys beside it.
fn start_local(folder: &Path) -> Server {
    let keys = folder.join("credentials");
    std::fs::create_dir_all(&keys).unwrap();
    let users: Vec<_> = Role::all()
        .map(|role| {
            let identity = Identity::of(role);
            let key = KeyFile::generate(&identity).unwrap();
            std::fs::write(keys.join(format!("{role}.nk")), key.text()).unwrap();
            (identity, key.public_key().to_owned())
        })
        .collect();
    std::fs::write(keys.join("permissions.conf"), server_file(&users)).unwrap();

    let config = include_str!("../../../../infra/nats/local.conf")
        .replace("{port}", "-1")
        .replace("{monitor_port}", "-1")
        .replace("{permissions}", "credentials/permissions.conf")
        .replace("{store_dir}", &folder.join("nats").display().to_string());
    Server::start_configured(folder, &config)
}

#[test]
fn every_role_may_do_what_the_table_says_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), true);

    let differences = differences(&server, |role| {
        server.credentials(server_role(role)).unwrap()
    });

    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_local_server_allows_what_the_table_says_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_local(folder.path());

    let key_of = |role| folder.path().join(format!("credentials/{role}.nk"));
    let differences = differences(&server, key_of);

    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_bucket_is_written_by_somebody_but_infra() {
    let topology = Topology::declare(Profile::Test, TopologyOptions::default());
    let names = topology.streams.iter().map(|stream| stream.name.as_str());
    let buckets: Vec<&str> = names.filter_map(|name| name.strip_prefix("KV_")).collect();
    assert!(buckets.len() >= 6, "{buckets:?}");

    for bucket in buckets {
        let write = Ask::Publish(format!("$KV.{bucket}.some"));
        let deeper = Ask::Publish(format!("$KV.{bucket}.trainer.some.some.some"));
        let roles = || Role::all().filter(|role| *role != Role::Infra);
        let is_written = roles().any(|role| is_granted(role, &write) || is_granted(role, &deeper));
        assert!(is_written, "add {bucket} to the table of permissions");
    }
}

#[test]
fn a_stolen_trainer_key_may_do_what_the_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), true);
    let trainer = nats_test_server::Role::Service("trainer");
    let key = server.credentials(trainer).unwrap();

    for (subjects, is_expected) in [(TRAINER_MAY, true), (TRAINER_MAY_NOT, false)] {
        let asks: Vec<Ask> = subjects
            .iter()
            .map(|subject| Ask::Publish((*subject).to_owned()))
            .collect();
        let allowed = probe(&server.url(), Some(&key), &asks).unwrap();
        for (ask, is_allowed) in asks.iter().zip(allowed) {
            assert_eq!(is_allowed, is_expected, "{ask:?}");
        }
    }
}

#[test]
fn what_concerns_everybody_only_infra_may_do() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), true);
    let publish = ONLY_INFRA
        .iter()
        .map(|each| Ask::Publish((*each).to_owned()));
    let read = ONLY_INFRA_READS.iter();
    let read = read.map(|each| Ask::Subscribe((*each).to_owned()));
    let asks: Vec<Ask> = publish.chain(read).collect();

    for role in Role::all() {
        let key = server.credentials(server_role(role)).unwrap();
        let allowed = probe(&server.url(), Some(&key), &asks).unwrap();
        let some_allowed: Vec<_> = asks
            .iter()
            .zip(allowed)
            .filter(|pair| pair.1 != (role == Role::Infra) && !is_own_inbox(role, pair.0))
            .collect();
        assert!(some_allowed.is_empty(), "{role}: {some_allowed:?}");
    }
}

/// Nobody needs to publish to its own inbox, and nobody is harmed by it.
fn is_own_inbox(role: Role, ask: &Ask) -> bool {
    matches!(ask, Ask::Publish(subject) if subject.starts_with(&format!("_INBOX_{role}.")))
}

#[test]
fn a_process_without_a_key_is_not_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), true);

    let refused = probe(&server.url(), None, &[]).unwrap_err();

    assert!(
        refused.0.contains("Authorization Violation"),
        "{}",
        refused.0
    );
}
