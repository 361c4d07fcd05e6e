//! The typed commands of every service, each with the outcome that it records.

pub mod bundle;
mod confirm;
pub mod dummy;
pub mod fetch;
pub mod follow;
pub mod form;
pub mod process;
mod series_list;
pub mod spread;
pub mod train;
pub mod validate;

pub use bundle::{BUNDLE_TRAININGS_MAX, Bundle, BundleMember, BundleResult, BundleVersion};
pub use confirm::{ConfirmModel, ConfirmOutcome, RegistryOutcome, RegistryWork};
pub use dummy::{DummyOutcome, RunDummy};
pub use fetch::{
    FetchBars, FetchCounts, FetchMode, FetchOutcome, FetchState, FetchedSeries, SeriesRequest,
    UnansweredRange,
};
pub use follow::{
    FetcherOutcome, FetcherWork, FollowBars, FollowOutcome, FollowedSeries, StoredBar, StoredBars,
};
pub use process::{ProcessBars, ProcessOutcome};
pub use spread::{
    CHILDREN_AT_ONCE, CHILDREN_PER_LIST, ChildList, KindRun, OnFailure, Spread, SpreadOutcome,
    TooManyChildren,
};
pub use train::{
    ClassOutcome, RegisterModel, RegisterOutcome, TrainModel, TrainOutcome, TrainRequest,
    WindowOutcome,
};
pub use validate::{ValidateBars, ValidateOutcome, ValidatedSeries};
