//! `ktrdr calendars list`: every calendar with its zone and the years of its holidays.

use market::Calendar;
use serde_json::{Value, json};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

const HEADS: [&str; 4] = ["NAME", "ZONE", "HOLIDAYS", "DESCRIPTION"];

/// Lists the calendars.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    // The store is not read here: opening it loads the calendars that users added.
    open_existing_store(context).await?;

    let output = &context.output;
    let mut rows = Vec::new();
    for calendar in Calendar::all() {
        output.json(&calendar_json(calendar));
        rows.push(vec![
            calendar.name().to_owned(),
            calendar.zone_name().to_owned(),
            years_of_holidays(calendar),
            calendar.description().to_owned(),
        ]);
    }

    output.table_with_remarks(&HEADS, &rows);
    output.note(
        "hint: `ktrdr calendars show NAME --start DATE --end DATE` shows sessions and holidays",
    );
    Ok(Exit::Done)
}

/// `2000 to 2028`; blank where a market has no holidays or the file gives no limit.
fn years_of_holidays(calendar: &Calendar) -> String {
    let coverage = calendar.coverage();
    coverage.map_or_else(String::new, |(first, last)| {
        format!("{} to {}", first.year(), last.year())
    })
}

/// What a calendar says about itself, for programs.
pub(super) fn calendar_json(calendar: &Calendar) -> Value {
    let covers = calendar
        .coverage()
        .map(|(first, last)| json!({"first": first, "last": last}));
    json!({
        "type": "calendar",
        "name": calendar.name(),
        "description": calendar.description(),
        "zone": calendar.zone_name(),
        "covers": covers,
        "projected_from": calendar.projected_from(),
        "sources": calendar.sources(),
    })
}
