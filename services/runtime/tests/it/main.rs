//! Specifications of the runtime that need no server.

#[cfg(test)]
mod hot_loop;
#[cfg(test)]
mod settings;
