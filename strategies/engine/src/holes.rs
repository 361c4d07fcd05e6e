//! Fuzzy sets over bars: how their members cover the values that an indicator really gave, and the
//! holes: values that belong to no member, so that a network cannot tell them apart.

use std::collections::BTreeMap;

use market::Timeframe;

use crate::features::{
    FeatureError, KnownBars, SymbolBars, borrow_bars, check_volumes, fill_outputs, get_series,
};
use crate::finding::{Finding, Findings};
use crate::fuzzy::{CoverageReport, Membership, measure_coverage};
use crate::resolve::{FeatureKind, Resolved};

/// Share of the values left out at each end: the rarest may belong to no set.
const TAIL: f64 = 0.01;

/// Values of an indicator that belong to no member of a set over it, although they are among its
/// central 98 %.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hole {
    /// Id of the set.
    set: String,
    timeframe: Timeframe,
    /// Line of the set in the strategy file, 1-based.
    line: usize,
    /// Smallest and largest of the central values.
    central_range: (f64, f64),
    /// Number of central values.
    values: usize,
    /// Number of central values that belong to no member.
    uncovered: usize,
    /// Smallest and largest of those.
    pub(crate) uncovered_range: (f64, f64),
}

impl Hole {
    /// `{timeframe}_{set}`, which the names of the set's features begin with.
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
            central_range: (first, last),
            values,
            uncovered,
            uncovered_range: (low, high),
        } = self;
        let message = format!(
            "{uncovered} of {values} values on {timeframe} between {first:.6} and {last:.6} \
             (the central 98 %) belong to no member; they lie from {low:.6} to {high:.6}"
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
    /// Timeframe that the indicator is computed on.
    pub timeframe: Timeframe,
    /// Counts over every bar from the first value on, the rarest values included; members have the
    /// names that the file gives them.
    pub coverage: CoverageReport,
}

/// Measures the coverage of every fuzzy set that is an input, on every timeframe that uses it.
///
/// # Errors
/// A timeframe has no bars, or an indicator refuses them.
pub fn measure_set_coverage(
    resolved: &Resolved,
    bars: &SymbolBars,
) -> Result<Vec<SetCoverage>, FeatureError> {
    let bars = borrow_bars(bars);
    check_volumes(resolved, &bars)?;

    let mut reports = Vec::new();
    for ((timeframe, id), set) in select_sets(resolved, |_| true) {
        let values = set.values(resolved, timeframe, &bars)?;
        reports.push(SetCoverage {
            set: id.to_owned(),
            timeframe,
            coverage: measure_coverage(&set.members, values),
        });
    }

    Ok(reports)
}

/// Finds every fuzzy set and timeframe with a hole in the central 98 % of the values of its
/// indicator; each is a warning.
///
/// # Errors
/// A timeframe has no bars, or an indicator refuses them.
pub fn find_holes(resolved: &Resolved, bars: &SymbolBars) -> Result<Findings, FeatureError> {
    let bars = borrow_bars(bars);
    check_volumes(resolved, &bars)?;

    let holes = find_holes_of(resolved, &bars, |_| true)?;
    Ok(Findings::new(holes.iter().map(Hole::finding).collect()))
}

/// The holes of the sets whose `{timeframe}_{set}` is selected.
///
/// # Errors
/// A timeframe has no bars, or an indicator refuses them.
pub(crate) fn find_holes_of(
    resolved: &Resolved,
    bars: &KnownBars<'_>,
    is_selected: impl Fn(&str) -> bool,
) -> Result<Vec<Hole>, FeatureError> {
    let mut holes = Vec::new();
    for ((timeframe, id), set) in select_sets(resolved, is_selected) {
        // A few extreme values outside every member are expected and no reason to warn.
        let central_values = without_tails(set.values(resolved, timeframe, bars)?);
        let central_range = range_of(&central_values);
        let report = measure_coverage(&set.members, central_values);

        if let Some(uncovered_range) = report.uncovered_range {
            holes.push(Hole {
                set: id.to_owned(),
                timeframe,
                line: set.line,
                central_range,
                values: report.values,
                uncovered: report.uncovered,
                uncovered_range,
            });
        }
    }

    Ok(holes)
}

/// A fuzzy set on one timeframe.
struct SetMembers {
    /// Line of the set in the strategy file, 1-based.
    line: usize,
    /// Position of the indicator that the set is over.
    indicator: usize,
    /// Position of the output of that indicator.
    output: usize,
    members: Vec<(String, Membership)>,
}

impl SetMembers {
    /// The values of the indicator output, one per bar of the timeframe.
    fn values(
        &self,
        resolved: &Resolved,
        timeframe: Timeframe,
        bars: &KnownBars<'_>,
    ) -> Result<Vec<f64>, FeatureError> {
        let Some(planned) = resolved.indicators.get(self.indicator) else {
            return Ok(Vec::new());
        };
        let outputs = fill_outputs(planned, get_series(bars, timeframe)?)?;

        Ok(outputs.into_iter().nth(self.output).unwrap_or_default())
    }
}

/// The sets whose `{timeframe}_{set}` is selected, by timeframe and id.
fn select_sets(
    resolved: &Resolved,
    is_selected: impl Fn(&str) -> bool,
) -> BTreeMap<(Timeframe, &str), SetMembers> {
    let mut sets: BTreeMap<(Timeframe, &str), SetMembers> = BTreeMap::new();

    // A feature with a lag has the values of the one without, which is always there.
    for feature in resolved.features.iter().filter(|feature| feature.lag == 0) {
        let FeatureKind::Membership {
            set,
            function,
            line,
        } = &feature.kind
        else {
            continue;
        };

        let set_name = format!("{}_{set}", feature.timeframe);
        if !is_selected(&set_name) {
            continue;
        }

        let set_members = sets
            .entry((feature.timeframe, set))
            .or_insert_with(|| SetMembers {
                line: *line,
                indicator: feature.indicator,
                output: feature.output,
                members: Vec::new(),
            });
        let member = feature.name.get(set_name.len() + 1..).unwrap_or_default();
        set_members.members.push((member.to_owned(), *function));
    }

    sets
}

/// Smallest and largest of finite values.
fn range_of(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);

    (low, high)
}

/// The finite values without the tails, in no order.
fn without_tails(mut values: Vec<f64>) -> Vec<f64> {
    values.retain(|value| value.is_finite());

    let tail = (values.len() as f64 * TAIL).floor() as usize;
    let central = values.len() - 2 * tail;
    if tail > 0 {
        values.select_nth_unstable_by(tail, f64::total_cmp);
        values.drain(..tail);
        values.select_nth_unstable_by(central - 1, f64::total_cmp);
        values.truncate(central);
    }

    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tails_are_one_per_cent_of_the_values_at_each_end() {
        let values = (0..200).rev().map(f64::from).chain([f64::NAN]).collect();

        let mut central = without_tails(values);

        central.sort_by(f64::total_cmp);
        assert!(central.into_iter().eq((2..198).map(f64::from)));
    }

    #[test]
    fn few_values_have_no_tails() {
        assert_eq!(without_tails(vec![1.0]), [1.0]);
        assert!(without_tails(Vec::new()).is_empty());
    }
}
