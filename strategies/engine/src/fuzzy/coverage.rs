//! What a fuzzy set says as a whole: which values belong to it how strongly, which to no member,
//! and the set in words.

use serde::Serialize;

use super::Membership;

/// How the members of a set cover the values that an indicator really gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoverageReport {
    /// Values looked at; NaN is left out.
    pub values: usize,
    /// Values with a degree of 0 in every member. A network cannot tell them apart.
    pub uncovered: usize,
    /// Smallest and largest of those.
    pub uncovered_range: Option<(f64, f64)>,
    /// The value whose strongest degree is the smallest, with that degree.
    pub weakest: Option<(f64, f64)>,
    /// One entry a member, in order.
    pub members: Vec<MemberCoverage>,
}

/// What one member does with the values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberCoverage {
    /// Its name in the set.
    pub name: String,
    /// Mean degree over all values, 0 to 1.
    pub mean_degree: f64,
    /// Values with a degree above 0.
    pub active: usize,
    /// Values for which it is the strongest member (the first one among equals) and above 0.
    pub strongest: usize,
}

/// How `members` (name and function) cover `values`.
pub fn measure_coverage(
    members: &[(String, Membership)],
    values: impl IntoIterator<Item = f64>,
) -> CoverageReport {
    let member = |(name, _): &(String, _)| MemberCoverage {
        name: name.clone(),
        mean_degree: 0.0,
        active: 0,
        strongest: 0,
    };
    let entries = members.iter().map(member).collect();
    let mut report = CoverageReport {
        values: 0,
        uncovered: 0,
        uncovered_range: None,
        weakest: None,
        members: entries,
    };
    for value in values.into_iter().filter(|value| !value.is_nan()) {
        report.values += 1;
        let (mut strongest, mut winner) = (0.0, None);
        for ((_, function), entry) in members.iter().zip(&mut report.members) {
            let degree = function.degree(value);
            entry.mean_degree += degree;
            entry.active += usize::from(degree > 0.0);
            if degree > strongest {
                strongest = degree;
                winner = Some(&mut entry.strongest);
            }
        }
        if let Some(winner) = winner {
            *winner += 1;
        } else {
            report.uncovered += 1;
            let (low, high) = report.uncovered_range.unwrap_or((value, value));
            report.uncovered_range = Some((low.min(value), high.max(value)));
        }
        if report.weakest.is_none_or(|(_, least)| strongest < least) {
            report.weakest = Some((value, strongest));
        }
    }
    for entry in &mut report.members {
        entry.mean_degree /= report.values.max(1) as f64;
    }
    report
}

/// The set in words: `rsi_14 is low (full up to 20, falls to 0 at 40) or high (…).`
pub fn describe_set(subject: &str, members: &[(String, Membership)]) -> String {
    if members.is_empty() {
        return format!("{subject} has no memberships.");
    }
    let parts: Vec<String> = members
        .iter()
        .map(|(name, function)| format!("{name} ({})", function.describe()))
        .collect();
    match parts.split_last() {
        Some((last, before)) if !before.is_empty() => {
            format!("{subject} is {} or {last}.", before.join(", "))
        }
        _ => format!("{subject} is {}.", parts.concat()),
    }
}
