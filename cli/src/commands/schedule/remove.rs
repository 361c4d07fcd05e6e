//! `ktrdr schedule remove`: schedules that start nothing any more.

use clap::Args;
use schemas::acts::Deed;
use schemas::schedules::ScheduleName;
use serde_json::json;

use super::state::no_schedule;
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::acts::note_act;

/// `ktrdr schedule remove`.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// Names of the schedules
    #[arg(value_name = "NAME", required = true)]
    names: Vec<ScheduleName>,
}

/// Removes the schedules; the first one that does not exist ends it.
///
/// # Errors
/// There is no schedule of a name, or the server cannot be asked.
pub(super) async fn run(args: &RemoveArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;

    for name in &args.names {
        let is_there = bus.schedules().get(name).await;
        if !matches!(is_there, Ok(None)) {
            let names = [name.to_string()];
            note_act(Deed::ScheduleRemove, &names, context, &bus).await?;
        }
        if !bus.schedules().remove(name).await? {
            return Err(no_schedule(name, &bus).await);
        }
        output.json(&json!({ "type": "removed", "schedule": name }));
        output.line(&format!("Removed the schedule {name}"));
    }
    Ok(Exit::Done)
}
