//! The family service: a list of operations in, their ends out.
//!
//! Consumes `family.spread` ([`schemas::commands::Spread`]). The step makes the operations of its
//! list as children of its own operation, a limited number at a time, and ends when all of them
//! have ended. It computes nothing: the children are ordinary operations that other services carry
//! out.
//!
//! A child's id is a function of the parent's id and of its place in the list, and the child's
//! record is the only truth about it. So whoever takes over a step looks at the records, submits
//! what is not there and waits for the rest; there is no counter that a crash could leave wrong.
//!
//! | Failure | What happens |
//! |---|---|
//! | killed at any point | the next attempt finds the children by their ids |
//! | a child fails | the others run on, or are cancelled, as the command says; the step fails and names it |
//! | a child cannot be dealt with, such as one whose record is damaged | it counts as failed |
//! | server or store are away | the child is looked at again, until they are back |
//! | the parent is cancelled | its request counts for every child; those that nobody holds are cancelled here at once |
//! | the parent is resumed | children that are not completed are resumed or submitted |
//!
//! Deliberately absent: results of children put together, and an order among the children of one
//! step; what comes later is a later step of the parent.

mod child;
mod handler;
mod listed;
mod roster;

pub use handler::Family;

/// Parents that one process waits for at a time, at least.
pub const PARENTS_AT_ONCE: u16 = 16;
