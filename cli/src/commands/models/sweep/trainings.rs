//! The trainings of a sweep: every combination, on every fold, from every seed.

use std::collections::HashSet;
use std::path::Path;

use jiff::Timestamp;
use market::Utc;
use schemas::codes;
use schemas::commands::{FetchBars, FetchMode};
use schemas::operation::NewOperation;
use schemas::requests::DataLoad;
use strategies::{EditError, Fold, Overrides, Strategy, training_keys, with_value};

use super::bundles::{CheckedCombination, SweptBundle, bundles_of};
use super::grid::{Combination, Pair, combine};
use crate::arguments::FetchModeArg;
use crate::commands::models::train::{TrainArgs, overrides_of, training_request};
use crate::console::{Exit, Failure, count_of};
use crate::context::Context;
use crate::inputs::day_folds::whole_day_folds;
use crate::inputs::strategy_files::{find_strategy, in_file};
use crate::inputs::training_keys::{TRAINING_PREFIX, put_training_key};

/// Most trainings of a sweep.
const TRAININGS_MAX: usize = 10_000;
/// What begins the paths of keys of the text that say nothing about the data set. A wrong guess
/// only makes two trainings compute the same one.
const OUTSIDE_DATA: [&str; 2] = ["model.architecture.", "decisions."];

/// The trainings of a sweep, and what they are made of.
pub(super) struct SweptTrainings {
    /// Operations that make a data set each; what they fetch comes before them.
    pub(super) first: Vec<NewOperation>,
    /// Those that find their data set made.
    pub(super) others: Vec<NewOperation>,
    /// The load of the bars, unless they are used as stored.
    pub(super) load: Option<NewOperation>,
    /// Name of the strategy.
    pub(super) strategy: String,
    /// Name of the model whose versions they become.
    pub(super) model: String,
    pub(super) combinations: usize,
    pub(super) folds: usize,
    pub(super) seeds: usize,
    /// Epochs that all trainings together are allowed.
    pub(super) epochs_allowed: u64,
}

impl SweptTrainings {
    /// Number of trainings.
    pub(super) fn count(&self) -> usize {
        self.combinations * self.seeds * self.folds
    }
}

/// Makes the trainings of the command.
///
/// # Errors
/// The strategy or one of its combinations is wrong, or there are too many.
pub(super) fn make_trainings(
    args: &TrainArgs,
    context: &Context,
) -> Result<SweptTrainings, Failure> {
    let (path, text) = find_strategy(&args.strategy, context)?;
    let combinations = combine(&args.sweep.sweep);
    let seeds = usize::from(args.sweep.seeds.unwrap_or(1));
    refuse_two_seeds(args)?;
    refuse_many(combinations.len(), seeds, args)?;

    let mut checked = Vec::with_capacity(combinations.len());
    for combination in combinations {
        checked.push(check_combination(&path, &text, combination, args)?);
    }
    let plain = checked.first().ok_or_else(no_combination)?;
    let folds = folds_of(plain, args)?;

    let mut trainings = SweptTrainings {
        first: Vec::new(),
        others: Vec::new(),
        load: load_before(&checked, args)?,
        strategy: plain.resolved.name.clone(),
        model: args.model.clone().unwrap_or_else(|| {
            let now = Utc::from_timestamp(Timestamp::now());
            name_of_sweep(&plain.resolved.name, now)
        }),
        combinations: checked.len(),
        folds: folds.len().max(1),
        seeds,
        epochs_allowed: epochs_of(&checked) * (seeds * folds.len().max(1)) as u64,
    };

    // One operation for what shares rows and text; the first of each data set goes ahead.
    let mut data_sets = HashSet::new();
    for bundle in bundles_of(&checked, &folds, seeds) {
        let operation = make_operation(&bundle, &trainings.model, args)?;
        match data_sets.insert((&bundle.first.data_part, bundle.number_of_fold())) {
            true => trainings.first.push(operation),
            false => trainings.others.push(operation),
        }
    }
    Ok(trainings)
}

/// Epochs that one training of each combination is allowed, added up.
fn epochs_of(combinations: &[CheckedCombination]) -> u64 {
    let epochs = combinations.iter();
    epochs
        .map(|combination| u64::from(combination.resolved.settings.epochs))
        .sum()
}

