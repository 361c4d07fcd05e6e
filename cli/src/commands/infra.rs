//! `ktrdr infra`: bring the server to the declared streams, buckets and consumers, or show how it
//! differs.

use bus::Drift;
use bus::topology::{Topology, TopologyOptions};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::console::{Exit, Failure};
use crate::context::Context;

/// `ktrdr infra`.
#[derive(Debug, Args)]
pub(crate) struct InfraArgs {
    /// The command.
    #[command(subcommand)]
    command: InfraCommand,
}

/// `ktrdr infra …`.
#[derive(Debug, Subcommand)]
enum InfraCommand {
    /// Create what is missing and change what differs; deletes nothing, running it twice changes
    /// nothing
    Apply(TopologyArgs),
    /// Show every difference; exit code 1 if there is one
    #[command(visible_alias = "diff")]
    Check(TopologyArgs),
}

/// What an installation may choose.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct TopologyArgs {
    /// Copies of each message: 1 on one node, 3 in a cluster
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: u8,
    /// Size of the command queue in MiB; full means that new operations are refused
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) commands_size: u32,
}

impl TopologyArgs {
    fn options(self) -> TopologyOptions {
        TopologyOptions {
            commands_bytes_max: i64::from(self.commands_size) * 1024 * 1024,
            replicas: usize::from(self.replicas),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The server cannot be reached, or refuses the change.
pub(crate) async fn run(args: &InfraArgs, context: &Context) -> Result<Exit, Failure> {
    let command = &args.command;
    let (InfraCommand::Apply(args) | InfraCommand::Check(args)) = command;
    let topology = Topology::declare(context.settings()?.bus.profile, args.options());
    let bus = context.bus().await?;
    if let InfraCommand::Check(_) = command {
        let drifts = bus.infra().differences(&topology).await?;
        drifts
            .iter()
            .for_each(|drift| context.output.line(&drift.to_string()));
        context.output.json(
            &json!({"type": "infra", "drift": drifts.iter().map(drift_json).collect::<Vec<_>>()}),
        );
        if !drifts.is_empty() {
            context
                .output
                .note("hint: `ktrdr infra apply` brings the server to what is declared");
            return Ok(Exit::Failed);
        }
        let (streams, consumers) = (topology.streams.len(), topology.consumers.len());
        context.output.line(&format!(
            "{streams} streams and buckets, {consumers} consumers: as declared"
        ));
        return Ok(Exit::Done);
    }
    let applied = bus.infra().apply(&topology).await?;
    let changed = applied.changed.iter().map(drift_json).collect::<Vec<_>>();
    context
        .output
        .json(&json!({"type": "infra", "created": applied.created, "changed": changed}));
    applied
        .created
        .iter()
        .for_each(|name| context.output.line(&format!("created {name}")));
    applied
        .changed
        .iter()
        .for_each(|drift| context.output.line(&format!("changed: {drift}")));
    if applied.created.is_empty() && changed.is_empty() {
        context
            .output
            .line("nothing to do: everything is as declared");
    }
    Ok(Exit::Done)
}

fn drift_json(drift: &Drift) -> serde_json::Value {
    json!({"what": drift.what, "field": drift.field, "declared": drift.declared, "found": drift.found})
}
