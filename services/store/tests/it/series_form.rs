//! The form in which bars are stored: older forms stay readable, and every bit comes back.

use std::path::Path;

use market::{Instrument, SeriesKey, Timeframe, Utc};
use proptest::prelude::*;
use store::{ALL_TIME, Edit, RawBar, RawBars, Store};

/// The five bars of `stored_before`: open k, high k + 1, low k - 0.5, close k + 0.5, volume 10 k;
/// the second one has no volume.
#[tokio::test]
async fn a_series_that_an_older_version_wrote_reads_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/stored_before");
    let store = Store::open(&format!("file://{}", folder.display()))
        .await
        .unwrap();
    let apple = Instrument::parse("AAPL").unwrap();
    let key = SeriesKey::standard("file", apple, Timeframe::HOUR_1).unwrap();

    let snapshot = store.series().snapshot(&key, None).await.unwrap().unwrap();
    let bars = store.series().raw_bars(&snapshot, ALL_TIME).await.unwrap();

    assert_eq!(bars.open, [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(bars.high, [2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(bars.low, [0.5, 1.5, 2.5, 3.5, 4.5]);
    assert_eq!(bars.close, [1.5, 2.5, 3.5, 4.5, 5.5]);
    assert!(bars.volume[1].is_nan());
    assert_eq!(
        [bars.volume[0], bars.volume[2], bars.volume[4]],
        [10.0, 30.0, 50.0]
    );
    let opens: Vec<String> = bars.open_time.iter().map(Utc::to_string).collect();
    assert_eq!(opens[0], "2024-01-02T14:30:00Z");
    assert_eq!(opens[4], "2024-01-02T18:30:00Z");
}

/// What a series holds after one commit of `bars`.
async fn store_and_read(bars: RawBars) -> RawBars {
    let store = Store::open("memory:///").await.unwrap();
    let euro = Instrument::parse("EURUSD").unwrap();
    let key = SeriesKey::standard("file", euro, Timeframe::HOUR_1).unwrap();

    let edit = Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: String::new(),
        at: Utc(0),
    };
    let outcome = store.series().commit(&key, edit, None).await.unwrap();
    let read = store.series().raw_bars(&outcome.snapshot, ALL_TIME).await;
    read.unwrap()
}

/// Every number as its bits, unknown volumes as one of them.
fn bits(bars: &RawBars) -> Vec<(i64, [u64; 5])> {
    let rows = bars.iter().map(|bar| {
        let [open, high, low, close] = bar.prices.map(f64::to_bits);
        let volume = if bar.volume.is_nan() {
            u64::MAX
        } else {
            bar.volume.to_bits()
        };
        (bar.open_time.0, [open, high, low, close, volume])
    });
    rows.collect()
}

#[tokio::test]
async fn bars_of_several_row_groups_come_back_bit_by_bit() {
    // Seconds are no hours, but a file of a year holds more of them than one row group does.
    let bars: RawBars = (0..1_100_000_i64)
        .map(|k| RawBar {
            open_time: Utc(1_577_836_800_000_000 + k * 1_000_000),
            prices: [k as f64 * 0.1, f64::MAX, f64::MIN_POSITIVE, -0.0],
            volume: if k % 3 == 0 { f64::NAN } else { k as f64 },
        })
        .collect();

    let read = store_and_read(bars.clone()).await;

    assert_eq!(bits(&read), bits(&bars));
}

#[tokio::test]
async fn appending_a_week_of_minutes_writes_two_files_at_most() {
    let store = Store::open("memory:///").await.unwrap();
    let euro = Instrument::parse("EURUSD").unwrap();
    let key = SeriesKey::standard("file", euro, Timeframe::MINUTE_1).unwrap();
    let minutes = |days: std::ops::Range<i64>| Edit {
        bars: (days.start * 1_440..days.end * 1_440)
            .map(|k| RawBar {
                open_time: Utc(1_577_836_800_000_000 + k * 60_000_000),
                prices: [1.0, 2.0, 0.5, 1.5],
                volume: f64::NAN,
            })
            .collect(),
        empty_intervals: Vec::new(),
        calendar: String::new(),
        at: Utc(0),
    };

    // The week from 27 January on lies in two months.
    let before = store.series().commit(&key, minutes(0..26), None).await;
    let before = before.unwrap().snapshot.manifest.files;
    let after = store.series().commit(&key, minutes(26..33), None).await;
    let after = after.unwrap().snapshot.manifest.files;

    let written = after.iter().filter(|file| !before.contains(file));
    assert_eq!(written.count(), 2);
    assert_eq!(after.iter().map(|file| file.rows).sum::<u64>(), 33 * 1_440);
}

fn any_bars() -> impl Strategy<Value = RawBars> {
    let price = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    let volume = prop_oneof![Just(f64::NAN), 0.0..1e12_f64];
    let row = (
        -2_000_000_000_000_000..2_000_000_000_000_000_i64,
        prop::array::uniform4(price),
        volume,
    );

    prop::collection::vec(row, 1..300).prop_map(|rows| {
        let bars = rows.into_iter().map(|(open, prices, volume)| RawBar {
            open_time: Utc(open),
            prices,
            volume,
        });
        bars.collect::<RawBars>().sorted()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn stored_bars_come_back_bit_by_bit(bars in any_bars()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(store_and_read(bars.clone()));
        prop_assert_eq!(bits(&read), bits(&bars));
    }
}
