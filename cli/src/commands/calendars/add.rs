//! `ktrdr calendars add`: a calendar file into the store, for every program that uses it.

use std::path::{Path, PathBuf};

use clap::Args;
use market::{Calendar, CalendarError};
use schemas::codes;
use store::AddCalendarError;

use super::list::calendar_json;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::open_store;
use crate::inputs::text_files::read_text;

/// `ktrdr calendars add`.
#[derive(Clone, Debug, Args)]
pub(super) struct AddArgs {
    /// File in the form of the calendars that are built in; see docs/calendars.md
    file: PathBuf,
}

/// Adds the calendar.
///
/// # Errors
/// The file cannot be read or is not a calendar, its name is taken, or the store fails.
pub(super) async fn run(args: &AddArgs, context: &Context) -> Result<Exit, Failure> {
    let text = read_calendar_file(&args.file, context)?;
    // A mistake in the file is said without a store.
    Calendar::from_json(&text).map_err(|error| wrong_file(&args.file, &error))?;

    let store = open_store(context).await?;
    let added = store.calendars().add(&text).await;
    let calendar = added.map_err(|error| match error {
        AddCalendarError::Calendar(error) => wrong_file(&args.file, &error),
        AddCalendarError::Store(error) => error.into(),
    })?;

    let output = &context.output;
    let name = calendar.name();
    output.json(&calendar_json(calendar));
    output.line(&format!("added `{name}` to {}", context.store_url()?));
    output.note(&format!(
        "hint: `ktrdr data import FILE --calendar {name}` imports bars that trade by it"
    ));
    Ok(Exit::Done)
}

/// The text of a calendar file.
///
/// # Errors
/// The file cannot be read, or is not UTF-8.
pub(super) fn read_calendar_file(file: &PathBuf, context: &Context) -> Result<String, Failure> {
    read_text(&context.working_directory.join(file)).map_err(|error| {
        let message = format!("cannot read {}", file.display());
        Failure::new(Exit::Usage, codes::DATA_CALENDAR, message)
            .with_cause(&error)
            .with_hint("name a calendar file that exists and that this user may read")
    })
}

/// A file that is not a calendar, with the line where the parser knows it.
pub(super) fn wrong_file(file: &Path, error: &CalendarError) -> Failure {
    let failure = Failure::of(Exit::Usage, codes::DATA_CALENDAR, error);
    let message = format!("{}: {}", file.display(), failure.message);
    Failure { message, ..failure }.with_hint(error.hint())
}
