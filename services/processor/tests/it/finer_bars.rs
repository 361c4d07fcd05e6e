//! A timeframe that is not stored is made of finer bars, and the manifest says so.

use std::collections::BTreeMap;

use market::{Timeframe, Utc};
use schemas::commands::TrainRequest;
use serde_json::Value;
use store::{ALL_TIME, Edit, RawBar, RawBars, Store};

use crate::stored_bars::{build, empty_store, key, load, request};

const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// A strategy of the catalogue, with days in place of hours.
fn daily_request() -> TrainRequest {
    let hourly = request("eurusd_rsi_macd", Value::Null);
    TrainRequest {
        strategy: hourly.strategy.replace("1h", "1d").replace("2000", "1000"),
        ..hourly
    }
}

/// The bars of each UTC day, put together one after the other; the sample ends with a day.
fn days_of(hours: &RawBars) -> RawBars {
    let mut days: BTreeMap<i64, RawBar> = BTreeMap::new();
    for hour in hours.iter() {
        let midnight = hour.open_time.0.div_euclid(DAY_MICROS) * DAY_MICROS;
        let day = days.entry(midnight).or_insert(RawBar {
            open_time: Utc(midnight),
            ..hour
        });
        let [open, high, low, _] = day.prices;
        let [_, hour_high, hour_low, close] = hour.prices;
        day.prices = [open, high.max(hour_high), low.min(hour_low), close];
    }
    days.into_values().collect()
}

async fn commit_days(store: &Store, hours: &RawBars) -> String {
    let daily = key("EURUSD", Timeframe::DAY_1);
    let edit = Edit {
        bars: days_of(hours),
        empty_intervals: Vec::new(),
        calendar: "sample".to_owned(),
        at: Utc(1),
    };
    store.series().commit(&daily, edit, None).await.unwrap();
    daily.prefix()
}

#[tokio::test]
async fn days_made_of_hours_give_the_rows_of_stored_days() {
    let store = empty_store().await;
    let hourly = load(&store, "EURUSD", Timeframe::HOUR_1, usize::MAX).await;
    let snapshot = store
        .series()
        .find_finer(&key("EURUSD", Timeframe::DAY_1))
        .await;
    let snapshot = snapshot.unwrap().unwrap();
    assert_eq!(snapshot.key, key("EURUSD", Timeframe::HOUR_1));
    let hours = store.series().raw_bars(&snapshot, ALL_TIME).await.unwrap();
    let daily = commit_days(&store, &hours).await;

    let made = build(&store, &daily_request(), std::slice::from_ref(&hourly)).await;
    let stored = build(&store, &daily_request(), &[daily]).await;

    let made = made.unwrap().manifest;
    let stored = stored.unwrap().manifest;
    assert!(made.rows > 500, "{}", made.rows);
    let made_table = store.data_sets().read(&made).await.unwrap();
    let stored_table = store.data_sets().read(&stored).await.unwrap();
    // Thousands of numbers: a difference is not printed.
    assert!(made_table == stored_table);

    assert_ne!(made.inputs_sha256, stored.inputs_sha256);
    let input = &made.series[0];
    assert_eq!(input.series, hourly);
    assert_eq!(input.resampled_to.as_deref(), Some("1d"));
    assert_eq!(input.label(), format!("{hourly} as 1d"));
    assert_eq!(input.rows, days_of(&hours).len() as u64);
    assert_eq!(stored.series[0].resampled_to, None);
}
