//! The data set: rows with features, labels and parts, and what is known about them as a whole.

use std::collections::BTreeMap;

use market::{Instrument, Utc};
use schemas::manifests::{FeatureColumn, FittedThreshold, FuzzyHole, OutputKind, PartCount};

use super::DataSetError;
use crate::splits::{CutDates, Part};

/// Fewest rows of the training part.
pub const TRAIN_ROWS_MIN: usize = 100;

/// Fewest rows of the validation and of the test part.
pub const HELD_OUT_ROWS_MIN: usize = 20;

/// Rows ready to train on.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// Columns in contract order, with fitted scaling.
    pub features: Vec<FeatureColumn>,
    /// Meaning of the label.
    pub output: OutputKind,
    /// Instruments in stacking order.
    pub symbols: Vec<Instrument>,
    /// Position in `symbols` of each row's instrument.
    pub symbol: Vec<u32>,
    /// Number of each row's base bar among those of its symbol, from 0. Rows of one symbol whose
    /// numbers follow each other have no bar between them.
    pub bar: Vec<u32>,
    /// Open of each row's base bar.
    pub open_time: Vec<Utc>,
    /// Instant from which each row may be used: the close of its base bar.
    pub known_at: Vec<Utc>,
    /// Use of each row.
    pub part: Vec<Part>,
    /// Class number or forward return.
    pub label: Vec<f32>,
    /// Instant from which each label may be used: the close of the last bar that it depends on.
    pub label_known_at: Vec<Utc>,
    /// Relative change of the close of each row's base bar over the next `forward_bars`; none where
    /// it is not known before the part after that of the row begins.
    pub forward_return: Vec<Option<f32>>,
    /// Bars over which a decision is held: the horizon of the labels, or where they have none the
    /// mean number of bars until a label of the training part is known, rounded.
    pub forward_bars: u32,
    /// Relative frequency with which each row is drawn in training: the uniqueness of its label,
    /// where the strategy asks for it.
    pub weight: Option<Vec<f32>>,
    /// Scaled features `[feature][row]`.
    pub values: Vec<Vec<f32>>,
    /// Where validation and test begin.
    pub cuts: CutDates,
    /// Gap kept after each of them, microseconds.
    pub embargo_micros: i64,
    /// Rows per symbol and part.
    pub parts: Vec<PartCount>,
    /// Rows dropped, by reason: `warm_up`, `undefined`, `unlabelled`, `no_event`, `purged`,
    /// `embargo`.
    pub dropped: BTreeMap<String, u64>,
    /// Share of the bars with a value on which a membership of the set is positive, by
    /// `{timeframe}_{set}`.
    pub coverage: BTreeMap<String, f64>,
    /// Cuts of the leak test, per symbol.
    pub leak_test_cuts: u64,
    /// Thresholds of labels and events that were fitted on the training part, symbol after symbol.
    pub thresholds: Vec<FittedThreshold>,
    /// Fuzzy sets with a hole in the central 98 % of the values of their indicator, each with the
    /// symbol where it is largest.
    pub holes: Vec<FuzzyHole>,
}

impl DataSet {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.label.len()
    }

    /// Every part is large enough and has a row of every class.
    ///
    /// # Errors
    /// [`DataSetError::FewRows`] or [`DataSetError::NoClass`] of the first part that fails.
    pub(super) fn check_parts(&self) -> Result<(), DataSetError> {
        for part in Part::ALL {
            self.check_rows(part)?;
            self.check_classes(part)?;
        }

        Ok(())
    }

    fn check_rows(&self, part: Part) -> Result<(), DataSetError> {
        let required = match part {
            Part::Train => TRAIN_ROWS_MIN,
            Part::Validation | Part::Test => HELD_OUT_ROWS_MIN,
        };
        // Summed over the symbols, because they are trained as one stack.
        let rows: u64 = self.counts_of(part).map(|count| count.rows).sum();
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);

        if rows < required {
            return Err(DataSetError::FewRows {
                part: part.name(),
                rows,
                required,
                dropped: self.dropped.clone(),
            });
        }

        Ok(())
    }

    fn check_classes(&self, part: Part) -> Result<(), DataSetError> {
        let OutputKind::Classes { names } = &self.output else {
            return Ok(());
        };

        let mut rows_by_class: BTreeMap<String, u64> = BTreeMap::new();
        // A class that one symbol lacks may come from another: they are trained as one stack.
        for (class, name) in names.iter().enumerate() {
            let rows = self
                .counts_of(part)
                .filter_map(|count| count.classes.get(class))
                .sum();
            rows_by_class.insert(name.clone(), rows);
        }

        let missing_class = names
            .iter()
            .find(|name| rows_by_class.get(*name) == Some(&0));
        match missing_class {
            Some(class) => Err(DataSetError::NoClass {
                part: part.name(),
                class: class.clone(),
                classes: rows_by_class,
            }),
            None => Ok(()),
        }
    }

    /// The counts of all symbols in this part.
    fn counts_of(&self, part: Part) -> impl Iterator<Item = &PartCount> {
        self.parts
            .iter()
            .filter(move |count| count.part == part.name())
    }
}
