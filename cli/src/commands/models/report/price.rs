//! The decisions of the test part on the price: what the strategy would have said, and when.

use std::collections::BTreeMap;

use market::{Bars, Instrument, SeriesKey, Utc};
use schemas::manifests::{DataSetManifest, SeriesInput};
use store::{DataSetTable, Store};
use strategies::Signal;

use super::super::open_model::OpenModel;
use super::super::paired::predict_test_part;
use super::figures::Figure;
use super::markup::{Markup, Table};
use super::numbers::{axis_day, axis_number, days_of};
use super::picture::{Alternative, DrawError, Look};
use super::plot::{Axis, Line, Mark, Plot, Point, Shape};
use super::thinning::{DecisionGroup, PricedDecision, group_decisions, thin_line};
use crate::console::Failure;

/// Canvases of a wide and of a narrow screen.
const WIDE: [u32; 2] = [2200, 900];
const NARROW: [u32; 2] = [900, 780];
/// Stretches of time of a canvas: each has at most one mark of a kind, and two points of the line.
const UNITS_OF_MARK: u32 = 16;
const UNITS_OF_LINE: u32 = 4;
/// Sizes of the smallest and the largest mark.
const MARK_SIZES: [f64; 2] = [12.0, 30.0];

/// What the model decides on the bars of one symbol.
pub(super) struct DecidedSymbol {
    pub(super) symbol: String,
    /// One per row of the test part, in order of time.
    pub(super) decisions: Vec<PricedDecision>,
    /// The prices of all bars between the first and the last of them.
    pub(super) prices: Vec<Point>,
    /// False where the stored bars are not those of the training any more.
    pub(super) is_same_series: bool,
}

/// The decisions of the test part, symbol by symbol; a symbol without stored bars has none.
///
/// # Errors
/// The data set or the bars cannot be read, or the model does not predict.
pub(super) async fn decide_test_part(
    store: &Store,
    model: &OpenModel,
    data_set: &DataSetManifest,
) -> Result<Vec<DecidedSymbol>, Failure> {
    let table = store.data_sets().read(data_set).await?;
    let signals = signals_of(model, &table)?;

    let mut symbols = Vec::new();
    for (symbol, signals) in signals {
        let Some(source) = find_series(data_set, &symbol, model) else {
            continue;
        };
        let Some(snapshot) = store.series().snapshot(&source.key, None).await? else {
            continue;
        };
        let first = signals.keys().next().copied().unwrap_or_default();
        let last = signals.keys().next_back().copied().unwrap_or_default();
        let times = Utc(first)..Utc(last + 1);
        let base = model.resolved.base;
        let bars = store.series().bars_in(&snapshot, base, times).await?;
        symbols.push(DecidedSymbol {
            symbol: symbol.spelling(),
            decisions: priced_decisions(&signals, &bars),
            prices: prices_of(&bars),
            is_same_series: snapshot.content_sha256() == source.input.content_sha256,
        });
    }
    Ok(symbols)
}

/// Signals by the open of their bar.
type Signals = BTreeMap<i64, Signal>;

fn signals_of(
    model: &OpenModel,
    table: &DataSetTable,
) -> Result<Vec<(Instrument, Signals)>, Failure> {
    let mut by_symbol: BTreeMap<u16, Signals> = BTreeMap::new();
    for (row, outputs) in predict_test_part(model, table)? {
        let outputs: Vec<f64> = outputs.iter().copied().map(f64::from).collect();
        let signal = model.resolved.decisions.signal(&outputs);
        if let (Some(symbol), Some(open)) = (table.symbol.get(row), table.open_time.get(row)) {
            by_symbol.entry(*symbol).or_default().insert(*open, signal);
        }
    }

    let mut signals = Vec::with_capacity(by_symbol.len());
    for (symbol, of_symbol) in by_symbol {
        let id = table.symbols.get(usize::from(symbol));
        if let Some(Ok(instrument)) = id.map(|id| Instrument::parse(id)) {
            signals.push((instrument, of_symbol));
        }
    }
    Ok(signals)
}

