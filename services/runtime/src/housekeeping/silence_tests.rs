//! The verdict on a worker on a virtual clock, over links that delay, reorder nothing, lose signs
//! and run full.

use std::time::Duration;

use proptest::prelude::*;
use schemas::worker::SignOfLife;

use super::silence::{OwnSigns, Signs, Verdict, judge};

const SILENCE: i64 = 2_000;
const PERIOD: i64 = 500;
const CHECK: i64 = 250;
/// How far the clock of the worker is ahead of the housekeeper's.
const CLOCK_AHEAD: i64 = 86_400_000;

fn ms(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap())
}

/// What happens at a moment, in the order in which it counts within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    OwnSent(u64),
    OwnHeard(u64),
    Heard { sent: i64 },
    Check,
}

/// When each message arrives that is sent at these times, one behind the other, with these delays.
fn arrivals(sent: &[i64], delays: &[i64]) -> Vec<i64> {
    let mut last = 0;
    sent.iter()
        .zip(delays.iter().cycle())
        .map(|(sent, delay)| {
            last = last.max(sent + delay);
            last
        })
        .collect()
}

/// All verdicts on one worker, by the moment of the check; none until the lag is known.
fn verdicts(mut happenings: Vec<(i64, Happening)>, end: i64) -> Vec<(i64, Verdict)> {
    happenings.extend((0..end / CHECK).map(|check| (check * CHECK, Happening::Check)));
    happenings.sort_unstable();

    let mut echoes = OwnSigns::default();
    let mut signs = Signs::new(Duration::ZERO);
    let mut verdicts = Vec::new();
    for (time, happening) in happenings {
        let now = ms(time);
        match happening {
            Happening::OwnSent(seq) => echoes.send(seq, now),
            Happening::OwnHeard(seq) => echoes.hear(seq, now),
            Happening::Heard { sent } => {
                let sent_ms = u64::try_from(sent + CLOCK_AHEAD).unwrap();
                signs.hear(
                    Some(SignOfLife {
                        v: 1,
                        seq: 0,
                        sent_ms,
                    }),
                    now,
                );
            }
            Happening::Check => {
                let lag = echoes.lag(now);
                verdicts.extend(lag.map(|lag| (time, signs.judge(lag, ms(SILENCE), now))));
            }
        }
    }
    verdicts
}

/// The housekeeper's own signs, which take the way of the others.
fn own_signs(end: i64, delays: &[i64]) -> Vec<(i64, Happening)> {
    let sent: Vec<i64> = (0..end / PERIOD).map(|tick| tick * PERIOD).collect();
    let at_server = arrivals(&sent, delays);
    let arrived = arrivals(&at_server, &delays[1..]);

    let sends = sent.iter().zip(1..);
    let hears = arrived.iter().zip(1..);
    let sends = sends.map(|(time, seq)| (*time, Happening::OwnSent(seq)));
    sends
        .chain(hears.map(|(time, seq)| (*time, Happening::OwnHeard(seq))))
        .collect()
}

/// Signs of a worker that dies at `death`; of four in a row at most three are lost.
fn signs_sent(death: i64, losses: &[bool]) -> Vec<i64> {
    let ticks = 0..death / PERIOD;
    ticks
        .zip(losses.iter().cycle())
        .filter(|(tick, lost)| tick % 4 == 0 || !**lost)
        .map(|(tick, _)| tick * PERIOD)
        .collect()
}

