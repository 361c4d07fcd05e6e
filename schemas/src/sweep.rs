//! Labels of a sweep, which is a family of trainings that differ in some keys, seeds and folds.
//! Those that share data set and strategy text are one operation.

/// Label of an operation of several trainings: how many, as in `15 trainings`.
pub const BUNDLE: &str = "bundle";
/// Label of a training: its number in the sweep, from 1.
pub const TRAINING: &str = "training";
/// Label of a training: the seed of its random choices.
pub const SEED: &str = "seed";
/// Label of a training: the number of its walk-forward fold, from 1; absent without folds.
pub const FOLD: &str = "fold";
/// Label of a training: its values of the swept keys, as in `learning_rate=1e-3`; absent where no
/// key is swept.
pub const COMBINATION: &str = "combination";

/// Label of the family: the name of the model whose versions the trainings make.
pub const MODEL: &str = "model";
/// Label of the family: the number of its trainings.
pub const TRAININGS: &str = "trainings";

/// The labels of a training in the order in which they are read, each with the word before it.
pub(crate) const PLACE: [(&str, &str); 5] = [
    (BUNDLE, ""),
    (TRAINING, TRAINING),
    (SEED, SEED),
    (FOLD, FOLD),
    (COMBINATION, ""),
];
