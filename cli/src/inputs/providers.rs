//! The providers of bars, as the fetcher of this command's system opens them.

use std::path::Path;

use fetcher::FetcherSettings;
use fetcher::provider::{FailureClass, ProviderError};
use fetcher::providers::Providers;
use schemas::ids::Service;

use crate::console::{Exit, Failure};
use crate::context::Context;

/// The providers with the fetcher's settings, its folder of files taken from where it runs.
///
/// # Errors
/// A setting is wrong.
pub(crate) fn open_providers(context: &Context) -> Result<Providers, Failure> {
    let mut settings: FetcherSettings = context.service_settings(Service::Fetcher)?;

    if !settings.files.contains("://") {
        let folder = context.system_directory()?.join(Path::new(&settings.files));
        settings.files = folder.display().to_string();
    }
    Ok(Providers::new(settings))
}

/// How a command ends when a provider cannot answer.
pub(crate) fn provider_failure(error: &ProviderError) -> Failure {
    let exit = match error.class() {
        FailureClass::Request => Exit::Usage,
        FailureClass::UnknownSymbol | FailureClass::NoData => Exit::NotFound,
        _ => Exit::Failed,
    };
    Failure::advised(exit, error)
}
