//! `ktrdr doctor --gpu`: with the trainer of this build, and with made-up trainers that print what
//! one on a host with GPUs would.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Ended, ktrdr_in, run_in};

/// The first line of a trainer that finds `gpus`.
fn trainer_line(gpus: u32) -> Value {
    json!({"type": "trainer", "version": "0.1.0", "libtorch": "2.13.0", "gpus": gpus})
}

fn trained(device: &str, engine: &str, validation_loss: f64) -> Value {
    json!({
        "type": "trained",
        "device": device,
        "engine": engine,
        "name": (device != "cpu").then_some("NVIDIA H100 80GB HBM3"),
        "epochs": 5,
        "seconds": 1.25,
        "epoch_seconds": 0.125,
        "validation_loss": validation_loss,
        "memory_used_bytes": (device != "cpu").then_some(1_610_612_736_u64),
    })
}

/// `ktrdr doctor --gpu` beside a trainer that is this shell script.
fn doctor_with(script: &str, flags: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let trainer = folder.path().join("ktrdr-trainer");
    std::fs::write(&trainer, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&trainer, std::fs::Permissions::from_mode(0o755)).unwrap();

    let arguments = [&["doctor", "--gpu"], flags].concat();
    let mut command = ktrdr_in(folder.path(), &arguments);
    command.env("KTRDR_BIN_DIR", folder.path());
    command.output().unwrap().into()
}

/// A script that prints these lines and then does `end`.
fn printing(lines: &[Value], end: &str) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("echo '{line}'")).collect();
    format!("{}\n{end}", lines.join("\n"))
}

#[test]
fn the_engines_of_this_build_agree_on_the_cpu() {
    let folder = tempfile::tempdir().unwrap();

    let ended = run_in(folder.path(), &["doctor", "--gpu", "--json"]);

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["type"], "doctor");
    let devices = report["devices"].as_array().unwrap();
    assert_eq!(devices[0]["engine"], "native");
    for device in devices {
        assert!(device["difference"].as_f64().unwrap() <= 0.05, "{device}");
    }
    assert_files_are(folder.path(), &[]);
}

fn assert_files_are(folder: &Path, names: &[&str]) {
    let entries = std::fs::read_dir(folder).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, names);
}

#[test]
fn two_gpus_that_agree_are_a_table() {
    let lines = [
        trainer_line(2),
        trained("cpu", "native", 0.1),
        trained("cpu", "libtorch", 0.1),
        trained("cuda:0", "libtorch", 0.1001),
        trained("cuda:1", "libtorch", 0.0999),
    ];

    let ended = doctor_with(&printing(&lines, ""), &[]);

    assert_eq!(ended.exit, Some(0), "{}", ended.out);
    insta::assert_snapshot!(ended.out, @"
    DEVICE  ENGINE    SECONDS  PER EPOCH  VAL. LOSS  DIFFERENCE  MEMORY   NAME
    cpu     native    1.25     0.1250     0.10000    0 %         -        -
    cpu     libtorch  1.25     0.1250     0.10000    0 %         -        -
    cuda:0  libtorch  1.25     0.1250     0.10010    0.10 %      1.5 GiB  NVIDIA H100 80GB HBM3
    cuda:1  libtorch  1.25     0.1250     0.09990    0.10 %      1.5 GiB  NVIDIA H100 80GB HBM3

    ok    trainer      version 0.1.0, in plain Rust and in libtorch 2.13.0
    ok    gpus         libtorch finds 2 GPUs
    ok    devices      4 trainings agree; the largest difference of their validation losses: 0.10 %
    ");
}

#[test]
fn a_gpu_that_computes_something_else_is_a_fault() {
    let lines = [
        trainer_line(1),
        trained("cpu", "native", 0.1),
        trained("cuda:0", "libtorch", 0.1125),
    ];

    let ended = doctor_with(&printing(&lines, ""), &[]);

    assert_eq!(ended.exit, Some(1), "{}", ended.out);
    insta::assert_snapshot!(ended.out, @"
    DEVICE  ENGINE    SECONDS  PER EPOCH  VAL. LOSS  DIFFERENCE  MEMORY   NAME
    cpu     native    1.25     0.1250     0.10000    0 %         -        -
    cuda:0  libtorch  1.25     0.1250     0.11250    12.5 %      1.5 GiB  NVIDIA H100 80GB HBM3

    ok    trainer      version 0.1.0, in plain Rust and in libtorch 2.13.0
    ok    gpus         libtorch finds 1 GPU
    BAD   devices      cuda:0 libtorch ends at a validation loss of 0.11250, 12.5 % from that of the CPU: at most 5 % is allowed
          hint: train elsewhere until cuda:0 agrees: set [trainer] device to another GPU or to cpu; `nvidia-smi -q` shows its driver, its errors and who uses it
    ");
}

#[test]
fn a_gpu_that_fails_is_a_fault_with_its_reason() {
    let failed = json!({
        "type": "failed",
        "device": "cuda:0",
        "engine": "libtorch",
        "error": "libtorch failed: CUDA out of memory",
    });
    let lines = [trainer_line(1), trained("cpu", "native", 0.1), failed];

    let ended = doctor_with(&printing(&lines, ""), &["--json"]);

    assert_eq!(ended.exit, Some(1), "{}", ended.out);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let reason = "libtorch failed: CUDA out of memory";
    assert_eq!(report["devices"][1]["error"], reason);
    assert_eq!(
        report["checks"][2]["detail"],
        format!("cuda:0 libtorch: {reason}")
    );
}

#[test]
fn a_trainer_that_crashes_leaves_what_it_has_said() {
    let lines = [trainer_line(1), trained("cpu", "native", 0.1)];

    let ended = doctor_with(&printing(&lines, "kill -SEGV $$"), &[]);

    assert_eq!(ended.exit, Some(1), "{}", ended.out);
    let fault = "BAD   devices      the trainer ended after cpu native (signal: 11 (SIGSEGV)";
    assert!(ended.out.contains(fault), "{}", ended.out);
    assert!(
        ended.out.contains("hint: look at the driver"),
        "{}",
        ended.out
    );
}

#[test]
fn a_trainer_that_cannot_be_asked_is_a_fault() {
    let older = doctor_with("echo 'unexpected argument' >&2; exit 2", &[]);
    assert_eq!(older.exit, Some(1), "{}", older.out);
    insta::assert_snapshot!(older.out, @"
    BAD   trainer      this trainer is of another version: it cannot check its devices
          hint: build it again: make trainer
    ");

    let unlinked = doctor_with("echo 'libtorch_cpu.so: cannot open' >&2; exit 127", &[]);
    assert_eq!(unlinked.exit, Some(1), "{}", unlinked.out);
    insta::assert_snapshot!(unlinked.out, @"
    BAD   trainer      the trainer does not start (exit status: 127): libtorch_cpu.so: cannot open
          hint: it may not find its libtorch: make trainer, or make build for one without
    ");
}

#[test]
fn a_host_without_a_trainer_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ktrdr_in(folder.path(), &["doctor", "--gpu"]);
    command.env("KTRDR_BIN_DIR", "/absent");

    let ended: Ended = command.output().unwrap().into();

    assert_eq!(ended.exit, Some(1), "{}", ended.out);
    insta::assert_snapshot!(ended.out, @"
    BAD   trainer      there is no /absent/ktrdr-trainer
          hint: `make build` makes one for the CPU, `make trainer` one with libtorch
    ");
}
