//! How an operation that a command starts is run: followed or detached, with labels, or not at all.

use std::time::Duration;

use clap::Args;

use super::values::{parse_duration, parse_key_and_value};

/// Options of every command that starts an operation.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// Submit the operation and return at once
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Follow the operation to its end (the default)
    #[arg(long, short, conflicts_with = "detach")]
    pub(crate) follow: bool,
    /// Stop following after this time, as in 30s or 5m; the operation continues
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) wait_timeout: Option<Duration>,
    /// Label to find the operation by; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_and_value)]
    pub(crate) label: Vec<(String, String)>,
    /// Print the operation that would be submitted, and submit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
