//! `ktrdr models export`: a version as a file that other programs read.

mod graph;
mod onnx;
mod recurrent;
mod rules;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use schemas::codes;
use schemas::manifests::ModelManifest;
use schemas::names::MODEL_FILE;
use serde_json::json;

use super::open_model::open_network;
use crate::console::{Exit, Failure, count_of, path_json};
use crate::context::Context;
use crate::inputs::models::find_model;
use crate::inputs::stored_series::open_existing_store;
use onnx::onnx_file;

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
    /// The weights alone, by PyTorch's names, for scaled columns
    Safetensors,
}

impl ExportFormat {
    const fn ending(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
        }
    }
}

/// Writes the file.
///
/// # Errors
/// There is no such version, its weights cannot be read, or the file exists or cannot be written.
pub(super) async fn run(args: &ExportArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let manifest = find_model(&store, &args.model).await?;
    let artifact = store.artifacts().read(&manifest.artifact).await?;
    let model = open_network(&manifest, &artifact)?;

    let bytes = match args.to {
        ExportFormat::Onnx => onnx_file(&model, &manifest, artifact.manifest.confidence_threshold),
        ExportFormat::Safetensors => {
            let weights = artifact.files.get(MODEL_FILE);
            weights.map(|weights| weights.to_vec()).unwrap_or_default()
        }
    };
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
        "format": args.to.ending(),
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
