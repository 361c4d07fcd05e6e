//! An artifact needs none of our programs: Python predicts the same from its files, alone and with
//! PyTorch.
//!
//! The first needs a `python3` and always runs. The second runs with `KTRDR_TEST_PYTHON`, a Python
//! that must have torch, safetensors and numpy, else with `python3` if that one has them, else it
//! says that nothing was compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::{
    manifests::{Activation, FeatureColumn, Network, NetworkKind, OutputKind},
    names::MODEL_FILE,
    training::TrainingSettings,
};
use trainer::{
    BatchProgress, Control, EpochRow, Labels, Part, TrainState, TrainingData,
    artifact::{MetricsDocument, files},
    train,
};

const WIDTH: usize = 5;

struct Silent;

impl Control for Silent {
    fn cancelled(&self) -> bool {
        false
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn batch(&self, _: &BatchProgress) {}
    fn epoch(&self, _: &EpochRow) {}
    fn checkpoint(&self, _: TrainState) {}
}

/// `rows` rows of uniform numbers in -2..2.
fn rows(rows: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || generator.next_u32() as f32 / 1_073_741_824.0 - 2.0;
    (0..rows)
        .map(|_| (0..WIDTH).map(|_| uniform()).collect())
        .collect()
}

fn part(output: &OutputKind, seed: u64) -> Part {
    let rows = rows(60, seed);
    let labels = match output {
        OutputKind::Classes { .. } => {
            Labels::Classes(rows.iter().map(|row| i64::from(row[0] > row[1])).collect())
        }
        OutputKind::Regression => {
            Labels::Returns(rows.iter().map(|row| row[0] - 0.5 * row[2]).collect())
        }
    };
    Part {
        features: rows.concat(),
        labels,
    }
}

/// The file of weights of a short training.
fn trained(network: &Network) -> Vec<u8> {
    let usual = match network.output {
        OutputKind::Classes { .. } => TrainingSettings::for_classes(),
        OutputKind::Regression => TrainingSettings::for_regression(),
    };
    let settings = TrainingSettings {
        epochs: 3,
        learning_rate: 0.01,
        ..usual
    };
    let [train_part, validation, test] = [1, 2, 3].map(|seed| part(&network.output, seed));
    let data = TrainingData {
        train: train_part,
        validation,
        test,
        weights: None,
    };
    let trained = train(&data, network, &settings, 1, &Silent, None).unwrap();
    let written = files(
        &trained,
        network,
        &MetricsDocument::new(&trained, network, 1),
    )
    .unwrap();
    written[MODEL_FILE].to_vec()
}

/// Every activation with classes and with a regression: what `script` predicts is what our forward
/// pass predicts.
fn compare(python: &str, script: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(script);
    for activation in [
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::LeakyRelu,
    ] {
        for output in [
            OutputKind::Regression,
            OutputKind::Classes {
                names: vec!["x".to_owned(), "y".to_owned()],
            },
        ] {
            let features = (0..WIDTH)
                .map(|i| FeatureColumn {
                    name: format!("f{i}"),
                    normalisation: None,
                })
                .collect();
            let (kind, hidden_layers) = (NetworkKind::Mlp, vec![8, 4]);
            let network = Network {
                kind,
                hidden_layers,
                activation,
                dropout: 0.2,
                features,
                output,
            };
            let weights = trained(&network);
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(MODEL_FILE), &weights).unwrap();
            let manifest = BTreeMap::from([("network", &network)]);
            std::fs::write(
                folder.path().join("manifest.json"),
                serde_json::to_vec(&manifest).unwrap(),
            )
            .unwrap();
            let rows = rows(20, 4);
            let theirs = predict(python, &script, folder.path(), &rows);
            let ours = networks::Model::from_safetensors(&network, &weights)
                .unwrap()
                .predict(&rows)
                .unwrap();
            assert_eq!((ours.len(), theirs.len()), (20, 20));
            for (row, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                let near = ours
                    .iter()
                    .zip(theirs)
                    .all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5);
                assert!(
                    near && ours.len() == theirs.len(),
                    "{activation:?}, row {row}: {ours:?} and {theirs:?}"
                );
            }
        }
    }
}

fn predict(python: &str, script: &Path, folder: &Path, rows: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("`{python}` does not run: {error}"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&serde_json::to_vec(rows).unwrap())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn plain_python_reads_an_artifact_and_predicts_the_same() {
    compare("python3", "predict_in_python.py");
}

#[test]
fn pytorch_loads_an_artifact_and_predicts_the_same() {
    let named = std::env::var("KTRDR_TEST_PYTHON").ok();
    let python = named.as_deref().unwrap_or("python3");
    let probe = Command::new(python)
        .args(["-c", "import torch, numpy, safetensors.torch"])
        .output();
    let has_torch = probe.is_ok_and(|output| output.status.success());
    if has_torch || named.is_some() {
        return compare(python, "load_in_pytorch.py");
    }
    // Written past the capture of the test runner, which hides what a passing test prints.
    let skipped = "skipped: python3 has no torch, nothing was compared with PyTorch (KTRDR_TEST_PYTHON names one that has)";
    writeln!(std::io::stderr(), "{skipped}").unwrap();
}
