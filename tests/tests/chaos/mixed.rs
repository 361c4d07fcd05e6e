//! Operations of every kind that the driver submits.

use schemas::commands::{FetchBars, FetchMode, OnFailure, RunDummy, SeriesRequest, TrainRequest};
use schemas::ids::Lane;
use schemas::operation::NewOperation;
use schemas::requests::{DataLoad, Family, Training};
use system_tests::{side_by_side, steps};

use crate::book::Book;

/// A strategy on daily SPY, which trains in a second.
const STRATEGY: &str = include_str!("../../../strategies/catalog/spy_return_regression.yaml");

/// Iterations of 20 ms with a checkpoint after each.
pub fn work(iterations: u64) -> RunDummy {
    RunDummy {
        iterations,
        seconds: 0.02,
        checkpoint_every: 1,
        ..RunDummy::default()
    }
}

/// One step that ends at once.
pub fn small() -> NewOperation {
    work(1).operation()
}

/// Children of dummy steps, four at a time.
pub fn family(children: usize) -> Family {
    Family {
        stages: vec![vec![work(5).operation(); children]],
        limit: 4,
        on_failure: OnFailure::KeepGoing,
        labels: [].into(),
    }
}

fn fetch_spy() -> FetchBars {
    FetchBars {
        provider: "file".to_owned(),
        series: vec![SeriesRequest {
            symbol: "SPY".to_owned(),
            timeframe: "1d".to_owned(),
        }],
        mode: FetchMode::Full,
        start: None,
        end: None,
        refetch: false,
        calendar: None,
        accept_finer: false,
        accept_stored: false,
    }
}

/// A load of all daily bars of SPY.
pub fn load() -> NewOperation {
    let load = DataLoad {
        fetch: fetch_spy(),
        labels: [].into(),
    };
    load.operation()
}

/// A training of one epoch on them.
pub fn training() -> NewOperation {
    let training = Training {
        request: TrainRequest {
            strategy: STRATEGY.to_owned(),
            overrides: serde_json::json!({ "epochs": 1 }),
            model: None,
        },
        fetch: fetch_spy(),
        bundle: None,
        lane: Lane::Default,
        labels: [].into(),
    };
    training.operation()
}

/// Submits the next operation of a mixture: dummy steps in a row and side by side, families, loads,
/// trainings.
pub async fn submit_next(book: &mut Book<'_>) {
    match book.accepted().len() % 6 {
        0 => book.submit(&steps(&[work(20), work(20)])).await,
        1 => book.submit(&load()).await,
        2 => book.submit_family(&family(6)).await,
        3 => {
            book.submit(&side_by_side(&[work(20), work(20)], work(5)))
                .await
        }
        4 => book.submit(&training()).await,
        _ => book.submit(&steps(&[work(40)])).await,
    };
}
