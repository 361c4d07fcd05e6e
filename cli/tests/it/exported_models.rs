//! `ktrdr models export`: other programs predict what `ktrdr models predict` predicts.

use std::path::Path;
use std::process::Command;

use crate::data_train_models::Place;
use crate::hand_model::{hand_weights, store_hand};
use crate::program::{root, run_in_system};

const SERVICES: &str = "fetcher,validator,processor,trainer,registry";

/// A strategy of the test, and what it is exported to besides ONNX and its weights.
struct Exported {
    strategy: &'static str,
    series: &'static str,
    file: &'static str,
    formats: &'static [&'static str],
}

/// The file that a format is written to.
fn file_of(strategy: &str, format: &str) -> String {
    match format {
        "rules" => format!("{strategy}.rules.csv"),
        "c-header" => format!("{strategy}.h"),
        _ => format!("{strategy}.{format}"),
    }
}

/// Runs the script of the comparison with the packages that `infra/setup python` fetches.
fn compare(folder: &Path, model: &Exported) -> String {
    let strategy = model.strategy;
    let artifact = std::fs::read_to_string(folder.join(format!("{strategy}.path"))).unwrap();
    let mut arguments = vec![
        format!("{strategy}.features.csv"),
        format!("{strategy}.predictions.csv"),
        format!("{strategy}.onnx"),
        artifact.trim().to_owned(),
    ];
    let formats = model.formats.iter();
    arguments.extend(formats.map(|format| file_of(strategy, format)));

    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python)
        .arg(root().join("cli/tests/check_exports.py"))
        .args(arguments)
        .current_dir(folder)
        .env("PYTHONPATH", root().join(".deps/python"))
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success(),
        "{strategy}, after infra/setup python: {out}{errors}"
    );
    out
}

/// Writes a strategy of the catalogue under another name, with one change.
fn write_changed(folder: &Path, file: &str, name: &str, change: [&str; 2]) {
    let catalogue = root().join("strategies/catalog");
    let text = std::fs::read_to_string(catalogue.join(file).with_extension("yaml")).unwrap();
    let text = text.replace(&format!("name: {file}"), &format!("name: {name}"));

    let [from, to] = change;
    let changed = folder.join(name).with_extension("yaml");
    std::fs::write(changed, text.replace(from, to)).unwrap();
}

/// Trains the strategy, and writes its exports, its features and its predictions.
fn commands_of(model: &Exported) -> String {
    let strategy = model.strategy;
    let file = root().join("tests/bars").join(model.file);
    let bars = format!("--bars {}={}", model.series, file.display());
    let mut commands = format!(
        "ktrdr train {strategy} --epochs 1 --data-mode full --quiet >train.txt 2>&1 || exit 9; \
         ktrdr models path {strategy} >{strategy}.path || exit 7; \
         ktrdr strategies features {strategy} {bars} --out {strategy}.features.csv >out.txt; \
         ktrdr models predict {strategy} {bars} --out {strategy}.predictions.csv >out.txt; "
    );

    for format in model.formats.iter().chain(&["onnx"]) {
        let file = file_of(strategy, format);
        commands.push_str(&format!(
            "ktrdr models export {strategy} --to {format} --out {file} >out.txt || exit 8; "
        ));
    }
    commands
}

