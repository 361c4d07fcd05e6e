//! Logs and spans: one subscriber per process, to standard error; one span per step, its field
//! names written only here.

use std::borrow::Cow;
use std::io::IsTerminal;

use schemas::codes::{self, Advice, Code};
use schemas::ids::{OperationId, StepNumber};
use schemas::trace;
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, LogSettings};

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("log.filter `{filter}` is not valid")]
    Filter {
        /// The text of the setting.
        filter: String,
        /// The directive that cannot be read.
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is a subscriber already.
    #[error("logging was set up twice")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Advice for TelemetryError {
    fn code(&self) -> Code {
        codes::CONFIG_LOG
    }

    fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Filter { .. } => "write it like info,runtime=debug",
            Self::Twice(_) => "call telemetry::init once, first thing in main",
        })
    }
}

/// Sends the logs of this process to standard error; colours only on a terminal.
///
/// # Errors
/// The filter is not valid, or this was called before.
pub fn init(log: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|source| TelemetryError::Filter {
        filter: log.filter.clone(),
        source,
    })?;

    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line that cannot be written, as on a full disk, would end the task that logs it.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);

    // JSON is one flat object per line, with the span's operation, step and attempt in it.
    let result = match log.format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .try_init(),
    };

    result.map_err(TelemetryError::Twice)
}

/// The span of one attempt at a step: whatever is logged inside carries its four fields, of which
/// the last is the trace of the operation, as a tracing backend has it.
pub fn step_span(operation: &OperationId, step: StepNumber, attempt: u32) -> tracing::Span {
    let trace_id = format!("{:032x}", trace::trace_id(operation));
    tracing::info_span!("step", %operation, %step, attempt, %trace_id)
}
