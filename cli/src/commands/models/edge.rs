//! Whether a model has an edge, in a few lines and one plain sentence.

use schemas::edge::{Book, BookCosts, EdgeFigures, EdgeReport, NoEdge, PartEdge};
use schemas::metrics::MetricsDocument;
use schemas::names::{TEST_PART, VALIDATION_PART};

use super::evaluation::number;
use crate::console::count_of;

/// What is said where nothing was measured.
const NOT_MEASURED: &str = "not measured: its data set has no forward returns, since an earlier \
                            version made it; `ktrdr train` makes another one";

/// The lines about the edge of a model.
pub(super) fn describe_edge(document: &MetricsDocument) -> Vec<(&'static str, String)> {
    let Some(report) = &document.evaluation.edge else {
        return vec![("edge", NOT_MEASURED.to_owned())];
    };

    let mut lines = Vec::new();
    lines.extend(edge_sentence(document).map(|sentence| ("edge", sentence)));
    for (part, edge) in held_out(report) {
        lines.push(("rank IC", format!("{part}: {}", describe_rank_ic(edge))));
    }
    for (part, edge) in held_out(report) {
        let book = describe_book(&edge.book, report.horizon_bars);
        lines.push(("book", format!("{part}: {book}")));
    }
    lines
}

/// The test part, then the one by which a model is chosen.
fn held_out(report: &EdgeReport) -> impl Iterator<Item = (&'static str, &PartEdge)> {
    let parts = [TEST_PART, VALIDATION_PART];
    parts
        .into_iter()
        .filter_map(|part| Some((part, report.parts.get(part)?)))
}

/// The verdict on the test part; none where nothing was measured.
pub(super) fn edge_sentence(document: &MetricsDocument) -> Option<String> {
    let report = document.evaluation.edge.as_ref()?;
    let figures = report.parts.get(TEST_PART)?.figures();
    Some(verdict(&figures, "on the test part"))
}

/// The verdict on a part in few words, for a column of a table.
pub(super) fn edge_words(edge: &PartEdge) -> String {
    let words = match edge.figures().why_not() {
        None => "an edge",
        Some(NoEdge::NotTested) => "none shown, not tested",
        Some(NoEdge::WrongWay) => "none shown, wrong way round",
        Some(NoEdge::Chance) => "none shown, may be chance",
        Some(NoEdge::NoTrades) => "none shown, no trades",
        Some(NoEdge::Costs) => "none shown, lost to costs",
    };
    words.to_owned()
}

/// What the trades made after costs.
pub(super) fn net_words(edge: &PartEdge) -> String {
    let net = edge.book.net;
    net.map_or_else(|| "no costs stated".to_owned(), percents)
}

/// `0.0412, p 0.003`, as far as it was measured.
pub(super) fn rank_ic_words(edge: &PartEdge) -> String {
    let rank_ic = edge.rank_ic.map(number).unwrap_or_default();
    match edge.test {
        Some(test) => format!("{rank_ic}, p {}", probability(test.p)),
        None => rank_ic,
    }
}

/// One sentence on figures, which are those `of_what`.
pub(super) fn verdict(figures: &EdgeFigures, of_what: &str) -> String {
    let rank_ic = figures.rank_ic.map(number).unwrap_or_default();
    let p = figures.p.map(probability).unwrap_or_default();

    let reason = match figures.why_not() {
        None => {
            let remains = match figures.net {
                Some(net) => format!("its trades made {} after costs", percents(net)),
                None => "the strategy states no `costs`, so what remains after them is open".into(),
            };
            return format!("an edge {of_what}: rank IC {rank_ic}, p {p}; {remains}");
        }
        Some(NoEdge::NotTested) => "the rows are too few, or the predictions do not vary".into(),
        Some(NoEdge::WrongWay) => {
            format!("the predictions order what came the wrong way round (rank IC {rank_ic})")
        }
        Some(NoEdge::Chance) => format!("rank IC {rank_ic} may be chance (p {p})"),
        Some(NoEdge::NoTrades) => {
            format!("rank IC {rank_ic} is more than chance (p {p}), but no decision is BUY or SELL")
        }
        Some(NoEdge::Costs) => {
            let net = figures.net.map(percents).unwrap_or_default();
            format!("rank IC {rank_ic} is more than chance (p {p}), but costs leave {net}")
        }
    };
    format!("none is shown {of_what}: {reason}")
}

