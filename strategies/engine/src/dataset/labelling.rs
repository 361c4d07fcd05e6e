//! Labels of one symbol: thresholds fitted on the training part, then the labels of all bars and
//! the bars that are events.

use market::{Bars, Utc};
use schemas::manifests::FittedThreshold;

use crate::labels::{BarLabels, EventFilter, LabelError, LabelSource, compute_labels};
use crate::resolve::Resolved;

/// The labels of all base bars.
pub(super) struct LabelledBars {
    pub(super) labels: BarLabels,
    /// Whether each bar is an event, where only events are learnt from.
    pub(super) events: Option<Vec<bool>>,
    pub(super) thresholds: Vec<FittedThreshold>,
}

/// Labels all base bars of a symbol. Thresholds are fitted on the bars known before `training_end`.
///
/// # Errors
/// Too few bars, or bars that give no usable threshold.
pub(super) fn label_bars(
    resolved: &Resolved,
    symbol: &str,
    base: &Bars,
    training_end: Option<Utc>,
) -> Result<LabelledBars, LabelError> {
    let definition = match training_end {
        Some(end) => {
            let training_bars = base.close_time.partition_point(|close| *close < end);
            FittedLabels::fit(resolved, symbol, &base.slice(0..training_bars))?
        }
        None => FittedLabels {
            source: resolved.labels,
            events: resolved.events,
            thresholds: Vec::new(),
        },
    };

    Ok(LabelledBars {
        labels: compute_labels(&definition.source, base)?,
        events: definition
            .events
            .map(|filter| filter.events(base))
            .transpose()?,
        thresholds: definition.thresholds,
    })
}

/// How bars are labelled, with no threshold left to fit.
struct FittedLabels {
    source: LabelSource,
    events: Option<EventFilter>,
    /// Only thresholds that were fitted and not written in the strategy.
    thresholds: Vec<FittedThreshold>,
}

impl FittedLabels {
    fn fit(resolved: &Resolved, symbol: &str, training: &Bars) -> Result<Self, LabelError> {
        let source = resolved.labels.fitted(training)?;
        let events = resolved
            .events
            .map(|filter| filter.fitted(training))
            .transpose()?;

        let mut thresholds = Vec::new();
        let mut note_threshold = |name: &str, value: Option<f64>| {
            thresholds.extend(value.map(|value| FittedThreshold {
                symbol: symbol.to_owned(),
                name: name.to_owned(),
                value,
            }));
        };
        if let LabelSource::Regime(fitted) = source
            && source != resolved.labels
        {
            note_threshold("typical_range", fitted.typical_range);
        }
        if events != resolved.events {
            note_threshold(
                "event_threshold",
                events.and_then(|filter| filter.threshold),
            );
        }

        Ok(Self {
            source,
            events,
            thresholds,
        })
    }
}
