//! `ktrdr retry`: the request of a failed or cancelled operation, once more from its beginning.

use clap::Args;
use schemas::codes;
use schemas::operation::{NewOperation, OperationRecord, OperationState};

use crate::arguments::values::parse_key_and_value;
use crate::arguments::{OperationArg, RunArgs};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use crate::inputs::request_changes::change_request;
use crate::watch::start;

/// `ktrdr retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// Operation to start again: one that failed or was cancelled
    op: OperationArg,
    /// Change a parameter of the request, as in `--set epochs=20`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_and_value)]
    set: Vec<(String, String)>,
    /// How to run the operation.
    #[command(flatten)]
    run: RunArgs,
}

/// Starts a new operation of the same request, which names the one that it repeats.
///
/// # Errors
/// There is no such operation, it has not failed, a change does not fit the request, or the new
/// operation fails.
pub(crate) async fn run(args: &RetryArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    let op = &find_operation(&bus, &args.op).await?;
    let Some(stored) = bus.operations().get(op).await? else {
        return Err(Failure::no_operation(op));
    };
    let record = stored.record;
    if !matches!(
        record.state,
        OperationState::Failed | OperationState::Cancelled
    ) {
        return Err(not_failed(&record));
    }

    let mut new = request_of(record);
    change_request(&mut new, &args.set)?;
    start(context, new, &args.run).await
}

fn not_failed(record: &OperationRecord) -> Failure {
    let OperationRecord { op, state, .. } = record;
    let message =
        format!("Operation {op} is {state}: only one that failed or was cancelled can be retried");
    let hint = if state.is_terminal() {
        format!("`ktrdr status {op}` shows its result")
    } else {
        format!("wait for its end with `ktrdr follow {op}`, or stop it with `ktrdr cancel {op}`")
    };

    Failure::new(Exit::Refused, codes::OPS_RETRY_NOT_FAILED, message)
        .with_hint(hint)
        .about(op)
}

/// The request as it was submitted, linked to the operation that it made.
fn request_of(record: OperationRecord) -> NewOperation {
    NewOperation {
        kind: record.kind,
        labels: record.labels,
        params: record.params,
        plan: record.plan,
        retries: record.retries,
        retry_of: Some(record.op),
        ..NewOperation::default()
    }
}
