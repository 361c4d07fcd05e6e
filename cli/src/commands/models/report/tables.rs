//! The tables of how good a model is: figures of each part, right and wrong answers, decisions.

use schemas::decision_report::DecisionReport;
use schemas::metrics::{
    ClassMetrics, Evaluation, GroupMetrics, Grouping, KindMetrics, MetricsDocument, PartMetrics,
    RegressionMetrics,
};
use schemas::names::{PARTS, TEST_PART, VALIDATION_PART};

use super::super::evaluation::{interval_of, percent, small};
use super::figures::groups_table;
use super::markup::{Markup, Table};

/// A figure of a part: its name in `metrics.json`, as people call it, its value, and how it is
/// written.
pub(in crate::commands::models) struct PartFigure {
    pub(in crate::commands::models) name: &'static str,
    pub(in crate::commands::models) label: &'static str,
    pub(in crate::commands::models) value: Option<f64>,
    pub(in crate::commands::models) text: fn(f64) -> String,
}

impl PartFigure {
    const fn new(
        name: &'static str,
        label: &'static str,
        value: Option<f64>,
        text: fn(f64) -> String,
    ) -> Self {
        Self {
            name,
            label,
            value,
            text,
        }
    }
}

/// The figures of each part, those of the rivals below them.
pub(super) fn parts_table(document: &MetricsDocument) -> Table {
    let mut heads = vec![""];
    let mut columns = Vec::new();
    for part in PARTS {
        if let Some(metrics) = document.parts.get(part) {
            heads.push(part);
            columns.push((part, figures_of(metrics)));
        }
    }

    let mut table = Table::new("Figures of each part, and of the simplest rivals", &heads);
    let rows = columns.first().map_or(0, |(_, figures)| figures.len());
    for row in 0..rows {
        let mut label = "";
        let mut cells = Vec::with_capacity(columns.len());
        for (part, figures) in &columns {
            let Some(figure) = figures.get(row) else {
                continue;
            };
            label = figure.label;
            cells.push(figure_cell(figure, part, &document.evaluation));
        }
        table.push(label, cells);
    }
    table
}

fn figure_cell(figure: &PartFigure, part: &str, evaluation: &Evaluation) -> Markup {
    let Some(value) = figure.value else {
        return Markup::default();
    };
    let number = Markup::number(value, &(figure.text)(value));
    if part != TEST_PART {
        return number;
    }

    let interval = interval_of(evaluation, figure.name, figure.text);
    let interval = Markup::with(
        "span",
        &[("class", "interval")],
        vec![Markup::text(&interval)],
    );
    Markup::all([number, interval])
}

/// The figures of a part, those of the rivals below them.
pub(in crate::commands::models) fn figures_of(part: &PartMetrics) -> Vec<PartFigure> {
    let rows = PartFigure::new("rows", "rows", Some(part.rows as f64), count);
    let mut figures = vec![rows];
    match &part.kind {
        KindMetrics::Classes(metrics) => figures.extend(class_figures(metrics, part.loss)),
        KindMetrics::Regression(metrics) => figures.extend(return_figures(metrics)),
    }
    figures
}

fn class_figures(metrics: &ClassMetrics, loss: f64) -> Vec<PartFigure> {
    let skill = metrics.skill.as_ref();
    let prior_loss = skill.map(|skill| skill.prior_loss);
    let balanced = skill.map(|skill| skill.balanced_accuracy);
    let mcc = skill.map(|skill| skill.mcc);
    let brier = skill.map(|skill| skill.brier);
    let prior_brier = skill.map(|skill| skill.prior_brier);
    let ece = skill.map(|skill| skill.calibration.ece);
    let accuracy = Some(metrics.accuracy);
    let majority = Some(metrics.majority_accuracy);
    let majority_label = "– always the most frequent class";

    vec![
        PartFigure::new("accuracy", "accuracy", accuracy, percent),
        PartFigure::new("majority_accuracy", majority_label, majority, percent),
        PartFigure::new("loss", "log loss, lower is better", Some(loss), four),
        PartFigure::new("prior_loss", "– always the class shares", prior_loss, four),
        PartFigure::new("brier", "Brier score, lower is better", brier, four),
        PartFigure::new(
            "prior_brier",
            "– always the class shares",
            prior_brier,
            four,
        ),
        PartFigure::new("balanced_accuracy", "balanced accuracy", balanced, percent),
        PartFigure::new("macro_f1", "macro F1", Some(metrics.macro_f1), four),
        PartFigure::new("mcc", "Matthews' correlation", mcc, four),
        PartFigure::new("ece", "calibration error", ece, four),
    ]
}

