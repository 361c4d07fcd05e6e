//! Requests that give no data set: each error says what is wrong and what to do.

use market::Timeframe;
use schemas::commands::TrainRequest;
use schemas::errors::ErrorRecord;
use serde_json::{Value, json};

use crate::stored_bars::{build, empty_store, key, request, store_of_eurusd};

fn good_request() -> TrainRequest {
    request("eurusd_rsi_macd", Value::Null)
}

/// The error of a request over an empty store.
async fn refusal_of(request: &TrainRequest, series: &[String]) -> ErrorRecord {
    let error = build(&empty_store().await, request, series)
        .await
        .unwrap_err();
    let record = ErrorRecord::from_advice(&error);
    assert!(!record.message.is_empty(), "{record:?}");
    assert!(!record.hint.is_empty(), "{record:?}");
    assert!(!record.retryable, "{record:?}");
    record
}

fn hourly_eurusd() -> Vec<String> {
    vec![key("EURUSD", Timeframe::HOUR_1).prefix()]
}

#[tokio::test]
async fn a_text_that_is_not_a_strategy_is_refused() {
    let request = TrainRequest {
        strategy: "name: x".to_owned(),
        ..good_request()
    };
    let error = refusal_of(&request, &hourly_eurusd()).await;
    assert_eq!(error.code, "STRATEGY-Invalid");
}

#[tokio::test]
async fn overrides_of_another_form_are_refused() {
    let request = request("eurusd_rsi_macd", json!({"epochs": "many"}));
    let error = refusal_of(&request, &hourly_eurusd()).await;
    assert_eq!(error.code, "STRATEGY-Overrides");
}

#[tokio::test]
async fn overrides_that_do_not_fit_the_strategy_are_refused() {
    let request = request("eurusd_rsi_macd", json!({"epochs": 0}));
    let error = refusal_of(&request, &hourly_eurusd()).await;
    assert_eq!(error.code, "STRATEGY-Invalid");
}

#[tokio::test]
async fn a_text_that_is_not_a_series_key_is_refused() {
    let error = refusal_of(&good_request(), &["bars/x".to_owned()]).await;
    assert_eq!(error.code, "DATA-SeriesKey");
}

#[tokio::test]
async fn a_series_that_the_request_does_not_name_is_asked_for() {
    let daily = vec![key("EURUSD", Timeframe::DAY_1).prefix()];
    let error = refusal_of(&good_request(), &daily).await;
    assert_eq!(error.code, "DATA-NoSeries");
}

#[tokio::test]
async fn a_series_that_is_not_stored_is_named() {
    let error = refusal_of(&good_request(), &hourly_eurusd()).await;
    assert_eq!(error.code, "DATA-NotStored");
    assert!(error.message.contains(&hourly_eurusd()[0]), "{error}");
}

#[tokio::test]
async fn too_short_a_history_is_refused_with_both_numbers() {
    let (store, series) = store_of_eurusd(300).await;

    let error = build(&store, &good_request(), &series).await.unwrap_err();

    let record = ErrorRecord::from_advice(&error);
    assert_eq!(record.code, "DATA-ShortHistory");
    assert!(record.message.contains("300"), "{record}");
    assert!(record.message.contains("2000"), "{record}");
}
