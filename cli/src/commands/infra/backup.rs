//! `ktrdr infra backup`: everything on the bus that is worth keeping, into one folder.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::console::{Exit, Failure, count_of, path_json};
use crate::context::Context;

/// `ktrdr infra backup`.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// Folder to write; it must not exist, and appears when the backup is whole
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Writes the backup and says what is in it.
///
/// # Errors
/// The folder exists or cannot be written, or the server cannot be read.
pub(super) async fn run(args: &BackupArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus_of_infra().await?;
    let folder = context.working_directory.join(&args.folder);
    let manifest = bus.infra().back_up(&folder).await?;

    let streams = manifest.streams.iter();
    let streams: Vec<Value> = streams
        .map(|stream| {
            json!({
                "name": stream.name,
                "messages": stream.head.messages(),
                "bytes": stream.bytes,
            })
        })
        .collect();
    let output = &context.output;
    output.json(&json!({
        "type": "backup",
        "folder": path_json(&folder),
        "streams": streams,
    }));
    for stream in &manifest.streams {
        let messages = stream.head.messages();
        output.line(&format!("{}: {messages}", stream.name));
    }

    let count = count_of(manifest.streams.len(), "stream");
    output.line(&format!("saved {count} in {}", folder.display()));
    output.note("note: bars, data sets and models are in the object store; back it up by itself");
    Ok(Exit::Done)
}
