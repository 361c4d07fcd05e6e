//! Typed access to NATS: connect, declare streams, submit, follow, cancel, operation records.
//! Nobody else links `async-nats`.

mod active;
mod backlog;
mod backup;
mod backup_error;
mod buckets;
mod cancels;
mod commands;
mod connect;
mod connection;
mod dead_letters;
mod drift;
mod election;
mod error;
mod events;
mod families;
mod follow;
mod handles;
mod headers;
pub mod identity;
mod infra;
mod leases;
mod link;
mod listing;
mod memos;
mod news;
mod operations;
mod progress;
mod queue;
mod recent;
mod replay;
mod schedules;
mod server_clock;
mod services;
mod signs_of_life;
mod stored;
mod stream_info;
mod stream_snapshot;
mod submit;
mod submit_error;
mod tap;
mod timing;
mod timings;
pub mod topology;
mod undeliverable;
mod workers;

pub use backlog::{QueueDepth, QueueView};
pub use backup::{
    BACKUP_VERSION, Backup, BackupManifest, MANIFEST_FILE, Restored, SavedStream, saved_streams,
};
pub use backup_error::BackupError;
pub use cancels::{
    CancelAsk, CancelRequest, ControlMessage, ControlWatch, StoredCancel, StoredCancels,
};
pub use commands::Published;
pub use connect::{Bus, ConnectOptions, REQUEST_TIMEOUT, SERVER_VERSION_MIN, TlsFiles};
pub use dead_letters::StoredLetter;
pub use drift::Drift;
pub use error::{BusError, Cause};
pub use follow::{FollowOptions, Update};
pub use handles::{
    Active, Cancels, Commands, Connection, DeadLetters, Events, Infra, Leases, Memos, Operations,
    Progress, Schedules, Services, Workers,
};
pub use infra::Applied;
pub use leases::Lease;
pub use listing::{OperationFilter, OperationPage};
pub use memos::StoredMemo;
pub use news::{News, OperationNews};
pub use operations::{ChangeError, Changed, Stored};
pub use queue::{Delivered, Queues, Slot};
pub use replay::StoredMessage;
pub use schedules::StoredSchedule;
pub use server_clock::ServerClock;
pub use services::{Answer, Answers, Endpoint, ServiceDescription};
pub use stored::StreamState;
pub use stream_snapshot::SnapshotHead;
pub use submit_error::{ResumeError, SubmitError};
pub use tap::{OperationChange, TappedMessage};
pub use timing::{Profile, Timing, UnknownProfile};
pub use timings::TimingKey;
