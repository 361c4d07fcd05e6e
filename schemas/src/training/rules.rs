//! Rules about settings, each a sentence for whoever breaks it.

/// A rule about the settings, and whether they keep it.
pub(super) struct Rule {
    pub(super) is_kept: bool,
    pub(super) keys: &'static [&'static str],
    pub(super) text: &'static str,
}

/// A rule that settings break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// Keys of `training` that the rule compares: first the one that it is about.
    pub keys: &'static [&'static str],
    /// A sentence that names the first key.
    pub text: &'static str,
}

pub(super) fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

pub(super) fn is_not_negative(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

pub(super) fn is_fraction(value: f64) -> bool {
    value > 0.0 && value < 1.0
}
