//! The `training.labels` section: where labels come from, which bars are learnt from, and how
//! often.

use crate::fields::{Fields, RetiredKey, Sink};
use crate::finding::Finding;
use crate::indicators::{ParameterKind, ParameterSpec, ZIGZAG_THRESHOLD};
use crate::labels::{
    ContextLabels, EfficiencyRegime, EventFilter, LabelError, LabelSource, Regime, TripleBarrier,
    VolatilityMethod, ZigzagWindow,
};

/// The sources with classes.
pub(super) const SOURCES_OF_CLASSES: [&str; 6] = [
    "zigzag",
    "zigzag_window",
    "triple_barrier",
    "context",
    "regime",
    "efficiency_regime",
];

const RETIRED_ZIGZAG_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "label_lookahead",
        "key.no_effect",
        "zigzag labels whole segments and has no look-ahead of its own: remove the key, or use \
         zigzag_window",
    ),
    RetiredKey::new("threshold", "key.moved", "write zigzag_threshold"),
];

const RETIRED_ZIGZAG_WINDOW_KEYS: &[RetiredKey] = &[
    RetiredKey::new("zigzag_threshold", "key.moved", "write threshold"),
    RetiredKey::new("label_lookahead", "key.moved", "write lookahead"),
];

const RETIRED_BARRIER_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "profit_target_atr",
        "key.moved",
        "this name had no effect: write pt_multiplier",
    ),
    RetiredKey::new(
        "stop_loss_atr",
        "key.moved",
        "this name had no effect: write sl_multiplier",
    ),
    RetiredKey::new(
        "max_holding_bars",
        "key.moved",
        "this name had no effect: write max_holding_period",
    ),
    RetiredKey::new(
        "atr_period",
        "key.moved",
        "this name had no effect: write vol_span",
    ),
];

const RETIRED_REGIME_KEYS: &[RetiredKey] = &[
    RetiredKey::new("horizon", "key.moved", KEY_OF_EFFICIENCY_REGIME),
    RetiredKey::new("trending_threshold", "key.moved", KEY_OF_EFFICIENCY_REGIME),
    RetiredKey::new(
        "typical_range",
        "key.no_effect",
        "it is always measured on the training part: remove the key",
    ),
];

const KEY_OF_EFFICIENCY_REGIME: &str =
    "this key had no effect: it belongs to the source efficiency_regime";

/// For every source without weights, in addition to the retired keys of the source.
const NO_WEIGHTS: RetiredKey = RetiredKey::new(
    "compute_weights",
    "labels.unsupported",
    "only triple_barrier labels have weights: remove the key, or use that source",
);

/// Largest number of bars that a parameter may have.
const BARS_MAX: u32 = 100_000;

/// The section `training.labels` as read.
pub(super) struct LabelsSection {
    pub(super) source: LabelSource,
    pub(super) events: Option<EventFilter>,
    pub(super) weighted: bool,
}

/// Reads the section; `None` without a source.
pub(super) fn read_labels(fields: Fields<'_>) -> Option<LabelsSection> {
    let words: Vec<(&str, &str)> = source_names().map(|name| (name, name)).collect();
    let Some(source_name) = fields.required_word("source", &words) else {
        check_without_source(fields);
        return None;
    };

    // Which keys are unknown depends on the source, so it is read first.
    let section = read_source(&fields, source_name);
    fields.finish(&retired_keys_of(source_name));
    Some(section)
}

fn source_names() -> impl Iterator<Item = &'static str> {
    SOURCES_OF_CLASSES
        .iter()
        .chain(&["forward_return"])
        .copied()
}

/// What the section would be with one of the sources.
struct Attempt {
    keys_read: Vec<&'static str>,
    findings: Vec<Finding>,
}

impl Attempt {
    fn with_source(fields: &Fields<'_>, source_name: &str) -> Self {
        let sink = Sink::default();
        let unread = fields.unread_copy(&sink);
        read_source(&unread, source_name);

        Self {
            keys_read: unread.keys_read(),
            findings: sink.into_findings(),
        }
    }

    /// What this source says against the value at `path`.
    fn findings_at(&self, path: &str) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.path == path)
    }
}

