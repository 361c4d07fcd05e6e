//! Specifications of the contract, one module per subject.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod error_codes_page;
#[cfg(test)]
mod forged_records;
#[cfg(test)]
mod largest_record;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod message_fuzz;
#[cfg(test)]
mod progress_page;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod transitions;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod wire;
