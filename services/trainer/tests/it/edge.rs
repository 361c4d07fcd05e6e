//! Specifications of the edge of a model, worked by hand.

use schemas::edge::{Book, EdgeReport, PartEdge};
use schemas::training::Loss;
use store::DataSetTable;
use strategies::{Decisions, Signal, TradeCosts};
use trainer::data_set::{held_out_outcomes, training_data};
use trainer::metrics::{HeldOutOutcomes, Outcomes, Scored, Trading, TripCosts};
use trainer::{Labels, Objective};

use crate::made_up::{class_part, classes};

const SURE_BUY: [f32; 3] = [0.8, 0.1, 0.1];
const SURE_HOLD: [f32; 3] = [0.2, 0.7, 0.1];
const SURE_SELL: [f32; 3] = [0.1, 0.1, 0.8];

fn rules() -> Decisions {
    Decisions::Classification {
        confidence_threshold: Some(0.5),
        signals: &[Signal::Buy, Signal::Hold, Signal::Sell],
    }
}

/// A row: symbol, bar, probabilities of BUY, HOLD and SELL, forward return.
type Row = (u16, u32, [f32; 3], Option<f32>);

/// The edge of `rows` held over two bars.
fn edge_of(rows: &[Row], costs: Option<&[TripCosts]>) -> PartEdge {
    let part = Outcomes {
        symbol: rows.iter().map(|row| row.0).collect(),
        known_at: rows.iter().map(|row| i64::from(row.1)).collect(),
        bar: rows.iter().map(|row| row.1).collect(),
        forward_return: rows.iter().map(|row| row.3).collect(),
    };
    let outcomes = HeldOutOutcomes {
        horizon_bars: 2,
        validation: part.clone(),
        test: part,
    };
    let scores: Vec<f32> = rows.iter().flat_map(|row| row.2.map(f32::ln)).collect();
    let scored = Scored {
        scores: &scores,
        labels: &Labels::Classes(vec![0; rows.len()]),
        objective: &Objective::plain(Loss::CrossEntropy, 3),
    };

    let trading = Trading {
        outcomes: &outcomes,
        costs,
    };
    let EdgeReport { mut parts, .. } = trading.edge(&scored, &scored, rules());
    parts.remove("test").unwrap()
}

fn assert_close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-7, "{value} is not {expected}");
}

/// Two symbols; the second one begins its own.
fn rows() -> [Row; 7] {
    [
        (0, 10, SURE_BUY, Some(0.02)),
        // Within the two bars of the first trade.
        (0, 11, SURE_SELL, Some(0.5)),
        (0, 12, SURE_SELL, Some(0.01)),
        // What came is not known: no trade, and none in the way.
        (0, 14, SURE_BUY, None),
        (0, 15, SURE_HOLD, Some(0.4)),
        (1, 11, SURE_SELL, Some(-0.03)),
        (1, 13, SURE_BUY, Some(-0.01)),
    ]
}

#[test]
fn a_book_holds_one_position_per_symbol_over_the_horizon() {
    let edge = edge_of(&rows(), None);

    assert_eq!(edge.rows, 6);
    let Book { buys, sells, .. } = edge.book;
    assert_eq!((buys, sells), (2, 2));
    // BUY 0.02 − 0.01, SELL −0.01 + 0.03.
    assert_close(edge.book.buy_direction, 0.01);
    assert_close(edge.book.sell_direction, 0.02);
    assert_close(edge.book.direction, 0.03);
    // Nobody has said what a trade costs.
    assert_eq!((edge.book.costs, edge.book.net), (None, None));
}

