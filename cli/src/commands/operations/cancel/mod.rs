//! `ktrdr cancel`: asks for operations to be stopped, and waits for the stop on request.

mod stops;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Bus, CancelAsk, OperationFilter};
use clap::Args;
use futures::stream::{self, StreamExt as _};
use schemas::codes;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState, Said};
use serde_json::json;

use crate::arguments::OperationArg;
use crate::arguments::values::{parse_duration, parse_key_and_value, parse_state};
use crate::console::durations::rough;
use crate::console::{Exit, Failure, can_ask, confirm, count_of};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use stops::wait_for_stops;

/// Requests on their way at once.
const REQUESTS_MAX: usize = 32;

/// `ktrdr cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Operations to cancel
    #[arg(required_unless_present = "all", value_name = "OP")]
    ops: Vec<OperationArg>,
    /// All operations that have not ended
    #[arg(long, conflicts_with = "ops")]
    all: bool,
    /// With --all, only operations of this kind
    #[arg(long, requires = "all")]
    kind: Option<String>,
    /// With --all, only operations with this label; may be repeated
    #[arg(
        long,
        value_name = "KEY=VALUE",
        value_parser = parse_key_and_value,
        requires = "all"
    )]
    label: Vec<(String, String)>,
    /// With --all, only operations in these states
    #[arg(
        long,
        value_name = "STATE",
        value_parser = parse_state,
        value_delimiter = ',',
        requires = "all"
    )]
    state: Vec<OperationState>,
    /// With --all, only children of this operation
    #[arg(long, value_name = "OP", requires = "all")]
    parent: Option<OperationArg>,
    /// With --all, do not ask on a terminal
    #[arg(long, requires = "all")]
    yes: bool,
    /// End steps by force that have not stopped after the grace period
    #[arg(long)]
    force: bool,
    /// How long a step may take to stop before --force ends it, as in 10s or 2m
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_duration,
        default_value = "10s",
        requires = "force"
    )]
    grace: Duration,
    /// Reason, kept with the operation
    #[arg(long, short, default_value = "Operation cancelled by user")]
    reason: String,
    /// Wait until the work has stopped
    #[arg(long, short)]
    wait: bool,
    /// Stop waiting after this time, as in 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "wait")]
    wait_timeout: Option<Duration>,
}

/// Asks for every operation to be stopped, also after one that cannot be; the exit code is that of
/// the worst end.
///
/// # Errors
/// The server cannot be reached. What fails for one operation is printed at once.
pub(crate) async fn run(args: &CancelArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    let ask = ask_of(args, context)?;
    if args.all {
        return cancel_all(context, &bus, args, &ask).await;
    }

    let mut exit = Exit::Done;
    let mut ops = Vec::with_capacity(args.ops.len());
    for op in &args.ops {
        match cancel_one(context, &bus, op, args, &ask).await {
            Ok(op) if ops.contains(&op) => {}
            Ok(op) => ops.push(op),
            Err(failure) => {
                context.output.failure(&failure);
                exit = exit.worse(failure.exit);
            }
        }
    }

    // All have been asked before the first is waited for.
    if !args.wait || ops.is_empty() {
        return Ok(exit);
    }
    match wait_for_stops(context, &bus, &ops, args.wait_timeout).await? {
        signal @ (Exit::Cancelled | Exit::Terminated) => Ok(signal),
        waited => Ok(exit.worse(waited)),
    }
}

fn ask_of(args: &CancelArgs, context: &Context) -> Result<CancelAsk, Failure> {
    Ok(CancelAsk {
        said: Said {
            by: Some(context.person()?),
            reason: Some(args.reason.clone()),
        },
        grace: args.force.then_some(args.grace),
    })
}

/// Asks for one operation to be stopped.
async fn cancel_one(
    context: &Context,
    bus: &Bus,
    op: &OperationArg,
    args: &CancelArgs,
    ask: &CancelAsk,
) -> Result<OperationId, Failure> {
    let op = find_operation(bus, op).await?;
    let Some(stored) = bus.operations().get(&op).await? else {
        return Err(Failure::no_operation(&op));
    };
    if stored.record.state.is_terminal() {
        return Err(already_ended(&stored.record));
    }

    // A request only: without --wait the operation may still run when this command ends.
    bus.cancels().ask(&op, ask).await?;
    if args.wait {
        return Ok(op);
    }
    context.output.json(&json!({
        "type": "result",
        "op": op,
        "state": "cancelling",
        "reason": args.reason,
        "by": ask.said.by,
        "exit": 0,
    }));
    let force = force_text(args);
    context.output.sentence(&format!(
        "Cancel requested for {op}: {}{force}",
        args.reason
    ));
    Ok(op)
}

