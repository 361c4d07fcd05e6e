//! The rules of pacing, in virtual time.

use std::time::Duration;

use fetcher::ib::pacing::{IbBudget, PacedRequest, PacingRules};
use proptest::prelude::*;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn request(identity: u32, tick: u32, weight: u32) -> PacedRequest {
    PacedRequest {
        identity: format!("request {identity}"),
        tick: format!("contract {tick}"),
        weight,
    }
}

/// Makes requests one after the other, each as early as it may be; answers when.
fn make_all(rules: PacingRules, requests: &[PacedRequest]) -> Vec<Duration> {
    let mut budget = IbBudget::new(rules);
    let mut now = Duration::ZERO;
    let mut made = Vec::new();

    for each in requests {
        while let Err(earliest) = budget.take(now, each) {
            assert!(earliest > now);
            now = earliest;
        }
        made.push(now);
    }
    made
}

/// The greatest weight of the requests in any window of a length that begins with one of them.
fn weight_max(made: &[Duration], requests: &[PacedRequest], window: Duration) -> u32 {
    let weight_from = |begin: Duration| -> u32 {
        let pairs = made.iter().zip(requests);
        let inside = pairs.filter(|(at, _)| **at >= begin && **at < begin + window);
        inside.map(|(_, request)| request.weight).sum()
    };
    made.iter().map(|at| weight_from(*at)).max().unwrap_or(0)
}

#[test]
fn two_hundred_segments_never_exceed_the_window() {
    // 60 of 600 s is the limit; 80 percent of it are 48.
    let requests: Vec<PacedRequest> = (0..200).map(|index| request(index, index, 1)).collect();
    let made = make_all(PacingRules::default(), &requests);

    assert_eq!(weight_max(&made, &requests, seconds(600)), 48);
    // 200 are 4 windows of 48 and 8 more: the last one is the 8th of the fifth window.
    assert_eq!(made[199], seconds(4 * 600 + 7));
    assert!(made.windows(2).all(|two| two[1] - two[0] >= seconds(1)));

    let whole = PacingRules {
        limit_percent: 100,
        ..PacingRules::default()
    };
    let made = make_all(whole, &requests);
    assert_eq!(weight_max(&made, &requests, seconds(600)), 60);
}

#[test]
fn the_same_request_waits_fifteen_seconds() {
    let requests = [request(1, 1, 1), request(2, 1, 1), request(1, 1, 1)];

    let made = make_all(PacingRules::default(), &requests);

    assert_eq!(made, [seconds(0), seconds(1), seconds(15)]);
}

#[test]
fn a_contract_has_five_requests_in_two_seconds() {
    let rules = PacingRules {
        spacing: Duration::ZERO,
        ..PacingRules::default()
    };
    let requests: Vec<PacedRequest> = (0..11).map(|index| request(index, 1, 1)).collect();

    let made = make_all(rules, &requests);

    let expected = [0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 4].map(seconds);
    assert_eq!(made, expected);
    let others: Vec<PacedRequest> = (0..11).map(|index| request(index, index, 1)).collect();
    assert_eq!(make_all(rules, &others), [seconds(0); 11]);
}

#[test]
fn bid_and_ask_together_count_twice() {
    let rules = PacingRules {
        spacing: Duration::ZERO,
        limit_percent: 100,
        ..PacingRules::default()
    };
    let of_one: Vec<PacedRequest> = (0..3).map(|index| request(index, 1, 2)).collect();
    assert_eq!(make_all(rules, &of_one), [0, 0, 2].map(seconds));

    let of_many: Vec<PacedRequest> = (0..31).map(|index| request(index, index, 2)).collect();
    let made = make_all(rules, &of_many);
    assert_eq!(made[29], seconds(0));
    assert_eq!(made[30], seconds(600));
}

#[test]
fn without_the_window_only_the_spacing_holds() {
    let rules = PacingRules {
        counts_window: false,
        ..PacingRules::default()
    };
    let requests: Vec<PacedRequest> = (0..200).map(|index| request(index, index, 1)).collect();

    assert_eq!(make_all(rules, &requests)[199], seconds(199));
}

#[test]
fn a_pause_holds_back_every_request() {
    let mut budget = IbBudget::new(PacingRules::default());
    budget.take(seconds(0), &request(1, 1, 1)).unwrap();
    budget.pause_until(seconds(60));

    assert_eq!(budget.take(seconds(5), &request(2, 2, 1)), Err(seconds(60)));
    assert_eq!(budget.take(seconds(60), &request(2, 2, 1)), Ok(()));
}

proptest! {
    #[test]
    fn no_rule_is_ever_broken(
        wished in proptest::collection::vec((0_u32..12, 0_u32..3, 1_u32..3), 1..150),
        spacing_ms in 0_u64..1_500,
    ) {
        let rules = PacingRules {
            spacing: Duration::from_millis(spacing_ms),
            limit_percent: 100,
            ..PacingRules::default()
        };
        let requests: Vec<PacedRequest> = wished
            .iter()
            .map(|wish| request(wish.0 * 3 + wish.1, wish.1, wish.2))
            .collect();

        let made = make_all(rules, &requests);

        prop_assert!(weight_max(&made, &requests, seconds(600)) <= 60);
        for tick in 0..3 {
            let of_tick: Vec<usize> = (0..requests.len())
                .filter(|row| requests[*row].tick == format!("contract {tick}"))
                .collect();
            let times: Vec<Duration> = of_tick.iter().map(|row| made[*row]).collect();
            let own: Vec<PacedRequest> = of_tick.iter().map(|row| requests[*row].clone()).collect();
            prop_assert!(weight_max(&times, &own, seconds(2)) <= 5);
        }
        for (row, later) in requests.iter().enumerate() {
            let same = (0..row).filter(|earlier| requests[*earlier].identity == later.identity);
            prop_assert!(same.into_iter().all(|earlier| made[row] - made[earlier] >= seconds(15)));
        }
    }
}
