//! Optimisers over flat slices: the parameters of a network in file order, and their gradients.
//!
//! Formulas are those of PyTorch's `torch.optim`; every element is calculated by itself, so nothing
//! depends on the width of a register.
//!
//! Parameters, gradients and moments below [`SMALLEST`](crate::math::SMALLEST) become 0, squares
//! and their means below 10⁻³⁰: subnormal numbers never arise.

use schemas::manifests::TensorSpec;

use crate::instructions::dispatch;
use crate::math::cut;

/// Decay of the mean of the gradient, in Adam.
const BETA_1: f64 = 0.9;
/// Decay of the mean of the squared gradient, in Adam.
const BETA_2: f64 = 0.999;
/// Decay of the mean of the squared gradient, in RMSprop.
const ALPHA: f64 = 0.99;
/// Added to the root of a squared gradient, so that a parameter without gradient stays where it is.
const EPSILON: f64 = 1e-8;
/// Added to a gradient's norm before dividing by it, as PyTorch's `clip_grad_norm_` does.
const NORM_EPSILON: f64 = 1e-6;

/// Smaller mean squares are 0; beside [`EPSILON`] their roots are nothing.
const SMALLEST_SQUARE: f32 = 1e-30;
/// The square of a smaller value is below [`SMALLEST_SQUARE`].
const SMALLEST_ROOT: f32 = 1e-15;

/// Values whose squares are summed in f32, before the sum goes on in f64.
const NORM_BLOCK: usize = 1_024;
/// Sums of squares that run side by side.
const NORM_LANES: usize = 64;

/// How a step follows from gradients: p is a parameter, g its gradient, ε = 10⁻⁸. A weight decay λ
/// is added to the gradient, g ← g + λ p, but for AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// m ← 0.9 m + 0.1 g, v ← 0.999 v + 0.001 g², p ← p − rate · m̂ / (√v̂ + ε), with m̂ = m / (1 −
    /// 0.9ᵗ) and v̂ = v / (1 − 0.999ᵗ) in step t (Kingma and Ba, 2015).
    Adam,
    /// p ← (1 − rate λ) p, then Adam without λ (Loshchilov and Hutter, 2019).
    AdamW,
    /// b ← momentum · b + g, p ← p − rate · b.
    Sgd {
        /// Share of the last step in the next, in [0, 1).
        momentum: f32,
    },
    /// v ← 0.99 v + 0.01 g², p ← p − rate · g / (√v + ε) (Tieleman and Hinton, 2012).
    RmsProp,
}

/// What an optimiser remembers from step to step; all of it goes into a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Running mean of each gradient (Adam) or the last step (SGD); 0 for other methods.
    pub first: Vec<f32>,
    /// Running mean of each squared gradient (Adam, RMSprop); 0 for other methods.
    pub second: Vec<f32>,
    /// Steps made so far.
    pub step: u64,
}

impl Moments {
    /// The moments of `parameters` values before the first step.
    pub fn new(parameters: usize) -> Self {
        Self {
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
            step: 0,
        }
    }
}

/// A method with its penalty for the parameters of one network.
#[derive(Clone, Debug)]
pub struct Optimiser {
    method: Method,
    /// λ of each parameter; 0 for a bias.
    penalties: Vec<f32>,
}

impl Optimiser {
    /// `method` for the parameters that `tensors` describe. `weight_decay` is λ, 0 or more; biases
    /// never decay.
    pub fn new(method: Method, weight_decay: f64, tensors: &[TensorSpec]) -> Self {
        let mut penalties = Vec::new();
        for tensor in tensors {
            let is_decayed = tensor.takes_weight_decay();
            let penalty = if is_decayed { weight_decay as f32 } else { 0.0 };
            penalties.resize(penalties.len() + tensor.count(), penalty);
        }

        Self { method, penalties }
    }

    /// One step of `parameters` against `gradients`; all slices and moments have the length of the
    /// network's parameters.
    pub fn step(
        &self,
        parameters: &mut [f32],
        gradients: &[f32],
        moments: &mut Moments,
        learning_rate: f64,
    ) {
        moments.step += 1;
        let rates = Rates::new(self.method, learning_rate, moments.step);
        update(self, &rates, parameters, gradients, moments);
    }
}

