//! The process of the dummy service.

use std::process::ExitCode;

use dummy::Dummy;
use runtime::settings::NoSettings;
use schemas::ids::Service;

fn main() -> ExitCode {
    runtime::run::<NoSettings, _>(
        Service::Dummy,
        "Works through iterations: the reference service",
        |start| Ok((Dummy, start)),
    )
}
