//! What a strategy says about a neuro-fuzzy network.

use schemas::manifests::{Architecture, Firing, OpenSide, RuleSource, TskShape};
use strategies::{FeatureKind, Overrides, Resolved, Strategy};

use crate::edited_text::apply_edits;
use crate::good_strategy::{Case, GOOD, report_cases, resolve_after};

const MLP: &str = "type: mlp, architecture: {hidden_layers: [8]}";
const RAW_INPUT: &str =
    "  - {raw_indicator: macd_12_26_9.histogram, timeframes: [\"1h\"], normalization: zscore}\n";
const SET_INPUT: &str = "  - {fuzzy_set: zone, timeframes: all}\n";

const REFUSED: &[Case] = &[
    Case {
        name: "an input without members",
        edits: &[(MLP, "type: tsk, architecture: {rules: 4}")],
    },
    Case {
        name: "sets beside rules that are grown",
        edits: &[(MLP, "type: tsk, architecture: {rules_from: data}")],
    },
    Case {
        name: "values that are not scaled",
        edits: &[
            (MLP, "type: tsk, architecture: {rules_from: data}"),
            (SET_INPUT, ""),
            (", normalization: zscore", ""),
        ],
    },
    Case {
        name: "the keys of an mlp",
        edits: &[
            (
                MLP,
                "type: tsk, architecture: {hidden_layers: [8], dropout: 0.1}",
            ),
            (RAW_INPUT, ""),
        ],
    },
    Case {
        name: "numbers outside of their bounds",
        edits: &[
            (
                MLP,
                "type: tsk, architecture: {rules: 0, prune_below: 1, firing: max}",
            ),
            (RAW_INPUT, ""),
        ],
    },
    Case {
        name: "the keys of rules in an mlp",
        edits: &[(
            "hidden_layers: [8]",
            "hidden_layers: [8], rules: 4, rules_from: sets",
        )],
    },
];

#[test]
fn a_rule_base_has_keys_and_inputs_of_its_own() {
    insta::assert_snapshot!(report_cases(REFUSED));
}

fn shape_of(resolved: &Resolved) -> TskShape {
    match &resolved.model {
        Architecture::Tsk(shape) => shape.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rule_base_has_documented_defaults() {
    let edits = [(MLP, "type: tsk, architecture: {}"), (RAW_INPUT, "")];
    let shape = shape_of(&resolve_after(&edits, &Overrides::default()));

    assert_eq!(shape.from, RuleSource::Sets);
    assert_eq!(shape.rules_max, 16);
    assert_eq!(shape.base.firing, Firing::Mean);
    assert!((shape.prune_below - 0.01).abs() < 1e-12);
    // They are built from the training part.
    assert!(shape.base.rules.is_empty());
}

#[test]
fn a_set_is_one_column_on_each_timeframe() {
    let edits = [(MLP, "type: tsk, architecture: {}"), (RAW_INPUT, "")];
    let resolved = resolve_after(&edits, &Overrides::default());

    let names: Vec<&str> = resolved
        .features
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(names, ["4h_zone", "1h_zone"]);
    for feature in &resolved.features {
        assert!(matches!(&feature.kind, FeatureKind::SetValue { set } if set == "zone"));
    }
    // Rules have to tell the timeframes apart.
    let inputs = shape_of(&resolved).base.inputs;
    let names: Vec<&str> = inputs.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["4h_zone", "1h_zone"]);
}

#[test]
fn rules_on_one_timeframe_call_a_set_by_its_name() {
    let edits = [
        (MLP, "type: tsk, architecture: {}"),
        (RAW_INPUT, ""),
        ("timeframes: all}", "timeframes: [\"1h\"], lags: [2]}"),
    ];
    let inputs = shape_of(&resolve_after(&edits, &Overrides::default()))
        .base
        .inputs;

    let names: Vec<&str> = inputs.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["zone", "zone_lag_2"]);
}

#[test]
fn grown_rules_call_an_input_by_its_indicator() {
    let edits = [
        (MLP, "type: tsk, architecture: {rules_from: data, rules: 4}"),
        (SET_INPUT, ""),
    ];
    let shape = shape_of(&resolve_after(&edits, &Overrides::default()));

    assert_eq!(shape.base.inputs[0].name, "macd_12_26_9.histogram");
    assert!(shape.base.inputs[0].members.is_empty());
}

/// Every kind of membership, out of order.
const MEMBERS: &str = "
    top: {type: trapezoidal, parameters: [60, 72, .inf, .inf]}
    any: {type: trapezoidal, parameters: [-.inf, -.inf, .inf, .inf]}
    peak: [30, 40, 50]
    plateau: {type: trapezoidal, parameters: [20, 30, 34, 44]}
    bottom: {type: trapezoidal, parameters: [-.inf, -.inf, 10, 22]}
    round: {type: gaussian, parameters: [50, 4]}
    bell: {type: bell, parameters: [6, 2, 55]}
    rising: {type: sigmoid, parameters: [0.5, 80]}
    falling: {type: sigmoid, parameters: [-0.5, 5]}
    point: {type: singleton, parameters: [58]}";

#[test]
fn members_become_gaussians_as_wide_at_half_their_height() {
    let text = apply_edits(
        GOOD,
        &[
            (MLP, "type: tsk, architecture: {}"),
            (RAW_INPUT, ""),
            ("\n    low: [0, 30, 50]\n    high: [50, 70, 100]", MEMBERS),
        ],
    );
    let strategy = Strategy::parse(&text).unwrap_or_else(|findings| panic!("{findings}"));

    let resolved = strategy.resolve(&Overrides::default()).unwrap();

    // σ = (distance of the two points of degree ½) / 2.35482. A trapezoid of 20, 30, 34, 44 has them
    // at 25 and 39, one that falls from 10 to 22 at 16 with the other one as far below 10. The
    // sigmoid of slope 0.5 has σ = 2.35482/0.5 and begins its plateau 1.17741 σ = 5.5452 above ½.
    let expected = [
        ("falling", Some(OpenSide::Below), Some((-0.5452, 4.7096))),
        ("bottom", Some(OpenSide::Below), Some((10.0, 5.0959))),
        ("plateau", None, Some((32.0, 5.9453))),
        ("peak", None, Some((40.0, 4.2466))),
        ("round", None, Some((50.0, 4.0))),
        ("bell", None, Some((55.0, 5.0959))),
        ("point", None, Some((58.0, 0.0))),
        ("top", Some(OpenSide::Above), Some((72.0, 5.0959))),
        ("rising", Some(OpenSide::Above), Some((85.5452, 4.7096))),
        ("any", None, None),
    ];
    let members = &shape_of(&resolved).base.inputs[0].members;
    assert_eq!(members.len(), expected.len());
    for (member, (name, open, place)) in members.iter().zip(expected) {
        assert_eq!((member.name.as_str(), member.open), (name, open));
        let start = member.start.map(|it| (it.centre, it.width));
        match (start, place) {
            (Some(start), Some(place)) => {
                assert!((start.0 - place.0).abs() < 1e-4, "{name}: {start:?}");
                assert!((start.1 - place.1).abs() < 1e-4, "{name}: {start:?}");
            }
            (start, place) => assert_eq!(start, place, "{name}"),
        }
    }
}
