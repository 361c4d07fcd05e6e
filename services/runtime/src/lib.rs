//! What every service shares: the loop around a step handler, progress, stop, drain, housekeeping,
//! settings, telemetry.

mod announce;
mod attempt;
mod cancel;
mod claim;
mod conclusion;
mod delivery;
mod device_gauge;
mod durations;
mod estimate;
mod handler;
mod health;
mod host_faults;
mod housekeeping;
mod presence;
pub mod probe;
mod process;
mod progress_slot;
mod received_command;
mod renewals;
mod reporter;
pub mod service_args;
pub mod settings;
pub mod shared_memory;
mod step_context;
mod step_error;
mod stop;
pub mod telemetry;
mod ticks;
mod unheld;
mod worker;
mod worker_context;

pub use bus::{Answer, Endpoint};
pub use device_gauge::DeviceGauge;
pub use handler::StepHandler;
pub use housekeeping::run_housekeeper;
pub use process::{Fatal, Start, run};
pub use progress_slot::ProgressSlot;
pub use reporter::StepReporter;
pub use schemas::retries::{RetryClass, RetryPolicy};
pub use shared_memory::{Memo, MemoryAway, OwnMemory, SharedMemory};
pub use step_context::{StepContext, StoredResult};
pub use step_error::StepError;
pub use stop::{StopReason, StopToken};
pub use unheld::{CancelledUnheld, UnheldError, cancel_unheld};
pub use worker::{WorkerError, WorkerOptions, serve, worker_id};
