//! Every indicator, over random walks: streams, blocks and steps give the same bits, saving and
//! resuming changes nothing, and no later bar changes an earlier value.

use market::{Bars, Utc};
use proptest::prelude::*;
use strategies::indicators::{Bar, Indicator, StreamState, Value, find, specs};

use super::random_walk::Random;

/// The values of one row as bits, so that NaN equals NaN.
type RowBits = Vec<u64>;

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

fn bits(values: &[f64]) -> RowBits {
    values.iter().map(|value| value.to_bits()).collect()
}

fn rows_of(columns: &[Vec<f64>], rows: usize) -> Vec<RowBits> {
    let row_bits = |row: usize| columns.iter().map(|column| column[row].to_bits()).collect();
    (0..rows).map(row_bits).collect()
}

/// The whole series at once; nothing when no bar of the walk has the volume that the indicator
/// needs.
fn batch(indicator: &Indicator, walk: &[Bar]) -> Option<Vec<RowBits>> {
    let columns = indicator.compute(&series(walk)).ok()?;
    Some(rows_of(&columns, walk.len()))
}

/// The series bar by bar.
fn streamed(indicator: &Indicator, walk: &[Bar]) -> Vec<RowBits> {
    let mut stream = indicator.stream();
    walk.iter().map(|bar| bits(stream.push(bar))).collect()
}

/// The series bar by bar, by a stream that is saved as JSON before the row `saved_at` and resumed.
fn resumed(indicator: &Indicator, walk: &[Bar], saved_at: usize) -> Vec<RowBits> {
    let mut stream = indicator.stream();
    let mut rows = Vec::new();

    for (row, bar) in walk.iter().enumerate() {
        if row == saved_at {
            let text = serde_json::to_string(&stream.save().unwrap()).unwrap();
            let state: StreamState = serde_json::from_str(&text).unwrap();
            stream = indicator.resume(&state).unwrap();
        }
        rows.push(bits(stream.push(bar)));
    }
    rows
}

/// Fails at the first row that differs; the whole tables would fill a screen.
fn assert_rows(actual: &[RowBits], expected: &[RowBits], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (row, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(actual, expected, "{what}, row {row}");
    }
}

/// A bar without a range, of volume 1.
fn flat_bar(price: f64) -> Bar {
    Bar {
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 1.0,
    }
}

fn indicator(name: &str, parameters: &[(&str, i64)]) -> Indicator {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::Integer(*value)));
    Indicator::new(find(name).unwrap(), &parameters.collect()).unwrap()
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// A thousand walks, each through every type with random parameters.
    #[test]
    fn a_resumed_stream_gives_the_bits_of_the_series(seed in any::<u64>()) {
        let mut random = Random(seed);
        let rows = random.below(120);
        let walk = random.walk(rows);

        for spec in specs() {
            let indicator = random.indicator(spec);
            let saved_at = random.below(walk.len() + 1);
            let Some(expected) = batch(&indicator, &walk) else { continue };
            let actual = resumed(&indicator, &walk, saved_at);
            assert_rows(&actual, &expected, &format!("{indicator} saved at {saved_at}"));

            let values = actual.iter().flatten().map(|bits| f64::from_bits(*bits));
            prop_assert!(values.into_iter().all(|value| value.is_finite() || value.is_nan()));
        }
    }

    /// A thousand walks, each through every type: bars after a row are replaced by another walk, or
    /// removed.
    #[test]
    fn no_later_bar_changes_a_value(seed in any::<u64>()) {
        let mut random = Random(seed);
        let rows = 2 + random.below(120);
        let walk = random.walk(rows);

        for spec in specs() {
            let indicator = random.indicator(spec);
            let cut = 1 + random.below(walk.len() - 1);
            let mut changed = walk[..cut].to_vec();
            changed.extend(random.walk(walk.len() - cut));

            let Some(expected) = batch(&indicator, &walk) else { continue };
            for other in [&walk[..cut], &changed] {
                if let Some(values) = batch(&indicator, other) {
                    prop_assert_eq!(&values[..cut], &expected[..cut], "{} cut at {}", indicator, cut);
                }
            }
        }
    }

    /// Walks of several blocks, through every type with any legal parameters; saved where a long
    /// window is full, being filled, or about to start again.
    #[test]
    fn long_windows_give_the_same_bits_in_a_stream(seed in any::<u64>()) {
        let mut random = Random(seed);
        let rows = 400 + random.below(1_000);
        let walk = random.walk(rows);

        for spec in specs() {
            let indicator = random.indicator_within(spec, usize::MAX);
            let saved_at = random.below(walk.len() + 1);
            let Some(expected) = batch(&indicator, &walk) else { continue };
            let actual = resumed(&indicator, &walk, saved_at);
            assert_rows(&actual, &expected, &format!("{indicator} saved at {saved_at}"));
        }
    }
}

