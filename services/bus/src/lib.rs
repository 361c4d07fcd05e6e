//! Typed access to NATS: connect, declare streams, submit, follow, cancel, operation records.
//! Nobody else links `async-nats`.

mod apply;
mod backlog;
mod commands;
mod connect;
mod control;
mod error;
mod follow;
mod handles;
mod leases;
mod listing;
mod presence;
mod publish;
mod queue;
mod records;
mod replay;
mod services;
mod timing;
pub mod topology;

pub use apply::Applied;
pub use backlog::QueueDepth;
pub use commands::{Published, ResumeError, SubmitError};
pub use connect::{Bus, ConnectOptions, REQUEST_TIMEOUT, SERVER_VERSION_MIN};
pub use control::{CancelRequest, ControlWatch};
pub use error::{BusError, Cause};
pub use follow::{FollowOptions, Update};
pub use leases::Lease;
pub use listing::OperationFilter;
pub use queue::{Delivered, Queue};
pub use records::{ChangeError, Changed, Stored};
pub use services::{Answer, Answers, Endpoint, ServiceDescription};
pub use timing::{Profile, Timing, UnknownProfile};
