//! The process of the fetcher.

use std::process::ExitCode;

use fetcher::follow::FOLLOWED_AT_ONCE;
use fetcher::{Fetcher, FetcherSettings};
use schemas::ids::{Lane, Service};

fn main() -> ExitCode {
    runtime::run::<FetcherSettings, _>(
        Service::Fetcher,
        "Fetches bars from providers into the store",
        |mut start| {
            start.options.housekeeping = true;
            // Following waits most of the time, for days: it takes no slot from the loads.
            let lanes = start.settings.service.lanes.choose(&[Lane::Live]);
            if lanes.contains(&Lane::Live) {
                start.options.live_steps_max = FOLLOWED_AT_ONCE;
            }
            start.options.lanes.retain(|lane| *lane != Lane::Live);

            let settings = start.settings.service.own.clone();
            let memory = runtime::shared_memory::on_bus(&start.bus);
            Ok((Fetcher::with_memory(settings, memory), start))
        },
    )
}
