//! A registered network on rows that it was not chosen by: the figures that a trainer takes of the
//! test part, by the same code.

use metrics::{Baseline, Labels, Objective, RowOrigins, Scored, decisions_of};
use networks::{Model, learner_of, math};
use schemas::decision_report::PartDecisions;
use schemas::manifests::{Network, OutputKind};
use schemas::metrics::{GroupMetrics, PartMetrics, Uncertainty};
use schemas::names::MODEL_FILE;
use store::{Artifact, DataSetTable};
use strategies::Resolved;
use strategies::windows::{RowBar, Windows};

use crate::RegistryError;

/// Values that are gathered for one forward pass: 4 MiB.
const CHUNK_VALUES: usize = 1 << 20;
/// The code of the training part in a table.
const TRAIN: u8 = 0;

/// The figures of a candidate on some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredRows {
    /// Figures of one pass.
    pub figures: PartMetrics,
    /// How far they would differ on other rows.
    pub uncertainty: Option<Uncertainty>,
    /// The rows by symbol and by month.
    pub groups: Vec<GroupMetrics>,
    /// What the strategy decides.
    pub decisions: PartDecisions,
}

/// A candidate that is ready to be measured: its weights fit, and the rows that it was trained on
/// are read.
#[derive(Debug)]
pub struct Candidate {
    model: Model,
    resolved: Resolved,
    /// Labels of the training part.
    train: Labels,
}

impl Candidate {
    /// The candidate of an artifact whose data set is `open`.
    ///
    /// # Errors
    /// The artifact lacks its weights, they do not fit, or the columns are others.
    pub fn new(artifact: &Artifact, open: &DataSetTable) -> Result<Self, RegistryError> {
        let manifest = &artifact.manifest;
        let weights = artifact.files.get(MODEL_FILE);
        let weights = weights.ok_or(RegistryError::FileMissing { file: MODEL_FILE })?;
        let model = Model::from_safetensors(&manifest.network, weights);
        let model = model.map_err(RegistryError::Load)?;

        let mut resolved = Resolved::from_lineage(&manifest.lineage, &manifest.network.features)
            .map_err(RegistryError::Strategy)?;
        resolved.decisions = resolved
            .decisions
            .with_chosen(manifest.confidence_threshold);

        check_columns(&manifest.network, open)?;
        let train = Samples::of(&manifest.network, open, TRAIN)?.labels(&manifest.network, open)?;
        Ok(Self {
            model: model.with_temperature(manifest.temperature),
            resolved,
            train,
        })
    }

    /// Its figures on the rows of `table` whose part is `code`.
    ///
    /// # Errors
    /// The columns are others than the network's, or no sample is left.
    pub fn measure(&self, table: &DataSetTable, code: u8) -> Result<MeasuredRows, RegistryError> {
        let network = self.model.network();
        check_columns(network, table)?;
        let samples = Samples::of(network, table, code)?;
        let labels = samples.labels(network, table)?;
        let scores = self.scores_of(&samples, table);

        let objective = Objective::of(&self.resolved.settings, network, &self.train);
        let baseline = Baseline::of(&self.train, class_names(network).len());
        let scored = Scored {
            scores: &scores,
            labels: &labels,
            objective: &objective,
        };

        // Once the rows are open nothing may leave a figure out, so there is no way to stop.
        let uncertainty = scored.uncertainty(&baseline, self.resolved.seed, &|| false);
        Ok(MeasuredRows {
            figures: scored.metrics(class_names(network), &baseline),
            uncertainty,
            groups: scored.groups(&baseline, &samples.origins(table)),
            decisions: decisions_of(&scored, self.resolved.decisions),
        })
    }

    /// Scores of the samples, `[samples, outputs]`, as the model divides them.
    fn scores_of(&self, samples: &Samples, table: &DataSetTable) -> Vec<f32> {
        let network = self.model.network();
        let weights: Vec<f32> = self
            .model
            .tensors()
            .flat_map(|tensor| tensor.1.to_vec())
            .collect();
        let mut learner = learner_of(network);
        let chunk = (CHUNK_VALUES / network.input_count().max(1)).max(1);

        let mut all = Vec::new();
        let mut inputs = Vec::new();
        let mut scores = Vec::new();
        for last_rows in samples.last_rows.chunks(chunk) {
            inputs.clear();
            for last in last_rows {
                samples.gather(*last, table, &mut inputs);
            }
            learner.score(&weights, &inputs, &mut scores);
            all.extend_from_slice(&scores);
        }

        if let Some(temperature) = self.model.temperature() {
            math::divide_scores(&mut all, temperature);
        }
        all
    }
}

