//! In whose time a decision lies: that of a part of the training, of the sealed period, or after
//! all of them.

use super::{DataSetManifest, PartCount};
use crate::names::{LATER, PARTS, SEALED_PART};

/// The stretches of time that a training learnt from, chose by, and was tested on, symbol by
/// symbol, and the one that it was not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartTimes {
    /// Rows and times of each part of each symbol.
    pub parts: Vec<PartCount>,
    /// First and last instant of the sealed period, microseconds UTC.
    pub sealed: Option<(i64, i64)>,
}

impl PartTimes {
    /// Those of a data set.
    pub fn of(data_set: &DataSetManifest) -> Self {
        let sealed = data_set.sealed.as_ref();
        Self {
            parts: data_set.parts.clone(),
            sealed: sealed.map(|rows| (rows.from, rows.range.last)),
        }
    }

    /// The part in whose time a decision lies about the instrument with the id `symbol`, at
    /// `known_at` in microseconds UTC: from the first to the last row of the part, `sealed` in the
    /// sealed period, `later` after the last row of all of them. Empty before them and between
    /// them, and for a symbol that the training did not know.
    pub fn part_at(&self, symbol: &str, known_at: i64) -> &'static str {
        let mut last = None;
        for count in self.parts.iter().filter(|count| count.symbol == symbol) {
            let part = PARTS.iter().find(|part| **part == count.part);
            let (Some(part), Some(range)) = (part, count.range) else {
                continue;
            };
            if (range.first..=range.last).contains(&known_at) {
                return part;
            }
            last = last.max(Some(range.last));
        }

        let is_after_all = last.is_some_and(|last| known_at > last);
        match self.sealed {
            Some((from, _)) if is_after_all && known_at < from => "",
            Some((_, last)) if is_after_all && known_at <= last => SEALED_PART,
            _ if is_after_all => LATER,
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ColumnRange;
    use super::*;

    fn count(part: &str, range: Option<(i64, i64)>) -> PartCount {
        PartCount {
            symbol: "stk:SPY".to_owned(),
            part: part.to_owned(),
            rows: 3,
            classes: Vec::new(),
            range: range.map(|(first, last)| ColumnRange { first, last }),
        }
    }

    #[test]
    fn a_decision_lies_in_the_time_of_one_part_or_of_none() {
        let times = PartTimes {
            parts: vec![
                count("train", Some((10, 20))),
                count("validation", None),
                count("test", Some((30, 40))),
            ],
            sealed: None,
        };

        let parts = [9, 10, 20, 25, 30, 40, 41].map(|micros| times.part_at("stk:SPY", micros));

        assert_eq!(parts, ["", "train", "train", "", "test", "test", "later"]);
        assert_eq!(times.part_at("stk:IBM", 41), "");
    }

    #[test]
    fn a_decision_of_the_sealed_period_is_marked_and_not_later() {
        let times = PartTimes {
            parts: vec![count("test", Some((30, 40)))],
            sealed: Some((45, 60)),
        };

        let parts = [40, 41, 44, 45, 60, 61].map(|micros| times.part_at("stk:SPY", micros));
        assert_eq!(parts, ["test", "", "", "sealed", "sealed", "later"]);
    }
}
