//! The eyes on a fleet: what a real process counts and says of itself, read as Prometheus reads it.

#[cfg(test)]
mod exposition;
#[cfg(test)]
mod log_lines;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod promtool;
#[cfg(test)]
mod watched;
