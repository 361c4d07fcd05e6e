//! Fewer points and marks than there are decisions: what is left out cannot be told apart on the
//! screen, and how much that is can be said.

use strategies::Signal;

use super::plot::Point;

/// A decision on the price at which it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PricedDecision {
    /// Time and price.
    pub(super) at: Point,
    pub(super) signal: Signal,
}

/// Several decisions of one kind that share a mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DecisionGroup {
    /// That of the decision in their middle.
    pub(super) at: Point,
    pub(super) signal: Signal,
    /// How many they are.
    pub(super) count: usize,
    /// Their share in all decisions of the same time, above 0.
    pub(super) share: f64,
}

/// A line of at most `2 * columns` of its points: the lowest and the highest of each column, in
/// order. One that has as few is not changed.
pub(super) fn thin_line(points: &[Point], columns: usize) -> Vec<Point> {
    if points.len() <= 2 * columns {
        return points.to_vec();
    }

    let mut thinned = Vec::with_capacity(2 * columns);
    for column in points.chunks(points.len().div_ceil(columns.max(1))) {
        let lowest = column.iter().min_by(|one, other| one.y.total_cmp(&other.y));
        let highest = column.iter().max_by(|one, other| one.y.total_cmp(&other.y));
        let mut ends: Vec<Point> = lowest.into_iter().chain(highest).copied().collect();
        ends.sort_by(|one, other| one.x.total_cmp(&other.x));
        thinned.extend(ends);
    }
    thinned
}

/// The BUY and SELL decisions of each of at most `columns` stretches of time, one group of each.
pub(super) fn group_decisions(decisions: &[PricedDecision], columns: usize) -> Vec<DecisionGroup> {
    let width = decisions.len().div_ceil(columns.max(1)).max(1);
    let mut groups = Vec::new();

    for column in decisions.chunks(width) {
        for signal in [Signal::Buy, Signal::Sell] {
            let same = column.iter().filter(|decision| decision.signal == signal);
            let same: Vec<&PricedDecision> = same.collect();
            if let Some(middle) = same.get(same.len() / 2) {
                groups.push(DecisionGroup {
                    at: middle.at,
                    signal,
                    count: same.len(),
                    share: same.len() as f64 / column.len() as f64,
                });
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(x: f64, y: f64, signal: Signal) -> PricedDecision {
        let at = Point { x, y };
        PricedDecision { at, signal }
    }

    fn points(prices: &[f64]) -> Vec<Point> {
        let numbered = prices.iter().enumerate();
        numbered
            .map(|(x, y)| Point { x: x as f64, y: *y })
            .collect()
    }

    #[test]
    fn a_short_line_is_not_changed() {
        let line = points(&[1.0, 5.0, 2.0, 4.0]);
        assert_eq!(thin_line(&line, 2), line);
    }

    #[test]
    fn a_long_line_keeps_the_extremes_of_each_column() {
        // Columns of four: 3 9 1 2 and 4 4 0 8.
        let line = points(&[3.0, 9.0, 1.0, 2.0, 4.0, 4.0, 0.0, 8.0]);

        let thinned = thin_line(&line, 2);

        let prices: Vec<f64> = thinned.iter().map(|point| point.y).collect();
        assert_eq!(prices, [9.0, 1.0, 0.0, 8.0]);
    }

    #[test]
    fn decisions_of_one_time_share_a_mark_that_counts_them() {
        use Signal::{Buy, Hold, Sell};
        let signals = [Buy, Hold, Buy, Sell, Hold, Hold, Hold, Buy];
        let numbered = signals.iter().enumerate();
        let decisions: Vec<PricedDecision> = numbered
            .map(|(x, signal)| decision(x as f64, 1.0, *signal))
            .collect();

        let groups = group_decisions(&decisions, 2);

        // Of the first four two are BUY and one SELL, of the last four one BUY.
        let facts: Vec<(Signal, usize, f64)> = groups
            .iter()
            .map(|group| (group.signal, group.count, group.share))
            .collect();
        assert_eq!(facts, [(Buy, 2, 0.5), (Sell, 1, 0.25), (Buy, 1, 0.25)]);
    }

    #[test]
    fn few_decisions_have_a_mark_each() {
        let decisions = [
            decision(0.0, 1.0, Signal::Buy),
            decision(1.0, 2.0, Signal::Buy),
        ];
        let groups = group_decisions(&decisions, 100);
        assert!(
            groups
                .iter()
                .all(|group| group.count == 1 && group.share == 1.0)
        );
        assert_eq!(groups.len(), 2);
    }
}
