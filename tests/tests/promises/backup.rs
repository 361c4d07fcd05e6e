//! Backup and restore of a system at work: what was half done goes on, what had ended stays ended.

use bus::{Backup, BackupError};
use dummy::Dummy;
use schemas::commands::RunDummy;
use schemas::events::What;
use schemas::ids::Service;
use system_tests::{Role, Sandbox, steps};

use crate::commands::short;

/// Six seconds of work with a checkpoint after each tenth of a second.
fn six_seconds() -> RunDummy {
    RunDummy {
        iterations: 600,
        seconds: 0.01,
        checkpoint_every: 10,
        ..RunDummy::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_done_work_goes_on_after_a_restore() {
    let before = Sandbox::start().await;
    let worker = before.run(Dummy).await;
    let ended = before.submit(&steps(&[short(1), short(1)])).await;
    let ended_record = before.until_concluded(&ended).await;
    let half = before.submit(&steps(&[six_seconds(), short(1)])).await;
    let is_checkpointed = |event: &schemas::events::Event| event.what == What::Checkpointed;
    before
        .until_event(&half, "checkpointed", is_checkpointed)
        .await;

    let folder = before.folder().join("backup");
    before.bus().infra().back_up(&folder).await.unwrap();
    worker.kill();
    let after = Sandbox::start().await;
    let backup = Backup::open(&folder).unwrap();
    let infra = after.bus().infra();
    let restored = infra.restore(&backup, false).await.unwrap();
    assert_eq!(restored.unfinished, std::slice::from_ref(&half));

    let _housekeeper = after.start_housekeeper().await;
    let _worker = after.run(Dummy).await;
    after.only_completion_of(&half).await;
    let record = after.record(&half).await;
    assert_eq!(record.steps[0].attempt, 2);
    assert!(record.steps[0].result["resumed_at"].as_u64().unwrap() >= 10);
    assert_eq!(record.steps[1].attempt, 1);
    after.only_completion_of(&ended).await;
    assert_eq!(after.record(&ended).await, ended_record);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_restored_while_workers_run() {
    let sandbox = Sandbox::start().await;
    let folder = sandbox.folder().join("backup");
    sandbox.bus().infra().back_up(&folder).await.unwrap();
    let backup = Backup::open(&folder).unwrap();
    let _worker = sandbox.run(Dummy).await;
    sandbox.until_workers(Service::Dummy, 1).await;

    let infra = sandbox.bus().infra();
    let refused = infra.restore(&backup, true).await.unwrap_err();

    let is_refused = matches!(refused, BackupError::WorkersRun(1));
    assert!(is_refused, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_key_of_infra_makes_a_backup() {
    let sandbox = Sandbox::start_guarded().await;
    let folder = sandbox.folder().join("backup");

    let person = sandbox.bus().infra();
    person.back_up(&folder).await.unwrap_err();
    assert!(!folder.exists());

    let infra = sandbox.connect_as(Role::Infra).await;
    infra.infra().back_up(&folder).await.unwrap();
    let backup = Backup::open(&folder).unwrap();
    let person = sandbox.bus().infra();
    person.restore(&backup, true).await.unwrap_err();
    infra.infra().restore(&backup, true).await.unwrap();
}
