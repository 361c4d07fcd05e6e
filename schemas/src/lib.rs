//! The contract between processes: ids, subjects, codec, commands, events, operations, plans,
//! progress, errors, manifests. No I/O.

pub mod acts;
pub mod analytics;
pub mod codec;
pub mod codes;
pub mod command;
pub mod commands;
pub mod decision_report;
pub mod delivery;
pub mod device_check;
pub mod edge;
pub mod errors;
pub mod events;
pub mod gaps;
pub mod ids;
pub mod manifests;
pub mod messages;
pub mod metrics;
pub mod names;
pub mod operation;
pub mod pacing;
pub mod plan;
pub mod progress;
pub mod queries;
pub mod requests;
pub mod retries;
pub mod schedules;
pub mod spelling;
pub mod subjects;
pub mod sweep;
pub mod timings;
pub mod trace;
pub mod training;
pub mod work_done;
pub mod worker;
