//! `ktrdr data import`: bars of files into the store, without any service.

use std::path::{Path, PathBuf};

use clap::Args;
use market::{Calendar, SeriesKey, Utc};
use quality::{CoveredBars, Rules, check_agreement};
use schemas::codes;
use serde_json::{Value, json};
use store::Edit;

use super::import_many;
use super::judged_file::{FileArgs, JudgedFile, judge_file, show_judged};
use super::seam::find_seam;
use crate::console::{Exit, Failure, count_of, now};
use crate::context::Context;
use crate::inputs::bar_files::show_coverage;
use crate::inputs::stored_coverage::check_against_stored;
use crate::inputs::stored_series::{open_existing_store, open_store, require_calendar};
use crate::inputs::usable_rows::{Contradictions, LeftOut, UsableRows, choose_rows};

/// `ktrdr data import`.
#[derive(Clone, Debug, Args)]
pub(super) struct ImportArgs {
    /// The file to import.
    #[command(flatten)]
    pub(super) file: FileArgs,
    /// More files, or folders: of a folder every file of bars is imported
    #[arg(value_name = "FILE")]
    pub(super) more: Vec<PathBuf>,
    /// Write the bars; without it nothing is written
    #[arg(long)]
    pub(super) yes: bool,
    /// Write the bars even if a finding is critical
    #[arg(long, requires = "yes")]
    force: bool,
}

/// What became of a file.
pub(super) struct Imported {
    /// The series of its bars.
    pub(super) key: SeriesKey,
    /// Bars that are stored now, or would be.
    pub(super) bars: usize,
    /// The other rows.
    pub(super) left_out: LeftOut,
    /// What changed in the store; none where nothing was written.
    pub(super) written: Option<Written>,
}

/// What an import changed in the store.
pub(super) struct Written {
    /// Bars that were not stored before.
    pub(super) new: u64,
    /// Bars that were stored with other values.
    pub(super) changed: u64,
    /// The revision that holds them.
    pub(super) revision: u64,
}

impl Imported {
    /// The result for programs.
    pub(super) fn json(&self) -> Value {
        let mut value = json!({
            "type": "import",
            "written": self.written.is_some(),
            "series": self.key.prefix(),
            "bars": self.bars,
            "left_out": self.left_out.len(),
            "left_out_lines": self.left_out.json(),
        });

        // A dry run counts nothing, and zeros would look like an import that changed nothing.
        if let Some(written) = &self.written
            && let Some(fields) = value.as_object_mut()
        {
            fields.insert("new".to_owned(), written.new.into());
            fields.insert("changed".to_owned(), written.changed.into());
            fields.insert("revision".to_owned(), written.revision.into());
        }
        value
    }
}

/// Shows what an import would do, and imports with `--yes`.
///
/// # Errors
/// A file cannot be read, a finding is critical, or the store refuses.
pub(super) async fn run(args: &ImportArgs, context: &Context) -> Result<Exit, Failure> {
    if let Some(name) = &args.file.calendar {
        require_calendar(name, context).await?;
    }
    // A folder that is named like a series, or whose symbol is given, holds the parts of one file.
    let first = context.working_directory.join(&args.file.file);
    let is_folder = first.is_dir() && !args.file.names_a_symbol();
    if !args.more.is_empty() || is_folder {
        return import_many::run(args, context).await;
    }

    let now = now();
    let judged = judge_file(&args.file, &context.working_directory, now)?;
    show_judged(&judged, &args.file, &context.output);

    let imported = import(judged, &args.file.file, args, now, context).await?;
    show_imported(&imported, context);
    Ok(Exit::Done)
}

/// Stores what can be stored of a judged file with `--yes`; without it, only says what that is.
///
/// # Errors
/// A finding is critical, or the store refuses.
pub(super) async fn import(
    judged: JudgedFile,
    file: &Path,
    args: &ImportArgs,
    now: Utc,
    context: &Context,
) -> Result<Imported, Failure> {
    let critical = judged.report.critical().count();
    if critical > 0 && !args.force {
        return Err(critical_findings(file, critical));
    }

    // Also `--force` stores no bar that lacks a price or is still open.
    refuse_wrong_repairs(file, &judged)?;
    let key = judged.key.clone();
    let storable = storable_bars(file, judged, now)?;
    refuse_other_scale(file, args, &key, &storable, context).await?;
    warn_of_other_timeframes(&key, &storable, context).await?;

    let mut imported = Imported {
        key,
        bars: storable.bars.len(),
        left_out: storable.left_out,
        written: None,
    };
    if !args.yes {
        return Ok(imported);
    }

    let edit = Edit {
        bars: storable.bars,
        empty_intervals: Vec::new(),
        calendar: Calendar::for_key(&imported.key).name().to_owned(),
        at: now,
    };
    let store = open_store(context).await?;
    let outcome = store.series().commit(&imported.key, edit, None).await?;
    imported.written = Some(Written {
        new: outcome.new,
        changed: outcome.changed,
        revision: outcome.snapshot.manifest.revision,
    });
    Ok(imported)
}