#[test]
fn costs_are_those_of_each_symbol_and_both_sides() {
    let costs = [
        TradeCosts {
            commission: 0.001,
            spread: 0.002,
            slippage: 0.0005,
        },
        TradeCosts {
            commission: 0.0,
            spread: 0.004,
            slippage: 0.0,
        },
    ]
    .map(TripCosts::from);

    let book = edge_of(&rows(), Some(&costs)).book;

    // Two trades of each symbol.
    let paid = book.costs.unwrap();
    assert_close(paid.commission, 0.004);
    assert_close(paid.spread, 0.012);
    assert_close(paid.slippage, 0.002);
    assert_close(book.net.unwrap(), 0.03 - 0.018);
    // Trades of 0.015, −0.015, 0.026, −0.014: mean 0.003, deviation √(0.001286 / 3).
    let sharpe = book.sharpe.unwrap();
    assert!(
        (sharpe.ratio - 0.003 / (0.001_286_f64 / 3.0).sqrt()).abs() < 1e-6,
        "{sharpe:?}"
    );
    assert!(sharpe.probability > 0.5 && sharpe.probability < 0.7);
}

#[test]
fn one_number_for_a_round_trip_is_not_divided() {
    let costs = [TripCosts::undivided(0.001), TripCosts::undivided(0.001)];
    let book = edge_of(&rows(), Some(&costs)).book;
    assert_close(book.costs.unwrap().round_trip, 0.004);
    assert_close(book.net.unwrap(), 0.026);
}

#[test]
fn the_rank_ic_is_that_of_buy_minus_sell() {
    // Expectations 0.7, −0.7, −0.7, 0.1, −0.7, 0.7 beside 0.02, 0.5, 0.01, 0.4, −0.03, −0.01. By
    // scipy.stats.spearmanr.
    let edge = edge_of(&rows(), None);
    assert_close(edge.rank_ic.unwrap(), -0.030_860_669_992_418_377);
    assert_eq!(edge.test, None);
}

#[test]
fn a_signal_that_never_varies_has_no_edge() {
    let rows = rows().map(|row| (row.0, row.1, SURE_HOLD, row.3));
    let edge = edge_of(&rows, None);
    assert_eq!((edge.rank_ic, edge.decile_spread), (None, None));
    assert_eq!((edge.book.trades(), edge.book.sharpe), (0, None));
    assert!(edge.figures().why_not().is_some());
}

/// 20 rows of one symbol, of which the last ones are validation and test.
fn table(forward_return: Option<Vec<Option<f32>>>) -> DataSetTable {
    let part = class_part(20, 1, 0.0);
    let column = |column: usize| {
        part.features
            .iter()
            .skip(column)
            .step_by(3)
            .copied()
            .collect()
    };

    DataSetTable {
        symbols: vec!["EURUSD".to_owned()],
        symbol: vec![0; 20],
        open_time: (0..20).collect(),
        known_at: (1..21).collect(),
        part: (0..20)
            .map(|row| u8::from(row >= 12) + u8::from(row >= 16))
            .collect(),
        label: (0..20).map(|row| (row % 3) as f32).collect(),
        label_known_at: (2..22).collect(),
        bar: Some((100..120).collect()),
        weight: None,
        forward_return,
        feature_names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        features: (0..3).map(column).collect(),
    }
}

#[test]
fn outcomes_are_those_of_the_held_out_rows() {
    let forward = (0..20)
        .map(|row| (row != 17).then_some(row as f32))
        .collect();
    let table = table(Some(forward));
    let data = training_data(&table, &classes(), false).unwrap();

    let outcomes = held_out_outcomes(&table, &data, 4).unwrap();

    assert_eq!(outcomes.horizon_bars, 4);
    assert_eq!(outcomes.validation.bar, [112, 113, 114, 115]);
    assert_eq!(outcomes.validation.known_at, [13, 14, 15, 16]);
    let expected = [Some(16.0), None, Some(18.0), Some(19.0)];
    assert_eq!(outcomes.test.forward_return, expected);
}

#[test]
fn what_came_is_never_an_input() {
    let forward = (0..20).map(|row| Some(row as f32)).collect();
    let network = classes();
    let with = training_data(&table(Some(forward)), &network, false).unwrap();
    let without = training_data(&table(None), &network, false).unwrap();
    assert_eq!(with.train.features, without.train.features);
    assert_eq!(with.test.features, without.test.features);
}

#[test]
fn a_data_set_of_an_older_program_has_no_outcomes() {
    let table = table(None);
    let data = training_data(&table, &classes(), false).unwrap();
    assert_eq!(held_out_outcomes(&table, &data, 4), None);
}
