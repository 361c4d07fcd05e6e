//! `ktrdr infra rebuild`: a system again after the bus has lost everything.
//!
//! Bars, data sets, models, versions and aliases are in the object store and nowhere else, so
//! they are read through, not copied. What was on the bus only is named.

use std::collections::BTreeSet;

use bus::Bus;
use bus::topology::Topology;
use clap::Args;
use schemas::ids::OperationId;
use serde_json::json;
use store::Store;

use super::TopologyArgs;
use crate::console::{Exit, Failure, Output, count_of, print_pairs};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

/// What only a backup brings back.
const ON_THE_BUS_ONLY: &str = "operations, events, dead letters, schedules, cancel requests, \
                               durations of steps and limits of providers";

/// `ktrdr infra rebuild`.
#[derive(Debug, Args)]
pub(super) struct RebuildArgs {
    /// Read the store and compare the server, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    topology: TopologyArgs,
}

/// What the store holds, every manifest read.
#[derive(Default)]
struct Inventory {
    series: usize,
    data_sets: usize,
    models: usize,
    versions: usize,
    aliases: usize,
    /// Series whose newest manifest is gone and whose copy was read.
    losses: Vec<String>,
    /// Operations with checkpoints and without a record.
    lost_operations: BTreeSet<OperationId>,
}

/// Makes the streams that are missing, and says what there is and what is lost.
///
/// # Errors
/// The store cannot be read, or the server cannot be reached or refuses the change.
pub(super) async fn run(args: &RebuildArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let bus = context.bus_of_infra().await?;
    let requested = args.topology.profile.or(context.settings()?.bus.profile);
    let profile = requested.unwrap_or(bus.profile());
    let topology = Topology::declare(profile, args.topology.options());

    // The store is read before anything is made: one that is damaged changes nothing.
    let mut inventory = read_inventory(&store).await?;
    let created = make_missing(&bus, &topology, args.dry_run).await?;
    find_lost_operations(&mut inventory, &bus, &store, &created).await?;
    show(&inventory, &created, args.dry_run, &context.output);
    Ok(Exit::Done)
}

async fn read_inventory(store: &Store) -> Result<Inventory, Failure> {
    let series = store.series().list().await?;
    let versions = store.models().list().await?;
    let models: BTreeSet<&str> = versions.iter().map(|model| model.name.as_str()).collect();
    let aliases = store.models().newest_aliases().await?;

    Ok(Inventory {
        series: series.len(),
        data_sets: store.data_sets().count().await?,
        models: models.len(),
        versions: versions.len(),
        aliases: aliases
            .iter()
            .filter(|alias| alias.version.is_some())
            .count(),
        losses: series
            .iter()
            .filter_map(store::SeriesSnapshot::describe_loss)
            .collect(),
        lost_operations: BTreeSet::new(),
    })
}

/// The streams, buckets and consumers that are missing; made unless this is a dry run.
async fn make_missing(
    bus: &Bus,
    topology: &Topology,
    is_dry: bool,
) -> Result<Vec<String>, Failure> {
    if !is_dry {
        return Ok(bus.infra().apply(topology).await?.created);
    }
    let drifts = bus.infra().differences(topology).await?;
    let missing = drifts.into_iter().filter(|drift| drift.field.is_empty());
    Ok(missing.map(|drift| drift.what).collect())
}

async fn find_lost_operations(
    inventory: &mut Inventory,
    bus: &Bus,
    store: &Store,
    created: &[String],
) -> Result<(), Failure> {
    let checkpoints = store.checkpoints().list_all().await?;
    let with_checkpoints = checkpoints.into_iter().map(|stored| stored.key.operation);
    let mut lost: BTreeSet<OperationId> = with_checkpoints.collect();

    // On a server without the bucket there is no record to ask for.
    let is_without_records = created
        .iter()
        .any(|name| name.ends_with("ktrdr_operations"));
    if !is_without_records {
        for op in bus.operations().ids().await? {
            lost.remove(&op);
        }
    }
    inventory.lost_operations = lost;
    Ok(())
}

fn show(inventory: &Inventory, created: &[String], is_dry: bool, output: &Output) {
    output.json(&json!({
        "type": "rebuild",
        "dry_run": is_dry,
        "created": created,
        "series": inventory.series,
        "data_sets": inventory.data_sets,
        "models": inventory.models,
        "versions": inventory.versions,
        "aliases": inventory.aliases,
        "losses": inventory.losses,
        "lost_operations": inventory.lost_operations,
    }));
    let made = match is_dry {
        true => "missing on the bus",
        false => "made on the bus",
    };
    let pair = |name: &str, count: usize| (name.to_owned(), count.to_string());
    print_pairs(
        output,
        &[
            pair(made, created.len()),
            pair("series", inventory.series),
            pair("data sets", inventory.data_sets),
            pair("models", inventory.models),
            pair("versions", inventory.versions),
            pair("aliases", inventory.aliases),
        ],
    );

    for loss in &inventory.losses {
        output.line(&format!("warning: {loss}"));
    }
    if !created.is_empty() {
        output.line(&format!("not in the store: {ON_THE_BUS_ONLY}"));
        output.note("hint: `ktrdr infra restore FOLDER` brings them back from a backup");
    }
    let lost = &inventory.lost_operations;
    if !lost.is_empty() {
        let count = count_of(lost.len(), "operation");
        output.line(&format!("{count} with checkpoints but without a record:"));
        lost.iter().for_each(|op| output.line(&format!("  {op}")));
        output.note("hint: submit them again, then `ktrdr checkpoints prune` removes the rest");
    }
}
