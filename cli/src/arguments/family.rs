//! How many operations of a family run at a time, and what a failed one means for the others.

use clap::Args;
use schemas::commands::{CHILDREN_AT_ONCE, OnFailure};

/// Options of every command that starts several operations as one.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FamilyArgs {
    /// Most operations at work or on their queues at a time; without it 64
    #[arg(
        long,
        visible_alias = "jobs",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub(crate) limit: Option<u32>,
    /// Cancel the others as soon as one operation fails; without it they run to their end
    #[arg(long)]
    pub(crate) fail_fast: bool,
}

impl FamilyArgs {
    /// All of its options: a line of a file is no family of its own.
    pub(crate) const OF_WHOLE: [&'static str; 2] = ["limit", "fail_fast"];

    /// Most operations under way at a time.
    pub(crate) fn children_at_once(&self) -> u32 {
        self.limit.unwrap_or(CHILDREN_AT_ONCE)
    }

    /// What a failed operation means for the others.
    pub(crate) fn on_failure(&self) -> OnFailure {
        match self.fail_fast {
            true => OnFailure::FailFast,
            false => OnFailure::KeepGoing,
        }
    }
}
