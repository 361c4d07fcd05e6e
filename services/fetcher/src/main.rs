//! The process of the fetcher.

use std::process::ExitCode;

use fetcher::{Fetcher, FetcherSettings};
use schemas::ids::Service;

fn main() -> ExitCode {
    runtime::run::<FetcherSettings, _>(
        Service::Fetcher,
        "Fetches bars from providers into the store",
        |mut start| {
            start.options.housekeeping = true;
            let settings = start.settings.service.own.clone();
            let memory = runtime::shared_memory::on_bus(&start.bus);
            Ok((Fetcher::with_memory(settings, memory), start))
        },
    )
}
