//! Arguments that several commands share, and how their values are read. A command's own arguments
//! stand beside the command.

mod family;
mod fetch;
mod global;
mod hours;
mod operation;
mod out_file;
mod range;
mod run;
mod text;
pub(crate) mod values;

pub(crate) use family::FamilyArgs;
pub(crate) use fetch::{FetchArgs, FetchModeArg, join_names, series_requests};
pub(crate) use global::{Color, GlobalArgs};
pub(crate) use hours::HoursArgs;
pub(crate) use operation::OperationArg;
pub(crate) use out_file::OutFile;
pub(crate) use range::RangeArgs;
pub(crate) use run::RunArgs;
pub(crate) use text::TextArgs;
