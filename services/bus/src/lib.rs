//! Typed access to NATS: connect, declare streams, submit, follow, cancel, operation records. Nobody else links `async-nats`.

mod apply;
mod commands;
mod connect;
mod control;
mod error;
mod handles;
mod leases;
mod presence;
mod publish;
mod queue;
mod records;
mod timing;
pub mod topology;

pub use apply::Applied;
pub use commands::{Published, ResumeError, SubmitError};
pub use connect::{Bus, ConnectOptions, REQUEST_TIMEOUT, SERVER_VERSION_MIN};
pub use control::{CancelRequest, ControlWatch};
pub use error::{BusError, Cause};
pub use leases::Lease;
pub use queue::{Delivered, Queue};
pub use records::{ChangeError, Changed, Stored};
pub use timing::{Profile, Timing, UnknownProfile};
