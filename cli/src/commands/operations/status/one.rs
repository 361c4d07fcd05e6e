//! `ktrdr status OP`: the facts of one operation, its steps, and how it ended.

use std::collections::BTreeMap;

use bus::Bus;
use jiff::Timestamp;
use schemas::codes;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::{OperationRecord, OperationState, StepRecord, StepState};
use schemas::progress::ProgressRecord;
use serde_json::{Value, json};

use super::children::Children;
use crate::console::durations::{after, compact, instant};
use crate::console::{Exit, Failure, Tone, extended, print_pairs};
use crate::context::Context;
use crate::watch::{current_step, describe_work, failure_of, fill_results, summarise_fields};

const HEADS: [&str; 6] = ["STEP", "STATE", "ATTEMPT", "PROGRESS", "DURATION", "DETAIL"];

/// The last progress of each step that has begun.
type StepProgress = BTreeMap<StepNumber, ProgressRecord>;

/// Shows one operation.
pub(super) async fn show_operation(
    context: &Context,
    bus: &Bus,
    op: &OperationId,
) -> Result<Exit, Failure> {
    let Some(stored) = bus.operations().get(op).await? else {
        return Err(Failure::no_operation(op));
    };
    let mut record = stored.record;
    let progress = read_progress(bus, &record).await?;

    let children = Children::read(bus, &record, progress.values()).await?;

    let messages: Vec<&ProgressRecord> = progress.values().collect();
    let fields = [
        ("progress", json!(messages)),
        (
            "children",
            children.as_ref().map_or(Value::Null, Children::json),
        ),
    ];
    context.output.json(&extended(&record, fields));

    // Programs read a large result from the store by its name, people get it here.
    fill_results(context, &mut record).await;
    print_operation(context, &record, &progress);
    if let Some(children) = &children {
        children.print(&context.output);
    }
    print_end(context, &record);
    Ok(Exit::Done)
}

async fn read_progress(bus: &Bus, record: &OperationRecord) -> Result<StepProgress, Failure> {
    let mut progress = StepProgress::new();
    for (number, spec) in record.numbers().zip(record.plan.steps()) {
        if record.step(number).is_some_and(|step| step.attempt > 0)
            && let Some(last) = bus
                .progress()
                .newest(spec.service, &record.op, number)
                .await?
        {
            progress.insert(number, last);
        }
    }
    Ok(progress)
}

fn print_operation(context: &Context, record: &OperationRecord, progress: &StepProgress) {
    let output = &context.output;
    let now = Timestamp::now();
    let state = output
        .style
        .paint(tone_of(record.state), record.state.as_str());
    output.line(&format!("{}  {state}", record.op));
    print_pairs(output, &facts_of(record, now));

    let rows: Vec<Vec<String>> = record
        .numbers()
        .map(|number| step_row(record, number, progress.get(&number), now))
        .collect();
    output.line("");
    output.table(&HEADS, &rows);
}

fn tone_of(state: OperationState) -> Tone {
    match state {
        OperationState::Completed | OperationState::Running => Tone::Good,
        OperationState::Failed => Tone::Bad,
        _ => Tone::Odd,
    }
}

fn facts_of(record: &OperationRecord, now: Timestamp) -> Vec<(String, String)> {
    let mut facts = vec![("kind".to_owned(), record.kind.clone())];
    if let Some(parent) = &record.parent {
        facts.push(("parent".to_owned(), parent.op.to_string()));
    }
    for (key, value) in &record.labels {
        facts.push((key.clone(), value.clone()));
    }

    if let Some(first) = &record.retry_of {
        facts.push(("retry of".to_owned(), first.to_string()));
    }

    let age = compact(after(record.created_at, now));
    let by = by_text(record.by.as_deref());
    let created = format!("{} ({age} ago){by}", instant(record.created_at));
    facts.push(("created".to_owned(), created));
    if let Some(started) = record.started_at {
        // What has not ended yet has lasted until now.
        let duration = compact(after(started, record.finished_at.unwrap_or(now)));
        facts.push(("duration".to_owned(), duration));
    }
    if let Some(cancel) = &record.cancel {
        let by = by_text(cancel.by.as_deref());
        let reason = format!("{} ({}{by})", cancel.reason, instant(cancel.at));
        facts.push(("cancel".to_owned(), reason));
    }
    if let Some(resumed) = &record.resumed {
        let by = by_text(resumed.by.as_deref());
        let reason = resumed.reason.as_deref().unwrap_or_default();
        let text = format!("{}{by} {reason}", instant(resumed.at));
        facts.push(("resumed".to_owned(), text.trim_end().to_owned()));
    }
    facts
}

/// ` by ann`, or nothing where nobody was named.
fn by_text(by: Option<&str>) -> String {
    by.map(|by| format!(" by {by}")).unwrap_or_default()
}

/// The result, the failure, or how to go on.
fn print_end(context: &Context, record: &OperationRecord) {
    let output = &context.output;

    match record.state {
        OperationState::Completed => {
            if let Some(lines) = (context.describe_result)(record) {
                output.line("");
                print_pairs(output, &lines);
            }
        }
        OperationState::Failed => {
            output.line("");
            output.line(&failure_of(record).human());
        }
        state if state.is_terminal() && current_step(record).is_some() => {
            output.line(&format!("\nresume it with `ktrdr resume {}`", record.op));
        }
        _ => {}
    }
}

fn step_row(
    record: &OperationRecord,
    number: StepNumber,
    progress: Option<&ProgressRecord>,
    now: Timestamp,
) -> Vec<String> {
    let (Some(step), Some(spec)) = (record.step(number), record.plan.step(number)) else {
        return Vec::new();
    };

    // The last message of a completed step may have said less than all.
    let percent = match (step.state, progress) {
        (StepState::Completed, _) => "100%".to_owned(),
        (_, Some(progress)) => format!("{:.0}%", progress.step_percent),
        (_, None) => "-".to_owned(),
    };
    let duration = match step.started_at {
        Some(started) => compact(after(started, step.finished_at.unwrap_or(now))),
        None => "-".to_owned(),
    };
    vec![
        format!("{number} {}", spec.service),
        state_word(step.state),
        step.attempt.to_string(),
        percent,
        duration,
        step_detail(step, progress),
    ]
}

/// The state as on the wire.
fn state_word(state: StepState) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Result, note, message, checkpoint and worker, as far as there are any.
fn step_detail(step: &StepRecord, progress: Option<&ProgressRecord>) -> String {
    let mut parts = vec![summarise_fields(&step.result), describe_work(&step.done)];
    parts.extend(step.note.clone());
    if step.forced {
        parts.push(format!("ended by force ({})", codes::OPS_FORCE_CANCELLED));
    }

    // The message of a step that has ended is older than its result or failure.
    if let Some(progress) = progress.filter(|_| step.state == StepState::Running) {
        parts.push(progress.message.clone());
    }
    let checkpoint = summarise_fields(&step.checkpoint);
    if !checkpoint.is_empty() {
        parts.push(format!("checkpoint: {checkpoint}"));
    }
    if let Some(holder) = &step.holder {
        parts.push(format!("on {}", holder.worker));
    }

    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}
