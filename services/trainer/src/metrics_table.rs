//! `metrics.parquet`: every figure of the evaluation as one row of a long table.

use std::collections::BTreeMap;

use schemas::edge::{Book, EdgeReport};
use schemas::metrics::{
    Calibration, CalibrationBin, ClassMetrics, ClassRates, Evaluation, GroupMetrics, Grouping,
    Importance, Interval, KindMetrics, MetricsDocument, PartMetrics, Temperature,
};
use schemas::names::{TEST_PART, VALIDATION_PART};
use store::{Bytes, Cells, StoreError, Table};

/// The file of `document`: columns `part`, `kind`, `name`, `figure`, `value`, `low`, `high`.
///
/// # Errors
/// When the table cannot be encoded.
pub fn metrics_file(document: &MetricsDocument) -> Result<Bytes, StoreError> {
    let mut rows = Rows::default();
    for (part, metrics) in &document.parts {
        rows.add_part(part, metrics, &document.evaluation);
    }
    for group in &document.evaluation.groups {
        rows.add_group(group);
    }
    if let Some(importance) = &document.evaluation.importance {
        rows.add_importance(importance);
    }
    for (part, counts) in document
        .evaluation
        .decisions
        .iter()
        .flat_map(|it| &it.parts)
    {
        let figures = [
            ("buy", counts.buy as f64),
            ("hold", counts.hold as f64),
            ("sell", counts.sell as f64),
            ("precision", counts.precision.unwrap_or(f64::NAN)),
        ];
        rows.add_all(part, "decisions", "", figures);
    }
    if let Some(edge) = &document.evaluation.edge {
        rows.add_edge(edge);
    }
    if let Some(temperature) = &document.evaluation.temperature {
        let figures = [
            ("value", temperature.value),
            ("loss", temperature.loss),
            ("brier", temperature.brier),
            ("ece", temperature.calibration.ece),
        ];
        rows.add_all(TEST_PART, "temperature", "", figures);
        rows.add_uncalibrated(temperature);
    }

    rows.into_parquet()
}

/// The columns of the table.
#[derive(Debug, Default)]
struct Rows {
    part: Vec<String>,
    kind: Vec<String>,
    name: Vec<String>,
    figure: Vec<String>,
    value: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

/// What a figure is of.
#[derive(Clone, Copy)]
struct Subject<'a> {
    part: &'a str,
    kind: &'a str,
    name: &'a str,
}

impl Rows {
    fn add(&mut self, subject: Subject<'_>, figure: &str, value: f64, interval: Option<Interval>) {
        self.part.push(subject.part.to_owned());
        self.kind.push(subject.kind.to_owned());
        self.name.push(subject.name.to_owned());
        self.figure.push(figure.to_owned());
        self.value.push(value);
        self.low
            .push(interval.map_or(f64::NAN, |interval| interval.low));
        self.high
            .push(interval.map_or(f64::NAN, |interval| interval.high));
    }

    /// What the probabilities were worth before the temperature that the model stores.
    fn add_uncalibrated(&mut self, temperature: &Temperature) {
        let Some(uncalibrated) = temperature.uncalibrated else {
            return;
        };
        let figures = [
            ("loss", uncalibrated.loss),
            ("brier", uncalibrated.brier),
            ("ece", uncalibrated.ece),
        ];
        self.add_all(TEST_PART, "uncalibrated", "", figures);
    }

    /// The rank information coefficient of each part with its test, and what a book would earn.
    fn add_edge(&mut self, edge: &EdgeReport) {
        for (part, edge) in &edge.parts {
            let test = edge.test.map(|test| [("t", test.t), ("p", test.p)]);
            let spread = edge.decile_spread.map(|spread| ("decile_spread", spread));
            let rank_ic = edge.rank_ic.map(|value| ("rank_ic", value));
            let figures = rank_ic.into_iter().chain(spread);
            let figures = figures.chain(test.into_iter().flatten());
            self.add_all(
                part,
                "edge",
                "",
                figures.chain([("rows", edge.rows as f64)]),
            );
            self.add_all(part, "book", "", figures_of_book(&edge.book));
        }
    }

    /// Figures without intervals.
    fn add_all<'a>(
        &mut self,
        part: &str,
        kind: &str,
        name: &str,
        figures: impl IntoIterator<Item = (&'a str, f64)>,
    ) {
        let subject = Subject { part, kind, name };
        for (figure, value) in figures {
            self.add(subject, figure, value, None);
        }
    }

