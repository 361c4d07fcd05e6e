//! Feature matrices meet the golden ones: order of columns, fuzzy and raw values, scaling, and the
//! causal join.

use std::ops::ControlFlow;
use std::path::Path;

use crate::golden_data::{assert_meets, table};
use crate::sample_bars::{HOUR, read};
use market::Timeframe::{Day1, Hour1, Hour4};
use schemas::manifests::{FeatureColumn, Normalisation};
use strategies::{Columns, Overrides, Resolved, Strategy, SymbolBars, compute_features};

/// Rows after which an exponential average has forgotten how it was seeded.
const SEED_FORGOTTEN: usize = 500;

fn text(name: &str) -> String {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name),
    )
    .unwrap()
}

fn resolved(strategy: &str) -> Resolved {
    // The golden strategy a carries a key without effect, which the grammar refuses.
    let text = text(&format!("strategy_{strategy}.yaml")).replace(", label_lookahead: 20", "");
    Strategy::parse(&text)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .resolve(&Overrides::default())
        .unwrap()
}

fn bars() -> SymbolBars {
    let series = [
        (Hour1, "eurusd_1h", 1),
        (Hour4, "eurusd_4h", 4),
        (Day1, "eurusd_1d", 24),
    ];
    series
        .into_iter()
        .map(|(timeframe, name, hours)| (timeframe, read("tests/data", name, hours * HOUR)))
        .collect()
}

fn compute(resolved: &Resolved) -> Columns {
    strategies::compute_columns(resolved, &bars(), &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// The seed matters for everything made of ADX, DI, MACD or EMA.
fn is_seeded(name: &str) -> bool {
    ["adx", "macd", "power", "strength", "move"]
        .iter()
        .any(|part| name.contains(part))
}

fn assert_golden(strategy: &str, file: &str, golden_rows: usize) {
    let resolved = resolved(strategy);
    let actual = compute(&resolved);
    let (header, rows) = table(file);
    assert_eq!(rows.len(), golden_rows);
    let names: Vec<&str> = resolved
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    assert_eq!(
        names,
        header[1..],
        "the order of the columns is the contract"
    );
    assert_eq!(
        actual.open_time[rows.len() - 1].to_string(),
        rows[rows.len() - 1][0]
    );
    let expected = columns_without_times(file);
    for (name, values) in names
        .iter()
        .zip(&actual.values)
        .filter(|(name, _)| !name.starts_with("1d_power"))
    {
        let from = if is_seeded(name) { SEED_FORGOTTEN } else { 0 };
        assert_meets(
            &format!("{file} {name}"),
            &values[..rows.len()],
            &expected[*name],
            from,
        );
    }
}

fn columns_without_times(file: &str) -> std::collections::BTreeMap<String, Vec<f64>> {
    let (header, rows) = table(file);
    let cell = |text: &String| {
        if text.is_empty() {
            f64::NAN
        } else {
            text.parse().unwrap()
        }
    };
    let column = |index: usize| rows.iter().map(|row| cell(&row[index])).collect();
    header
        .iter()
        .enumerate()
        .skip(1)
        .map(|(index, name)| (name.clone(), column(index)))
        .collect()
}

#[test]
fn several_outputs_of_one_indicator_and_every_membership_type_meet_the_golden_matrix() {
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
    let actual = compute(&resolved);
    let foreseen = columns_without_times("features_c_lookahead");
    let mut differing = 0;
    let mut complete = 0;
    for row in SEED_FORGOTTEN..foreseen.values().next().unwrap().len() {
        let pairs = resolved.features.iter().zip(&actual.values);
        let pairs: Vec<(f64, f64)> = pairs
            .filter(|(feature, _)| !feature.name.starts_with("1d_power"))
            .map(|(feature, values)| (values[row], foreseen[&feature.name][row]))
            .collect();
        complete += usize::from(pairs.iter().all(|(ours, _)| ours.is_finite()));
        differing += usize::from(
            pairs
                .iter()
                .any(|(ours, theirs)| (ours - theirs).abs() > 1e-6),
        );
    }
    assert!(complete > 900, "{complete} complete rows");
    assert!(
        differing * 10 > complete * 8,
        "{differing} of {complete} rows differ, most must"
    );
}

#[test]
fn scaling_of_a_trained_network_is_applied_and_never_refitted() {
    let resolved = resolved("b");
    let fitted: serde_json::Value = serde_json::from_str(&text("normalization_b.json")).unwrap();
    let scaling: Vec<FeatureColumn> = resolved
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
        .collect();
    let actual = compute(&resolved);
    let expected = columns_without_times("features_b_normalized");
    for (column, values) in scaling.iter().zip(&actual.values) {
        let scaled: Vec<f64> = values
            .iter()
            .take(expected[&column.name].len())
            .map(|x| column.normalisation.map_or(*x, |fit| fit.apply(*x)))
            .collect();
        let from = if is_seeded(&column.name) {
            SEED_FORGOTTEN
        } else {
            0
        };
        assert_meets(&column.name, &scaled, &expected[&column.name], from);
    }
    // What prediction reads is the same, complete rows only, rounded to f32.
    let matrix = compute_features(&resolved, &bars(), &scaling).unwrap();
    let first = usize::try_from(matrix.warm_up).unwrap();
    let row: Vec<f32> = scaling
        .iter()
        .zip(&actual.values)
        .map(|(column, values)| {
            column
                .normalisation
                .map_or(values[first], |fit| fit.apply(values[first])) as f32
        })
        .collect();
    assert_eq!(matrix.values[..matrix.width], row);
    assert_eq!(matrix.open_time[0], actual.open_time[first]);
    assert!(
        compute_features(&resolved, &bars(), &scaling[1..]).is_err(),
        "a model of other columns is refused"
    );
}
