//! Whether there is an edge: how well predictions order what came, and what a book would have
//! earned that holds each decision over the horizon.

use schemas::edge::{Book, BookCosts, EdgeReport, PartEdge, RankIcTest, TradeSharpe};
use schemas::names::{TEST_PART, VALIDATION_PART};
use statistics::{PanelRow, Sharpe, decile_spread, rank_ic};
use strategies::{Decisions, Signal, TradeCosts};

use super::Scored;
use super::decisions::predictions_of;

/// What came of the samples of a part, sample by sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// Number of the instrument, `[samples]`.
    pub symbol: Vec<u16>,
    /// Instant at which the features were known, microseconds UTC, `[samples]`.
    pub known_at: Vec<i64>,
    /// Number of the base bar among those of its instrument, `[samples]`.
    pub bar: Vec<u32>,
    /// Forward return over the horizon as a fraction; none where it is not known, `[samples]`.
    pub forward_return: Vec<Option<f32>>,
}

/// What came of the rows that chose nothing about the weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldOutOutcomes {
    /// Bars over which returns look ahead.
    pub horizon_bars: u32,
    /// Of the validation part.
    pub validation: Outcomes,
    /// Of the test part.
    pub test: Outcomes,
}

/// What predictions are traded on.
#[derive(Clone, Copy, Debug)]
pub struct Trading<'a> {
    /// What came of the rows.
    pub outcomes: &'a HeldOutOutcomes,
    /// Costs of a trade of each instrument; none where the strategy does not say.
    pub costs: Option<&'a [TripCosts]>,
}

/// What it costs to enter and to leave once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TripCosts(BookCosts);

impl From<TradeCosts> for TripCosts {
    fn from(costs: TradeCosts) -> Self {
        // Two sides: the spread is half of each.
        Self(BookCosts {
            commission: 2.0 * costs.commission,
            spread: costs.spread,
            slippage: 2.0 * costs.slippage,
            round_trip: 0.0,
        })
    }
}

impl TripCosts {
    /// Costs that are stated as one number.
    pub fn undivided(round_trip: f64) -> Self {
        Self(BookCosts {
            round_trip,
            ..BookCosts::default()
        })
    }
}

impl Trading<'_> {
    /// The edge of a model with these scores by `rules`, whose threshold is chosen.
    pub fn edge(&self, validation: &Scored<'_>, test: &Scored<'_>, rules: Decisions) -> EdgeReport {
        let parts = [
            (VALIDATION_PART, validation, &self.outcomes.validation),
            (TEST_PART, test, &self.outcomes.test),
        ];
        let parts = parts.map(|(name, scored, outcomes)| {
            let decided = decide(scored, outcomes, rules);
            (name.to_owned(), self.part_edge(&decided))
        });

        EdgeReport {
            horizon_bars: self.outcomes.horizon_bars,
            parts: parts.into(),
        }
    }

    fn part_edge(&self, rows: &[DecidedRow]) -> PartEdge {
        let panel: Vec<PanelRow> = rows.iter().map(|row| row.panel).collect();
        let signals: Vec<f64> = panel.iter().map(|row| row.signal).collect();
        let returns: Vec<f64> = panel.iter().map(|row| row.forward).collect();
        let rank_ic = rank_ic(&panel, self.outcomes.horizon_bars as usize);

        PartEdge {
            rows: rows.len() as u64,
            rank_ic: rank_ic.map(|rank_ic| rank_ic.value),
            test: rank_ic.and_then(|rank_ic| rank_ic.test).map(test_of),
            decile_spread: decile_spread(&signals, &returns),
            book: self.book(rows),
        }
    }

    /// The trades of these rows: a decision is taken where the one before of its instrument has
    /// ended.
    fn book(&self, rows: &[DecidedRow]) -> Book {
        let mut book = Book::default();
        let mut costs = BookCosts::default();
        let mut trades = Vec::new();
        let horizon = u64::from(self.outcomes.horizon_bars);

        for rows in rows.chunk_by(|one, other| one.panel.symbol == other.panel.symbol) {
            let mut free_from = 0;
            for row in rows {
                if row.decision == Signal::Hold || u64::from(row.bar) < free_from {
                    continue;
                }
                free_from = u64::from(row.bar) + horizon;

                let direction = take_trade(&mut book, row);
                let paid = self.costs_of(row.panel.symbol);
                add_costs(&mut costs, paid);
                trades.push(direction - paid.total());
            }
        }

        book.direction = book.buy_direction + book.sell_direction;
        if self.costs.is_some() {
            book.costs = Some(costs);
            book.net = Some(book.direction - costs.total());
        }
        book.sharpe = Sharpe::of(&trades).map(sharpe_of);
        book
    }

    /// Nothing where the strategy does not say.
    fn costs_of(&self, symbol: u32) -> BookCosts {
        let costs = self.costs.and_then(|costs| costs.get(symbol as usize));
        costs.copied().unwrap_or_default().0
    }
}

/// Counts the trade that begins at a row; returns what its direction earned.
fn take_trade(book: &mut Book, row: &DecidedRow) -> f64 {
    let forward = row.panel.forward;
    if row.decision == Signal::Buy {
        book.buys += 1;
        book.buy_direction += forward;
        forward
    } else {
        book.sells += 1;
        book.sell_direction -= forward;
        -forward
    }
}

/// A row whose forward return is known, and what the strategy makes of it.
struct DecidedRow {
    panel: PanelRow,
    bar: u32,
    decision: Signal,
}

fn decide(scored: &Scored<'_>, outcomes: &Outcomes, rules: Decisions) -> Vec<DecidedRow> {
    let places = outcomes.symbol.iter().zip(&outcomes.known_at);
    let places = places.zip(outcomes.bar.iter().zip(&outcomes.forward_return));
    let predictions = predictions_of(scored);

    let mut rows = Vec::with_capacity(predictions.len());
    for (prediction, place) in predictions.iter().zip(places) {
        let ((symbol, known_at), (bar, forward)) = place;
        let Some(forward) = forward else { continue };
        rows.push(DecidedRow {
            panel: PanelRow {
                signal: rules.expectation(prediction),
                forward: f64::from(*forward),
                symbol: u32::from(*symbol),
                instant: *known_at,
            },
            bar: *bar,
            decision: rules.signal(prediction),
        });
    }
    rows
}

fn add_costs(sum: &mut BookCosts, paid: BookCosts) {
    sum.commission += paid.commission;
    sum.spread += paid.spread;
    sum.slippage += paid.slippage;
    sum.round_trip += paid.round_trip;
}

fn test_of(test: statistics::RankIcTest) -> RankIcTest {
    RankIcTest {
        t: test.t,
        p: test.p,
        lags: test.lags as u64,
        degrees: test.degrees,
        instants: test.instants as u64,
    }
}

fn sharpe_of(sharpe: Sharpe) -> TradeSharpe {
    TradeSharpe {
        ratio: sharpe.ratio,
        skewness: sharpe.skewness,
        kurtosis: sharpe.kurtosis,
        probability: sharpe.probability_above(0.0),
    }
}
