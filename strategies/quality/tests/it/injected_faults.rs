//! Faults put into a clean series with dividends: each is found where it was put, and a repair
//! undoes it.

use quality::{Actions, Check, Method};

use crate::labelled::Labelled;

/// Two and a half years of a share that pays 3 to 11 % twice a year; without any fault.
fn clean() -> Labelled {
    Labelled::load("KMR-L-1d-no-bad-divs")
}

/// Rows of the dividends.
fn payments(series: &Labelled) -> Vec<usize> {
    let dividends = series.actions.dividends.iter().enumerate();
    dividends
        .filter(|(_, amount)| **amount > 0.0)
        .map(|(row, _)| row)
        .collect()
}

/// Multiplies the prices of some rows, and what follows from them.
fn scale(series: &mut Labelled, rows: std::ops::Range<usize>, factor: f64) {
    let bars = &mut series.bars;
    let adjusted = &mut series.actions.adjusted_close;

    for column in [
        &mut bars.open,
        &mut bars.high,
        &mut bars.low,
        &mut bars.close,
        adjusted,
    ] {
        column[rows.clone()]
            .iter_mut()
            .for_each(|price| *price *= factor);
    }
}

/// Asserts that the fault is found, alone, and that its repair is the clean series.
fn assert_found_and_undone(series: &Labelled, faults: &[(Check, usize)]) {
    assert_eq!(series.faults(), faults);

    let clean = clean();
    let repaired = series.repaired(Method::Rescale);
    let is_near = |value: f64, clean: f64| (value - clean).abs() <= 1e-4 * clean.abs();
    for row in 0..clean.bars.len() {
        if clean.bars.close[row].is_nan() {
            continue;
        }
        let close = repaired.bars.close[row];
        let adjusted = repaired.actions.adjusted_close[row];
        let dividend = repaired.actions.dividends[row];
        assert!(is_near(close, clean.bars.close[row]), "close of row {row}");
        assert!(
            is_near(adjusted, clean.actions.adjusted_close[row]),
            "adjusted close of row {row}: {adjusted}"
        );
        assert!(
            is_near(dividend, clean.actions.dividends[row]),
            "dividend of row {row}"
        );
    }
}

#[test]
fn a_bar_a_value_and_a_stretch_in_another_unit_are_found() {
    let mut bar = clean();
    scale(&mut bar, 300..301, 100.0);
    assert_found_and_undone(&bar, &[(Check::CurrencyUnit, 1)]);

    let mut value = clean();
    value.bars.low[300] /= 100.0;
    assert_found_and_undone(&value, &[(Check::CurrencyUnit, 1)]);

    // No dividend is paid in these rows.
    let mut stretch = clean();
    let start = payments(&stretch)[2] + 10;
    scale(&mut stretch, start..start + 50, 0.01);
    assert_found_and_undone(&stretch, &[(Check::CurrencyUnit, 50)]);

    let mut newest = clean();
    let length = newest.bars.len();
    scale(&mut newest, length - 40..length, 100.0);
    assert_found_and_undone(&newest, &[(Check::CurrencyUnit, 40)]);
}

#[test]
fn a_stretch_and_all_bars_before_a_split_are_found() {
    // Prices as of after the split of 4 for 1 at row 400; those of a stretch are the old ones.
    let split = |rows: std::ops::Range<usize>, factor: f64| {
        let mut series = clean();
        series.actions.splits[400] = 4.0;
        scale(&mut series, rows, factor);
        series
    };

    assert_found_and_undone(&split(300..320, 4.0), &[(Check::Split, 20)]);
    assert_found_and_undone(&split(0..400, 4.0), &[(Check::Split, 400)]);
    // Divided twice.
    assert_found_and_undone(&split(350..400, 0.25), &[(Check::Split, 50)]);
    // The bars of the first days after the split are old as well.
    assert_found_and_undone(&split(350..403, 4.0), &[(Check::Split, 53)]);
    // A single close.
    let mut close = split(0..0, 1.0);
    close.bars.close[350] *= 4.0;
    close.actions.adjusted_close[350] *= 4.0;
    assert_found_and_undone(&close, &[(Check::Split, 1)]);
}

#[test]
fn a_split_that_the_file_does_not_name_is_a_break() {
    let mut series = clean();
    scale(&mut series, 0..300, 4.0);
    series.actions = Actions::default();
    assert_eq!(series.faults(), [(Check::AdjustmentBreak, 1)]);
}

#[test]
fn dividends_in_the_wrong_unit_are_found() {
    for (position, row) in payments(&clean()).into_iter().enumerate() {
        let mut large = clean();
        large.actions.dividends[row] *= 100.0;
        assert_found_and_undone(&large, &[(Check::DividendUnit, 1)]);

        // A first or last dividend has one neighbour only; the fall of the price must agree.
        if (1..4).contains(&position) {
            let mut small = clean();
            small.actions.dividends[row] /= 100.0;
            let faults = small.faults();
            assert_eq!(faults.len(), 1, "dividend {position}: {faults:?}");
        }
    }
}

#[test]
fn a_dividend_that_is_not_adjusted_for_is_found() {
    for row in payments(&clean()) {
        let mut series = clean();
        let share = series.actions.dividends[row] / series.bars.close[row - 1];
        let adjusted = &mut series.actions.adjusted_close[..row];
        adjusted.iter_mut().for_each(|price| *price /= 1.0 - share);
        assert_found_and_undone(&series, &[(Check::DividendAdjustment, 1)]);
    }
}

#[test]
fn an_adjustment_without_a_dividend_is_found() {
    let mut series = clean();
    let row = payments(&series)[2];
    series.actions.dividends[row] = 0.0;
    assert_eq!(series.faults(), [(Check::DividendMissing, 1)]);
}

#[test]
fn a_dividend_that_is_given_again_is_a_phantom() {
    let mut series = clean();
    let row = payments(&series)[2];
    series.actions.dividends[row - 3] = series.actions.dividends[row];
    assert_found_and_undone(&series, &[(Check::DividendPhantom, 1)]);
}

#[test]
fn prices_alone_show_units_without_any_other_column() {
    let mut series = clean();
    series.actions = Actions::default();
    scale_prices(&mut series, 300..320);
    assert_eq!(series.faults(), [(Check::CurrencyUnit, 20)]);
}

fn scale_prices(series: &mut Labelled, rows: std::ops::Range<usize>) {
    let bars = &mut series.bars;
    for column in [
        &mut bars.open,
        &mut bars.high,
        &mut bars.low,
        &mut bars.close,
    ] {
        column[rows.clone()]
            .iter_mut()
            .for_each(|price| *price *= 100.0);
    }
}
