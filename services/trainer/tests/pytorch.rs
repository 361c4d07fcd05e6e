//! An artifact needs none of our programs: PyTorch loads it and predicts the same. Says so and passes where torch is not
//! installed; `KTRDR_TEST_PYTHON` names a Python that has torch, safetensors and numpy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::process::Command;

use schemas::manifests::{Activation, FeatureColumn, Network, NetworkKind, OutputKind};
use trainer::{model_file, random::first_weights};

#[test]
fn pytorch_loads_every_kind_of_network_and_predicts_the_same() {
    let python = std::env::var("KTRDR_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import torch, safetensors.torch"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("{python} has no torch and safetensors: not compared");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/load_in_pytorch.py");
    for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::LeakyRelu] {
        for output in [OutputKind::Regression, OutputKind::Classes { names: vec!["x".to_owned(), "y".to_owned()] }] {
            let features = (0..5).map(|i| FeatureColumn { name: format!("f{i}"), normalisation: None }).collect();
            let (kind, hidden_layers) = (NetworkKind::Mlp, vec![8, 4]);
            let network = Network { kind, hidden_layers, activation, dropout: 0.2, features, output };
            let weights = model_file(&network, &first_weights(&network, 3)).unwrap();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("model.safetensors"), &weights).unwrap();
            let manifest = serde_json::json!({ "network": network });
            std::fs::write(folder.path().join("manifest.json"), manifest.to_string()).unwrap();
            let run = Command::new(&python).arg(script).arg(folder.path()).output().unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let theirs: Vec<f32> = serde_json::from_slice(&run.stdout).unwrap();
            let model = inference::Model::from_safetensors(&network, &weights).unwrap();
            let ours = model.predict(&[[0.0; 5]]).unwrap().remove(0);
            assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-5) && ours.len() == theirs.len());
        }
    }
}
