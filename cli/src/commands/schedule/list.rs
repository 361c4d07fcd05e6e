//! `ktrdr schedule list`: every schedule with its next and its last run.

use super::state::{describe_when, last_state, last_text, listed_json};
use crate::console::durations::instant;
use crate::console::{Exit, Failure};
use crate::context::Context;

const HEADS: [&str; 6] = ["NAME", "TIMES", "IN WORDS", "NEXT", "LAST RUN", "COMMAND"];

/// Lists the schedules.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;
    let schedules = bus.schedules().list().await?;
    if schedules.is_empty() {
        output.note("No schedules; `ktrdr schedule add --help` shows how to add one");
        return Ok(Exit::Done);
    }

    let mut rows = Vec::with_capacity(schedules.len());
    for schedule in &schedules {
        let state = last_state(schedule, &bus).await?;
        output.json(&listed_json(schedule, state));
        rows.push(vec![
            schedule.name.to_string(),
            schedule.when.to_string(),
            describe_when(schedule),
            schedule.next.map_or_else(|| "-".to_owned(), instant),
            last_text(schedule, state),
            schedule.command.clone(),
        ]);
    }
    output.table_with_remarks(&HEADS, &rows);
    Ok(Exit::Done)
}
