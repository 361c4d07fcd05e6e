//! The typed commands of every service, with what each records as its outcome, and the requests that make plans of them.

pub mod dummy;

pub use dummy::{DummyOutcome, RunDummy};
