//! Typed access to NATS: connect, declare streams, submit, follow, cancel, operation records. Nobody else links `async-nats`.

mod connect;
mod error;
mod timing;
pub mod topology;

pub use connect::{Bus, ConnectOptions, REQUEST_TIMEOUT, SERVER_VERSION_MIN};
pub use error::{BusError, Cause};
pub use timing::{Profile, Timing, UnknownProfile};