#[test]
fn every_network_predicts_the_same_in_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let change = |file, name, change| write_changed(folder.path(), file, name, change);
    change("spy_lstm", "spy_gru", ["type: lstm", "type: gru"]);
    let product = ["rules: 18", "rules: 18, firing: product"];
    change("eurusd_rules", "eurusd_product", product);
    let calibrated = ["\ntraining:\n", "\ntraining:\n  calibration: temperature\n"];
    change("eurusd_rsi_macd", "eurusd_calibrated", calibrated);

    let hourly = |strategy, formats| Exported {
        strategy,
        series: "EURUSD:1h",
        file: "EURUSD_1h.csv.gz",
        formats,
    };
    let daily = |strategy| Exported {
        strategy,
        series: "SPY:1d",
        file: "SPY_1d.csv.gz",
        formats: &[],
    };
    let models = [
        hourly("eurusd_calibrated", &["c-header"]),
        hourly("eurusd_rsi_macd", &["c-header"]),
        hourly("eurusd_rules", &["c-header", "rules"]),
        hourly("eurusd_product", &["c-header", "rules"]),
        hourly("eurusd_momentum_regression", &["c-header"]),
        daily("spy_lstm"),
        daily("spy_gru"),
    ];

    let commands: String = models.iter().map(commands_of).collect();
    let ended = run_in_system(folder.path(), SERVICES, &commands);
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);

    for model in &models {
        let comparison = compare(folder.path(), model);
        assert_eq!(comparison.lines().count(), 2 + model.formats.len());
        let rows: usize = comparison.split(' ').next().unwrap().parse().unwrap();
        assert!(rows > 3_000, "{}: {comparison}", model.strategy);
    }
}

/// The code of a page that stands in blocks for Python.
fn python_of(page: &str) -> String {
    let blocks = page.split("```python\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks.collect()
}

#[test]
fn the_page_for_python_runs_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let page = include_str!("../../../docs/python.md");
    let readme = include_str!("../../../README.md");
    std::fs::write(folder.path().join("page.py"), python_of(page)).unwrap();
    std::fs::write(folder.path().join("readme.py"), python_of(readme)).unwrap();
    let packages = root().join(".deps/python");
    let commands = format!(
        "ktrdr train eurusd_rsi_macd --data-mode full --epochs 2 --quiet >train.txt 2>&1 || exit 9; \
         export PYTHONPATH={}; python3 page.py && python3 readme.py",
        packages.display()
    );

    let ended = run_in_system(folder.path(), SERVICES, &commands);

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    // The columns of bars, the parts of the data set, two epochs and the accuracy.
    for text in ["close", "part", "\n2 0."] {
        assert!(ended.out.contains(text), "{text}: {}", ended.out);
    }
}

#[tokio::test]
async fn an_export_replaces_no_file_and_says_what_it_wrote() {
    let place = Place::new();
    store_hand(&place).await;

    let mut screens = String::new();
    for line in [
        "models export hand",
        "models export hand",
        "models export hand --to safetensors --out weights.safetensors --json",
        "models export hand --to torchscript",
        "models export hand --to c-header --json",
        "models export hand --to rules",
        "models export hand --out nowhere/hand.onnx",
        "models export nothing",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        screens.push_str(&format!("$ ktrdr {line}\n{}\n\n", place.screen_of(&words)));
    }

    insta::assert_snapshot!(screens, @r#"
    $ ktrdr models export hand
    hand@1 with 1 column written to hand-1.onnx
    exit 0

    $ ktrdr models export hand
    error: cannot write <here>/hand-1.onnx
      cause: File exists (os error 17)
    hint: remove it, or name another file with --out
    exit 1

    $ ktrdr models export hand --to safetensors --out weights.safetensors --json
    {"bytes":270,"file":"weights.safetensors","format":"safetensors","model":"hand","type":"export","version":1}
    exit 0

    $ ktrdr models export hand --to torchscript
    hand@1 with 1 column written to hand-1.pt
    exit 0

    $ ktrdr models export hand --to c-header --json
    {"bytes":1315,"file":"hand-1.h","format":"c-header","model":"hand","type":"export","version":1}
    exit 0

    $ ktrdr models export hand --to rules
    error: hand@1 has no rules: its network is of type mlp
    hint: models of `type: tsk` have rules: `ktrdr train eurusd_rules` trains one
    exit 4

    $ ktrdr models export hand --out nowhere/hand.onnx
    error: cannot write <here>/nowhere/hand.onnx
      cause: No such file or directory (os error 2)
    hint: name another file with --out
    exit 1

    $ ktrdr models export nothing
    error: there is no model `nothing`
    hint: `ktrdr models list` shows every model with its versions; write NAME, NAME@3, or NAME@ALIAS as `ktrdr models aliases` lists it
    exit 4
    "#);
    let weights = std::fs::read(place.path().join("weights.safetensors")).unwrap();
    assert_eq!(weights, hand_weights());
}
