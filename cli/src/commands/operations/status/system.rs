//! `ktrdr status` without an operation: server, store, counts of operations, queues.

use std::collections::BTreeMap;

use bus::{Bus, OperationFilter};
use schemas::ids::Lane;
use serde_json::{Value, json};

use crate::console::{Exit, Failure, print_pairs};
use crate::context::Context;
use crate::watch::{QueueLoad, read_queues};

/// The newest operations that are counted by their state.
const COUNTED_OPERATIONS: usize = 1_000;

/// Counts of operations by state, as `completed` → 3.
type StateCounts = BTreeMap<String, usize>;

/// Shows the whole system.
pub(super) async fn show_system(context: &Context, bus: &Bus) -> Result<Exit, Failure> {
    let filter = OperationFilter::default();
    // None of the three needs another's answer, so that only the slowest is waited for.
    let (records, workers, round_trip) = tokio::try_join!(
        bus.operations().list(COUNTED_OPERATIONS, &filter),
        bus.workers().list(),
        bus.connection().rtt()
    )?;
    let mut queues = read_queues(bus, &workers).await?;
    queues.retain(is_worth_showing);

    let mut states = StateCounts::new();
    for record in &records {
        *states.entry(record.state.to_string()).or_default() += 1;
    }

    let round_trip_ms = round_trip.as_secs_f64() * 1e3;
    context.output.json(&json!({
        "type": "result",
        "server": {
            "url": bus.connection().url(),
            "version": bus.connection().server_version(),
            "rtt_ms": round_trip_ms,
        },
        "operations": states,
        "workers": workers,
        "queues": queues.iter().map(queue_json).collect::<Vec<_>>(),
        "exit": 0,
    }));
    let server = format!(
        "{} (nats-server {}, {round_trip_ms:.1} ms)",
        bus.connection().url(),
        bus.connection().server_version()
    );
    print_system(context, server, &states, &queues)?;
    Ok(Exit::Done)
}

fn print_system(
    context: &Context,
    server: String,
    states: &StateCounts,
    queues: &[QueueLoad],
) -> Result<(), Failure> {
    let facts = [
        ("server", server),
        ("store", context.store_url()?),
        ("operations", describe_counts(states)),
    ];
    let facts = facts.map(|(name, text)| (name.to_owned(), text));
    let rows: Vec<Vec<String>> = queues.iter().map(queue_row).collect();

    let output = &context.output;
    print_pairs(output, &facts);
    output.line("");
    output.table(&["SERVICE", "LANE", "WORKERS", "WAITING", "IN WORK"], &rows);
    Ok(())
}

/// `3 completed, 1 running`, and that older ones are not counted where there may be some.
fn describe_counts(states: &StateCounts) -> String {
    let counts: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let text = counts.join(", ");

    match states.values().sum() {
        0 => "none".to_owned(),
        COUNTED_OPERATIONS => format!("{text}, of the newest {COUNTED_OPERATIONS}"),
        _ => text,
    }
}

/// The default lane of every service, and every other lane with commands in it.
fn is_worth_showing(queue: &QueueLoad) -> bool {
    queue.lane == Lane::Default || queue.pending + queue.claimed > 0
}

fn queue_json(queue: &QueueLoad) -> Value {
    json!({
        "service": queue.service,
        "lane": queue.lane,
        "pending": queue.pending,
        "claimed": queue.claimed,
    })
}

fn queue_row(queue: &QueueLoad) -> Vec<String> {
    vec![
        queue.service.to_string(),
        queue.lane.to_string(),
        queue.workers.to_string(),
        queue.pending.to_string(),
        queue.claimed.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One running operation, and `completed` others.
    fn counts(completed: usize) -> String {
        let counts = [("completed", completed), ("running", 1)];
        describe_counts(
            &counts
                .map(|(state, count)| (state.to_owned(), count))
                .into(),
        )
    }

    #[test]
    fn counts_of_a_part_say_that_they_are_of_a_part() {
        assert_eq!(counts(998), "998 completed, 1 running");
        assert_eq!(counts(999), "999 completed, 1 running, of the newest 1000");
        assert_eq!(describe_counts(&StateCounts::new()), "none");
    }
}
