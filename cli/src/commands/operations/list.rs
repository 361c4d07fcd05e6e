//! `ktrdr ops list`: operations with their state and progress, newest first.

use bus::{Bus, OperationFilter, OperationPage};
use clap::Args;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use schemas::errors::shortened;
use schemas::operation::{OperationRecord, OperationState};
use serde_json::{Value, json};

use super::{describe_checkpoint, watch_list};
use crate::arguments::OperationArg;
use crate::arguments::values::{parse_key_and_value, parse_since, parse_state};
use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure, extended};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use crate::watch::current_step;

pub(super) const HEADS: [&str; 7] = [
    "ID", "KIND", "STATE", "PROGRESS", "STEP", "DURATION", "ABOUT",
];
/// Progress records on their way at once.
const REQUESTS_MAX: usize = 16;
/// Most operations that are listed at a time.
const LIMIT_MAX: u16 = 1_000;
/// Characters of a failure's message; `ktrdr status` has all of it.
const FAILURE_CHARS_MAX: usize = 60;

/// Which operations to list.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// Only operations in these states
    #[arg(
        long,
        alias = "status",
        value_name = "STATE",
        value_parser = parse_state,
        value_delimiter = ','
    )]
    state: Vec<OperationState>,
    /// Only operations of this kind
    #[arg(long, short, alias = "type", short_alias = 't')]
    kind: Option<String>,
    /// At most N operations
    #[arg(
        long,
        short,
        value_name = "N",
        default_value_t = 50,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(LIMIT_MAX))
    )]
    limit: u16,
    /// Only operations that have not ended
    #[arg(long, short)]
    active: bool,
    /// Only operations that can be resumed
    #[arg(long, short)]
    resumable: bool,
    /// Only operations created since a date, an instant, or a time ago as in 2h or 3d
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Only operations with this label; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_and_value)]
    label: Vec<(String, String)>,
    /// Only the operations that this one has started, in their order
    #[arg(long, value_name = "OP")]
    parent: Option<OperationArg>,
    /// Also the operations that other operations have started
    #[arg(long, conflicts_with = "parent")]
    children: bool,
    /// Show the list again each time that an operation has changed, until Ctrl+C
    #[arg(long, short)]
    watch: bool,
}

/// One operation of the list.
pub(super) struct Listed {
    /// Its record, as it was read.
    pub(super) record: OperationRecord,
    /// Percent of its plan; none if that cannot be read.
    pub(super) percent: Option<f64>,
}

/// The operations that a list names first.
pub(super) struct Listing {
    /// They themselves, in the order of the list.
    pub(super) operations: Vec<Listed>,
    /// True if there are more than these.
    pub(super) more: bool,
}

impl Listed {
    /// The operation as programs read it.
    pub(super) fn json(&self) -> Value {
        extended(&self.record, [("percent", json!(self.percent))])
    }
}

/// Lists the operations.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn run(args: &ListArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;
    if args.watch {
        return watch_list::watch_operations(args, context, &bus).await;
    }

    let listing = read_operations(&bus, args).await?;
    if listing.operations.is_empty() {
        output.note(match (args.active, args.resumable) {
            (true, _) => "No active operations found",
            (_, true) => "No resumable operations found",
            _ => "No operations found",
        });
        return Ok(Exit::Done);
    }

    let now = Timestamp::now();
    let mut rows = Vec::with_capacity(listing.operations.len());
    for each in &listing.operations {
        output.json(&each.json());
        rows.push(operation_row(each, now));
    }
    output.table_with_remarks(&HEADS, &rows);
    if listing.more {
        output.note(&format!(
            "There are more operations than these {}; --limit N lists up to {LIMIT_MAX}, and \
             --state, --kind, --since, --label or --parent narrow the list",
            rows.len()
        ));
    }
    Ok(Exit::Done)
}

/// The operations that the arguments name, each with its percent.
pub(super) async fn read_operations(bus: &Bus, args: &ListArgs) -> Result<Listing, Failure> {
    let page = read_records(bus, args).await?;

    // `buffered` keeps the order of the list.
    let listed = stream::iter(page.records).map(|record| async {
        let percent = read_percent(bus, &record).await;
        Listed { record, percent }
    });
    Ok(Listing {
        operations: listed.buffered(REQUESTS_MAX).collect().await,
        more: page.more,
    })
}

/// The records that the arguments name: of what people asked for, or of the children of one
/// operation.
async fn read_records(bus: &Bus, args: &ListArgs) -> Result<OperationPage, Failure> {
    let filter = filter_of(args);
    let limit = usize::from(args.limit);
    let Some(parent) = &args.parent else {
        return Ok(bus.operations().list_page(limit, &filter).await?);
    };

    // In their order, and not newest first: they have places in a list.
    let parent = find_operation(bus, parent).await?;
    let Some(parent) = bus.operations().get(&parent).await? else {
        return Err(Failure::no_operation(&parent));
    };
    let mut children = bus.operations().children(&parent.record).await?;
    children.retain(|child| filter.matches(child));
    let more = children.len() > limit;
    children.truncate(limit);
    Ok(OperationPage {
        records: children,
        more,
    })
}

fn filter_of(args: &ListArgs) -> OperationFilter {
    let mut states = args.state.clone();
    if args.resumable {
        states.extend([OperationState::Failed, OperationState::Cancelled]);
    }
    OperationFilter {
        states,
        kind: args.kind.clone(),
        since: args.since,
        active: args.active,
        labels: args.label.iter().cloned().collect(),
        without_children: args.parent.is_none() && !args.children,
    }
}

/// Percent of the operation: exact at the ends of its steps, from the last progress message in
/// between; none if that cannot be read.
async fn read_percent(bus: &Bus, record: &OperationRecord) -> Option<f64> {
    let Some(number) = current_step(record) else {
        return Some(100.0);
    };
    let (step_start, _) = record.plan.percent_range(number);

    // Nobody can have reported on a step before its first attempt.
    if record.step(number)?.attempt == 0 {
        return Some(step_start);
    }

    let service = record.plan.step(number)?.service;
    let progress = bus
        .progress()
        .newest(service, &record.op, number)
        .await
        .ok()?;
    Some(progress.map_or(step_start, |progress| progress.percent))
}

/// The cells of one row.
pub(super) fn operation_row(listed: &Listed, now: Timestamp) -> Vec<String> {
    let Listed { record, percent } = listed;
    let missing = || "-".to_owned();
    let duration = record
        .started_at
        .map(|started| compact(after(started, record.finished_at.unwrap_or(now))));

    vec![
        record.op.to_string(),
        record.kind.clone(),
        record.state.to_string(),
        percent.map_or_else(missing, |percent| format!("{percent:.0}%")),
        describe_step(record).unwrap_or_else(missing),
        duration.unwrap_or_else(missing),
        describe_subject(record),
    ]
}

/// The current step, as in `trainer (4/5)`.
fn describe_step(record: &OperationRecord) -> Option<String> {
    let number = current_step(record)?;
    let service = record.plan.step(number)?.service;
    Some(format!("{service} ({number}/{})", record.steps.len()))
}

/// The labels, where it would continue, and why it failed.
fn describe_subject(record: &OperationRecord) -> String {
    let labels: Vec<String> = record
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();

    let mut parts = vec![labels.join(" ")];
    if let Some(checkpoint) = describe_checkpoint(record) {
        parts.push(format!("checkpoint: {checkpoint}"));
    }
    if let Some(failure) = &record.failure {
        parts.push(shortened(&failure.error.message, FAILURE_CHARS_MAX));
    }

    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}
