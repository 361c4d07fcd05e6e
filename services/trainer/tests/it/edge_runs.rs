//! Sweeps over made-up series: how often an edge is reported where there is none, where one is
//! planted, and where the labels are shuffled. `benches/edge.rs` makes more of them.

use std::time::Duration;

use networks::learner_of;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::edge::{EdgeFigures, EdgeReport};
use schemas::manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind};
use schemas::names::{TEST_PART, VALIDATION_PART};
use schemas::training::TrainingSettings;
use statistics::{Candidate, luck_of_choice};
use strategies::{Decisions, Signal, TradeCosts};
use trainer::metrics::{Baseline, HeldOutOutcomes, Outcomes, Scored, Trading, TripCosts};
use trainer::{
    BatchProgress, ComputeDevice, Control, EngineKind, EpochRow, Labels, PartData, TrainJob,
    TrainState, Trained, TrainingData, train,
};

/// Rows of the three parts.
const ROWS: [usize; 3] = [600, 600, 800];
/// Columns of a series, of which each strategy reads three.
const COLUMNS: usize = 8;
const READ: usize = 3;
/// Bars over which a decision is held.
const HORIZON: usize = 2;
/// Deviation of the return of a bar.
const BAR_RETURN: f64 = 0.01;
/// How much of a column is left a bar later.
const PERSISTENCE: f64 = 0.5;
/// Forward returns beyond this are BUY or SELL: about a third of them each.
const THRESHOLD: f64 = 0.43 * BAR_RETURN * 1.414;

/// What there is to find in a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// There is nothing to find.
    Noise,
    /// The first column is correlated with the return of the next bar by this much.
    Planted(f64),
    /// The same, with labels and forward returns of all rows in disorder.
    Shuffled(f64),
}

/// What a sweep over one series came to.
#[derive(Clone, Copy, Debug)]
pub struct SweepEnd {
    /// An edge is reported.
    pub is_edge: bool,
    /// The accuracy of the chosen training beats the most frequent class of the test part, its
    /// whole interval above 0.
    pub beats_baseline: bool,
    /// Of the test part.
    pub test: EdgeFigures,
    /// The deflated Sharpe ratio.
    pub deflated: Option<f64>,
}

/// Trains `strategies` on a series made from `seed`, chooses by the loss on validation, and judges
/// the chosen one as a sweep does.
pub fn sweep(kind: Kind, strategies: usize, seed: u64) -> SweepEnd {
    let series = Series::new(kind, seed);
    let trainings: Vec<Training> = (0..strategies)
        .map(|strategy| Training::run(&series, strategy, seed))
        .collect();

    let losses = trainings.iter().map(|training| training.loss).enumerate();
    let best = losses.min_by(|one, other| one.1.total_cmp(&other.1));
    let chosen = best.unwrap().0;
    let candidates = trainings.iter().map(|training| {
        let edge = &training.edge.parts[VALIDATION_PART];
        Candidate {
            p: edge.test.map(|test| test.p),
            sharpe: edge.book.sharpe.map(|sharpe| statistics::Sharpe {
                ratio: sharpe.ratio,
                observations: edge.book.trades() as usize,
                skewness: sharpe.skewness,
                kurtosis: sharpe.kurtosis,
            }),
        }
    });
    let luck = luck_of_choice(&candidates.collect::<Vec<_>>(), chosen).unwrap();

    let edge = &trainings[chosen].edge;
    let validation = EdgeFigures {
        p: luck.p,
        ..edge.parts[VALIDATION_PART].figures()
    };
    let test = edge.parts[TEST_PART].figures();
    SweepEnd {
        is_edge: validation.why_not().is_none() && test.why_not().is_none(),
        beats_baseline: trainings[chosen].beats_baseline,
        test,
        deflated: luck.deflated.map(|deflated| deflated.probability),
    }
}

/// Columns with labels and forward returns, bar by bar.
struct Series {
    columns: Vec<Vec<f64>>,
    labels: Vec<i64>,
    forward: Vec<f64>,
}

impl Series {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let bars = ROWS.iter().sum::<usize>() + HORIZON;
        let mut columns = Vec::new();
        for _ in 0..COLUMNS {
            columns.push(persistent(bars, &mut generator));
        }

        let size = match kind {
            Kind::Noise => 0.0,
            Kind::Planted(size) | Kind::Shuffled(size) => size,
        };
        let noise = (1.0 - size * size).sqrt();
        let returns: Vec<f64> = columns[0]
            .iter()
            .map(|value| BAR_RETURN * (size * value + noise * normal(&mut generator)))
            .collect();
        // Column and return of a bar are known one bar apart: what a row sees comes true after it.
        let rows = bars - HORIZON;
        let mut forward: Vec<f64> = (0..rows)
            .map(|row| returns[row..row + HORIZON].iter().sum())
            .collect();
        if matches!(kind, Kind::Shuffled(_)) {
            shuffle(&mut forward, &mut generator);
        }
        Self {
            columns,
            labels: forward.iter().map(|value| class_of(*value)).collect(),
            forward,
        }
    }

    fn part(&self, rows: std::ops::Range<usize>, read: &[usize]) -> PartData {
        let cells = rows.clone().flat_map(|row| {
            let of_row = read
                .iter()
                .map(move |column| self.columns[*column][row] as f32);
            of_row.collect::<Vec<f32>>()
        });
        PartData {
            features: cells.collect(),
            labels: Labels::Classes(self.labels[rows].to_vec()),
            windows: None,
        }
    }

    fn outcomes(&self, rows: std::ops::Range<usize>) -> Outcomes {
        let forward = self.forward[rows.clone()].iter();
        Outcomes {
            symbol: vec![0; rows.len()],
            known_at: rows.clone().map(|row| row as i64).collect(),
            bar: rows.map(|row| row as u32).collect(),
            forward_return: forward.map(|value| Some(*value as f32)).collect(),
        }
    }
}

