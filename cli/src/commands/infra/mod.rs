//! `ktrdr infra`: bring the server to the declared streams, buckets and consumers, or show how it
//! differs; make the keys by which services and people connect; keep what is on the bus, and bring
//! it back.

mod backup;
mod certificates;
mod credentials;
mod rebuild;
mod restore;

use bus::topology::{Topology, TopologyOptions};
use bus::{Applied, Bus, Drift, Profile};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::console::{Exit, Failure, Output};
use crate::context::Context;

/// `ktrdr infra`.
#[derive(Debug, Args)]
pub(crate) struct InfraArgs {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: InfraCommand,
}

/// `ktrdr infra …`.
#[derive(Debug, Subcommand)]
enum InfraCommand {
    /// Create what is missing and change what differs; it deletes nothing, and a second run changes
    /// nothing
    Apply(TopologyArgs),
    /// Show every difference between the server and what is declared; exit code 1 if there is one
    #[command(visible_alias = "diff")]
    Check(TopologyArgs),
    /// Make the keys of services and people, and the server's file with what each may do; a second
    /// run keeps the keys that there are
    Credentials(credentials::CredentialsArgs),
    /// Save what is on the bus into a folder; services may run meanwhile
    Backup(backup::BackupArgs),
    /// Bring an empty system to the state of a backup, while no service runs
    Restore(restore::RestoreArgs),
    /// Make a system again after the bus has lost everything, and say what the store holds and what
    /// is lost; it overwrites nothing
    Rebuild(rebuild::RebuildArgs),
}

/// What an installation may choose.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct TopologyArgs {
    /// Clocks of the whole system: test, dev or prod; without it those that the server has, on a
    /// new server dev
    #[arg(long)]
    profile: Option<Profile>,
    /// Copies of each message: 1 on one node, 3 in a cluster
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
    /// Size of the command queue in MiB; new operations are refused when it is full
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 256,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    commands_size: u32,
}

impl TopologyArgs {
    const fn options(self) -> TopologyOptions {
        TopologyOptions {
            commands_bytes_max: self.commands_size as i64 * 1024 * 1024,
            replicas: self.replicas as usize,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The server cannot be reached, or refuses the change.
pub(crate) async fn run(command: &InfraArgs, context: &Context) -> Result<Exit, Failure> {
    let args = match &command.command {
        InfraCommand::Apply(args) | InfraCommand::Check(args) => args,
        InfraCommand::Credentials(args) => return credentials::run(args, context),
        InfraCommand::Backup(args) => return backup::run(args, context).await,
        InfraCommand::Restore(args) => return restore::run(args, context).await,
        InfraCommand::Rebuild(args) => return rebuild::run(args, context).await,
    };

    // Whoever names no profile keeps that of the server: an upgrade must not change its clocks.
    let requested = args.profile.or(context.settings()?.bus.profile);
    let is_check = matches!(command.command, InfraCommand::Check(_));
    let bus = match is_check {
        true => context.bus_of_any_profile().await?,
        false => context.bus_of_infra().await?,
    };
    let profile = requested.unwrap_or(bus.profile());
    let topology = Topology::declare(profile, args.options());

    if !is_check {
        return apply(&bus, &topology, &context.output).await;
    }
    let drifts = bus.infra().differences(&topology).await?;
    Ok(show_drifts(
        &drifts,
        profile,
        &topology,
        requested,
        &context.output,
    ))
}

fn show_drifts(
    drifts: &[Drift],
    profile: Profile,
    topology: &Topology,
    requested: Option<Profile>,
    output: &Output,
) -> Exit {
    let drift: Vec<Value> = drifts.iter().map(drift_json).collect();
    output.json(&json!({"type": "infra", "profile": profile, "drift": drift}));
    for drift in drifts {
        output.line(&drift.to_string());
    }

    if drifts.is_empty() {
        output.line(&describe_topology(topology, profile));
        return Exit::Done;
    }

    // A profile is named only if the user named one: apply keeps that of the server.
    let apply = match requested {
        Some(profile) => format!("ktrdr infra apply --profile {profile}"),
        None => "ktrdr infra apply".to_owned(),
    };
    output.note(&format!(
        "hint: `{apply}` brings the server to what is declared"
    ));
    Exit::Failed
}

async fn apply(bus: &Bus, topology: &Topology, output: &Output) -> Result<Exit, Failure> {
    let Applied { created, changed } = bus.infra().apply(topology).await?;
    let changes: Vec<Value> = changed.iter().map(drift_json).collect();
    output.json(&json!({"type": "infra", "created": created, "changed": changes}));

    for name in &created {
        output.line(&format!("created {name}"));
    }
    for drift in &changed {
        output.line(&format!("changed: {drift}"));
    }
    if created.is_empty() && changed.is_empty() {
        output.line("nothing to do: everything is as declared");
    }

    // A running service has the clocks that the server had when it started.
    if changed.iter().any(|drift| drift.field == "profile") {
        output.note("note: services take the profile when they start; start those again that run");
    }
    Ok(Exit::Done)
}

fn describe_topology(topology: &Topology, profile: Profile) -> String {
    format!(
        "{} streams and buckets, {} consumers, profile {profile}: as declared",
        topology.streams.len(),
        topology.consumers.len()
    )
}

fn drift_json(drift: &Drift) -> Value {
    json!({
        "what": drift.what,
        "field": drift.field,
        "declared": drift.declared,
        "found": drift.found,
    })
}
