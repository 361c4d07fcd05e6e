//! The validator: checks stored series, keeps a report of each, and stops the operation where bars
//! cannot be used.
//!
//! Consumes `validator.validate` ([`schemas::commands::ValidateBars`]); produces reports
//! (`reports/<sha256>.json` in the store, form: [`quality::Report`]) and a
//! [`schemas::commands::ValidateOutcome`]. What is checked, and with which severity, is the table
//! in [`quality`]; thresholds are settings, `[validator.rules]`.
//!
//! | Failure | What happens |
//! |---|---|
//! | critical finding | reports are stored, the step fails and names series, rows and times |
//! | damaged object | the step fails and names the object |
//! | store away | the step is retried |
//! | killed | the next attempt checks again; equal bars give the same report under the same key |
//!
//! It deliberately changes no bars: whoever reads the report decides what to do.

mod error;
mod handler;
mod validate;

pub use error::{CriticalFinding, ValidateError};
pub use handler::{Validator, ValidatorSettings};
pub use validate::{Request, validate};