/// `0.0412 (t 2.96, p 0.003), highest minus lowest tenth +0.031 %`.
fn describe_rank_ic(edge: &PartEdge) -> String {
    let Some(rank_ic) = edge.rank_ic else {
        return format!("predictions or returns do not vary on {} rows", edge.rows);
    };

    let test = match edge.test {
        Some(test) => format!(
            "t {:.2}, p {}, {} lags",
            test.t,
            probability(test.p),
            test.lags
        ),
        None => format!(
            "{} are too few for a test",
            count_of(edge.rows as usize, "row")
        ),
    };
    let spread = edge.decile_spread.map_or_else(String::new, |spread| {
        format!(", highest minus lowest tenth {}", percents(spread))
    });
    format!("{} ({test}){spread}", number(rank_ic))
}

/// `120 trades of 20 bars (70 BUY, 50 SELL): direction +3.10 %, …, net +2.31 %; …`.
fn describe_book(book: &Book, horizon: u32) -> String {
    let mut text = format!(
        "{} of {} ({} BUY, {} SELL): direction {}",
        count_of(book.trades() as usize, "trade"),
        count_of(horizon as usize, "bar"),
        book.buys,
        book.sells,
        percents(book.direction)
    );

    match (&book.costs, book.net) {
        (Some(costs), Some(net)) => {
            text.push_str(&describe_costs(costs));
            text.push_str(&format!(", net {}", percents(net)));
        }
        _ => text.push_str(", net unknown: the strategy states no `costs`"),
    }
    if let Some(sharpe) = book.sharpe {
        text.push_str(&format!(
            "; Sharpe ratio {:.3} a trade, above 0 with {:.0} %",
            sharpe.ratio,
            100.0 * sharpe.probability
        ));
    }
    text
}

/// `, commission -0.24 %, spread -0.40 %, slippage -0.15 %`.
fn describe_costs(costs: &BookCosts) -> String {
    if costs.round_trip > 0.0 {
        return format!(", round trips {}", percents(-costs.round_trip));
    }
    format!(
        ", commission {}, spread {}, slippage {}",
        percents(-costs.commission),
        percents(-costs.spread),
        percents(-costs.slippage)
    )
}

/// A return in percent with its sign.
pub(super) fn percents(value: f64) -> String {
    match value {
        0.0 => "0 %".to_owned(),
        value => format!("{:+.3} %", 100.0 * value),
    }
}