/// BUY, HOLD or SELL.
fn class_of(forward: f64) -> i64 {
    match forward {
        _ if forward > THRESHOLD => 0,
        _ if forward < -THRESHOLD => 2,
        _ => 1,
    }
}

/// A column of deviation 1 that changes slowly.
fn persistent(bars: usize, generator: &mut ChaCha8Rng) -> Vec<f64> {
    let noise = (1.0 - PERSISTENCE * PERSISTENCE).sqrt();
    let mut value = normal(generator);
    let mut values = Vec::with_capacity(bars);
    for _ in 0..bars {
        values.push(value);
        value = PERSISTENCE * value + noise * normal(generator);
    }
    values
}

/// The sum of twelve numbers in 0..1 minus 6: mean 0, deviation 1.
fn normal(generator: &mut ChaCha8Rng) -> f64 {
    let numbers = (0..12).map(|_| f64::from(generator.next_u32()) / 4_294_967_296.0);
    numbers.sum::<f64>() - 6.0
}

fn shuffle(values: &mut [f64], generator: &mut ChaCha8Rng) {
    for end in (1..values.len()).rev() {
        let other = generator.next_u64() as usize % (end + 1);
        values.swap(end, other);
    }
}

/// One strategy on the series, measured.
struct Training {
    /// Plain loss on validation.
    loss: f64,
    edge: EdgeReport,
    beats_baseline: bool,
}

impl Training {
    fn run(series: &Series, strategy: usize, seed: u64) -> Self {
        // Every strategy reads other columns, or has another size.
        let read: [usize; READ] = [0, 1, 3].map(|step| (strategy + step) % COLUMNS);
        let train_end = ROWS[0];
        let validation_end = train_end + ROWS[1];
        let end = validation_end + ROWS[2];
        let data = TrainingData {
            train: series.part(0..train_end, &read),
            validation: series.part(train_end..validation_end, &read),
            test: series.part(validation_end..end, &read),
            weights: None,
        };
        let outcomes = HeldOutOutcomes {
            horizon_bars: HORIZON as u32,
            validation: series.outcomes(train_end..validation_end),
            test: series.outcomes(validation_end..end),
        };

        let network = network(4 + 4 * (strategy / COLUMNS));
        let trained = fit(&data, &network, seed.wrapping_add(strategy as u64));
        measure(&data, &outcomes, &trained)
    }
}

fn network(units: usize) -> Network {
    let columns = (0..READ).map(|column| FeatureColumn {
        name: format!("f{column}"),
        normalisation: None,
    });

    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![units],
            activation: Activation::Tanh,
            dropout: 0.0,
        }),
        features: columns.collect(),
        output: OutputKind::Classes {
            names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
        },
    }
}

fn fit(data: &TrainingData, network: &Network, seed: u64) -> Trained {
    let settings = TrainingSettings {
        epochs: 6,
        batch_size: 32,
        learning_rate: 0.01,
        ..TrainingSettings::for_classes()
    };

    let job = TrainJob {
        data,
        network,
        settings: &settings,
        seed,
        device: ComputeDevice::Cpu,
        engine: EngineKind::Native,
        decisions: None,
    };
    train(&job, &Nobody, None).unwrap()
}

fn measure(data: &TrainingData, outcomes: &HeldOutOutcomes, trained: &Trained) -> Training {
    let scores = [&data.validation, &data.test].map(|part| scores_of(part, trained));
    let scored = |scores, labels| Scored {
        scores,
        labels,
        objective: &trained.objective,
    };
    let validation = scored(&scores[0], &data.validation.labels);
    let test = scored(&scores[1], &data.test.labels);
    let rules = Decisions::Classification {
        confidence_threshold: Some(0.4),
        signals: &[Signal::Buy, Signal::Hold, Signal::Sell],
    };

    // Half a basis point a side and one between bid and ask: two of a move of a hundred.
    let costs = [TripCosts::from(TradeCosts {
        commission: 0.00005,
        spread: 0.0001,
        slippage: 0.0,
    })];
    let trading = Trading {
        outcomes,
        costs: Some(&costs),
    };
    let baseline = Baseline::of(&data.train.labels, 3);
    let uncertainty = test.uncertainty(&baseline, 1, &|| false).unwrap();
    Training {
        loss: trained.metrics[VALIDATION_PART].loss,
        edge: trading.edge(&validation, &test, rules),
        beats_baseline: uncertainty.intervals["accuracy_gain"].low > 0.0,
    }
}

fn scores_of(part: &PartData, trained: &Trained) -> Vec<f32> {
    let mut scores = Vec::new();
    let mut learner = learner_of(&trained.network);
    learner.score(&trained.weights, &part.features, &mut scores);
    scores
}

/// A control that nobody watches.
struct Nobody;

impl Control for Nobody {
    fn cancelled(&self) -> bool {
        false
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn batch(&self, _: &BatchProgress) {}
    fn epoch(&self, _: &EpochRow) {}
    fn checkpoint(&self, _: TrainState) {}
}
