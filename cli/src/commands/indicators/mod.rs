//! `ktrdr indicators`: the indicator types, and their values over the bars of a file. It needs
//! neither server nor store, and reads no settings.

mod compute;
mod describe;
mod list;
mod spec_json;

use clap::{Args, Subcommand};
use strategies::indicators::ParameterKind;

use crate::console::{Exit, Failure};
use crate::context::Context;
use compute::ComputeArgs;
use describe::DescribeArgs;

/// `ktrdr indicators`.
#[derive(Debug, Args)]
pub(crate) struct IndicatorsArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: IndicatorsCommand,
}

/// `ktrdr indicators …`.
#[derive(Debug, Subcommand)]
enum IndicatorsCommand {
    /// List every indicator type
    List,
    /// Show one type: parameters, outputs, formula
    Describe(DescribeArgs),
    /// Compute indicators over the bars of a file, one row per bar
    Compute(ComputeArgs),
}

/// Runs the command.
///
/// # Errors
/// There is no such type, or the bars cannot be read or used.
pub(crate) async fn run(args: &IndicatorsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        IndicatorsCommand::List => Ok(list::run(context)),
        IndicatorsCommand::Describe(args) => describe::run(args, context),
        IndicatorsCommand::Compute(args) => compute::run(args, context),
    }
}

/// The default of a parameter as a strategy writes it.
fn default_text(kind: ParameterKind) -> String {
    match kind {
        ParameterKind::Integer { default, .. } => default.to_string(),
        ParameterKind::Float { default, .. } => default.to_string(),
        ParameterKind::Boolean { default } => default.to_string(),
        ParameterKind::Choice { default, .. } => default.to_owned(),
    }
}
