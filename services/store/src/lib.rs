//! Typed access to the object store: series, data sets, checkpoints, artifacts, models, and readers
//! of bar files.
//!
//! The only crate that knows object keys, Parquet and the store's backend. Layout:
//!
//! ```text
//! bars/<provider>/<instrument>/
//!     <what>-<session>-<adjustment>-<day boundary>[-<calendar>]/<timeframe>/
//!     <yyyy>[-<mm>].<sha256>.parquet, manifest.<revision>.json
//! datasets/<hash of inputs>/<sha256>.parquet, manifest.json
//! sealed/<hash of inputs>/<sha256>.parquet
//! checkpoints/<op>/<n>/<attempt>-<seq>/{model.safetensors, …, state.json}
//! artifacts/<sha256>/{model.safetensors, …, manifest.json}
//! models/<name>/<version>/manifest.json      aliases/<name>/<alias>.<revision>.json
//! deletions/<name>/<version>.<revision>.json renames/<name>/name.<revision>.json
//! notes/<name>/<version>.<revision>.json     tags/<name>/<version>.<revision>.json
//! confirmations/<n>.opened.json, <n>.outcome.json
//! reports/<sha256>.json      calendars/<name>.json
//! tenant.json
//! ```
//!
//! Rules that hold everywhere:
//! - An object is created, never overwritten; the name of content is its SHA-256. An object that
//!   exists already under the name of content is verified.
//! - A manifest is written after everything it names and carries a hash of itself, so a reader sees
//!   all or nothing, and a flipped bit anywhere is an error that names the object.
//! - Creating `manifest.<revision + 1>.json` is the compare-and-set of a series; creating a
//!   version's manifest assigns it.
//! - A renamed model stays in the folders of its first name. Reserving the new name, by creating
//!   what would be its version 1, is the rename; everything that was asked for by an old name is
//!   found, and numbered, under the new one.
//! - There is no clock in here: commit times are the caller's.
//!
//! | Failure | State afterwards |
//! |---|---|
//! | killed between objects and manifest | unreachable objects; readers see the state before |
//! | killed after the manifest, before the caller knew | the effect; repeating changes nothing |
//! | two writers | both effects; the later one merged its edit into the earlier one's result |
//! | full disk | [`StoreError::is_full`]; the state before |
//! | flipped bit | [`StoreError::Hash`] or [`StoreError::Form`] with the key |
//! | server away or overloaded | asked again, then [`StoreError::is_transient`]; the state before |
//! | answer of a create lost | asked again; the object that exists is recognised as our own |
//! | bucket absent, key refused | [`StoreError::is_unreachable`]; never taken for an empty store |
//!
//! It deliberately has no locks, no overwriting, and no deleting but of checkpoints, of what
//! [`Store::probe`] writes, and of garbage when somebody asks for it.

mod alias;
mod artifact;
mod backend;
mod calendars;
mod chain;
mod checkpoint;
mod confirmation;
mod data_set;
mod deletion;
mod error;
pub mod files;
mod garbage;
mod jobs;
mod merge;
mod model;
mod names;
mod numbering;
mod object;
mod owner;
mod pages;
mod parquet_columns;
mod parquet_file;
mod probe;
mod raw_bars;
mod raw_objects;
mod remarks;
mod report;
mod series;
mod summaries;
mod table;

pub use artifact::{Artifact, EpochLosses, StoredArtifacts};
pub use backend::{
    AskStore, BackendError, QueryError, REGISTRY_URL, RemoteFault, RequestEnd, RequestObserver,
    StoreRequest, is_store_url, observe_requests,
};
pub use bytes::Bytes;
pub use calendars::{AddCalendarError, StoredCalendars};
pub use chain::ChangeOutcome;
pub use checkpoint::{Checkpoint, CheckpointKey, StoredCheckpoint, StoredCheckpoints};
pub use confirmation::StoredConfirmations;
pub use data_set::{DataSetTable, StoredDataSets};
pub use error::StoreError;
pub use garbage::{Garbage, GarbageKind};
pub use merge::file_period;
pub use model::StoredModels;
pub use names::RenameOutcome;
pub use numbering::VersionNumbering;
pub use object::{Store, is_missing_folder, sha256_hex};
pub use raw_bars::{ALL_TIME, RawBar, RawBars, keep_rows};
pub use raw_objects::{RawContent, RawObject};
pub use report::{StoredReports, report_key, report_sha256};
pub use series::{
    COMMIT_TIME_MAX, CommitOutcome, Edit, SeriesSnapshot, StoredSeries, content_sha256,
};
pub use table::{Cells, Table, TableFormat};

/// The name under which manifests list the program that wrote them.
pub const WRITTEN_BY: &str = concat!("ktrdr ", env!("CARGO_PKG_VERSION"));
