//! Starts an operation: gives it its id, submits it, and watches it unless told to return at once.

use jiff::Timestamp;
use schemas::command::NewOperation;
use schemas::ids::OperationId;
use serde_json::json;

use crate::args::RunArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::follow::{WatchOptions, watch_to_end};
use crate::interrupts::Interrupts;
use crate::outcome::Describe;

/// Submits `new` and does what `args` say; `describe` words the result of a completed operation.
pub async fn start(
    context: &Context,
    mut new: NewOperation,
    args: &RunArgs,
    describe: Describe,
) -> Result<Exit, Failure> {
    let output = &context.output;
    new.labels.extend(args.label.iter().cloned());
    let op = OperationId::new(&new.kind, Timestamp::now(), rand::random())
        .map_err(|error| Failure::of(Exit::Usage, "OPS-Invalid", &error))?;
    new.validate(&op)
        .map_err(|error| Failure::of(Exit::Usage, "OPS-Invalid", &error).about(&op))?;
    if args.dry_run {
        let shown = serde_json::to_value(&new).unwrap_or_default();
        output.json(&shown);
        output.line(&serde_json::to_string_pretty(&shown).unwrap_or_default());
        return Ok(Exit::Done);
    }
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    bus.submit(&op, &new).await?;
    output.json(&json!({"type": "started", "op": op, "kind": new.kind, "at": Timestamp::now()}));
    if args.detach {
        output.line(&format!("Started {}: {op}", new.kind));
        output.note(&format!(
            "Track progress: ktrdr status {op}\nFollow live:    ktrdr follow {op}"
        ));
        return Ok(Exit::Done);
    }
    output.note(&format!("Started {}: {op}", new.kind));
    let options = WatchOptions {
        ours: true,
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    watch_to_end(context, &bus, &mut interrupts, &op, options, describe).await
}
