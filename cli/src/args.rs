//! The command line as types: global flags, and one variant a command.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use schemas::ids::OperationId;

/// Market bars in, trained and versioned neuro-fuzzy models out.
#[derive(Debug, Parser)]
#[command(
    name = "ktrdr",
    version,
    about,
    max_term_width = 100,
    propagate_version = true
)]
pub struct CommandLine {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// JSON lines on standard output, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Results only, no progress and no remarks
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log what happens on standard error; twice for more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// NATS server [env: KTRDR_NATS_URL]
    #[arg(long, short, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// NATS credentials file [env: KTRDR_CREDS]
    #[arg(long, global = true, value_name = "FILE")]
    pub creds: Option<PathBuf>,
    /// Any setting, as in --set store.url=s3://bucket; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// Settings file; without it the system that `ktrdr up` runs here, else ktrdr.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: Color,
    /// No symbols beyond ASCII
    #[arg(long, global = true)]
    pub ascii: bool,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl GlobalArgs {
    /// The flags that are settings, as pairs of key and text.
    pub fn flags(&self) -> Vec<(String, String)> {
        let creds = self.creds.as_ref().map(|path| path.display().to_string());
        let named = [("bus.url", self.server.clone()), ("bus.credentials", creds)];
        let named = named
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        named.chain(self.set.iter().cloned()).collect()
    }
}

/// What `ktrdr` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a local system: NATS server, services, housekeeping
    Up(crate::up::UpArgs),
    /// Check the settings, the server, the store and the programs
    Doctor,
    /// Streams, buckets and consumers on the server
    Infra {
        /// What to do.
        #[command(subcommand)]
        command: crate::infra::InfraCommand,
    },
    /// Bars: load, import, check, look at
    Data {
        /// What to do.
        #[command(subcommand)]
        command: crate::data::DataCommand,
    },
    /// Strategies: list, show, check, features; needs no server
    Strategies {
        /// What to do.
        #[command(subcommand)]
        command: crate::strategies::StrategiesCommand,
    },
    /// Indicators: list, describe, compute; needs no server
    Indicators {
        /// What to do.
        #[command(subcommand)]
        command: crate::indicators::IndicatorsCommand,
    },
    /// Train a model as a strategy file says
    Train(Box<crate::train::TrainArgs>),
    /// Models: list, show, predict
    Models {
        /// What to do.
        #[command(subcommand)]
        command: crate::models::ModelsCommand,
    },
    /// List operations, newest first
    Ops(OpsArgs),
    /// Show one operation, or the whole system
    Status(StatusArgs),
    /// Attach to an operation and watch it to its end
    Follow(FollowArgs),
    /// Ask for operations to be stopped
    Cancel(CancelArgs),
    /// Put a failed or cancelled operation back on its queue; it goes on from its last checkpoint
    Resume(ResumeArgs),
    /// Workers that are alive
    Workers(WorkersArgs),
    /// The reference service: n iterations of d seconds
    Dummy {
        /// What to do.
        #[command(subcommand)]
        command: DummyCommand,
    },
    /// Turn one payload from standard input into a line of JSON, as in
    /// `nats sub --translate 'ktrdr decode'`
    Decode,
}

/// How an operation that is started here is run.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Submit and return at once
    #[arg(long, short)]
    pub detach: bool,
    /// Watch it to its end (the default)
    #[arg(long, short, conflicts_with = "detach")]
    pub follow: bool,
    /// Stop watching after this time, as in 30s or 5m; the operation continues
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait_timeout: Option<Duration>,
    /// A label to find it by, may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub label: Vec<(String, String)>,
    /// Show the operation that would be submitted
    #[arg(long)]
    pub dry_run: bool,
}

/// `ktrdr ops`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct OpsArgs {
    /// What to do; list when absent.
    #[command(subcommand)]
    pub command: Option<OpsCommand>,
    /// Flags of the list.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `ktrdr ops …`.
#[derive(Debug, Subcommand)]
pub enum OpsCommand {
    /// List operations, newest first
    List(ListArgs),
    /// Show what happened to an operation: who took which step when, and why it was tried again or
    /// failed
    #[command(visible_alias = "events")]
    Logs {
        /// The operation
        #[arg(value_parser = operation)]
        op: OperationId,
    },
}

/// Which operations to list.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Only these states
    #[arg(long, value_name = "STATE", value_parser = state, value_delimiter = ',')]
    pub status: Vec<schemas::operation::OperationState>,
    /// Only this kind
    #[arg(long, visible_alias = "type", short = 't')]
    pub kind: Option<String>,
    /// At most so many
    #[arg(long, short, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Only what has not ended
    #[arg(long, short)]
    pub active: bool,
    /// Only what can be resumed
    #[arg(long, short)]
    pub resumable: bool,
    /// Only what was created since: a date, an instant, or a time ago as in 2h or 3d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only with this label, may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub label: Vec<(String, String)>,
}

/// `ktrdr status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The operation; without it the whole system
    #[arg(value_parser = operation)]
    pub op: Option<OperationId>,
}

