//! strategies: what a strategy file means, from its text to the rows that a network learns from.
//! Pure computation over slices.
//!
//! ```text
//! text
//!  └─ Strategy::parse ─▶ Strategy                         every finding at once
//!      └─ resolve(request) ─▶ Resolved                    what exactly is computed
//!          ├─ compute_features(bars) ─▶ FeatureMatrix     to predict
//!          └─ assemble_data_set(bars) ─▶ DataSet          to train
//! ```
//!
//! Training and prediction build features with the same function; a bar is visible from its close,
//! never before; labels look ahead by a declared number of bars, and splits purge by it. Nothing
//! here reads a clock, a file or a network.
//!
//! The modules are layers, each above those that it imports: `strategy` (what a file says) below
//! `grammar` (how its text is read) below `resolve` (with a request applied) below `features`
//! (columns from bars) below `dataset` (features with labels, split in time).

mod catalogue;
mod dataset;
mod expression;
mod features;
mod fields;
mod finding;
mod folds;
mod grammar;
mod holes;
mod json_nodes;
mod leak;
mod request;
mod resolve;
mod rules;
mod schema;
mod strategy;
mod text_edit;
mod ties;
mod training_keys;
mod yaml;

pub mod fuzzy;
pub mod indicators;
pub mod labels;
pub mod splits;
pub mod windows;

pub use catalogue::CATALOGUE;
pub use dataset::{AssemblyStep, DataSet, DataSetError, assemble_data_set, assemble_sealed_rows};
pub use expression::{Expression, ExpressionError, column_names};
pub use features::{
    ColumnSink, Columns, CompleteRows, FeatureError, FeatureMatrix, KnownBars, SymbolBars,
    borrow_bars, compute_columns, compute_features,
};
pub use finding::{Finding, Findings, Severity};
pub use folds::{Fold, Growth, WalkForward, walk_forward};
pub use holes::{SetCoverage, find_holes, measure_set_coverage};
pub use json_nodes::value_of_text;
pub use leak::{Leak, LeakTest};
pub use request::{RequestError, ResolvedRequest};
pub use resolve::{
    ENGINE_VERSION, Feature, FeatureKind, Overrides, PlannedIndicator, Resolved, canonical_json,
    canonical_sha256,
};
pub use rules::{Rule, rules};
pub use schema::schema;
pub use strategy::{
    Costs, DataSection, Decisions, FuzzySet, Input, InputSource, NamedIndicator, OutputRef,
    Scaling, Signal, Split, Strategy, TradeCosts, TrainingSection, is_name,
};
pub use text_edit::{EditError, with_value};
pub use training_keys::{TrainingKey, training_keys};
pub use yaml::TEXT_BYTES_MAX;

/// A commented strategy to start from: `eurusd_rsi_macd` of the catalogue.
pub const STARTER: &str = include_str!("../../catalog/eurusd_rsi_macd.yaml");
