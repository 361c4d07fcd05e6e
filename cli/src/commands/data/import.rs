//! `ktrdr data import`: bars of a file into the store, without any service.

use clap::Args;
use market::{Calendar, Utc};
use schemas::codes;
use serde_json::json;
use store::Edit;

use super::judged_file::{FileArgs, JudgedFile, judge_file, show_judged};
use crate::console::{Exit, Failure, Output, count_of, now};
use crate::context::Context;
use crate::inputs::bar_files::close_times_of;
use crate::inputs::stored_series::{open_store, require_calendar};
use crate::inputs::usable_rows::{Contradictions, LeftOut, UsableRows, choose_rows};

/// `ktrdr data import`.
#[derive(Clone, Debug, Args)]
pub(super) struct ImportArgs {
    /// The file to import.
    #[command(flatten)]
    file: FileArgs,
    /// Write the bars; without it nothing is written
    #[arg(long)]
    yes: bool,
    /// Write the bars even if a finding is critical
    #[arg(long, requires = "yes")]
    force: bool,
}

/// Shows what an import would do, and imports with `--yes`.
///
/// # Errors
/// The file cannot be read, a finding is critical, or the store refuses.
pub(super) async fn run(args: &ImportArgs, context: &Context) -> Result<Exit, Failure> {
    if let Some(name) = &args.file.calendar {
        require_calendar(name, context).await?;
    }
    let now = now();
    let judged = judge_file(&args.file, &context.working_directory, now)?;
    show_judged(&judged, &args.file, &context.output);

    let critical = judged.report.critical().count();
    if critical > 0 && !args.force {
        return Err(critical_findings(args, critical));
    }

    // Also `--force` stores no bar that lacks a price or is still open.
    let storable = storable_bars(args, &judged, now)?;
    show_left_out(&storable.left_out, &context.output);
    if args.yes {
        write_bars(judged, storable, now, context).await
    } else {
        show_dry_run(&judged, &storable, context);
        Ok(Exit::Done)
    }
}

fn critical_findings(args: &ImportArgs, count: usize) -> Failure {
    let message = format!(
        "{} has {}; nothing was written",
        args.file.file.display(),
        count_of(count, "critical finding")
    );
    Failure::new(Exit::Failed, codes::DATA_CRITICAL, message)
        .with_hint("correct the file, or write it all the same with --yes --force")
}

/// Keeps the bars with all their prices that are complete at `now`, in the order of time. The
/// prices of a bar that is still open would change after they were stored.
fn storable_bars(args: &ImportArgs, judged: &JudgedFile, now: Utc) -> Result<UsableRows, Failure> {
    let close_times = close_times_of(&judged.file.bars, &judged.key)?;
    // The checks have named every row that contradicts another.
    let contradictions = Contradictions::TakeLast;
    let file = &args.file.file;
    choose_rows(file, &judged.file, &close_times, now, false, contradictions)
}

/// Part of the result: a file of which not everything is stored must not look as if it were.
fn show_left_out(left_out: &LeftOut, output: &Output) {
    if let Some(text) = left_out.describe() {
        output.line(&text);
    }
}

fn show_dry_run(judged: &JudgedFile, storable: &UsableRows, context: &Context) {
    let count = storable.bars.len();
    let series = judged.key.prefix();
    let output = &context.output;

    output.json(&json!({
        "type": "import",
        "written": false,
        "series": series,
        "bars": count,
        "left_out": storable.left_out.len(),
        "left_out_lines": storable.left_out.json(),
    }));
    output.line(&format!(
        "would store {} as {series}",
        count_of(count, "bar")
    ));
    output.note("nothing was written; add --yes to write");
}

async fn write_bars(
    judged: JudgedFile,
    storable: UsableRows,
    now: Utc,
    context: &Context,
) -> Result<Exit, Failure> {
    let key = &judged.key;
    let count = storable.bars.len();
    let edit = Edit {
        bars: storable.bars,
        empty_intervals: Vec::new(),
        calendar: Calendar::for_key(key).name().to_owned(),
        at: now,
    };
    let store = open_store(context).await?;
    let outcome = store.series().commit(key, edit, None).await?;
    let revision = outcome.snapshot.manifest.revision;

    context.output.json(&json!({
        "type": "import",
        "written": true,
        "series": key.prefix(),
        "bars": count,
        "new": outcome.new,
        "changed": outcome.changed,
        "left_out": storable.left_out.len(),
        "left_out_lines": storable.left_out.json(),
        "revision": revision,
    }));
    context.output.line(&format!(
        "{} {}: {count} bars, {} new, {} changed, revision {revision}",
        key.instrument.symbol(),
        key.timeframe,
        outcome.new,
        outcome.changed
    ));
    Ok(Exit::Done)
}
