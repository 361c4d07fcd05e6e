//! The specifications of the crate `fetcher`, in one binary.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod fetching;
#[cfg(test)]
mod finer_bars;
#[cfg(test)]
mod named_calendars;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod scripted;
