//! `ktrdr ops`, `cancel`, `resume`: lists operations, asks for a stop, puts one back on its queue.

use bus::{Bus, OperationFilter};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::{OperationRecord, OperationState, StepState};
use serde_json::json;

use crate::args::{CancelArgs, ListArgs, OpsArgs, OpsCommand, ResumeArgs};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::follow::{Ended, WatchOptions, watch, watch_to_end};
use crate::interrupts::Interrupts;
use crate::output::{Output, extended};
use crate::progress_line::brief;
use crate::screen::Screen;
use crate::spans::{after, compact};
use crate::{ops_logs, outcome};

/// `ktrdr ops`.
pub async fn run(context: &Context, args: &OpsArgs) -> Result<Exit, Failure> {
    let list = match &args.command {
        Some(OpsCommand::List(list)) => list,
        Some(OpsCommand::Logs { op }) => return ops_logs::run(context, op).await,
        None => &args.list,
    };
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

/// The step that is worked on or waits: the first one that is not completed.
pub fn current_step(record: &OperationRecord) -> Option<StepNumber> {
    record
        .numbers()
        .zip(&record.steps)
        .find(|(_, step)| step.state != StepState::Completed)
        .map(|(number, _)| number)
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
    let checkpoint = current_step(record)
        .and_then(|number| record.step(number))
        .map(|step| match &step.advance {
            advance if advance.is_object() || advance.is_null() => brief(advance),
            advance => advance.to_string(),
        });
    let checkpoint = checkpoint
        .filter(|text| !text.is_empty())
        .map(|text| format!("checkpoint: {text}"));
    let parts = [
        Some(labels).filter(|labels| !labels.is_empty()),
        checkpoint,
        failure,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// `ktrdr cancel`.
pub async fn cancel(context: &Context, args: &CancelArgs) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    let mut first: Option<Failure> = None;
    for op in &args.ops {
        if let Err(failure) = cancel_one(context, &bus, &mut interrupts, op, args).await {
            context.output.failure(&failure);
            first.get_or_insert(failure);
        }
    }
    Ok(first.map_or(Exit::Done, |failure| failure.exit))
}

async fn cancel_one(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    args: &CancelArgs,
) -> Result<(), Failure> {
    let output = &context.output;
    let Some(stored) = bus.record(op).await? else {
        return Err(Failure::no_operation(op));
    };
    let state = stored.record.state;
    if state.is_terminal() {
        let message = format!("Operation {op} cannot be cancelled (status: {state})");
        return Err(Failure::new(Exit::Refused, "OPS-CancelFailed", message)
            .with_hint(format!("it has ended; `ktrdr status {op}` shows how"))
            .about(op));
    }
    bus.request_cancel(op, &args.reason).await?;
    if !args.wait {
        let result = json!({"type": "result", "op": op, "state": "cancelling", "reason": args.reason, "exit": 0});
        output.json(&result);
        output.line(&format!("Cancel requested for {op}: {}", args.reason));
        return Ok(());
    }
    let quiet = Output {
        quiet: true,
        live: false,
        ..output.clone()
    };
    let options = WatchOptions {
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    let watched = watch(bus, interrupts, op, options, &mut Screen::new(&quiet)).await?;
    match &watched.ended {
        Ended::Reached(record) if record.state == OperationState::Cancelled => {
            outcome::tell(output, op, &watched, outcome::describe).map(drop)
        }
        Ended::Reached(record) => {
            let message = format!(
                "Operation {op} was {} before the cancel was seen",
                record.state
            );
            Err(Failure::new(Exit::Refused, "OPS-CancelFailed", message).about(op))
        }
        _ => outcome::tell(output, op, &watched, outcome::describe).map(drop),
    }
}

/// `ktrdr resume`.
pub async fn resume(context: &Context, args: &ResumeArgs) -> Result<Exit, Failure> {
    let (output, op) = (&context.output, &args.op);
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    let record = bus.resume(op).await?;
    let from = current_step(&record)
        .and_then(|number| record.step(number))
        .map(|step| match &step.advance {
            advance if advance.is_object() || advance.is_null() => brief(advance),
            advance => advance.to_string(),
        });
    let from = from
        .filter(|text| !text.is_empty())
        .map_or("its beginning".to_owned(), |text| {
            format!("checkpoint: {text}")
        });
    output.json(&json!({"type": "started", "op": op, "kind": record.kind, "resumed": true, "at": record.updated_at}));
    let told = format!("Resumed {} {op} from {from}", record.kind);
    if args.detach {
        output.line(&told);
        output.note(&format!(
            "Track progress: ktrdr status {op}\nFollow live:    ktrdr follow {op}"
        ));
        return Ok(Exit::Done);
    }
    output.note(&told);
    let options = WatchOptions {
        ours: true,
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    watch_to_end(
        context,
        &bus,
        &mut interrupts,
        op,
        options,
        outcome::describe,
    )
    .await
}
