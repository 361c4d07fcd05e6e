//! What a training knew of time: in whose part a decision lies, or after all of them, and which
//! bars it counted as events.

use market::{Instrument, Utc};
use schemas::codes;
use schemas::manifests::{FittedThreshold, ModelManifest, PartTimes};
use schemas::names::{EVENT_THRESHOLD, LATER, PARTS, SEALED_PART};
use store::Store;
use strategies::Resolved;
use strategies::labels::EventFilter;

use crate::console::{Exit, Failure};

/// What `--part` takes.
pub(super) const PART_NAMES: [&str; 4] = [PARTS[0], PARTS[1], PARTS[2], LATER];

/// The word that `--part` refuses with a way on.
pub(super) const SEALED: &str = SEALED_PART;

/// What is stored of the time that a training knew.
#[derive(Debug, Default)]
pub(super) struct TrainedTime {
    parts: PartTimes,
    /// Those of labels and events that were fitted on the training part.
    thresholds: Vec<FittedThreshold>,
}

impl TrainedTime {
    /// Reads them from the data set of `model`; none if the store has it no more.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn read(
        store: &Store,
        model: &ModelManifest,
    ) -> Result<Option<Self>, Failure> {
        let data_set = store.data_sets().find(&model.lineage.dataset).await?;
        Ok(data_set.map(|data_set| Self {
            parts: PartTimes::of(&data_set),
            thresholds: data_set.thresholds,
        }))
    }

    /// The part in whose time a decision lies, from the first to the last row of the part; `sealed`
    /// in the sealed period, `later` after the last row of all of them. Empty before them and
    /// between them, and for a symbol that the training did not know.
    pub(super) fn part_at(&self, symbol: &Instrument, known_at: Utc) -> &'static str {
        self.parts.part_at(&symbol.id(), known_at.0)
    }

    /// The filter that says which bars of `symbol` are events, with the threshold of the training;
    /// none without a filter, and where the training knew no threshold for the symbol.
    pub(super) fn event_filter(
        &self,
        resolved: &Resolved,
        symbol: &Instrument,
    ) -> Option<EventFilter> {
        let filter = resolved.events?;
        if filter.threshold.is_some() {
            return Some(filter);
        }

        let id = symbol.id();
        let mut thresholds = self.thresholds.iter();
        let fitted =
            thresholds.find(|fitted| fitted.symbol == id && fitted.name == EVENT_THRESHOLD)?;
        Some(EventFilter {
            threshold: Some(fitted.value),
            ..filter
        })
    }
}

/// Why `--part` cannot be obeyed.
pub(super) fn no_parts(model: &ModelManifest) -> Failure {
    let message = format!(
        "the data set of {}@{} is not in the store, so nobody knows its parts",
        model.name, model.version
    );
    Failure::new(Exit::NotFound, codes::DATA_DATASET_MISSING, message)
        .with_hint("leave --part out, or name the time with --start and --end")
}