/// The folds of the command; none where it does not ask for any.
fn folds_of(plain: &CheckedCombination, args: &TrainArgs) -> Result<Vec<Fold>, Failure> {
    match args.sweep.folds {
        Some(folds) => whole_day_folds(&plain.resolved, folds),
        None => Ok(Vec::new()),
    }
}

/// The strategy with the values of the combination: keys of `training` are changes of the request,
/// as those of `--set`; all others stand in the text.
fn check_combination(
    path: &Path,
    text: &str,
    combination: Combination,
    args: &TrainArgs,
) -> Result<CheckedCombination, Failure> {
    let mut text = text.to_owned();
    let mut overrides = overrides_of(args);
    let mut data_part = String::new();
    for Pair { key, value, .. } in &combination.pairs {
        if let Some(key) = key
            .strip_prefix(TRAINING_PREFIX)
            .filter(|key| sets_trainer(key))
        {
            put_training_key(&mut overrides.training, key, value);
            continue;
        }
        text = with_value(&text, key, value).map_err(|error| refused_key(&error))?;
        if !OUTSIDE_DATA.iter().any(|prefix| key.starts_with(prefix)) {
            data_part.push_str(&format!("{key}={value};"));
        }
    }

    let strategy = Strategy::parse(&text)
        .map_err(|findings| in_combination(&combination, in_file(path, findings.into())))?;
    let resolved = strategy.resolve(&overrides).map_err(|findings| {
        let hint = "change the value of `--sweep` or the flag named after `request.`";
        let failure = in_file(path, Failure::from(findings).with_hint(hint));
        in_combination(&combination, failure)
    })?;
    Ok(CheckedCombination {
        combination,
        text,
        data_part,
        strategy,
        overrides,
        resolved,
    })
}

/// The failure of a combination, which it names.
fn in_combination(combination: &Combination, failure: Failure) -> Failure {
    if combination.pairs.is_empty() {
        return failure;
    }
    Failure {
        message: format!("with {}: {}", combination.text(), failure.message),
        ..failure
    }
}

/// True for a key of `training` that sets the trainer; the others say what is learnt from which
/// rows, and stand in the text.
fn sets_trainer(key: &str) -> bool {
    let section = key.split('.').next().unwrap_or(key);
    let mut keys = training_keys().iter();
    keys.any(|each| each.path() == key || each.section == key || each.name == section)
}

fn refused_key(error: &EditError) -> Failure {
    Failure::of(Exit::Usage, codes::STRATEGY_INVALID, error).with_hint(
        "`--sweep` takes the keys that the file has, and those of `training` that set the trainer",
    )
}

/// The operation of a bundle. One training alone is an operation as without a sweep.
fn make_operation(
    bundle: &SweptBundle<'_>,
    model: &str,
    args: &TrainArgs,
) -> Result<NewOperation, Failure> {
    let first = bundle.first_member();
    let mut overrides = Overrides {
        seed: Some(first.seed),
        ..bundle.first.overrides.clone()
    };
    if let Some(fold) = &bundle.fold {
        overrides.start = Some(fold.cut.start);
        overrides.validation_start = Some(fold.cut.cuts.validation_start);
        overrides.test_start = Some(fold.cut.cuts.test_start);
        overrides.end = fold.cut.end;
        overrides.validation_split = None;
    }
    let resolved = bundle.first.strategy.resolve(&overrides);
    let resolved = resolved.map_err(Failure::from)?;

    let text = bundle.first.text.clone();
    let mut training = training_request(args, text, model, &overrides, &resolved)?;
    training.fetch.mode = FetchMode::Local;
    training.labels.extend(bundle.labels());
    training.bundle = bundle.command(args.sweep.is_fail_fast());

    let mut operation = training.operation();
    args.run.mark(&mut operation);
    Ok(operation)
}

/// The bars of all trainings, once, where they are not to be used as stored.
fn load_before(
    combinations: &[CheckedCombination],
    args: &TrainArgs,
) -> Result<Option<NewOperation>, Failure> {
    if args.data_mode == FetchModeArg::Local {
        return Ok(None);
    }

    let mut load: Option<DataLoad> = None;
    for combination in combinations {
        let text = combination.text.clone();
        let resolved = &combination.resolved;
        let overrides = &combination.overrides;
        let training = training_request(args, text, &resolved.name, overrides, resolved)?;
        match &mut load {
            Some(load) => widen(&mut load.fetch, training.fetch),
            None => {
                load = Some(DataLoad {
                    fetch: training.fetch,
                    labels: training.labels,
                });
            }
        }
    }
    Ok(load.map(|load| {
        let mut operation = load.operation();
        args.run.mark(&mut operation);
        operation
    }))
}

