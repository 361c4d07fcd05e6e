//! The registry: a trained artifact in, a named version out; and answers about the models that
//! exist.
//!
//! | Subject | Reads | Writes |
//! |---|---|---|
//! | `registry register` ([`schemas::commands::RegisterModel`]) | `artifacts/<sha256>` | `models/<name>/<version>/manifest.json` |
//! | `registry confirm` ([`schemas::commands::ConfirmModel`]) | a version, its data set, then `sealed/<dataset>` | `confirmations/<n>.opened.json`, then `confirmations/<n>.outcome.json` |
//! | query `models.list` ([`schemas::queries::ListModels`] to a list of [`schemas::queries::ModelSummary`]) | every model manifest | |
//! | query `models.show` ([`schemas::queries::ShowModel`] to a model manifest) | one model manifest | |
//! | query `models.aliases` ([`schemas::queries::ListAliases`] to a list of [`schemas::manifests::AliasChange`]) | the aliases of one model, or of all | |
//! | query `models.metrics` ([`schemas::queries::ShowModel`] to `metrics.json`) | the artifact of one version | |
//! | query `models.compare` ([`schemas::queries::CompareModels`] to a list of [`schemas::queries::ComparedModel`]) | the artifacts of up to 8 versions | |
//! | query `models.predict` ([`schemas::queries::PredictModel`] to a [`schemas::queries::PredictionPage`]) | one artifact, its data set's parts, stored bars | |
//! | queries `data.list`, `data.read` | pages of keys, and of any object | |
//!
//! No answer is larger than a message may be: lists end at [`schemas::queries::LIST_MAX`], a page
//! of predictions at [`schemas::queries::PREDICTIONS_MAX`], and what is larger than
//! [`schemas::queries::LIST_BYTES_MAX`] is refused with the key under which `data.read` has it in
//! pages.
//!
//! A version is assigned only to a model that works: the registry checks every file against its
//! hash, loads the weights into the plain forward pass and predicts once. Creating the version's
//! manifest is the assignment; an operation that has one already gets the same again.
//!
//! | Failure | What happens |
//! |---|---|
//! | artifact absent or damaged, weights unfit, prediction not finite | the step fails and says where; no version is assigned |
//! | killed after the assignment | the next attempt finds the version that names its operation |
//! | killed after the opening | the record says that the rows were opened; the next attempt, or another confirmation of the same candidate, measures |
//! | two candidates at a time | creating the record decides: the other is told, as if it had come later |
//!
//! Deliberately absent: deleting models, judging whether a model is good.

mod confirm;
mod error;
mod evaluations;
mod handler;
mod measure;
mod opening;
mod predictions;
mod queries;
mod trial;

pub use confirm::open;
pub use error::RegistryError;
pub use handler::Registry;
pub use measure::{Candidate, MeasuredRows};
pub use opening::{OpeningDecision, decide_opening};
pub use queries::endpoints;
pub use trial::try_model;
