//! Schedules: each instant starts one operation, whoever dies, and what was missed is caught up
//! once.

use std::num::NonZeroU64;
use std::time::Duration;

use bus::OperationFilter;
use dummy::Dummy;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use market::Calendar;
use schemas::codec::Message as _;
use schemas::commands::RunDummy;
use schemas::operation::{OperationRecord, OperationState};
use schemas::schedules::{Cron, Decision, Overlap, Schedule, When};
use schemas::subjects;
use system_tests::{Role, Sandbox, until};

use crate::commands::{endless, short};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A schedule of a run of the dummy in these intervals, which is due in `until_due` for the first
/// time.
fn every(interval: SignedDuration, until_due: SignedDuration, dummy: &RunDummy) -> Schedule {
    // Intervals count in milliseconds.
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap();
    let due = now + until_due;
    let milliseconds = u64::try_from(interval.as_millis()).unwrap();
    let mut operation = dummy.operation();
    let label = ("schedule".to_owned(), "nightly".to_owned());
    operation.labels.extend([label]);
    operation.by = Some("ann@desk".to_owned());

    Schedule {
        v: Schedule::VERSION,
        name: "nightly".parse().unwrap(),
        when: When::Every(NonZeroU64::new(milliseconds).unwrap()),
        time_zone: "UTC".to_owned(),
        calendar: None,
        on_overlap: Overlap::Skip,
        command: "dummy start".to_owned(),
        operation,
        created: due - interval,
        next: Some(due),
        last: None,
        skipped: None,
    }
}

fn in_ms(milliseconds: i64) -> SignedDuration {
    SignedDuration::from_millis(milliseconds)
}

/// The operations that the schedule has started.
async fn runs(sandbox: &Sandbox) -> Vec<OperationRecord> {
    let labels = [("schedule".to_owned(), "nightly".to_owned())].into();
    let filter = OperationFilter {
        labels,
        ..OperationFilter::default()
    };
    let operations = sandbox.bus().operations();
    operations.list(100, &filter).await.unwrap()
}

/// Waits until the schedule has moved on from its first instant.
async fn until_moved_on(sandbox: &Sandbox, first: &Schedule) -> Schedule {
    until("the schedule to move on", || async {
        let stored = sandbox.bus().schedules().get(&first.name).await.ok()??;
        (stored.schedule.next > first.next).then_some(stored.schedule)
    })
    .await
}

/// Waits until the server has the timer of the next instant.
async fn until_timer(sandbox: &Sandbox, schedule: &Schedule) {
    let jetstream = sandbox.jetstream();
    let timers = jetstream.get_stream(subjects::SCHEDULE_TIMERS).await;
    let timers = timers.unwrap();
    let subject = subjects::schedule_timer(&schedule.name);
    let at = format!("@at {}", schedule.next.unwrap());

    until("the timer of the next instant", || async {
        let timer = timers
            .get_last_raw_message_by_subject(&subject)
            .await
            .ok()?;
        (timer.headers.get("Nats-Schedule")?.as_str() == at).then_some(())
    })
    .await;
}

