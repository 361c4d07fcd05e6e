//! Schedules as commands look at them: what became of the last run, and which one nobody starts.

use std::time::Duration;

use bus::Bus;
use jiff::Timestamp;
use schemas::operation::OperationState;
use schemas::schedules::{Decision, Schedule};

use crate::console::Failure;
use crate::console::durations::after;

/// Waits after which a schedule counts as overdue: housekeeping finds one within four of them.
const OVERDUE_WAITS: u32 = 6;

/// A schedule, and the state of the operation that it started last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScheduleNow {
    /// The schedule as it is stored.
    pub(crate) schedule: Schedule,
    /// None before the first run, and when the record of the last one is gone.
    pub(crate) last_state: Option<OperationState>,
}

/// All schedules by name.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn read_schedules(bus: &Bus) -> Result<Vec<ScheduleNow>, Failure> {
    let schedules = bus.schedules().list().await?;
    let mut states = Vec::with_capacity(schedules.len());
    for schedule in schedules {
        states.push(with_last_state(schedule, bus).await?);
    }
    Ok(states)
}

/// The schedule with the state of its last run.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn with_last_state(schedule: Schedule, bus: &Bus) -> Result<ScheduleNow, Failure> {
    let stored = match &schedule.last {
        Some(last) => bus.operations().get(&last.op).await?,
        None => None,
    };
    Ok(ScheduleNow {
        last_state: stored.map(|stored| stored.record.state),
        schedule,
    })
}

impl ScheduleNow {
    /// True for one that is due and waits until the run before has ended.
    pub(crate) fn is_queued(&self, now: Timestamp) -> bool {
        self.schedule.decide(now, self.last_state) == Ok(Decision::Queue)
    }

    /// True for one that housekeeping would have started for certain, had there been any.
    fn is_overdue(&self, now: Timestamp, ack_wait: Duration) -> bool {
        let patience = ack_wait * OVERDUE_WAITS;
        let due = self.schedule.next.unwrap_or(now);
        after(due, now) > patience && !self.is_queued(now)
    }
}

/// The first schedule that nobody starts although it is due.
pub(crate) fn first_overdue(
    schedules: &[ScheduleNow],
    now: Timestamp,
    ack_wait: Duration,
) -> Option<&Schedule> {
    let mut overdue = schedules
        .iter()
        .filter(|each| each.is_overdue(now, ack_wait));
    overdue.next().map(|each| &each.schedule)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A schedule that is due at ten in the evening, whose last run is in this state.
    fn due_at_ten(on_overlap: &str, last_state: OperationState) -> ScheduleNow {
        let schedule = serde_json::from_value(json!({
            "v": 1,
            "name": "nightly",
            "when": { "cron": "0 22 * * *" },
            "time_zone": "UTC",
            "on_overlap": on_overlap,
            "command": "dummy start",
            "operation": { "kind": "dummy", "plan": [] },
            "created": "2026-03-01T00:00:00Z",
            "next": "2026-03-01T22:00:00Z",
            "last": {
                "due": "2026-02-28T22:00:00Z",
                "at": "2026-02-28T22:00:00Z",
                "op": "op_dummy_20260228_220000_9f3a01bc",
            },
        }));

        ScheduleNow {
            schedule: schedule.unwrap(),
            last_state: Some(last_state),
        }
    }

    fn is_overdue_at(now: &str, schedule: ScheduleNow) -> bool {
        let wait = Duration::from_secs(5);
        first_overdue(&[schedule], now.parse().unwrap(), wait).is_some()
    }

    #[test]
    fn a_schedule_that_nobody_starts_is_overdue() {
        let schedule = due_at_ten("skip", OperationState::Completed);

        assert!(!is_overdue_at("2026-03-01T21:00:00Z", schedule.clone()));
        assert!(!is_overdue_at("2026-03-01T22:00:30Z", schedule.clone()));
        assert!(is_overdue_at("2026-03-01T22:00:31Z", schedule));
    }

    #[test]
    fn a_run_that_waits_for_the_one_before_is_not_overdue() {
        let now = "2026-03-01T23:00:00Z";

        let waits = due_at_ten("queue", OperationState::Running);
        assert!(waits.is_queued(now.parse().unwrap()));
        assert!(!is_overdue_at(now, waits));
        assert!(is_overdue_at(
            now,
            due_at_ten("queue", OperationState::Failed)
        ));
    }
}
