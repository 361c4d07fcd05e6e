//! Starts an operation: gives it its id, submits it, and watches it unless asked to return at once.

use bus::Bus;
use jiff::Timestamp;
use runtime::traces;
use schemas::codes;
use schemas::ids::OperationId;
use schemas::operation::NewOperation;
use serde_json::{Value, json};

use super::{WatchOptions, watch_to_end};
use crate::arguments::RunArgs;
use crate::console::{Exit, Failure, Interrupts, Output, extended};
use crate::context::Context;

/// Submits `new` as `args` say, and watches it to its end unless `args` say otherwise.
pub(crate) async fn start(
    context: &Context,
    new: NewOperation,
    args: &RunArgs,
) -> Result<Exit, Failure> {
    let op = new_id(&new.kind)?;
    start_as(context, op, new, args).await
}

/// An id for an operation of `kind` that is to be submitted now.
pub(crate) fn new_id(kind: &str) -> Result<OperationId, Failure> {
    OperationId::new(kind, Timestamp::now(), rand::random())
        .map_err(|error| invalid_operation(&error))
}

/// [`start`] under an id of [`new_id`].
pub(crate) async fn start_as(
    context: &Context,
    op: OperationId,
    new: NewOperation,
    args: &RunArgs,
) -> Result<Exit, Failure> {
    let output = &context.output;
    let new = complete(new, args, context)?;
    new.validate(&op)
        .map_err(|error| invalid_operation(&error).about(&op))?;

    if args.dry_run {
        let request = serde_json::to_value(&new).unwrap_or_default();
        output.json(&request);
        output.line(&serde_json::to_string_pretty(&request).unwrap_or_default());
        return Ok(Exit::Done);
    }

    // Before the operation exists: a Ctrl+C right after the submission must cancel it.
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    submit(&bus, &op, &new).await?;
    output.json(&started_json(&op, &new));

    let started = started_text(&op, &new);
    if args.detach {
        output.line(&started);
        print_follow_hints(output, &op);
        return Ok(Exit::Done);
    }
    output.note(&started);
    let options = WatchOptions {
        is_ours: true,
        person: new.by.clone(),
        wait_timeout: args.wait_timeout,
        ..WatchOptions::default()
    };
    watch_to_end(context, &bus, &mut interrupts, &op, options).await
}

/// Submits, and says so in the trace of the operation where traces are sent.
async fn submit(bus: &Bus, op: &OperationId, new: &NewOperation) -> Result<(), Failure> {
    traces::begin("ktrdr", &std::process::id().to_string());
    let began = Timestamp::now();

    bus.operations().submit(op, new).await?;
    traces::submitted(op, began);
    traces::flush().await;
    Ok(())
}

/// The request with what every command that starts one may say of it.
fn complete(
    mut new: NewOperation,
    args: &RunArgs,
    context: &Context,
) -> Result<NewOperation, Failure> {
    args.mark(&mut new);
    new.by = Some(context.person()?);
    Ok(new)
}

fn started_text(op: &OperationId, new: &NewOperation) -> String {
    match &new.retry_of {
        Some(first) => format!("Started {}: {op}, a retry of {first}", new.kind),
        None => format!("Started {}: {op}", new.kind),
    }
}

fn started_json(op: &OperationId, new: &NewOperation) -> Value {
    let started = json!({
        "type": "started",
        "op": op,
        "kind": new.kind,
        "at": Timestamp::now(),
    });
    match &new.retry_of {
        Some(first) => extended(&started, [("retry_of", json!(first))]),
        None => started,
    }
}

fn invalid_operation(error: &dyn std::error::Error) -> Failure {
    Failure::of(Exit::Usage, codes::OPS_INVALID, error)
        .with_hint("shorten or correct what the message names; --dry-run prints the request")
}

/// How to find an operation that runs on without this process.
pub(crate) fn print_follow_hints(output: &Output, op: &OperationId) {
    output.note(&format!(
        "Track progress: ktrdr status {op}\nFollow live:    ktrdr follow {op}"
    ));
}
