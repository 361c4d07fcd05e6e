//! The process of the processor.

use std::process::ExitCode;

use processor::Processor;
use runtime::settings::NoSettings;
use schemas::ids::Service;

fn main() -> ExitCode {
    runtime::run::<NoSettings, _>(Service::Processor, "Builds data sets from stored bars and strategies", |start| {
        Ok((Processor, start))
    })
}
