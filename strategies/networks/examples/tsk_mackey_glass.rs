//! Predicts the Mackey-Glass series by the recipe of ANFIS (J.-S. R. Jang, *ANFIS:
//! Adaptive-Network-Based Fuzzy Inference System*, 1993): x(t + 6) from x(t − 18), x(t − 12),
//! x(t − 6) and x(t), two members for each input, 16 rules, 500 rows to train on and the next 500 to
//! test. Prints the NDEI of both parts, the root of the mean squared error over the deviation of the
//! targets, every 1 000 steps. Jang reports 0.007 with 104 parameters; ours are 96, because a bell
//! member has a third number.

use networks::tsk::{Growth, Start};
use networks::{Learner, Tsk};
use schemas::manifests::Firing;

const ROWS: usize = 500;
const STEPS: usize = 20_000;

fn main() {
    let series = integrate();
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let squares = series.iter().map(|x| (x - mean) * (x - mean));
    let deviation = (squares.sum::<f64>() / series.len() as f64).sqrt();
    let scaled: Vec<f32> = series
        .iter()
        .map(|x| ((x - mean) / deviation) as f32)
        .collect();

    let (train_inputs, train_targets) = rows_from(&scaled, 118);
    let (test_inputs, test_targets) = rows_from(&scaled, 118 + ROWS);
    let names = ["x(t-18)", "x(t-12)", "x(t-6)", "x(t)"].map(str::to_owned);
    let growth = Growth {
        rules: 2,
        members: 2,
        width: None,
        firing: Firing::Product,
        seed: 1,
    };
    let start = Start::grow(&train_inputs, &names, growth).select_rules(&train_inputs, 16);
    let mut parameters = start.fitted_parameters(&train_inputs, &train_targets);
    let mut network = Tsk::new(&start.base, 1);
    println!(
        "{} rules, {} parameters",
        start.base.rules.len(),
        parameters.len()
    );

    let mut descent = Descent::new(parameters.len());
    for step in 0..=STEPS {
        if step % 1_000 == 0 {
            let train = ndei(&mut network, &parameters, &train_inputs, &train_targets);
            let test = ndei(&mut network, &parameters, &test_inputs, &test_targets);
            println!("step {step}: NDEI {train:.5} train, {test:.5} test");
        }
        descent.step(&mut network, &mut parameters, &train_inputs, &train_targets);
    }
}

/// dx/dt = 0.2 x(t − 17) / (1 + x(t − 17)¹⁰) − 0.1 x(t), x(0) = 1.2 and 0 before, by the method of
/// Runge and Kutta with steps of 0.1; the values at whole t.
fn integrate() -> Vec<f64> {
    const STEP: f64 = 0.1;
    const PER_UNIT: usize = 10;
    const DELAY: usize = 17 * PER_UNIT;

    let mut fine: Vec<f64> = vec![1.2];
    let slope = |x: f64, delayed: f64| 0.2 * delayed / (1.0 + delayed.powi(10)) - 0.1 * x;
    while fine.len() <= (118 + 2 * ROWS + 6) * PER_UNIT {
        let now = fine.len() - 1;
        let delayed = |steps: usize| {
            let position = (now + steps).checked_sub(DELAY);
            position
                .and_then(|position| fine.get(position))
                .copied()
                .unwrap_or(0.0)
        };
        let x = fine.last().copied().unwrap_or(1.2);
        let middle = f64::midpoint(delayed(0), delayed(1));
        let first = slope(x, delayed(0));
        let second = slope(x + STEP / 2.0 * first, middle);
        let third = slope(x + STEP / 2.0 * second, middle);
        let fourth = slope(x + STEP * third, delayed(1));
        fine.push(x + STEP / 6.0 * (first + 2.0 * second + 2.0 * third + fourth));
    }
    fine.into_iter().step_by(PER_UNIT).collect()
}

/// Inputs `[rows, 4]` and targets of the rows from t = `first` on.
fn rows_from(series: &[f32], first: usize) -> (Vec<f32>, Vec<f32>) {
    let value = |t: usize| series.get(t).copied().unwrap_or(0.0);
    let mut inputs = Vec::with_capacity(4 * ROWS);
    let mut targets = Vec::with_capacity(ROWS);
    for t in first..first + ROWS {
        inputs.extend([value(t - 18), value(t - 12), value(t - 6), value(t)]);
        targets.push(value(t + 6));
    }
    (inputs, targets)
}

/// Adam (Kingma and Ba, 2015) on the mean squared error of all rows, with a rate that falls.
struct Descent {
    steps: usize,
    first: Vec<f32>,
    second: Vec<f32>,
    scores: Vec<f32>,
    gradients: Vec<f32>,
}

impl Descent {
    fn new(parameters: usize) -> Self {
        Self {
            steps: 0,
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
            scores: Vec::new(),
            gradients: vec![0.0; parameters],
        }
    }

    fn step(&mut self, network: &mut Tsk, parameters: &mut [f32], inputs: &[f32], targets: &[f32]) {
        network.forward(parameters, inputs, &[], &mut self.scores);
        for (score, target) in self.scores.iter_mut().zip(targets) {
            *score = 2.0 * (*score - target) / targets.len() as f32;
        }
        network.backward(parameters, inputs, &[], &self.scores, &mut self.gradients);

        self.steps += 1;
        let rate = 0.01 * (1.0 - self.steps as f32 / (STEPS + 2) as f32);
        let first_share = 1.0 - 0.9_f32.powi(self.steps as i32);
        let second_share = 1.0 - 0.999_f32.powi(self.steps as i32);
        let rate = rate * second_share.sqrt() / first_share;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, gradient), (first, second)) in
            parameters.iter_mut().zip(&self.gradients).zip(moments)
        {
            *first += 0.1 * (gradient - *first);
            *second += 0.001 * (gradient * gradient - *second);
            *value -= rate * *first / (second.sqrt() + 1e-8);
        }
        network.constrain(parameters);
    }
}

fn ndei(network: &mut Tsk, parameters: &[f32], inputs: &[f32], targets: &[f32]) -> f64 {
    let mut scores = Vec::new();
    network.score(parameters, inputs, &mut scores);
    let errors = scores
        .iter()
        .zip(targets)
        .map(|(score, target)| f64::from(score - target).powi(2));
    let error = errors.sum::<f64>() / targets.len() as f64;

    let mean = targets.iter().map(|target| f64::from(*target)).sum::<f64>() / targets.len() as f64;
    let squares = targets
        .iter()
        .map(|target| (f64::from(*target) - mean).powi(2));
    (error / (squares.sum::<f64>() / targets.len() as f64)).sqrt()
}
