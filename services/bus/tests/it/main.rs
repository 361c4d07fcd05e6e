//! Tests of the bus on a real server, linked once.

#[cfg(test)]
mod follow;
#[cfg(test)]
mod server;
#[cfg(test)]
mod topology;
