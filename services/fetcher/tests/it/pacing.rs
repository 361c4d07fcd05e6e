//! The budget of an account in virtual time: no window is ever exceeded, and nothing waits longer
//! than it must.

use std::time::Duration;

use fetcher::request_budget::{BudgetRules, RequestBudget};
use proptest::prelude::*;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// When each of the requests is made by callers that ask again at the instant that they hear of.
fn instants_of(rules: BudgetRules, weights: &[u32]) -> Vec<(Duration, u32)> {
    let mut budget = RequestBudget::new(rules);
    let mut now = Duration::ZERO;
    let mut made = Vec::new();
    for weight in weights {
        while let Err(earliest) = budget.take(now, *weight) {
            assert!(earliest > now);
            now = earliest;
        }
        made.push((now, *weight));
    }
    made
}

/// The heaviest window of all that begin with a request.
fn heaviest_window(made: &[(Duration, u32)], window: Duration) -> u32 {
    let weight_from = |start: Duration| -> u32 {
        let within = made
            .iter()
            .filter(|(at, _)| (start..start + window).contains(at));
        within.map(|(_, weight)| weight).sum()
    };
    made.iter()
        .map(|(at, _)| weight_from(*at))
        .max()
        .unwrap_or(0)
}

#[test]
fn two_hundred_requests_never_exceed_sixty_in_ten_minutes() {
    let rules = BudgetRules {
        weight_max: 60,
        window: seconds(600),
        spacing: Duration::ZERO,
    };

    let made = instants_of(rules, &[1; 200]);

    // Three full windows of 60, and 20 more in the fourth: 1 800 s at the earliest.
    assert_eq!(heaviest_window(&made, rules.window), 60);
    assert_eq!(made.last().unwrap().0, seconds(1_800));
}

#[test]
fn requests_keep_their_distance() {
    let rules = BudgetRules {
        weight_max: 100,
        window: seconds(60),
        spacing: seconds(1),
    };
    let made = instants_of(rules, &[1; 5]);
    let instants: Vec<u64> = made.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(instants, [0, 1, 2, 3, 4]);
}

#[test]
fn a_pause_holds_and_use_by_others_counts() {
    let rules = BudgetRules {
        weight_max: 10,
        window: seconds(60),
        spacing: Duration::ZERO,
    };
    let mut budget = RequestBudget::new(rules);

    budget.pause_until(seconds(5));
    assert_eq!(budget.take(seconds(1), 1), Err(seconds(5)));
    assert_eq!(budget.take(seconds(5), 1), Ok(()));

    // The provider counts 9: eight of them are of another process, made now at the latest.
    budget.note_used(seconds(10), 9);
    assert_eq!(budget.take(seconds(10), 1), Ok(()));
    assert_eq!(budget.take(seconds(10), 1), Err(seconds(65)));
    assert_eq!(budget.take(seconds(10), 9), Err(seconds(70)));
}

#[test]
fn a_share_of_a_limit_is_one_at_least() {
    let rules = BudgetRules {
        weight_max: 6_000,
        window: seconds(60),
        spacing: Duration::ZERO,
    };
    assert_eq!(rules.with_percent(80).weight_max, 4_800);
    assert_eq!(rules.with_percent(200).weight_max, 6_000);
    assert_eq!(rules.with_percent(0).weight_max, 1);
}

proptest! {
    #[test]
    fn no_window_is_ever_exceeded(
        weights in prop::collection::vec(1..40_u32, 1..120),
        weight_max in 40..200_u32,
        window in 1..100_u64,
        spacing in 0..3_u64,
    ) {
        let rules = BudgetRules {
            weight_max,
            window: seconds(window),
            spacing: seconds(spacing),
        };

        let made = instants_of(rules, &weights);

        prop_assert!(heaviest_window(&made, rules.window) <= weight_max);
        prop_assert!(made.windows(2).all(|pair| pair[1].0 - pair[0].0 >= rules.spacing));
    }
}
