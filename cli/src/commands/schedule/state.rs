//! What a schedule says about itself: its times in words, and what became of its last run.

use bus::Bus;
use jiff::Timestamp;
use schemas::codes;
use schemas::operation::OperationState;
use schemas::schedules::{Schedule, ScheduleName, When};
use schemas::spelling::nearest_name;
use serde_json::{Value, json};

use crate::console::durations::instant;
use crate::console::{Exit, Failure, extended};
use crate::inputs::schedules::ScheduleNow;

/// Its times in words, with time zone and calendar.
pub(super) fn describe_when(schedule: &Schedule) -> String {
    let mut text = schedule.when.describe();
    if matches!(schedule.when, When::Cron(_)) {
        text.push_str(&format!(", {}", schedule.time_zone));
    }
    if let Some(calendar) = &schedule.calendar {
        text.push_str(&format!(", on trading days of {calendar}"));
    }
    text
}

/// When it is due next; that a run waits for the one before is said instead.
pub(super) fn next_text(each: &ScheduleNow, now: Timestamp) -> String {
    match each.schedule.next {
        Some(_) if each.is_queued(now) => "after the last run".to_owned(),
        Some(next) => instant(next),
        None => "-".to_owned(),
    }
}

/// When it was due last and what became of it: `2026-03-06 22:00:00Z completed`.
pub(super) fn last_text(each: &ScheduleNow) -> String {
    match (&each.schedule.skipped, &each.schedule.last) {
        (Some(skipped), _) => format!("{} skipped", instant(skipped.due)),
        (None, Some(last)) => {
            let state = each.last_state;
            let state = state.map_or("record removed", OperationState::as_str);
            format!("{} {state}", instant(last.due))
        }
        (None, None) => "-".to_owned(),
    }
}

/// The schedule for programs, without its request.
pub(super) fn listed_json(each: &ScheduleNow) -> Value {
    let schedule = &each.schedule;
    let last = schedule.last.as_ref().map(|last| {
        let state = json!(each.last_state.map(OperationState::as_str));
        extended(last, [("state", state)])
    });

    json!({
        "type": "schedule",
        "name": schedule.name,
        "times": schedule.when.to_string(),
        "words": describe_when(schedule),
        "time_zone": schedule.time_zone,
        "calendar": schedule.calendar,
        "on_overlap": schedule.on_overlap,
        "command": schedule.command,
        "by": schedule.operation.by,
        "created": schedule.created,
        "next": schedule.next,
        "last": last,
        "skipped": schedule.skipped,
    })
}

/// The schedule for programs, with its request.
pub(super) fn whole_json(each: &ScheduleNow) -> Value {
    let request = ("operation", json!(each.schedule.operation));
    extended(&listed_json(each), [request])
}

/// There is no schedule of this name.
pub(super) async fn no_schedule(name: &ScheduleName, bus: &Bus) -> Failure {
    let names = bus.schedules().names().await.unwrap_or_default();
    let nearest = nearest_name(name.as_str(), names.iter().map(ScheduleName::as_str));

    let message = format!("there is no schedule `{name}`");
    let failure = Failure::new(Exit::NotFound, codes::OPS_SCHEDULE_NOT_FOUND, message);
    match nearest {
        Some(nearest) => failure.with_hint(format!("did you mean `{nearest}`?")),
        None => failure.with_hint("`ktrdr schedule list` shows the schedules that exist"),
    }
}
