//! Trains a network: epoch after epoch until the last one or early stopping, then the metrics of
//! the best weights.
//!
//! Invariants:
//! - the training matrix stays on the device; a batch is gathered there by index;
//! - between two batches there are one load of a flag and, every tenth batch, one reading of the
//!   running sums: no wait on the CPU, no lock;
//! - the state changes only at the end of an epoch whose losses are finite, so it is always the
//!   last good one;
//! - an interrupted and resumed training ends with the same bits as an uninterrupted one: in the
//!   native engine anywhere, in libtorch on one CPU at one number of threads.

use std::collections::BTreeMap;
use std::time::Duration;

use networks::tsk::prune_network;
use schemas::analytics::EpochAnalytics;
use schemas::manifests::Network;
use schemas::metrics::KindMetrics;
use schemas::training::{BatchHalving, TrainingEnd};
use strategies::splits::Part;

use crate::control::Control;
use crate::job::TrainJob;
use crate::metrics::PartMetrics;
use crate::objective::Objective;
use crate::session::{EpochStop, Session, WeightFigures};
use crate::state::TrainState;
use crate::{EpochRow, TrainError};

/// Epochs after which a checkpoint is due.
pub const CHECKPOINT_EPOCHS: u32 = 10;
/// Time after which a checkpoint is due at the end of the epoch.
pub const CHECKPOINT_AGE: Duration = Duration::from_secs(300);

/// How many times the error of the simplest rival the error on validation may be. Beyond it the
/// training has diverged without a number that is infinite.
const HOPELESS: f64 = 100.0;

/// A finished training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The network of the job, without the rules that hardly fire after training.
    pub network: Network,
    /// Weights of the epoch with the lowest validation loss, flat, in file order. Their scores are
    /// in units of the labels, whatever the scale of the training.
    pub weights: Vec<f32>,
    /// The epoch of these weights, from 1.
    pub best_epoch: u32,
    /// Every epoch, in order.
    pub history: Vec<EpochRow>,
    /// Why the run ended.
    pub ending: TrainingEnd,
    /// Rows of a batch in the settings.
    pub asked_batch_size: u32,
    /// Where the batches became smaller for lack of memory, in order.
    pub halvings: Vec<BatchHalving>,
    /// Every epoch in detail; empty unless the settings ask for it.
    pub analytics: Vec<EpochAnalytics>,
    /// Metrics of the best weights by part: `train`, `validation`, `test`.
    pub metrics: BTreeMap<String, PartMetrics>,
    /// What their scores are divided by before they become probabilities; absent = nothing.
    pub temperature: Option<f64>,
    /// What was minimised.
    pub objective: Objective,
    /// `cpu` or `cuda:0`.
    pub device: String,
}

/// Trains from the beginning, or from the state of a checkpoint.
///
/// # Errors
/// When settings, data or checkpoint do not fit the network, the loss diverges, libtorch refuses,
/// or `control` cancels. A training that diverged or was cancelled leaves its last good state in
/// the error.
pub fn train(
    job: &TrainJob<'_>,
    control: &dyn Control,
    resume: Option<TrainState>,
) -> Result<Trained, TrainError> {
    job.check()?;
    let mut state = match resume {
        Some(state) => {
            state.check(job.network, job.settings, job.seed)?;
            state
        }
        None => job.initial_state(),
    };

    let mut session = Session::new(job, control, &state)?;
    let mut checkpoints = CheckpointClock::start(state.progress.epoch, control.elapsed());
    while !state.is_finished() {
        match session.run_epoch(state.progress.epoch + 1) {
            Ok(row) => {
                session
                    .copy_state_to(&mut state)
                    .map_err(TrainError::Libtorch)?;
                let analytics = session.take_analytics(&state.weights);
                state.progress.analytics.extend(analytics);
                control.epoch(&row);
                state.finish_epoch(row);
            }
            Err(stop) => {
                session = go_on_with_less(stop, job, control, session, &mut state)?;
                continue;
            }
        }

        // The last state is stored, too: publishing may be interrupted.
        if checkpoints.is_due(&state, control.elapsed()) || state.is_finished() {
            control.checkpoint(state.clone());
            checkpoints = CheckpointClock::start(state.progress.epoch, control.elapsed());
        }
    }

    finish(job, control, session, state)
}

