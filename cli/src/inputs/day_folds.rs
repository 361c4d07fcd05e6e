//! Walk-forward folds over whole days.

use market::Utc;
use schemas::codes;
use schemas::names::MICROS_PER_DAY;
use strategies::{Fold, Growth, Resolved, WalkForward, walk_forward};

use crate::console::{Exit, Failure};

/// Share of the whole time in the training part of the first fold, unless a command says another.
pub(crate) const TRAIN_SHARE: f64 = 0.5;
/// Share of the whole time in the validation part of every fold, unless a command says another.
pub(crate) const VALIDATION_SHARE: f64 = 0.1;

/// The folds over the whole days of a resolved strategy before its sealed period, as `ktrdr
/// strategies folds` lists them without flags.
///
/// # Errors
/// The strategy does not say from when to when, or its time is too short for that many folds.
pub(crate) fn whole_day_folds(resolved: &Resolved, folds: u16) -> Result<Vec<Fold>, Failure> {
    let hint = "add --start DATE --end DATE";
    // The sealed period is in no fold.
    let end = resolved.open_end();
    let instants = days_between(resolved.start, end, hint)?;
    let plan = WalkForward {
        folds: folds.into(),
        growth: Growth::Expanding,
        train: TRAIN_SHARE,
        validation: VALIDATION_SHARE,
    };

    let days = instants.len();
    let mut cut = walk_forward(&plan, instants).map_err(|_| {
        let message = format!("{days} days are too few for {folds} folds");
        Failure::new(Exit::Usage, codes::STRATEGY_FOLDS, message)
            .with_hint("cut a longer time, or ask for fewer --folds")
    })?;
    // The last fold is closed too, so that bars that come later change no test.
    for fold in &mut cut {
        fold.end = fold.end.or(end);
    }
    Ok(cut)
}

/// Every whole day from `start` on that ends before `end` or with it.
///
/// # Errors
/// There is no start or no end, for which `hint` says a way out, or the end is not after the start.
pub(crate) fn days_between(
    start: Option<Utc>,
    end: Option<Utc>,
    hint: &str,
) -> Result<Vec<Utc>, Failure> {
    let start = start.ok_or_else(|| unbounded_time(hint))?;
    let end = end.ok_or_else(|| unbounded_time(hint))?;
    if end <= start {
        let message = format!("the end {end} is not after the start {start}");
        return Err(Failure::new(Exit::Usage, codes::STRATEGY_FOLDS, message)
            .with_hint("change --start or --end"));
    }

    // A last day that is not whole has no instant of its own.
    let days = (end.0.saturating_sub(start.0)).div_euclid(MICROS_PER_DAY);
    let instants = (0..days).map(|day| start.plus_micros(day * MICROS_PER_DAY));
    Ok(instants.collect())
}

/// Days can only be cut between two instants.
fn unbounded_time(hint: &str) -> Failure {
    let message = "the time to cut needs a start and an end, and neither the flags nor the \
                   strategy give both";
    Failure::new(Exit::Usage, codes::STRATEGY_FOLDS, message).with_hint(hint)
}
