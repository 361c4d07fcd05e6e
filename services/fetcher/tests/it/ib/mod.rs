//! The provider `ib`: its decisions, and its talk with a fake TWS.

mod codes;
mod connection;
mod contracts;
mod desk;
mod failures;
mod pacing;
mod request_size;
mod series;
