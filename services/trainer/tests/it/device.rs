//! The setting `[trainer] device` as a process reads it.

use std::process::{Command, Output};

use system_tests::Sandbox;

const TRAINER: &str = env!("CARGO_BIN_EXE_ktrdr-trainer");

/// A trainer in an empty environment, which reads no settings but those of its flags.
fn run_trainer(variables: &[(&str, &str)], flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(TRAINER)
        .env_clear()
        .envs(variables.iter().copied())
        .args(flags)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_variable_chooses_the_device() {
    let output = run_trainer(&[("KTRDR_TRAINER_DEVICE", "cuda:1")], &["--check"]);
    let settings = text(&output.stdout);
    let line = settings
        .lines()
        .find(|line| line.starts_with("trainer.device"));
    assert!(
        line.is_some_and(|line| line.contains("= cuda:1  (KTRDR_TRAINER_DEVICE)")),
        "{settings}"
    );
}

#[test]
fn a_device_that_is_none_is_refused_with_what_may_be_written() {
    let output = run_trainer(&[], &["--check", "--set", "device=gpu"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("expected auto, cpu or cuda:N"),
        "{message}"
    );
}

/// The last words of a trainer that does not start on a real server.
async fn refusal_of(flags: &[&str]) -> String {
    let sandbox = Sandbox::start().await;
    let mut trainer = sandbox.spawn_with("ktrdr-trainer", flags);
    let status = trainer.until_ended().await;
    let log = trainer.log();
    assert_eq!(status.code(), Some(1), "{log}");
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_without_a_gpu_does_not_serve_the_lane_gpu() {
    let message = refusal_of(&["--set", "lanes=gpu", "--set", "device=cpu"]).await;
    assert!(
        message.contains("the lane gpu is for trainers with a GPU"),
        "{message}"
    );
    assert!(
        message.contains("hint: leave lanes out of the settings"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_does_not_start_with_a_gpu_that_is_not_there() {
    let message = refusal_of(&["--set", "device=cuda:99"]).await;
    assert!(
        message.contains("the device is set to cuda:99"),
        "{message}"
    );
    assert!(
        message.contains("hint: set [trainer] device to auto or cpu"),
        "{message}"
    );
}
