//! `ktrdr ops logs`: the history of an operation, from its events.

use clap::Args;
use schemas::events::{Event, What};
use serde_json::json;

use crate::arguments::OperationArg;
use crate::console::durations::{after, rough};
use crate::console::{Exit, Failure, extended};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use crate::watch::{describe_work, summarise_fields};

const HEADS: [&str; 6] = ["TIME", "STEP", "WHAT", "ATTEMPT", "WORKER", "DETAIL"];

/// `ktrdr ops logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Operation to show
    op: OperationArg,
}

/// Lists the events, oldest first.
///
/// # Errors
/// There is no such operation, or the server cannot be asked.
pub(super) async fn run(args: &LogsArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;
    let op = match &args.op {
        // Events outlive the record that `ktrdr ops prune` removes.
        OperationArg::Id(op) => op.clone(),
        arg => find_operation(&bus, arg).await?,
    };
    let events = bus.events().list(&op).await?;

    if events.is_empty() {
        find_operation(&bus, &args.op).await?;
        output.note(&format!(
            "Nothing has happened to {op} yet, or its events are no longer stored"
        ));
        return Ok(Exit::Done);
    }

    if matches!(bus.operations().get(&op).await, Ok(None)) {
        output.note(&format!(
            "The record of {op} was removed; these events are still stored"
        ));
    }
    for event in &events {
        output.json(&extended(event, [("type", json!("event"))]));
    }
    let rows: Vec<Vec<String>> = events.iter().map(event_row).collect();
    output.table(&HEADS, &rows);
    Ok(Exit::Done)
}

fn event_row(event: &Event) -> Vec<String> {
    let worker = match &event.worker {
        Some(worker) => worker.to_string(),
        None => "-".to_owned(),
    };
    vec![
        event.at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string(),
        format!("{}/{} {}", event.step, event.steps, event.service),
        event.what.as_str().to_owned(),
        event.attempt.to_string(),
        worker,
        describe_event(event),
    ]
}

/// The error with its hint and the next try where something went wrong, the result where it went
/// well.
fn describe_event(event: &Event) -> String {
    let text = match (&event.error, event.what) {
        (Some(error), _) if error.hint.is_empty() => error.to_string(),
        (Some(error), _) => format!("{error}; {}", error.hint),
        (None, What::Completed) => summarise_fields(&event.result),
        (None, _) => String::new(),
    };

    let mut parts = vec![text, describe_work(&event.done)];
    if let Some(due) = event.due {
        parts.push(format!("next try in {}", rough(after(event.at, due))));
    }
    if let Some(by) = &event.by {
        parts.push(format!("asked for by {by}"));
    }
    parts.extend(event.reason.clone());

    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}
