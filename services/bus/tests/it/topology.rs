//! The declared topology on a real server: applied once, stable, checked, and its limits in force.

use bus::topology::{Topology, TopologyOptions};
use bus::{BusError, Profile};
use nats_test_server::jetstream;
use schemas::codes::Advice as _;
use schemas::ids::{Lane, Service};

use crate::server::TestServer;

fn declared() -> Topology {
    Topology::declare(Profile::Test, TopologyOptions::default())
}

/// Streams, buckets and consumers.
fn parts_of(topology: &Topology) -> usize {
    topology.streams.len() + topology.consumers.len()
}

#[tokio::test]
async fn applying_twice_changes_nothing_the_second_time() {
    let server = TestServer::start();
    let bus = server.bus().await;
    let first = bus.infra().apply(&declared()).await.unwrap();
    assert_eq!(first.created.len(), parts_of(&declared()));
    assert_eq!(first.changed, []);
    let second = bus.infra().apply(&declared()).await.unwrap();
    assert_eq!((second.created, second.changed), (vec![], vec![]));
    bus.check(&declared()).await.unwrap();
}

#[tokio::test]
async fn a_disk_with_too_little_room_is_named() {
    let server = TestServer::start();
    let options = TopologyOptions {
        commands_bytes_max: 1 << 60,
        ..TopologyOptions::default()
    };

    let large = Topology::declare(Profile::Test, options);
    let refused = server.bus().await.infra().apply(&large).await.unwrap_err();

    let hint = refused.hint();
    assert!(hint.contains("free room on its disk"), "{refused} {hint}");
}

#[tokio::test]
async fn an_empty_server_is_refused_with_everything_that_is_missing() {
    let server = TestServer::start();
    let Err(BusError::Drift(drifts)) = server.bus().await.check(&declared()).await else {
        panic!("no drift")
    };
    assert_eq!(drifts.len(), parts_of(&declared()));
    assert_eq!(drifts[0].to_string(), "KTRDR_COMMANDS is missing");
}

#[tokio::test]
async fn a_service_of_another_profile_sees_which_clocks_differ() {
    let server = TestServer::start();
    let bus = server.bus().await;
    bus.infra().apply(&declared()).await.unwrap();
    let dev = Topology::declare(Profile::Dev, TopologyOptions::default());
    let drifts = bus.infra().differences(&dev).await.unwrap();
    let messages: Vec<String> = drifts.iter().map(ToString::to_string).collect();
    assert!(
        messages.contains(&"KV_ktrdr_workers has max_age 3 s instead of 15 s".to_owned()),
        "{messages:#?}"
    );
    assert!(
        messages.contains(&"trainer_gpu has ack_wait 1 s instead of 5 s".to_owned()),
        "{messages:#?}"
    );
    // The profile itself, the ages of two buckets, and the waits of every queue and of the
    // schedules.
    let expected = 1 + 2 + Service::ALL.len() * Lane::ALL.len() + 1;
    assert_eq!(messages.len(), expected, "{messages:#?}");

    let changed = bus.infra().apply(&dev).await.unwrap().changed;
    assert_eq!(changed.len(), expected);
    bus.check(&dev).await.unwrap();
    bus.infra().apply(&declared()).await.unwrap();
    bus.check(&declared()).await.unwrap();
}

#[tokio::test]
async fn settings_that_an_operator_chose_survive_an_apply() {
    let server = TestServer::start();
    let bus = server.bus().await;
    let tiny = TopologyOptions {
        commands_bytes_max: 64 * 1024,
        ..TopologyOptions::default()
    };
    bus.infra()
        .apply(&Topology::declare(Profile::Test, tiny))
        .await
        .unwrap();
    bus.infra().apply(&declared()).await.unwrap();
    let stream = jetstream::new(server.client().await)
        .get_stream("KTRDR_COMMANDS")
        .await
        .unwrap();

    assert_eq!(stream.cached_info().config.max_bytes, 64 * 1024);
}

#[tokio::test]
async fn a_second_command_is_refused_and_a_newer_cancel_request_wins() {
    let server = TestServer::start();
    let bus = server.bus().await;
    bus.infra().apply(&declared()).await.unwrap();
    let js = jetstream::new(server.client().await);
    let subject = "ktrdr.cmd.dummy.default.op_dummy_20260301_142233_9f3a01bc.1";
    js.publish(subject, "1".into())
        .await
        .unwrap()
        .await
        .unwrap();
    assert!(
        js.publish(subject, "2".into())
            .await
            .unwrap()
            .await
            .is_err()
    );

    let subject = "ktrdr.control.cancel.op_dummy_20260301_142233_9f3a01bc";
    for _ in 0..2 {
        js.publish(subject, "".into()).await.unwrap().await.unwrap();
    }
    let control = js.get_stream("KTRDR_CONTROL").await.unwrap();
    assert_eq!(
        (
            control.cached_info().state.messages,
            control.cached_info().state.last_sequence
        ),
        (1, 2)
    );
}

#[tokio::test]
async fn a_closed_port_is_an_error_at_once_with_the_address_in_it() {
    let server = TestServer::start();
    let mut options = server.options();
    drop(server);
    options.url = options.url.replace("nats://", "nats://ann:s3cret@");
    let error = bus::Bus::connect(&options).await.unwrap_err();
    let BusError::Connect { url, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(url.starts_with("nats://127.0.0.1:"), "{url}");
    assert!(error.hint().contains("ktrdr up"));
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_told_to_whoever_pulls() {
    let mut server = TestServer::start();
    let bus = server.bus().await;
    let mut reconnects = bus.connection().reconnects();
    let before = bus.connection().connected_since().unwrap();
    server.restart();
    reconnects.changed().await.unwrap();
    assert!(bus.connection().connected_since().unwrap() > before);
    assert_eq!(
        bus.connection().server_version(),
        server.bus().await.connection().server_version()
    );
    assert!(bus.connection().rtt().await.unwrap().as_millis() < 1_000);

    let asked_later = bus.connection().reconnects();
    assert!(!asked_later.has_changed().unwrap());
}
