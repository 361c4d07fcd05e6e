//! Which instructions a hot loop is compiled for.
//!
//! [`dispatch!`] compiles a loop three times: for x86-64 with vectors of 512 bits, for x86-64 with
//! vectors of 256 bits and fused multiply-add, and for any processor. Each call takes the best one
//! that the processor has. All give the same bits, since each operation is one of IEEE 754, in one
//! order: only how many of them run at once differs.

/// Defines a function that is compiled for several sets of instructions. `narrow` is the body for
/// registers of up to 256 bits, `wide` the one for 512 bits: both give the same bits. They are
/// `#[inline(always)]`, or they would be compiled for any processor only.
macro_rules! dispatch {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? {
            narrow: $narrow:expr,
            wide: $wide:expr $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[multiversion::multiversion(
                targets("x86_64+avx512f+bmi1+bmi2", "x86_64+avx2+fma+bmi1+bmi2"),
                dispatcher = "direct"
            )]
            fn dispatched($($argument: $type),*) $(-> $result)? {
                multiversion::target::match_target! {
                    "x86_64+avx512f+bmi1+bmi2" => $wide($($argument),*),
                    _ => $narrow($($argument),*),
                }
            }

            // A test compares the versions on one processor.
            #[cfg(test)]
            {
                #[multiversion::multiversion(
                    targets("x86_64+avx2+fma+bmi1+bmi2"),
                    dispatcher = "direct"
                )]
                fn dispatched_narrowly($($argument: $type),*) $(-> $result)? {
                    $narrow($($argument),*)
                }

                match $crate::instructions::instructions() {
                    $crate::instructions::Instructions::Best => {}
                    $crate::instructions::Instructions::Narrow => {
                        return dispatched_narrowly($($argument),*);
                    }
                    $crate::instructions::Instructions::Portable => {
                        return $narrow($($argument),*);
                    }
                }
            }
            dispatched($($argument),*)
        }
    };
}

pub(crate) use dispatch;

#[cfg(test)]
pub(crate) use choice::{Instructions, instructions, run_with};

#[cfg(test)]
mod choice {
    use std::cell::Cell;

    /// What a thread may use.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Instructions {
        /// The best that there is.
        Best,
        /// The best without vectors of 512 bits.
        Narrow,
        /// What every processor has.
        Portable,
    }

    thread_local! {
        static CHOICE: Cell<Instructions> = const { Cell::new(Instructions::Best) };
    }

    /// What this thread may use.
    pub(crate) fn instructions() -> Instructions {
        CHOICE.get()
    }

    /// The result of `work` with some instructions only.
    pub(crate) fn run_with<T>(instructions: Instructions, work: impl FnOnce() -> T) -> T {
        CHOICE.set(instructions);
        let result = work();
        CHOICE.set(Instructions::Best);
        result
    }
}

#[cfg(test)]
mod tests {
    use schemas::manifests::{
        Activation, Firing, FuzzyInput, FuzzyMember, MlpShape, RecurrentShape, RuleBase, TensorSpec,
    };

    use super::Instructions;
    use super::choice::run_with;
    use crate::losses::{BatchLoss, Criterion, Loss, Targets};
    use crate::optimisers::{Method, Moments, Optimiser, clip};
    use crate::recurrent::{Gru, Lstm};
    use crate::tsk::Tsk;
    use crate::{Learner, Mlp};

    const ROWS: usize = 75;
    const INPUTS: usize = 9;
    const BATCH: usize = 22;
    const OUTPUTS: usize = 3;

    /// Layers whose widths are no multiple of any register.
    fn shape(activation: Activation) -> MlpShape {
        MlpShape {
            hidden_layers: vec![37, 19],
            activation,
            dropout: 0.2,
        }
    }

    /// Numbers in [−1, 1) that look random: multiples of the golden ratio without their integers.
    fn numbers(count: usize) -> Vec<f32> {
        let fractions = (1..=count).map(|index| (index as f64 * 0.618_033_988_749_895).fract());
        fractions.map(|it| (2.0 * it - 1.0) as f32).collect()
    }

    /// A training with every part that counts numbers.
    struct Training {
        learner: Box<dyn Learner>,
        criterion: Criterion,
        optimiser: Optimiser,
        moments: Moments,
        parameters: Vec<f32>,
        sums: BatchLoss,
    }

    impl Training {
        fn new(mut learner: Box<dyn Learner>, loss: Loss, method: Method) -> Self {
            let mut parameters = numbers(learner.parameter_count());
            learner.constrain(&mut parameters);
            let tensor = TensorSpec::new("all", vec![1, parameters.len()]);

            Self {
                learner,
                criterion: Criterion::new(loss, &[0.5, 1.5, 1.0], OUTPUTS),
                optimiser: Optimiser::new(method, 1e-3, &[tensor]),
                moments: Moments::new(parameters.len()),
                parameters,
                sums: BatchLoss::default(),
            }
        }