/// The numbers of one step.
#[derive(Clone, Copy, Debug)]
struct Rates {
    /// Factor of the step.
    rate: f32,
    /// Factor of a penalty that is subtracted from a parameter.
    decay: f32,
    /// Factor of a penalty that is added to a gradient.
    coupling: f32,
    /// Added to the root of the second moment.
    epsilon: f32,
    momentum: f32,
}

impl Rates {
    fn new(method: Method, learning_rate: f64, steps: u64) -> Self {
        let plain = Self {
            rate: learning_rate as f32,
            decay: 0.0,
            coupling: 1.0,
            epsilon: EPSILON as f32,
            momentum: 0.0,
        };

        // Both moments of Adam start at 0 and are too small at first: c1 and c2 correct that. With
        // them on the scalars, no value is divided twice:
        // rate · (m/c1) / (√(v/c2) + ε)  =  (rate·√c2/c1) · m / (√v + ε·√c2)
        let root_of_correction_2 = (1.0 - power(BETA_2, steps)).sqrt();
        let adam = Self {
            rate: (learning_rate * root_of_correction_2 / (1.0 - power(BETA_1, steps))) as f32,
            epsilon: (EPSILON * root_of_correction_2) as f32,
            ..plain
        };

        match method {
            Method::Adam => adam,
            Method::AdamW => Self {
                decay: learning_rate as f32,
                coupling: 0.0,
                ..adam
            },
            Method::Sgd { momentum } => Self { momentum, ..plain },
            Method::RmsProp => plain,
        }
    }
}

/// base^exponent by squaring: `powf` of `std` has other digits on another host.
fn power(base: f64, exponent: u64) -> f64 {
    let mut result = 1.0;
    let mut square = base;
    let mut rest = exponent;
    while rest > 0 {
        if rest & 1 == 1 {
            result *= square;
        }
        square *= square;
        rest >>= 1;
    }
    result
}

/// A parameter with what is remembered about it.
#[derive(Clone, Copy)]
struct Element {
    value: f32,
    first: f32,
    second: f32,
}

/// The formula of a method for one parameter.
trait Formula {
    fn update(element: Element, gradient: f32, rates: &Rates) -> Element;
}

struct Adam;

impl Formula for Adam {
    #[inline(always)]
    fn update(element: Element, gradient: f32, rates: &Rates) -> Element {
        let Element {
            value,
            first,
            second,
        } = element;
        let square = square_of(gradient);
        let first = cut(((1.0 - BETA_1) as f32).mul_add(gradient - first, first));
        let second = cut_square(((1.0 - BETA_2) as f32).mul_add(square - second, second));

        let direction = first / (second.sqrt() + rates.epsilon);
        Element {
            value: rates.rate.mul_add(-direction, value),
            first,
            second,
        }
    }
}

struct Sgd;

impl Formula for Sgd {
    #[inline(always)]
    fn update(element: Element, gradient: f32, rates: &Rates) -> Element {
        let first = cut(rates.momentum.mul_add(element.first, gradient));
        Element {
            value: rates.rate.mul_add(-first, element.value),
            first,
            ..element
        }
    }
}

struct RmsProp;

impl Formula for RmsProp {
    #[inline(always)]
    fn update(element: Element, gradient: f32, rates: &Rates) -> Element {
        let square = square_of(gradient);
        let second = element.second;
        let second = cut_square(((1.0 - ALPHA) as f32).mul_add(square - second, second));

        let direction = gradient / (second.sqrt() + rates.epsilon);
        Element {
            value: rates.rate.mul_add(-direction, element.value),
            second,
            ..element
        }
    }
}

/// 0 for a mean square below [`SMALLEST_SQUARE`].
#[inline(always)]
fn cut_square(value: f32) -> f32 {
    if value < SMALLEST_SQUARE { 0.0 } else { value }
}

