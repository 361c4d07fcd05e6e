//! The specifications of the crate `fetcher`, in one binary.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod at_once;
#[cfg(test)]
mod failing;
#[cfg(test)]
mod fake_exchange;
#[cfg(test)]
mod fetching;
#[cfg(test)]
mod finer_bars;
#[cfg(test)]
mod following;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod holes;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod ib;
#[cfg(test)]
mod named_calendars;
#[cfg(test)]
mod numbers;
#[cfg(test)]
mod pacing;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod sample_provider;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod shared_limits;
#[cfg(test)]
mod staged;
#[cfg(test)]
mod time_left;
#[cfg(test)]
mod yahoo;