/// Bars that were made from later ones would let a model see the future.
fn refuse_wrong_repairs(file: &Path, judged: &JudgedFile) -> Result<(), Failure> {
    if !judged.has_future_repairs() {
        return Ok(());
    }

    let message = format!("{} was repaired with values of later bars", file.display());
    Err(Failure::new(Exit::Failed, codes::DATA_LOOKS_AHEAD, message)
        .with_hint("repair it with --method ffill or drop; nobody knew these values at the time"))
}

/// Two scales in one series are a jump that no market made.
async fn refuse_other_scale(
    file: &Path,
    args: &ImportArgs,
    key: &SeriesKey,
    storable: &UsableRows,
    context: &Context,
) -> Result<(), Failure> {
    let store = open_existing_store(context).await?;
    let Some(finding) = find_seam(&store, key, &storable.bars).await? else {
        return Ok(());
    };

    // Programs get the finding in both cases: --force lifts the refusal, not the fact.
    let output = &context.output;
    output.json(&json!({"type": "seam", "finding": finding}));
    if args.force {
        output.note(&format!("joined all the same: {}", finding.message));
        return Ok(());
    }

    let name = file.display();
    let message = format!("{name} does not fit the stored bars: {}", finding.message);
    Err(
        Failure::new(Exit::Failed, codes::DATA_SEAM, message).with_hint(
            "import a file with the whole history, keep the two apart with --provider NAME, or \
             join them all the same with --yes --force",
        ),
    )
}

/// Bars where stored ones of another timeframe say that there were none, or the other way round.
/// Which of the two is right nobody can say here.
async fn warn_of_other_timeframes(
    key: &SeriesKey,
    storable: &UsableRows,
    context: &Context,
) -> Result<(), Failure> {
    let store = open_existing_store(context).await?;
    let bars = CoveredBars {
        timeframe: key.timeframe,
        known_at: &storable.known_at,
    };
    let rules = Rules::default();
    let findings = check_against_stored(&store, key, bars, check_agreement, &rules).await?;

    for finding in &findings {
        show_coverage(&key.instrument, finding, &context.output);
    }
    Ok(())
}

fn critical_findings(file: &Path, count: usize) -> Failure {
    let message = format!(
        "{} has {}; nothing was written",
        file.display(),
        count_of(count, "critical finding")
    );
    Failure::new(Exit::Failed, codes::DATA_CRITICAL, message)
        .with_hint("correct the file, or write it all the same with --yes --force")
}

/// Keeps the bars with all their prices that are complete at `now`, in the order of time. The
/// prices of a bar that is still open would change after they were stored.
fn storable_bars(file: &Path, judged: JudgedFile, now: Utc) -> Result<UsableRows, Failure> {
    let JudgedFile {
        file: read,
        known_at,
        ..
    } = judged;
    // The checks have named every row that contradicts another.
    let contradictions = Contradictions::TakeLast;
    choose_rows(file, read, known_at, now, false, contradictions)
}

/// What is left out is part of the result: a file of which not everything is stored must not look
/// as if it were.
fn show_imported(imported: &Imported, context: &Context) {
    let output = &context.output;
    output.json(&imported.json());
    if let Some(text) = imported.left_out.describe() {
        output.line(&text);
    }

    // A dry run names the whole series, so that a wrong provider is seen before --yes.
    let Imported { key, bars, .. } = imported;
    let Some(written) = &imported.written else {
        let count = count_of(*bars, "bar");
        output.line(&format!("would store {count} as {}", key.prefix()));
        output.note("nothing was written; add --yes to write");
        return;
    };
    output.line(&format!(
        "{} {}: {}, {} new, {} changed, revision {}",
        key.instrument.symbol(),
        key.timeframe,
        count_of(*bars, "bar"),
        written.new,
        written.changed,
        written.revision
    ));
}
