//! Fuzzy sets over bars: how their members cover what an indicator really gave, and the holes,
//! values that belong to none.

use std::collections::BTreeMap;

use market::Timeframe;

use crate::features::{FeatureError, KnownBars, SymbolBars, check_volumes, known};
use crate::finding::{Finding, Findings};
use crate::fuzzy::{Coverage, Membership, coverage};
use crate::resolve::{FeatureKind, Resolved};

/// Share of the values left out at each end: the rarest may belong to no set.
const TAIL: f64 = 0.01;

/// The members of a set, its line in the file, and where its values come from: position of the
/// indicator, output column.
struct Set {
    line: usize,
    of: (usize, usize),
    members: Vec<(String, Membership)>,
}

/// Values of an indicator that belong to no member of a set over it, although they are among its
/// central 98 %.
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
        let Self {
            set,
            timeframe,
            line,
            central: (first, last),
            values,
            uncovered,
            range: (low, high),
        } = self;
        let message = format!(
            "{uncovered} of {values} values on {timeframe} between {first:.6} and {last:.6} (the central 98 %) belong to no \
             member; they lie from {low:.6} to {high:.6}"
        );
        Finding::warning(
            format!("fuzzy_sets.{set}"),
            *line,
            "fuzzy_set.hole",
            message,
        )
    }
}

/// How the members of one fuzzy set cover all values of its indicator on one timeframe.
#[derive(Clone, Debug, PartialEq)]
pub struct SetCoverage {
    /// Id of the set.
    pub set: String,
    /// Whose bars.
    pub timeframe: Timeframe,
    /// Of every bar from the first value on, the rarest included; members have the names that the
    /// file gives them.
    pub coverage: Coverage,
}

/// The coverage of every fuzzy set that is an input, on every timeframe that it is one of.
///
/// # Errors
/// A timeframe has no bars, or an indicator refuses them.
pub fn set_coverage(
    resolved: &Resolved,
    bars: &SymbolBars,
) -> Result<Vec<SetCoverage>, FeatureError> {
    let known = known(bars);
    check_volumes(resolved, &known)?;
    let mut reports = Vec::new();
    for ((timeframe, set), Set { of, members, .. }) in sets(resolved, |_| true) {
        let coverage = coverage(&members, values(resolved, of, timeframe, &known)?);
        reports.push(SetCoverage {
            set: set.to_owned(),
            timeframe,
            coverage,
        });
    }
    Ok(reports)
}

/// A warning for every fuzzy set and timeframe with a hole in the central 98 % of the values of its
/// indicator.
///
/// # Errors
/// A timeframe has no bars, or an indicator refuses them.
pub fn holes(resolved: &Resolved, bars: &SymbolBars) -> Result<Findings, FeatureError> {
    let known = known(bars);
    check_volumes(resolved, &known)?;
    Ok(Findings::new(
        holes_in(resolved, &known, |_| true)?
            .iter()
            .map(Hole::finding)
            .collect(),
    ))
}

/// The holes of the sets whose `{timeframe}_{set}` is wanted.
pub(crate) fn holes_in(
    resolved: &Resolved,
    bars: &KnownBars<'_>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Hole>, FeatureError> {
    let mut found = Vec::new();
    for ((timeframe, id), set) in sets(resolved, wanted) {
        let central = central(values(resolved, set.of, timeframe, bars)?);
        let range = |low: (f64, f64), value: &f64| (low.0.min(*value), low.1.max(*value));
        let whole = central
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), range);
        let report = coverage(&set.members, central);
        if let Some(range) = report.uncovered_range {
            let (values, uncovered) = (report.values, report.uncovered);
            let (set, line) = (id.to_owned(), set.line);
            found.push(Hole {
                set,
                timeframe,
                line,
                central: whole,
                values,
                uncovered,
                range,
            });
        }
    }
    Ok(found)
}

/// The sets whose `{timeframe}_{set}` is wanted, by timeframe and id.
fn sets(resolved: &Resolved, wanted: impl Fn(&str) -> bool) -> BTreeMap<(Timeframe, &str), Set> {
    let mut sets: BTreeMap<(Timeframe, &str), Set> = BTreeMap::new();
    for feature in resolved.features.iter().filter(|feature| feature.lag == 0) {
        let FeatureKind::Membership {
            set,
            function,
            line,
        } = &feature.kind
        else {
            continue;
        };
        let name = format!("{}_{set}", feature.timeframe);
        if wanted(&name) {
            let of = (feature.indicator, feature.output);
            let own = Set {
                line: *line,
                of,
                members: Vec::new(),
            };
            let entry = sets.entry((feature.timeframe, set)).or_insert(own);
            let member = feature.name.get(name.len() + 1..).unwrap_or_default();
            entry.members.push((member.to_owned(), *function));
        }
    }
    sets
}

/// What an indicator gives in one of its outputs, a value a bar.
fn values(
    resolved: &Resolved,
    (indicator, output): (usize, usize),
    timeframe: Timeframe,
    bars: &KnownBars<'_>,
) -> Result<Vec<f64>, FeatureError> {
    let Some(planned) = resolved.indicators.get(indicator) else {
        return Ok(Vec::new());
    };
    let own = bars
        .get(&timeframe)
        .ok_or(FeatureError::NoBars { timeframe })?;
    let mut outputs = vec![vec![f64::NAN; own.len()]; planned.indicator.spec().output_count()];
    let refused = |source| FeatureError::Indicator {
        id: planned.id.clone(),
        timeframe,
        source,
    };
    let mut walk = planned.indicator.walk(*own).map_err(refused)?;
    walk.fill(
        &mut outputs
            .iter_mut()
            .map(Vec::as_mut_slice)
            .collect::<Vec<_>>(),
    );
    Ok(outputs.into_iter().nth(output).unwrap_or_default())
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
