//! A fuzzy set as a whole: which values belong to it and how strongly, which belong to no member,
//! and the set in words.

use serde::Serialize;

use super::Membership;

/// How the members of a set cover the values that an indicator really gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoverageReport {
    /// Number of values, NaN left out.
    pub values: usize,
    /// Values with a degree of 0 in every member. A network cannot tell them apart.
    pub uncovered: usize,
    /// Smallest and largest of those.
    pub uncovered_range: Option<(f64, f64)>,
    /// The value whose strongest degree is the smallest, with that degree.
    pub weakest: Option<(f64, f64)>,
    /// One entry per member, in order.
    pub members: Vec<MemberCoverage>,
}

/// The values that one member covers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberCoverage {
    /// The member's name in the set.
    pub name: String,
    /// Mean degree over all values, 0 to 1.
    pub mean_degree: f64,
    /// Values with a degree above 0.
    pub active: usize,
    /// Values for which it is the strongest member (the first one among equals) and above 0.
    pub strongest: usize,
}

/// Measures how `members` (name and function) cover `values`.
pub fn measure_coverage(
    members: &[(String, Membership)],
    values: impl IntoIterator<Item = f64>,
) -> CoverageReport {
    let mut report = CoverageReport::new(members);

    for value in values.into_iter().filter(|value| !value.is_nan()) {
        report.add(members, value);
    }

    // Sums of degrees until here.
    for member in &mut report.members {
        member.mean_degree /= report.values.max(1) as f64;
    }

    report
}

impl CoverageReport {
    fn new(members: &[(String, Membership)]) -> Self {
        let members = members
            .iter()
            .map(|(name, _)| MemberCoverage {
                name: name.clone(),
                mean_degree: 0.0,
                active: 0,
                strongest: 0,
            })
            .collect();

        Self {
            values: 0,
            uncovered: 0,
            uncovered_range: None,
            weakest: None,
            members,
        }
    }

    fn add(&mut self, members: &[(String, Membership)], value: f64) {
        self.values += 1;

        let mut largest_degree = 0.0;
        let mut wins_of_strongest = None;
        for ((_, function), member) in members.iter().zip(&mut self.members) {
            let degree = function.degree(value);
            member.mean_degree += degree;
            member.active += usize::from(degree > 0.0);
            // Strictly larger, so that the first of equal members wins.
            if degree > largest_degree {
                largest_degree = degree;
                wins_of_strongest = Some(&mut member.strongest);
            }
        }

        if let Some(wins) = wins_of_strongest {
            *wins += 1;
        } else {
            // No member is above 0: the value lies in a hole.
            let (low, high) = self.uncovered_range.unwrap_or((value, value));
            self.uncovered_range = Some((low.min(value), high.max(value)));
            self.uncovered += 1;
        }
        if self
            .weakest
            .is_none_or(|(_, degree)| largest_degree < degree)
        {
            self.weakest = Some((value, largest_degree));
        }
    }
}

/// The set in words: `rsi_14 is low (full up to 20, falls to 0 at 40) or high (…).`
pub fn describe_set(subject: &str, members: &[(String, Membership)]) -> String {
    let parts: Vec<String> = members
        .iter()
        .map(|(name, function)| format!("{name} ({})", function.describe()))
        .collect();

    match parts.as_slice() {
        [] => format!("{subject} has no memberships."),
        [only] => format!("{subject} is {only}."),
        [before @ .., last] => format!("{subject} is {} or {last}.", before.join(", ")),
    }
}
