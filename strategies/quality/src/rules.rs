//! The thresholds of the checks, with their defaults, and the file in which a user changes them.

use serde::{Deserialize, Serialize};

/// Thresholds of the checks. A TOML file or a section of settings names only those that differ.
///
/// Shares lie between 0 and 1 and are of the bars that the check looks at. Every limit is exceeded
/// by a larger value, not by an equal one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Share of rows given again with other values from which on that is high; default 0.01.
    pub duplicate_high: f64,
    /// The same for critical: two series are mixed; default 0.10.
    pub duplicate_critical: f64,
    /// Share of bars outside of every session above which that is medium, if there are at least
    /// five; default 0.01.
    pub off_session_medium: f64,
    /// The same for high; default 0.10. Half of the bars are high however few there are.
    pub off_session_high: f64,
    /// Share of bars whose prices contradict each other or are no numbers, above which the
    /// columns are taken to be wrong: critical; default 0.50.
    pub contradiction_critical: f64,
    /// Prices of zero or less are possible, as for spreads and some futures: they become info;
    /// default false.
    pub allow_negative_prices: bool,
    /// A price above this is no price but digits without their point: critical; default 1e10.
    pub price_max: f64,
    /// Share of bars with volume zero that is medium, of traded instruments; default 0.20.
    pub volume_zero_medium: f64,
    /// The same for high; default 0.50.
    pub volume_zero_high: f64,
    /// Share of bars with a negative or infinite volume that is high instead of medium; default
    /// 0.10.
    pub volume_negative_high: f64,
    /// Multiple of the rolling median volume that is a spike; default 100.
    pub volume_spike: f64,
    /// Move from close to close that is medium, of bars below a day; default 0.10.
    pub move_intraday_medium: f64,
    /// The same for high; default 0.20.
    pub move_intraday_high: f64,
    /// Move from close to close that is medium, of daily and longer bars; default 0.20.
    pub move_daily_medium: f64,
    /// The same for high; default 0.40.
    pub move_daily_high: f64,
    /// Robust z of a log return that is an outlier; default 8.
    pub outlier_z: f64,
    /// Robust z of a log return that is a spike if the next bar undoes it; default 15.
    pub spike_z: f64,
    /// Bars in a row with one price that are stale, below a day; default 10.
    pub stale_intraday: usize,
    /// The same for daily and longer bars; default 5.
    pub stale_daily: usize,
    /// Bars in a row with one price that are high instead of medium; default 50.
    pub stale_high: usize,
    /// Share of expected bars that are missing which is medium; default 0.05.
    pub missing_medium: f64,
    /// The same for high; default 0.10.
    pub missing_high: f64,
    /// Share of the steps between neighbouring bars that must be one bar long; default 0.90. Below
    /// it the spacing is reported.
    pub spacing_min: f64,
    /// Days that two timeframes of one symbol must have in common, to be used together; default 7.
    pub coverage_days_min: f64,
    /// Bars of each that must lie in the common time; default 50.
    pub coverage_bars_min: usize,
    /// Share of bars without any of the other timeframe which is medium; default 0.01.
    pub coverage_medium: f64,
    /// The same for high; default 0.10.
    pub coverage_high: f64,
    /// Lowest ratio of new to stored prices under the same labels that still is one scale; default
    /// 0.98.
    pub seam_ratio_min: f64,
    /// The highest such ratio; default 1.02.
    pub seam_ratio_max: f64,
    /// Share of the price by which an adjusted close may differ from what its dividend asks for;
    /// default 0.004.
    pub dividend_tolerance: f64,
    /// High findings that a healthy series may have, in bars; default 5.
    pub healthy_high_bars: f64,
    /// The same as a share of bars, where that is more; default 0.001.
    pub healthy_high_share: f64,
    /// Completeness that a healthy series has at least; default 0.95.
    pub healthy_completeness: f64,
}

impl Default for Rules {
    /// The defaults that each field names.
    fn default() -> Self {
        Self {
            duplicate_high: 0.01,
            duplicate_critical: 0.10,
            off_session_medium: 0.01,
            off_session_high: 0.10,
            contradiction_critical: 0.50,

            allow_negative_prices: false,
            price_max: 1e10,

            volume_zero_medium: 0.20,
            volume_zero_high: 0.50,
            volume_negative_high: 0.10,
            volume_spike: 100.0,

            move_intraday_medium: 0.10,
            move_intraday_high: 0.20,
            move_daily_medium: 0.20,
            move_daily_high: 0.40,
            outlier_z: 8.0,
            spike_z: 15.0,

            stale_intraday: 10,
            stale_daily: 5,
            stale_high: 50,

            missing_medium: 0.05,
            missing_high: 0.10,
            spacing_min: 0.90,

            coverage_days_min: 7.0,
            coverage_bars_min: 50,
            coverage_medium: 0.01,
            coverage_high: 0.10,

            seam_ratio_min: 0.98,
            seam_ratio_max: 1.02,
            dividend_tolerance: 0.004,

            healthy_high_bars: 5.0,
            healthy_high_share: 0.001,
            healthy_completeness: 0.95,
        }
    }
}

