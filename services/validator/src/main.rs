//! The process of the validator.

use std::process::ExitCode;

use runtime::{Fatal, Start};
use schemas::ids::Service;
use validator::{Validator, ValidatorSettings};

fn main() -> ExitCode {
    runtime::run(
        Service::Validator,
        "Checks the quality of stored bars",
        build_validator,
    )
}

/// Takes the thresholds, and refuses those that mean nothing.
fn build_validator(
    start: Start<ValidatorSettings>,
) -> Result<(Validator, Start<ValidatorSettings>), Fatal> {
    let rules = start.settings.service.own.rules.clone();
    rules
        .check()
        .map_err(|error| Fatal::new(&error, error.hint()))?;
    Ok((Validator::new(rules), start))
}
