//! What computes a training: the steps of the optimiser, the scores of a part, and the state that a
//! checkpoint keeps. The loop around it is [`crate::session`].

mod blocks;
#[cfg(feature = "libtorch")]
mod libtorch;
mod native;
#[cfg(test)]
pub(crate) mod small_memory;

use std::fmt;
use std::ops::Range;

use schemas::manifests::Architecture;
use schemas::training::Engine as EngineSetting;
use strategies::splits::Part;

use crate::TrainError;
use crate::analytics::GradientNorms;
use crate::device::ComputeDevice;
use crate::job::TrainJob;
use crate::objective::Objective;
use crate::random::Dropout;
use crate::state::TrainState;

/// The libtorch that `infra/setup` fetches and `tch` binds to.
pub(crate) const LIBTORCH_VERSION: &str = "2.13.0";

/// The two programs that can compute a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Plain Rust on the CPU: the same bits on every machine, at any number of threads.
    Native,
    /// libtorch, on the CPU or a GPU.
    Libtorch,
}

impl EngineKind {
    /// The engine that `setting` means for `architecture` on `device`: `auto` is plain Rust on the
    /// CPU, and libtorch on a GPU for what libtorch can train.
    pub const fn choose(
        setting: EngineSetting,
        architecture: &Architecture,
        device: ComputeDevice,
    ) -> Self {
        match (setting, device) {
            (EngineSetting::Native, _) | (EngineSetting::Auto, ComputeDevice::Cpu) => Self::Native,
            (EngineSetting::Auto, _) if !Self::Libtorch.can_train(architecture) => Self::Native,
            (EngineSetting::Libtorch, _) | (EngineSetting::Auto, ComputeDevice::Cuda(_)) => {
                Self::Libtorch
            }
        }
    }

    /// Whether this engine has the layers of `architecture`.
    pub const fn can_train(self, architecture: &Architecture) -> bool {
        match self {
            Self::Native => true,
            Self::Libtorch => !matches!(architecture, Architecture::Tsk(_)),
        }
    }

    /// The device that this engine computes on, in a trainer that has `device`.
    pub const fn device_of(self, device: ComputeDevice) -> ComputeDevice {
        match self {
            Self::Native => ComputeDevice::Cpu,
            Self::Libtorch => device,
        }
    }

    /// The engine with the version that decides about its bits, as lineages record it.
    pub fn version(self) -> String {
        match self {
            Self::Native => format!("native {}", networks::NUMERICS_VERSION),
            Self::Libtorch => format!("libtorch {LIBTORCH_VERSION}"),
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Libtorch => "libtorch",
        })
    }
}

/// Why an engine did not compute what it was asked to: libtorch refused, usually for lack of
/// memory. The native engine never fails.
pub type EngineError = Box<dyn std::error::Error + Send + Sync>;

/// What an epoch needs before its first batch.
pub(crate) struct EpochPlan {
    /// Rows of the training part in the order in which they are learnt from.
    pub(crate) rows_in_order: Vec<i64>,
    /// Masks of the epoch; absent when nothing is dropped.
    pub(crate) dropout: Option<Dropout>,
    /// Step size of the optimiser, above 0.
    pub(crate) learning_rate: f64,
}

/// Sums over the batches of an epoch so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EpochSums {
    /// Sum over batches of the criterion times the rows of the batch.
    pub(crate) loss: f64,
    /// Rows whose class or sign is right.
    pub(crate) right: u64,
}

/// A network on a device with its optimiser and its data.
pub(crate) trait Engine {
    /// Takes over the order of the rows and sets the sums to zero.
    fn begin_epoch(&mut self, plan: EpochPlan) -> Result<(), EngineError>;

