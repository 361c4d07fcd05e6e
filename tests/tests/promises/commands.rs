//! A command on its queue: it runs once, in order, whoever published it and however often.

use bus::SubmitError;
use bus::topology::TopologyOptions;
use dummy::Dummy;
use schemas::codes::Advice as _;
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::{Lane, OperationId, Service, StepNumber};
use schemas::messages::CommandMessage;
use schemas::operation::OperationState;
use schemas::subjects;
use system_tests::{Sandbox, new_id, side_by_side, steps, until};

/// `iterations` of 5 ms.
pub fn short(iterations: u64) -> RunDummy {
    RunDummy {
        iterations,
        seconds: 0.005,
        ..RunDummy::default()
    }
}

/// Runs until it is stopped.
pub fn endless() -> RunDummy {
    short(1_000_000)
}

/// Publishes a payload where a worker takes the first command of `op` from.
async fn publish_first_command(sandbox: &Sandbox, op: &OperationId, payload: Vec<u8>) {
    publish_command(sandbox, op, StepNumber::FIRST, payload).await;
}

async fn publish_command(sandbox: &Sandbox, op: &OperationId, step: StepNumber, payload: Vec<u8>) {
    let subject = subjects::command(Service::Dummy, Lane::Default, op, step);
    let client = sandbox.client();
    client.publish(subject, payload.into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_runs_its_steps_in_order() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;

    let op = sandbox.submit(&steps(&[short(3), short(2)])).await;
    let completion = sandbox.only_completion_of(&op).await;

    assert_eq!(completion.state, OperationState::Completed);
    assert_eq!(completion.result["iterations"], 2);
    assert_eq!(
        sandbox.story(&op).await,
        "1.started 1.completed 2.started 2.completed"
    );
    let record = sandbox.record(&op).await;
    assert!(record.created_at <= record.started_at.unwrap());
    assert!(record.started_at <= record.finished_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_stage_waits_for_all_steps_of_the_one_before() {
    let sandbox = Sandbox::start().await;
    let _workers = [sandbox.run(Dummy).await, sandbox.run(Dummy).await];

    let op = sandbox
        .submit(&side_by_side(&[short(20), short(1)], short(1)))
        .await;
    sandbox.only_completion_of(&op).await;

    let record = sandbox.record(&op).await;
    let last_start = record.steps[2].started_at.unwrap();
    for step in &record.steps[..2] {
        assert!(step.finished_at.unwrap() <= last_start, "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_a_command_twice_is_one_run() {
    let sandbox = Sandbox::start().await;
    let op = new_id("dummy");
    let new = short(3).operation();
    for _ in 0..2 {
        sandbox.bus().operations().submit(&op, &new).await.unwrap();
    }
    let _worker = sandbox.run(Dummy).await;
    sandbox.only_completion_of(&op).await;

    // Its message id was consumed long ago: publishing it once more starts nothing.
    sandbox.bus().operations().submit(&op, &new).await.unwrap();

    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.steps[0].attempt, 1);
    assert_eq!(record.steps[0].submission, 1);
    assert_eq!(sandbox.story(&op).await, "1.started 1.completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_json_command_runs_like_one_of_the_cli() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = new_id("dummy");
    let operation = side_by_side(&[short(2), short(30)], short(1));
    let payload = serde_json::json!({ "v": 1, "operation": operation }).to_string();

    for step in [1, 2] {
        let step = StepNumber::new(step).unwrap();
        publish_command(&sandbox, &op, step, payload.clone().into_bytes()).await;
    }

    let completion = sandbox.only_completion_of(&op).await;
    assert_eq!(completion.state, OperationState::Completed);
    for step in sandbox.record(&op).await.steps {
        assert_eq!((step.attempt, step.submission), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_submissions_and_loses_nothing() {
    let sandbox = Sandbox::start_with(TopologyOptions {
        commands_bytes_max: 32 * 1024,
        ..Default::default()
    })
    .await;
    let new = steps(&[short(1), short(1), short(1)]);

    let mut accepted = Vec::new();
    let refused = loop {
        let op = new_id("dummy");
        match sandbox.bus().operations().submit(&op, &new).await {
            Ok(_) => accepted.push(op),
            Err(error) => break error,
        }
    };

    let SubmitError::Full { percent, .. } = &refused else {
        panic!("{refused:?}");
    };
    assert!((80..=100).contains(percent), "{percent}");
    assert!(refused.hint().contains("wait until workers have caught up"));
    assert!(accepted.len() > 10, "{} operations fit", accepted.len());

    let _worker = sandbox.run(Dummy).await;
    for op in &accepted {
        let completion = sandbox.only_completion_of(op).await;
        assert_eq!(completion.state, OperationState::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_command_becomes_a_dead_letter() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let bad = new_id("dummy");

    for (payload, hex) in [("no command", "6e6f20636f6d6d616e64"), ("none", "6e6f6e65")] {
        publish_first_command(&sandbox, &bad, payload.into()).await;

        // The queue lives on.
        sandbox.complete(&short(1).operation()).await;
        until("the command to be gone", || async {
            sandbox.commands_of(&bad).await.is_empty().then_some(())
        })
        .await;
        let letter = sandbox.dead_letters(&bad).await.pop().unwrap();
        assert_eq!(letter.error.code, "BUS-Undecodable");
        assert_eq!(letter.payload_hex, hex);
    }

    assert_eq!(sandbox.dead_letters(&bad).await.len(), 2);
    assert_eq!(sandbox.story(&bad).await, "1.rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_an_operation_becomes_a_dead_letter() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = new_id("dummy");
    let message = CommandMessage::new(&op, StepNumber::FIRST, 2, None);

    let payload = schemas::codec::encode(&message).unwrap();
    publish_first_command(&sandbox, &op, payload).await;

    let letters = until("the dead letter", || async {
        Some(sandbox.dead_letters(&op).await).filter(|letters| !letters.is_empty())
    })
    .await;
    let message = &letters[0].error.message;
    assert!(
        message.contains("there is no record of operation"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_two_operations_and_hoard_none() {
    let sandbox = Sandbox::start().await;
    let _workers = [sandbox.run(Dummy).await, sandbox.run(Dummy).await];
    sandbox.until_workers(Service::Dummy, 2).await;
    let ops = [
        sandbox.submit(&endless().operation()).await,
        sandbox.submit(&endless().operation()).await,
    ];
    let mut holders = Vec::new();
    for op in &ops {
        holders.push(sandbox.until_started(op).await.worker.unwrap());
    }
    assert_ne!(holders[0], holders[1]);

    // The third waits on the queue, not in a worker.
    let third = sandbox.submit(&short(1).operation()).await;
    let depth = sandbox
        .bus()
        .commands()
        .queue_depth(Service::Dummy, Lane::Default)
        .await
        .unwrap();
    assert_eq!((depth.claimed, depth.pending), (2, 1));

    sandbox
        .bus()
        .cancels()
        .request(&ops[0], "make room")
        .await
        .unwrap();
    sandbox.only_completion_of(&third).await;
    let events = sandbox.events(&ops[0]).await;
    assert!(events.iter().any(|event| event.what == What::Cancelled));
}
