//! Bars of one symbol in two timeframes: do they cover the same time, and do they agree on when the
//! market traded?

use market::{Timeframe, Utc};

use crate::report::{Check, Finding, Sample, Severity};
use crate::rules::Rules;

/// Bars named in a finding, at most.
const SAMPLES_MAX: usize = 5;
const DAY_MICROS: i64 = 86_400_000_000;
/// A day on which the clock goes back is an hour longer: its first bars are in no other day.
const CLOCK_CHANGE_MICROS: i64 = 3_600_000_000;

/// The bars of one timeframe.
#[derive(Clone, Copy, Debug)]
pub struct CoveredBars<'a> {
    /// Length of each bar.
    pub timeframe: Timeframe,
    /// The instant from which each bar is known, ascending: the end of what it covers.
    pub known_at: &'a [Utc],
}

impl CoveredBars<'_> {
    /// Those that are known after `after` and up to `until`.
    fn in_range(&self, after: Utc, until: Utc) -> &[Utc] {
        let start = self.known_at.partition_point(|known_at| *known_at <= after);
        let end = self.known_at.partition_point(|known_at| *known_at <= until);
        self.known_at.get(start..end).unwrap_or_default()
    }
}

/// What speaks against the use of two series of one symbol together: too little common time, and
/// what [`check_agreement`] finds. No finding is critical: each series may be right alone.
pub fn check_coverage(one: CoveredBars<'_>, other: CoveredBars<'_>, rules: &Rules) -> Vec<Finding> {
    let Some(pair) = Pair::of(one, other) else {
        return Vec::new();
    };

    let overlap = pair.check_overlap(rules);
    overlap.into_iter().chain(pair.check_holes(rules)).collect()
}

/// Bars of one series where the other has none, in the time that both cover, however short it is.
pub fn check_agreement(
    one: CoveredBars<'_>,
    other: CoveredBars<'_>,
    rules: &Rules,
) -> Vec<Finding> {
    let pair = Pair::of(one, other);
    pair.map_or_else(Vec::new, |pair| pair.check_holes(rules))
}

/// Two series of one symbol, and the time in which both have bars.
struct Pair<'a> {
    finer: CoveredBars<'a>,
    coarser: CoveredBars<'a>,
    /// Where the later of the two first bars ends.
    after: Utc,
    /// Where the earlier of the two last bars ends.
    until: Utc,
}

impl<'a> Pair<'a> {
    /// None if one of them has no bars: nothing can be said then.
    fn of(one: CoveredBars<'a>, other: CoveredBars<'a>) -> Option<Self> {
        let (finer, coarser) = match one.timeframe < other.timeframe {
            true => (one, other),
            false => (other, one),
        };

        Some(Self {
            after: *finer.known_at.first()?.max(coarser.known_at.first()?),
            until: *finer.known_at.last()?.min(coarser.known_at.last()?),
            finer,
            coarser,
        })
    }

    fn check_overlap(&self, rules: &Rules) -> Option<Finding> {
        let days = (self.until.0 - self.after.0).max(0) as f64 / DAY_MICROS as f64;
        let finer_count = self.count_in_common(&self.finer);
        let coarser_count = self.count_in_common(&self.coarser);
        let bars = finer_count.min(coarser_count);
        if days >= rules.coverage_days_min && bars >= rules.coverage_bars_min {
            return None;
        }

        let message = format!(
            "{} and {} bars have {days:.0} days in common, with {finer_count} and {coarser_count} \
             bars: at least {:.0} days and {} bars of each are needed to use them together",
            self.finer.timeframe,
            self.coarser.timeframe,
            rules.coverage_days_min,
            rules.coverage_bars_min
        );
        Some(finding(Severity::Medium, &[], message))
    }

    /// The bars of a series in the common time, with the one that begins it.
    fn count_in_common(&self, series: &CoveredBars<'_>) -> usize {
        match self.after < self.until {
            true => series.in_range(self.after, self.until).len() + 1,
            false => 0,
        }
    }

    fn check_holes(&self, rules: &Rules) -> Vec<Finding> {
        let holes = [self.check_finer(rules), self.check_coarser(rules)];
        holes.into_iter().flatten().collect()
    }

    /// Longer bars in which no shorter one lies.
    fn check_finer(&self, rules: &Rules) -> Option<Finding> {
        let length = self.coarser.timeframe.micros_max();
        let finer = self.finer.known_at;
        let looked_at = self.coarser.in_range(self.after, self.until);
        let hollow = looked_at
            .iter()
            .filter(|known_at| time_since(finer, **known_at).is_none_or(|time| time >= length));

        let hollow: Vec<Utc> = hollow.copied().collect();
        let coarser = self.coarser.timeframe;
        let what = format!(
            "{coarser} bars have no {} bar in them",
            self.finer.timeframe
        );
        contradiction(&hollow, looked_at.len(), &what, rules)
    }

    /// Shorter bars that lie in no longer one.
    fn check_coarser(&self, rules: &Rules) -> Option<Finding> {
        let mut length = self.coarser.timeframe.micros_max();
        if length >= DAY_MICROS {
            length += CLOCK_CHANGE_MICROS;
        }
        let coarser = self.coarser.known_at;
        let looked_at = self.finer.in_range(self.after, self.until);
        let outside = looked_at
            .iter()
            .filter(|known_at| time_to(coarser, **known_at).is_none_or(|time| time >= length));

        let outside: Vec<Utc> = outside.copied().collect();
        let finer = self.finer.timeframe;
        let what = format!("{finer} bars lie in no {} bar", self.coarser.timeframe);
        contradiction(&outside, looked_at.len(), &what, rules)
    }
}

/// Microseconds since the last of these instants up to `at`; none before the first one.
fn time_since(instants: &[Utc], at: Utc) -> Option<i64> {
    let next = instants.partition_point(|each| *each <= at);
    let last = instants.get(next.checked_sub(1)?)?;
    Some(at.0 - last.0)
}

/// Microseconds to the first of these instants from `at` on; none after the last one.
fn time_to(instants: &[Utc], at: Utc) -> Option<i64> {
    let next = instants.partition_point(|each| *each < at);
    instants.get(next).map(|next| next.0 - at.0)
}

/// The finding about bars that the other series contradicts, unless there are none.
fn contradiction(bars: &[Utc], looked_at: usize, what: &str, rules: &Rules) -> Option<Finding> {
    if bars.is_empty() {
        return None;
    }

    let share = bars.len() as f64 / looked_at as f64;
    let severity = if share > rules.coverage_high {
        Severity::High
    } else if share > rules.coverage_medium {
        Severity::Medium
    } else {
        Severity::Low
    };
    let message = format!("{} of {looked_at} {what}", bars.len());
    Some(finding(severity, bars, message))
}

fn finding(severity: Severity, bars: &[Utc], message: String) -> Finding {
    let samples = bars.iter().take(SAMPLES_MAX);

    Finding {
        check: Check::Coverage,
        severity,
        count: bars.len(),
        first: bars.first().copied(),
        last: bars.last().copied(),
        rows: samples
            .map(|time| Sample {
                row: None,
                time: *time,
            })
            .collect(),
        message,
    }
}