    /// One step of the optimiser on these positions of the order. A step that takes long asks
    /// `is_cancelled` on its way; false if that said so, and the step was not made.
    fn train_batch(
        &mut self,
        positions: Range<usize>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<bool, EngineError>;

    /// The sums of the epoch so far. On a GPU this waits for the device.
    fn read_sums(&mut self) -> Result<EpochSums, EngineError>;

    /// The norms of the epoch so far; without batches unless the settings ask for analytics.
    fn gradient_norms(&self) -> Result<GradientNorms, EngineError>;

    /// Appends the raw scores of these rows of `part`, `[rows, outputs]`, without dropout.
    fn score_rows(
        &mut self,
        part: Part,
        rows: Range<usize>,
        scores: &mut Vec<f32>,
    ) -> Result<(), EngineError>;

    /// Replaces the weights, flat, in file order.
    fn load_weights(&mut self, weights: &[f32]) -> Result<(), EngineError>;

    /// Copies weights, moments and the number of steps to `state`.
    fn copy_state_to(&self, state: &mut TrainState) -> Result<(), EngineError>;
}

/// The engine of `job` with the weights and moments of `state`; in tests of this crate one whose
/// memory may be small.
///
/// # Errors
/// The program was built without libtorch and the job asks for it, or libtorch refuses.
#[cfg(test)]
pub(crate) fn open_engine<'a>(
    job: &'a TrainJob<'a>,
    objective: &Objective,
    state: &TrainState,
) -> Result<Box<dyn Engine + 'a>, TrainError> {
    let engine = open_real_engine(job, objective, state)?;
    Ok(Box::new(small_memory::SmallMemory::around(engine)))
}

#[cfg(not(test))]
pub(crate) use open_real_engine as open_engine;

/// The engine of `job` with the weights and moments of `state`.
///
/// # Errors
/// The program was built without libtorch and the job asks for it, or libtorch refuses.
pub(crate) fn open_real_engine<'a>(
    job: &'a TrainJob<'a>,
    objective: &Objective,
    state: &TrainState,
) -> Result<Box<dyn Engine + 'a>, TrainError> {
    match job.engine {
        EngineKind::Native => Ok(Box::new(native::NativeEngine::new(job, objective, state))),

        #[cfg(feature = "libtorch")]
        EngineKind::Libtorch => {
            let engine = libtorch::LibtorchEngine::new(job, objective, state);
            let engine = engine.map_err(|error| TrainError::Libtorch(error.into()))?;
            Ok(Box::new(engine))
        }
        #[cfg(not(feature = "libtorch"))]
        EngineKind::Libtorch => Err(TrainError::WithoutLibtorch),
    }
}

/// GPUs that libtorch can use on this host; none in a program that was built without it.
pub(crate) fn count_gpus() -> usize {
    #[cfg(feature = "libtorch")]
    return libtorch::count_gpus();
    #[cfg(not(feature = "libtorch"))]
    return 0;
}

#[cfg(test)]
mod tests {
    use schemas::manifests::{Activation, MlpShape, RuleBase, RuleSource, TskShape};

    use super::*;

    fn mlp() -> Architecture {
        Architecture::Mlp(MlpShape {
            hidden_layers: vec![4],
            activation: Activation::Relu,
            dropout: 0.0,
        })
    }

    #[test]
    fn the_recorded_libtorch_is_the_one_that_is_set_up() {
        let setup = include_str!("../../../../infra/setup");
        assert!(setup.contains(&format!("TORCH_VERSION={LIBTORCH_VERSION}\n")));
    }

    #[test]
    fn auto_is_plain_rust_on_a_cpu_and_libtorch_on_a_gpu() {
        let auto_on = |device| EngineKind::choose(EngineSetting::Auto, &mlp(), device);
        assert_eq!(auto_on(ComputeDevice::Cpu), EngineKind::Native);
        assert_eq!(auto_on(ComputeDevice::Cuda(1)), EngineKind::Libtorch);
    }

    #[test]
    fn auto_leaves_to_plain_rust_what_libtorch_lacks() {
        let rules = Architecture::Tsk(TskShape {
            from: RuleSource::Data,
            rules_max: 1,
            prune_below: 0.0,
            pruned_rules: 0,
            base: RuleBase::default(),
        });
        let engine = EngineKind::choose(EngineSetting::Auto, &rules, ComputeDevice::Cuda(0));
        assert_eq!(engine, EngineKind::Native);
    }

    #[test]
    fn plain_rust_computes_on_the_cpu_of_a_trainer_with_a_gpu() {
        let gpu = ComputeDevice::Cuda(1);
        let engine = EngineKind::choose(EngineSetting::Native, &mlp(), gpu);
        assert_eq!(engine, EngineKind::Native);
        assert_eq!(engine.device_of(gpu), ComputeDevice::Cpu);
        assert_eq!(EngineKind::Libtorch.device_of(gpu), gpu);
    }
}
