//! Starts several operations as one: a parent whose children they are.

use schemas::codes;
use schemas::ids::OperationId;
use schemas::operation::{NewOperation, about};
use schemas::requests::Family;
use serde_json::json;

use super::start::{new_id, start_as};
use crate::arguments::RunArgs;
use crate::console::{Exit, Failure, count_of};
use crate::context::Context;

/// Children that a dry run lists.
const LISTED_MAX: usize = 50;

/// Submits `family` as `args` say, and watches it to its end unless `args` say otherwise. Nothing
/// is sent before every child is known to be valid.
pub(crate) async fn start_family(
    context: &Context,
    family: Family,
    args: &RunArgs,
) -> Result<Exit, Failure> {
    let op = new_id(Family::KIND)?;
    start_family_as(context, op, family, args).await
}

/// [`start_family`] under an id of [`new_id`].
pub(crate) async fn start_family_as(
    context: &Context,
    op: OperationId,
    mut family: Family,
    args: &RunArgs,
) -> Result<Exit, Failure> {
    // The labels of a person are those of the children too: that is how they are found.
    for child in family.stages.iter_mut().flatten() {
        args.mark(child);
    }
    family
        .validate(&op)
        .map_err(|error| invalid_family(&error))?;

    if args.dry_run {
        print_family(context, &family);
        return Ok(Exit::Done);
    }

    let in_request = family.operation();
    let new = match in_request.validate(&op) {
        Ok(()) => in_request,
        Err(_) => store_lists(context, &family).await?,
    };
    start_as(context, op, new, args).await
}

/// The operation of a family whose children have no room in a request: lists of them are objects.
async fn store_lists(context: &Context, family: &Family) -> Result<NewOperation, Failure> {
    let store = context.store().await?;

    let mut keys = Vec::new();
    for lists in family.lists() {
        let mut of_stage = Vec::with_capacity(lists.len());
        for list in lists {
            of_stage.push(store.reports().put(&list).await?);
        }
        keys.push(of_stage);
    }
    Ok(family.operation_with_lists(keys))
}

fn print_family(context: &Context, family: &Family) {
    let output = &context.output;
    output.json(&json!({
        "type": "result",
        "limit": family.limit,
        "on_failure": family.on_failure,
        "stages": family.stages,
        "exit": 0,
    }));

    let total = family.stages.iter().map(Vec::len).sum();
    let operations = count_of(total, "operation");
    let limit = family.limit;
    output.line(&format!(
        "Would start {operations}, at most {limit} at a time:"
    ));
    let stages = (1..).zip(&family.stages);
    let children =
        stages.flat_map(|(number, stage)| stage.iter().map(move |child| (number, child)));
    for (stage, child) in children.take(LISTED_MAX) {
        let place = match family.stages.len() {
            1 => String::new(),
            _ => format!("stage {stage}  "),
        };
        output.line(&format!(
            "  {place}{:<6}  {}",
            child.kind,
            about(&child.labels)
        ));
    }
    if total > LISTED_MAX {
        output.line(&format!("  and {} more", total - LISTED_MAX));
    }
}

fn invalid_family(error: &dyn std::error::Error) -> Failure {
    Failure::of(Exit::Usage, codes::OPS_INVALID, error)
        .with_hint("correct what the message names; nothing was started")
}