/// The square, or 0 if that is below [`SMALLEST_SQUARE`].
#[inline(always)]
fn square_of(value: f32) -> f32 {
    let root = if value.abs() < SMALLEST_ROOT {
        0.0
    } else {
        value
    };
    root * root
}

/// Penalty, formula and cut of one parameter.
#[inline(always)]
fn update_one<F: Formula>(element: Element, gradient: f32, penalty: f32, rates: &Rates) -> Element {
    let value = element.value;
    let gradient = cut((rates.coupling * penalty).mul_add(value, gradient));
    let element = Element {
        value: (rates.decay * -penalty).mul_add(value, value),
        ..element
    };
    let updated = F::update(element, gradient, rates);

    Element {
        value: cut(updated.value),
        ..updated
    }
}

#[inline(always)]
fn update_elements<F: Formula>(
    optimiser: &Optimiser,
    rates: &Rates,
    parameters: &mut [f32],
    gradients: &[f32],
    moments: &mut Moments,
) {
    let states = moments.first.iter_mut().zip(&mut moments.second);
    let cells = parameters.iter_mut().zip(states);
    let steps = gradients.iter().zip(&optimiser.penalties);

    for ((value, (first, second)), (gradient, penalty)) in cells.zip(steps) {
        let element = Element {
            value: *value,
            first: *first,
            second: *second,
        };
        let updated = update_one::<F>(element, *gradient, *penalty, rates);
        *value = updated.value;
        *first = updated.first;
        *second = updated.second;
    }
}

dispatch! {
    fn update(
        optimiser: &Optimiser,
        rates: &Rates,
        parameters: &mut [f32],
        gradients: &[f32],
        moments: &mut Moments,
    ) {
        narrow: update_all,
        wide: update_all,
    }
}

#[inline(always)]
fn update_all(
    optimiser: &Optimiser,
    rates: &Rates,
    parameters: &mut [f32],
    gradients: &[f32],
    moments: &mut Moments,
) {
    match optimiser.method {
        Method::Adam | Method::AdamW => {
            update_elements::<Adam>(optimiser, rates, parameters, gradients, moments)
        }
        Method::Sgd { .. } => {
            update_elements::<Sgd>(optimiser, rates, parameters, gradients, moments)
        }
        Method::RmsProp => {
            update_elements::<RmsProp>(optimiser, rates, parameters, gradients, moments)
        }
    }
}

dispatch! {
    /// Shrinks `gradients` to an L2 norm of at most `limit`, by the factor min(1, limit / (norm +
    /// 10⁻⁶)); a limit of 0 changes nothing. Returns the norm before, which is not finite when a
    /// gradient is not, or cannot be squared in f32.
    pub fn clip(gradients: &mut [f32], limit: f64) -> f64 {
        narrow: clip_all,
        wide: clip_all,
    }
}

#[inline(always)]
fn clip_all(gradients: &mut [f32], limit: f64) -> f64 {
    let mut squares = 0.0;
    for block in gradients.chunks(NORM_BLOCK) {
        squares += sum_squares(block);
    }
    let norm = squares.sqrt();

    let factor = limit / (norm + NORM_EPSILON);
    if limit > 0.0 && factor < 1.0 {
        let factor = factor as f32;
        for gradient in gradients {
            *gradient = cut(*gradient) * factor;
        }
    }
    norm
}

/// Σ of squares of a block: side by side in f32, then in f64.
#[inline(always)]
fn sum_squares(block: &[f32]) -> f64 {
    let mut sums = [0.0_f32; NORM_LANES];
    let (chunks, rest) = block.as_chunks::<NORM_LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            let value = cut(*value);
            *sum = value.mul_add(value, *sum);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        let value = cut(*value);
        *sum = value.mul_add(value, *sum);
    }

    // Sums that stand eight apart, then these eight.
    let (sums, _) = sums.as_chunks::<8>();
    let mut eight = [0.0_f64; 8];
    for sums in sums {
        for (sum, value) in eight.iter_mut().zip(sums) {
            *sum += f64::from(*value);
        }
    }
    eight.iter().sum()
}
