//! What the trainings of one example say about the devices: values in, checks out.

use schemas::device_check::{CheckedTrainer, DeviceCheckLine, FailedExample, TrainedExample};
use serde_json::{Value, json};

use super::super::check::Check;
use crate::console::{count_of, gibibytes};

/// How far a validation loss may be from that of the CPU, relative to it.
const DIFFERENCE_MAX: f64 = 0.05;
/// One training, compared with the first one.
pub(super) enum DeviceRun {
    Trained {
        example: TrainedExample,
        /// Distance from the loss of the first training, relative to it.
        difference: f64,
    },
    Failed(FailedExample),
}

/// The trainings, each compared with the first one that ended well: that of plain Rust on the CPU.
pub(super) fn compare_runs(lines: impl Iterator<Item = DeviceCheckLine>) -> Vec<DeviceRun> {
    let mut reference = None;
    let mut runs = Vec::new();

    for line in lines {
        match line {
            DeviceCheckLine::Trained(example) => {
                let loss = example.validation_loss;
                let first = *reference.get_or_insert(loss);
                runs.push(DeviceRun::Trained {
                    difference: (loss - first).abs() / first,
                    example,
                });
            }
            DeviceCheckLine::Failed(failure) => runs.push(DeviceRun::Failed(failure)),
            DeviceCheckLine::Trainer(_) | DeviceCheckLine::Other => {}
        }
    }
    runs
}

impl DeviceRun {
    pub(super) fn device(&self) -> &str {
        match self {
            Self::Trained { example, .. } => &example.device,
            Self::Failed(failure) => &failure.device,
        }
    }

    pub(super) fn engine(&self) -> &str {
        match self {
            Self::Trained { example, .. } => &example.engine,
            Self::Failed(failure) => &failure.engine,
        }
    }

    pub(super) fn row(&self) -> Vec<String> {
        let dash = || "-".to_owned();
        let mut row = vec![self.device().to_owned(), self.engine().to_owned()];

        match self {
            Self::Trained {
                example,
                difference,
            } => row.extend([
                format!("{:.2}", example.seconds),
                format!("{:.4}", example.epoch_seconds),
                format!("{:.5}", example.validation_loss),
                percent(*difference),
                example.memory_used_bytes.map_or_else(dash, memory_text),
                example.name.clone().unwrap_or_else(dash),
            ]),
            Self::Failed(failure) => {
                row.extend(std::iter::repeat_with(dash).take(5));
                row.push(format!("failed: {}", failure.error));
            }
        }
        row
    }

    /// The line of the trainer, with the difference.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Trained {
                example,
                difference,
            } => json!({
                "device": example.device,
                "engine": example.engine,
                "name": example.name,
                "epochs": example.epochs,
                "seconds": example.seconds,
                "epoch_seconds": example.epoch_seconds,
                "validation_loss": example.validation_loss,
                "difference": difference,
                "memory_used_bytes": example.memory_used_bytes,
            }),
            Self::Failed(failure) => json!({
                "device": failure.device,
                "engine": failure.engine,
                "error": failure.error,
            }),
        }
    }

    /// The fault of a device that failed, or that computes something else than the CPU.
    fn fault(&self) -> Option<Check> {
        let device = self.device();
        let engine = self.engine();

        match self {
            Self::Failed(failure) => {
                let detail = format!("{device} {engine}: {}", failure.error);
                Some(Check::bad("devices", detail, &hint_of(device)))
            }
            Self::Trained { difference, .. } if is_close(*difference) => None,
            Self::Trained {
                example,
                difference,
            } => {
                let detail = format!(
                    "{device} {engine} ends at a validation loss of {:.5}, {} from that of the \
                     CPU: at most {:.0} % is allowed",
                    example.validation_loss,
                    percent(*difference),
                    100.0 * DIFFERENCE_MAX
                );
                Some(Check::bad("devices", detail, &hint_of(device)))
            }
        }
    }
}

/// False for a difference that is not a number, too.
fn is_close(difference: f64) -> bool {
    difference <= DIFFERENCE_MAX
}

/// What to do with a device that cannot be trusted.
fn hint_of(device: &str) -> String {
    match device {
        "cpu" => "this build computes wrongly on the CPU: build it again with `make trainer`, and \
                  run `cargo test -p trainer --features libtorch`"
            .to_owned(),
        gpu => format!(
            "train elsewhere until {gpu} agrees: set [trainer] device to another GPU or to cpu; \
             `nvidia-smi -q` shows its driver, its errors and who uses it"
        ),
    }
}

/// The faults of the trainings, or what they have in common.
pub(super) fn judge_runs(runs: &[DeviceRun]) -> Vec<Check> {
    let faults: Vec<Check> = runs.iter().filter_map(DeviceRun::fault).collect();
    if !faults.is_empty() {
        return faults;
    }

    let differences = runs.iter().map(|run| match run {
        DeviceRun::Trained { difference, .. } => *difference,
        DeviceRun::Failed(_) => f64::NAN,
    });
    let largest = differences.fold(0.0, f64::max);
    vec![match runs.len() {
        0 => Check::bad(
            "devices",
            "no device trained the example",
            "build the trainer again: make trainer",
        ),
        1 => Check::ok(
            "devices",
            "the CPU trains in plain Rust; there is no other training to compare it with",
        ),
        count => {
            let detail = format!(
                "{} agree; the largest difference of their validation losses: {}",
                count_of(count, "training"),
                percent(largest)
            );
            Check::ok("devices", detail)
        }
    }]
}

