//! Whether a model has an edge: how well its predictions order what came, and what its decisions
//! would have earned. The page `docs/metrics.md` says how each figure is computed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Below this probability of chance a rank information coefficient counts as more than chance.
pub const EDGE_LEVEL: f64 = 0.05;

/// The edge of a model on the parts that its weights were not fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeReport {
    /// Bars over which a decision is held, and returns look ahead.
    pub horizon_bars: u32,
    /// Figures of `validation` and `test`.
    pub parts: BTreeMap<String, PartEdge>,
}

/// The edge of a model on one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartEdge {
    /// Rows whose forward return is known.
    pub rows: u64,
    /// Spearman's correlation of what was expected and the forward return; absent where one of them
    /// does not vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_ic: Option<f64>,
    /// Whether it is more than chance; absent for too few rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<RankIcTest>,
    /// Mean forward return of the tenth of the rows with the highest expectation minus that of the
    /// lowest tenth; absent where too many rows expect the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decile_spread: Option<f64>,
    /// What the decisions would have earned.
    pub book: Book,
}

/// The test of a rank information coefficient against 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankIcTest {
    /// The coefficient in standard errors.
    pub t: f64,
    /// Probability of a coefficient at least as far from 0 by chance.
    pub p: f64,
    /// Lags over which rows may be correlated.
    pub lags: u64,
    /// Degrees of freedom of Student's distribution.
    pub degrees: f64,
    /// Distinct instants of the rows.
    pub instants: u64,
}

/// The trades of one part: each BUY and SELL is held over the horizon, one at a time per
/// instrument. Returns are sums over trades of one size, as fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// Trades that began with BUY.
    pub buys: u64,
    /// Trades that began with SELL.
    pub sells: u64,
    /// What the direction earned, before costs: the sum of `buy_direction` and `sell_direction`.
    pub direction: f64,
    /// Share of BUY in it.
    pub buy_direction: f64,
    /// Share of SELL in it.
    pub sell_direction: f64,
    /// What the trades cost; absent where the strategy does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<BookCosts>,
    /// What remains of the direction after costs; absent without costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<f64>,
    /// The Sharpe ratio of the trades, after costs where there are costs; absent for fewer than two
    /// trades, and where they do not vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpe: Option<TradeSharpe>,
}

/// What the trades of a book cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BookCosts {
    /// Twice a trade.
    pub commission: f64,
    /// Once a trade.
    pub spread: f64,
    /// Twice a trade.
    pub slippage: f64,
    /// Once a trade, undivided: the `round_trip_cost` of a strategy without `costs`.
    pub round_trip: f64,
}

/// A Sharpe ratio per trade, not annualised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradeSharpe {
    /// Mean / deviation.
    pub ratio: f64,
    /// Skewness of the trades.
    pub skewness: f64,
    /// Kurtosis of the trades: 3 of a normal distribution.
    pub kurtosis: f64,
    /// Probability that the true ratio is above 0.
    pub probability: f64,
}

/// Why no edge is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEdge {
    /// The predictions or the returns do not vary, or the rows are too few to judge.
    NotTested,
    /// The predictions order the returns the wrong way round.
    WrongWay,
    /// The rank information coefficient may be chance.
    Chance,
    /// Nothing was traded.
    NoTrades,
    /// The trades lose after their costs.
    Costs,
}

/// The figures by which an edge is judged, of one part or of the headline of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EdgeFigures {
    /// Spearman's correlation of what was expected and what came.
    pub rank_ic: Option<f64>,
    /// Probability of chance.
    pub p: Option<f64>,
    /// Trades of the book.
    pub trades: u64,
    /// What the book made after costs; absent without costs.
    pub net: Option<f64>,
}

// Names of the figures in a headline.
const RANK_IC: &str = "rank_ic";
const RANK_IC_P: &str = "rank_ic_p";
const TRADES: &str = "trades";
const TRADE_NET: &str = "trade_net";
const TRADE_SHARPE: &str = "trade_sharpe";
const TRADE_SKEWNESS: &str = "trade_skewness";
const TRADE_KURTOSIS: &str = "trade_kurtosis";

impl EdgeFigures {
    /// Those of a headline; none of one without an edge that was measured.
    pub fn of_headline(headline: &BTreeMap<String, f64>) -> Option<Self> {
        let figure = |name: &str| headline.get(name).copied();
        let trades = figure(TRADES)?;
        Some(Self {
            rank_ic: figure(RANK_IC),
            p: figure(RANK_IC_P),
            trades: trades as u64,
            net: figure(TRADE_NET),
        })
    }

