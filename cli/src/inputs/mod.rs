//! What commands work on: providers and files of bars, strategies, stored series, registered
//! models, operations, schedules.

pub(crate) mod acts;
pub(crate) mod bar_files;
pub(crate) mod checkpoint;
pub(crate) mod day_folds;
pub(crate) mod models;
pub(crate) mod object_places;
pub(crate) mod operation_files;
pub(crate) mod operations;
pub(crate) mod providers;
pub(crate) mod request_changes;
pub(crate) mod schedules;
pub(crate) mod stored_coverage;
pub(crate) mod stored_series;
pub(crate) mod strategy_files;
pub(crate) mod symbol_files;
pub(crate) mod text_files;
pub(crate) mod training_keys;
pub(crate) mod usable_rows;
