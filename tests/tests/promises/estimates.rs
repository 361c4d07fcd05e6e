//! Estimates: the time that is left at half way, also after a takeover, and the history with which
//! the next step begins.

use dummy::Dummy;
use futures::future::join_all;
use jiff::Timestamp;
use schemas::commands::RunDummy;
use schemas::ids::{OperationId, Service};
use schemas::progress::ProgressRecord;
use system_tests::{Sandbox, until};

/// Allowed error of an estimate, as a share of what is left. A busy host is not steady; the exact
/// bound of 20 % is that of the properties in `runtime::estimate`.
const ERROR_MAX: f64 = 0.6;
/// Allowed rises in a row, for the same reason.
const RISES_MAX: usize = 6;

/// Eight seconds in forty steps.
fn steady() -> RunDummy {
    RunDummy {
        iterations: 40,
        seconds: 0.2,
        checkpoint_every: 1,
        ..RunDummy::default()
    }
}

/// Seconds between two instants.
fn seconds_between(start: Timestamp, end: Timestamp) -> f64 {
    end.duration_since(start).as_secs_f64()
}

/// The estimate of the first report of an attempt at or after `percent`, with what was left.
fn estimate_at(reports: &[ProgressRecord], attempt: u32, percent: f64, end: Timestamp) -> [f64; 2] {
    let mut of_attempt = reports.iter().filter(|report| report.attempt == attempt);
    let report = of_attempt.find(|report| report.step_percent >= percent);
    let report = report.unwrap();

    let estimate = report.eta_s.expect("there is an estimate");
    [estimate, seconds_between(report.at, end)]
}

/// The most reports in a row whose estimate rises.
fn longest_rise(reports: &[ProgressRecord]) -> usize {
    let estimates: Vec<f64> = reports.iter().filter_map(|report| report.eta_s).collect();
    let mut longest = 0;
    let mut rises = 0;
    for pair in estimates.windows(2) {
        rises = if pair[1] > pair[0] { rises + 1 } else { 0 };
        longest = longest.max(rises);
    }
    longest
}

async fn assert_estimated(sandbox: &Sandbox, op: &OperationId) {
    let end = sandbox.only_completion_of(op).await.at;
    let reports = sandbox.progress_of(op).await;

    let [estimate, remaining] = estimate_at(&reports, 1, 50.0, end);
    let error = (estimate - remaining).abs() / remaining;
    assert!(error <= ERROR_MAX, "{op}: {estimate} s for {remaining} s");
    assert!(longest_rise(&reports) <= RISES_MAX, "{op}: {reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_half_way_of_20_steady_steps_the_estimate_is_close() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run_with(Dummy, |options| options.slots = 20).await;
    let new = steady().operation();
    let ops = join_all((0..20).map(|_| sandbox.submit(&new))).await;

    join_all(ops.iter().map(|op| assert_estimated(&sandbox, op))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_takeover_the_estimate_counts_its_own_work() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut first = sandbox.spawn("ktrdr-dummy");
    let op = sandbox.submit(&steady().operation()).await;
    until("half of the work", || async {
        let reports = sandbox.progress_of(&op).await;
        let last = reports.last()?;
        (last.step_percent >= 50.0).then_some(())
    })
    .await;
    first.kill();
    let _second = sandbox.run(Dummy).await;

    let end = sandbox.only_completion_of(&op).await.at;

    let mut reports = sandbox.progress_of(&op).await;
    reports.retain(|report| report.attempt == 2);
    let [estimate, remaining] = estimate_at(&reports, 2, 80.0, end);
    let error = (estimate - remaining).abs() / remaining;
    assert!(error <= ERROR_MAX, "{estimate} s for {remaining} s");
    assert!(longest_rise(&reports) <= RISES_MAX, "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn durations_of_steps_are_kept_for_the_next_one() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run_with(Dummy, |options| options.slots = 2).await;
    let command = RunDummy {
        iterations: 12,
        ..steady()
    };
    let new = command.operation();

    // One at a time: two writers at one moment may drop a duration.
    for count in 1..=2 {
        sandbox.complete(&new).await;
        until(format!("{count} durations"), || async {
            let histories = sandbox.bus().timings().list().await.ok()?;
            let (key, timings) = histories.first()?;
            assert_eq!(key.service, Service::Dummy);
            assert_eq!((key.size.as_str(), key.device.as_str()), ("small", "none"));
            (timings.steps.len() == count).then_some(())
        })
        .await;
    }

    let histories = sandbox.bus().timings().list().await.unwrap();
    for step in &histories[0].1.steps {
        assert!((2.4..30.0).contains(&step.seconds), "{step:?}");
    }
}
