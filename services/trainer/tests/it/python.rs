//! An artifact needs none of our programs: Python predicts the same from its files, alone and with
//! PyTorch.
//!
//! The first needs a `python3` and always runs. The second runs with `KTRDR_TEST_PYTHON`, a Python
//! that must have torch, safetensors and numpy, else with `python3` if that one has them, else it
//! says that nothing was compared.

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
    manifests::{
        Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind, RecurrentShape,
    },
    metrics::Evaluation,
    names::MODEL_FILE,
    training::TrainingSettings,
};
use trainer::{
    BatchProgress, Control, EpochRow, Labels, PartData, TrainState, TrainingData,
    artifact::{encode_files, metrics_document},
};

use crate::made_up::train;

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

/// `rows` rows of `width` uniform numbers in -2..2.
fn rows(rows: usize, width: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || generator.next_u32() as f32 / 1_073_741_824.0 - 2.0;
    (0..rows)
        .map(|_| (0..width).map(|_| uniform()).collect())
        .collect()
}

fn part(network: &Network, seed: u64) -> PartData {
    let rows = rows(60, network.input_count(), seed);
    let labels = match network.output {
        OutputKind::Classes { .. } => {
            Labels::Classes(rows.iter().map(|row| i64::from(row[0] > row[1])).collect())
        }
        OutputKind::Regression => {
            Labels::Returns(rows.iter().map(|row| row[0] - 0.5 * row[2]).collect())
        }
    };

    PartData {
        features: rows.concat(),
        labels,
        windows: None,
    }
}

/// The file of weights of a short training.
fn train_weights(network: &Network) -> Vec<u8> {
    let defaults = match network.output {
        OutputKind::Classes { .. } => TrainingSettings::for_classes(),
        OutputKind::Regression => TrainingSettings::for_regression(),
    };
    let settings = TrainingSettings {
        epochs: 3,
        learning_rate: 0.01,
        ..defaults
    };
    let data = TrainingData {
        train: part(network, 1),
        validation: part(network, 2),
        test: part(network, 3),
        weights: None,
    };

    let trained = train(&data, network, &settings, 1, &Silent, None).unwrap();

    let document = metrics_document(&trained, &data.train, Evaluation::default(), 1);
    let files = encode_files(&trained, &data.train, &document).unwrap();
    files[MODEL_FILE].to_vec()
}

fn column(index: usize) -> FeatureColumn {
    FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    }
}

fn network(activation: Activation, output: OutputKind) -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![8, 4],
            activation,
            dropout: 0.2,
        }),
        features: (0..WIDTH).map(column).collect(),
        output,
    }
}

fn recurrent(family: fn(RecurrentShape) -> Architecture, output: OutputKind) -> Network {
    let shape = RecurrentShape {
        sequence_length: 6,
        hidden_size: 7,
        num_layers: 2,
        dropout: 0.2,
    };
    Network {
        architecture: family(shape),
        ..network(Activation::Relu, output)
    }
}

/// Every activation, and every recurrent family, with classes and with a regression.
fn compare_all(python: &str, script: &str) {
    let classes = OutputKind::Classes {
        names: vec!["x".to_owned(), "y".to_owned()],
    };

    for activation in [
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::LeakyRelu,
    ] {
        for output in [OutputKind::Regression, classes.clone()] {
            compare(python, script, &network(activation, output));
        }
    }
    for family in [Architecture::Lstm, Architecture::Gru] {
        for output in [OutputKind::Regression, classes.clone()] {
            compare(python, script, &recurrent(family, output));
        }
    }
}

/// What `script` predicts is what our forward pass predicts.
fn compare(python: &str, script: &str, network: &Network) {
    let weights = train_weights(network);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(MODEL_FILE), &weights).unwrap();
    let manifest = serde_json::to_vec(&BTreeMap::from([("network", network)])).unwrap();
    std::fs::write(folder.path().join("manifest.json"), manifest).unwrap();

    let rows = rows(20, network.input_count(), 4);
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(script);
    let theirs = predict(python, &script, folder.path(), &rows);
    let model = networks::Model::from_safetensors(network, &weights).unwrap();
    let ours = model.predict(&rows).unwrap();

    assert_eq!((ours.len(), theirs.len()), (20, 20));
    for (row, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len(), "row {row}");
        for (one, other) in ours.iter().zip(theirs) {
            assert!(
                (f64::from(*one) - other).abs() < 1e-5,
                "{:?}, row {row}: {ours:?} and {theirs:?}",
                network.architecture
            );
        }
    }
}

fn predict(python: &str, script: &Path, folder: &Path, rows: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let mut child = Command::new(python)
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`{python}` does not run: {error}"));

    // The input is closed with the pipe that is dropped here.
    let mut input = child.stdin.take().unwrap();
    input.write_all(&serde_json::to_vec(rows).unwrap()).unwrap();
    std::mem::drop(input);

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
    compare_all("python3", "predict_in_python.py");
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
        return compare_all(python, "load_in_pytorch.py");
    }

    // Written past the capture of the test runner, which hides what a passing test prints.
    let skipped = "skipped: python3 has no torch, nothing was compared with PyTorch \
                   (KTRDR_TEST_PYTHON names one that has)";
    writeln!(std::io::stderr(), "{skipped}").unwrap();
}
