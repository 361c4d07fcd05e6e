//! Every indicator, over random walks: streaming equals the whole series bit for bit, saving and
//! going on changes nothing, and no later bar changes an earlier value.

use crate::random_walk::Random;
use market::{Bars, Utc};
use proptest::prelude::*;
use strategies::indicators::{Bar, Indicator, StreamState, Value, find, specs};

fn series(walk: &[Bar]) -> Bars {
    let mut bars = Bars::default();
    for (row, bar) in (0..).zip(walk) {
        bars.open_time.push(Utc(row));
        bars.close_time.push(Utc(row + 1));
        bars.open.push(bar.open);
        bars.high.push(bar.high);
        bars.low.push(bar.low);
        bars.close.push(bar.close);
        bars.volume.push(bar.volume);
    }
    bars
}

/// Bits by row and output; nothing when no bar of the walk has the volume that the indicator needs.
fn batch(indicator: &Indicator, walk: &[Bar]) -> Option<Vec<Vec<u64>>> {
    let columns = indicator.compute(&series(walk)).ok()?;
    Some(
        (0..walk.len())
            .map(|row| columns.iter().map(|column| column[row].to_bits()).collect())
            .collect(),
    )
}

fn bits(row: &[f64]) -> Vec<u64> {
    row.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A thousand walks, each through every type with random parameters.
    #[test]
    fn a_stream_gives_the_bits_of_the_whole_series_and_may_be_saved_at_any_bar(seed in any::<u64>()) {
        let mut random = Random(seed);
        let walk = { let rows = random.below(120); random.walk(rows) };
        for spec in specs() {
            let indicator = random.indicator(spec);
            let Some(expected) = batch(&indicator, &walk) else { continue };
            let saved_at = random.below(walk.len() + 1);
            let mut stream = indicator.stream();
            for (row, bar) in walk.iter().enumerate() {
                if row == saved_at {
                    let text = serde_json::to_string(&stream.save().unwrap()).unwrap();
                    stream = indicator.resume(&serde_json::from_str::<StreamState>(&text).unwrap()).unwrap();
                }
                let values = stream.push(bar);
                prop_assert!(values.iter().all(|value| value.is_finite() || value.is_nan()));
                prop_assert_eq!(&bits(values), &expected[row], "{} row {} saved at {}", indicator, row, saved_at);
            }
        }
    }

    /// A thousand walks, each through every type: bars after a row are replaced by another walk, or
    /// removed.
    #[test]
    fn changing_or_removing_all_later_bars_changes_no_value(seed in any::<u64>()) {
        let mut random = Random(seed);
        let walk = { let rows = 2 + random.below(120); random.walk(rows) };
        for spec in specs() {
            let indicator = random.indicator(spec);
            let kept = 1 + random.below(walk.len() - 1);
            let mut changed = walk[..kept].to_vec();
            changed.extend(random.walk(walk.len() - kept));
            let Some(expected) = batch(&indicator, &walk) else { continue };
            for other in [&walk[..kept], &changed] {
                if let Some(values) = batch(&indicator, other) {
                    prop_assert_eq!(&values[..kept], &expected[..kept], "{} kept {}", indicator, kept);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Walks of several blocks of the batch computation, through every type with any legal
    /// parameters; saved where a long window is full, being filled, or about to start again.
    #[test]
    fn a_stream_gives_the_bits_of_a_long_series_with_long_windows_and_may_be_saved_at_any_bar(seed in any::<u64>()) {
        let mut random = Random(seed);
        let walk = { let rows = 400 + random.below(1_000); random.walk(rows) };
        for spec in specs() {
            let indicator = random.indicator_within(spec, usize::MAX);
            let Some(expected) = batch(&indicator, &walk) else { continue };
            let saved_at = random.below(walk.len() + 1);
            let mut stream = indicator.stream();
            for (row, bar) in walk.iter().enumerate() {
                if row == saved_at {
                    let text = serde_json::to_string(&stream.save().unwrap()).unwrap();
                    stream = indicator.resume(&serde_json::from_str::<StreamState>(&text).unwrap()).unwrap();
                }
                prop_assert_eq!(&bits(stream.push(bar)), &expected[row], "{} row {} saved at {}", indicator, row, saved_at);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Walks longer than two of the largest blocks that are taken unseen, whole but for a few
    /// missing bars: such a block is followed by another one, and by one that fails and begins
    /// again.
    #[test]
    fn a_stream_gives_the_bits_of_a_series_of_many_thousand_bars_of_which_few_are_missing(seed in any::<u64>()) {
        let mut random = Random(seed);
        let mut walk = random.walk(24_000);
        walk.retain(|bar| [bar.open, bar.high, bar.low, bar.close].iter().all(|price| price.is_finite()) && bar.volume >= 0.0);
        prop_assume!(walk.len() > 2 * 8_192);
        for _ in 0..random.below(4) {
            let (missing, at) = (f64::NAN, random.below(walk.len()));
            walk[at] = Bar { open: missing, high: missing, low: missing, close: missing, volume: missing };
        }
        for spec in specs() {
            let indicator = random.indicator_within(spec, usize::MAX);
            let Some(expected) = batch(&indicator, &walk) else { continue };
            let mut stream = indicator.stream();
            for (row, bar) in walk.iter().enumerate() {
                prop_assert_eq!(&bits(stream.push(bar)), &expected[row], "{} row {}", indicator, row);
            }
        }
    }
}

/// The moves into row 1 and row 2 are infinite; when the first leaves the window their sum is
/// infinity less infinity. A stream must not take that for a window that is not full yet.
#[test]
fn an_average_that_has_overflowed_stays_undefined_in_a_stream_too() {
    let kama = Indicator::new(
        find("kama").unwrap(),
        &[("period".to_owned(), Value::Integer(2))].into(),
    )
    .unwrap();
    let bar = |price: f64| Bar {
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 1.0,
    };
    let walk: Vec<Bar> = [1e308, f64::MIN, f64::MAX, f64::MAX, f64::MAX, 1.0, 2.0]
        .map(bar)
        .to_vec();
    let mut stream = kama.stream();
    let streamed: Vec<Vec<u64>> = walk.iter().map(|bar| bits(stream.push(bar))).collect();
    assert_eq!(Some(streamed), batch(&kama, &walk));
}

/// Averages and their differences overflow to infinities of both signs, and what is made of these
/// to NaN. A stream must not take that for an average that has not begun.
#[test]
fn a_stream_gives_the_bits_of_a_series_that_overflows_both_ways() {
    let bar = |price: f64| Bar {
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 1.0,
    };
    let walk: Vec<Bar> = [1.0, f64::MIN, f64::MAX, f64::MIN, 1.0]
        .iter()
        .flat_map(|price| [bar(*price); 70])
        .collect();
    let macd = |fast: i64, slow: i64| {
        let periods = [
            ("fast_period", fast),
            ("slow_period", slow),
            ("signal_period", 2),
        ];
        let periods = periods
            .map(|(name, period)| (name.to_owned(), Value::Integer(period)))
            .into();
        Indicator::new(find("macd").unwrap(), &periods).unwrap()
    };
    let defaults = specs()
        .iter()
        .map(|spec| Indicator::new(spec, &[].into()).unwrap());
    for indicator in defaults.chain([macd(1, 40), macd(40, 1)]) {
        let mut stream = indicator.stream();
        let streamed: Vec<Vec<u64>> = walk.iter().map(|bar| bits(stream.push(bar))).collect();
        assert_eq!(Some(streamed), batch(&indicator, &walk), "{indicator}");
    }
}

#[test]
fn a_copy_of_a_stream_goes_its_own_way() {
    let average = Indicator::new(
        find("sma").unwrap(),
        &[("period".to_owned(), Value::Integer(2))].into(),
    )
    .unwrap();
    let bar = |price: f64| Bar {
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 1.0,
    };
    let mut stream = average.stream();
    stream.push(&bar(1.0));
    let mut copy = stream.clone();
    assert_eq!(stream.push(&bar(3.0)), [2.0]);
    assert_eq!(copy.push(&bar(5.0)), [3.0]);
}

#[test]
fn a_damaged_or_foreign_state_is_refused_with_what_to_do() {
    let of = |name: &str| Indicator::new(find(name).unwrap(), &[].into()).unwrap();
    let state = of("sma").stream().save().unwrap();
    let message = |indicator: &Indicator, state: &StreamState| {
        let error = indicator.resume(state).err().unwrap();
        format!("{error}; hint: {}", error.hint())
    };
    assert_eq!(
        message(&of("roc"), &state),
        "the state is of sma period=20 source=\"close\", not of roc period=10 source=\"close\"; hint: use the state with the \
         indicator and the parameters that it was saved from"
    );
    let mut json = serde_json::to_value(&state).unwrap();
    json["state"][3] = 255.into();
    let damaged = serde_json::from_value(json).unwrap();
    assert_eq!(
        message(&of("sma"), &damaged),
        "the state of sma period=20 source=\"close\" does not match its checksum; hint: start a new stream and feed it the \
         bars again"
    );
}
