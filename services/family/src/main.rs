//! The process of the family service.

use std::process::ExitCode;

use family::{Family, PARENTS_AT_ONCE};
use runtime::settings::NoSettings;
use schemas::ids::Service;

fn main() -> ExitCode {
    runtime::run::<NoSettings, _>(
        Service::Family,
        "Starts the children of operations, and waits for their ends",
        |mut start| {
            start.options.housekeeping = true;
            // A parent only waits, so that one at a time would keep the others from their start.
            start.options.slots = start.options.slots.max(PARENTS_AT_ONCE);
            Ok((Family::new(start.bus.clone()), start))
        },
    )
}
