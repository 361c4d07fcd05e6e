//! The specifications of what the system promises, each on a real NATS server of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that fails may panic"
)]

mod cancel;
mod chaos;
mod commands;
mod crashes;
mod data;
mod followers;
mod leaving;
mod permissions;
mod protocol_crashes;
mod queues;
mod resume;
mod retries;
mod startup;