/// A series that a data set was made of.
struct SourceSeries<'a> {
    key: SeriesKey,
    input: &'a SeriesInput,
}

/// The series of the bars that a symbol was decided on.
fn find_series<'a>(
    data_set: &'a DataSetManifest,
    symbol: &Instrument,
    model: &OpenModel,
) -> Option<SourceSeries<'a>> {
    let base = model.resolved.base.to_string();
    data_set.series.iter().find_map(|input| {
        let key: SeriesKey = input.series.parse().ok()?;
        let timeframe = key.timeframe.to_string();
        let timeframe = input.resampled_to.as_ref().unwrap_or(&timeframe);
        let is_source = key.instrument == *symbol && *timeframe == base;
        is_source.then_some(SourceSeries { key, input })
    })
}

/// Each decision at the close of its bar.
fn priced_decisions(signals: &Signals, bars: &Bars) -> Vec<PricedDecision> {
    let mut decisions = Vec::with_capacity(signals.len());
    for (row, open) in bars.open_time.iter().enumerate() {
        let price = close_at(bars, row);
        if let (Some(signal), Some(at)) = (signals.get(&open.0), price) {
            decisions.push(PricedDecision {
                at,
                signal: *signal,
            });
        }
    }
    decisions
}

fn prices_of(bars: &Bars) -> Vec<Point> {
    let rows = 0..bars.len();
    rows.filter_map(|row| close_at(bars, row)).collect()
}

/// The close of a bar, at the time from which it is known.
fn close_at(bars: &Bars, row: usize) -> Option<Point> {
    let known_at = bars.close_time.get(row)?;
    let close = bars.close.get(row)?;
    Some(Point {
        x: days_of(known_at.0),
        y: *close,
    })
}

/// The picture of one symbol, for wide and for narrow screens.
///
/// # Errors
/// It cannot be drawn.
pub(super) fn price_figure(decided: &DecidedSymbol) -> Result<Markup, DrawError> {
    let counts = [Signal::Buy, Signal::Hold, Signal::Sell].map(|signal| {
        let same = decided.decisions.iter().filter(|it| it.signal == signal);
        same.count()
    });

    let wide = draw_price(decided, WIDE, "wide")?;
    let narrow = draw_price(decided, NARROW, "narrow")?;
    let frame =
        |class: &str, picture: Markup| Markup::with("div", &[("class", class)], vec![picture]);
    let figure = Figure {
        heading: format!("{} in the test part", decided.symbol),
        picture: Markup::all([frame("wide", wide), frame("narrow", narrow)]),
        legend: marks_legend(),
        caption: describe_price(decided, counts),
        numbers: Some(counts_table(counts)),
    };
    Ok(figure.html("price"))
}

fn draw_price(decided: &DecidedSymbol, size: [u32; 2], class: &str) -> Result<Markup, DrawError> {
    let [width, _] = size;
    let columns = |units: u32| (width / units) as usize;
    let groups = group_decisions(&decided.decisions, columns(UNITS_OF_MARK));
    let marks: Vec<Mark> = groups.iter().map(mark_of).collect();
    let prices = &decided.prices;
    let line = Line {
        name: "close".to_owned(),
        look: Look::Plain,
        points: thin_line(prices, columns(UNITS_OF_LINE)),
        with_dots: false,
    };

    let mut days = Axis::around("", prices.iter().map(|price| price.x), axis_day);
    days.labels = if class == "wide" { 10 } else { 4 };
    let plot = Plot {
        size,
        x: days,
        y: Axis::around("close", prices.iter().map(|price| price.y), axis_number),
        lines: vec![line],
        marks,
    };
    let title = format!("Decisions on {} in the test part", decided.symbol);
    let most = groups.iter().map(|group| group.count).max().unwrap_or(0);
    let alternative = Alternative {
        id: format!("price-{}-{class}", decided.symbol.replace(' ', "-")),
        title,
        description: format!(
            "The closes as a line, with {} triangles below it for BUY and above it for SELL; each \
             stands for up to {most} decisions.",
            groups.len()
        ),
    };
    plot.draw(&alternative)
}

