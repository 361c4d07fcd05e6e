//! Tests of the bus on a real server, linked once.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod permissions_page;
#[cfg(test)]
mod retention_page;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod topology;
