//! `ktrdr status`: one operation in full, or the whole system at a glance.

use std::collections::BTreeMap;

use bus::{Bus, OperationFilter};
use clap::Args;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use schemas::ids::{Lane, OperationId, Service, StepNumber};
use schemas::operation::{OperationRecord, OperationState, StepState};
use schemas::progress::ProgressRecord;
use serde_json::json;

use crate::arguments::values::parse_operation;
use crate::console::durations::{after, compact, instant};
use crate::console::{Exit, Failure, Tone, extended, print_pairs};
use crate::context::Context;
use crate::watch::{brief, current_step, failure_of, fill_results};

/// How many operations the counts are about.
const COUNTED: usize = 1_000;

/// `ktrdr status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The operation; without it the whole system
    #[arg(value_parser = parse_operation)]
    pub(crate) op: Option<OperationId>,
}

/// `ktrdr status`.
pub(crate) async fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    match &args.op {
        Some(op) => operation(context, &bus, op).await,
        None => system(context, &bus).await,
    }
}

async fn operation(context: &Context, bus: &Bus, op: &OperationId) -> Result<Exit, Failure> {
    let Some(stored) = bus.record(op).await? else {
        return Err(Failure::no_operation(op));
    };
    let mut record = stored.record;
    let mut progress = BTreeMap::new();
    for (number, spec) in record.numbers().zip(record.plan.steps()) {
        if record.step(number).is_some_and(|step| step.attempt > 0)
            && let Some(last) = bus.last_progress(spec.service, op, number).await?
        {
            progress.insert(number, last);
        }
    }
    let told = json!(progress.values().collect::<Vec<_>>());
    context
        .output
        .json(&extended(&record, [("progress", told)]));
    fill_results(context, &mut record).await;
    show(context, &record, &progress);
    Ok(Exit::Done)
}

fn show(
    context: &Context,
    record: &OperationRecord,
    progress: &BTreeMap<StepNumber, ProgressRecord>,
) {
    let output = &context.output;
    let now = Timestamp::now();
    let tone = match record.state {
        OperationState::Completed | OperationState::Running => Tone::Good,
        OperationState::Failed => Tone::Bad,
        _ => Tone::Odd,
    };
    output.line(&format!(
        "{}  {}",
        record.op,
        output.style.paint(tone, record.state.as_str())
    ));
    let mut facts = vec![("kind", record.kind.clone())];
    facts.extend(
        record
            .labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone())),
    );
    facts.push((
        "created",
        format!(
            "{} ({} ago)",
            instant(record.created_at),
            compact(after(record.created_at, now))
        ),
    ));
    if let Some(started) = record.started_at {
        facts.push((
            "duration",
            compact(after(started, record.finished_at.unwrap_or(now))),
        ));
    }
    if let Some(cancel) = &record.cancel {
        facts.push((
            "cancel",
            format!("{} ({})", cancel.reason, instant(cancel.at)),
        ));
    }
    print_pairs(
        output,
        &facts
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect::<Vec<_>>(),
    );
    let rows: Vec<_> = record
        .numbers()
        .map(|number| step_row(record, number, progress.get(&number), now))
        .collect();
    output.line("");
    output.table(
        &["STEP", "STATE", "ATTEMPT", "PROGRESS", "DURATION", "DETAIL"],
        &rows,
    );
    let described = Some(record)
        .filter(|record| record.state == OperationState::Completed)
        .and_then(context.describe_result);
    if let Some(lines) = described {
        output.line("");
        print_pairs(output, &lines);
    } else if record.state == OperationState::Failed {
        output.line("");
        output.line(&failure_of(record).human());
    } else if current_step(record).is_some() && record.state.is_terminal() {
        output.line(&format!("\nresume it with `ktrdr resume {}`", record.op));
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
    let state = serde_json::to_value(step.state)
        .ok()
        .and_then(|value| value.as_str().map(ToOwned::to_owned));
    let took = step
        .started_at
        .map(|started| compact(after(started, step.finished_at.unwrap_or(now))));
    let percent = match (step.state, progress) {
        (StepState::Completed, _) => "100%".to_owned(),
        (_, Some(progress)) => format!("{:.0}%", progress.step_percent),
        (_, None) => "-".to_owned(),
    };
    let told = [
        Some(brief(&step.result)),
        step.note.clone(),
        progress
            .filter(|_| step.state == StepState::Running)
            .map(|progress| progress.message.clone()),
        Some(brief(&step.checkpoint))
            .filter(|text| !text.is_empty())
            .map(|text| format!("checkpoint: {text}")),
        step.holder
            .as_ref()
            .map(|holder| format!("on {}", holder.worker)),
    ];
    let detail: Vec<String> = told
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect();
    vec![
        format!("{number} {}", spec.service),
        state.unwrap_or_default(),
        step.attempt.to_string(),
        percent,
        took.unwrap_or_else(|| "-".to_owned()),
        detail.join("; "),
    ]
}

async fn system(context: &Context, bus: &Bus) -> Result<Exit, Failure> {
    let queues = Service::ALL
        .iter()
        .flat_map(|&service| Lane::ALL.iter().map(move |&lane| (service, lane)));
    let depths = stream::iter(queues).map(|(service, lane)| async move {
        bus.queue_depth(service, lane)
            .await
            .map(|depth| (service, lane, depth))
    });
    let depths = async { depths.buffered(8).try_collect::<Vec<_>>().await };
    let filter = OperationFilter::default();
    let (records, workers, depths, rtt) = tokio::try_join!(
        bus.operations(COUNTED, &filter),
        bus.workers(),
        depths,
        bus.rtt()
    )?;
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &records {
        *states.entry(record.state.as_str()).or_default() += 1;
    }
    let queues: Vec<_> = depths
        .iter()
        .filter(|(_, lane, depth)| *lane == Lane::Default || depth.pending + depth.claimed > 0)
        .collect();
    context.output.json(&json!({
        "type": "result",
        "server": {"url": bus.url(), "version": bus.server_version(), "rtt_ms": rtt.as_secs_f64() * 1e3},
        "operations": states,
        "workers": workers,
        "queues": queues.iter().map(|(service, lane, depth)| json!({
            "service": service, "lane": lane, "pending": depth.pending, "claimed": depth.claimed,
        })).collect::<Vec<_>>(),
        "exit": 0,
    }));
    let counts = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect::<Vec<_>>()
        .join(", ");
    let server = format!(
        "{} (nats-server {}, {:.1} ms)",
        bus.url(),
        bus.server_version(),
        rtt.as_secs_f64() * 1e3
    );
    let operations = if counts.is_empty() {
        "none".to_owned()
    } else {
        counts
    };
    let facts = [
        ("server", server),
        ("store", context.store_url()?),
        ("operations", operations),
    ];
    print_pairs(
        &context.output,
        &facts.map(|(key, value)| (key.to_owned(), value)),
    );
    context.output.line("");
    let rows: Vec<_> = queues
        .iter()
        .map(|(service, lane, depth)| {
            let serving = workers
                .iter()
                .filter(|worker| worker.service == *service && worker.lanes.contains(lane))
                .count();
            vec![
                service.to_string(),
                lane.to_string(),
                serving.to_string(),
                depth.pending.to_string(),
                depth.claimed.to_string(),
            ]
        })
        .collect();
    context
        .output
        .table(&["SERVICE", "LANE", "WORKERS", "WAITING", "IN WORK"], &rows);
    Ok(Exit::Done)
}
