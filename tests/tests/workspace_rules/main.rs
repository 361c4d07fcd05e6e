//! House rules that a machine can check. A binary apart from the promises: it reads files and
//! needs no server.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod checkout;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod dependency_purposes;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod limits_table;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod prose;
#[cfg(test)]
mod repetition;
