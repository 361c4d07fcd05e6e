//! `ktrdr ops acts`: what people removed or sent away, and who.

use clap::Args;
use schemas::acts::Act;
use serde_json::{Value, json};

use crate::console::durations::instant;
use crate::console::{Exit, Failure};
use crate::context::Context;

const HEADS: [&str; 4] = ["AT", "WHO", "WHAT", "OF"];
/// Most names in a cell of the table.
const NAMES_MAX: usize = 3;

/// `ktrdr ops acts`.
#[derive(Debug, Args)]
pub(super) struct ActsArgs {
    /// How many, the newest ones
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
}

/// Lists them, newest first.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn run(args: &ActsArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let acts = context.bus().await?.events().acts().await?;
    if acts.is_empty() {
        output.note("Nobody has removed anything, as far back as events are kept");
        return Ok(Exit::Done);
    }

    let mut rows = Vec::new();
    for act in acts.iter().rev().take(args.limit) {
        output.json(&act_json(act));
        rows.push(vec![
            instant(act.at),
            act.by.clone(),
            act.deed.as_str().replacen('-', " ", 1),
            describe_names(act),
        ]);
    }
    output.table(&HEADS, &rows);
    Ok(Exit::Done)
}

fn act_json(act: &Act) -> Value {
    json!({
        "type": "act",
        "at": act.at,
        "by": act.by,
        "deed": act.deed,
        "of": act.of,
        "count": act.count,
    })
}

/// `nightly, weekly`, and `and 7 more` where there is no room.
fn describe_names(act: &Act) -> String {
    let names_listed = act.of.len().min(NAMES_MAX);
    let names = act.of.iter().take(names_listed).cloned();
    let text = names.collect::<Vec<String>>().join(", ");

    match act.count.saturating_sub(names_listed as u64) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
