//! The provider `ib`: its decisions, and its talk with a fake TWS.

mod codes;
mod connection;
mod contracts;
mod desk;
mod failures;
mod loading;
mod pacing;
mod page;
mod request_size;
mod restarts;
mod series;
