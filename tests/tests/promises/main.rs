//! The specifications of what the system promises, each on a real NATS server of its own.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod data;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod estimates;
#[cfg(test)]
mod families;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod followers;
#[cfg(test)]
mod forced;
#[cfg(test)]
mod health;
#[cfg(test)]
mod killed_follows;
#[cfg(test)]
mod killed_loads;
#[cfg(test)]
mod latency;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod odd_files;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod protocol_crashes;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod shared_limits;
#[cfg(test)]
mod slow_links;
#[cfg(test)]
mod startup;
#[cfg(test)]
mod traces;