impl Rules {
    /// Reads a rule file: TOML with any of the fields, each at most once.
    ///
    /// # Errors
    /// The text is no TOML, names an unknown rule, or gives a value that is out of range.
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        let rules: Self = toml::from_str(text).map_err(|error| RulesError::Form {
            reason: error.message().to_owned(),
            line: error.span().map(|span| line_of(text, span.start)),
        })?;

        rules.check()?;
        Ok(rules)
    }

    /// Refuses values with which a check would have no meaning.
    ///
    /// # Errors
    /// The first rule that is out of range.
    pub fn check(&self) -> Result<(), RulesError> {
        for (rule, value) in self.shares() {
            if !(0.0..=1.0).contains(&value) {
                return Err(out_of_range(rule, value, "0 to 1"));
            }
        }
        for (rule, value) in self.limits() {
            if !(value > 0.0 && value.is_finite()) {
                return Err(out_of_range(rule, value, "above 0"));
            }
        }

        // The second limit must not come before the first.
        for (rule, medium, high) in self.pairs() {
            if medium > high {
                return Err(RulesError::Order {
                    rule,
                    medium: medium.to_string(),
                    high: high.to_string(),
                });
            }
        }
        Ok(())
    }

    fn shares(&self) -> [(&'static str, f64); 15] {
        [
            ("duplicate_high", self.duplicate_high),
            ("duplicate_critical", self.duplicate_critical),
            ("off_session_medium", self.off_session_medium),
            ("off_session_high", self.off_session_high),
            ("contradiction_critical", self.contradiction_critical),
            ("volume_zero_medium", self.volume_zero_medium),
            ("volume_zero_high", self.volume_zero_high),
            ("volume_negative_high", self.volume_negative_high),
            ("missing_medium", self.missing_medium),
            ("missing_high", self.missing_high),
            ("spacing_min", self.spacing_min),
            ("coverage_medium", self.coverage_medium),
            ("coverage_high", self.coverage_high),
            ("healthy_high_share", self.healthy_high_share),
            ("healthy_completeness", self.healthy_completeness),
        ]
    }

    fn limits(&self) -> [(&'static str, f64); 17] {
        // Counts are given as numbers, too, so that one loop looks at every limit.
        [
            ("price_max", self.price_max),
            ("volume_spike", self.volume_spike),
            ("move_intraday_medium", self.move_intraday_medium),
            ("move_intraday_high", self.move_intraday_high),
            ("move_daily_medium", self.move_daily_medium),
            ("move_daily_high", self.move_daily_high),
            ("outlier_z", self.outlier_z),
            ("spike_z", self.spike_z),
            ("stale_intraday", self.stale_intraday as f64),
            ("stale_daily", self.stale_daily as f64),
            ("stale_high", self.stale_high as f64),
            ("coverage_days_min", self.coverage_days_min),
            ("coverage_bars_min", self.coverage_bars_min as f64),
            ("healthy_high_bars", self.healthy_high_bars),
            ("seam_ratio_min", self.seam_ratio_min),
            ("seam_ratio_max", self.seam_ratio_max),
            ("dividend_tolerance", self.dividend_tolerance),
        ]
    }

    fn pairs(&self) -> [(&'static str, f64, f64); 9] {
        // In the other order the milder severity of a pair would never be given.
        [
            ("duplicate", self.duplicate_high, self.duplicate_critical),
            (
                "off_session",
                self.off_session_medium,
                self.off_session_high,
            ),
            (
                "volume_zero",
                self.volume_zero_medium,
                self.volume_zero_high,
            ),
            (
                "move_intraday",
                self.move_intraday_medium,
                self.move_intraday_high,
            ),
            ("move_daily", self.move_daily_medium, self.move_daily_high),
            ("missing", self.missing_medium, self.missing_high),
            ("coverage", self.coverage_medium, self.coverage_high),
            ("outlier and spike", self.outlier_z, self.spike_z),
            ("seam_ratio", self.seam_ratio_min, self.seam_ratio_max),
        ]
    }
}

fn out_of_range(rule: &'static str, value: f64, range: &'static str) -> RulesError {
    RulesError::Range {
        rule,
        value: value.to_string(),
        range,
    }
}

/// Line of the byte `place`, from 1.
fn line_of(text: &str, place: usize) -> usize {
    let before = text.get(..place).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// Why rules cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RulesError {
    /// The text is no TOML, or names an unknown rule.
    #[error("the rules cannot be read{}: {reason}", at_line(*line))]
    Form {
        /// What is wrong, as the parser says it.
        reason: String,
        /// Line of the text, from 1.
        line: Option<usize>,
    },
    /// A value out of its range.
    #[error("the rule `{rule}` cannot be {value}: it is a number {range}")]
    Range {
        /// Name of the rule.
        rule: &'static str,
        /// The value as given.
        value: String,
        /// The values that are possible.
        range: &'static str,
    },
    /// A first limit above the second.
    #[error("the rules `{rule}` have their limits in the wrong order: {medium}, then {high}")]
    Order {
        /// Common part of the names of both rules.
        rule: &'static str,
        /// The first limit.
        medium: String,
        /// The second limit.
        high: String,
    },
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" at line {line}"))
}

impl RulesError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Form { .. } => {
                "write one `rule = value` a line, with the rules in docs/quality.md"
            }
            Self::Range { .. } => "correct the value, or leave the rule out to have its default",
            Self::Order { .. } => "give the lower limit to the milder severity",
        }
    }
}
