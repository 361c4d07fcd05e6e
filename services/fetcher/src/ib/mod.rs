//! The provider `ib`: bars of Interactive Brokers, from a TWS or a Gateway that runs beside it.
//!
//! [`codes`], [`request_size`], [`pacing`] and [`contracts`] decide, values in, values out;
//! `session` keeps the one connection of a process; [`provider`] asks.

mod answers;
mod asking;
pub mod codes;
pub mod contracts;
pub mod error;
pub mod link;
mod listings;
mod memory;
pub mod pacing;
pub mod provider;
pub mod request_size;
mod session;
pub mod settings;
