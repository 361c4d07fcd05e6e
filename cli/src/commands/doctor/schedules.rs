//! Check of the schedules: whether somebody starts what is due.

use std::time::Duration;

use bus::Bus;
use jiff::Timestamp;

use super::check::Check;
use super::failed_check;
use crate::console::count_of;
use crate::console::durations::instant;
use crate::inputs::schedules::{ScheduleNow, first_overdue, read_schedules};

const NAME: &str = "schedules";

/// Looks at the schedules and at their last runs.
pub(super) async fn check_schedules(bus: &Bus) -> Check {
    match read_schedules(bus).await {
        Ok(schedules) => judge_schedules(&schedules, Timestamp::now(), bus.timing().ack_wait),
        Err(failure) => failed_check(NAME, failure),
    }
}

fn judge_schedules(schedules: &[ScheduleNow], now: Timestamp, ack_wait: Duration) -> Check {
    if let Some(schedule) = first_overdue(schedules, now, ack_wait) {
        let due = instant(schedule.next.unwrap_or(now));
        let detail = format!("{} was due at {due}, and nobody started it", schedule.name);
        let hint = "start a fetcher, a registry or a family service, or `ktrdr up`; one of them \
                    does the housekeeping, which starts what is due";
        return Check::bad(NAME, detail, hint);
    }

    let waiting = schedules.iter().filter(|each| !each.is_queued(now));
    let next = waiting
        .filter_map(|each| Some((each.schedule.next?, &each.schedule.name)))
        .min();
    Check::ok(
        NAME,
        match (schedules, next) {
            ([], _) => "none".to_owned(),
            (_, None) => count_of(schedules.len(), "schedule"),
            (_, Some((due, name))) => {
                let count = count_of(schedules.len(), "schedule");
                format!("{count}; the next is {name} at {}", instant(due))
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::check::Verdict;
    use super::*;

    fn schedule(name: &str, next: &str) -> ScheduleNow {
        let schedule = serde_json::from_value(json!({
            "v": 1,
            "name": name,
            "when": { "cron": "0 22 * * *" },
            "time_zone": "UTC",
            "command": "dummy start",
            "operation": { "kind": "dummy", "plan": [] },
            "created": "2026-03-01T00:00:00Z",
            "next": next,
        }));

        ScheduleNow {
            schedule: schedule.unwrap(),
            last_state: None,
        }
    }

    fn judge_at(now: &str) -> Check {
        let schedules = [
            schedule("weekly", "2026-03-07T22:00:00Z"),
            schedule("nightly", "2026-03-01T22:00:00Z"),
        ];
        judge_schedules(&schedules, now.parse().unwrap(), Duration::from_secs(5))
    }

    #[test]
    fn the_schedule_that_is_due_next_is_named() {
        let check = judge_at("2026-03-01T12:00:00Z");
        let detail = "2 schedules; the next is nightly at 2026-03-01 22:00:00Z";
        assert_eq!(check, Check::ok(NAME, detail));

        let none = judge_schedules(&[], Timestamp::UNIX_EPOCH, Duration::from_secs(5));
        assert_eq!(none, Check::ok(NAME, "none"));
    }

    #[test]
    fn a_schedule_that_nobody_starts_is_a_fault() {
        let check = judge_at("2026-03-02T08:00:00Z");

        assert_eq!(check.verdict, Verdict::Bad);
        let text = serde_json::to_value(&check).unwrap();
        let detail = "nightly was due at 2026-03-01 22:00:00Z, and nobody started it";
        assert_eq!(text["detail"], detail);
    }
}
