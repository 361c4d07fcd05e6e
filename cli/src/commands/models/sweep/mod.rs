//! `ktrdr train` with `--sweep`, `--seeds` or `--folds`: several trainings as one operation, and a
//! table of what they came to.

mod bundles;
mod duration;
mod edge;
mod grid;
mod results;
mod table;
mod trainings;

use bus::{Bus, OperationFilter};
use clap::Args;
use schemas::codes;
use schemas::ids::OperationId;
use schemas::operation::NewOperation;
use schemas::requests::Family;
use schemas::sweep::{MODEL, TRAININGS};

use super::train::TrainArgs;
use crate::arguments::{FamilyArgs, OperationArg};
use crate::console::{Exit, Failure, count_of};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use crate::watch::{new_id, start_family_as};
use duration::describe_duration;
use grid::SweptKey;
use trainings::{SweptTrainings, make_trainings};

/// Families among which the newest sweep is looked for.
const FAMILIES_READ: usize = 200;

/// Options that make several trainings of one command.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::commands::models) struct SweepArgs {
    /// Values of a key of the strategy, each in a training of its own; of several keys every
    /// combination is trained. As in training.learning_rate=1e-4,1e-3 or
    /// model.architecture.hidden_layers=[32],[64,32]; may be repeated
    #[arg(long, value_name = "KEY=VALUES", value_parser = SweptKey::parse)]
    pub(super) sweep: Vec<SweptKey>,
    /// Train every combination from this many seeds: the strategy's, or that of --seed, and those
    /// that follow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) seeds: Option<u16>,
    /// Train every combination on this many walk-forward folds, as `ktrdr strategies folds` lists
    /// them; overfitting can be estimated from 4, 6, … 16
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(2..=1_000),
        conflicts_with_all = ["validation_start", "validation_split"]
    )]
    pub(super) folds: Option<u16>,
    /// How many of the operations run at a time.
    #[command(flatten)]
    family: FamilyArgs,
}

impl SweepArgs {
    /// True if the command is one of several trainings.
    pub(super) fn is_several(&self) -> bool {
        !self.sweep.is_empty() || self.seeds.is_some() || self.folds.is_some()
    }

    /// Whether the first training that fails ends the others.
    fn is_fail_fast(&self) -> bool {
        self.family.fail_fast
    }

    /// Refuses options that have no meaning for one training.
    ///
    /// # Errors
    /// One of them was written.
    pub(super) fn refuse_family_options(&self) -> Result<(), Failure> {
        if self.family.limit.is_none() && !self.family.fail_fast {
            return Ok(());
        }
        let message = "--limit and --fail-fast are for several trainings, and this is one";
        Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
            .with_hint("take them out, or add --sweep, --seeds or --folds"))
    }
}

/// `ktrdr models sweep`.
#[derive(Clone, Debug, Args)]
pub(super) struct SweepTableArgs {
    /// The operation that `ktrdr train` started; without it the newest sweep
    #[arg(value_name = "OP")]
    operation: Option<OperationArg>,
}

/// Starts the trainings as one operation, and prints what they came to.
///
/// # Errors
/// The strategy or a combination is wrong, or the operation cannot be submitted or fails.
pub(super) async fn run(args: &TrainArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let trainings = make_trainings(args, context)?;
    output.note(&describe(&trainings));
    if args.run.dry_run {
        output.note(&describe_duration(&trainings, context).await);
    }

    let op = new_id(Family::KIND)?;
    let family = family_of(trainings, args);
    let ended = start_family_as(context, op.clone(), family, &args.run).await;
    if args.run.dry_run {
        return ended;
    }
    if args.run.detach {
        output.note(&format!("Results so far: ktrdr models sweep {op}"));
        return ended;
    }

    // A family with a failed training has results as well. What failed first is the error.
    let results = table::show(context, &op).await;
    let exit = ended?;
    results?.refuse_failed(&op).map(|()| exit)
}

/// The trainings of the command as they stand in a file of operations.
///
/// # Errors
/// As those of [`run`], before anything is submitted.
pub(super) fn make_operations(
    args: &TrainArgs,
    context: &Context,
) -> Result<Vec<NewOperation>, Failure> {
    let trainings = make_trainings(args, context)?;
    if trainings.load.is_some() {
        let message = "a sweep in a file of operations trains on bars as they are stored";
        return Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
            .with_hint("take out --data-mode, and load the bars in a stage before"));
    }

    let first = trainings.first.into_iter();
    Ok(first.chain(trainings.others).collect())
}

/// The trainings of the command as the one request of their family.
///
/// # Errors
/// As those of [`run`], before anything is submitted.
pub(super) fn make_request(args: &TrainArgs, context: &Context) -> Result<NewOperation, Failure> {
    let trainings = make_trainings(args, context)?;
    let mut family = family_of(trainings, args).operation();
    args.run.mark(&mut family);
    Ok(family)
}

/// Shows the table of a sweep.
///
/// # Errors
/// There is no such operation, or it is no sweep.
pub(super) async fn show(args: &SweepTableArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    let op = match &args.operation {
        None | Some(OperationArg::Last) => newest_sweep(&bus).await?,
        Some(operation) => find_operation(&bus, operation).await?,
    };
    table::show(context, &op).await?;
    Ok(Exit::Done)
}

async fn newest_sweep(bus: &Bus) -> Result<OperationId, Failure> {
    let families = OperationFilter {
        kind: Some(Family::KIND.to_owned()),
        without_children: true,
        ..OperationFilter::default()
    };
    let families = bus.operations().list(FAMILIES_READ, &families).await?;
    let sweep = families
        .into_iter()
        .find(|family| family.labels.contains_key(TRAININGS));
    sweep.map(|family| family.op).ok_or_else(no_sweep_yet)
}

fn no_sweep_yet() -> Failure {
    let message = "there is no sweep yet";
    Failure::new(Exit::NotFound, codes::OPS_NOT_FOUND, message)
        .with_hint("`ktrdr train STRATEGY --sweep KEY=VALUES` starts one")
}

/// Loads first, then the operations that make the data sets, then those that find them made.
fn family_of(trainings: SweptTrainings, args: &TrainArgs) -> Family {
    let labels = [
        ("strategy", trainings.strategy.clone()),
        (MODEL, trainings.model.clone()),
        (TRAININGS, trainings.count().to_string()),
    ];
    let load = trainings.load.into_iter().collect();
    let stages = [load, trainings.first, trainings.others];

    Family {
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
        stages: stages
            .into_iter()
            .filter(|stage| !stage.is_empty())
            .collect(),
        limit: args.sweep.family.children_at_once(),
        on_failure: args.sweep.family.on_failure(),
    }
}

/// `Strategy x: 4 combinations × 3 seeds × 4 folds = 48 trainings, versions of x-sweep-…`.
fn describe(trainings: &SweptTrainings) -> String {
    let factors = [
        (trainings.combinations, "combination"),
        (trainings.seeds, "seed"),
        (trainings.folds, "fold"),
    ];
    let factors = factors.map(|(count, noun)| count_of(count, noun));

    format!(
        "Strategy {}: {} = {}, versions of {}",
        trainings.strategy,
        factors.join(" × "),
        count_of(trainings.count(), "training"),
        trainings.model
    )
}
