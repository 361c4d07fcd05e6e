//! What a training knew of time: in whose part a decision lies, or after all of them, and which
//! bars it counted as events.

use market::{Instrument, Utc};
use schemas::codes;
use schemas::manifests::{FittedThreshold, ModelManifest, PartCount};
use schemas::names::{EVENT_THRESHOLD, PARTS, SEALED_PART};
use store::Store;
use strategies::Resolved;
use strategies::labels::EventFilter;

use crate::console::{Exit, Failure};

/// What a decision after the last row of a data set belongs to.
pub(super) const LATER: &str = "later";

/// What `--part` takes.
pub(super) const PART_NAMES: [&str; 4] = [PARTS[0], PARTS[1], PARTS[2], LATER];

/// The word that `--part` refuses with a way on.
pub(super) const SEALED: &str = SEALED_PART;

/// The stretches of time that a training learnt from, chose by, and was tested on, symbol by
/// symbol.
#[derive(Debug, Default)]
pub(super) struct TrainedTime {
    parts: Vec<PartCount>,
    /// Those of labels and events that were fitted on the training part.
    thresholds: Vec<FittedThreshold>,
    /// First and last instant of the sealed period, microseconds UTC.
    sealed: Option<(i64, i64)>,
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
            sealed: data_set.sealed.map(|rows| (rows.from, rows.range.last)),
            parts: data_set.parts,
            thresholds: data_set.thresholds,
        }))
    }

    /// The part in whose time a decision lies, from the first to the last row of the part; `sealed`
    /// in the sealed period, `later` after the last row of all of them. Empty before them and
    /// between them, and for a symbol that the training did not know.
    pub(super) fn part_at(&self, symbol: &Instrument, known_at: Utc) -> &'static str {
        let mut last = None;
        for (part, first_and_last) in self.ranges_of(symbol) {
            if (first_and_last.0..=first_and_last.1).contains(&known_at.0) {
                return part;
            }
            last = last.max(Some(first_and_last.1));
        }

        let is_after_all = last.is_some_and(|last| known_at.0 > last);
        match self.sealed {
            Some((from, _)) if is_after_all && known_at.0 < from => "",
            Some((_, last)) if is_after_all && known_at.0 <= last => SEALED,
            _ if is_after_all => LATER,
            _ => "",
        }
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

    /// First and last decision of each part that has rows of `symbol`, microseconds UTC.
    fn ranges_of(&self, symbol: &Instrument) -> Vec<(&'static str, (i64, i64))> {
        let id = symbol.id();
        let mut ranges = Vec::new();
        for count in self.parts.iter().filter(|count| count.symbol == id) {
            let part = PARTS.iter().find(|part| **part == count.part);
            if let (Some(part), Some(range)) = (part, count.range) {
                ranges.push((*part, (range.first, range.last)));
            }
        }
        ranges
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

#[cfg(test)]
mod tests {
    use schemas::manifests::ColumnRange;

    use super::*;

    fn count(symbol: &Instrument, part: &str, range: Option<(i64, i64)>) -> PartCount {
        PartCount {
            symbol: symbol.id(),
            part: part.to_owned(),
            rows: 3,
            classes: Vec::new(),
            range: range.map(|(first, last)| ColumnRange { first, last }),
        }
    }

    #[test]
    fn a_decision_lies_in_the_time_of_one_part_or_of_none() {
        let spy = Instrument::parse("stk:SPY").unwrap();
        let other = Instrument::parse("stk:IBM").unwrap();
        let time = TrainedTime {
            parts: vec![
                count(&spy, "train", Some((10, 20))),
                count(&spy, "validation", None),
                count(&spy, "test", Some((30, 40))),
            ],
            ..TrainedTime::default()
        };

        let parts = [9, 10, 20, 25, 30, 40, 41].map(|micros| time.part_at(&spy, Utc(micros)));

        assert_eq!(parts, ["", "train", "train", "", "test", "test", "later"]);
        assert_eq!(time.part_at(&other, Utc(41)), "");
    }

    #[test]
    fn a_decision_of_the_sealed_period_is_marked_and_not_later() {
        let spy = Instrument::parse("stk:SPY").unwrap();
        let time = TrainedTime {
            parts: vec![count(&spy, "test", Some((30, 40)))],
            sealed: Some((45, 60)),
        };

        let parts = [40, 41, 44, 45, 60, 61].map(|micros| time.part_at(&spy, Utc(micros)));
        assert_eq!(parts, ["test", "", "", "sealed", "sealed", "later"]);
    }
}