/// Cancels everything that matches, after a look at what that is.
async fn cancel_all(
    context: &Context,
    bus: &Bus,
    args: &CancelArgs,
    ask: &CancelAsk,
) -> Result<Exit, Failure> {
    let output = &context.output;
    let records = find_unfinished(args, bus).await?;
    let ops: Vec<OperationId> = records.iter().map(|record| record.op.clone()).collect();
    let what = describe_operations(&records);

    // A person may have meant less; a script has said what it means.
    let is_refused = can_ask(output)
        && !args.yes
        && !ops.is_empty()
        && !confirm(output, &format!("Cancel {what}?"));
    if ops.is_empty() || is_refused {
        output.json(&json!({"type": "cancelled", "ops": [], "exit": 0}));
        output.line(if is_refused {
            "Nothing was cancelled"
        } else {
            "No operation to cancel"
        });
        return Ok(Exit::Done);
    }

    let mut requests = stream::iter(&ops)
        .map(|op| bus.cancels().ask(op, ask))
        .buffer_unordered(REQUESTS_MAX);
    while let Some(requested) = requests.next().await {
        requested?;
    }
    output.json(&json!({
        "type": "cancelled",
        "ops": ops,
        "reason": args.reason,
        "by": ask.said.by,
        "exit": 0,
    }));
    let force = force_text(args);
    output.sentence(&format!(
        "Cancel requested for {what}: {}{force}",
        args.reason
    ));
    if !args.wait {
        return Ok(Exit::Done);
    }
    wait_for_stops(context, bus, &ops, args.wait_timeout).await
}

/// Says when steps are ended by force.
fn force_text(args: &CancelArgs) -> String {
    if !args.force {
        return String::new();
    }
    format!(" (by force after {})", rough(args.grace))
}

async fn find_unfinished(args: &CancelArgs, bus: &Bus) -> Result<Vec<OperationRecord>, Failure> {
    let filter = filter_of(args);
    let Some(parent) = &args.parent else {
        let records = bus.operations().unfinished(&filter).await?;
        return Ok(without_children_of_others(records));
    };

    let parent = find_operation(bus, parent).await?;
    let Some(stored) = bus.operations().get(&parent).await? else {
        return Err(Failure::no_operation(&parent));
    };
    let mut children = bus.operations().children(&stored.record).await?;
    children.retain(|child| !child.state.is_terminal() && filter.matches(child));
    Ok(children)
}

/// The operations whose parents are not among them: the cancel of a parent is that of its children.
fn without_children_of_others(mut records: Vec<OperationRecord>) -> Vec<OperationRecord> {
    let ops: BTreeSet<OperationId> = records.iter().map(|record| record.op.clone()).collect();
    records.retain(|record| match &record.parent {
        Some(parent) => !ops.contains(&parent.op),
        None => true,
    });
    records
}

fn filter_of(args: &CancelArgs) -> OperationFilter {
    OperationFilter {
        states: args.state.clone(),
        kind: args.kind.clone(),
        labels: args.label.iter().cloned().collect(),
        ..OperationFilter::default()
    }
}

/// `12 operations (10 dummy, 2 train)`.
fn describe_operations(records: &[OperationRecord]) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        *kinds.entry(&record.kind).or_default() += 1;
    }

    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let count = count_of(records.len(), "operation");
    format!("{count} ({})", kinds.join(", "))
}

fn already_ended(record: &OperationRecord) -> Failure {
    let op = &record.op;
    let message = format!(
        "Operation {op} cannot be cancelled (status: {})",
        record.state
    );
    Failure::new(Exit::Refused, codes::OPS_CANCEL_FAILED, message)
        .with_hint(format!("it has ended; `ktrdr status {op}` shows how"))
        .about(op)
}
