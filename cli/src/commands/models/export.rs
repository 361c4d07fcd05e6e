//! `ktrdr models export`: a version as a file that other programs read.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use exports::{ExportError, Facts, c_header, onnx_file, rule_table, torch_script};
use networks::Model;
use schemas::codes;
use schemas::manifests::ModelManifest;
use schemas::names::MODEL_FILE;
use serde_json::json;
use store::Artifact;

use super::open_model::open_network;
use super::registry::open_store_to_read;
use super::rules::{read_report, rule_shape};
use crate::console::{Exit, Failure, count_of, path_json};
use crate::context::Context;
use crate::inputs::models::find_model;

/// `ktrdr models export`.
#[derive(Clone, Debug, Args)]
pub(super) struct ExportArgs {
    /// NAME for the newest version, NAME@3 for version 3, NAME@production for the one of that alias
    model: String,
    /// Format of the file
    #[arg(long, value_enum, default_value = "onnx")]
    to: ExportFormat,
    /// File to write instead of NAME-3.onnx in this folder; one that exists is not replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What a version can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// A graph from unscaled columns to probabilities, for onnxruntime and others
    Onnx,
    /// A module for PyTorch and libtorch, from unscaled columns to probabilities
    Torchscript,
    /// The weights alone, by PyTorch's names, for scaled columns
    Safetensors,
    /// The rules of a neuro-fuzzy model as a table with all numbers, for spreadsheets
    Rules,
    /// A header for C and C++ without dependencies; not of LSTM and GRU
    CHeader,
}

impl ExportFormat {
    const fn ending(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Torchscript => "pt",
            Self::Safetensors => "safetensors",
            Self::Rules => "rules.csv",
            Self::CHeader => "h",
        }
    }

    /// The word of `--to`.
    fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Writes the file.
///
/// # Errors
/// There is no such version, its weights cannot be read, or the file exists or cannot be written.
pub(super) async fn run(args: &ExportArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store_to_read(context).await?;
    let manifest = find_model(&store, &args.model).await?;
    let artifact = store.artifacts().read(&manifest.artifact).await?;
    let model = open_network(&manifest, &artifact)?;

    let bytes = encode(args.to, &manifest, &artifact, &model)?;
    let file = args
        .out
        .clone()
        .unwrap_or_else(|| default_file(&manifest, args.to));
    write_new_file(&context.working_directory.join(&file), &bytes)?;

    let ModelManifest { name, version, .. } = &manifest;
    context.output.json(&json!({
        "type": "export",
        "model": name,
        "version": version,
        "format": args.to.word(),
        "file": path_json(&file),
        "bytes": bytes.len(),
    }));
    let columns = count_of(model.network().features.len(), "column");
    context.output.line(&format!(
        "{name}@{version} with {columns} written to {}",
        file.display()
    ));
    Ok(Exit::Done)
}

/// The bytes of the file.
fn encode(
    format: ExportFormat,
    manifest: &ModelManifest,
    artifact: &Artifact,
    model: &Model,
) -> Result<Vec<u8>, Failure> {
    match format {
        ExportFormat::Safetensors => {
            let weights = artifact.files.get(MODEL_FILE);
            Ok(weights.map(|weights| weights.to_vec()).unwrap_or_default())
        }
        ExportFormat::Rules => {
            rule_shape(manifest, model.network())?;
            let report = read_report(manifest, artifact)?;
            let table = rule_table(model, &report).map(String::into_bytes);
            table.map_err(|error| refusal(manifest, &error))
        }
        format => {
            let threshold = artifact.manifest.confidence_threshold;
            let written = encode_network(format, model, manifest, threshold);
            written.map_err(|error| refusal(manifest, &error))
        }
    }
}

/// The network itself, from unscaled columns to its answer.
fn encode_network(
    format: ExportFormat,
    model: &Model,
    manifest: &ModelManifest,
    threshold: Option<f64>,
) -> Result<Vec<u8>, ExportError> {
    let facts = Facts {
        model: &format!("{}@{}", manifest.name, manifest.version),
        artifact: &manifest.artifact,
        strategy_sha256: &manifest.lineage.strategy_sha256,
        threshold,
    };

    match format {
        ExportFormat::Torchscript => torch_script(model, &facts),
        ExportFormat::CHeader => {
            c_header(model, &facts, &c_identifier(&manifest.name)).map(String::into_bytes)
        }
        _ => Ok(onnx_file(model, &facts)),
    }
}

/// The name of a model as an identifier of C.
fn c_identifier(name: &str) -> String {
    let letters = name.chars();
    let identifier: String = letters.map(letter_of_c).collect();

    if identifier.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("model_{identifier}");
    }
    identifier
}

fn letter_of_c(letter: char) -> char {
    if letter.is_ascii_alphanumeric() {
        letter
    } else {
        '_'
    }
}

fn refusal(manifest: &ModelManifest, error: &ExportError) -> Failure {
    let ModelManifest { name, version, .. } = manifest;
    let message = format!("cannot export {name}@{version}");
    Failure::new(Exit::Failed, codes::MODEL_EXPORT, message)
        .with_cause(error)
        .with_hint(format!(
            "`ktrdr models export {name}@{version}` writes ONNX, `--to torchscript` a module for \
             PyTorch"
        ))
}

fn default_file(manifest: &ModelManifest, format: ExportFormat) -> PathBuf {
    let ModelManifest { name, version, .. } = manifest;
    PathBuf::from(format!("{name}-{version}.{}", format.ending()))
}

/// Writes a file that must not exist yet; what could not be written whole is removed.
///
/// # Errors
/// The file exists, or cannot be written.
pub(super) fn write_new_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).open(path);
    let written = created.and_then(|mut file| {
        let result = file.write_all(bytes).and_then(|()| file.sync_all());
        if result.is_err() {
            let _ = std::fs::remove_file(path);
        }
        result
    });

    written.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AlreadyExists => "remove it, or name another file with --out",
            _ => "name another file with --out",
        };
        let message = format!("cannot write {}", path.display());
        Failure::new(Exit::Failed, codes::MODEL_EXPORT, message)
            .with_cause(&error)
            .with_hint(hint)
    })
}
