//! Each repair: what it changes, what it leaves, and the list of changes.

use market::{Bars, Calendar, SeriesKey, Timeframe, Utc};
use quality::{Change, Field, Method, Options, RepairLimits, Repaired, repair};

use crate::findings::{clean, flatten, hours, key, remove};

fn view(key: &SeriesKey, bars: &Bars, method: Method) -> Repaired {
    let limits = RepairLimits::default();
    let calendar = Calendar::for_key(key);
    repair(bars, key, calendar, &Options::default(), method, limits)
}

/// Row of the bar that opens then.
fn row_of(bars: &Bars, time: Utc) -> usize {
    bars.open_time
        .iter()
        .position(|open| *open == time)
        .unwrap()
}

/// Open, high, low and close of a row.
fn prices(bars: &Bars, row: usize) -> [f64; 4] {
    [
        bars.open[row],
        bars.high[row],
        bars.low[row],
        bars.close[row],
    ]
}

/// Field, old and new value of each change, all of one bar.
fn values(changes: &[Change]) -> Vec<(Field, Option<f64>, Option<f64>)> {
    let triples = changes
        .iter()
        .map(|change| (change.field, change.old, change.new));
    triples.collect()
}

#[test]
fn no_repair_changes_a_clean_series() {
    for symbol in ["AAPL", "EURUSD"] {
        let key = key(symbol, Timeframe::HOUR_1);
        let bars = clean(&key, 300);
        for method in Method::ALL {
            let repaired = view(&key, &bars, method);
            assert_eq!(
                (repaired.changes.len(), repaired.bars.len()),
                (0, 300),
                "{method}"
            );
            assert_eq!(prices(&repaired.bars, 299), prices(&bars, 299));
        }
    }
}

#[test]
fn drop_removes_impossible_and_repeated_bars() {
    let (key, mut bars) = hours();
    bars.close[10] = f64::NAN;
    let newest = bars.slice(20..21);
    bars.close[20] *= 1.0001;
    bars.extend(&newest);
    let old_close = bars.close[20];
    let repaired = view(&key, &bars, Method::Drop);

    assert_eq!(repaired.bars.len(), 999);
    // Five values of each of the two rows; the close that was no number has no old value.
    assert_eq!(repaired.changes.len(), 10);
    let closes: Vec<_> = repaired
        .changes
        .iter()
        .filter(|change| change.field == Field::Close)
        .map(|change| (change.timestamp, change.old, change.new))
        .collect();
    let nan_bar = (bars.open_time[10], None, None);
    let repeated_bar = (bars.open_time[20], Some(old_close), None);
    assert_eq!(closes, [nan_bar, repeated_bar]);
}

#[test]
fn ffill_takes_the_close_before_and_no_volume() {
    let (key, mut bars) = hours();
    // Rows 701 and 702 are inside of one session: it begins at row 700.
    let time = bars.open_time[701];
    bars.high[701] = f64::NAN;
    let close = bars.close[700];
    let next_time = bars.open_time[702];
    remove(&mut bars, 702..703);
    let repaired = view(&key, &bars, Method::Ffill);

    let row = row_of(&repaired.bars, time);
    assert_eq!(prices(&repaired.bars, row), [close; 4]);
    assert_eq!(prices(&repaired.bars, row + 1), [close; 4]);
    assert_eq!(repaired.bars.open_time[row + 1], next_time);
    assert_eq!(repaired.bars.volume[row + 1], 0.0);
    assert_eq!(repaired.synthetic.iter().filter(|made| **made).count(), 2);
    let added = &repaired.changes[repaired.changes.len() - 5..];
    let expected = [
        (Field::Open, None, Some(close)),
        (Field::High, None, Some(close)),
        (Field::Low, None, Some(close)),
        (Field::Close, None, Some(close)),
        (Field::Volume, None, Some(0.0)),
    ];
    assert_eq!(values(added), expected);
}

#[test]
fn no_fill_is_longer_than_allowed_or_crosses_a_night() {
    let key = key("EURUSD", Timeframe::HOUR_1);
    let fills = |hole: std::ops::Range<usize>| {
        let mut bars = clean(&key, 300);
        remove(&mut bars, hole);
        view(&key, &bars, Method::Ffill).changes.len()
    };
    assert_eq!(fills(10..13), 3 * 4); // quotes have no volume to change
    assert_eq!(fills(10..14), 0);

    // The last hour of one day and the first of the next one.
    let (stock, mut bars) = hours();
    remove(&mut bars, 699..701);
    assert_eq!(view(&stock, &bars, Method::Ffill).changes, []);
}

#[test]
fn bfill_and_interpolate_come_from_later_bars() {
    let (key, mut bars) = hours();
    flatten(&mut bars, 701, 100.0);
    flatten(&mut bars, 703, 104.0);
    flatten(&mut bars, 702, f64::NAN);

    let back = view(&key, &bars, Method::Bfill);
    assert_eq!(prices(&back.bars, 702), [104.0; 4]);
    let between = view(&key, &bars, Method::Interpolate);
    assert_eq!(prices(&between.bars, 702), [102.0; 4]);

    let of_future: Vec<Method> = Method::ALL
        .into_iter()
        .filter(|m| m.uses_future())
        .collect();
    assert_eq!(of_future, [Method::Bfill, Method::Interpolate]);
}

#[test]
fn zero_is_for_volumes_alone() {
    let (key, mut bars) = hours();
    bars.volume[5] = -7.0;
    bars.low[6] = 0.0;
    let repaired = view(&key, &bars, Method::Zero);
    assert_eq!(
        values(&repaired.changes),
        [(Field::Volume, Some(-7.0), Some(0.0))]
    );
}

#[test]
fn widen_moves_high_and_low_out() {
    let (key, mut bars) = hours();
    let true_high = bars.open[5].max(bars.close[5]);
    let high = true_high * 0.9999;
    bars.high[5] = high;
    let repaired = view(&key, &bars, Method::Widen);
    assert_eq!(
        values(&repaired.changes),
        [(Field::High, Some(high), Some(true_high))]
    );

    // A crossed bar stays as it is.
    let (key, mut bars) = hours();
    (bars.high[5], bars.low[5]) = (bars.low[5], bars.high[5]);
    assert_eq!(view(&key, &bars, Method::Widen).changes, []);
}

#[test]
fn winsorise_caps_a_spike_by_the_bars_before_it() {
    let (key, mut bars) = hours();
    let before = bars.close[702];
    bars.close[703] = before * 1.5;
    bars.high[703] = before * 1.6;
    let repaired = view(&key, &bars, Method::Winsorise);

    // Returns are uniform in ±0.1 %: the scale is 0.074 %, and eight of it are 0.6 %.
    let close = repaired.bars.close[703];
    assert!(
        (1.004..1.008).contains(&(close / before)),
        "{}",
        close / before
    );
    assert_eq!(repaired.bars.high[703], close);
    // Nothing before the spike depends on it.
    let first_change = repaired.changes.first().unwrap().timestamp;
    assert_eq!(first_change, bars.open_time[703]);
}

#[test]
fn the_given_bars_stay_as_they_are() {
    let (key, mut bars) = hours();
    bars.low[10] = 0.0;
    bars.volume[11] = -5.0;
    let copy = bars.clone();
    for method in Method::ALL {
        view(&key, &bars, method);
    }
    assert_eq!(bars, copy);
}