        fn step(&mut self, inputs: &[f32], labels: &[i64]) {
            let mut masks = numbers(labels.len() * self.learner.dropout_count());
            masks.iter_mut().for_each(|it| *it = it.signum() + 1.0);
            let mut scores = Vec::new();
            let mut slopes = Vec::new();
            let mut gradients = vec![0.0; self.parameters.len()];

            let learner = self.learner.as_mut();
            learner.forward(&self.parameters, inputs, &masks, &mut scores);
            let targets = Targets::Classes(labels);
            let loss = self
                .criterion
                .differentiate(&scores, targets, &[], &mut slopes);
            self.sums.add(loss);
            learner.backward(&self.parameters, inputs, &masks, &slopes, &mut gradients);
            clip(&mut gradients, 0.5);
            self.optimiser
                .step(&mut self.parameters, &gradients, &mut self.moments, 0.01);
            self.learner.constrain(&mut self.parameters);
        }

        /// Weights, moments and the sum of losses, as bits of f64.
        fn bits(&self) -> Vec<u64> {
            let moments = self.moments.first.iter().chain(&self.moments.second);
            let values = self.parameters.iter().chain(moments);
            let bits = values.map(|value| f64::from(*value).to_bits());
            bits.chain([self.sums.loss_sum.to_bits()]).collect()
        }
    }

    /// What four epochs leave.
    fn train(learner: Box<dyn Learner>, loss: Loss, method: Method) -> Vec<u64> {
        let width = learner.input_count();
        let inputs = numbers(ROWS * width);
        let labels: Vec<i64> = (0..ROWS as i64).map(|row| row * row % 3).collect();
        let mut training = Training::new(learner, loss, method);

        for _ in 0..4 {
            let batches = inputs.chunks(BATCH * width).zip(labels.chunks(BATCH));
            for (inputs, labels) in batches {
                training.step(inputs, labels);
            }
            let mut scores = Vec::new();
            let learner = training.learner.as_mut();
            learner.score(&training.parameters, &inputs, &mut scores);
            let targets = Targets::Classes(&labels);
            let loss = training.criterion.evaluate(&scores, targets, &[]);
            training.sums.add(loss);
        }
        training.bits()
    }

    /// Refuses other bits on fewer instructions.
    fn assert_same_bits(name: &str, train: impl Fn() -> Vec<u64>) {
        let best = train();
        assert!(best.iter().all(|bits| f64::from_bits(*bits).is_finite()));

        for instructions in [Instructions::Narrow, Instructions::Portable] {
            let other = run_with(instructions, &train);
            assert!(other == best, "{name} on {instructions:?} instructions");
        }
    }

    #[test]
    fn every_processor_trains_the_same_weights() {
        let cross_entropy = Loss::CrossEntropy { smoothing: 0.1 };
        let focal = Loss::Focal { gamma: 1.7 };

        for (activation, loss, method) in [
            (Activation::Relu, cross_entropy, Method::Adam),
            (Activation::Tanh, focal, Method::AdamW),
            (Activation::Sigmoid, cross_entropy, Method::RmsProp),
            (Activation::LeakyRelu, focal, Method::Sgd { momentum: 0.9 }),
        ] {
            let mlp = || Mlp::new(&shape(activation), INPUTS, OUTPUTS);
            let train = || train(Box::new(mlp()), loss, method);
            assert_same_bits(&format!("{activation:?}"), train);
        }
    }

    #[test]
    fn every_processor_trains_the_same_recurrent_layers() {
        let loss = Loss::CrossEntropy { smoothing: 0.0 };
        let shape = RecurrentShape {
            sequence_length: 5,
            hidden_size: 13,
            num_layers: 2,
            dropout: 0.2,
        };

        let lstm = || Lstm::new(&shape, INPUTS, OUTPUTS);
        assert_same_bits("lstm", || train(Box::new(lstm()), loss, Method::Adam));
        let gru = || Gru::new(&shape, INPUTS, OUTPUTS);
        assert_same_bits("gru", || train(Box::new(gru()), loss, Method::Adam));
    }

    /// Rules over low, middle and high members of every input; some leave inputs out.
    fn rule_base(firing: Firing) -> RuleBase {
        let input = FuzzyInput {
            name: "input".to_owned(),
            members: vec![FuzzyMember::default(); 3],
            low: -1.0,
            high: 1.0,
        };

        RuleBase {
            inputs: vec![input; INPUTS],
            rules: (0..11).map(members_of_rule).collect(),
            firing,
        }
    }

    fn members_of_rule(rule: usize) -> Vec<Option<usize>> {
        let member = |input: usize| (input != rule % 7).then_some((rule + input * input) % 3);
        (0..INPUTS).map(member).collect()
    }

    #[test]
    fn every_processor_trains_the_same_rules() {
        let loss = Loss::CrossEntropy { smoothing: 0.0 };

        for firing in [Firing::Mean, Firing::Product] {
            let rules = || Tsk::new(&rule_base(firing), OUTPUTS);
            let train = || train(Box::new(rules()), loss, Method::Adam);
            assert_same_bits(&format!("{firing:?}"), train);
        }
    }
}
