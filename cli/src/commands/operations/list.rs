//! `ktrdr ops list`: operations with their state and progress, newest first.

use bus::{Bus, OperationFilter};
use clap::Args;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use schemas::operation::{OperationRecord, OperationState};
use serde_json::json;

use super::describe_checkpoint;
use crate::arguments::values::{parse_key_and_value, parse_since, parse_state};
use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure, extended};
use crate::context::Context;
use crate::watch::current_step;

/// Which operations to list.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// Only these states
    #[arg(long, value_name = "STATE", value_parser = parse_state, value_delimiter = ',')]
    pub(crate) status: Vec<schemas::operation::OperationState>,
    /// Only this kind
    #[arg(long, visible_alias = "type", short = 't')]
    pub(crate) kind: Option<String>,
    /// At most so many
    #[arg(long, short, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Only what has not ended
    #[arg(long, short)]
    pub(crate) active: bool,
    /// Only what can be resumed
    #[arg(long, short)]
    pub(crate) resumable: bool,
    /// Only what was created since: a date, an instant, or a time ago as in 2h or 3d
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub(crate) since: Option<Timestamp>,
    /// Only with this label, may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_and_value)]
    pub(crate) label: Vec<(String, String)>,
}

/// Runs the command.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn run(list: &ListArgs, context: &Context) -> Result<Exit, Failure> {
    let filter = filter_of(list);
    let bus = context.bus().await?;
    let records = bus.operations(usize::from(list.limit), &filter).await?;
    let percents: Vec<Option<f64>> = stream::iter(&records)
        .map(|record| percent(&bus, record))
        .buffered(16)
        .collect()
        .await;
    for (record, percent) in records.iter().zip(&percents) {
        context
            .output
            .json(&extended(record, [("percent", json!(percent))]));
    }
    if records.is_empty() {
        context.output.note(match (list.active, list.resumable) {
            (true, _) => "No active operations found",
            (_, true) => "No resumable operations found",
            _ => "No operations found",
        });
        return Ok(Exit::Done);
    }
    let now = Timestamp::now();
    let rows: Vec<_> = records
        .iter()
        .zip(percents)
        .map(|(record, percent)| row(record, percent, now))
        .collect();
    context.output.table_with_remarks(
        &[
            "ID", "TYPE", "STATE", "PROGRESS", "STEP", "DURATION", "ABOUT",
        ],
        &rows,
    );
    Ok(Exit::Done)
}

fn filter_of(list: &ListArgs) -> OperationFilter {
    let mut states = list.status.clone();
    if list.resumable {
        states.extend([OperationState::Failed, OperationState::Cancelled]);
    }
    OperationFilter {
        states,
        kind: list.kind.clone(),
        since: list.since,
        active: list.active,
        labels: list.label.iter().cloned().collect(),
    }
}

/// Percent of the operation: exact at its ends, from the last progress message in between.
async fn percent(bus: &Bus, record: &OperationRecord) -> Option<f64> {
    let Some(number) = current_step(record) else {
        return Some(100.0);
    };
    let (step, spec) = (record.step(number)?, record.plan.step(number)?);
    if step.attempt == 0 {
        return Some(record.plan.percent_range(number).0);
    }
    let progress = bus
        .last_progress(spec.service, &record.op, number)
        .await
        .ok()
        .flatten();
    Some(
        progress.map_or(record.plan.percent_range(number).0, |progress| {
            progress.percent
        }),
    )
}

fn row(record: &OperationRecord, percent: Option<f64>, now: Timestamp) -> Vec<String> {
    let number = current_step(record);
    let step = number.and_then(|number| {
        Some(format!(
            "{} ({number}/{})",
            record.plan.step(number)?.service,
            record.steps.len()
        ))
    });
    let took = record
        .started_at
        .map(|started| compact(after(started, record.finished_at.unwrap_or(now))));
    vec![
        record.op.to_string(),
        record.kind.clone(),
        record.state.to_string(),
        percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}%")),
        step.unwrap_or_else(|| "-".to_owned()),
        took.unwrap_or_else(|| "-".to_owned()),
        about(record),
    ]
}

/// What it is about, where it goes on from, or why it failed.
fn about(record: &OperationRecord) -> String {
    let labels = record
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(" ");
    let failure = record
        .failure
        .as_ref()
        .map(|failure| schemas::errors::shortened(&failure.error.message, 60));
    let checkpoint = describe_checkpoint(record).map(|text| format!("checkpoint: {text}"));
    let parts = [
        Some(labels).filter(|labels| !labels.is_empty()),
        checkpoint,
        failure,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
