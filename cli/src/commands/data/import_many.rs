//! `ktrdr data import` of several files or of a folder: one after another, with a bar that shows
//! how far it is, and a table of what was taken and what was refused. One bad file does not keep
//! the others out.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use schemas::codes;
use serde_json::json;

use super::import::{ImportArgs, Imported, import};
use super::judged_file::{FileArgs, judge_file};
use crate::console::{Exit, Failure, count_of, extended, now, path_json};
use crate::context::Context;

const HEADS: [&str; 6] = ["FILE", "SERIES", "BARS", "NEW", "CHANGED", "LEFT OUT"];

/// A file, and what became of it.
struct Attempt {
    /// As it was named, or found in a folder that was named.
    file: PathBuf,
    result: Result<Imported, Failure>,
}

/// Imports every file, and shows the table.
///
/// # Errors
/// A folder cannot be read, or holds no file.
pub(super) async fn run(args: &ImportArgs, context: &Context) -> Result<Exit, Failure> {
    let files = list_files(args, &context.working_directory)?;
    let bar = progress_bar(files.len(), context);

    let mut attempts = Vec::with_capacity(files.len());
    for file in files {
        bar.set_message(file.display().to_string());
        let result = import_one(&file, args, context).await;
        attempts.push(Attempt { file, result });
        bar.inc(1);
    }
    bar.finish_and_clear();

    // The tables come after the last file: lines in between would tear the progress bar.
    show_taken(&attempts, context);
    let refused = show_refused(&attempts, context);
    show_total(&attempts, refused, args, context);
    Ok(if refused == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The files that were named, and those in the folders that were named, sorted by name in each.
fn list_files(args: &ImportArgs, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for named in std::iter::once(&args.file.file).chain(&args.more) {
        if folder.join(named).is_dir() {
            let names = names_in(&folder.join(named)).map_err(|error| no_folder(named, &error))?;
            files.extend(names.into_iter().map(|name| named.join(name)));
        } else {
            files.push(named.clone());
        }
    }

    // An empty folder is most likely a wrong path, which a success would hide.
    if files.is_empty() {
        let message = format!("there is no file in {}", args.file.file.display());
        return Err(Failure::new(Exit::NotFound, codes::DATA_MISSING, message)
            .with_hint("name files of bars, or a folder that holds some"));
    }
    Ok(files)
}

/// Names of the files in a folder. Hidden ones are those of other programs.
fn names_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        let is_hidden = name.to_string_lossy().starts_with('.');
        if !is_hidden && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn no_folder(folder: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot read the folder {}", folder.display());
    Failure::new(Exit::NotFound, codes::DATA_INVALID_FILE, message)
        .with_cause(error)
        .with_hint("check the path, and that this user may read it")
}

fn progress_bar(files: usize, context: &Context) -> ProgressBar {
    let target = if context.output.live {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(files as u64), target);

    // A template that cannot be read would only look less well.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

async fn import_one(
    file: &Path,
    args: &ImportArgs,
    context: &Context,
) -> Result<Imported, Failure> {
    let now = now();
    let one = FileArgs {
        file: file.to_owned(),
        ..args.file.clone()
    };
    let judged = judge_file(&one, &context.working_directory, now)?;
    import(judged, file, args, now, context).await
}

fn show_taken(attempts: &[Attempt], context: &Context) {
    let mut rows = Vec::new();
    for Attempt { file, result } in attempts {
        let Ok(imported) = result else {
            continue;
        };
        let report = extended(&imported.json(), [("file", path_json(file))]);
        context.output.json(&report);

        // A dash and not 0: a dry run has counted neither new nor changed bars.
        let written = imported.written.as_ref();
        let count = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |n| n.to_string());
        rows.push(vec![
            file.display().to_string(),
            format!(
                "{} {}",
                imported.key.instrument.symbol(),
                imported.key.timeframe
            ),
            imported.bars.to_string(),
            count(written.map(|written| written.new)),
            count(written.map(|written| written.changed)),
            imported.left_out.len().to_string(),
        ]);
    }

    if !rows.is_empty() {
        context.output.table(&HEADS, &rows);
    }
}

/// Names the files that were refused, with the reason and the way out; their number.
fn show_refused(attempts: &[Attempt], context: &Context) -> usize {
    let output = &context.output;
    let mut refused = 0;

    // Causes and hints are shown here: the exit code says only that some file was refused.
    for Attempt { file, result } in attempts {
        let Err(failure) = result else {
            continue;
        };
        refused += 1;
        let report = extended(
            &failure.json(),
            [("type", json!("refused")), ("file", path_json(file))],
        );
        output.json(&report);
        output.line(&format!("refused: {}: {}", file.display(), failure.message));
        for cause in &failure.causes {
            output.line(&format!("  cause: {cause}"));
        }
        output.line(&format!("  hint: {}", failure.hint));
    }
    refused
}

fn show_total(attempts: &[Attempt], refused: usize, args: &ImportArgs, context: &Context) {
    let taken = attempts
        .iter()
        .filter_map(|attempt| attempt.result.as_ref().ok());
    let bars: usize = taken.map(|imported| imported.bars).sum();
    let files = attempts.len() - refused;
    let verb = if args.yes { "stored" } else { "would store" };

    // A dry run has the same fields: programs tell the two apart by `written` alone.
    context.output.json(&json!({
        "type": "imports",
        "written": args.yes,
        "files": files,
        "refused": refused,
        "bars": bars,
    }));
    context.output.line(&format!(
        "{verb} {} of {}; {refused} refused",
        count_of(bars, "bar"),
        count_of(files, "file")
    ));
    if !args.yes {
        context
            .output
            .note("nothing was written; add --yes to write");
    }
}