/// `ktrdr follow`.
#[derive(Debug, Args)]
pub struct FollowArgs {
    /// The operation
    #[arg(value_parser = operation)]
    pub op: OperationId,
    /// First tell everything that is still stored about it
    #[arg(long)]
    pub from_start: bool,
    /// End as soon as it is in this state
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub until: Option<schemas::operation::OperationState>,
    /// Stop watching after this time, as in 30s or 5m; the operation continues
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait_timeout: Option<Duration>,
}

/// `ktrdr cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The operations
    #[arg(required = true, value_parser = operation)]
    pub ops: Vec<OperationId>,
    /// Why, for the record
    #[arg(long, short, default_value = "Operation cancelled by user")]
    pub reason: String,
    /// Wait until the work has stopped
    #[arg(long, short)]
    pub wait: bool,
    /// Stop waiting after this time, as in 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait")]
    pub wait_timeout: Option<Duration>,
}

/// `ktrdr resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The operation
    #[arg(value_parser = operation)]
    pub op: OperationId,
    /// Return at once
    #[arg(long, short)]
    pub detach: bool,
    /// Watch it to its end (the default)
    #[arg(long, short, conflicts_with = "detach")]
    pub follow: bool,
    /// Stop watching after this time, as in 30s or 5m; the operation continues
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait_timeout: Option<Duration>,
}

/// `ktrdr workers`.
#[derive(Debug, Args)]
pub struct WorkersArgs {
    /// What to do; list when absent.
    #[command(subcommand)]
    pub command: Option<WorkersCommand>,
}

/// `ktrdr workers …`.
#[derive(Debug, Subcommand)]
pub enum WorkersCommand {
    /// List workers with what they work on
    List,
    /// Ask a worker to take nothing new, finish or hand back what it has, and end
    Drain {
        /// The worker
        worker: schemas::ids::WorkerId,
    },
}

/// `ktrdr dummy …`.
#[derive(Debug, Subcommand)]
pub enum DummyCommand {
    /// Start n iterations
    Start(DummyArgs),
}

/// `ktrdr dummy start`.
#[derive(Debug, Args)]
pub struct DummyArgs {
    /// Length of the whole, in seconds
    #[arg(long, default_value_t = 200.0, value_parser = seconds)]
    pub duration: f64,
    /// In how many iterations
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: u64,
    /// Fail at this iteration
    #[arg(long, value_name = "N")]
    pub fail_at: Option<u64>,
    /// Kill the worker at this iteration, each time it is reached
    #[arg(long, value_name = "N")]
    pub crash_at: Option<u64>,
    /// Write a checkpoint every so many iterations; 0 = never
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub checkpoint_every: u64,
    /// How to run it.
    #[command(flatten)]
    pub run: RunArgs,
}

fn operation(text: &str) -> Result<OperationId, String> {
    text.parse()
        .map_err(|error: schemas::ids::InvalidId| error.to_string())
}

/// A time span, as in `30s`, `5m` or `1h 30m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text
        .parse()
        .map_err(|_| "expected a time span such as 30s, 5m or 1h 30m".to_owned())?;
    Duration::try_from(span).map_err(|_| "a time span cannot be negative".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => duration(text)
            .map(|span| span.as_secs_f64())
            .map_err(|_| "expected seconds, as in 20 or 1.5".to_owned()),
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn state(text: &str) -> Result<schemas::operation::OperationState, String> {
    serde_json::from_value(text.to_ascii_lowercase().into()).map_err(|_| {
        "expected pending, running, retrying, resuming, cancelling, completed, failed or cancelled".to_owned()
    })
}

fn since(text: &str) -> Result<Timestamp, String> {
    let ago = || Timestamp::now().checked_sub(days(text)?).ok();
    let date = || {
        Some(
            text.parse::<jiff::civil::Date>()
                .ok()?
                .to_zoned(jiff::tz::TimeZone::UTC)
                .ok()?
                .timestamp(),
        )
    };
    text.parse()
        .ok()
        .or_else(date)
        .or_else(ago)
        .ok_or_else(|| "expected 2026-03-01, an instant, or a time ago as in 2h or 3d".to_owned())
}

/// `2h`, `3d`; a day has 24 hours.
fn days(text: &str) -> Option<SignedDuration> {
    match text
        .strip_suffix('d')
        .and_then(|days| days.trim().parse::<i64>().ok())
    {
        Some(days) => SignedDuration::try_from_hours(days.checked_mul(24)?),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("1h 30m").unwrap(), Duration::from_secs(5_400));
        assert!(duration("-5s").is_err());
        assert_eq!(
            since("2026-03-01").unwrap(),
            "2026-03-01T00:00:00Z".parse().unwrap()
        );
        let yesterday = Timestamp::now() - since("1d").unwrap();
        assert!((yesterday.total(jiff::Unit::Hour).unwrap() - 24.0).abs() < 0.1);
        assert!(since("soon").is_err());
    }
}
