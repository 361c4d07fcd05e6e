//! What an estimate of a steady run promises, whatever its length, and after a resume.

use proptest::prelude::*;

use super::*;

/// A report of a made-up run: seconds since its start, and the fraction done.
type Report = (f64, f64);

/// The estimates after each report, as a screen would show them.
fn estimates_of(reports: &[Report]) -> Vec<Option<f64>> {
    let start = Instant::now();
    let mut estimator = Estimator::default();
    let mut estimates = Vec::new();
    for (seconds, fraction) in reports {
        let now = start + Duration::from_secs_f64(*seconds);
        estimator.observe(*fraction, now);
        estimates.push(estimator.remaining(now));
    }
    estimates
}

/// A run of steps of `lengths`, from `from` on; before it `reading` seconds without progress.
fn steady_run(lengths: &[f64], from: f64, reading: f64) -> Vec<Report> {
    let mut reports = vec![(0.0, 0.0), (reading, from)];
    let mut seconds = reading;
    for (done, length) in lengths.iter().enumerate() {
        seconds += length;
        let share = (done + 1) as f64 / lengths.len() as f64;
        reports.push((seconds, from + (1.0 - from) * share));
    }
    reports
}

/// The most rises in a row.
fn longest_rise(estimates: &[Option<f64>]) -> usize {
    let mut longest = 0;
    let mut rises = 0;
    let estimates_shown: Vec<f64> = estimates.iter().copied().flatten().collect();
    for pair in estimates_shown.windows(2) {
        rises = if pair[1] > pair[0] { rises + 1 } else { 0 };
        longest = longest.max(rises);
    }
    longest
}

#[test]
fn half_of_a_steady_step_after_ten_seconds_leaves_ten() {
    // 100 steps of 0.2 s.
    let reports = steady_run(&[0.2; 100], 0.0, 0.0);

    let half = estimates_of(&reports)[51].unwrap();

    assert!((half - 10.0).abs() < 0.1, "{half}");
}

#[test]
fn the_work_of_the_attempt_before_is_not_credited() {
    // From 60 % on, in 100 steps of 0.4 s, after 3 s of reading: half way 20 s are left.
    let reports = steady_run(&[0.4; 100], 0.6, 3.0);

    let half = estimates_of(&reports)[51].unwrap();

    assert!((half - 20.0).abs() < 0.5, "{half}");
}

#[test]
fn nothing_is_shown_before_two_seconds_of_work() {
    let estimates = estimates_of(&[(0.0, 0.0), (0.5, 0.01), (1.9, 0.02), (2.5, 0.025)]);

    assert_eq!(estimates[..3], [None, None, None]);
    // 2.5 % in 2.5 s: 97.5 s are left.
    let last = estimates[3].unwrap();
    assert!((60.0..=130.0).contains(&last), "{last}");
}

#[test]
fn between_two_reports_the_estimate_counts_down() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs_f64(seconds);
    let mut estimator = Estimator::default();
    for step in 0..=10 {
        estimator.observe(f64::from(step) / 100.0, at(f64::from(step)));
    }
    assert_eq!(estimator.remaining(at(10.0)).map(f64::round), Some(90.0));

    // The same report again says nothing of speed.
    estimator.observe(0.1, at(15.0));
    assert_eq!(estimator.remaining(at(15.0)).map(f64::round), Some(85.0));
    assert_eq!(estimator.remaining(at(1_000.0)), Some(0.0));
}

#[test]
fn estimates_that_contradict_each_other_are_not_shown() {
    // A step at 1 % a second, that then needs 50 s for one percent.
    let steps = (0..=20).map(|done| (f64::from(done), f64::from(done) / 1e2));
    let mut reports: Vec<Report> = steps.collect();
    reports.push((70.0, 0.21));

    assert_eq!(estimates_of(&reports).last(), Some(&None));
}

#[test]
fn a_slow_beginning_is_forgotten_by_half_way() {
    // 20 s for the first two percent, then 0.2 s each.
    let mut reports = vec![(0.0, 0.0), (20.0, 0.02)];
    for done in 3..=100 {
        reports.push((20.0 + f64::from(done - 2) * 0.2, f64::from(done) / 1e2));
    }

    let half = estimates_of(&reports)[49].unwrap();

    assert!((half - 10.0).abs() <= 2.0, "{half}");
}

proptest! {
    #[test]
    fn a_steady_run_is_estimated_at_half_way(
        lengths in prop::collection::vec(0.9..1.1_f64, 4..400),
        seconds in 8.0..7_200.0_f64,
        from in prop_oneof![Just(0.0), 0.05..0.8_f64],
        reading in 0.0..5.0_f64,
    ) {
        let length = seconds / lengths.len() as f64;
        let lengths: Vec<f64> = lengths.iter().map(|each| each * length).collect();
        let reports = steady_run(&lengths, from, reading);

        let estimates = estimates_of(&reports);

        let half = lengths.len().div_ceil(2);
        let remaining: f64 = lengths[half..].iter().sum();
        let estimate = estimates[half + 1];
        prop_assert!(estimate.is_some(), "nothing is shown at half way");
        let error = (estimate.unwrap() - remaining).abs() / remaining;
        prop_assert!(error <= 0.2, "{:?} for {remaining}", estimate);
        prop_assert!(longest_rise(&estimates) < 3);
    }
}
