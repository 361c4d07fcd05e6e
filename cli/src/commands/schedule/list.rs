//! `ktrdr schedule list`: every schedule with its next and its last run.

use jiff::Timestamp;

use super::state::{describe_when, last_text, listed_json, next_text};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::schedules::{first_overdue, read_schedules};

const HEADS: [&str; 6] = ["NAME", "TIMES", "IN WORDS", "NEXT", "LAST RUN", "COMMAND"];

/// Lists the schedules.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;
    let schedules = read_schedules(&bus).await?;
    if schedules.is_empty() {
        output.note("No schedules; `ktrdr schedule add --help` shows how to add one");
        return Ok(Exit::Done);
    }

    let now = Timestamp::now();
    let mut rows = Vec::with_capacity(schedules.len());
    for each in &schedules {
        output.json(&listed_json(each));
        let schedule = &each.schedule;
        rows.push(vec![
            schedule.name.to_string(),
            schedule.when.to_string(),
            describe_when(schedule),
            next_text(each, now),
            last_text(each),
            schedule.command.clone(),
        ]);
    }
    output.table_with_remarks(&HEADS, &rows);
    if let Some(schedule) = first_overdue(&schedules, now, bus.timing().ack_wait) {
        output.note(&format!(
            "hint: {} is overdue: start a fetcher, a registry or a family service, or `ktrdr up`; \
             one of them does the housekeeping, which starts what is due",
            schedule.name
        ));
    }
    Ok(Exit::Done)
}