    fn add_part(&mut self, part: &str, metrics: &PartMetrics, evaluation: &Evaluation) {
        let subject = Subject {
            part,
            kind: "part",
            name: "",
        };
        // Only the test part has intervals; their figures are those of the headline and more.
        let intervals = match &evaluation.uncertainty {
            Some(uncertainty) if part == TEST_PART => uncertainty.intervals.clone(),
            _ => BTreeMap::new(),
        };
        self.add(subject, "rows", metrics.rows as f64, None);
        for (figure, value) in metrics.headline() {
            if !intervals.contains_key(&figure) {
                self.add(subject, &figure, value, None);
            }
        }
        for (figure, interval) in intervals {
            self.add(subject, &figure, interval.value, Some(interval));
        }

        if let KindMetrics::Classes(classes) = &metrics.kind {
            self.add_classes(part, classes);
        }
    }

    fn add_classes(&mut self, part: &str, metrics: &ClassMetrics) {
        for class in &metrics.classes {
            self.add_all(part, "class", &class.name, figures_of_class(class));
        }

        for (class, counts) in metrics.classes.iter().zip(&metrics.confusion) {
            let answers = metrics.classes.iter().map(|answer| answer.name.as_str());
            let cells = answers.zip(counts.iter().map(|count| *count as f64));
            self.add_all(part, "confusion", &class.name, cells);
        }

        if let Some(skill) = &metrics.skill {
            self.add_calibration(part, &skill.calibration);
        }
    }

    fn add_calibration(&mut self, part: &str, calibration: &Calibration) {
        for bin in &calibration.bins {
            let name = format!("{:.1}", bin.low);
            self.add_all(part, "bin", &name, figures_of_bin(bin));
        }
    }

    fn add_group(&mut self, group: &GroupMetrics) {
        let kind = match group.by {
            Grouping::Symbol => "symbol",
            Grouping::Month => "month",
        };
        let rows = [("rows", group.rows as f64)];
        self.add_all(TEST_PART, kind, &group.name, rows);

        let figures = group.figures.iter();
        let figures = figures.map(|(figure, value)| (figure.as_str(), *value));
        self.add_all(TEST_PART, kind, &group.name, figures);
    }

    fn add_importance(&mut self, importance: &Importance) {
        for feature in &importance.features {
            let figures = [("rise", feature.rise), ("deviation", feature.deviation)];
            self.add_all(VALIDATION_PART, "feature", &feature.name, figures);
        }
    }

    fn into_parquet(self) -> Result<Bytes, StoreError> {
        Table::default()
            .with("part", Cells::Text(self.part))
            .with("kind", Cells::Text(self.kind))
            .with("name", Cells::Text(self.name))
            .with("figure", Cells::Text(self.figure))
            .with("value", Cells::Number(self.value))
            .with("low", Cells::Number(self.low))
            .with("high", Cells::Number(self.high))
            .to_parquet()
    }
}

fn figures_of_class(class: &ClassRates) -> [(&'static str, f64); 5] {
    [
        ("support", class.support as f64),
        ("predicted_share", class.predicted_share),
        ("precision", class.precision),
        ("recall", class.recall),
        ("f1", class.f1),
    ]
}

fn figures_of_book(book: &Book) -> Vec<(&'static str, f64)> {
    let mut figures = vec![
        ("buys", book.buys as f64),
        ("sells", book.sells as f64),
        ("direction", book.direction),
        ("buy_direction", book.buy_direction),
        ("sell_direction", book.sell_direction),
    ];
    if let Some(costs) = book.costs {
        figures.extend([
            ("commission", costs.commission),
            ("spread", costs.spread),
            ("slippage", costs.slippage),
            ("round_trip", costs.round_trip),
        ]);
    }

    figures.extend(book.net.map(|net| ("net", net)));
    if let Some(sharpe) = book.sharpe {
        figures.extend([
            ("sharpe", sharpe.ratio),
            ("skewness", sharpe.skewness),
            ("kurtosis", sharpe.kurtosis),
            ("probability", sharpe.probability),
        ]);
    }
    figures
}

fn figures_of_bin(bin: &CalibrationBin) -> [(&'static str, f64); 3] {
    [
        ("rows", bin.rows as f64),
        ("confidence", bin.confidence),
        ("accuracy", bin.accuracy),
    ]
}