    /// Why these figures show no edge; none where they show one.
    pub fn why_not(&self) -> Option<NoEdge> {
        let (Some(rank_ic), Some(p)) = (self.rank_ic, self.p) else {
            return Some(NoEdge::NotTested);
        };
        if rank_ic <= 0.0 {
            return Some(NoEdge::WrongWay);
        }
        if p >= EDGE_LEVEL || p.is_nan() {
            return Some(NoEdge::Chance);
        }

        // Without costs nobody knows what remains, and the verdict says so.
        match self.net {
            Some(_) if self.trades == 0 => Some(NoEdge::NoTrades),
            Some(net) if net <= 0.0 => Some(NoEdge::Costs),
            _ => None,
        }
    }
}

/// The Sharpe ratio per trade of a headline; its probability is not among the figures.
pub fn sharpe_of_headline(headline: &BTreeMap<String, f64>) -> Option<TradeSharpe> {
    let figure = |name: &str| headline.get(name).copied();
    Some(TradeSharpe {
        ratio: figure(TRADE_SHARPE)?,
        skewness: figure(TRADE_SKEWNESS)?,
        kurtosis: figure(TRADE_KURTOSIS)?,
        probability: f64::NAN,
    })
}

impl PartEdge {
    /// The figures by which the edge is judged.
    pub fn figures(&self) -> EdgeFigures {
        EdgeFigures {
            rank_ic: self.rank_ic,
            p: self.test.map(|test| test.p),
            trades: self.book.trades(),
            net: self.book.net,
        }
    }

    /// The figures that are compared between models, by name.
    pub fn headline(&self) -> BTreeMap<String, f64> {
        let sharpe = self.book.sharpe;
        let figures = [
            (RANK_IC, self.rank_ic),
            (RANK_IC_P, self.test.map(|test| test.p)),
            (TRADES, Some(self.book.trades() as f64)),
            (TRADE_NET, self.book.net),
            (TRADE_SHARPE, sharpe.map(|it| it.ratio)),
            (TRADE_SKEWNESS, sharpe.map(|it| it.skewness)),
            (TRADE_KURTOSIS, sharpe.map(|it| it.kurtosis)),
        ];

        let present = figures.into_iter();
        let present = present.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        present.collect()
    }
}

impl Book {
    /// Trades in either direction.
    pub const fn trades(&self) -> u64 {
        self.buys + self.sells
    }
}

impl BookCosts {
    /// All costs together.
    pub fn total(&self) -> f64 {
        self.commission + self.spread + self.slippage + self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why_not(rank_ic: f64, p: f64, net: Option<f64>) -> Option<NoEdge> {
        let figures = EdgeFigures {
            rank_ic: Some(rank_ic),
            p: Some(p),
            trades: 3,
            net,
        };
        figures.why_not()
    }

    #[test]
    fn an_edge_is_significant_right_and_pays_its_costs() {
        assert_eq!(why_not(0.1, 0.049, Some(0.01)), None);
        assert_eq!(why_not(0.1, 0.049, None), None);

        assert_eq!(why_not(0.1, 0.05, None), Some(NoEdge::Chance));
        assert_eq!(why_not(0.1, f64::NAN, None), Some(NoEdge::Chance));
        assert_eq!(why_not(-0.1, 0.001, None), Some(NoEdge::WrongWay));
        assert_eq!(why_not(0.1, 0.001, Some(0.0)), Some(NoEdge::Costs));
    }

    #[test]
    fn what_is_not_measured_or_never_trades_is_no_edge() {
        let idle = EdgeFigures {
            rank_ic: Some(0.1),
            p: Some(0.001),
            trades: 0,
            net: Some(0.0),
        };
        assert_eq!(idle.why_not(), Some(NoEdge::NoTrades));
        assert_eq!(EdgeFigures::default().why_not(), Some(NoEdge::NotTested));
    }

    #[test]
    fn a_headline_keeps_what_an_edge_is_judged_by() {
        let sharpe = TradeSharpe {
            ratio: 0.2,
            skewness: -0.5,
            kurtosis: 4.0,
            probability: 0.9,
        };
        let edge = PartEdge {
            rows: 100,
            rank_ic: Some(0.1),
            test: None,
            decile_spread: None,
            book: Book {
                buys: 3,
                sells: 2,
                net: Some(0.02),
                sharpe: Some(sharpe),
                ..Book::default()
            },
        };

        let headline = edge.headline();

        assert_eq!(EdgeFigures::of_headline(&headline), Some(edge.figures()));
        let stored = sharpe_of_headline(&headline).unwrap();
        assert_eq!(
            (stored.ratio, stored.skewness, stored.kurtosis),
            (0.2, -0.5, 4.0)
        );
        assert_eq!(EdgeFigures::of_headline(&BTreeMap::new()), None);
    }
}
