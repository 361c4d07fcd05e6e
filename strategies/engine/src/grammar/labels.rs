//! The `training.labels` section: where labels come from, which bars are learnt from, and how
//! often.

use crate::fields::{Fields, Retired, Sink};
use crate::finding::Finding;
use crate::indicators::{ParameterKind, ParameterSpec, ZIGZAG_THRESHOLD};
use crate::labels::{
    Context, EfficiencyRegime, EventFilter, LabelError, LabelSource, Regime, TripleBarrier,
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

const ZIGZAG: &[Retired] = &[
    (
        "label_lookahead",
        "key.no_effect",
        "zigzag labels whole segments and has no look-ahead of its own: remove the key, or use zigzag_window",
    ),
    ("threshold", "key.moved", "write zigzag_threshold"),
];

const ZIGZAG_WINDOW: &[Retired] = &[
    ("zigzag_threshold", "key.moved", "write threshold"),
    ("label_lookahead", "key.moved", "write lookahead"),
];

const BARRIER: &[Retired] = &[
    (
        "profit_target_atr",
        "key.moved",
        "this name had no effect: write pt_multiplier",
    ),
    (
        "stop_loss_atr",
        "key.moved",
        "this name had no effect: write sl_multiplier",
    ),
    (
        "max_holding_bars",
        "key.moved",
        "this name had no effect: write max_holding_period",
    ),
    (
        "atr_period",
        "key.moved",
        "this name had no effect: write vol_span",
    ),
];

/// For every source without weights, beside its own.
const WEIGHTS: Retired = (
    "compute_weights",
    "labels.unsupported",
    "only triple_barrier labels are weighed: remove the key, or use that source",
);

const REGIME: &[Retired] = &[
    (
        "horizon",
        "key.moved",
        "this key had no effect: it belongs to the source efficiency_regime",
    ),
    (
        "trending_threshold",
        "key.moved",
        "this key had no effect: it belongs to the source efficiency_regime",
    ),
    (
        "typical_range",
        "key.no_effect",
        "it is always measured on the training part: remove the key",
    ),
];

/// The widest count of bars that a parameter may name.
const BARS_MAX: u32 = 100_000;

/// The section.
pub(super) struct Section {
    pub(super) source: LabelSource,
    pub(super) events: Option<EventFilter>,
    pub(super) weighted: bool,
}

/// Reads the section; `None` without a source.
pub(super) fn read(fields: Fields<'_>) -> Option<Section> {
    let words: Vec<(&str, &str)> = sources().map(|name| (name, name)).collect();
    let Some(source) = fields
        .required("source")
        .and_then(|_| fields.word("source", &words))
    else {
        read_without_source(fields);
        return None;
    };
    let (section, retired) = read_source(&fields, source);
    fields.finish(&retired);
    Some(section)
}

fn sources() -> impl Iterator<Item = &'static str> {
    SOURCES_OF_CLASSES
        .iter()
        .chain(&["forward_return"])
        .copied()
}

