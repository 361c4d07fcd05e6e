//! `ktrdr ops logs`: what happened to an operation, step by step, as its events tell it.

use schemas::events::{Event, What};
use schemas::ids::OperationId;
use serde_json::json;

use crate::console::{Exit, Failure, extended};
use crate::context::Context;
use crate::watch::brief;

/// Runs the command.
///
/// # Errors
/// The operation is not known, or the server cannot be asked.
pub(super) async fn run(op: &OperationId, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    let events = bus.events_of(op).await?;
    if events.is_empty() && bus.record(op).await?.is_none() {
        return Err(Failure::no_operation(op));
    }
    if events.is_empty() {
        context.output.note(&format!(
            "Nothing has happened to {op} yet, or its events are no longer kept"
        ));
        return Ok(Exit::Done);
    }
    for event in &events {
        context
            .output
            .json(&extended(event, [("type", json!("event"))]));
    }
    let rows: Vec<Vec<String>> = events.iter().map(row).collect();
    context.output.table(
        &["TIME", "STEP", "WHAT", "ATTEMPT", "WORKER", "DETAIL"],
        &rows,
    );
    Ok(Exit::Done)
}

fn row(event: &Event) -> Vec<String> {
    let Event {
        step,
        steps,
        service,
        what,
        attempt,
        at,
        worker,
        ..
    } = event;
    vec![
        at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string(),
        format!("{step}/{steps} {service}"),
        what.as_str().to_owned(),
        attempt.to_string(),
        worker
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string),
        detail(event),
    ]
}

/// Why, where something went wrong; what came out, where it went well.
fn detail(event: &Event) -> String {
    match (&event.error, event.what) {
        (Some(error), _) if error.hint.is_empty() => error.to_string(),
        (Some(error), _) => format!("{error}; {}", error.hint),
        (None, What::Completed) => brief(&event.result),
        (None, _) => String::new(),
    }
}