/// Without a source, a key is refused if no source has it, and a value if every source with that
/// key refuses it.
fn check_without_source(fields: Fields<'_>) {
    let attempts: Vec<Attempt> = source_names()
        .map(|name| Attempt::with_source(&fields, name))
        .collect();

    for entry in fields.unread_entries() {
        let path = fields.path_of(&entry.key);
        let mut with_key = attempts
            .iter()
            .filter(|attempt| attempt.keys_read.contains(&entry.key.as_str()))
            .peekable();

        // All sources that have the key give nearly the same findings: those of the first will do.
        let first = with_key.peek().copied();
        let is_refused_by_all = with_key.all(|attempt| attempt.findings_at(&path).next().is_some());
        if let Some(first) = first.filter(|_| is_refused_by_all) {
            for finding in first.findings_at(&path) {
                fields.sink.push(finding.clone());
            }
        }
    }

    for key in attempts.iter().flat_map(|attempt| &attempt.keys_read) {
        fields.node(key);
    }
    let retired_keys: Vec<RetiredKey> = source_names().flat_map(retired_keys_of).collect();
    fields.finish(&retired_keys);
}

/// The keys that had a meaning, or seemed to have one, for a source in an earlier grammar.
fn retired_keys_of(source_name: &str) -> Vec<RetiredKey> {
    let own_keys = match source_name {
        "zigzag" => RETIRED_ZIGZAG_KEYS,
        "zigzag_window" => RETIRED_ZIGZAG_WINDOW_KEYS,
        "triple_barrier" => return RETIRED_BARRIER_KEYS.to_vec(),
        "regime" => RETIRED_REGIME_KEYS,
        _ => &[],
    };
    own_keys.iter().copied().chain([NO_WEIGHTS]).collect()
}

/// Reads the parameters of one source; what is missing or refused has its default value.
fn read_source(fields: &Fields<'_>, source_name: &str) -> LabelsSection {
    let mut events = None;
    let mut weighted = false;

    // Other sources refuse the keys of events and weights.
    let source = match source_name {
        "zigzag" => LabelSource::Zigzag {
            threshold: read_registered(fields, &ZIGZAG_THRESHOLD),
        },
        "zigzag_window" => LabelSource::ZigzagWindow(read_zigzag_window(fields)),
        "forward_return" => LabelSource::ForwardReturn {
            horizon: read_bars(fields, "horizon", 1, 20),
        },
        "context" => LabelSource::Context(read_context(fields)),
        "regime" => LabelSource::Regime(read_regime(fields)),
        "efficiency_regime" => LabelSource::EfficiencyRegime(read_efficiency_regime(fields)),
        _ => {
            let barrier = read_triple_barrier(fields);
            events = read_event_filter(fields, barrier.vol_span);
            weighted = fields.boolean("compute_weights").unwrap_or(false);
            LabelSource::TripleBarrier(barrier)
        }
    };

    check_source(fields, &source);
    LabelsSection {
        source,
        events,
        weighted,
    }
}

fn read_zigzag_window(fields: &Fields<'_>) -> ZigzagWindow {
    let default = ZigzagWindow::default();
    ZigzagWindow {
        threshold: read_fraction(fields, "threshold", default.threshold),
        lookahead: read_bars(fields, "lookahead", 1, default.lookahead),
        min_swing_length: read_bars(fields, "min_swing_length", 0, default.min_swing_length),
    }
}

fn read_context(fields: &Fields<'_>) -> ContextLabels {
    let default = ContextLabels::default();
    let expected = "a return as a fraction";
    let bullish = fields.number("bullish_threshold", expected, |_| true);
    let bearish = fields.number("bearish_threshold", expected, |_| true);

    ContextLabels {
        horizon: read_bars(fields, "horizon", 1, default.horizon),
        bullish: bullish.unwrap_or(default.bullish),
        bearish: bearish.unwrap_or(default.bearish),
    }
}

fn read_regime(fields: &Fields<'_>) -> Regime {
    let default = Regime::default();
    let crisis_threshold = default.vol_crisis_threshold;
    let tolerance = default.progression_tolerance;

    Regime {
        macro_atr_mult: read_positive(fields, "macro_atr_mult", default.macro_atr_mult),
        micro_atr_mult: read_positive(fields, "micro_atr_mult", default.micro_atr_mult),
        atr_period: read_bars(fields, "atr_period", 2, default.atr_period),
        vol_lookback: read_bars(fields, "vol_lookback", 2, default.vol_lookback),
        vol_crisis_threshold: read_positive(fields, "vol_crisis_threshold", crisis_threshold),
        progression_tolerance: read_share(fields, "progression_tolerance", tolerance),
        // A statistic of the training part, which no file can know.
        typical_range: None,
    }
}

