//! What a seed means, held to the words of an independent program: `tests/golden/pytorch_values.py`
//! has the generator, the first weights and the orders of rows in Python.

use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};
use serde::Deserialize;
use trainer::random::{initial_weights, shuffle_rows};

#[derive(Deserialize)]
struct Curve {
    seed: u64,
    hidden_layers: Vec<usize>,
    orders: Vec<Vec<i64>>,
    parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    values: Vec<f32>,
}

/// The first training of the file.
fn curve() -> Curve {
    let text = include_str!("../golden/curve.json");
    let curves: Vec<Curve> = serde_json::from_str(text).unwrap();
    curves.into_iter().next().unwrap()
}

fn column(index: usize) -> FeatureColumn {
    FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    }
}

/// Five features, three classes.
fn network(hidden_layers: &[usize]) -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: hidden_layers.to_vec(),
            activation: Activation::Tanh,
            dropout: 0.0,
        }),
        features: (0..5).map(column).collect(),
        output: OutputKind::Classes {
            names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        },
    }
}

#[test]
fn a_seed_means_the_first_weights_that_python_draws() {
    let curve = curve();
    let network = network(&curve.hidden_layers);
    let names: Vec<String> = network
        .tensors()
        .into_iter()
        .map(|spec| spec.name)
        .collect();

    let drawn = initial_weights(&network, curve.seed);

    let of_file: Vec<&String> = curve.parameters.iter().map(|each| &each.name).collect();
    assert!(names.iter().eq(of_file));
    let values: Vec<f32> = curve
        .parameters
        .into_iter()
        .flat_map(|each| each.values)
        .collect();
    assert_eq!(drawn, values);
}

#[test]
fn a_seed_means_the_orders_of_rows_that_python_draws() {
    let curve = curve();

    assert_eq!(curve.orders.len(), 20);
    for (epoch, order) in (1..).zip(&curve.orders) {
        assert_eq!(
            &shuffle_rows(order.len(), curve.seed, epoch),
            order,
            "epoch {epoch}"
        );
    }
}
