//! runtime: what every service shares: settings, telemetry, and the loop around a step handler.

pub mod service_args;
pub mod settings;
pub mod telemetry;
