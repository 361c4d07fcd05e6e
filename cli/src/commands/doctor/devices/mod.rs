//! `ktrdr doctor --gpu`: the trainer trains one fixed example on the CPU and on each GPU, and the
//! validation losses are compared.

mod judge;

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use schemas::device_check::{CHECK_DEVICES, CheckedTrainer, DeviceCheckLine};
use schemas::ids::Service;
use serde_json::{Value, json};

use self::judge::{DeviceRun, compare_runs, judge_gpus, judge_runs};
use super::check::{Check, any_bad};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::up::{binaries_folder, binary};

/// How long all trainings together may take: a GPU of which the first program of the day loads
/// gigabytes of libraries takes half a minute to start.
const TIMEOUT: Duration = Duration::from_secs(300);
/// The exit code of a program that does not understand its arguments.
const USAGE: i32 = 2;
/// What the devices of this host are called in the system.
const DEVICES: &str = "/dev";
const HEADS: [&str; 8] = [
    "DEVICE",
    "ENGINE",
    "SECONDS",
    "PER EPOCH",
    "VAL. LOSS",
    "DIFFERENCE",
    "MEMORY",
    "NAME",
];

/// Compares the devices of this host; the exit code is 1 if one of them cannot be used.
///
/// # Errors
/// Never: everything that is wrong is a check that failed.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let trainer = binary(&binaries_folder(&context.environment), Service::Trainer);
    context.output.note(
        "Training one example on every device of this host; with GPUs this may take a minute",
    );

    let host_gpus = count_host_gpus(Path::new(DEVICES));
    let report = match run_trainer(&trainer).await {
        Ok(output) => DeviceReport::of(&output, host_gpus),
        Err(check) => DeviceReport::without_runs(check),
    };
    report.show(context);

    Ok(match any_bad(&report.checks) {
        true => Exit::Failed,
        false => Exit::Done,
    })
}

/// Runs the trainer to its end.
async fn run_trainer(trainer: &Path) -> Result<Output, Check> {
    if !trainer.is_file() {
        let detail = format!("there is no {}", trainer.display());
        let hint = "`make build` makes one for the CPU, `make trainer` one with libtorch";
        return Err(Check::bad("trainer", detail, hint));
    }

    // A driver that hangs does not keep this command: the timeout drops the trainer and ends it.
    let run = tokio::process::Command::new(trainer)
        .arg(CHECK_DEVICES)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(TIMEOUT, run).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(Check::bad("trainer", error.to_string(), "make trainer")),
        Err(_) => {
            let detail = format!("no answer within {} s", TIMEOUT.as_secs());
            let hint = "a driver may hang: try `nvidia-smi`, and start the host again";
            Err(Check::bad("trainer", detail, hint))
        }
    }
}

/// GPUs for which the driver has made a device, such as `/dev/nvidia0`.
fn count_host_gpus(devices: &Path) -> usize {
    let entries = std::fs::read_dir(devices).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| is_gpu(name)).count()
}

fn is_gpu(name: &str) -> bool {
    let number = name.strip_prefix("nvidia").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// What came of all devices.
struct DeviceReport {
    checks: Vec<Check>,
    runs: Vec<DeviceRun>,
}

impl DeviceReport {
    fn without_runs(check: Check) -> Self {
        Self {
            checks: vec![check],
            runs: Vec::new(),
        }
    }

    /// What the lines of the trainer say. Those that it wrote before it crashed count.
    fn of(output: &Output, host_gpus: usize) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let Some(DeviceCheckLine::Trainer(trainer)) = lines.next() else {
            return Self::without_runs(no_answer(output));
        };

        let runs = compare_runs(lines);
        let mut checks = vec![
            Check::ok("trainer", describe_trainer(&trainer)),
            judge_gpus(&trainer, host_gpus),
        ];
        checks.extend(judge_runs(&runs));
        if !output.status.success() {
            checks.push(crash(output, &runs));
        }
        Self { checks, runs }
    }

    fn show(&self, context: &Context) {
        let output = &context.output;
        let runs: Vec<Value> = self.runs.iter().map(DeviceRun::json).collect();
        output.json(&json!({
            "type": "doctor",
            "checks": self.checks,
            "devices": runs,
        }));

        if !self.runs.is_empty() {
            let rows: Vec<Vec<String>> = self.runs.iter().map(DeviceRun::row).collect();
            output.table_with_remarks(&HEADS, &rows);
            output.line("");
        }
        for check in &self.checks {
            check.print(output);
        }
    }
}

fn describe_trainer(trainer: &CheckedTrainer) -> String {
    let version = &trainer.version;
    match &trainer.libtorch {
        Some(libtorch) => format!("version {version}, in plain Rust and in libtorch {libtorch}"),
        None => format!("version {version}, in plain Rust"),
    }
}

/// Why a trainer printed nothing that can be read.
fn no_answer(output: &Output) -> Check {
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.code() == Some(USAGE) {
        let detail = "this trainer is of another version: it cannot check its devices";
        return Check::bad("trainer", detail, "build it again: make trainer");
    }

    // Only a library that is not found keeps a program from printing anything.
    let detail = format!("the trainer does not start ({}): {error}", output.status);
    let hint = "it may not find its libtorch: make trainer, or make build for one without";
    Check::bad("trainer", detail, hint)
}

/// The fault of a trainer that ended in the middle, as a driver can make it.
fn crash(output: &Output, runs: &[DeviceRun]) -> Check {
    let last = match runs.last() {
        Some(run) => format!("after {} {}", run.device(), run.engine()),
        None => "before the first training".to_owned(),
    };
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();

    let detail = format!("the trainer ended {last} ({}): {error}", output.status);
    let hint = "look at the driver with `nvidia-smi` and `dmesg`; until it works, set [trainer] \
                device to cpu";
    Check::bad("devices", detail.trim_end_matches(": "), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_counted_by_the_devices_of_the_driver() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidia12", "nvidiactl", "nvidia-uvm", "null"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }

        assert_eq!(count_host_gpus(folder.path()), 2);
        assert_eq!(count_host_gpus(Path::new("/absent")), 0);
    }
}
