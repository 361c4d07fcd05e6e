//! Manifests: the JSON documents that give the immutable objects of the store their meaning.
//!
//! A manifest is written after everything it names, so an object that a manifest names exists.
//! Every object is named by the SHA-256 (64 lowercase hex digits) of its bytes; whoever reads it
//! checks it.

mod alias;
mod artifact;
mod confirmation;
mod dataset;
mod deletion;
mod dimensions;
mod network;
mod part_times;
mod remark;
mod rename;
mod rule_base;
mod series;

pub use alias::{AliasChange, is_alias};
pub use artifact::{ArtifactManifest, Lineage, ModelManifest, ObjectRef};
pub use confirmation::{Confirmation, EarlierCandidate, Opening};
pub use dataset::{
    ColumnRange, DataSetManifest, FittedThreshold, FuzzyHole, PartCount, SealedRows, SeriesInput,
};
pub use deletion::DeletionChange;
pub use network::{
    Activation, Architecture, FeatureColumn, MlpShape, Network, Normalisation, OutputKind,
    RecurrentShape, TensorSpec,
};
pub use part_times::PartTimes;
pub use remark::{ModelNote, NOTE_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_MAX, TagsChange};
pub use rename::{NameReservation, RenameChange};
pub use rule_base::{
    Firing, FuzzyInput, FuzzyMember, MemberPlace, OpenSide, RuleBase, RuleSource, TskShape,
};
pub use series::{BarFile, Deletion, EmptyInterval, Removal, SeriesManifest};