/// `0.041`, or `<0.001`.
pub(super) fn probability(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text_of(edge: serde_json::Value) -> String {
        let mut document = json!({
            "v": 1, "headline": {}, "warnings": [], "epochs": 3, "best_epoch": 2,
            "stopped_early": false, "seed": 7, "parameters": 4, "device": "cpu",
            "class_weights": {}, "parts": {},
        });
        if !edge.is_null() {
            document["edge"] = edge;
        }

        let document: MetricsDocument = serde_json::from_value(document).unwrap();
        let lines = describe_edge(&document);
        let lines = lines
            .iter()
            .map(|(name, text)| format!("{name:<8} {text}\n"));
        lines.collect()
    }

    /// A test part with this p, and what its book made.
    fn edge(p: f64, book: serde_json::Value) -> serde_json::Value {
        json!({
            "horizon_bars": 20,
            "parts": {"test": {
                "rows": 900, "rank_ic": 0.0412, "decile_spread": 0.00031,
                "test": {"t": 2.96, "p": p, "lags": 40, "degrees": 32.9, "instants": 900},
                "book": book,
            }},
        })
    }

    fn book(costs: serde_json::Value) -> serde_json::Value {
        let mut book = json!({
            "buys": 12, "sells": 8, "direction": 0.031, "buy_direction": 0.02,
            "sell_direction": 0.011,
            "sharpe": {"ratio": 0.121, "skewness": 0.1, "kurtosis": 3.1, "probability": 0.71},
        });
        for (key, value) in costs.as_object().unwrap() {
            book[key] = value.clone();
        }
        book
    }

    fn costs(net: f64) -> serde_json::Value {
        json!({
            "costs": {"commission": 0.0024, "spread": 0.004, "slippage": 0.0, "round_trip": 0.0},
            "net": net,
        })
    }

    #[test]
    fn an_edge_that_pays_its_costs_is_called_one() {
        insta::assert_snapshot!(text_of(edge(0.0042, book(costs(0.0246)))), @"
        edge     an edge on the test part: rank IC 0.0412, p 0.004; its trades made +2.460 % after costs
        rank IC  test: 0.0412 (t 2.96, p 0.004, 40 lags), highest minus lowest tenth +0.031 %
        book     test: 20 trades of 20 bars (12 BUY, 8 SELL): direction +3.100 %, commission -0.240 %, spread -0.400 %, slippage 0 %, net +2.460 %; Sharpe ratio 0.121 a trade, above 0 with 71 %
        ");
    }

    #[test]
    fn without_costs_it_is_said_that_they_are_open() {
        insta::assert_snapshot!(text_of(edge(0.0004, book(json!({})))), @"
        edge     an edge on the test part: rank IC 0.0412, p <0.001; the strategy states no `costs`, so what remains after them is open
        rank IC  test: 0.0412 (t 2.96, p <0.001, 40 lags), highest minus lowest tenth +0.031 %
        book     test: 20 trades of 20 bars (12 BUY, 8 SELL): direction +3.100 %, net unknown: the strategy states no `costs`; Sharpe ratio 0.121 a trade, above 0 with 71 %
        ");
    }

    fn sentence_of(figures: EdgeFigures) -> String {
        verdict(&figures, "on the test part")
    }

    #[test]
    fn whatever_is_no_edge_is_not_called_one() {
        let edge = EdgeFigures {
            rank_ic: Some(0.0412),
            p: Some(0.012),
            trades: 20,
            net: Some(0.01),
        };
        let p = Some(0.41);
        let rank_ic = Some(-0.02);
        let net = Some(-0.01);
        let sentences = [
            sentence_of(EdgeFigures { p, ..edge }),
            sentence_of(EdgeFigures { rank_ic, ..edge }),
            sentence_of(EdgeFigures { net, ..edge }),
            sentence_of(EdgeFigures { trades: 0, ..edge }),
            sentence_of(EdgeFigures { p: None, ..edge }),
        ];

        insta::assert_snapshot!(sentences.join("\n"), @"
        none is shown on the test part: rank IC 0.0412 may be chance (p 0.410)
        none is shown on the test part: the predictions order what came the wrong way round (rank IC -0.0200)
        none is shown on the test part: rank IC 0.0412 is more than chance (p 0.012), but costs leave -1.000 %
        none is shown on the test part: rank IC 0.0412 is more than chance (p 0.012), but no decision is BUY or SELL
        none is shown on the test part: the rows are too few, or the predictions do not vary
        ");
        for sentence in sentences {
            assert!(!sentence.contains("an edge"), "{sentence}");
        }
    }

    fn words(p: f64, costs: serde_json::Value) -> String {
        let report: EdgeReport = serde_json::from_value(edge(p, book(costs))).unwrap();
        let edge = &report.parts["test"];
        [rank_ic_words(edge), edge_words(edge), net_words(edge)].join("; ")
    }

    #[test]
    fn a_table_has_the_verdict_in_few_words() {
        let texts = [
            words(0.0042, json!({})),
            words(0.0042, costs(0.0246)),
            words(0.0042, costs(-0.01)),
            words(0.3, json!({})),
        ];
        insta::assert_snapshot!(texts.join("\n"), @"
        0.0412, p 0.004; an edge; no costs stated
        0.0412, p 0.004; an edge; +2.460 %
        0.0412, p 0.004; none shown, lost to costs; -1.000 %
        0.0412, p 0.300; none shown, may be chance; no costs stated
        ");
    }

    #[test]
    fn what_an_older_program_trained_says_that_it_was_not_measured() {
        insta::assert_snapshot!(text_of(json!(null)), @"
        edge     not measured: its data set has no forward returns, since an earlier version made it; `ktrdr train` makes another one
        ");
    }
}
