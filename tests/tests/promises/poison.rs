//! A record that cannot be read: its message becomes a dead letter, once, and nothing else suffers.

use dummy::Dummy;
use schemas::codec;
use schemas::commands::RunDummy;
use schemas::ids::OperationId;
use schemas::messages::CommandMessage;
use schemas::operation::OperationRecord;
use schemas::subjects;
use serde_json::json;
use system_tests::{Sandbox, new_id, until};

use crate::commands::short;

/// What somebody may write under the key of an operation.
fn poisons(op: &OperationId) -> Vec<(&'static str, Vec<u8>)> {
    let record = OperationRecord::create(op.clone(), short(1).operation(), jiff::Timestamp::now());
    let mut of_version_2 = serde_json::to_value(&record).unwrap();
    of_version_2["v"] = json!(2);
    let mut too_large = serde_json::to_value(&record).unwrap();
    too_large["params"] = json!("x".repeat(codec::PAYLOAD_BYTES_MAX));

    vec![
        (
            "has version 2; this program reads 0 and 1",
            of_version_2.to_string().into_bytes(),
        ),
        (
            "over the limit of 65536",
            too_large.to_string().into_bytes(),
        ),
        ("cannot decode", vec![0xc1, 0xff, 0x00]),
    ]
}

/// An operation with this record, and its command on the queue.
async fn submit_poisoned(sandbox: &Sandbox, op: &OperationId, record: Vec<u8>) {
    let key = format!(
        "$KV.{}.{}",
        subjects::OPERATIONS,
        subjects::operation_key(op)
    );
    let jetstream = sandbox.jetstream();
    jetstream
        .publish(key, record.into())
        .await
        .unwrap()
        .await
        .unwrap();
    sandbox.bus().active().mark(op).await.unwrap();

    let request = RunDummy::default().operation();
    let step = OperationRecord::create(op.clone(), request, jiff::Timestamp::now())
        .outstanding_commands()[0];
    let message = CommandMessage::new(op, step.step, 1, None);
    let subject = subjects::command(step.service, step.lane, op, step.step);
    let payload = codec::encode(&message).unwrap();
    jetstream
        .publish(subject, payload.into())
        .await
        .unwrap()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_becomes_one_dead_letter() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;

    let poisoned = new_id("dummy");
    for (reason, record) in poisons(&poisoned) {
        let op = new_id("dummy");
        submit_poisoned(&sandbox, &op, record).await;
        let _worker = sandbox.run(Dummy).await;

        // Off the queue, and nobody puts it there again.
        until("the dead letter", || async {
            let letters = sandbox.dead_letters(&op).await.len();
            let commands = sandbox.commands_of(&op).await.len();
            (letters == 1 && commands == 0).then_some(())
        })
        .await;
        let letters = sandbox.dead_letters(&op).await;
        let error = &letters[0].error;
        assert_eq!(error.code, "OPS-RecordUnreadable");
        assert!(error.message.contains(reason), "{}", error.message);

        // The others are listed and work.
        sandbox.complete(&short(1).operation()).await;
        let listed = sandbox
            .bus()
            .operations()
            .list(50, &Default::default())
            .await
            .unwrap();
        assert!(listed.iter().all(|record| record.op != op));
        assert_eq!(sandbox.dead_letters(&op).await.len(), 1, "said once");
    }

    let operations = sandbox.bus().operations();
    for all in [false, true] {
        let unreadable = operations.find_unreadable(all).await.unwrap();
        assert_eq!(unreadable.len(), 3, "{unreadable:?}");
    }
}
