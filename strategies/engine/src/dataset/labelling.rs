//! Labels of one symbol: thresholds fitted on the training part, then the labels of all bars and
//! the bars that are events.

use market::{Bars, Utc};
use schemas::manifests::FittedThreshold;
use schemas::names::EVENT_THRESHOLD;

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
            // Thresholds learn from the training part, and a bar that closes at its end is outside.
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
        // A threshold that the strategy gives does not come from the fit, so it is left out.
        if let LabelSource::Regime(fitted) = source
            && source != resolved.labels
        {
            let range = fitted.typical_range;
            thresholds.extend(record_threshold(symbol, "typical_range", range));
        }
        if events != resolved.events {
            let threshold = events.and_then(|filter| filter.threshold);
            thresholds.extend(record_threshold(symbol, EVENT_THRESHOLD, threshold));
        }

        Ok(Self {
            source,
            events,
            thresholds,
        })
    }
}

/// The record of a threshold of one symbol; `None` where there is no value.
fn record_threshold(symbol: &str, name: &str, value: Option<f64>) -> Option<FittedThreshold> {
    value.map(|value| FittedThreshold {
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        value,
    })
}
