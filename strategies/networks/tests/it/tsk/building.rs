//! From what a strategy says to rules: members where it has put them, combinations that occur.

use networks::tsk::{build_rules, initial_members, prune_network, report_rules};
use networks::{Model, learner_of};
use safetensors::{Dtype, tensor::TensorView};
use schemas::manifests::{
    Architecture, FeatureColumn, Firing, FuzzyInput, FuzzyMember, MemberPlace, Network,
    Normalisation, OpenSide, OutputKind, RuleBase, RuleSource, TensorSpec, TskShape,
};

fn placed(name: &str, open: Option<OpenSide>, centre: f64, width: f64) -> FuzzyMember {
    FuzzyMember {
        name: name.to_owned(),
        open,
        start: Some(MemberPlace { centre, width }),
    }
}

/// Two sets over columns with mean 50, deviation 10 and mean 0, deviation 1.
fn asked_for(from: RuleSource, rules_max: usize, prune_below: f64) -> Network {
    let input = |name: &str, members| FuzzyInput {
        name: name.to_owned(),
        members,
        low: 0.0,
        high: 0.0,
    };
    let zone = vec![
        placed("low", Some(OpenSide::Below), 40.0, 5.0),
        placed("high", Some(OpenSide::Above), 60.0, 5.0),
    ];
    let side = vec![
        placed("down", None, -1.0, 0.5),
        placed("flat", None, 0.0, 0.5),
        placed("up", None, 1.0, 0.5),
    ];
    let column = |name: &str, mean, std| FeatureColumn {
        name: name.to_owned(),
        normalisation: Some(Normalisation::Zscore { mean, std }),
    };

    Network {
        architecture: Architecture::Tsk(TskShape {
            from,
            rules_max,
            prune_below,
            pruned_rules: 0,
            base: RuleBase {
                inputs: vec![input("zone", zone), input("side", side)],
                rules: Vec::new(),
                firing: Firing::Mean,
            },
        }),
        features: vec![column("1h_zone", 50.0, 10.0), column("1h_side", 0.0, 1.0)],
        output: OutputKind::Classes {
            names: vec!["UP".to_owned(), "DOWN".to_owned()],
        },
    }
}

fn shape_of(network: &Network) -> &TskShape {
    match &network.architecture {
        Architecture::Tsk(shape) => shape,
        other => panic!("{other:?}"),
    }
}

/// Scaled rows: three are low and up, two are high and down, one is high and up.
const ROWS: [f32; 12] = [
    -1.5, 1.0, -1.2, 0.9, -2.0, 1.1, 1.5, -1.0, 1.2, -0.9, 1.1, 1.2,
];

#[test]
fn rules_are_the_combinations_that_most_rows_belong_to() {
    let built = build_rules(&asked_for(RuleSource::Sets, 2, 0.0), &ROWS, 1);
    let shape = shape_of(&built);

    // No rule asks for `flat`, so it is gone: low and up, high and down.
    let names: Vec<&str> = shape.base.inputs[1]
        .members
        .iter()
        .map(|member| member.name.as_str())
        .collect();
    assert_eq!(names, ["down", "up"]);
    assert_eq!(
        shape.base.rules,
        [vec![Some(0), Some(1)], vec![Some(1), Some(0)]]
    );
    assert_eq!(
        (shape.base.inputs[0].low, shape.base.inputs[0].high),
        (-2.0, 1.5)
    );

    // (40 − 50) / 10, (60 − 50) / 10, then −1 and 1; widths 5 / 10 and 0.5.
    let expected = [-1.0, 1.0, -1.0, 1.0, 0.5, 0.5, 0.5, 0.5];
    assert_eq!(initial_members(&built), expected);
}

#[test]
fn all_combinations_are_rules_where_they_are_few() {
    let built = build_rules(&asked_for(RuleSource::Sets, 6, 0.0), &ROWS, 1);
    assert_eq!(shape_of(&built).base.rules.len(), 6);
    assert_eq!(
        build_rules(&asked_for(RuleSource::Sets, 6, 0.0), &ROWS, 1),
        built
    );
}

