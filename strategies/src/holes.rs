//! Holes: values that an indicator really takes and that belong to no member of a fuzzy set over it.

use std::collections::BTreeMap;

use market::Timeframe;

use crate::features::{FeatureError, KnownBars, SymbolBars, check_volumes, known};
use crate::finding::{Finding, Findings};
use crate::fuzzy::{Membership, coverage};
use crate::resolve::{FeatureKind, Resolved};

/// Share of the values left out at each end: the rarest may belong to no set.
const TAIL: f64 = 0.01;

/// The members of a set, its line in the file, and where its values come from: position of the indicator, output column.
struct Set {
    line: usize,
    of: (usize, usize),
    members: Vec<(String, Membership)>,
}

/// Values of an indicator that belong to no member of a set over it, although they are among its central 98 %.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hole {
    /// Id of the set.
    set: String,
    timeframe: Timeframe,
    /// Of the set in the file.
    line: usize,
    /// Smallest and largest of the central values.
    central: (f64, f64),
    /// How many there are.
    values: usize,
    /// How many of them belong to no member.
    pub(crate) uncovered: usize,
    /// Smallest and largest of those.
    pub(crate) range: (f64, f64),
}

impl Hole {
    /// `{timeframe}_{set}`, which the features of the set begin with.
    pub(crate) fn name(&self) -> String {
        format!("{}_{}", self.timeframe, self.set)
    }

    /// Share of the central values that belong to no member.
    pub(crate) fn share(&self) -> f64 {
        self.uncovered as f64 / self.values.max(1) as f64
    }

    fn finding(&self) -> Finding {
        let Self { set, timeframe, line, central: (first, last), values, uncovered, range: (low, high) } = self;
        let message = format!(
            "{uncovered} of {values} values on {timeframe} between {first:.6} and {last:.6} (the central 98 %) belong to no \
             member; they lie from {low:.6} to {high:.6}"
        );
        Finding::warning(format!("fuzzy_sets.{set}"), *line, "fuzzy_set.hole", message)
    }
}

/// A warning for every fuzzy set and timeframe with a hole in the central 98 % of the values of its indicator.
///
/// # Errors
/// A timeframe has no bars, or an indicator refuses them.
pub fn holes(resolved: &Resolved, bars: &SymbolBars) -> Result<Findings, FeatureError> {
    let known = known(bars);
    check_volumes(resolved, &known)?;
    Ok(Findings::new(holes_in(resolved, &known, |_| true)?.iter().map(Hole::finding).collect()))
}

/// The holes of the sets whose `{timeframe}_{set}` is wanted.
pub(crate) fn holes_in(
    resolved: &Resolved,
    bars: &KnownBars<'_>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Hole>, FeatureError> {
    let mut sets: BTreeMap<(Timeframe, &str), Set> = BTreeMap::new();
    for feature in resolved.features.iter().filter(|feature| feature.lag == 0) {
        let FeatureKind::Membership { set, function, line } = &feature.kind else { continue };
        if wanted(&format!("{}_{set}", feature.timeframe)) {
            let of = (feature.indicator, feature.output);
            let own = Set { line: *line, of, members: Vec::new() };
            let entry = sets.entry((feature.timeframe, set)).or_insert(own);
            entry.members.push((feature.name.clone(), *function));
        }
    }
    let mut found = Vec::new();
    for ((timeframe, id), set) in sets {
        let (indicator, output) = set.of;
        let Some(planned) = resolved.indicators.get(indicator) else { continue };
        let own = bars.get(&timeframe).ok_or(FeatureError::NoBars { timeframe })?;
        let mut outputs = vec![vec![f64::NAN; own.len()]; planned.indicator.spec().output_count()];
        let refused = |source| FeatureError::Indicator { id: planned.id.clone(), timeframe, source };
        let mut walk = planned.indicator.walk(*own).map_err(refused)?;
        walk.fill(&mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
        let central = central(outputs.into_iter().nth(output).unwrap_or_default());
        let range = |low: (f64, f64), value: &f64| (low.0.min(*value), low.1.max(*value));
        let whole = central.iter().fold((f64::INFINITY, f64::NEG_INFINITY), range);
        let report = coverage(&set.members, central);
        if let Some(range) = report.uncovered_range {
            let (values, uncovered) = (report.values, report.uncovered);
            let (set, line) = (id.to_owned(), set.line);
            found.push(Hole { set, timeframe, line, central: whole, values, uncovered, range });
        }
    }
    Ok(found)
}

/// The finite values without the tails, in no order.
fn central(mut values: Vec<f64>) -> Vec<f64> {
    values.retain(|value| value.is_finite());
    let tail = (values.len() as f64 * TAIL).floor() as usize;
    let left = values.len() - 2 * tail;
    if tail > 0 {
        values.select_nth_unstable_by(tail, f64::total_cmp);
        values.drain(..tail);
        values.select_nth_unstable_by(left - 1, f64::total_cmp);
        values.truncate(left);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tails_are_one_per_cent_of_the_values_at_each_end() {
        let values: Vec<f64> = (0..200).rev().map(f64::from).chain([f64::NAN]).collect();
        let mut central = central(values);
        central.sort_by(f64::total_cmp);
        assert!(central.iter().copied().eq((2..198).map(f64::from)));
        assert_eq!(super::central(vec![1.0]), [1.0]);
        assert!(super::central(Vec::new()).is_empty());
    }
}