/// Without a source a key is refused if no source has it, and a value if none of the sources with
/// that key takes it.
fn read_without_source(fields: Fields<'_>) {
    let attempts: Vec<(Vec<&'static str>, Vec<Retired>, Vec<Finding>)> = sources()
        .map(|source| {
            let sink = Sink::default();
            let attempt = fields.mirrored(&sink);
            let (_, retired) = read_source(&attempt, source);
            (attempt.asked(), retired, sink.into_inner())
        })
        .collect();
    for entry in fields.rest() {
        let place = fields.at(&entry.key);
        let mut findings = attempts
            .iter()
            .filter(|(asked, ..)| asked.contains(&entry.key.as_str()))
            .map(|(.., findings)| {
                findings
                    .iter()
                    .filter(|finding| finding.path == place)
                    .collect::<Vec<_>>()
            });
        if let Some(first) = findings.next().filter(|first| !first.is_empty())
            && findings.all(|others| !others.is_empty())
        {
            first
                .into_iter()
                .for_each(|finding| fields.sink.push(finding.clone()));
        }
    }
    let keys: Vec<&'static str> = attempts
        .iter()
        .flat_map(|(asked, ..)| asked.iter().copied())
        .collect();
    for key in keys {
        fields.node(key);
    }
    fields.finish(
        &attempts
            .into_iter()
            .flat_map(|(_, retired, _)| retired)
            .collect::<Vec<_>>(),
    );
}

/// The parameters of one source, and the retired keys that may stand beside them.
fn read_source(fields: &Fields<'_>, source: &str) -> (Section, Vec<Retired>) {
    let bars = |key, usual: u32, least| fields.integer(key, least, BARS_MAX).unwrap_or(usual);
    let positive = |key, usual: f64| {
        fields
            .number(key, "a number above 0", |value| value > 0.0)
            .unwrap_or(usual)
    };
    let (mut events, mut weighted) = (None, None);
    let (labels, retired): (_, &[Retired]) = match source {
        "zigzag" => (
            LabelSource::Zigzag {
                threshold: registered(fields, &ZIGZAG_THRESHOLD),
            },
            ZIGZAG,
        ),
        "zigzag_window" => {
            let usual = ZigzagWindow::default();
            let window = ZigzagWindow {
                threshold: fraction(fields, "threshold", usual.threshold),
                lookahead: bars("lookahead", usual.lookahead, 1),
                min_swing_length: bars("min_swing_length", usual.min_swing_length, 0),
            };
            (LabelSource::ZigzagWindow(window), ZIGZAG_WINDOW)
        }
        "forward_return" => (
            LabelSource::ForwardReturn {
                horizon: bars("horizon", 20, 1),
            },
            &[],
        ),
        "context" => (LabelSource::Context(context(fields)), &[]),
        "regime" => {
            let usual = Regime::default();
            let regime = Regime {
                macro_atr_mult: positive("macro_atr_mult", usual.macro_atr_mult),
                micro_atr_mult: positive("micro_atr_mult", usual.micro_atr_mult),
                atr_period: bars("atr_period", usual.atr_period, 2),
                vol_lookback: bars("vol_lookback", usual.vol_lookback, 2),
                vol_crisis_threshold: positive("vol_crisis_threshold", usual.vol_crisis_threshold),
                progression_tolerance: share(
                    fields,
                    "progression_tolerance",
                    usual.progression_tolerance,
                ),
                typical_range: None,
            };
            (LabelSource::Regime(regime), REGIME)
        }
        "efficiency_regime" => {
            let usual = EfficiencyRegime::default();
            let regime = EfficiencyRegime {
                horizon: bars("horizon", usual.horizon, 2),
                trending_threshold: share(fields, "trending_threshold", usual.trending_threshold),
                vol_lookback: bars("vol_lookback", usual.vol_lookback, 2),
                vol_crisis_threshold: positive("vol_crisis_threshold", usual.vol_crisis_threshold),
            };
            (LabelSource::EfficiencyRegime(regime), &[])
        }
        _ => {
            let barrier = triple_barrier(fields);
            events = event_filter(fields, barrier.vol_span);
            weighted = Some(fields.boolean("compute_weights").unwrap_or(false));
            (LabelSource::TripleBarrier(barrier), BARRIER)
        }
    };
    check(fields, &labels);
    let unweighted = weighted.is_none().then_some(WEIGHTS);
    let retired = retired.iter().copied().chain(unweighted).collect();
    (
        Section {
            source: labels,
            events,
            weighted: weighted.unwrap_or(false),
        },
        retired,
    )
}

/// A parameter that the registry of the indicators describes.
fn registered(fields: &Fields<'_>, parameter: &'static ParameterSpec) -> f64 {
    let kind = &parameter.kind;
    let usual = if let ParameterKind::Float { default, .. } = kind {
        *default
    } else {
        f64::NAN
    };
    fields
        .number(parameter.name, &kind.to_string(), |value| kind.holds(value))
        .unwrap_or(usual)
}

fn fraction(fields: &Fields<'_>, key: &'static str, usual: f64) -> f64 {
    fields
        .number(key, "a number above 0 and below 1", |value| {
            value > 0.0 && value < 1.0
        })
        .unwrap_or(usual)
}

fn share(fields: &Fields<'_>, key: &'static str, usual: f64) -> f64 {
    fields
        .number(key, "a number from 0 to 1", |value| {
            (0.0..=1.0).contains(&value)
        })
        .unwrap_or(usual)
}

fn context(fields: &Fields<'_>) -> Context {
    let usual = Context::default();
    let number = |key, usual| {
        fields
            .number(key, "a return as a fraction", |_| true)
            .unwrap_or(usual)
    };
    Context {
        horizon: fields
            .integer("horizon", 1, BARS_MAX)
            .unwrap_or(usual.horizon),
        bullish: number("bullish_threshold", usual.bullish),
        bearish: number("bearish_threshold", usual.bearish),
    }
}

fn triple_barrier(fields: &Fields<'_>) -> TripleBarrier {
    let usual = TripleBarrier::default();
    let positive = |key, usual| {
        fields
            .number(key, "a number above 0", |value| value > 0.0)
            .unwrap_or(usual)
    };
    let bars = |key, usual| fields.integer(key, 1, BARS_MAX).unwrap_or(usual);
    let methods = [
        ("atr", VolatilityMethod::Atr),
        ("std", VolatilityMethod::Std),
    ];
    TripleBarrier {
        pt_multiplier: positive("pt_multiplier", usual.pt_multiplier),
        sl_multiplier: positive("sl_multiplier", usual.sl_multiplier),
        max_holding_period: bars("max_holding_period", usual.max_holding_period),
        vol_span: bars("vol_span", usual.vol_span),
        vol_method: fields
            .word("vol_method", &methods)
            .unwrap_or(usual.vol_method),
    }
}

/// `cusum_threshold` or `cusum_multiplier`: learn only from bars at which the price has drifted far
/// enough.
fn event_filter(fields: &Fields<'_>, vol_span: u32) -> Option<EventFilter> {
    let positive = |key, wanted| fields.number(key, wanted, |value| value > 0.0);
    let threshold = positive("cusum_threshold", "a log return above 0");
    let multiplier = positive("cusum_multiplier", "a number of volatilities above 0");
    if fields.has("cusum_threshold") && fields.has("cusum_multiplier") {
        let message = "a threshold that is given is not measured: give one of cusum_threshold and cusum_multiplier";
        fields.finding("cusum_multiplier", "key.no_effect", message);
    }
    let usual = EventFilter {
        vol_span,
        ..EventFilter::default()
    };
    (threshold.is_some() || multiplier.is_some()).then(|| EventFilter {
        threshold,
        multiplier: multiplier.unwrap_or(usual.multiplier),
        ..usual
    })
}

/// Rules between parameters; each parameter alone was checked when it was read.
fn check(fields: &Fields<'_>, labels: &LabelSource) {
    for error in labels.check() {
        let LabelError::OutOfBounds { parameter, .. } = &error else {
            continue;
        };
        let key = match *parameter {
            "bearish" => "bearish_threshold",
            other => other,
        };
        let finding = Finding::error(
            fields.at(key),
            fields.line_of(key),
            "labels.order",
            error.to_string(),
        );
        fields.sink.push(finding);
    }
}
