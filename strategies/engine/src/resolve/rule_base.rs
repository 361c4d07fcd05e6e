//! The inputs of a rule base, with the members that the fuzzy sets of a strategy give them.

use std::collections::BTreeSet;

use schemas::manifests::{
    Architecture, FuzzyInput, FuzzyMember, MemberPlace, OpenSide, RuleSource, TskShape,
};

use super::plan::{Feature, FeatureKind};
use crate::fuzzy::Membership;
use crate::strategy::{FuzzySet, Strategy};

/// Widths of a Gaussian between its two points of degree ½: 2·√(2·ln 2).
const WIDTHS_AT_HALF: f64 = 2.354_820_045_030_949_3;

/// The model of a strategy, with an input of the rule base for each feature if it has one.
pub(super) fn with_rule_inputs(strategy: &Strategy, features: &[Feature]) -> Architecture {
    let Architecture::Tsk(shape) = &strategy.model else {
        return strategy.model.clone();
    };

    let timeframes: BTreeSet<_> = features.iter().map(|feature| feature.timeframe).collect();
    let inputs = features.iter().map(|feature| FuzzyInput {
        name: name_in_rules(feature, timeframes.len() == 1),
        members: members_of(strategy, feature, shape.from),
        low: 0.0,
        high: 0.0,
    });

    let mut shape: TskShape = shape.clone();
    shape.base.inputs = inputs.collect();
    Architecture::Tsk(shape)
}

/// What a rule calls a feature: its column without what all columns share.
fn name_in_rules(feature: &Feature, has_one_timeframe: bool) -> String {
    let prefix = format!("{}_", feature.timeframe);
    let name = match feature.name.strip_prefix(&prefix) {
        Some(name) if has_one_timeframe => name,
        _ => &feature.name,
    };

    // Every value is a raw one where rules are grown.
    let (name, lag) = match feature.lag {
        0 => (name, String::new()),
        lag => {
            let suffix = format!("_lag_{lag}");
            (name.strip_suffix(&suffix).unwrap_or(name), suffix)
        }
    };
    format!("{}{lag}", name.strip_suffix("_raw").unwrap_or(name))
}

/// The members of the set that a feature reads, lowest first; none where they are grown.
fn members_of(strategy: &Strategy, feature: &Feature, from: RuleSource) -> Vec<FuzzyMember> {
    let FeatureKind::SetValue { set } = &feature.kind else {
        return Vec::new();
    };
    let set = strategy.fuzzy_sets.iter().find(|each| each.id == *set);
    match (set, from) {
        (Some(set), RuleSource::Sets) => ordered_members(set),
        _ => Vec::new(),
    }
}

fn ordered_members(set: &FuzzySet) -> Vec<FuzzyMember> {
    let members = set.members.iter();
    let members = members.map(|(name, function)| gaussian_member(name, function));
    let mut members: Vec<FuzzyMember> = members.collect();

    // One without bounds lies nowhere, and stays last.
    let centre_of = |member: &FuzzyMember| member.start.map_or(f64::INFINITY, |it| it.centre);
    members.sort_by(|one, other| centre_of(one).total_cmp(&centre_of(other)));
    members
}

/// The Gaussian that is as wide as a membership function where both have a degree of ½. An open
/// shoulder stays open; that of a sigmoid has the sigmoid's slope there.
fn gaussian_member(name: &str, function: &Membership) -> FuzzyMember {
    let place = match *function {
        Membership::Gaussian { mean, deviation } => Place::closed(mean, deviation),
        Membership::Bell { width, centre, .. } => Place::of_span(centre, 2.0 * width),
        Membership::Singleton { at } => Place::of_span(at, 0.0),
        Membership::Triangular { a, b, c } => Place::of_span(b, (c - a) / 2.0),
        Membership::Trapezoidal { a, b, c, d } => Place::of_trapezoid(a, b, c, d),
        Membership::Sigmoid { slope, centre } => Place::of_sigmoid(slope, centre),
    };

    FuzzyMember {
        name: name.to_owned(),
        open: place.open,
        start: place.start,
    }
}

/// Where a Gaussian lies, and the side on which it stays 1.
struct Place {
    open: Option<OpenSide>,
    start: Option<MemberPlace>,
}

impl Place {
    fn closed(centre: f64, width: f64) -> Self {
        Self {
            open: None,
            start: Some(MemberPlace { centre, width }),
        }
    }

    fn open(side: OpenSide, centre: f64, width: f64) -> Self {
        Self {
            open: Some(side),
            start: Some(MemberPlace { centre, width }),
        }
    }

    /// By the distance of the two points of degree ½.
    fn of_span(centre: f64, span: f64) -> Self {
        Self::closed(centre, span / WIDTHS_AT_HALF)
    }

    /// A point of degree ½ lies in the middle of a flank.
    fn of_trapezoid(a: f64, b: f64, c: f64, d: f64) -> Self {
        match (a.is_finite(), d.is_finite()) {
            (true, true) => Self::of_span(f64::midpoint(b, c), (c + d - a - b) / 2.0),
            (false, true) => Self::open(OpenSide::Below, c, (d - c) / WIDTHS_AT_HALF),
            (true, false) => Self::open(OpenSide::Above, b, (b - a) / WIDTHS_AT_HALF),

            // It holds for every value.
            (false, false) => Self {
                open: None,
                start: None,
            },
        }
    }

    /// At ½ a sigmoid rises by slope/4, and a Gaussian falls by `WIDTHS_AT_HALF`/(4·width).
    fn of_sigmoid(slope: f64, centre: f64) -> Self {
        let width = WIDTHS_AT_HALF / slope.abs();
        let to_plateau = width * WIDTHS_AT_HALF / 2.0;
        if slope > 0.0 {
            Self::open(OpenSide::Above, centre + to_plateau, width)
        } else {
            Self::open(OpenSide::Below, centre - to_plateau, width)
        }
    }
}
