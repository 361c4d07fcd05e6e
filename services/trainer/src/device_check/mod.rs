//! `ktrdr-trainer check-devices`: one fixed example, trained on the CPU by each engine of this
//! build and on each GPU that libtorch finds. It needs no bus and no store; `ktrdr doctor --gpu`
//! compares the losses.

mod example;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use schemas::device_check::{CheckedTrainer, DeviceCheckLine, FailedExample, TrainedExample};
use schemas::errors::chain;
use schemas::progress::GpuFacts;

use self::example::Example;
use crate::engine::count_gpus;
use crate::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, GpuGauge, TrainError, TrainState,
    Trained, train,
};

/// Prints a line for the program and one for each training. A device that fails is a line as well:
/// whoever reads them judges.
pub fn check_devices() -> ExitCode {
    match print_lines(&mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is left who reads.
        Err(_) => ExitCode::FAILURE,
    }
}

fn print_lines(out: &mut impl Write) -> io::Result<()> {
    let gpus = count_gpus();
    print(out, &DeviceCheckLine::Trainer(describe_trainer(gpus)))?;

    let example = Example::make();
    for (device, engine) in trainings(gpus) {
        print(out, &train_on(&example, device, engine))?;
    }
    Ok(())
}

/// Flushed, so that the lines of what has ended outlive a driver that ends the process.
fn print(out: &mut impl Write, line: &DeviceCheckLine) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)?;
    out.flush()
}

fn describe_trainer(gpus: usize) -> CheckedTrainer {
    CheckedTrainer {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        libtorch: cfg!(feature = "libtorch").then(|| crate::engine::LIBTORCH_VERSION.to_owned()),
        gpus: u32::try_from(gpus).unwrap_or(u32::MAX),
    }
}

/// The trainings of this build on a host with `gpus`. The first one needs nothing but the CPU: the
/// others are compared with it.
fn trainings(gpus: usize) -> Vec<(ComputeDevice, EngineKind)> {
    let mut trainings = vec![(ComputeDevice::Cpu, EngineKind::Native)];

    if cfg!(feature = "libtorch") {
        trainings.push((ComputeDevice::Cpu, EngineKind::Libtorch));
        let cards = (0..gpus).map(|number| (ComputeDevice::Cuda(number), EngineKind::Libtorch));
        trainings.extend(cards);
    }
    trainings
}

fn train_on(example: &Example, device: ComputeDevice, engine: EngineKind) -> DeviceCheckLine {
    let control = Unattended {
        began: Instant::now(),
    };
    let result = train(&example.job_on(device, engine), &control, None);
    let seconds = control.elapsed().as_secs_f64();

    match result {
        Ok(trained) => {
            // libtorch gives memory back to itself, not to the driver: it still counts here.
            let gpu = GpuGauge::open(device).read();
            DeviceCheckLine::Trained(describe_training(&trained, engine, seconds, gpu))
        }
        Err(error) => DeviceCheckLine::Failed(describe_failure(&error, device, engine)),
    }
}

fn describe_training(
    trained: &Trained,
    engine: EngineKind,
    seconds: f64,
    gpu: Option<GpuFacts>,
) -> TrainedExample {
    let rows = trained.history.iter();
    let best = rows.clone().map(|row| row.validation_loss);
    let fastest = rows.map(|row| row.seconds);

    TrainedExample {
        device: trained.device.clone(),
        engine: engine.to_string(),
        name: gpu.as_ref().map(|facts| facts.model.clone()),
        epochs: trained.history.len() as u32,
        seconds,
        epoch_seconds: fastest.fold(f64::INFINITY, f64::min),
        validation_loss: best.fold(f64::INFINITY, f64::min),
        memory_used_bytes: gpu.map(|facts| facts.memory_used_bytes),
    }
}

fn describe_failure(
    error: &TrainError,
    device: ComputeDevice,
    engine: EngineKind,
) -> FailedExample {
    FailedExample {
        device: device.to_string(),
        engine: engine.to_string(),
        error: chain(error),
    }
}

/// The control of a training that nobody stops and nobody follows.
struct Unattended {
    began: Instant,
}

impl Control for Unattended {
    fn cancelled(&self) -> bool {
        false
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn batch(&self, _: &BatchProgress) {}

    fn epoch(&self, _: &EpochRow) {}

    fn checkpoint(&self, _: TrainState) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gpu_trains_after_the_cpu() {
        let texts: Vec<String> = trainings(2)
            .iter()
            .map(|(device, engine)| format!("{device} {engine}"))
            .collect();

        let expected: &[&str] = if cfg!(feature = "libtorch") {
            &[
                "cpu native",
                "cpu libtorch",
                "cuda:0 libtorch",
                "cuda:1 libtorch",
            ]
        } else {
            &["cpu native"]
        };
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_device_that_fails_is_a_line_with_its_reason() {
        let error = TrainError::Libtorch("CUDA out of memory".into());
        let failed = describe_failure(&error, ComputeDevice::Cuda(1), EngineKind::Libtorch);

        assert_eq!(failed.device, "cuda:1");
        assert_eq!(failed.error, "libtorch failed: CUDA out of memory");
    }
}
