//! Splits and dividends of a load, as sentences: people must know what the prices are adjusted for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use market::{Adjustment, SeriesKey};

use super::chart::{Chart, EventKind};

/// Splits that are named one by one.
const SPLITS_NAMED: usize = 3;

/// What happened to the shares of a series in the ranges that were asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    /// Dates with their ratios, such as `4:1`.
    splits: BTreeSet<(Date, String)>,
    dividends: BTreeSet<Date>,
}

impl Events {
    /// Adds those of an answer.
    pub(super) fn add(&mut self, chart: &Chart) {
        for event in &chart.events {
            let Ok(instant) = Timestamp::from_second(event.time) else {
                continue;
            };
            let date = instant.to_zoned(chart.zone.clone()).date();

            match &event.kind {
                EventKind::Split(ratio) => drop(self.splits.insert((date, ratio.clone()))),
                EventKind::Dividend(_) => drop(self.dividends.insert(date)),
            }
        }
    }

    /// What people should know of them.
    pub(super) fn notes(&self, key: &SeriesKey) -> Vec<String> {
        let name = key.instrument.spelling();
        let notes = [self.split_note(&name), self.dividend_note(&name, key)];
        notes.into_iter().flatten().collect()
    }

    fn split_note(&self, name: &str) -> Option<String> {
        let newest = self.splits.iter().rev().take(SPLITS_NAMED);
        let named = newest.map(|(date, ratio)| format!("{ratio} on {date}"));
        let named: Vec<String> = named.collect();
        if named.is_empty() {
            return None;
        }

        let others = match self.splits.len() - named.len() {
            0 => String::new(),
            others => format!(" and {others} times before"),
        };
        let named = named.join(", ");
        Some(format!(
            "{name} split {named}{others}: earlier prices are adjusted for it"
        ))
    }

    fn dividend_note(&self, name: &str, key: &SeriesKey) -> Option<String> {
        let first = self.dividends.first()?;
        let last = self.dividends.last()?;
        let count = self.dividends.len();
        let paid = if count == 1 {
            format!("{name} paid a dividend on {last}")
        } else {
            format!("{name} paid {count} dividends from {first} to {last}")
        };

        let provider = key.provider();
        let timeframe = key.timeframe;
        Some(match key.adjustment {
            Adjustment::SplitDividend => format!(
                "{paid}: each one changes all earlier prices of this series; `ktrdr data load \
                 {name} -t {timeframe} --mode full --refetch --provider {provider}` renews them"
            ),
            _ => format!(
                "{paid}: prices are not adjusted for dividends; those of `--provider \
                 yahoo_adjusted` are"
            ),
        })
    }
}