#[test]
fn grown_members_lie_around_clusters_in_units_of_the_data() {
    let built = build_rules(&asked_for(RuleSource::Data, 2, 0.0), &ROWS, 1);
    let zone = &shape_of(&built).base.inputs[0];

    // Clusters of three rows each: means −4.7 / 3 and 3.8 / 3 in deviations of 10 around 50.
    let centres: Vec<f64> = zone
        .members
        .iter()
        .map(|member| member.start.unwrap().centre)
        .collect();
    assert!((centres[0] - (50.0 - 47.0 / 3.0)).abs() < 1e-4);
    assert!((centres[1] - (50.0 + 38.0 / 3.0)).abs() < 1e-4);
    assert_eq!(zone.members[0].name, "low");

    // HTSK starts with members that are one deviation wide.
    assert_eq!(zone.members[0].start.unwrap().width, 10.0);
}

#[test]
fn pruning_keeps_the_rules_that_fire_and_their_places() {
    // Far from each other and narrow, so that each row belongs to one rule.
    let mut network = asked_for(RuleSource::Sets, 6, 0.25);
    if let Architecture::Tsk(shape) = &mut network.architecture {
        shape.base.firing = Firing::Product;
    }
    let built = build_rules(&network, &ROWS, 1);
    let mut parameters = initial_members(&built);
    parameters.resize(built.parameter_count(), 0.25);

    // One row of six, which is high and up, is a support of 1/6; the others have 1/2 and 1/3.
    let (network, parameters) = prune_network(&built, &parameters, &ROWS).unwrap();
    let shape = shape_of(&network);
    assert_eq!((shape.base.rules.len(), shape.pruned_rules), (2, 4));
    assert_eq!(parameters.len(), network.parameter_count());

    let report = report_rules(&network, &parameters, &ROWS).unwrap();
    assert_eq!(report.rows, 6);
    let supports: Vec<f64> = report.rules.iter().map(|rule| rule.support).collect();
    assert!((supports.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    assert!(supports[0] > 0.5, "low and up: {supports:?}");
}

#[test]
fn the_rules_of_a_prediction_add_up_to_it() {
    let built = build_rules(&asked_for(RuleSource::Sets, 3, 0.0), &ROWS, 1);
    let mut parameters = initial_members(&built);
    let numbers = (parameters.len()..built.parameter_count()).map(|index| index as f32 / 16.0);
    parameters.extend(numbers);
    let model = Model::from_safetensors(&built, &file_of(&built, &parameters)).unwrap();

    let row = [-0.4, 0.6];
    let contributions = model.contributions(&row).unwrap();
    let mut sums = [0.0_f32; 2];
    for rule in &contributions {
        for (sum, score) in sums.iter_mut().zip(&rule.scores) {
            *sum += rule.share * score;
        }
    }
    let scores = model.scores(&row).unwrap();
    for (sum, score) in sums.iter().zip(&scores) {
        assert!((sum - score).abs() < 1e-5, "{sums:?} {scores:?}");
    }
    assert!(contributions.is_sorted_by(|one, other| one.share >= other.share));

    // Nothing has moved yet, so members lie where the strategy has put them.
    let base = &shape_of(&built).base;
    let members = base.inputs.iter().flat_map(|input| &input.members);
    for (learnt, member) in model.learnt_members().iter().zip(members) {
        let start = member.start.unwrap();
        assert!((learnt.centre - start.centre).abs() < 1e-5, "{learnt:?}");
        assert!((learnt.width - start.width).abs() < 1e-5, "{learnt:?}");
    }
    assert_eq!(model.learnt_members().len(), base.member_count());
}

#[test]
fn a_strategy_with_members_is_learnt_by_the_network_of_rules() {
    let built = build_rules(&asked_for(RuleSource::Sets, 6, 0.0), &ROWS, 1);
    let learner = learner_of(&built);
    assert_eq!(learner.parameter_count(), built.parameter_count());
    assert_eq!((learner.input_count(), learner.output_count()), (2, 2));
}

fn file_of(network: &Network, parameters: &[f32]) -> Vec<u8> {
    let mut rest = parameters;
    let mut tensors = Vec::new();
    for spec in network.tensors() {
        let (values, after) = rest.split_at(spec.count());
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        tensors.push((spec, bytes));
        rest = after;
    }

    let views = tensors.iter();
    let views = views.map(|(spec, bytes)| (spec.name.as_str(), view_of(spec, bytes)));
    safetensors::serialize(views, None).unwrap()
}

fn view_of<'a>(spec: &TensorSpec, bytes: &'a [u8]) -> TensorView<'a> {
    TensorView::new(Dtype::F32, spec.shape.clone(), bytes).unwrap()
}
