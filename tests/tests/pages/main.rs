//! Runs the tours of the README as a reader would, and compares what the screen shows. A binary
//! apart from the promises: it needs the programs themselves, the trainer among them, and only the
//! server of the sandbox.

#[cfg(test)]
mod archives;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod comparison;
#[cfg(test)]
mod console;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod gpu_hosts;
#[cfg(test)]
mod images;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod tours;
#[cfg(test)]
mod traces;
