//! The pauses before retries: for any policy, number and seed.

use std::time::Duration;

use proptest::prelude::*;
use schemas::retries::{RetryClass, RetryPolicy};

/// Seeds enough to see the whole range of the jitter.
const SEEDS: u64 = 1_000;

fn policies() -> impl Strategy<Value = RetryPolicy> {
    (0..=1_000_u16, 0..100_000_u64, 0..100_000_u64).prop_map(|(limit, base, cap)| RetryPolicy {
        limit,
        base: Duration::from_millis(base),
        cap: Duration::from_millis(cap),
    })
}

fn classes() -> impl Strategy<Value = RetryClass> {
    prop_oneof![Just(RetryClass::System), Just(RetryClass::Provider)]
}

fn pauses(retry: u32, class: RetryClass) -> Vec<f64> {
    let policy = RetryPolicy::default();
    (0..SEEDS)
        .map(|seed| policy.delay(retry, class, seed).as_secs_f64())
        .collect()
}

/// True if the pauses fill half of `nominal` to one and a half of it.
fn fill(pauses: &[f64], nominal: f64) -> bool {
    let shortest = pauses.iter().copied().fold(f64::INFINITY, f64::min);
    let longest = pauses.iter().copied().fold(0.0, f64::max);
    (0.5..0.51).contains(&(shortest / nominal)) && (1.49..1.5).contains(&(longest / nominal))
}

#[test]
fn the_first_pauses_are_one_two_and_four_seconds() {
    assert!(fill(&pauses(1, RetryClass::System), 1.0));
    assert!(fill(&pauses(2, RetryClass::System), 2.0));
    assert!(fill(&pauses(3, RetryClass::System), 4.0));
    // 2^6 = 64 is over the cap of 60.
    assert!(fill(&pauses(7, RetryClass::System), 60.0));
}

#[test]
fn a_provider_is_given_twice_the_time() {
    assert!(fill(&pauses(1, RetryClass::Provider), 2.0));
    assert!(fill(&pauses(3, RetryClass::Provider), 8.0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pauses_double_up_to_the_cap_with_half_of_jitter(
        policy in policies(),
        retry in 1..=u32::MAX,
        class in classes(),
        seed in any::<u64>(),
    ) {
        let pause = policy.delay(retry, class, seed);
        prop_assert_eq!(pause, policy.delay(retry, class, seed), "the seed decides");
        prop_assert!(pause <= policy.cap.mul_f64(1.5));

        // With one seed the jitter is the same, which leaves the doubling and the cap.
        let next = policy.delay(retry.saturating_add(1), class, seed);
        let rounding = Duration::from_nanos(2);
        prop_assert!(next >= pause && next <= pause * 2 + rounding);
        prop_assert!(next + rounding >= (pause * 2).min(policy.cap / 2));
    }
}
