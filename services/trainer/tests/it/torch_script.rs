//! An exported module of TorchScript in real libtorch: it predicts what the network predicts, from
//! columns that are not scaled.

use std::io::Cursor;

use exports::{Facts, torch_script};
use networks::Model;
use schemas::manifests::{
    Architecture, Firing, FuzzyInput, FuzzyMember, MemberPlace, Network, Normalisation, OpenSide,
    OutputKind, RuleBase, RuleSource, TskShape,
};

use tch::{CModule, Kind, Tensor};
use trainer::model_file;

use crate::made_up::class_data;
use crate::parity::cases::{
    CLOSE, assert_all_close, class_network, flat, perceptrons, recurrent_networks,
};

const FACTS: Facts<'static> = Facts {
    model: "made_up@1",
    artifact: "0123",
    strategy_sha256: "4567",
    threshold: None,
};

/// Columns of three kinds: between bounds, standardised, as they are.
fn scale_columns(network: &mut Network) {
    let kinds = [
        Some(Normalisation::Minmax {
            min: 20.0,
            max: 80.0,
        }),
        Some(Normalisation::Zscore {
            mean: 1.1,
            std: 0.02,
        }),
        None,
    ];

    for (column, kind) in network.features.iter_mut().zip(kinds.into_iter().cycle()) {
        column.normalisation = kind;
    }
}

/// The value of a column whose scaled value is this one.
fn unscaled(network: &Network, column: usize, scaled: f32) -> f64 {
    let kind = network.features.get(column).unwrap().normalisation;
    kind.map_or(f64::from(scaled), |kind| kind.restore(f64::from(scaled)))
}

/// Predicts scaled inputs, `[rows, values of a row or window]`, by the network and by the module.
fn check_module(model: &Model, inputs: &[f32]) {
    let network = model.network();
    let file = torch_script(model, &FACTS).unwrap();
    let module = CModule::load_data(&mut Cursor::new(file)).unwrap();
    let columns = network.features.len();
    let raw: Vec<f64> = inputs
        .iter()
        .enumerate()
        .map(|(place, value)| unscaled(network, place % columns, *value))
        .collect();
    let rows = (inputs.len() / network.input_count()) as i64;
    let length = network.architecture.sequence_length() as i64;
    let is_recurrent = matches!(
        network.architecture,
        Architecture::Lstm(_) | Architecture::Gru(_)
    );
    let shape = if is_recurrent {
        vec![rows, length, columns as i64]
    } else {
        vec![rows, columns as i64]
    };

    let answer = module
        .forward_ts(&[Tensor::from_slice(&raw).view(shape.as_slice())])
        .unwrap();

    let expected: Vec<&[f32]> = inputs.chunks(network.input_count()).collect();
    let expected = model.predict(&expected).unwrap().concat();
    assert_eq!(answer.kind(), Kind::Float);
    assert_eq!(answer.size(), [rows, network.output.width() as i64]);
    let values = Vec::<f32>::try_from(answer.flatten(0, -1)).unwrap();
    assert_all_close(&values, &expected, CLOSE, network.architecture.name());
}

fn model_of(network: &Network, parameters: &[f32]) -> Model {
    let file = model_file(network, parameters).unwrap();
    Model::from_safetensors(network, &file).unwrap()
}

#[test]
fn perceptrons_lstms_and_grus_predict_the_same_in_libtorch() {
    for case in perceptrons().iter().chain(&recurrent_networks()) {
        let mut network = case.network();
        scale_columns(&mut network);
        let model = model_of(&network, &flat(&case.parameters));
        check_module(&model, &case.inputs.values);
        check_module(&model.with_temperature(Some(1.7)), &case.inputs.values);
    }
}

#[test]
fn a_regression_gives_its_number_in_libtorch() {
    for case in perceptrons() {
        let mut network = case.network();
        network.output = OutputKind::Regression;
        scale_columns(&mut network);
        let mut parameters = flat(&case.parameters);
        parameters.truncate(network.parameter_count());
        check_module(&model_of(&network, &parameters), &case.inputs.values);
    }
}

/// Two inputs with members that are open to each side and one that is not; the third has no say in
/// the second rule.
fn rule_network(firing: Firing) -> Network {
    let member = |name: &str, open, centre, width| FuzzyMember {
        name: name.to_owned(),
        open,
        start: Some(MemberPlace { centre, width }),
    };
    let members = vec![
        member("low", Some(OpenSide::Below), -1.0, 0.6),
        member("middle", None, 0.0, 0.5),
        member("high", Some(OpenSide::Above), 1.0, 0.7),
    ];
    let input = |name: &str| FuzzyInput {
        name: name.to_owned(),
        members: members.clone(),
        low: -3.0,
        high: 3.0,
    };
    let base = RuleBase {
        inputs: ["a", "b", "c"].map(input).to_vec(),
        rules: vec![
            vec![Some(0), Some(2), Some(1)],
            vec![Some(1), Some(0), None],
            vec![Some(2), Some(1), Some(0)],
        ],
        firing,
    };

    let shape = TskShape {
        from: RuleSource::Sets,
        rules_max: 3,
        prune_below: 0.0,
        pruned_rules: 0,
        base,
    };
    class_network(Architecture::Tsk(shape), 3, 3)
}

/// Centres, then widths, then what the rules say.
fn rule_parameter(place: usize) -> f32 {
    let members = 9;
    match place {
        place if place < members => (place % 3) as f32 - 1.0,
        place if place < 2 * members => 0.4 + 0.1 * (place % 3) as f32,
        place => ((place * 37) % 19) as f32 / 10.0 - 0.9,
    }
}

#[test]
fn rules_predict_the_same_in_libtorch() {
    let inputs = class_data(0.3).train.features;
    for firing in [Firing::Mean, Firing::Product] {
        let network = rule_network(firing);
        let parameters = (0..network.parameter_count()).map(rule_parameter);
        let parameters: Vec<f32> = parameters.collect();
        check_module(&model_of(&network, &parameters), &inputs);
    }
}