/// A mark whose area follows the share of the decisions that it stands for.
fn mark_of(group: &DecisionGroup) -> Mark {
    let [smallest, largest] = MARK_SIZES;
    let size = (largest - smallest).mul_add(group.share.sqrt(), smallest);
    Mark {
        at: group.at,
        shape: match group.signal {
            Signal::Buy => Shape::Up,
            _ => Shape::Down,
        },
        size: size.round() as i32,
    }
}

fn marks_legend() -> Markup {
    let marks = [
        legend_item("mark buy", "▲", "BUY, below the price"),
        legend_item("mark sell", "▼", "SELL, above the price"),
        legend_item("sample plain", "", "close"),
    ];
    Markup::with("ul", &[("class", "legend")], marks.to_vec())
}

fn legend_item(class: &str, sign: &str, text: &str) -> Markup {
    let sample = [("class", class), ("aria-hidden", "true")];
    let sample = Markup::with("span", &sample, vec![Markup::text(sign)]);
    Markup::element("li", vec![sample, Markup::text(text)])
}

fn describe_price(decided: &DecidedSymbol, counts: [usize; 3]) -> String {
    let [buy, hold, sell] = counts;

    let days = match (decided.prices.first(), decided.prices.last()) {
        (Some(first), Some(last)) => {
            format!("From {} to {}: ", axis_day(first.x), axis_day(last.x))
        }
        _ => String::new(),
    };
    let mut caption = format!(
        "{days}BUY {buy}, HOLD {hold}, SELL {sell}. Decisions of one kind that are close together \
         share a triangle, the larger the more they are; a decision is what the strategy says of \
         one bar, not a trade."
    );
    if !decided.is_same_series {
        caption.push_str(
            " The stored bars are not those of the training any more: prices are those of today.",
        );
    }
    caption
}

fn counts_table(counts: [usize; 3]) -> Table {
    let mut table = Table::new("Decisions of the test part", &["Decision", "Rows"]);
    for (name, count) in ["BUY", "HOLD", "SELL"].into_iter().zip(counts) {
        table.push(name, [Markup::number(count as f64, &count.to_string())]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided() -> DecidedSymbol {
        let mut decisions = Vec::new();
        for row in 0..3000 {
            let x = 19_000.0 + f64::from(row) / 24.0;
            let y = 1.0 + f64::from(row % 7) / 100.0;
            let signal = [Signal::Buy, Signal::Hold][(row % 2) as usize];
            let at = Point { x, y };
            decisions.push(PricedDecision { at, signal });
        }

        DecidedSymbol {
            symbol: "EURUSD".to_owned(),
            prices: decisions.iter().map(|decision| decision.at).collect(),
            decisions,
            is_same_series: true,
        }
    }

    #[test]
    fn thousands_of_decisions_are_a_small_picture() {
        let figure = price_figure(&decided()).unwrap();
        let html = figure.as_str();

        // 2200 / 16 and 900 / 16 stretches of time, each with BUY.
        let marks = html.matches("<polygon").count();
        assert!(marks > 150 && marks <= 137 + 56, "{marks}");
        assert!(html.len() < 60_000, "{}", html.len());
        assert!(html.contains("BUY 1500, HOLD 1500, SELL 0."));
    }

    fn group(share: f64) -> DecisionGroup {
        DecisionGroup {
            at: Point { x: 0.0, y: 0.0 },
            signal: Signal::Sell,
            count: 1,
            share,
        }
    }

    #[test]
    fn a_mark_grows_with_the_share_of_its_decisions() {
        // 12 + 18 · √0.25 = 21.
        assert_eq!(
            [0.25, 1.0].map(|share| mark_of(&group(share)).size),
            [21, 30]
        );
        assert_eq!(mark_of(&group(1.0)).shape, Shape::Down);
    }

    #[test]
    fn bars_that_have_changed_are_called_so() {
        let mut decided = decided();
        assert!(!describe_price(&decided, [0; 3]).contains("any more"));
        decided.is_same_series = false;
        assert!(describe_price(&decided, [0; 3]).contains("not those of the training any more"));
    }
}
