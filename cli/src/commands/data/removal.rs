//! `ktrdr data delete` and `undelete`: bars taken out of the store, and brought back.

use clap::Args;
use market::Utc;
use schemas::manifests::Deletion;
use serde_json::json;
use store::{SeriesSnapshot, Store, StoreError};

use super::stored::{SeriesArgs, find_series};
use crate::arguments::RangeArgs;
use crate::console::{Exit, Failure, count_of, now};
use crate::context::Context;
use crate::inputs::stored_series::{
    GRACE_DAYS, no_stored_bars, open_existing_store, series_key, with_calendar,
};

/// `ktrdr data delete`.
#[derive(Clone, Debug, Args)]
pub(super) struct DeleteArgs {
    /// The series to delete from.
    #[command(flatten)]
    series: SeriesArgs,
    /// The range of bars.
    #[command(flatten)]
    range: RangeArgs,
    /// Delete the bars; without it nothing is changed
    #[arg(long)]
    yes: bool,
}

/// Shows what a deletion would take away, and takes it away with `--yes`.
///
/// # Errors
/// Nothing is stored, or the store refuses.
pub(super) async fn delete(args: &DeleteArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let series = find_series(&args.series, &store, context).await?;
    if args.yes {
        delete_bars(args, &series, &store, context).await
    } else {
        show_dry_run(args, &series, &store, context).await
    }
}

async fn show_dry_run(
    args: &DeleteArgs,
    series: &SeriesSnapshot,
    store: &Store,
    context: &Context,
) -> Result<Exit, Failure> {
    // The range may cut through files, whose manifest counts whole ones only.
    let bars = store.series().raw_bars(series, args.range.times()).await?;
    let count = bars.len();

    context.output.json(&json!({
        "type": "delete",
        "written": false,
        "series": series.key.prefix(),
        "bars": count,
    }));
    let stored = series.manifest.rows();
    let name = args.series.name();
    let taken = count_of(count, "bar");
    let line = format!("{name}: would delete {taken} of {stored}");
    context.output.line(&line);
    if count > 0 {
        context
            .output
            .note("nothing was changed; add --yes to delete");
    }
    Ok(Exit::Done)
}

async fn delete_bars(
    args: &DeleteArgs,
    series: &SeriesSnapshot,
    store: &Store,
    context: &Context,
) -> Result<Exit, Failure> {
    let handle = store.series();
    let outcome = handle
        .delete_for(&context.person()?, &series.key, args.range.times(), now())
        .await?;
    let manifest = &outcome.snapshot.manifest;

    // Without a bar in the range there is no new revision, and an older deletion is not this one.
    let is_new = manifest.revision > series.manifest.revision;
    let deletion = manifest.deletion.clone().filter(|_| is_new);
    let count = deletion.as_ref().map_or(0, |deletion| deletion.bars);
    context.output.json(&json!({
        "type": "delete",
        "written": is_new,
        "series": series.key.prefix(),
        "bars": count,
        "revision": manifest.revision,
    }));

    let name = args.series.name();
    match deletion {
        Some(deletion) => {
            let what = describe_deletion(&deletion);
            let revision = manifest.revision;
            let line = format!("{name}: {what} deleted, revision {revision}");
            context.output.line(&line);
            context.output.note(&format!(
                "`ktrdr data undelete {}` brings them back, for {GRACE_DAYS} days at least",
                args.series.words()
            ));
        }
        None => context.output.line(&format!("{name}: 0 bars deleted")),
    }
    Ok(Exit::Done)
}

/// `24 bars, <first> to <last>`.
fn describe_deletion(deletion: &Deletion) -> String {
    let count = usize::try_from(deletion.bars).unwrap_or(usize::MAX);
    format!(
        "{}, {} to {},",
        count_of(count, "bar"),
        Utc(deletion.first),
        Utc(deletion.last)
    )
}

/// Brings back what the last deletion of a series took away.
///
/// # Errors
/// Nothing was deleted, it is gone for good, or the store refuses.
pub(super) async fn undelete(args: &SeriesArgs, context: &Context) -> Result<Exit, Failure> {
    // Not `find_series`: it refuses a series whose bars were all deleted.
    let store = open_existing_store(context).await?;
    let key = series_key(&args.provider, &args.symbol, args.timeframe)?;
    let key = with_calendar(key, args.calendar.as_deref())?;
    let by = context.person()?;
    let outcome = match store.series().undelete_for(&by, &key, now()).await {
        Err(StoreError::Missing { key: missing }) if missing == key.prefix() => {
            return Err(no_stored_bars(&store, &args.symbol, args.timeframe).await);
        }
        outcome => outcome?,
    };
    let revision = outcome.snapshot.manifest.revision;

    context.output.json(&json!({
        "type": "undelete",
        "series": key.prefix(),
        "bars": outcome.new,
        "revision": revision,
    }));
    let count = usize::try_from(outcome.new).unwrap_or(usize::MAX);
    context.output.line(&format!(
        "{}: {} brought back, revision {revision}",
        args.name(),
        count_of(count, "bar")
    ));
    Ok(Exit::Done)
}
