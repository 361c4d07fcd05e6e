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
            Ok((Fetcher::new(start.settings.service.own.clone()), start))
        },
    )
}