/// Makes `fetch` bring what `other` brings, too.
fn widen(fetch: &mut FetchBars, other: FetchBars) {
    for series in other.series {
        if !fetch.series.contains(&series) {
            fetch.series.push(series);
        }
    }

    // An open end is the widest.
    fetch.start = fetch.start.zip(other.start).map(|(one, two)| one.min(two));
    fetch.end = fetch.end.zip(other.end).map(|(one, two)| one.max(two));
}

/// Two flags that would both say which seeds are trained.
fn refuse_two_seeds(args: &TrainArgs) -> Result<(), Failure> {
    let sweeps_seed = args
        .sweep
        .sweep
        .iter()
        .any(|swept| swept.key == "training.seed");
    if !sweeps_seed {
        return Ok(());
    }
    let message = "`--sweep training.seed` makes a combination of each seed";
    Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
        .with_hint("use --seeds N, and --seed for the first of them: their results are averaged"))
}

fn refuse_many(combinations: usize, seeds: usize, args: &TrainArgs) -> Result<(), Failure> {
    let folds = usize::from(args.sweep.folds.unwrap_or(1));
    refuse_above_most(combinations.saturating_mul(seeds).saturating_mul(folds))
}

fn refuse_above_most(trainings: usize) -> Result<(), Failure> {
    if trainings <= TRAININGS_MAX {
        return Ok(());
    }
    let message = format!(
        "{}, at most {TRAININGS_MAX}",
        count_of(trainings, "training")
    );
    Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
        .with_hint("sweep fewer values, seeds or folds"))
}

fn no_combination() -> Failure {
    Failure::new(Exit::Usage, codes::OPS_INVALID, "nothing to train")
        .with_hint("give values to `--sweep`")
}

/// A name of its own, so that no version of a model in use becomes that of a fold by accident.
fn name_of_sweep(model: &str, now: Utc) -> String {
    let stamp = now.timestamp().strftime("-sweep-%Y%m%d-%H%M%S").to_string();
    let beginning: String = model.chars().take(64 - stamp.len()).collect();
    format!("{beginning}{stamp}")
}

#[cfg(test)]
mod tests {
    use schemas::commands::SeriesRequest;

    use super::*;

    fn fetch(symbol: &str, start: Option<&str>) -> FetchBars {
        FetchBars {
            provider: "file".to_owned(),
            series: vec![SeriesRequest {
                symbol: symbol.to_owned(),
                timeframe: "1h".to_owned(),
            }],
            mode: FetchMode::Full,
            start: start.map(|start| start.parse().unwrap()),
            end: start.map(|start| start.parse().unwrap()),
            refetch: false,
            calendar: None,
            accept_finer: true,
            accept_stored: false,
        }
    }

    #[test]
    fn one_load_brings_what_every_combination_needs() {
        let early = Some("2014-01-01T00:00:00Z");
        let late = Some("2015-01-01T00:00:00Z");

        let mut load = fetch("EURUSD", late);
        widen(&mut load, fetch("EURUSD", early));
        widen(&mut load, fetch("AAPL", late));

        let symbols: Vec<&str> = load.series.iter().map(|it| it.symbol.as_str()).collect();
        assert_eq!(symbols, ["EURUSD", "AAPL"]);
        assert_eq!((load.start, load.end), (early.map(parse), late.map(parse)));
        widen(&mut load, fetch("AAPL", None));
        assert_eq!((load.start, load.end), (None, None));
    }

    fn parse(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_name_of_a_sweep_is_a_name() {
        let now = Utc(1_700_000_000_000_000);
        assert_eq!(name_of_sweep("trend", now), "trend-sweep-20231114-221320");
        let longest = name_of_sweep(&"x".repeat(64), now);
        assert!(strategies::is_name(&longest), "{longest}");
    }

    #[test]
    fn a_sweep_has_at_most_10_000_trainings() {
        refuse_above_most(10_000).unwrap();

        let refusal = refuse_above_most(10_001).unwrap_err();
        assert_eq!(refusal.message, "10001 trainings, at most 10000");
        assert_eq!(refusal.hint, "sweep fewer values, seeds or folds");
    }
}
