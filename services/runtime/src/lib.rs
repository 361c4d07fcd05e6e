//! What every service shares: the loop around a step handler, progress, stop, drain, housekeeping,
//! settings, telemetry.

mod announce;
mod attempt;
mod handler;
mod housekeeping;
mod presence;
pub mod probe;
mod process;
mod progress_slot;
mod running;
pub mod service_args;
pub mod settings;
mod stop;
pub mod telemetry;
mod worker;

pub use bus::{Answer, Endpoint};
pub use handler::{StepContext, StepError, StepHandler, StoredResult};
pub use housekeeping::keep_house;
pub use process::{Fatal, Start, run};
pub use progress_slot::ProgressSlot;
pub use stop::{StopReason, StopToken};
pub use worker::{WorkerError, WorkerOptions, serve, worker_id};
