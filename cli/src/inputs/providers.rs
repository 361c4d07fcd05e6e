//! The providers of bars, as the fetcher of this command's system opens them.

use std::path::Path;

use fetcher::FetcherSettings;
use fetcher::provider::{FailureClass, ProviderError};
use fetcher::providers::Providers;
use runtime::shared_memory::on_bus;
use schemas::ids::Service;

use crate::console::{Exit, Failure};
use crate::context::Context;

/// The providers with the fetcher's settings, its folder of files taken from where it runs.
///
/// # Errors
/// A setting is wrong.
pub(crate) fn open_providers(context: &Context) -> Result<Providers, Failure> {
    Ok(Providers::new(settings_of(context)?))
}

/// The same, sharing limits and what was learnt with the services, where they have a bus.
///
/// # Errors
/// A setting is wrong.
pub(crate) async fn open_shared_providers(context: &Context) -> Result<Providers, Failure> {
    let settings = settings_of(context)?;

    // Providers are asked without any service as well.
    Ok(match context.bus().await {
        Ok(bus) => Providers::with_memory(settings, on_bus(&bus)),
        Err(_) => Providers::new(settings),
    })
}

fn settings_of(context: &Context) -> Result<FetcherSettings, Failure> {
    let mut settings: FetcherSettings = context.service_settings(Service::Fetcher)?;

    if !settings.files.contains("://") {
        let folder = context.system_directory()?.join(Path::new(&settings.files));
        settings.files = folder.display().to_string();
    }
    Ok(settings)
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
