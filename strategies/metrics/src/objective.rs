//! What a training minimises: the loss of its settings, with all that follows from its data.

use schemas::manifests::{Network, OutputKind};
use schemas::training::{ClassWeights, Loss, TargetScale, TrainingSettings};

use crate::labels::Labels;

/// The criterion of one training, whatever engine computes it. Formulas are in the docs of
/// [`networks::losses`].
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The loss, in units of the labels.
    pub loss: Loss,
    /// Share of each label that is spread evenly over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// Weight of each class; empty for a regression.
    pub class_weights: Vec<f64>,
    /// By what labels and scores are divided before the loss is taken, above 0; 1 for classes.
    pub target_scale: f64,
}

impl Objective {
    /// The objective of a training with these labels in its training part; nothing may be learnt
    /// from the other parts.
    pub fn of(settings: &TrainingSettings, network: &Network, train: &Labels) -> Self {
        Self {
            loss: settings.loss,
            label_smoothing: settings.label_smoothing,
            class_weights: match &network.output {
                OutputKind::Classes { names } => weights_of(&settings.class_weights, names, train),
                OutputKind::Regression => Vec::new(),
            },
            target_scale: match settings.target_scale {
                TargetScale::None => 1.0,
                TargetScale::Std => spread_of(train),
            },
        }
    }

    /// A loss alone: no smoothing, every class with the same weight, labels as they are.
    pub fn plain(loss: Loss, classes: usize) -> Self {
        Self {
            loss,
            label_smoothing: 0.0,
            class_weights: vec![1.0; classes],
            target_scale: 1.0,
        }
    }

    /// The loss of labels that are divided by the scale.
    pub fn scaled_loss(&self) -> Loss {
        self.loss.of_labels_divided_by(self.target_scale)
    }

    /// Labels of a regression as they are learnt.
    pub fn scaled(&self, label: f32) -> f32 {
        (f64::from(label) / self.target_scale) as f32
    }

    /// Turns weights that give scaled scores into weights that give scores in units of the labels:
    /// the output layer, whose weight and bias are the last two tensors of every network, is
    /// multiplied by the scale.
    pub fn unscale(&self, network: &Network, weights: &mut [f32]) {
        if self.target_scale == 1.0 {
            return;
        }

        let output = network.tensors().into_iter().rev().take(2);
        let count: usize = output.map(|tensor| tensor.count()).sum();
        let start = weights.len().saturating_sub(count);
        for weight in weights.iter_mut().skip(start) {
            *weight = (f64::from(*weight) * self.target_scale) as f32;
        }
    }
}

/// The weight of each class in the order of `names`.
fn weights_of(setting: &ClassWeights, names: &[String], train: &Labels) -> Vec<f64> {
    match setting {
        ClassWeights::Balanced => crate::class_weights(&train.counts(names.len())),
        ClassWeights::None => vec![1.0; names.len()],

        // A class without a weight has been refused by the check of the job.
        ClassWeights::ByName(weights) => {
            let weight_of = |name| weights.get(name).copied().unwrap_or(f64::NAN);
            names.iter().map(weight_of).collect()
        }
    }
}

/// The standard deviation of the labels of a regression, √(Σ(r − mean)² / rows); 1 for classes and
/// where all labels are equal, which leaves nothing to scale.
fn spread_of(labels: &Labels) -> f64 {
    let Labels::Returns(labels) = labels else {
        return 1.0;
    };
    let rows = labels.len() as f64;
    let values = || labels.iter().map(|&label| f64::from(label));

    let mean = values().sum::<f64>() / rows;
    let squares = values().map(|label| (label - mean) * (label - mean));
    let spread = (squares.sum::<f64>() / rows).sqrt();
    if spread > 0.0 { spread } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use schemas::manifests::{Activation, Architecture, MlpShape};

    use super::*;

    fn network(output: OutputKind) -> Network {
        Network {
            architecture: Architecture::Mlp(MlpShape {
                hidden_layers: vec![1],
                activation: Activation::Tanh,
                dropout: 0.0,
            }),
            features: Vec::new(),
            output,
        }
    }

    fn classes() -> Network {
        network(OutputKind::Classes {
            names: ["BUY", "SELL"].map(str::to_owned).to_vec(),
        })
    }

    fn weights_for(class_weights: ClassWeights) -> Vec<f64> {
        let settings = TrainingSettings {
            class_weights,
            ..TrainingSettings::for_classes()
        };
        let labels = Labels::Classes(vec![0, 0, 0, 1]);
        Objective::of(&settings, &classes(), &labels).class_weights
    }

    #[test]
    fn class_weights_are_those_of_the_settings() {
        // 1/3 and 1, of a sum of 4/3, times 2 classes.
        assert_eq!(weights_for(ClassWeights::Balanced), [0.5, 1.5]);
        assert_eq!(weights_for(ClassWeights::None), [1.0, 1.0]);

        let by_name = [("SELL", 3.0), ("BUY", 2.0)];
        let by_name = by_name.map(|entry| (entry.0.to_owned(), entry.1));
        assert_eq!(
            weights_for(ClassWeights::ByName(by_name.into())),
            [2.0, 3.0]
        );
    }

    #[test]
    fn a_scale_is_the_spread_of_the_training_labels() {
        let settings = TrainingSettings {
            loss: Loss::Huber { delta: 0.01 },
            target_scale: TargetScale::Std,
            ..TrainingSettings::for_regression()
        };
        // A mean of 2, squares of 1, 1, 1 and 1.
        let labels = Labels::Returns([1.0, 3.0, 1.0, 3.0].map(|label| label / 64.0).to_vec());
        let objective = Objective::of(&settings, &network(OutputKind::Regression), &labels);

        assert_eq!(objective.target_scale, 1.0 / 64.0);
        assert_eq!(objective.scaled(0.5), 32.0);
        assert_eq!(objective.scaled_loss(), Loss::Huber { delta: 0.64 });
    }

    #[test]
    fn labels_that_are_all_equal_are_not_scaled() {
        let settings = TrainingSettings {
            target_scale: TargetScale::Std,
            ..TrainingSettings::for_regression()
        };
        let labels = Labels::Returns(vec![0.25; 3]);
        let objective = Objective::of(&settings, &network(OutputKind::Regression), &labels);
        assert_eq!(objective.target_scale, 1.0);
    }

    #[test]
    fn only_the_output_layer_takes_the_scale_back() {
        let objective = Objective {
            target_scale: 0.5,
            ..Objective::plain(Loss::Mse, 0)
        };
        let mut network = network(OutputKind::Regression);
        network.features.push(schemas::manifests::FeatureColumn {
            name: "f".to_owned(),
            normalisation: None,
        });

        // Weight and bias of the hidden layer, then those of the output.
        let mut weights = [8.0, 4.0, 6.0, 2.0];
        objective.unscale(&network, &mut weights);
        assert_eq!(weights, [8.0, 4.0, 3.0, 1.0]);
    }
}