/// Whether the trainer can use the GPUs of the host.
pub(super) fn judge_gpus(trainer: &CheckedTrainer, host_gpus: usize) -> Check {
    let usable = trainer.gpus as usize;
    if usable > 0 {
        let detail = format!("libtorch finds {}", count_of(usable, "GPU"));
        return Check::ok("gpus", detail);
    }

    let reason = match &trainer.libtorch {
        Some(_) => "the libtorch of the trainer finds no GPU",
        None => "the trainer is built without libtorch, which GPUs need",
    };
    match host_gpus {
        0 => Check::note(
            "gpus",
            format!("{reason}; this host shows none"),
            "on a host with a GPU, `infra/setup libtorch --cuda`, `make trainer` and `ktrdr doctor \
             --gpu` prove what it computes",
        ),
        count => Check::bad(
            "gpus",
            format!("this host has {}, but {reason}", count_of(count, "GPU")),
            "`nvidia-smi` must list the GPU with CUDA 13 or newer; then `infra/setup libtorch \
             --cuda`, `make trainer`, and this command again",
        ),
    }
}

/// `0.12 %`, `12.5 %`; what rounding explains is `< 0.01 %`.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent == 0.0 {
        "0 %".to_owned()
    } else if percent < 0.01 {
        "< 0.01 %".to_owned()
    } else if percent < 10.0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1} %")
    }
}

fn memory_text(bytes: u64) -> String {
    format!("{:.1} GiB", gibibytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::super::check::Verdict;
    use super::*;

    fn trained(device: &str, validation_loss: f64) -> DeviceCheckLine {
        DeviceCheckLine::Trained(TrainedExample {
            device: device.to_owned(),
            engine: "libtorch".to_owned(),
            name: None,
            epochs: 5,
            seconds: 1.0,
            epoch_seconds: 0.1,
            validation_loss,
            memory_used_bytes: None,
        })
    }

    fn judge(lines: &[DeviceCheckLine]) -> Vec<Check> {
        judge_runs(&compare_runs(lines.iter().cloned()))
    }

    fn trainer(libtorch: Option<&str>, gpus: u32) -> CheckedTrainer {
        CheckedTrainer {
            version: "0.1.0".to_owned(),
            libtorch: libtorch.map(str::to_owned),
            gpus,
        }
    }

    #[test]
    fn devices_agree_within_a_twentieth_of_the_first() {
        // 0.2 · 1.05 = 0.21; 0.2 · 0.95 = 0.19.
        let checks = judge(&[
            trained("cpu", 0.2),
            trained("cuda:0", 0.2099),
            trained("cuda:1", 0.1901),
        ]);
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].verdict, Verdict::Ok);

        let checks = judge(&[
            trained("cpu", 0.2),
            trained("cuda:0", 0.2101),
            trained("cuda:1", 0.1899),
        ]);
        assert_eq!(checks.len(), 2);
        assert!(checks.iter().all(|check| check.verdict == Verdict::Bad));
    }

    #[test]
    fn a_loss_that_is_not_a_number_is_a_fault() {
        let checks = judge(&[trained("cpu", 0.2), trained("cuda:0", f64::NAN)]);

        assert_eq!(checks[0].verdict, Verdict::Bad);
    }

    #[test]
    fn a_host_without_a_gpu_is_a_note() {
        let check = judge_gpus(&trainer(Some("2.13.0"), 0), 0);
        assert_eq!(check.verdict, Verdict::Note);

        let check = judge_gpus(&trainer(None, 0), 0);
        insta::assert_json_snapshot!(check, @r#"
        {
          "name": "gpus",
          "verdict": "note",
          "detail": "the trainer is built without libtorch, which GPUs need; this host shows none",
          "hint": "on a host with a GPU, `infra/setup libtorch --cuda`, `make trainer` and `ktrdr doctor --gpu` prove what it computes"
        }
        "#);
    }

    #[test]
    fn a_gpu_that_the_trainer_does_not_use_is_a_fault() {
        assert_eq!(
            judge_gpus(&trainer(Some("2.13.0"), 2), 2).verdict,
            Verdict::Ok
        );
        assert_eq!(judge_gpus(&trainer(None, 0), 1).verdict, Verdict::Bad);

        let check = judge_gpus(&trainer(Some("2.13.0"), 0), 1);
        insta::assert_json_snapshot!(check, @r#"
        {
          "name": "gpus",
          "verdict": "bad",
          "detail": "this host has 1 GPU, but the libtorch of the trainer finds no GPU",
          "hint": "`nvidia-smi` must list the GPU with CUDA 13 or newer; then `infra/setup libtorch --cuda`, `make trainer`, and this command again"
        }
        "#);
    }

    #[test]
    fn differences_are_shown_as_far_as_they_say_something() {
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(6.7e-8), "< 0.01 %");
        assert_eq!(percent(0.0123), "1.23 %");
        assert_eq!(percent(0.125), "12.5 %");
    }
}
