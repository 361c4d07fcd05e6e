//! The process of the validator.

use std::process::ExitCode;

use runtime::settings::NoSettings;
use schemas::ids::Service;
use validator::Validator;

fn main() -> ExitCode {
    runtime::run::<NoSettings, _>(
        Service::Validator,
        "Checks the quality of stored bars",
        |start| Ok((Validator, start)),
    )
}