fn read_efficiency_regime(fields: &Fields<'_>) -> EfficiencyRegime {
    let default = EfficiencyRegime::default();
    let trending_threshold = default.trending_threshold;
    let crisis_threshold = default.vol_crisis_threshold;

    EfficiencyRegime {
        horizon: read_bars(fields, "horizon", 2, default.horizon),
        trending_threshold: read_share(fields, "trending_threshold", trending_threshold),
        vol_lookback: read_bars(fields, "vol_lookback", 2, default.vol_lookback),
        vol_crisis_threshold: read_positive(fields, "vol_crisis_threshold", crisis_threshold),
    }
}

fn read_triple_barrier(fields: &Fields<'_>) -> TripleBarrier {
    let default = TripleBarrier::default();
    let methods = [
        ("atr", VolatilityMethod::Atr),
        ("std", VolatilityMethod::Std),
    ];
    let vol_method = fields.word("vol_method", &methods);
    let holding_period = default.max_holding_period;

    TripleBarrier {
        pt_multiplier: read_positive(fields, "pt_multiplier", default.pt_multiplier),
        sl_multiplier: read_positive(fields, "sl_multiplier", default.sl_multiplier),
        max_holding_period: read_bars(fields, "max_holding_period", 1, holding_period),
        vol_span: read_bars(fields, "vol_span", 1, default.vol_span),
        vol_method: vol_method.unwrap_or(default.vol_method),
    }
}

/// `cusum_threshold` or `cusum_multiplier`: learn only from bars at which the price has drifted far
/// enough.
fn read_event_filter(fields: &Fields<'_>, vol_span: u32) -> Option<EventFilter> {
    let threshold = fields.positive_number("cusum_threshold", "a log return above 0");
    let multiplier = fields.positive_number("cusum_multiplier", "a number of volatilities above 0");
    if fields.has("cusum_threshold") && fields.has("cusum_multiplier") {
        let message =
            "the multiplier has no effect on a given cusum_threshold: give one of the two";
        fields.add_error("cusum_multiplier", "key.no_effect", message);
    }

    if threshold.is_none() && multiplier.is_none() {
        return None;
    }

    // Volatility is measured as the barriers measure it.
    Some(EventFilter {
        threshold,
        multiplier: multiplier.unwrap_or(EventFilter::default().multiplier),
        vol_span,
    })
}

/// Reports parameters that contradict each other; each of them alone was checked when it was read.
fn check_source(fields: &Fields<'_>, source: &LabelSource) {
    for error in source.check() {
        if let LabelError::OutOfBounds { parameter, .. } = &error {
            // The error names a field; the file may call it differently.
            let key = match *parameter {
                "bearish" => "bearish_threshold",
                other => other,
            };
            fields.add_error(key, "labels.order", error.to_string());
        }
    }
}

/// A number of bars from `min` on.
fn read_bars(fields: &Fields<'_>, key: &'static str, min: u32, default: u32) -> u32 {
    fields.integer(key, min, BARS_MAX).unwrap_or(default)
}

fn read_positive(fields: &Fields<'_>, key: &'static str, default: f64) -> f64 {
    fields
        .positive_number(key, "a number above 0")
        .unwrap_or(default)
}

fn read_fraction(fields: &Fields<'_>, key: &'static str, default: f64) -> f64 {
    let expected = "a number above 0 and below 1";
    fields
        .number(key, expected, |value| value > 0.0 && value < 1.0)
        .unwrap_or(default)
}

fn read_share(fields: &Fields<'_>, key: &'static str, default: f64) -> f64 {
    fields
        .number(key, "a number from 0 to 1", |value| {
            (0.0..=1.0).contains(&value)
        })
        .unwrap_or(default)
}

/// A parameter that the registry of the indicators describes.
fn read_registered(fields: &Fields<'_>, parameter: &'static ParameterSpec) -> f64 {
    let kind = &parameter.kind;
    let default = match kind {
        ParameterKind::Float { default, .. } => *default,
        _ => f64::NAN,
    };
    fields
        .number(parameter.name, &kind.to_string(), |value| kind.holds(value))
        .unwrap_or(default)
}
