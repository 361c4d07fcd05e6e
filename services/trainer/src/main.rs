//! The process of the trainer.

use std::process::ExitCode;

use runtime::settings::NoSettings;
use schemas::{ids::Service, progress::Device};
use trainer::{Trainer, uses_gpu};

fn main() -> ExitCode {
    runtime::run::<NoSettings, _>(
        Service::Trainer,
        "Fits networks to data sets",
        |mut start| {
            let gpu = uses_gpu();
            // GPU workers take first from the queue that all trainers share; CPU workers are the
            // spare.
            start.options.priority = if gpu { 0 } else { 5 };
            start.options.device = Some(Device {
                kind: if gpu { "cuda" } else { "cpu" }.to_owned(),
                name: String::new(),
            });
            Ok((Trainer, start))
        },
    )
}
