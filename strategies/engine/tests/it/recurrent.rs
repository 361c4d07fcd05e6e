//! What a strategy says about a recurrent network.

use schemas::manifests::{Architecture, RecurrentShape};
use strategies::{Overrides, Strategy};

use crate::good_strategy::{Case, GOOD, report_cases};

const RECURRENT: &[Case] = &[
    Case {
        name: "the keys of an mlp",
        edits: &[("type: mlp", "type: lstm")],
    },
    Case {
        name: "the keys of a recurrent network in an mlp",
        edits: &[(
            "hidden_layers: [8]",
            "hidden_layers: [8], sequence_length: 8, hidden_size: 8, num_layers: 1",
        )],
    },
    Case {
        name: "numbers outside of their bounds",
        edits: &[(
            "type: mlp, architecture: {hidden_layers: [8]}",
            "type: gru, architecture: {sequence_length: 1001, hidden_size: 0, num_layers: 9, dropout: 1}",
        )],
    },
    Case {
        name: "a misspelt type and key",
        edits: &[(
            "type: mlp, architecture: {hidden_layers: [8]}",
            "type: lstn, architecture: {sequence_length: 8, hiden_size: 8}",
        )],
    },
];

#[test]
fn a_recurrent_network_has_keys_of_its_own() {
    insta::assert_snapshot!(report_cases(RECURRENT));
}

#[test]
fn a_recurrent_network_has_documented_defaults() {
    let mlp = "type: mlp, architecture: {hidden_layers: [8]}";
    let lstm = "type: lstm, architecture: {sequence_length: 20}";
    let strategy = Strategy::parse(&GOOD.replacen(mlp, lstm, 1)).unwrap();

    let resolved = strategy.resolve(&Overrides::default()).unwrap();

    let network = resolved.network(resolved.feature_columns());
    let shape = RecurrentShape {
        sequence_length: 20,
        hidden_size: 64,
        num_layers: 2,
        dropout: 0.2,
    };
    assert_eq!(network.architecture, Architecture::Lstm(shape));
    // 4·64·(5+64+2) + 4·64·(64+64+2) + 3·64+3 = 18 176 + 33 280 + 195
    assert_eq!(network.parameter_count(), 51_651);
}

#[test]
fn a_recurrent_network_may_have_lags_beside_windows() {
    let mlp = "type: mlp, architecture: {hidden_layers: [8]}";
    let gru = "type: gru, architecture: {sequence_length: 20}";
    let text = GOOD.replacen(mlp, gru, 1);
    let text = text.replacen("timeframes: all}", "timeframes: all, lags: [1]}", 1);

    let strategy = Strategy::parse(&text).unwrap();

    // Five columns, and each of the four memberships once more.
    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    assert_eq!(resolved.features.len(), 9);
}
