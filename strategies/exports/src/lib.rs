//! A trained network in the formats of other programs: a graph of ONNX, a module of TorchScript, a
//! header for C, a table of rules.
//!
//! Each takes columns as the strategy computes them, float64 and unscaled, and answers with class
//! probabilities or a forward return, as [`Model::predict`] does after scaling. Bytes come out;
//! writing them is for others.

mod c_header;
mod error;
mod facts;
mod members;
mod onnx;
mod rule_table;
mod scaling;
mod tensors;
mod torch_script;

pub use self::c_header::c_header;
pub use self::error::ExportError;
pub use self::facts::Facts;
pub use self::onnx::onnx_file;
pub use self::rule_table::rule_table;
pub use self::torch_script::torch_script;

#[cfg(doc)]
use networks::Model;
