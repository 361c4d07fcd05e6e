//! How weights follow the gradient: optimiser and learning rate.

use schemas::training::{DEFAULT_MOMENTUM, Optimizer, TrainingSettings};

use crate::fields::Fields;

/// What `optimizer` may be, with the parameters of each by default.
pub(super) const OPTIMIZERS: [(&str, Optimizer); 4] = [
    ("adam", Optimizer::Adam),
    ("adamw", Optimizer::Adamw),
    (
        "sgd",
        Optimizer::Sgd {
            momentum: DEFAULT_MOMENTUM,
        },
    ),
    ("rmsprop", Optimizer::Rmsprop),
];

/// The learning rate, within the bounds of the optimiser that takes it: the one that was read, else
/// that of `before`.
pub(super) fn read_learning_rate(
    fields: &Fields<'_>,
    optimizer: Option<Optimizer>,
    before: &TrainingSettings,
) -> Option<f64> {
    let max = match optimizer {
        Some(optimizer) => optimizer.learning_rate_max(),
        // Any optimiser may be meant.
        None if fields.has("optimizer") => widest_rate(),
        None => before.optimizer.learning_rate_max(),
    };

    let expected = format!("a number above 0 and at most {max}");
    fields.number("learning_rate", &expected, |rate| rate > 0.0 && rate <= max)
}

fn widest_rate() -> f64 {
    let rates = OPTIMIZERS.iter().map(|(_, each)| each.learning_rate_max());
    rates.fold(0.0, f64::max)
}
