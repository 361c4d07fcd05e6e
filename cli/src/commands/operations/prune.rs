//! `ktrdr ops prune`: removes records of operations that have ended.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Bus, BusError, OperationFilter};
use clap::Args;
use jiff::Timestamp;
use schemas::acts::Deed;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState};
use serde_json::json;

use crate::arguments::values::{parse_age, parse_ended_state};
use crate::console::{Exit, Failure, confirm, count_of};
use crate::context::Context;
use crate::inputs::acts::note_act;

const HEADS: [&str; 3] = ["STATE", "KIND", "RECORDS"];

/// `ktrdr ops prune`.
#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Only operations that ended longer ago than this, as in 12h or 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_age)]
    older_than: jiff::SignedDuration,
    /// Only operations in these states: completed, failed, cancelled
    #[arg(long, value_name = "STATE", value_parser = parse_ended_state, value_delimiter = ',')]
    state: Vec<OperationState>,
    /// Remove them; without it a terminal is asked, and elsewhere nothing is changed
    #[arg(long)]
    yes: bool,
}

/// Shows what would be removed, and removes it once that is confirmed.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn run(args: &PruneArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;
    let records = find_ended(args, &bus).await?;
    show(&records, context);

    let count = count_of(records.len(), "record");
    let question = format!("Remove {count}?");
    let is_confirmed = args.yes || (!records.is_empty() && confirm(output, &question));
    let ops: Vec<OperationId> = match is_confirmed {
        true => {
            note_prune(&records, context, &bus).await?;
            remove(records, args, &bus).await?
        }
        false => records.into_iter().map(|record| record.op).collect(),
    };

    output.json(&json!({
        "type": "prune",
        "written": is_confirmed,
        "records": ops.len(),
        "ops": ops,
    }));
    if is_confirmed {
        output.line(&format!("{} removed", count_of(ops.len(), "record")));
        output.note("their results, models and bars stay in the store");
    } else {
        output.line(&format!("{count} can be removed"));
        if !ops.is_empty() {
            output.note("nothing was changed; add --yes to remove them");
        }
    }
    Ok(Exit::Done)
}

async fn note_prune(
    records: &[OperationRecord],
    context: &Context,
    bus: &Bus,
) -> Result<(), Failure> {
    let ops: Vec<String> = records.iter().map(|record| record.op.to_string()).collect();
    note_act(Deed::OpsPrune, &ops, context, bus).await
}

async fn find_ended(args: &PruneArgs, bus: &Bus) -> Result<Vec<OperationRecord>, Failure> {
    let states = match args.state.as_slice() {
        [] => ENDED.to_vec(),
        states => states.to_vec(),
    };
    let filter = OperationFilter {
        states,
        ..OperationFilter::default()
    };

    let mut records = bus.operations().list(usize::MAX, &filter).await?;
    let now = Timestamp::now();
    records.retain(|record| is_due(record, args, now));

    retain_unneeded(records, bus).await
}

/// The records without those of children that a parent which stays may still read.
async fn retain_unneeded(
    mut records: Vec<OperationRecord>,
    bus: &Bus,
) -> Result<Vec<OperationRecord>, Failure> {
    let removed: BTreeSet<&OperationId> = records.iter().map(|record| &record.op).collect();
    let parents: BTreeSet<&OperationId> = records.iter().filter_map(parent_of).collect();

    // One look at each parent, however many children it has.
    let mut needing = BTreeSet::new();
    for parent in parents.difference(&removed).copied() {
        if needs_children(parent, bus).await? {
            needing.insert(parent.clone());
        }
    }
    records.retain(|record| !parent_of(record).is_some_and(|parent| needing.contains(parent)));
    Ok(records)
}

fn parent_of(record: &OperationRecord) -> Option<&OperationId> {
    record.parent.as_ref().map(|parent| &parent.op)
}

/// True for a parent that is not completed: it runs, or may be resumed, and reads what its children
/// have done.
async fn needs_children(parent: &OperationId, bus: &Bus) -> Result<bool, Failure> {
    match bus.operations().get(parent).await {
        Ok(None) => Ok(false),
        Ok(Some(stored)) => Ok(stored.record.state != OperationState::Completed),
        Err(BusError::UnreadableRecord { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The states in which an operation has ended.
const ENDED: [OperationState; 3] = [
    OperationState::Completed,
    OperationState::Failed,
    OperationState::Cancelled,
];

fn is_due(record: &OperationRecord, args: &PruneArgs, now: Timestamp) -> bool {
    let is_old = record
        .finished_at
        .is_some_and(|finished| now.duration_since(finished) >= args.older_than);
    is_old && record.state.is_terminal()
}

fn show(records: &[OperationRecord], context: &Context) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in records {
        let key = (record.state.as_str(), record.kind.as_str());
        *counts.entry(key).or_default() += 1;
    }

    let mut rows = Vec::with_capacity(counts.len());
    for ((state, kind), count) in counts {
        rows.push(vec![state.to_owned(), kind.to_owned(), count.to_string()]);
    }
    if !rows.is_empty() {
        context.output.table(&HEADS, &rows);
    }
}

/// Removes the records that are still as they were; one that was resumed meanwhile stays, and with
/// it its children.
async fn remove(
    records: Vec<OperationRecord>,
    args: &PruneArgs,
    bus: &Bus,
) -> Result<Vec<OperationId>, Failure> {
    let (children, others): (Vec<_>, Vec<_>) = records
        .into_iter()
        .partition(|record| record.parent.is_some());
    let mut removed = remove_due(&others, args, bus).await?;

    // Only now it is clear which parents stay.
    let children = retain_unneeded(children, bus).await?;
    removed.extend(remove_due(&children, args, bus).await?);
    Ok(removed)
}

async fn remove_due(
    records: &[OperationRecord],
    args: &PruneArgs,
    bus: &Bus,
) -> Result<Vec<OperationId>, Failure> {
    let mut removed = Vec::with_capacity(records.len());

    for record in records {
        let stored = bus.operations().get(&record.op).await?;
        let Some(stored) = stored.filter(|each| is_due(&each.record, args, Timestamp::now()))
        else {
            continue;
        };
        if bus.operations().remove_ended(&stored).await? {
            removed.push(record.op.clone());
        }
    }
    Ok(removed)
}
