//! Permissions: with the file that we ship every role can do its work, and none can do another's.

use bus::topology::{Topology, TopologyOptions};
use bus::{BusError, OperationFilter, Profile};
use dummy::Dummy;
use nats_test_server::jetstream;
use runtime::probe::Moment;
use schemas::commands::RunDummy;
use schemas::ids::{Lane, Service, StepNumber};
use schemas::operation::OperationState;
use schemas::subjects;
use system_tests::{Dies, Role, Sandbox, new_id, steps};

use crate::commands::{endless, short};

#[tokio::test(flavor = "multi_thread")]
async fn workers_may_claim_checkpoint_and_take_over() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _process = sandbox.spawn("ktrdr-dummy");
    let mut dying = sandbox
        .run_with(Dummy, |options| options.probe = Dies::at(Moment::Done))
        .await;
    sandbox.until_workers(Service::Dummy, 2).await;
    let command = RunDummy {
        checkpoint_every: 1,
        ..short(5)
    };

    // Two at a time: one of them dies with the worker and is taken over.
    let ops = [
        sandbox.submit(&steps(&[command.clone(), short(1)])).await,
        sandbox.submit(&command.operation()).await,
    ];

    for op in &ops {
        sandbox.only_completion_of(op).await;
    }
    dying.until_left().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_may_submit_read_failures_and_resume() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _process = sandbox.spawn("ktrdr-dummy");

    let failing = RunDummy {
        fail_at: Some(1),
        ..short(1)
    };
    let failed = sandbox.submit(&failing.operation()).await;
    let record = sandbox.until_concluded(&failed).await;
    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(sandbox.dead_letters(&failed).await.len(), 1);
    let events = sandbox.bus().events().list(&failed).await.unwrap();
    assert!(events.iter().any(|event| event.error.is_some()));
    sandbox.bus().operations().resume(&failed).await.unwrap();
    let resumed = sandbox.until_concluded(&failed).await;
    assert_eq!(resumed.steps[0].attempt, 2);

    let letters = sandbox.bus().dead_letters();
    for letter in letters.list().await.unwrap() {
        letters.delete(letter.number).await.unwrap();
    }
    assert_eq!(letters.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_may_look_at_queues_cancel_and_list() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _process = sandbox.spawn("ktrdr-dummy");
    let running = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&running, 1).await;
    let queued = sandbox.submit(&short(1).operation()).await;
    let ahead = sandbox
        .bus()
        .commands()
        .ahead_of(Service::Dummy, Lane::Default, &queued, StepNumber::FIRST)
        .await
        .unwrap();
    assert_eq!(ahead, Some(0));
    for op in [&queued, &running] {
        sandbox.bus().cancels().request(op, "").await.unwrap();
        let record = sandbox.until_concluded(op).await;
        assert_eq!(record.state, OperationState::Cancelled);
    }

    let filter = OperationFilter::default();
    let listed = sandbox.bus().operations().list(10, &filter).await.unwrap();
    assert_eq!(listed.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_may_ask_for_health_and_drain_workers() {
    let sandbox = Sandbox::start_guarded().await;
    let _process = sandbox.spawn("ktrdr-dummy");
    let worker = sandbox
        .until_workers(Service::Dummy, 1)
        .await
        .remove(0)
        .worker;

    let health = sandbox
        .bus()
        .services()
        .ask(Service::Dummy, "health", Vec::new())
        .await
        .unwrap();
    assert!(String::from_utf8(health).unwrap().contains("healthy"));

    sandbox
        .bus()
        .workers()
        .request_drain(&worker)
        .await
        .unwrap();
    sandbox.until_workers(Service::Dummy, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_infra_changes_streams() {
    let sandbox = Sandbox::start_guarded().await;
    // Another profile: every consumer would have to change.
    let other = Topology::declare(Profile::Dev, TopologyOptions::default());

    for role in [Role::Service("registry"), Role::Person] {
        let bus = sandbox.connect_as(role).await;
        let applied = bus.infra().apply(&other).await;
        let jetstream = jetstream::new(sandbox.client_as(role).await);
        let deleted = jetstream.delete_stream(subjects::EVENTS).await;

        assert!(applied.is_err(), "{role:?} changed streams");
        assert!(deleted.is_err(), "{role:?} deleted a stream");
    }

    let declared = Topology::declare(Profile::Test, TopologyOptions::default());
    sandbox.bus().check(&declared).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_some_services_do_the_housekeeping() {
    let sandbox = Sandbox::start_guarded().await;
    let worker = sandbox.connect_as(Role::Service("trainer")).await;
    let person = sandbox.connect_as(Role::Person).await;

    let lease: Result<_, BusError> = person.leases().acquire("housekeeping", "person").await;
    // For the children of an operation that fails fast.
    let cancel = worker.cancels().request(&new_id("dummy"), "").await;
    let of_trainer = worker.leases().acquire("housekeeping", "trainer").await;

    assert!(lease.is_err(), "a person does the housekeeping");
    assert!(of_trainer.is_err(), "a trainer does the housekeeping");
    cancel.unwrap();
}
