//! How an operation that a command starts is run: followed or detached, with labels, or not at all.

use std::time::Duration;

use clap::{Args, ValueEnum};
use schemas::operation::NewOperation;

use super::values::{parse_duration, parse_key_and_value};

/// How urgent an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Priority {
    /// It waits for its turn.
    #[default]
    Normal,
    /// It goes to the lane `background`, whose commands come after those of every other lane.
    Low,
}

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
    /// How urgent it is: with low priority it waits for as long as others want a worker
    #[arg(long, value_enum, default_value_t)]
    pub(crate) priority: Priority,
    /// Retries of each step after a failure that may pass, such as a store that is away, instead
    /// of those that its service is set to; 0 = none
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) retries: Option<u16>,
    /// Print the operation that would be submitted, and submit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl RunArgs {
    /// The options that say how one command is run, and nothing about its operation: those of a
    /// line of a file are those of the whole file.
    pub(crate) const OF_WHOLE: [&'static str; 4] = ["detach", "follow", "wait_timeout", "dry_run"];

    /// Gives an operation the labels, the urgency and the retries that a person asked for.
    pub(crate) fn mark(&self, child: &mut NewOperation) {
        child.labels.extend(self.label.iter().cloned());
        if self.priority == Priority::Low {
            *child = std::mem::take(child).in_background();
        }
        child.retries = self.retries.or(child.retries);
    }
}
