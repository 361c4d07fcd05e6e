//! The column of forward returns: what it says on the sample bars, and that nothing learns from it.

use std::ops::ControlFlow;

use market::Utc;
use strategies::splits::Part;
use strategies::{DataSet, Overrides, Resolved, Strategy};

use crate::sample_bars::{assembled, catalog, inputs, names, shipped};

fn resolved(name: &str) -> Resolved {
    let strategy = Strategy::parse(&catalog(name)).unwrap();
    strategy.resolve(&Overrides::default()).unwrap()
}

fn data_set(resolved: &Resolved) -> DataSet {
    let inputs = inputs(resolved);
    assembled(resolved, &inputs, 1, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn the_label_of_a_regression_is_its_forward_return() {
    let set = data_set(&resolved("spy_return_regression"));

    assert_eq!(set.forward_bars, 10);
    let labels: Vec<Option<f32>> = set.label.iter().map(|label| Some(*label)).collect();
    assert_eq!(set.forward_return, labels);
}

/// The relative change of the close over the set's horizon, and when it is known.
fn change_after(closes: &[f64], times: &[Utc], bar: usize, bars: usize) -> Option<(f32, Utc)> {
    let exit = bar + bars;
    let change = (closes.get(exit)? - closes[bar]) / closes[bar];
    Some((change as f32, times[exit]))
}

#[test]
fn a_zigzag_is_held_until_its_labels_are_known_on_average() {
    let resolved = resolved("eurusd_swings");
    let set = data_set(&resolved);
    let bars = shipped(&resolved.symbols[0], resolved.base);
    let bar_of = |time: Utc| bars.close_time.binary_search(&time).unwrap();

    let mut look_ahead = 0.0;
    let mut count = 0.0;
    for row in (0..set.rows()).filter(|row| set.part[*row] == Part::Train) {
        look_ahead += bar_of(set.label_known_at[row]) as f64 - bar_of(set.known_at[row]) as f64;
        count += 1.0;
    }
    assert_eq!(set.forward_bars, (look_ahead / count).round() as u32);

    for row in 0..set.rows() {
        let horizon = set.forward_bars as usize;
        let bar = bar_of(set.known_at[row]);
        let change = change_after(&bars.close, &bars.close_time, bar, horizon);
        // None of a part is known after the next one has begun.
        let end = match set.part[row] {
            Part::Train => Some(set.cuts.validation_start),
            Part::Validation => Some(set.cuts.test_start),
            Part::Test => None,
        };
        let expected = change.filter(|change| end.is_none_or(|end| change.1 < end));
        assert_eq!(
            set.forward_return[row],
            expected.map(|change| change.0),
            "row {row}"
        );
    }
}

#[test]
fn no_feature_of_the_catalogue_is_a_forward_return() {
    for name in names() {
        let columns = resolved(&name).feature_columns();
        let mut names = columns.iter().map(|column| column.name.as_str());
        assert!(!names.any(|column| column == "forward_return"), "{name}");
    }
}
