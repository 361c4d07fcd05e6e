//! `ktrdr schedule list`: every schedule with its next and its last run.

use std::time::Duration;

use jiff::Timestamp;
use schemas::schedules::{Schedule, ScheduleName};

use super::state::{describe_when, last_state, last_text, listed_json};
use crate::console::durations::{after, instant};
use crate::console::{Exit, Failure};
use crate::context::Context;

const HEADS: [&str; 6] = ["NAME", "TIMES", "IN WORDS", "NEXT", "LAST RUN", "COMMAND"];
/// Waits after which a schedule counts as overdue: housekeeping finds one within four of them.
const OVERDUE_WAITS: u32 = 6;

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
    if let Some(name) = first_overdue(&schedules, Timestamp::now(), bus.timing().ack_wait) {
        output.note(&format!(
            "hint: {name} is overdue: start a fetcher, a registry or a family service, or `ktrdr \
             up`; one of them does the housekeeping, which starts what is due"
        ));
    }
    Ok(Exit::Done)
}

/// The first schedule that housekeeping would have started for certain, had there been any.
fn first_overdue(
    schedules: &[Schedule],
    now: Timestamp,
    ack_wait: Duration,
) -> Option<&ScheduleName> {
    let patience = ack_wait * OVERDUE_WAITS;
    let mut overdue = schedules.iter().filter(|schedule| {
        let due = schedule.next.unwrap_or(now);
        after(due, now) > patience
    });
    overdue.next().map(|schedule| &schedule.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_that_nobody_starts_is_named() {
        let schedule: Schedule = serde_json::from_value(json!({
            "v": 1,
            "name": "nightly",
            "when": { "cron": "0 22 * * *" },
            "time_zone": "UTC",
            "command": "dummy start",
            "operation": { "kind": "dummy", "plan": [] },
            "created": "2026-03-01T00:00:00Z",
            "next": "2026-03-01T22:00:00Z",
        }))
        .unwrap();
        let schedules = [schedule];
        let wait = Duration::from_secs(5);
        let overdue_at = |now: &str| first_overdue(&schedules, now.parse().unwrap(), wait);

        assert_eq!(overdue_at("2026-03-01T21:00:00Z"), None);
        assert_eq!(overdue_at("2026-03-01T22:00:30Z"), None);
        let name = &schedules[0].name;
        assert_eq!(overdue_at("2026-03-01T22:00:31Z"), Some(name));
    }
}
