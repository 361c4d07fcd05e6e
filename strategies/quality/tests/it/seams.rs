//! Stored and new bars of one series: two scales are not joined.

use market::Utc;
use quality::{Finding, Rules, SeamBars, check_seam};

/// Days from 2020-08-24 on, by their number, with their close; each opens at its close.
fn seam(stored: &[(i64, f64)], new: &[(i64, f64)], stored_count: usize) -> Option<Finding> {
    let times = |bars: &[(i64, f64)]| -> Vec<Utc> {
        let days = bars.iter().map(|(day, _)| *day);
        days.map(|day| Utc(1_598_227_200_000_000 + day * 86_400_000_000))
            .collect()
    };
    let closes = |bars: &[(i64, f64)]| -> Vec<f64> { bars.iter().map(|bar| bar.1).collect() };

    let stored_closes = closes(stored);
    let stored_times = times(stored);
    let new_closes = closes(new);
    let new_times = times(new);
    let side = |times: &'_ [Utc], closes: &'_ [f64]| -> Option<Finding> {
        let stored = SeamBars {
            times: &stored_times,
            opens: &stored_closes,
            closes: &stored_closes,
        };
        let new = SeamBars {
            times,
            opens: closes,
            closes,
        };
        check_seam(stored, stored_count, new, &Rules::default())
    };
    side(&new_times, &new_closes)
}

/// Four days before the split of Apple of 31 August 2020, as they were traded.
const OLD: [(i64, f64); 4] = [(0, 503.0), (1, 499.0), (2, 506.0), (3, 500.0)];

#[test]
fn prices_adjusted_for_a_later_split_are_a_break() {
    let new = [(3, 125.0), (4, 124.75), (7, 129.0)];
    insta::assert_json_snapshot!(seam(&OLD, &new, 4));
}

#[test]
fn new_bars_on_the_same_scale_are_joined() {
    // One close was revised by 0.4 %.
    assert_eq!(seam(&OLD, &[(2, 506.0), (3, 502.0), (4, 499.0)], 4), None);
    assert_eq!(seam(&OLD, &[(4, 499.0)], 4), None);
    assert_eq!(seam(&[], &[(4, 499.0)], 0), None);
}

#[test]
fn bars_that_replace_every_stored_one_have_no_seam() {
    let new = OLD.map(|(day, close)| (day, close / 4.0));
    assert_eq!(seam(&OLD, &new, 4), None);
    assert!(seam(&OLD, &new, 5).is_some());
}

#[test]
fn a_segment_without_a_shared_bar_is_compared_at_its_ends() {
    let tenth = seam(&OLD, &[(4, 50.1), (7, 51.0)], 4).unwrap();
    assert!(
        tenth.message.ends_with("as after a split of 10 for 1"),
        "{}",
        tenth.message
    );
    let before = seam(&[(7, 129.0), (8, 134.0)], &[(3, 500.0), (4, 499.25)], 2);
    assert!(before.is_some());

    // A crash is no split, and a year apart nothing is known.
    assert_eq!(seam(&OLD, &[(4, 420.0)], 4), None);
    assert_eq!(seam(&OLD, &[(368, 125.0)], 4), None);
}

#[test]
fn a_dividend_that_moved_all_prices_is_a_break() {
    let new = [(2, 491.0), (3, 485.0), (4, 484.0)];
    let finding = seam(&OLD, &new, 4).unwrap();
    assert!(
        finding.message.ends_with("as after a dividend"),
        "{}",
        finding.message
    );
}
