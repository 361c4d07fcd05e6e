//! The process of the registry.

use std::process::ExitCode;

use registry::{Registry, endpoints};
use runtime::settings::NoSettings;
use schemas::ids::Service;

fn main() -> ExitCode {
    runtime::run::<NoSettings, _>(
        Service::Registry,
        "Names and versions models, and answers about them",
        |mut start| {
            start.options.endpoints = endpoints(&start.store);
            start.options.housekeeping = true;
            Ok((Registry, start))
        },
    )
}
