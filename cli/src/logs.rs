//! What the command line logs: errors only, unless asked for more; `KTRDR_LOG` and the settings
//! decide in detail.

use runtime::settings::{LogSettings, Origin};
use runtime::telemetry;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Starts logging to standard error. Every `-v` says more; a filter that was set wins over the
/// default.
pub fn init(context: &Context, verbose: u8) -> Result<(), Failure> {
    let log = &context.settings().log;
    let set = context
        .settled
        .settings
        .iter()
        .any(|each| each.key == "log.filter" && each.origin != Origin::Default);
    let filter = match verbose {
        0 if set => log.filter.clone(),
        0 => "error".to_owned(),
        1 => "info,async_nats=warn".to_owned(),
        2 => "debug,async_nats=info".to_owned(),
        _ => "trace".to_owned(),
    };
    let log = LogSettings {
        filter,
        ..log.clone()
    };
    telemetry::init(&log)
        .map_err(|error| Failure::of(Exit::Usage, "CONFIG-Log", &error).with_hint(error.hint()))
}
