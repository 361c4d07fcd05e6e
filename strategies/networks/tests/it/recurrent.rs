//! Specifications of LSTM and GRU: an example worked by hand, and scores and gradients beside an
//! independent forward pass in f64.

use networks::{Gru, Learner, Lstm, learner_of};
use schemas::manifests::{Architecture, FeatureColumn, Network, OutputKind, RecurrentShape};

/// Step of a central difference in f64: its error is some 1e-10 here.
const STEP: f64 = 1e-5;

const OUTPUTS: usize = 3;

/// Which network an independent forward pass computes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Lstm,
    Gru,
}

impl Kind {
    fn learner(self, shape: &RecurrentShape, features: usize) -> Box<dyn Learner> {
        match self {
            Self::Lstm => Box::new(Lstm::new(shape, features, OUTPUTS)),
            Self::Gru => Box::new(Gru::new(shape, features, OUTPUTS)),
        }
    }

    fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }
}

/// A batch for one network, and how it is scored.
struct Case {
    kind: Kind,
    shape: RecurrentShape,
    features: usize,
    rows: usize,
    parameters: Vec<f64>,
    inputs: Vec<f64>,
    masks: Vec<f64>,
    score_gradients: Vec<f64>,
}

/// Numbers in -1..1, by a linear congruential generator.
fn numbers(count: usize, seed: u32) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..count).map(|_| next_number(&mut state)).collect()
}

/// A number that f32 holds as well, so that both passes take the same.
fn next_number(state: &mut u32) -> f64 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    f64::from((f64::from(*state) / 2_147_483_648.0 - 1.0) as f32)
}

impl Case {
    /// Numbers for `rows` windows; with masks that drop a third of the units if the shape says so.
    fn new(kind: Kind, shape: RecurrentShape, features: usize, rows: usize) -> Self {
        let learner = kind.learner(&shape, features);
        let masks = numbers(rows * learner.dropout_count(), 3).into_iter();
        let masks = masks.map(|number| if number < -0.333 { 0.0 } else { 1.5 });

        Self {
            kind,
            shape,
            features,
            rows,
            parameters: numbers(learner.parameter_count(), 1),
            inputs: numbers(rows * learner.input_count(), 2),
            masks: masks.collect(),
            score_gradients: numbers(rows * OUTPUTS, 4),
        }
    }

    fn learner(&self) -> Box<dyn Learner> {
        self.kind.learner(&self.shape, self.features)
    }

    /// Σ scores · score gradients, by the independent pass.
    fn loss(&self, parameters: &[f64]) -> f64 {
        let scores = self.plain_scores(parameters);
        scores
            .iter()
            .zip(&self.score_gradients)
            .map(|(score, gradient)| score * gradient)
            .sum()
    }

    /// Scores of all rows from the formulas of PyTorch's documentation, value by value.
    fn plain_scores(&self, parameters: &[f64]) -> Vec<f64> {
        let shape = self.shape;
        let window = shape.sequence_length * self.features;
        let layer_mask = shape.sequence_length * shape.hidden_size;
        let below = (shape.num_layers - 1) * self.rows * layer_mask;

        let mut scores = Vec::new();
        for row in 0..self.rows {
            let mut rest = parameters;
            let inputs = &self.inputs[row * window..(row + 1) * window];
            let mut steps: Vec<Vec<f64>> =
                inputs.chunks(self.features).map(<[f64]>::to_vec).collect();
            for layer in 0..shape.num_layers {
                steps = self.plain_layer(&mut rest, &steps);
                if layer + 1 < shape.num_layers && !self.masks.is_empty() {
                    let first = (layer * self.rows + row) * layer_mask;
                    let mask = &self.masks[first..first + layer_mask];
                    multiply(steps.iter_mut().flatten(), mask);
                }
            }

            let mut last = steps.pop().unwrap();
            if !self.masks.is_empty() {
                let first = below + row * shape.hidden_size;
                multiply(
                    last.iter_mut(),
                    &self.masks[first..first + shape.hidden_size],
                );
            }
            let (weight, bias) = rest.split_at(OUTPUTS * shape.hidden_size);
            scores.extend(affine(weight, bias, &last));
        }
        scores
    }

    /// The hidden states of a layer. Takes its tensors from `rest`.
    fn plain_layer(&self, rest: &mut &[f64], steps: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let width = self.shape.hidden_size;
        let rows = self.kind.gates() * width;
        let input_weight = take(rest, rows * steps[0].len());
        let hidden_weight = take(rest, rows * width);
        let input_bias = take(rest, rows);
        let hidden_bias = take(rest, rows);

        let mut hidden = vec![0.0; width];
        let mut cell = vec![0.0; width];
        let mut states = Vec::new();
        for step in steps {
            let by_input = affine(input_weight, input_bias, step);
            let by_hidden = affine(hidden_weight, hidden_bias, &hidden);
            let gate = |number: usize, unit: usize| {
                let place = number * width + unit;
                (by_input[place], by_hidden[place])
            };

            for unit in 0..width {
                let sum = |number| gate(number, unit).0 + gate(number, unit).1;
                match self.kind {
                    Kind::Lstm => {
                        let fresh = sigmoid(sum(0)) * sum(2).tanh();
                        cell[unit] = sigmoid(sum(1)) * cell[unit] + fresh;
                        hidden[unit] = sigmoid(sum(3)) * cell[unit].tanh();
                    }
                    Kind::Gru => {
                        let (of_input, of_hidden) = gate(2, unit);
                        let candidate = (of_input + sigmoid(sum(0)) * of_hidden).tanh();
                        let update = sigmoid(sum(1));
                        hidden[unit] = (1.0 - update) * candidate + update * hidden[unit];
                    }
                }
            }
            states.push(hidden.clone());
        }
        states
    }

