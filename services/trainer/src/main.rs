//! The process of the trainer.

use std::process::ExitCode;

use runtime::{Fatal, Start};
use schemas::codes::Advice;
use schemas::device_check::CHECK_DEVICES;
use schemas::ids::Service;
use trainer::{DeviceError, GpuGauge, Trainer, TrainerSettings, check_devices};

/// The first line of its help, by which `ktrdr doctor` knows what it computes with.
const ABOUT: &str = if cfg!(feature = "libtorch") {
    "Fits networks to data sets, in plain Rust or in libtorch"
} else {
    "Fits networks to data sets, in plain Rust"
};
/// Priority of a trainer on a GPU: it takes first from the queue that all trainers share.
const GPU_PRIORITY: usize = 0;
/// Priority of a trainer on a CPU, which is the spare. A lower number goes first.
const CPU_PRIORITY: usize = 5;

fn main() -> ExitCode {
    // The program that will train is the one that is checked.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == CHECK_DEVICES)
    {
        return check_devices();
    }
    runtime::run(Service::Trainer, ABOUT, build_trainer)
}

/// Chooses the device, and refuses work that this device is not meant for.
fn build_trainer(
    mut start: Start<TrainerSettings>,
) -> Result<(Trainer, Start<TrainerSettings>), Fatal> {
    let fatal = |error: DeviceError| Fatal::new(&error, error.hint());

    let device = start
        .settings
        .service
        .own
        .device
        .find_device()
        .map_err(fatal)?;
    let setting = &start.settings.service.lanes;
    let lanes = setting.choose(device.lanes());
    device.check_lanes(&lanes).map_err(fatal)?;
    start.options.lanes = lanes;

    // All trainers share the queue of the default lane: a GPU is asked first.
    start.options.priority = if device.is_gpu() {
        GPU_PRIORITY
    } else {
        CPU_PRIORITY
    };
    start.options.device = Some(device.describe());
    let gauge = GpuGauge::open(device);
    start.options.device_gauge = Some(gauge.clone().into_device_gauge());

    let threads = start.settings.service.own.threads;
    let trainer = Trainer::new(device).with_threads(threads).watching(gauge);
    Ok((trainer, start))
}