proptest! {
    #![proptest_config(cases(24))]

    /// Walks of many blocks, whole but for a few missing bars: stretches that are filled before
    /// anybody looks for gaps follow each other, and one that fails is filled again.
    #[test]
    fn blocks_steps_and_streams_agree_over_many_bars(seed in any::<u64>()) {
        let mut random = Random(seed);
        let mut walk = random.walk(12_000);
        walk.retain(is_whole);
        prop_assume!(walk.len() > 8_192);
        for _ in 0..random.below(4) {
            let row = random.below(walk.len());
            walk[row] = flat_bar(f64::NAN);
        }
        let bars = series(&walk);

        for spec in specs() {
            let indicator = random.indicator_within(spec, usize::MAX);
            let Some(expected) = batch(&indicator, &walk) else { continue };
            assert_rows(&streamed(&indicator, &walk), &expected, &format!("{indicator}"));

            let mut columns = Vec::new();
            indicator.compute_by_steps(&bars, &mut columns).unwrap();
            let by_steps = rows_of(&columns, walk.len());
            assert_rows(&by_steps, &expected, &format!("{indicator} by steps"));
        }
    }
}

fn is_whole(bar: &Bar) -> bool {
    let prices = [bar.open, bar.high, bar.low, bar.close];
    prices.iter().all(|price| price.is_finite()) && bar.volume >= 0.0
}

/// The moves into row 1 and row 2 are infinite; when the first leaves the window their sum is
/// infinity less infinity. A stream must not take that for a window that is not full yet.
#[test]
fn an_overflown_average_stays_undefined_in_a_stream() {
    let kama = indicator("kama", &[("period", 2)]);
    let walk = [1e308, f64::MIN, f64::MAX, f64::MAX, f64::MAX, 1.0, 2.0].map(flat_bar);

    let expected = batch(&kama, &walk).unwrap();
    assert_rows(&streamed(&kama, &walk), &expected, "kama");
}

/// Averages and their differences overflow to infinities of both signs, and what is made of these
/// to NaN. A stream must not take that for an average that has not begun.
#[test]
fn a_stream_overflows_as_its_series_does() {
    let prices = [1.0, f64::MIN, f64::MAX, f64::MIN, 1.0];
    let walk: Vec<Bar> = prices
        .iter()
        .flat_map(|price| [flat_bar(*price); 70])
        .collect();
    let defaults = specs().iter().map(|spec| indicator(spec.name, &[]));
    let unequal_averages = [(1, 40), (40, 1)].map(|(fast, slow)| {
        indicator(
            "macd",
            &[
                ("fast_period", fast),
                ("slow_period", slow),
                ("signal_period", 2),
            ],
        )
    });

    for indicator in defaults.chain(unequal_averages) {
        let expected = batch(&indicator, &walk).unwrap();
        assert_rows(
            &streamed(&indicator, &walk),
            &expected,
            &indicator.to_string(),
        );
    }
}

#[test]
fn a_copy_of_a_stream_has_a_state_of_its_own() {
    let mut stream = indicator("sma", &[("period", 2)]).stream();
    stream.push(&flat_bar(1.0));

    let mut copy = stream.clone();

    assert_eq!(stream.push(&flat_bar(3.0)), [2.0]);
    assert_eq!(copy.push(&flat_bar(5.0)), [3.0]);
}

/// What resuming from a state fails with.
fn refusal(indicator: &Indicator, state: &StreamState) -> String {
    let error = indicator.resume(state).err().unwrap();
    format!("{error}; hint: {}", error.hint())
}

#[test]
fn the_state_of_another_indicator_is_refused() {
    let state = indicator("sma", &[]).stream().save().unwrap();

    assert_eq!(
        refusal(&indicator("roc", &[]), &state),
        "the state is of sma period=20 source=\"close\", not of roc period=10 source=\"close\"; \
         hint: use the state with the indicator and the parameters that it was saved from"
    );
}

#[test]
fn a_damaged_state_is_refused() {
    let state = indicator("sma", &[]).stream().save().unwrap();
    let mut json = serde_json::to_value(&state).unwrap();
    json["state"][3] = 255.into();
    let damaged = serde_json::from_value(json).unwrap();

    assert_eq!(
        refusal(&indicator("sma", &[]), &damaged),
        "the state of sma period=20 source=\"close\" does not match its checksum; hint: start a \
         new stream and feed it the bars again"
    );
}
