//! Permissions: with the file that we ship every role can do its work, and nobody can do another's.

use bus::topology::{Topology, TopologyOptions};
use bus::{BusError, OperationFilter, Profile};
use dummy::Dummy;
use runtime::probe::Moment;
use schemas::commands::RunDummy;
use schemas::ids::{Lane, Service};
use schemas::operation::OperationState;
use schemas::subjects;
use system_tests::{Dies, Role, Sandbox, steps};

use crate::commands::{endless, short};

#[tokio::test(flavor = "multi_thread")]
async fn people_and_workers_can_do_all_they_are_for() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _process = sandbox.spawn("ktrdr-dummy");
    let mut dying = sandbox
        .run_with(Dummy, |options| options.probe = Dies::at(Moment::Done))
        .await;
    sandbox.until_workers(Service::Dummy, 2).await;
    // Two at a time: one of them dies with the worker and is taken over.
    let ops = [
        sandbox
            .submit(&steps(&[
                RunDummy {
                    checkpoint_every: 1,
                    ..short(5)
                },
                short(1),
            ]))
            .await,
        sandbox
            .submit(
                &RunDummy {
                    checkpoint_every: 1,
                    ..short(5)
                }
                .operation(),
            )
            .await,
    ];
    for op in &ops {
        sandbox.only_completion_of(op).await;
    }
    dying.until_left().await.unwrap_err();
    let failing = sandbox
        .submit(
            &RunDummy {
                fail_at: Some(1),
                ..short(1)
            }
            .operation(),
        )
        .await;
    assert_eq!(
        sandbox.until_concluded(&failing).await.state,
        OperationState::Failed
    );
    sandbox.bus().resume(&failing).await.unwrap();
    assert_eq!(sandbox.dead_letters(&failing).await.len(), 1);
    let running = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&running, 1).await;
    let queued = sandbox.submit(&short(1).operation()).await;
    assert_eq!(
        sandbox
            .bus()
            .ahead_of(
                Service::Dummy,
                Lane::Default,
                &queued,
                schemas::ids::StepNumber::FIRST
            )
            .await
            .unwrap(),
        Some(0)
    );
    for op in [&queued, &running] {
        sandbox.bus().request_cancel(op, "").await.unwrap();
        assert_eq!(
            sandbox.until_concluded(op).await.state,
            OperationState::Cancelled
        );
    }
    assert_eq!(
        sandbox
            .bus()
            .operations(10, &OperationFilter::default())
            .await
            .unwrap()
            .len(),
        5
    );
    let told = sandbox.bus().events_of(&failing).await.unwrap();
    assert!(told.iter().any(|event| event.error.is_some()), "{told:?}");
    let health = sandbox
        .bus()
        .ask(Service::Dummy, "health", Vec::new())
        .await
        .unwrap();
    assert!(String::from_utf8(health).unwrap().contains("healthy"));
    let worker = sandbox
        .until_workers(Service::Dummy, 1)
        .await
        .remove(0)
        .worker;
    sandbox.bus().request_drain(&worker).await.unwrap();
    sandbox.until_workers(Service::Dummy, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_infra_changes_streams_and_nobody_does_the_work_of_another_role() {
    let sandbox = Sandbox::start_guarded().await;
    let (worker, person) = (
        sandbox.connect_as(Role::Worker).await,
        sandbox.connect_as(Role::Person).await,
    );
    // Another profile: every consumer would have to change.
    let other = Topology::declare(Profile::Dev, TopologyOptions::default());
    let results = tokio::join!(
        async { worker.apply(&other).await.map(drop) },
        async { person.apply(&other).await.map(drop) },
        async {
            person
                .acquire_lease("housekeeping", "person")
                .await
                .map(drop)
        },
        async {
            worker
                .request_cancel(&system_tests::new_id("dummy"), "")
                .await
                .map(drop)
        },
        async {
            person
                .jetstream()
                .delete_stream(subjects::EVENTS)
                .await
                .map(drop)
                .map_err(BusError::request(""))
        },
        async {
            worker
                .jetstream()
                .delete_stream(subjects::EVENTS)
                .await
                .map(drop)
                .map_err(BusError::request(""))
        },
    );
    for (who, refused) in [
        ("a worker changes streams", results.0),
        ("a person changes streams", results.1),
        ("a person does the housekeeping", results.2),
        ("a worker asks for a cancel", results.3),
        ("a person deletes a stream", results.4),
        ("a worker deletes a stream", results.5),
    ] {
        assert!(refused.is_err(), "{who}");
    }
    sandbox
        .bus()
        .check(&Topology::declare(
            Profile::Test,
            TopologyOptions::default(),
        ))
        .await
        .unwrap();
}
