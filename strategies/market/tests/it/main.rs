//! The specifications of the crate `market`, in one binary.

#[cfg(test)]
mod calendar_hours;
#[cfg(test)]
mod error_messages;
#[cfg(test)]
mod grid_rules;
#[cfg(test)]
mod identity;
