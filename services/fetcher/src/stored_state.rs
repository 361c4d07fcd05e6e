//! What is stored of a series while it is fetched.

use market::{Slot, Utc};
use schemas::manifests::EmptyInterval;
use store::SeriesSnapshot;

/// What is stored of a series, as this attempt knows it.
pub(crate) struct StoredState {
    /// The newest revision; `None` while nothing is stored.
    pub(crate) snapshot: Option<SeriesSnapshot>,
    /// Labels of its bars, ascending.
    pub(crate) opens: Vec<Utc>,
    /// What people should know.
    pub(crate) warnings: Vec<String>,
}

impl StoredState {
    /// Where the provider had no bars when it was asked.
    pub(crate) fn ledger(&self) -> &[EmptyInterval] {
        match &self.snapshot {
            Some(snapshot) => &snapshot.manifest.empty,
            None => &[],
        }
    }

    /// The labels from the first of these slots to the end of the last one.
    pub(crate) fn opens_in(&self, slots: &[Slot]) -> &[Utc] {
        let Some(first) = slots.first() else {
            return &[];
        };
        let Some(last) = slots.last() else {
            return &[];
        };

        let start = self.opens.partition_point(|open| *open < first.open);
        let end = self.opens.partition_point(|open| *open < last.close);
        self.opens.get(start..end).unwrap_or_default()
    }

    /// Adds the labels of bars that were committed, which ascend.
    pub(crate) fn add_opens(&mut self, new: &[Utc]) {
        let Some(first) = new.first() else { return };
        let place = self.opens.partition_point(|open| open < first);

        // An answer fills one hole, as a rule: to sort millions of labels for each takes seconds.
        if self.opens.get(place) > new.last() || place == self.opens.len() {
            self.opens.splice(place..place, new.iter().copied());
            return;
        }
        self.opens.extend_from_slice(new);
        self.opens.sort_unstable();
        self.opens.dedup();
    }
}
