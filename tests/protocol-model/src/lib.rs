//! A state model of the protocol of operations, and a search through all of its states.
//!
//! The records of the model are real ones, and every change of them is made by the transitions of
//! `schemas`, so that a change of those rules is checked here. What `bus`, `runtime` and `family`
//! do around them is modelled by hand, one access to the bus at a time: [`Model`] says in which
//! order, and between any two of them a worker, the housekeeper or a client may die.
//!
//! `docs/protocol.md` has the states, the rules and the figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a model that is wrong may panic"
)]

pub mod change;
pub mod checker;
mod conclude;
mod family;
mod housekeeper;
mod ledger;
mod model;
mod people;
mod queue;
pub mod rules;
pub mod trace;
mod work;
mod world;

pub use ledger::Flaw;
pub use model::{
    CHILDREN_FIRST, EVERY_END_ANNOUNCED, Model, NO_WORK_AFTER_CANCEL, ONE_END_EVENT, ONE_WRITER,
    Setup, Shape,
};
pub use world::{Chances, World};
