//! `ktrdr models rules` and `ktrdr models predict --rules`: what a neuro-fuzzy network says.

use schemas::manifests::{
    Architecture, FeatureColumn, Firing, FuzzyInput, FuzzyMember, MemberPlace, Network,
    Normalisation, OpenSide, OutputKind, RuleBase, RuleSource, TskShape,
};

use crate::data_train_models::{Place, STRATEGY};
use crate::hand_model::{Tensor, safetensors, store_artifact, store_hand};

/// Hourly closes whose rates of change are 10, −50 and 20.
const BARS: &str = "timestamp,open,high,low,close,volume\n\
    2024-01-02T10:00:00Z,100,100,100,100,5\n\
    2024-01-02T11:00:00Z,110,110,110,110,5\n\
    2024-01-02T12:00:00Z,55,55,55,55,5\n\
    2024-01-02T13:00:00Z,66,66,66,66,5\n";

/// Two rules over three rows of the training part; the figures are made up.
const REPORT: &str = r#"{"v": 1, "rows": 3, "rules": [
    {"members": [{"input": 0, "member": 0, "degree": 0.4}], "support": 0.25, "scores": [-0.01]},
    {"members": [{"input": 0, "member": 1, "degree": 0.6}], "support": 0.75, "scores": [0.01]}
]}"#;

/// The strategy `hand` with rules over moves down and up.
fn strategy() -> String {
    let sets = "fuzzy_sets:\n  move:\n    indicator: roc_1\n    \
        down: {type: trapezoidal, parameters: [-.inf, -.inf, -10, 0]}\n    \
        up: {type: trapezoidal, parameters: [0, 10, .inf, .inf]}";
    STRATEGY
        .replace("fuzzy_sets: {}", sets)
        .replace("raw_indicator: roc_1", "fuzzy_set: move")
        .replace(
            "type: mlp\n  architecture: {hidden_layers: [1], activation: relu, dropout: 0.0}",
            "type: tsk\n  architecture: {rules: 3}",
        )
}

fn member(name: &str, open: OpenSide, centre: f64) -> FuzzyMember {
    FuzzyMember {
        name: name.to_owned(),
        open: Some(open),
        start: Some(MemberPlace {
            centre,
            width: 4.25,
        }),
    }
}

fn network() -> Network {
    let input = FuzzyInput {
        name: "move".to_owned(),
        members: vec![
            member("down", OpenSide::Below, -10.0),
            member("up", OpenSide::Above, 10.0),
        ],
        low: -5.0,
        high: 2.0,
    };

    Network {
        architecture: Architecture::Tsk(TskShape {
            from: RuleSource::Sets,
            rules_max: 3,
            prune_below: 0.01,
            pruned_rules: 1,
            base: RuleBase {
                inputs: vec![input],
                rules: vec![vec![Some(0)], vec![Some(1)]],
                firing: Firing::Mean,
            },
        }),
        features: vec![FeatureColumn {
            name: "1h_move".to_owned(),
            normalisation: Some(Normalisation::Zscore {
                mean: 0.0,
                std: 10.0,
            }),
        }],
        output: OutputKind::Regression,
    }
}

/// Members at −1 and 1 in units of the deviation, both 1 wide; the rules say −0.01 and 0.01.
fn weights() -> Vec<u8> {
    safetensors(&[
        Tensor::new("consequents.bias", &[2], &[-0.01, 0.01]),
        Tensor::new("consequents.weight", &[2, 1, 1], &[0.0, 0.0]),
        Tensor::new("memberships.centres", &[2], &[-1.0, 1.0]),
        Tensor::new("memberships.widths", &[2], &[1.0, 1.0]),
    ])
}

async fn stored_rules() -> Place {
    let place = Place::new();
    let files = [
        ("model.safetensors", weights()),
        ("rules.json", REPORT.as_bytes().to_vec()),
    ];
    store_artifact(&place, &strategy(), network(), &files).await;
    place.file("mine.csv", BARS);
    place
}

