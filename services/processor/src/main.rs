//! The process of the processor.

use std::process::ExitCode;

use processor::{Processor, ProcessorSettings};
use schemas::ids::Service;

fn main() -> ExitCode {
    runtime::run::<ProcessorSettings, _>(
        Service::Processor,
        "Builds data sets from stored bars and strategies",
        |start| Ok((Processor::new(start.settings.service.own.clone()), start)),
    )
}