async fn add(sandbox: &Sandbox, schedule: &Schedule) {
    let schedules = sandbox.bus().schedules();
    assert!(schedules.add(schedule).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_starts_an_operation_and_is_due_again() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let schedule = every(HOUR, in_ms(200), &short(1));

    add(&sandbox, &schedule).await;

    let after = until_moved_on(&sandbox, &schedule).await;
    let due = schedule.next.unwrap();
    assert_eq!(after.next, Some(due + HOUR));
    until_timer(&sandbox, &after).await;
    let run = after.last.unwrap();
    assert_eq!(run.due, due);
    assert_eq!(run.op, schedule.operation_id(due).unwrap());
    let record = sandbox.until_concluded(&run.op).await;
    assert_eq!(record.state, OperationState::Completed);
    assert_eq!(record.by.as_deref(), Some("ann@desk"));
    assert_eq!(record.labels["schedule"], "nightly");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_missed_without_workers_are_caught_up_once() {
    let sandbox = Sandbox::start().await;
    let ten_hours_ago = in_ms(-36_000_000);
    let schedule = every(HOUR, ten_hours_ago, &short(1));
    add(&sandbox, &schedule).await;

    let _housekeeper = sandbox.start_housekeeper().await;

    let after = until_moved_on(&sandbox, &schedule).await;
    assert!(after.next > Some(Timestamp::now() - in_ms(5_000)));
    assert_eq!(runs(&sandbox).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_missed_by_a_killed_server_is_caught_up_once() {
    let sandbox = Sandbox::start().await;
    let housekeeper = sandbox.start_housekeeper().await;
    let schedule = every(HOUR, in_ms(700), &short(1));
    add(&sandbox, &schedule).await;

    // Nobody is there when it is due: neither the server nor a housekeeper.
    housekeeper.kill();
    sandbox.kill_server();
    sandbox.after(Duration::from_millis(1_000)).await;
    sandbox.restart_server();
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;

    let after = until_moved_on(&sandbox, &schedule).await;
    sandbox.until_concluded(&after.last.unwrap().op).await;
    assert_eq!(runs(&sandbox).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_announced_twice_is_one_operation() {
    let sandbox = Sandbox::start().await;
    let schedule = every(HOUR, in_ms(300), &short(1));
    let due = schedule.next.unwrap();
    add(&sandbox, &schedule).await;

    // What a housekeeper leaves behind that dies between its submission and its note of it.
    let op = schedule.operation_id(due).unwrap();
    let operations = sandbox.bus().operations();
    operations.submit(&op, &schedule.operation).await.unwrap();
    let _worker = sandbox.run(Dummy).await;
    sandbox.until_concluded(&op).await;
    let _both = [
        sandbox.start_housekeeper().await,
        sandbox.start_housekeeper().await,
    ];
    let after = until_moved_on(&sandbox, &schedule).await;
    assert_eq!(after.last.unwrap().op, op);

    // And a delivery that comes late.
    let subject = subjects::schedule_due(&schedule.name);
    let jetstream = sandbox.jetstream();
    let published = jetstream.publish(subject, "".into()).await.unwrap();
    published.await.unwrap();
    until("the late delivery to be answered", || async {
        let stream = jetstream.get_stream(subjects::SCHEDULE_TIMERS).await.ok()?;
        // The timer of the next instant is all that is left.
        (stream.cached_info().state.messages == 1).then_some(())
    })
    .await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.steps[0].attempt, 1);
    assert_eq!(runs(&sandbox).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_schedule_starts_nothing_more() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let schedule = every(HOUR, in_ms(400), &short(1));
    add(&sandbox, &schedule).await;

    assert!(
        sandbox
            .bus()
            .schedules()
            .remove(&schedule.name)
            .await
            .unwrap()
    );

    let jetstream = sandbox.jetstream();
    let timers = jetstream.get_stream(subjects::SCHEDULE_TIMERS).await;
    assert_eq!(timers.unwrap().cached_info().state.messages, 0);

    // One that is due later shows that the first would have been started.
    let witness = Schedule {
        name: "witness".parse().unwrap(),
        ..every(HOUR, in_ms(600), &short(1))
    };
    add(&sandbox, &witness).await;
    let after = until_moved_on(&sandbox, &witness).await;
    let started: Vec<_> = runs(&sandbox).await.into_iter().map(|run| run.op).collect();
    assert_eq!(started, [after.last.unwrap().op]);
    assert!(
        !sandbox
            .bus()
            .schedules()
            .remove(&schedule.name)
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_skipped_while_the_one_before_works() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let schedule = every(in_ms(500), in_ms(200), &endless());

    add(&sandbox, &schedule).await;

    let skipped = until("a run to be skipped", || async {
        let stored = sandbox.bus().schedules().get(&schedule.name).await.ok()??;
        let last = stored.schedule.last?;
        Some((last.op, stored.schedule.skipped?))
    })
    .await;
    let (op, skip) = skipped;
    assert!(skip.due > schedule.next.unwrap());
    assert!(
        skip.reason.starts_with(&format!("{op} was still ")),
        "{}",
        skip.reason
    );
    assert_eq!(runs(&sandbox).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_run_starts_when_the_one_before_has_ended() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let schedule = Schedule {
        on_overlap: Overlap::Queue,
        ..every(in_ms(500), in_ms(200), &endless())
    };
    add(&sandbox, &schedule).await;

    // Three instants pass while the first run works: they are one run.
    let second = until_moved_on(&sandbox, &schedule).await;
    let first_run = second.last.clone().unwrap().op;
    sandbox.until_working(&first_run, 1).await;
    sandbox.after(Duration::from_millis(1_600)).await;
    let stored = sandbox.bus().schedules().get(&schedule.name).await.unwrap();
    assert_eq!(stored.unwrap().schedule, second);
    assert_eq!(runs(&sandbox).await.len(), 1);
    let cancels = sandbox.bus().cancels();
    cancels.request(&first_run, "").await.unwrap();
    sandbox.until_concluded(&first_run).await;

    let after = until_moved_on(&sandbox, &second).await;
    let run = after.last.unwrap();
    assert_eq!(Some(run.due), second.next);
    assert_eq!(run.op, schedule.operation_id(run.due).unwrap());
    assert!(after.next > Some(run.due + in_ms(1_000)));
    assert_eq!(after.skipped, None);
    assert_eq!(runs(&sandbox).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_whose_timer_is_lost_is_started_all_the_same() {
    let sandbox = Sandbox::start().await;
    let schedule = every(HOUR, in_ms(200), &short(1));
    add(&sandbox, &schedule).await;
    let jetstream = sandbox.jetstream();
    let timers = jetstream
        .get_stream(subjects::SCHEDULE_TIMERS)
        .await
        .unwrap();
    timers.purge().await.unwrap();

    let _housekeeper = sandbox.start_housekeeper().await;

    let after = until_moved_on(&sandbox, &schedule).await;
    assert_eq!(after.last.unwrap().due, schedule.next.unwrap());
    assert_eq!(runs(&sandbox).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_may_schedule_and_workers_carry_it_out() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let schedule = every(HOUR, in_ms(200), &short(1));

    add(&sandbox, &schedule).await;
    until_moved_on(&sandbox, &schedule).await;

    let person = sandbox.connect_as(Role::Person).await;
    assert_eq!(person.schedules().list().await.unwrap().len(), 1);
    assert!(!person.schedules().add(&schedule).await.unwrap());
    assert!(person.schedules().remove(&schedule.name).await.unwrap());
    assert_eq!(person.schedules().list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_was_added_later_decides_about_days() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    // Another process adds it.
    let calendars = sandbox.folder().join("objects/calendars");
    std::fs::create_dir_all(&calendars).unwrap();
    let text = r#"{"name": "mondays", "exchange_time_zone": "UTC",
        "sessions": {"monday": [{"open": "10:00", "close": "11:00"}]}}"#;
    std::fs::write(calendars.join("mondays.json"), text).unwrap();

    let schedule = Schedule {
        when: When::Cron("0 12 * * *".parse().unwrap()),
        calendar: Some("mondays".to_owned()),
        ..every(HOUR, in_ms(-60_000), &short(1))
    };
    add(&sandbox, &schedule).await;

    let after = until_moved_on(&sandbox, &schedule).await;
    let next = after.next.unwrap().to_zoned(TimeZone::UTC);
    assert_eq!((next.weekday(), next.hour()), (Weekday::Monday, 12));
}

#[test]
fn a_schedule_with_a_calendar_leaves_out_its_holidays() {
    let cron: Cron = "0 22 * * 1-5".parse().unwrap();
    let schedule = Schedule {
        when: When::Cron(cron),
        calendar: Some("us_equities".to_owned()),
        ..every(HOUR, HOUR, &short(1))
    };
    let calendar = Calendar::named("us_equities").unwrap();
    let next = |after: &str| {
        let after = after.parse().unwrap();
        let trades = |instant| calendar.trades_at(instant);
        schedule
            .next_after(after, &trades)
            .unwrap()
            .unwrap()
            .to_string()
    };

    // Thanksgiving is on Thursday, the 26th of November 2026.
    assert_eq!(next("2026-11-24T22:00:00Z"), "2026-11-25T22:00:00Z");
    assert_eq!(next("2026-11-25T22:00:00Z"), "2026-11-27T22:00:00Z");
    assert_eq!(next("2026-11-27T22:00:00Z"), "2026-11-30T22:00:00Z");
}

#[test]
fn what_is_due_follows_from_schedule_and_last_run() {
    let mut schedule = every(HOUR, in_ms(-1_000), &short(1));
    let due = schedule.next.unwrap();
    let op = schedule.operation_id(due).unwrap();
    let start = Decision::Start { due, op };
    let before = due - in_ms(1);
    assert_eq!(schedule.decide(before, None).unwrap(), Decision::Wait);
    assert_eq!(schedule.decide(due, None).unwrap(), start);

    // The run before has ended, or has not.
    schedule.note(start, due);
    schedule.next = Some(due + HOUR);
    let now = due + HOUR;
    let ended = schedule.decide(now, Some(OperationState::Failed)).unwrap();
    assert!(matches!(ended, Decision::Start { .. }), "{ended:?}");
    let at_work = schedule.decide(now, Some(OperationState::Running)).unwrap();
    assert!(matches!(at_work, Decision::Skip(_)), "{at_work:?}");

    schedule.on_overlap = Overlap::Queue;
    let at_work = schedule.decide(now, Some(OperationState::Running)).unwrap();
    assert_eq!(at_work, Decision::Queue);
    let ended = schedule.decide(now, Some(OperationState::Failed)).unwrap();
    assert!(matches!(ended, Decision::Start { .. }), "{ended:?}");
}