#[tokio::test]
async fn rules_are_sentences_with_the_strongest_first() {
    let place = stored_rules().await;

    let screen = place.screen_of(&["models", "rules", "hand"]);

    insta::assert_snapshot!(screen, @"
      model   hand@1
      rules   2 rules over 3 rows of the training part; 1 rule pruned for a support below 1 %
      rule 2  IF move is up THEN +0.010000, support 75.0 %
      rule 1  IF move is down THEN -0.010000, support 25.0 %

    INPUT  MEMBER  FULL          WIDTH  FULL BEFORE
    move   down    up to -10.00  10.00  up to -10.00
    move   up      from 10.00    10.00  from 10.00
    exit 0
    ");
}

#[tokio::test]
async fn programs_get_rules_and_members_as_json() {
    let place = stored_rules().await;

    let screen = place.screen_of(&["models", "rules", "hand", "--json"]);

    insta::assert_snapshot!(screen, @r#"
    {"members":[{"degree":0.6,"input":"move","member":"up"}],"model":"hand@1","rule":2,"scores":[0.01],"sentence":"IF move is up THEN +0.010000, support 75.0 %","support":0.75,"type":"rule"}
    {"members":[{"degree":0.4,"input":"move","member":"down"}],"model":"hand@1","rule":1,"scores":[-0.01],"sentence":"IF move is down THEN -0.010000, support 25.0 %","support":0.25,"type":"rule"}
    {"before":{"centre":-10.0,"width":4.25},"centre":-10.0,"input":"move","member":"down","model":"hand@1","open":"below","type":"member","width":10.0}
    {"before":{"centre":10.0,"width":4.25},"centre":10.0,"input":"move","member":"up","model":"hand@1","open":"above","type":"member","width":10.0}
    exit 0
    "#);
}

#[tokio::test]
async fn a_prediction_names_the_rules_that_made_it() {
    let place = stored_rules().await;
    let predict = [
        "models",
        "predict",
        "hand",
        "--rules",
        "--bars",
        "EURUSD:1h=mine.csv",
    ];

    let screen = place.screen_of(&predict);
    place.screen_of(&[&predict[..], &["--out", "out.csv"]].concat());

    // Scaled moves 1, −5 and 2 lie 2, 0 and 3 above the end of `down`, and 0, 6 and 0 below the
    // beginning of `up`: strengths e^−2 : 1, 1 : e^−18 and e^−4.5 : 1. Returns are ±0.01 by share:
    // 0.01 (0.880797 − 0.119203) = 0.00761594.
    insta::assert_snapshot!(screen, @"
    TIMESTAMP             KNOWN AT              FORWARD_RETURN  SIGNAL  PART  RULES
    2024-01-02T11:00:00Z  2024-01-02T12:00:00Z  0.0076          BUY           2: 88 %, 1: 12 %
    2024-01-02T12:00:00Z  2024-01-02T13:00:00Z  -0.0100         SELL          1: 100 %, 2: 0 %
    2024-01-02T13:00:00Z  2024-01-02T14:00:00Z  0.0098          BUY           2: 99 %, 1: 1 %
    3 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features
    exit 0
    ");
    let csv = std::fs::read_to_string(place.path().join("out.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][5..], ["part", "rule_1", "rule_2"]);
    assert!((rows[1][3].parse::<f64>().unwrap() - 0.007_615_94).abs() < 1e-7);
    assert!((rows[1][6].parse::<f64>().unwrap() - 0.119_203).abs() < 1e-6);
    assert!((rows[3][7].parse::<f64>().unwrap() - 0.989_013).abs() < 1e-6);
}

#[tokio::test]
async fn a_model_without_rules_says_which_models_have_some() {
    let place = Place::new();
    store_hand(&place).await;
    place.file("mine.csv", BARS);

    let rules = place.screen_of(&["models", "rules", "hand"]);
    let predict = [
        "models",
        "predict",
        "hand",
        "--rules",
        "--bars",
        "EURUSD:1h=mine.csv",
    ];

    insta::assert_snapshot!(rules, @"
    error: hand@1 has no rules: its network is of type mlp
    hint: models of `type: tsk` have rules: `ktrdr train eurusd_rules` trains one
    exit 4
    ");
    assert_eq!(place.screen_of(&predict), rules);
}

#[test]
fn a_strategy_with_rules_says_how_many_there_may_be() {
    let place = Place::new();

    let screen = place.screen_of(&["strategies", "show", "eurusd_rules"]);

    let line = screen.lines().find(|line| line.contains("network"));
    insta::assert_snapshot!(line.unwrap().trim(), @"network      tsk with at most 18 rules over the sets of 3 inputs");
}
