//! The setting `[trainer] device` as a process reads it.

use std::process::{Command, Output};

use schemas::device_check::DeviceCheckLine;
use system_tests::Sandbox;

use crate::made_up::ENGINES;

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

#[test]
fn every_engine_learns_the_example_of_the_device_check() {
    let output = run_trainer(&[], &["check-devices"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<DeviceCheckLine> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();

    let DeviceCheckLine::Trainer(trainer) = &lines[0] else {
        panic!("the first line is about the program: {lines:?}")
    };
    assert_eq!(trainer.libtorch.is_some(), cfg!(feature = "libtorch"));
    let trainings = lines.len() - 1;
    assert_eq!(
        trainings,
        ENGINES.len() + trainer.gpus as usize,
        "{lines:?}"
    );

    let losses: Vec<f64> = lines[1..].iter().map(loss_of).collect();
    for loss in &losses {
        // Who knows nothing has ln 3 = 1.1; one that is right and sure has 0.
        assert!(*loss < 0.2, "{losses:?}");
        assert!((loss - losses[0]).abs() < 0.05 * losses[0], "{losses:?}");
    }
}

fn loss_of(line: &DeviceCheckLine) -> f64 {
    match line {
        DeviceCheckLine::Trained(example) => example.validation_loss,
        other => panic!("not trained: {other:?}"),
    }
}
