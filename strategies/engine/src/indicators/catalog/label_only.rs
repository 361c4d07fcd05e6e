//! Types that exist as labels only: described like every type, and refused wherever values of the
//! past are wanted.

use super::has_name;
use crate::indicators::engine::{ParameterKind, ParameterSpec};

/// A type that labels and never feeds a model.
#[derive(Clone, Copy, Debug)]
pub struct LabelOnlySpec {
    /// Canonical name, lower case; also the name of the label source.
    pub name: &'static str,
    /// Other accepted names, lower case.
    pub aliases: &'static [&'static str],
    /// Parameters in documentation order, as `training.labels` calls them.
    pub parameters: &'static [ParameterSpec],
    /// The formula in plain notation.
    pub formula: &'static str,
    /// Where the formula comes from.
    pub source: &'static str,
    /// Why it is no indicator, as a sentence fragment.
    pub reason: &'static str,
}

/// The one parameter of zigzag labels: the grammar, its JSON Schema and the reference page read it
/// from here.
pub const ZIGZAG_THRESHOLD: ParameterSpec = ParameterSpec {
    name: "zigzag_threshold",
    kind: ParameterKind::Float {
        min: 0.0,
        min_exclusive: true,
        max: 1.0,
        max_exclusive: true,
        default: 0.02,
    },
    description: "move against the direction that ends a segment, as a fraction of the extreme \
                  price",
};

static LABEL_ONLY: &[LabelOnlySpec] = &[LabelOnlySpec {
    name: "zigzag",
    aliases: &["zigzagindicator"],
    parameters: &[ZIGZAG_THRESHOLD],
    formula: "row 0 is a pivot; the first close that differs from it by the threshold sets the \
              direction and is the moving pivot, which follows the extreme close until one differs \
              from it by the threshold the other way: that close confirms the pivot and is the \
              next moving one; BUY between a low and a high pivot, SELL between a high and a low \
              one, HOLD on a pivot, nothing after the last confirmed one",
    source: "Merrill (1977), Filtered Waves, on closes",
    reason: "its last pivot moves as bars arrive, so a value would depend on later bars",
}];

/// Every type that exists as labels only.
pub fn label_only() -> &'static [LabelOnlySpec] {
    LABEL_ONLY
}

/// The label-only type with that name or alias, without regard to case.
pub fn find_label_only(name: &str) -> Option<&'static LabelOnlySpec> {
    LABEL_ONLY
        .iter()
        .find(|spec| has_name(spec.name, spec.aliases, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelSource;

    #[test]
    fn a_label_only_type_is_a_label_source_and_no_indicator() {
        for spec in label_only() {
            for name in [spec.name].iter().chain(spec.aliases) {
                assert!(super::super::find(name).is_none(), "{name}");
                assert_eq!(
                    find_label_only(&name.to_uppercase()).map(|spec| spec.name),
                    Some(spec.name)
                );
            }
            let source: LabelSource =
                serde_json::from_str(&format!("{{\"source\": \"{}\"}}", spec.name)).unwrap();
            assert_eq!(source.name(), spec.name);
        }
    }

    #[test]
    fn the_threshold_is_that_of_the_label_source() {
        let ParameterKind::Float { default, .. } = ZIGZAG_THRESHOLD.kind else {
            panic!("a number")
        };
        let default_source: LabelSource = serde_json::from_str("{\"source\": \"zigzag\"}").unwrap();

        assert_eq!(default_source, LabelSource::Zigzag { threshold: default });
        assert_eq!(
            ZIGZAG_THRESHOLD.kind.to_string(),
            "a number above 0 and below 1"
        );
        for threshold in [
            -0.1,
            0.0,
            f64::MIN_POSITIVE,
            0.5,
            1.0 - f64::EPSILON,
            1.0,
            f64::NAN,
        ] {
            let is_legal = LabelSource::Zigzag { threshold }.check().is_empty();
            assert_eq!(
                ZIGZAG_THRESHOLD.kind.holds(threshold),
                is_legal,
                "{threshold}"
            );
        }
    }
}
