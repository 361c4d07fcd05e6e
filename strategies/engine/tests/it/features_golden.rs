//! Feature matrices meet the golden ones: order of columns, fuzzy and raw values, scaling, and the
//! causal join.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use crate::golden_data::{assert_meets, table};
use crate::sample_bars::{HOUR, read};
use market::Timeframe;
use schemas::manifests::{FeatureColumn, Normalisation};
use strategies::{
    Columns, Overrides, Resolved, Strategy, SymbolBars, compute_columns, compute_features,
};

/// Rows after which an exponential average has forgotten how it was seeded.
const SEED_FORGOTTEN: usize = 500;

/// Columns of daily bars, of which the golden files have too few to forget the seed.
const NEVER_FORGOTTEN: &str = "1d_power";

fn read_text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn resolved(strategy: &str) -> Resolved {
    // The golden strategy a carries a key without effect, which the grammar refuses.
    let text = read_text(&format!("strategy_{strategy}.yaml")).replace(", label_lookahead: 20", "");

    Strategy::parse(&text)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .resolve(&Overrides::default())
        .unwrap()
}

fn bars() -> SymbolBars {
    [
        (Timeframe::HOUR_1, "eurusd_1h", 1),
        (Timeframe::HOUR_4, "eurusd_4h", 4),
        (Timeframe::DAY_1, "eurusd_1d", 24),
    ]
    .into_iter()
    .map(|(timeframe, name, hours)| (timeframe, read("tests/data", name, hours * HOUR)))
    .collect()
}

fn columns_of<'a>(resolved: &Resolved, bars: &'a SymbolBars) -> Columns<'a> {
    compute_columns(resolved, bars, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// The golden columns of a file by name, without the times.
fn golden_columns(file: &str) -> BTreeMap<String, Vec<f64>> {
    let (header, rows) = table(file);
    let read_cell = |text: &String| {
        if text.is_empty() {
            f64::NAN
        } else {
            text.parse().unwrap()
        }
    };

    header
        .iter()
        .enumerate()
        .skip(1)
        .map(|(index, name)| {
            let values = rows.iter().map(|row| read_cell(&row[index])).collect();
            (name.clone(), values)
        })
        .collect()
}

/// The first row to compare. The seed matters for everything made of ADX, DI, MACD or EMA.
fn first_comparable_row(column: &str) -> usize {
    let is_seeded = ["adx", "macd", "power", "strength", "move"]
        .iter()
        .any(|part| column.contains(part));

    if is_seeded { SEED_FORGOTTEN } else { 0 }
}

fn assert_golden(strategy: &str, file: &str, golden_rows: usize) {
    let resolved = resolved(strategy);
    let bars = bars();
    let actual = columns_of(&resolved, &bars);

    let (header, rows) = table(file);
    let names: Vec<&str> = resolved
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    assert_eq!(names, header[1..], "the order of columns is the contract");
    assert_eq!(rows.len(), golden_rows);
    let last_row = rows.len() - 1;
    assert_eq!(actual.open_time[last_row].to_string(), rows[last_row][0]);

    let expected = golden_columns(file);
    for (name, values) in names.iter().zip(&actual.values) {
        if !name.starts_with(NEVER_FORGOTTEN) {
            let subject = format!("{file} {name}");
            let first_row = first_comparable_row(name);
            assert_meets(&subject, &values[..rows.len()], &expected[*name], first_row);
        }
    }
}

#[test]
fn several_outputs_and_every_membership_type_are_golden() {
    assert_golden("a", "features_a", 5_000);
}

#[test]
fn raw_and_fuzzy_inputs_mix_in_the_order_of_the_file() {
    assert_golden("b", "features_b_raw", 2_000);
}

#[test]
fn a_coarse_bar_shows_from_its_close_on() {
    assert_golden("c", "features_c_causal", 1_500);
}

#[test]
fn the_matrix_that_knew_the_future_is_not_ours() {
    let resolved = resolved("c");
    let bars = bars();
    let actual = columns_of(&resolved, &bars);
    let foreseen = golden_columns("features_c_lookahead");
    let rows = foreseen.values().next().unwrap().len();

    let mut complete = 0;
    let mut differing = 0;
    for row in SEED_FORGOTTEN..rows {
        let pairs: Vec<(f64, f64)> = resolved
            .features
            .iter()
            .zip(&actual.values)
            .filter(|(feature, _)| !feature.name.starts_with(NEVER_FORGOTTEN))
            .map(|(feature, values)| (values[row], foreseen[&feature.name][row]))
            .collect();
        complete += usize::from(pairs.iter().all(|pair| pair.0.is_finite()));
        differing += usize::from(pairs.iter().any(|pair| (pair.0 - pair.1).abs() > 1e-6));
    }

    assert!(complete > 900, "{complete} complete rows");
    assert!(
        differing * 10 > complete * 8,
        "{differing} of {complete} rows differ, most must"
    );
}

/// The columns of strategy b with the scaling of a trained network.
fn trained_scaling(resolved: &Resolved) -> Vec<FeatureColumn> {
    let fitted: serde_json::Value =
        serde_json::from_str(&read_text("normalization_b.json")).unwrap();

    resolved
        .feature_columns()
        .into_iter()
        .map(|column| {
            let normalisation: Option<Normalisation> = fitted
                .get(&column.name)
                .and_then(|fit| serde_json::from_value(fit.clone()).ok());
            FeatureColumn {
                normalisation,
                ..column
            }
        })
        .collect()
}

fn apply_scaling(column: &FeatureColumn, value: f64) -> f64 {
    column.normalisation.map_or(value, |fit| fit.apply(value))
}

#[test]
fn scaling_of_a_trained_network_is_applied_and_not_refitted() {
    let resolved = resolved("b");
    let scaling = trained_scaling(&resolved);
    let bars = bars();
    let actual = columns_of(&resolved, &bars);

    let expected = golden_columns("features_b_normalized");
    for (column, values) in scaling.iter().zip(&actual.values) {
        let expected = &expected[&column.name];
        let scaled: Vec<f64> = values
            .iter()
            .take(expected.len())
            .map(|value| apply_scaling(column, *value))
            .collect();
        let first_row = first_comparable_row(&column.name);
        assert_meets(&column.name, &scaled, expected, first_row);
    }
}

#[test]
fn prediction_reads_the_complete_rows_of_the_columns() {
    let resolved = resolved("b");
    let scaling = trained_scaling(&resolved);
    let bars = bars();
    let columns = columns_of(&resolved, &bars);

    let matrix = compute_features(&resolved, &bars, &scaling).unwrap();

    let first_row = usize::try_from(matrix.warm_up).unwrap();
    let expected: Vec<f32> = scaling
        .iter()
        .zip(&columns.values)
        .map(|(column, values)| apply_scaling(column, values[first_row]) as f32)
        .collect();
    assert_eq!(matrix.values[..matrix.width], expected);
    assert_eq!(matrix.open_time[0], columns.open_time[first_row]);
}

#[test]
fn a_scaling_of_other_columns_is_refused() {
    let resolved = resolved("b");
    let scaling = trained_scaling(&resolved);

    assert!(compute_features(&resolved, &bars(), &scaling[1..]).is_err());
}