proptest! {
    /// Each hop takes between `hop` and half as much again, whatever it does in between.
    #[test]
    fn a_slow_link_is_no_silence_and_a_dead_worker_is_found(
        hop in 0..4_000_i64,
        jitter in prop::collection::vec(0.0..=1.0_f64, 20),
        losses in prop::collection::vec(any::<bool>(), 17),
        death in 20_000..90_000_i64,
    ) {
        let delays: Vec<i64> = jitter
            .iter()
            .map(|share| hop + (share * hop as f64 / 2.0) as i64)
            .collect();
        let end = death + SILENCE + 12 * hop + 10 * CHECK;
        let sent = signs_sent(death, &losses);
        let arrived = arrivals(&arrivals(&sent, &delays[2..]), &delays[3..]);
        let mut happenings = own_signs(end, &delays);
        happenings.extend(
            arrived.iter().zip(&sent).map(|(time, sent)| (*time, Happening::Heard { sent: *sent })),
        );

        // Worker to server to housekeeper, at most.
        let delay = 3 * hop;
        for (time, verdict) in verdicts(happenings, end) {
            let newest_sent = sent.iter().rev().find(|sent| **sent <= time).copied().unwrap_or(0);
            if time - newest_sent <= SILENCE {
                prop_assert_ne!(verdict, Verdict::Lost, "at {} of a living worker", time);
            }
            if time > newest_sent.max(death - PERIOD) + SILENCE + 2 * delay + CHECK {
                prop_assert_eq!(verdict, Verdict::Lost, "at {} of a dead worker", time);
            }
        }
    }

    /// Signs wait behind bursts of other messages on a line of little bandwidth.
    #[test]
    fn a_link_that_runs_full_is_no_silence(
        hop in 0..500_i64,
        bursts in prop::collection::vec((0..60_000_i64, 0..20_000_i64), 0..6),
    ) {
        let end = 80_000;
        let sent: Vec<i64> = (0..end / PERIOD).map(|tick| tick * PERIOD).collect();
        let mut queue: Vec<(i64, i64, Option<Happening>)> = Vec::new();
        queue.extend(bursts.iter().map(|(time, length)| (*time, *length, None)));
        queue.extend(sent.iter().zip(1..).flat_map(|(sent, seq)| [
            (sent + hop, 1, Some(Happening::Heard { sent: *sent })),
            (sent + hop, 1, Some(Happening::OwnHeard(seq))),
        ]));
        queue.sort_unstable();

        // One after the other, each for as long as it takes.
        let mut free_at = 0;
        let mut happenings: Vec<(i64, Happening)> = sent
            .iter()
            .zip(1..)
            .map(|(time, seq)| (*time, Happening::OwnSent(seq)))
            .collect();
        for (time, length, happening) in queue {
            free_at = free_at.max(time) + length;
            happenings.extend(happening.map(|happening| (free_at + hop, happening)));
        }

        for (time, verdict) in verdicts(happenings, end) {
            prop_assert_ne!(verdict, Verdict::Lost, "at {}", time);
        }
    }
}

#[test]
fn a_worker_is_lost_after_silence_and_lateness() {
    let verdict = |age| judge(ms(age), ms(1_000), ms(SILENCE));

    assert_eq!(verdict(1_500), Verdict::Alive);
    assert_eq!(verdict(1_501), Verdict::Suspected);
    assert_eq!(verdict(3_000), Verdict::Suspected);
    assert_eq!(verdict(3_001), Verdict::Lost);
}

#[test]
fn clocks_that_drift_apart_make_nobody_silent() {
    let mut signs = Signs::new(Duration::ZERO);
    for tick in 0..400_000_i64 {
        let now = ms(tick * PERIOD);

        // Slow by 100 parts in a million: after two days it is 20 s behind.
        let sent_ms = u64::try_from(tick * PERIOD - tick * PERIOD / 10_000).unwrap();
        signs.hear(
            Some(SignOfLife {
                v: 1,
                seq: 0,
                sent_ms,
            }),
            now,
        );

        assert_eq!(
            signs.judge(Duration::ZERO, ms(SILENCE), now),
            Verdict::Alive
        );
    }
}

#[test]
fn a_sign_without_a_time_counts_when_it_comes() {
    let mut signs = Signs::new(Duration::ZERO);
    signs.hear(None, ms(10_000));

    assert_eq!(signs.last_sent(), ms(10_000));
}

#[test]
fn a_sign_from_the_end_of_time_breaks_nothing() {
    let mut signs = Signs::new(Duration::ZERO);
    for sent_ms in [u64::MAX, 0, u64::MAX] {
        signs.hear(
            Some(SignOfLife {
                v: 1,
                seq: u64::MAX,
                sent_ms,
            }),
            ms(1),
        );
    }

    assert_ne!(
        signs.judge(Duration::ZERO, ms(SILENCE), ms(2)),
        Verdict::Lost
    );
}

#[test]
fn the_lag_follows_from_round_trips_even_one_that_is_not_over() {
    let mut echoes = OwnSigns::default();
    echoes.send(1, ms(0));
    echoes.send(2, ms(500));
    assert_eq!(echoes.lag(ms(900)), None, "nothing has come back yet");

    // Half of the way there and back.
    echoes.hear(1, ms(1_000));
    assert_eq!(echoes.lag(ms(1_100)), Some(ms(500)));
    // The second one is under way for 3.5 s, and has been later by 2.5 s than the first.
    assert_eq!(echoes.lag(ms(4_000)), Some(ms(2_500)));

    // It is lost, as the third one shows, which takes 0.1 s.
    echoes.send(3, ms(4_000));
    echoes.hear(3, ms(4_100));
    assert_eq!(echoes.lag(ms(4_100)), Some(ms(900)));
}