fn return_figures(metrics: &RegressionMetrics) -> Vec<PartFigure> {
    let direction = metrics.directional_accuracy;
    let up = metrics.always_up_accuracy;
    let baseline = Some(metrics.baseline_mae);
    let zeros = Some(metrics.zero_labels as f64);

    vec![
        PartFigure::new("mae", "mean absolute error", Some(metrics.mae), small),
        PartFigure::new("baseline_mae", "– always the mean", baseline, small),
        PartFigure::new("r2", "R²", Some(metrics.r2), four),
        PartFigure::new(
            "directional_accuracy",
            "right direction",
            direction,
            percent,
        ),
        PartFigure::new("always_up_accuracy", "– always up", up, percent),
        PartFigure::new("zero_labels", "rows that did not move", zeros, count),
    ]
}

fn four(value: f64) -> String {
    format!("{value:.4}")
}

fn count(value: f64) -> String {
    format!("{value:.0}")
}

/// True against predicted classes, of the validation part first, then of the test part.
pub(super) fn confusion_tables(document: &MetricsDocument) -> Vec<Markup> {
    let mut tables = Vec::new();

    for part in [VALIDATION_PART, TEST_PART] {
        let kind = document.parts.get(part).map(|metrics| &metrics.kind);
        if let Some(KindMetrics::Classes(metrics)) = kind {
            let table = confusion_table(metrics, part).html();
            tables.push(Markup::with(
                "figure",
                &[("class", "matrix")],
                vec![
                    Markup::line("h3", &format!("Answers of the {part} part")),
                    table,
                ],
            ));
        }
    }
    tables
}

fn confusion_table(metrics: &ClassMetrics, part: &str) -> Table {
    let caption = format!(
        "Confusion matrix of the {part} part: true classes in rows, answers in columns; a cell is \
         the darker the larger its share of the row, right answers are bold"
    );
    let answers = metrics
        .classes
        .iter()
        .map(|class| format!("as {}", class.name));
    let mut heads = vec!["True".to_owned()];
    heads.extend(answers);
    heads.extend(["precision", "recall", "F1"].map(str::to_owned));
    let mut table = Table {
        caption,
        heads,
        rows: Vec::new(),
    };

    let rows = metrics.classes.iter().zip(&metrics.confusion).enumerate();
    for (truth, (class, answers)) in rows {
        let sum = answers.iter().sum::<u64>().max(1);
        let mut cells = Vec::with_capacity(answers.len() + 3);
        for (answer, count) in answers.iter().enumerate() {
            cells.push(heat_cell(*count, sum, answer == truth));
        }
        for rate in [class.precision, class.recall] {
            cells.push(Markup::number(rate, &percent(rate)));
        }
        cells.push(Markup::number(class.f1, &four(class.f1)));
        table.push(&class.name, cells);
    }
    table
}

/// A count with its share of the row.
fn heat_cell(count: u64, sum: u64, is_right: bool) -> Markup {
    let share = count as f64 / sum as f64;
    let class = format!(
        "heat heat-{}{}",
        (10.0 * share).round() as u64,
        if is_right { " right" } else { "" }
    );
    let number = Markup::number(count as f64, &format!("{count} ({:.0} %)", 100.0 * share));
    Markup::with("span", &[("class", &class)], vec![number])
}

/// What the strategy makes of the predictions, part by part.
pub(super) fn decisions_table(report: &DecisionReport) -> Table {
    let caption = format!(
        "Decisions by {} {}; right is the share of BUY and SELL whose label suggests the same",
        report.threshold.key(),
        report.threshold.value()
    );
    let mut table = Table::new(&caption, &["Part", "BUY", "HOLD", "SELL", "right"]);

    for part in PARTS {
        let Some(counts) = report.parts.get(part) else {
            continue;
        };
        let rows = counts.rows().max(1) as f64;
        let mut cells = Vec::with_capacity(4);
        for count in [counts.buy, counts.hold, counts.sell] {
            let text = format!("{count} ({:.1} %)", 100.0 * count as f64 / rows);
            cells.push(Markup::number(count as f64, &text));
        }
        let right = counts
            .precision
            .map(|share| Markup::number(share, &percent(share)));
        cells.push(right.unwrap_or_default());
        table.push(part, cells);
    }
    table
}

/// The figures of each symbol of the test part; none where there is one symbol only.
pub(super) fn symbols_table(groups: &[GroupMetrics]) -> Option<Table> {
    let symbols = groups.iter().filter(|group| group.by == Grouping::Symbol);
    let symbols: Vec<&GroupMetrics> = symbols.collect();
    (symbols.len() > 1).then(|| groups_table("Symbols of the test part", "Symbol", &symbols))
}
