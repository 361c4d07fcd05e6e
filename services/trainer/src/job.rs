//! What is to be trained: the input of [`crate::train`].

use schemas::manifests::{Network, OutputKind};
use schemas::training::TrainingSettings;
use strategies::Decisions;

use crate::data::TrainingData;
use crate::engine::EngineKind;
use crate::random::initial_weights;
use crate::state::TrainState;
use crate::{ComputeDevice, TrainError};

/// Everything that decides what a training computes. Equal jobs give equal weights: in the
/// native engine on every machine, in libtorch on the CPU of one machine at an equal number of
/// threads.
#[derive(Clone, Copy, Debug)]
pub struct TrainJob<'a> {
    /// The rows to learn from and to measure on.
    pub data: &'a TrainingData,
    /// The network to fit.
    pub network: &'a Network,
    /// Loss, optimiser, batches, epochs and early stopping.
    pub settings: &'a TrainingSettings,
    /// Seed of initialisation, shuffling and dropout.
    pub seed: u64,
    /// Where it is computed.
    pub device: ComputeDevice,
    /// The program that computes it.
    pub engine: EngineKind,
    /// What the strategy makes of a prediction, for the analytics of each epoch; absent = decisions
    /// are not counted.
    pub decisions: Option<Decisions>,
}

impl TrainJob<'_> {
    /// The state before the first epoch.
    pub(crate) fn initial_state(&self) -> TrainState {
        let weights = initial_weights(self.network, self.seed);
        TrainState::new(weights, self.settings, self.seed)
    }

    /// Checks settings, network and data before anything is computed.
    ///
    /// # Errors
    /// The first thing that cannot be trained with; of the settings every one.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let mut problems = self.settings.problems();
        let architecture = &self.network.architecture;
        if !(0.0..1.0).contains(&architecture.dropout()) {
            problems.push("dropout must be at least 0 and below 1".to_owned());
        }
        if let OutputKind::Classes { names } = &self.network.output {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            problems.extend(self.settings.class_weights.problems(&names));
        }

        if !self.engine.can_train(architecture) {
            let name = architecture.name();
            problems.push(format!(
                "{} cannot train {name} yet: set training.engine to native",
                self.engine
            ));
        }
        if !problems.is_empty() {
            return Err(TrainError::Settings { problems });
        }

        // Each loss is defined for one kind of output only.
        let has_classes = matches!(self.network.output, OutputKind::Classes { .. });
        if self.settings.loss.is_for_classes() != has_classes {
            return Err(TrainError::Kinds);
        }

        self.data.check(self.network)
    }
}