/// The samples among the rows of a part: rows, or windows of consecutive ones.
struct Samples {
    /// Positions of the rows of the part in its table.
    rows: Vec<usize>,
    /// Rows of a sample.
    length: usize,
    /// The last row of each sample, as its position in `rows`.
    last_rows: Vec<usize>,
}

impl Samples {
    fn of(network: &Network, table: &DataSetTable, code: u8) -> Result<Self, RegistryError> {
        let parts = table.part.iter().enumerate();
        let rows: Vec<usize> = parts
            .filter(|(_, part)| **part == code)
            .map(|(row, _)| row)
            .collect();

        let length = network.architecture.sequence_length();
        let last_rows = if length == 1 {
            (0..rows.len()).collect()
        } else {
            windows_of(table, &rows, length)?
        };
        if last_rows.is_empty() {
            let reason = format!("none of the {} rows ends a sample of {length}", rows.len());
            return Err(RegistryError::Rows { reason });
        }
        Ok(Self {
            rows,
            length,
            last_rows,
        })
    }

    /// The cell of a column for each sample.
    fn cells<T: Copy>(&self, column: &[T]) -> Vec<T> {
        let rows = self
            .last_rows
            .iter()
            .filter_map(|last| self.rows.get(*last));
        rows.filter_map(|row| column.get(*row)).copied().collect()
    }

    fn labels(&self, network: &Network, table: &DataSetTable) -> Result<Labels, RegistryError> {
        let labels = self.cells(&table.label);
        if network.output == OutputKind::Regression {
            return Ok(Labels::Returns(labels));
        }

        let classes = class_names(network).len() as f32;
        let is_class = |label: &f32| label.fract() == 0.0 && (0.0..classes).contains(label);
        match labels.iter().find(|label| !is_class(label)) {
            None => Ok(Labels::Classes(
                labels.iter().map(|label| *label as i64).collect(),
            )),
            Some(label) => {
                let reason = format!("the label {label} is none of the classes");
                Err(RegistryError::Rows { reason })
            }
        }
    }

    fn origins(&self, table: &DataSetTable) -> RowOrigins {
        RowOrigins {
            symbols: table.symbols.clone(),
            symbol: self.cells(&table.symbol),
            known_at: self.cells(&table.known_at),
        }
    }

    /// Appends the values of the sample that ends in `last`, oldest row first.
    fn gather(&self, last: usize, table: &DataSetTable, inputs: &mut Vec<f32>) {
        let first = (last + 1).saturating_sub(self.length);
        for row in self.rows.get(first..=last).unwrap_or_default() {
            let cells = table.features.iter().filter_map(|column| column.get(*row));
            inputs.extend(cells);
        }
    }
}

/// Where windows of rows end.
fn windows_of(
    table: &DataSetTable,
    rows: &[usize],
    length: usize,
) -> Result<Vec<usize>, RegistryError> {
    let bars = table.bar.as_ref().ok_or_else(|| RegistryError::Rows {
        reason: "they do not say which bars they are".to_owned(),
    })?;

    let bars_of_rows = rows.iter().filter_map(|row| {
        let symbol = *table.symbol.get(*row)?;
        let bar = *bars.get(*row)?;
        Some(RowBar { symbol, bar })
    });
    Ok(Windows::find(bars_of_rows, length).last_rows)
}

fn class_names(network: &Network) -> &[String] {
    match &network.output {
        OutputKind::Classes { names } => names,
        OutputKind::Regression => &[],
    }
}

/// The table has exactly the columns of the network, in its order.
fn check_columns(network: &Network, table: &DataSetTable) -> Result<(), RegistryError> {
    let columns = network.features.iter().map(|column| &column.name);
    if columns.eq(&table.feature_names) {
        return Ok(());
    }
    let reason = "their columns are not those of the network".to_owned();
    Err(RegistryError::Rows { reason })
}
