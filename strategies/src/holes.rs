//! Holes: values that an indicator really takes and that belong to no member of a fuzzy set over it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use market::Timeframe;

use crate::features::{FeatureError, SymbolBars};
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

/// A warning for every fuzzy set and timeframe with a hole in the central 98 % of the values of its indicator.
///
/// # Errors
/// A timeframe has no bars, or an indicator refuses them.
pub fn holes(resolved: &Resolved, bars: &SymbolBars) -> Result<Findings, FeatureError> {
    let mut sets: BTreeMap<(Timeframe, &str), Set> = BTreeMap::new();
    for feature in resolved.features.iter().filter(|feature| feature.lag == 0) {
        let FeatureKind::Membership { set, function, line } = &feature.kind else { continue };
        let entry = sets.entry((feature.timeframe, set)).or_insert_with(|| Set {
            line: *line,
            of: (feature.indicator, feature.output),
            members: Vec::new(),
        });
        entry.members.push((feature.name.clone(), *function));
    }
    let mut computed: BTreeMap<usize, Vec<Vec<f64>>> = BTreeMap::new();
    let mut found = Vec::new();
    for ((timeframe, id), set) in &sets {
        let (indicator, output) = set.of;
        let Some(planned) = resolved.indicators.get(indicator) else { continue };
        if let Entry::Vacant(place) = computed.entry(indicator) {
            let own = bars.get(timeframe).ok_or(FeatureError::NoBars { timeframe: *timeframe })?;
            let outputs = planned.indicator.compute(own).map_err(|source| FeatureError::Indicator {
                id: planned.id.clone(),
                timeframe: *timeframe,
                source,
            })?;
            place.insert(outputs);
        }
        let values = computed.get(&indicator).and_then(|outputs| outputs.get(output)).map_or(&[][..], Vec::as_slice);
        let central = central(values);
        let report = coverage(&set.members, central.iter().copied());
        if let (Some((low, high)), Some(first), Some(last)) = (report.uncovered_range, central.first(), central.last())
        {
            let message = format!(
                "{} of {} values on {timeframe} between {first:.6} and {last:.6} (the central 98 %) belong to no member; \
                 they lie from {low:.6} to {high:.6}",
                report.uncovered, report.values
            );
            found.push(Finding::warning(format!("fuzzy_sets.{id}"), set.line, "fuzzy_set.hole", message));
        }
    }
    Ok(Findings::new(found))
}

/// The finite values without the tails, ascending.
fn central(values: &[f64]) -> Vec<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let tail = (finite.len() as f64 * TAIL).floor() as usize;
    finite.truncate(finite.len() - tail);
    finite.split_off(tail.min(finite.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tails_are_one_per_cent_of_the_values_at_each_end() {
        let values: Vec<f64> = (0..200).map(f64::from).chain([f64::NAN]).collect();
        let central = central(&values);
        assert_eq!((central.first(), central.last(), central.len()), (Some(&2.0), Some(&197.0), 196));
        assert_eq!(super::central(&[1.0]), [1.0]);
        assert!(super::central(&[]).is_empty());
    }
}