/// A session with half the batch, after an epoch that ran out of memory; the error of the training
/// where something else has stopped it, or halving has not helped.
fn go_on_with_less<'a>(
    stop: EpochStop,
    job: &'a TrainJob<'a>,
    control: &'a dyn Control,
    session: Session<'a>,
    state: &mut TrainState,
) -> Result<Session<'a>, TrainError> {
    let halving = match stop {
        EpochStop::OutOfMemory(_) => state.halve_batches(),
        _ => None,
    };
    let Some(halving) = halving else {
        return Err(stop.with_last_state(state.clone()));
    };

    // The next engine needs the memory of this one.
    drop(session);
    control.halved(halving);
    // A resume must halve in the same epoch, whatever memory it finds.
    control.checkpoint(state.clone());
    Session::new(job, control, state)
}

/// What a training whose last epoch has ended leaves.
fn finish(
    job: &TrainJob<'_>,
    control: &dyn Control,
    mut session: Session<'_>,
    state: TrainState,
) -> Result<Trained, TrainError> {
    let objective = session.objective.clone();
    let (network, weights) = finish_network(job, &objective, &state);
    let job_pruned = TrainJob {
        network: &network,
        ..*job
    };

    // A pruned network has other tensors than the one that the engine holds.
    let figures = if network == *job.network {
        session.measure_weights(&weights)
    } else {
        measure_pruned(&job_pruned, control, &weights)
    };
    let figures = figures.and_then(refuse_hopeless);
    match figures {
        Ok(figures) => Ok(Trained {
            network,
            best_epoch: state.progress.best_epoch,
            ending: state.ending(),
            asked_batch_size: job.settings.batch_size,
            halvings: state.progress.halvings,
            analytics: state.progress.analytics,
            metrics: figures.parts,
            temperature: figures.temperature,
            objective,
            device: job.device.to_string(),
            weights,
            history: state.progress.history,
        }),
        Err(stop) => Err(stop.with_last_state(state)),
    }
}

/// Refuses weights of which nobody could use anything, although every number is finite.
fn refuse_hopeless(figures: WeightFigures) -> Result<WeightFigures, EpochStop> {
    let Some(validation) = figures.parts.get(Part::Validation.name()) else {
        return Ok(figures);
    };
    let error = match &validation.kind {
        KindMetrics::Regression(metrics) => metrics.mae,
        KindMetrics::Classes(_) => validation.loss,
    };
    let rival = match &validation.kind {
        KindMetrics::Regression(metrics) => Some(metrics.baseline_mae),
        KindMetrics::Classes(metrics) => metrics.skill.as_ref().map(|skill| skill.prior_loss),
    };

    // A rival without an error has labels that never change.
    match rival.filter(|rival| *rival > 0.0) {
        Some(rival) if error > HOPELESS * rival => Err(EpochStop::Hopeless { error, rival }),
        _ => Ok(figures),
    }
}

/// The network that is stored, with the best weights: its scores are in units of the labels, and
/// rules that hardly fire are gone.
fn finish_network(
    job: &TrainJob<'_>,
    objective: &Objective,
    state: &TrainState,
) -> (Network, Vec<f32>) {
    let mut weights = state.best_weights.clone();
    objective.unscale(job.network, &mut weights);

    let pruned = prune_network(job.network, &weights, &job.data.train.features);
    pruned.unwrap_or_else(|| (job.network.clone(), weights))
}

/// Figures of a pruned network: it has other tensors than the one that was fitted.
fn measure_pruned(
    job: &TrainJob<'_>,
    control: &dyn Control,
    weights: &[f32],
) -> Result<WeightFigures, EpochStop> {
    let state = TrainState::new(weights.to_vec(), job.settings, job.seed);
    let session = Session::new(job, control, &state);

    let mut session = session.map_err(|error| EpochStop::Engine(error.into()))?;
    session.measure_weights(weights)
}

/// When the last checkpoint was handed over.
struct CheckpointClock {
    epoch: u32,
    at: Duration,
}

impl CheckpointClock {
    fn start(epoch: u32, at: Duration) -> Self {
        Self { epoch, at }
    }

    /// True after [`CHECKPOINT_EPOCHS`] or [`CHECKPOINT_AGE`], whichever comes first.
    fn is_due(&self, state: &TrainState, now: Duration) -> bool {
        state.progress.epoch - self.epoch >= CHECKPOINT_EPOCHS || now - self.at >= CHECKPOINT_AGE
    }
}
