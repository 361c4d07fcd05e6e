//! What the command line logs: errors only, unless asked for more; `KTRDR_LOG` and the settings
//! decide in detail.

use runtime::settings::LogSettings;
use runtime::telemetry;

use super::{Exit, Failure};

/// Starts logging to standard error. Every `-v` says more. Without it the filter of `log` is used
/// if somebody chose it (`filter_is_set`): the default is that of a service and too much for a
/// command.
pub(crate) fn start_logging(
    log: &LogSettings,
    filter_is_set: bool,
    verbose: u8,
) -> Result<(), Failure> {
    let filter = match verbose {
        0 if filter_is_set => log.filter.clone(),
        0 => "error".to_owned(),
        1 => "info,async_nats=warn".to_owned(),
        2 => "debug,async_nats=info".to_owned(),
        _ => "trace".to_owned(),
    };

    let log = LogSettings {
        filter,
        ..log.clone()
    };
    telemetry::init(&log).map_err(|error| Failure::advised(Exit::Usage, &error))
}
