//! Specifications of the optimisers: steps by hand, and many steps against the published formulas
//! in f64.

use networks::optimisers::{Method, Moments, Optimiser, clip};
use schemas::manifests::TensorSpec;

use crate::plain::{Numbers, assert_close, to_f64};

const METHODS: [Method; 5] = [
    Method::Adam,
    Method::AdamW,
    Method::Sgd { momentum: 0.0 },
    Method::Sgd { momentum: 0.9 },
    Method::RmsProp,
];
const WEIGHT_DECAY: f64 = 0.03;
const RATE: f64 = 0.01;
/// A weight of 3 × 11 and its bias.
const WEIGHTS: usize = 33;
const PARAMETERS: usize = 36;

fn tensors() -> Vec<TensorSpec> {
    vec![
        TensorSpec::new("0.weight", vec![3, 11]),
        TensorSpec::new("0.bias", vec![3]),
    ]
}

/// The same in f64, as the papers and PyTorch's documentation write it.
struct Plain {
    method: Method,
    values: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Plain {
    fn step(&mut self, gradients: &[f32]) {
        self.steps += 1;
        for (index, gradient) in gradients.iter().enumerate() {
            let is_bias = index >= WEIGHTS;
            let decay = if is_bias { 0.0 } else { WEIGHT_DECAY };
            let mut gradient = f64::from(*gradient);
            if self.method == Method::AdamW {
                self.values[index] -= RATE * decay * self.values[index];
            } else {
                gradient += decay * self.values[index];
            }

            self.values[index] -= RATE * self.direction(index, gradient);
        }
    }

    fn direction(&mut self, index: usize, gradient: f64) -> f64 {
        let first = &mut self.first[index];
        let second = &mut self.second[index];

        match self.method {
            Method::Adam | Method::AdamW => {
                *first = 0.9 * *first + 0.1 * gradient;
                *second = 0.999 * *second + 0.001 * gradient * gradient;
                let mean = *first / (1.0 - 0.9_f64.powi(self.steps));
                let variance = *second / (1.0 - 0.999_f64.powi(self.steps));
                mean / (variance.sqrt() + 1e-8)
            }
            Method::Sgd { momentum } => {
                *first = f64::from(momentum) * *first + gradient;
                *first
            }
            Method::RmsProp => {
                *second = 0.99 * *second + 0.01 * gradient * gradient;
                gradient / (second.sqrt() + 1e-8)
            }
        }
    }
}

#[test]
fn fifty_steps_of_each_method_agree_with_its_formula() {
    for method in METHODS {
        let mut numbers = Numbers::new(5);
        let mut parameters = numbers.take(PARAMETERS, 1.0);
        let mut plain = Plain {
            method,
            values: to_f64(&parameters),
            first: vec![0.0; PARAMETERS],
            second: vec![0.0; PARAMETERS],
            steps: 0,
        };
        let optimiser = Optimiser::new(method, WEIGHT_DECAY, &tensors());
        let mut moments = Moments::new(PARAMETERS);

        for step in 0..50 {
            // Sizes from 10 to 10⁻⁶.
            let gradients = numbers.take(PARAMETERS, 10_f32.powi(1 - step % 8));
            optimiser.step(&mut parameters, &gradients, &mut moments, RATE);
            plain.step(&gradients);
        }

        assert_close(&parameters, &plain.values, 1e-5, &format!("{method:?}"));
        assert_close(&moments.first, &plain.first, 1e-5, "first moments");
        assert_close(&moments.second, &plain.second, 1e-5, "second moments");
        assert_eq!(moments.step, 50);
    }
}

/// One parameter of 1, without decay, after gradients of 2 and then 1 at a rate of 0.1.
fn two_steps(method: Method) -> f32 {
    let optimiser = Optimiser::new(method, 0.0, &[TensorSpec::new("w", vec![1, 1])]);
    let mut moments = Moments::new(1);
    let mut parameters = [1.0];
    for gradient in [2.0, 1.0] {
        optimiser.step(&mut parameters, &[gradient], &mut moments, 0.1);
    }
    parameters[0]
}

#[test]
fn two_steps_agree_with_the_calculation_by_hand() {
    for (method, expected) in [
        // Without momentum: 1 − 0.1 · (2 + 1). With it the second step is 0.5 · 2 + 1.
        (Method::Sgd { momentum: 0.0 }, 0.7),
        (Method::Sgd { momentum: 0.5 }, 0.6),
        // v = 0.04, then 0.039 6 + 0.01: 1 − 0.1 · (2 / 0.2 + 1 / 0.222 711) = −0.449 013.
        (Method::RmsProp, -0.449_013),
        // First 0.1 · 2/2. Then m = 0.28 / 0.19 = 1.473 684, v = (0.003 996 + 0.001) / 0.001 999 =
        // 2.499 250: 0.9 − 0.1 · 1.473 684 / 1.580 902 = 0.806 782.
        (Method::Adam, 0.806_782),
        (Method::AdamW, 0.806_782),
    ] {
        let value = two_steps(method);
        assert!((value - expected).abs() < 2e-6, "{method:?}: {value}");
    }
}

#[test]
fn values_that_fade_become_zero_and_never_subnormal() {
    for method in METHODS {
        let optimiser = Optimiser::new(method, 0.5, &tensors());
        let mut parameters = vec![1e-3; PARAMETERS];
        let mut moments = Moments::new(PARAMETERS);
        optimiser.step(&mut parameters, &[1.0; PARAMETERS], &mut moments, 1e-4);

        for _ in 0..80_000 {
            optimiser.step(&mut parameters, &[0.0; PARAMETERS], &mut moments, 1e-2);
            let all = parameters.iter().chain(&moments.first);
            let mut all = all.chain(&moments.second);
            assert!(!all.any(|value| value.is_subnormal()), "{method:?}");
        }
        assert!(
            moments
                .first
                .iter()
                .chain(&moments.second)
                .all(|it| *it == 0.0 || it.abs() >= 1e-30)
        );
    }
}

#[test]
fn a_gradient_of_norm_five_is_clipped_to_one() {
    let mut gradients = [3.0, 0.0, 4.0];
    assert_eq!(clip(&mut gradients, 1.0), 5.0);
    assert_close(&gradients, &[0.6, 0.0, 0.8], 1e-6, "clipped");
}

#[test]
fn a_short_gradient_or_no_limit_changes_nothing() {
    for (values, limit) in [([0.3_f32, 0.4], 1.0), ([3.0, 4.0], 0.0)] {
        let mut gradients = values;
        let norm = clip(&mut gradients, limit);
        assert_eq!(gradients, values);
        assert!((norm - f64::from(values[0].hypot(values[1]))).abs() < 1e-7);
    }
}

#[test]
fn the_norm_of_many_gradients_agrees_with_the_sum_in_f64() {
    // Around the sizes of blocks and of lanes.
    for count in [1, 63, 64, 65, 1_023, 1_025, 5_000] {
        let mut gradients = Numbers::new(count as u64).take(count, 3.0);
        let squares: f64 = to_f64(&gradients).iter().map(|it| it * it).sum();
        let norm = clip(&mut gradients, 0.0);
        assert!(
            (norm / squares.sqrt() - 1.0).abs() < 1e-6,
            "{count}: {norm}"
        );
    }
}

#[test]
fn a_gradient_that_is_no_number_shows_in_the_norm() {
    assert!(clip(&mut [1.0, f32::NAN], 1.0).is_nan());
    assert!(clip(&mut [1.0, f32::INFINITY], 1.0).is_infinite());
}