    /// Scores and gradients of the learner.
    fn learn(&self) -> (Vec<f32>, Vec<f32>) {
        let mut learner = self.learner();
        let single = |values: &[f64]| values.iter().map(|it| *it as f32).collect::<Vec<f32>>();
        let parameters = single(&self.parameters);
        let inputs = single(&self.inputs);
        let masks = single(&self.masks);
        let mut scores = Vec::new();
        let mut gradients = vec![f32::NAN; parameters.len()];

        learner.forward(&parameters, &inputs, &masks, &mut scores);
        learner.backward(
            &parameters,
            &inputs,
            &masks,
            &single(&self.score_gradients),
            &mut gradients,
        );
        (scores, gradients)
    }

    /// Compares scores, and the gradient of every `stride`th parameter with a central difference.
    fn check(&self, stride: usize) {
        let (scores, gradients) = self.learn();
        let expected = self.plain_scores(&self.parameters);
        assert_eq!(scores.len(), expected.len());
        for (score, expected) in scores.iter().zip(&expected) {
            assert!(
                (f64::from(*score) - expected).abs() < 1e-5,
                "{score} is not {expected}: {:?} {:?}",
                self.kind,
                self.shape
            );
        }

        let mut parameters = self.parameters.clone();
        for place in (0..parameters.len()).step_by(stride) {
            parameters[place] = self.parameters[place] + STEP;
            let above = self.loss(&parameters);
            parameters[place] = self.parameters[place] - STEP;
            let below = self.loss(&parameters);
            parameters[place] = self.parameters[place];

            let expected = (above - below) / (2.0 * STEP);
            let gradient = f64::from(gradients[place]);
            assert!(
                (gradient - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "gradient {place} is {gradient}, not {expected}: {:?} {:?}",
                self.kind,
                self.shape
            );
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn take<'a>(rest: &mut &'a [f64], count: usize) -> &'a [f64] {
    let (taken, others) = rest.split_at(count);
    *rest = others;
    taken
}

/// W v + b.
fn affine(weight: &[f64], bias: &[f64], values: &[f64]) -> Vec<f64> {
    let rows = weight.chunks(values.len()).zip(bias);
    let product = |row: &[f64]| -> f64 { row.iter().zip(values).map(|(w, v)| w * v).sum() };
    rows.map(|(row, bias)| bias + product(row)).collect()
}

fn multiply<'a>(values: impl Iterator<Item = &'a mut f64>, mask: &[f64]) {
    for (value, factor) in values.zip(mask) {
        *value *= factor;
    }
}

fn shape(hidden_size: usize, num_layers: usize, dropout: f64) -> RecurrentShape {
    RecurrentShape {
        sequence_length: 4,
        hidden_size,
        num_layers,
        dropout,
    }
}

/// One unit over two rows.
fn single_unit() -> RecurrentShape {
    RecurrentShape {
        sequence_length: 2,
        ..shape(1, 1, 0.0)
    }
}

#[test]
fn every_gradient_agrees_with_its_finite_difference() {
    for kind in [Kind::Lstm, Kind::Gru] {
        for layers in [1, 2, 3] {
            for dropout in [0.0, 0.3] {
                Case::new(kind, shape(5, layers, dropout), 3, 6).check(1);
            }
        }
    }
}

#[test]
fn gradients_agree_where_units_fill_several_lanes() {
    for kind in [Kind::Lstm, Kind::Gru] {
        // 18 and 40 values are two and three lanes: a whole block of products and a single lane.
        Case::new(kind, shape(40, 2, 0.3), 18, 5).check(97);
        Case::new(kind, shape(64, 1, 0.0), 16, 8).check(211);
    }
}

#[test]
fn two_lstm_steps_agree_with_the_calculation_by_hand() {
    let mut lstm = Lstm::new(&single_unit(), 1, 1);
    // Rows i, f, g, o: only g has weights, so the other gates are σ(0) = ½.
    let input_weight = [0.0, 0.0, 1.0, 0.0];
    let hidden_weight = [0.0, 0.0, 2.0, 0.0];
    let linear = [3.0, 0.25];
    let parameters = [&input_weight[..], &hidden_weight, &[0.0; 8], &linear].concat();

    let mut scores = Vec::new();
    lstm.score(&parameters, &[1.0, 0.5], &mut scores);

    // Step 1: c = ½ tanh 1 = 0.380797078, h = ½ tanh c = 0.181699742.
    // Step 2: g = tanh(0.5 + 2 h) = tanh 0.863399484 = 0.698005030,
    //         c = ½ c + ½ g = 0.539401054, h = ½ tanh c = 0.246267227.
    // Score: 3 h + 0.25 = 0.988801680.
    assert_eq!(scores.len(), 1);
    assert!((scores[0] - 0.988_801_7).abs() < 1e-6, "{scores:?}");
}

#[test]
fn two_gru_steps_agree_with_the_calculation_by_hand() {
    let mut gru = Gru::new(&single_unit(), 1, 1);
    // Rows r, z, n: r and z are σ(0) = ½; n = tanh(x + ½ (W_hn h + b_hn)) with W_hn = 4, b_hn = 2.
    let input_weight = [0.0, 0.0, 1.0];
    let hidden_weight = [0.0, 0.0, 4.0];
    let input_bias = [0.0; 3];
    let hidden_bias = [0.0, 0.0, 2.0];
    let linear = [2.0, 1.0];
    let parameters = [
        &input_weight[..],
        &hidden_weight,
        &input_bias,
        &hidden_bias,
        &linear,
    ]
    .concat();

    let mut scores = Vec::new();
    gru.score(&parameters, &[1.0, -2.0], &mut scores);

    // Step 1: n = tanh(1 + 1) = 0.964027580, h = ½ n = 0.482013790.
    // Step 2: n = tanh(−2 + ½ (4 · 0.482013790 + 2)) = tanh(−0.035972420) = −0.035956911,
    //         h = ½ n + ½ h = 0.223028440.
    // Score: 2 h + 1 = 1.446056880.
    assert_eq!(scores.len(), 1);
    assert!((scores[0] - 1.446_056_9).abs() < 1e-6, "{scores:?}");
}

#[test]
fn scores_are_those_of_a_forward_pass_without_dropout() {
    for kind in [Kind::Lstm, Kind::Gru] {
        let case = Case::new(kind, shape(5, 2, 0.0), 3, 150);
        let parameters: Vec<f32> = case.parameters.iter().map(|it| *it as f32).collect();
        let inputs: Vec<f32> = case.inputs.iter().map(|it| *it as f32).collect();

        let mut scores = Vec::new();
        case.kind
            .learner(&case.shape, case.features)
            .score(&parameters, &inputs, &mut scores);

        // More rows than are scored at a time.
        assert_eq!(scores, case.learn().0);
    }
}

#[test]
fn a_learner_gives_the_same_after_larger_batches() {
    for kind in [Kind::Lstm, Kind::Gru] {
        let large = Case::new(kind, shape(5, 2, 0.3), 3, 9);
        let small = Case::new(kind, shape(5, 2, 0.3), 3, 2);
        let single = |values: &[f64]| values.iter().map(|it| *it as f32).collect::<Vec<f32>>();
        let mut learner = large.learner();

        let mut results = Vec::new();
        for case in [&small, &large, &small] {
            let parameters = single(&case.parameters);
            let inputs = single(&case.inputs);
            let masks = single(&case.masks);
            let mut scores = Vec::new();
            let mut gradients = vec![0.0; parameters.len()];
            learner.forward(&parameters, &inputs, &masks, &mut scores);
            let by_scores = single(&case.score_gradients);
            learner.backward(&parameters, &inputs, &masks, &by_scores, &mut gradients);
            results.push((scores, gradients));
        }
        assert_eq!(results[0], results[2]);
    }
}

#[test]
fn parameters_are_counted_as_by_hand() {
    // 16 features, hidden 64, 2 layers, 3 outputs, as in PyTorch:
    // 256 · (16 + 64 + 2) + 256 · (64 + 64 + 2) + 3 · 65 = 20 992 + 33 280 + 195
    let shape = RecurrentShape {
        sequence_length: 20,
        ..shape(64, 2, 0.2)
    };
    let lstm = Lstm::new(&shape, 16, OUTPUTS);
    assert_eq!(lstm.parameter_count(), 54_467);
    assert_eq!(lstm.input_count(), 320);
    // 20 · 64 between the layers, 64 after the last step.
    assert_eq!(lstm.dropout_count(), 1_344);

    // Three gates instead of four: 192 · 82 + 192 · 130 + 195
    assert_eq!(Gru::new(&shape, 16, OUTPUTS).parameter_count(), 40_899);
}

#[test]
fn a_learner_has_the_sizes_of_its_network() {
    let shape = shape(5, 3, 0.0);
    let columns = (0..4).map(|index| FeatureColumn {
        name: format!("f{index}"),
        normalisation: None,
    });
    let columns: Vec<FeatureColumn> = columns.collect();

    for architecture in [Architecture::Lstm(shape), Architecture::Gru(shape)] {
        let network = Network {
            architecture,
            features: columns.clone(),
            output: OutputKind::Regression,
        };
        let learner = learner_of(&network);
        assert_eq!(learner.parameter_count(), network.parameter_count());
        assert_eq!(learner.input_count(), network.input_count());
    }
}
