//! A network with its weights, and its predictions.

use safetensors::SafeTensors;
use schemas::manifests::{Architecture, MemberPlace, Network, OutputKind};

use crate::learner::learner_of;
use crate::tsk::{Contribution, Tsk};
use crate::weights::NamedTensors;
use crate::{NetworkError, math};

/// Values that are gathered for one forward pass: 4 MiB. Windows overlap, so that all of them at
/// once would hold every row many times.
const CHUNK_VALUES: usize = 1 << 20;

/// A network that can predict. Cheap to share, costly to clone.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    /// All parameters, in file order.
    parameters: Vec<f32>,
    /// What scores are divided by before they become probabilities.
    temperature: Option<f64>,
}

impl Model {
    /// Reads the weights of `network` from the bytes of a `model.safetensors`.
    ///
    /// # Errors
    /// When the file is damaged, or a tensor is missing, unknown, of another shape or type, or not
    /// finite.
    pub fn from_safetensors(network: &Network, bytes: &[u8]) -> Result<Self, NetworkError> {
        let file = SafeTensors::deserialize(bytes).map_err(NetworkError::Unreadable)?;
        let mut tensors = NamedTensors::of(&file);

        // No room is made for what the manifest says before the file has it.
        let mut parameters = Vec::new();
        for spec in network.tensors() {
            parameters.extend(tensors.take(&spec)?);
        }

        tensors.check_empty()?;
        Ok(Self {
            network: network.clone(),
            parameters,
            temperature: None,
        })
    }

    /// The same network with the temperature that its artifact stores; a regression has none.
    #[must_use]
    pub fn with_temperature(self, temperature: Option<f64>) -> Self {
        Self {
            temperature,
            ..self
        }
    }

    /// What scores are divided by before they become probabilities; absent = nothing.
    pub const fn temperature(&self) -> Option<f64> {
        self.temperature
    }

    /// The network whose weights these are.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Every parameter tensor by its name, in file order.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &[f32])> {
        let mut rest = self.parameters.as_slice();
        let specs = self.network.tensors().into_iter();
        specs.map_while(move |spec| {
            let (values, others) = rest.split_at_checked(spec.count())?;
            rest = others;
            Some((spec.name, values))
        })
    }

    /// Raw scores `[outputs]` of one row `[features]`, or of one window `[length, features]`, its
    /// oldest row first: one per class, or the number itself for a regression.
    ///
    /// # Errors
    /// When the row has another width, a feature is NaN or infinite, or a score leaves the range of
    /// f32.
    pub fn scores(&self, features: &[f32]) -> Result<Vec<f32>, NetworkError> {
        self.check_row(features)?;
        // The forward pass that training has, too.
        let mut scores = Vec::new();
        learner_of(&self.network).score(&self.parameters, features, &mut scores);
        check_scores(&scores)?;
        Ok(scores)
    }

    fn check_row(&self, features: &[f32]) -> Result<(), NetworkError> {
        let expected = self.network.input_count();
        if features.len() != expected {
            return Err(NetworkError::RowWidth {
                expected,
                found: features.len(),
            });
        }

        // Rows before the end of the warm-up have undefined features: they are refused by name.
        for (column, &value) in self.network.features.iter().cycle().zip(features) {
            if !value.is_finite() {
                return Err(NetworkError::Feature {
                    name: column.name.clone(),
                    value,
                });
            }
        }
        Ok(())
    }

    /// Predictions of `rows`, or of windows, one vector for each: class probabilities that sum to
    /// 1, or one number for a regression.
    ///
    /// # Errors
    /// As [`Model::scores`], for any of the rows.
    pub fn predict<Row: AsRef<[f32]>>(&self, rows: &[Row]) -> Result<Vec<Vec<f32>>, NetworkError> {
        let mut learner = learner_of(&self.network);
        let mut inputs = Vec::new();
        let mut scores = Vec::new();
        let mut predictions = Vec::with_capacity(rows.len());

        let chunk = (CHUNK_VALUES / self.network.input_count().max(1)).max(1);
        for rows in rows.chunks(chunk) {
            inputs.clear();
            for row in rows {
                self.check_row(row.as_ref())?;
                inputs.extend_from_slice(row.as_ref());
            }
            learner.score(&self.parameters, &inputs, &mut scores);

            for scores in scores.chunks_exact(self.network.output.width().max(1)) {
                predictions.push(self.prediction_of(scores)?);
            }
        }
        Ok(predictions)
    }

    /// What raw scores mean: class probabilities, or the number.
    fn prediction_of(&self, scores: &[f32]) -> Result<Vec<f32>, NetworkError> {
        let mut values = scores.to_vec();
        if let Some(temperature) = self.temperature {
            math::divide_scores(&mut values, temperature);
        }
        check_scores(&values)?;

        if matches!(self.network.output, OutputKind::Classes { .. }) {
            math::softmax(&mut values);
        }
        Ok(values)
    }
}

impl Model {
    /// The rules that made the scores of one row `[features]`, strongest first; none for a network
    /// without rules.
    ///
    /// # Errors
    /// As [`Model::scores`].
    pub fn contributions(&self, features: &[f32]) -> Result<Vec<Contribution>, NetworkError> {
        self.check_row(features)?;
        let Architecture::Tsk(shape) = &self.network.architecture else {
            return Ok(Vec::new());
        };

        let mut network = Tsk::new(&shape.base, self.network.output.width());
        Ok(network.contributions(&self.parameters, features))
    }

    /// Where training has moved each member of the rule base, in units of its indicator, members
    /// in file order; none for a network without rules.
    pub fn learnt_members(&self) -> Vec<MemberPlace> {
        let Architecture::Tsk(shape) = &self.network.architecture else {
            return Vec::new();
        };

        // Centres come first in the file, then widths.
        let centres = self.parameters.iter();
        let widths = self.parameters.iter().skip(shape.base.member_count());
        let mut places = centres.zip(widths);
        let mut learnt = Vec::with_capacity(shape.base.member_count());
        for (input, column) in shape.base.inputs.iter().zip(&self.network.features) {
            for (centre, width) in places.by_ref().take(input.members.len()) {
                let place = MemberPlace {
                    centre: f64::from(*centre),
                    width: f64::from(*width),
                };
                learnt.push(place.unscaled_by(column));
            }
        }
        learnt
    }
}

/// Refuses scores beyond the range of f32.
fn check_scores(scores: &[f32]) -> Result<(), NetworkError> {
    match scores.iter().enumerate().find(|(_, it)| !it.is_finite()) {
        Some((position, &value)) => Err(NetworkError::Output { position, value }),
        None => Ok(()),
    }
}
