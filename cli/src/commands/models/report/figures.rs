//! The pictures of how a model was trained and measured: losses, calibration, importance, months.

use std::collections::BTreeMap;

use schemas::metrics::{
    Calibration, CalibrationBin, GroupMetrics, Grouping, Importance, KindMetrics, MetricsDocument,
};
use schemas::names::{TEST_PART, VALIDATION_PART};
use store::EpochLosses;

use super::super::evaluation::percent;
use super::bar_chart::{Bar, draw_bars};
use super::markup::{Markup, Table, details};
use super::numbers::{axis_count, axis_month, axis_number, axis_percent, months_of};
use super::picture::{Alternative, DrawError, Look};
use super::plot::{Axis, Line, Mark, Plot, Point, Shape};
use super::thinning::thin_line;

/// The canvas of a picture that takes half of a wide screen.
pub(super) const HALF: [u32; 2] = [960, 600];
/// Epochs that the table of losses has at most.
const EPOCH_ROWS_MAX: usize = 200;
/// Columns of a line of losses.
const LINE_COLUMNS: usize = 240;
/// Most bars of importance.
const BARS_MAX: usize = 20;

/// A picture with its heading, what is said below it, and its numbers.
pub(super) struct Figure {
    pub(super) heading: String,
    pub(super) picture: Markup,
    pub(super) legend: Markup,
    pub(super) caption: String,
    pub(super) numbers: Option<Table>,
}

impl Figure {
    /// The figure in a frame.
    pub(super) fn html(self, class: &str) -> Markup {
        let mut caption = Vec::new();

        if !self.caption.is_empty() {
            caption.push(Markup::line("p", &self.caption));
        }
        if let Some(numbers) = self.numbers {
            caption.push(details("Numbers", numbers.html()));
        }
        let inside = vec![
            Markup::line("h3", &self.heading),
            self.picture,
            self.legend,
            Markup::element("figcaption", caption),
        ];
        Markup::with("figure", &[("class", class)], inside)
    }
}

/// What was minimised, epoch by epoch; none without epochs.
///
/// # Errors
/// It cannot be drawn.
pub(super) fn losses_figure(
    losses: &[EpochLosses],
    best: Option<u32>,
    ending: &str,
) -> Result<Option<Figure>, DrawError> {
    if losses.is_empty() {
        return Ok(None);
    }
    let of_best = best.and_then(|best| losses.get((best as usize).saturating_sub(1)));
    let mark = best.zip(of_best).map(|(best, losses)| Mark {
        at: Point {
            x: f64::from(best),
            y: losses.validation,
        },
        shape: Shape::Ring,
        size: 16,
    });
    let values = losses
        .iter()
        .flat_map(|epoch| [epoch.train, epoch.validation]);
    let plot = Plot {
        size: HALF,
        x: Axis::around("epoch", [1.0, losses.len() as f64].into_iter(), axis_count),
        y: Axis::around("loss", values, axis_number),
        lines: loss_lines(losses),
        marks: mark.into_iter().collect(),
    };

    let caption = caption_of_losses(losses.len(), best, ending);
    let alternative = Alternative {
        id: "losses".to_owned(),
        title: "Loss of each epoch".to_owned(),
        description: format!("{caption} {}", describe_ends(losses)),
    };
    Ok(Some(Figure {
        heading: "Loss of each epoch".to_owned(),
        picture: plot.draw(&alternative)?,
        legend: plot.legend(),
        caption,
        numbers: Some(losses_table(losses)),
    }))
}

fn loss_lines(losses: &[EpochLosses]) -> Vec<Line> {
    let train = points_of(losses, |epoch| epoch.train);
    let validation = points_of(losses, |epoch| epoch.validation);
    let lines = [
        ("train", Look::First, train),
        ("validation", Look::Second, validation),
    ];

    let lines = lines.map(|(name, look, points)| Line {
        name: name.to_owned(),
        look,
        points: thin_line(&points, LINE_COLUMNS),
        with_dots: losses.len() == 1,
    });
    lines.to_vec()
}

fn points_of(losses: &[EpochLosses], loss: fn(&EpochLosses) -> f64) -> Vec<Point> {
    let epochs = (1_u32..).zip(losses);
    epochs
        .map(|(epoch, losses)| Point {
            x: f64::from(epoch),
            y: loss(losses),
        })
        .collect()
}

fn caption_of_losses(epochs: usize, best: Option<u32>, ending: &str) -> String {
    let mut caption = match best {
        Some(best) => format!(
            "The ring marks epoch {best} of {epochs}, which has the lowest validation loss: its \
             weights are stored."
        ),
        None => format!("{epochs} epochs."),
    };
    if !ending.is_empty() {
        caption.push_str(&format!(" Why it ended: {ending}."));
    }
    caption
}

fn describe_ends(losses: &[EpochLosses]) -> String {
    match (losses.first(), losses.last()) {
        (Some(first), Some(last)) => format!(
            "Train from {} to {}, validation from {} to {}.",
            loss_text(first.train),
            loss_text(last.train),
            loss_text(first.validation),
            loss_text(last.validation)
        ),
        _ => String::new(),
    }
}

fn losses_table(losses: &[EpochLosses]) -> Table {
    let step = losses.len().div_ceil(EPOCH_ROWS_MAX).max(1);
    let caption = match step {
        1 => "Losses of each epoch".to_owned(),
        step => format!("Losses of one epoch in {step}; `ktrdr models show --history` has all"),
    };

    let mut table = Table::new(&caption, &["Epoch", "Train", "Validation"]);
    for (epoch, losses) in (1_u32..).zip(losses).step_by(step) {
        let cells = [losses.train, losses.validation];
        let cells = cells.map(|loss| Markup::number(loss, &loss_text(loss)));
        table.push(&epoch.to_string(), cells);
    }
    table
}

/// How often answers are right that the model is so sure of; none where nobody measured it.
///
/// # Errors
/// It cannot be drawn.
pub(super) fn calibration_figure(document: &MetricsDocument) -> Result<Option<Figure>, DrawError> {
    let mut lines = vec![Line {
        name: "sure and right alike".to_owned(),
        look: Look::Rival,
        points: [0.0, 1.0].map(|both| Point { x: both, y: both }).to_vec(),
        with_dots: false,
    }];
    let heads = ["Probability", "Rows", "Sure", "Right"];
    let mut table = Table::new("Answers by their probability", &heads);
    let mut errors = Vec::new();
    for (part, look) in [(VALIDATION_PART, Look::First), (TEST_PART, Look::Second)] {
        if let Some(calibration) = calibration_of(document, part) {
            lines.push(calibration_line(calibration, part, look));
            push_bins(&mut table, calibration, part);
            errors.push(format!("{} of the {part} part", number_of(calibration.ece)));
        }
    }
    if errors.is_empty() {
        return Ok(None);
    }

    let plot = Plot {
        size: [960, 760],
        x: Axis::between("probability of the answer", 0.0, 1.0, axis_percent),
        y: Axis::between("right", 0.0, 1.0, axis_percent),
        lines,
        marks: Vec::new(),
    };
    let caption = format!(
        "How many answers are right, by the probability that the model gives them. Below the \
         diagonal it is too sure. Calibration error {}.",
        errors.join(", ")
    );
    let alternative = Alternative {
        id: "calibration".to_owned(),
        title: "Calibration".to_owned(),
        description: caption.clone(),
    };
    Ok(Some(Figure {
        heading: "Share of right answers by their probability".to_owned(),
        picture: plot.draw(&alternative)?,
        legend: plot.legend(),
        caption,
        numbers: Some(table),
    }))
}

fn number_of(value: f64) -> String {
    format!("{value:.4}")
}

fn calibration_of<'a>(document: &'a MetricsDocument, part: &str) -> Option<&'a Calibration> {
    match &document.parts.get(part)?.kind {
        KindMetrics::Classes(metrics) => Some(&metrics.skill.as_ref()?.calibration),
        KindMetrics::Regression(_) => None,
    }
}

fn calibration_line(calibration: &Calibration, part: &str, look: Look) -> Line {
    let points = bins_with_rows(calibration).map(|bin| Point {
        x: bin.confidence,
        y: bin.accuracy,
    });
    Line {
        name: part.to_owned(),
        look,
        points: points.collect(),
        with_dots: true,
    }
}

fn bins_with_rows(calibration: &Calibration) -> impl Iterator<Item = &CalibrationBin> {
    calibration.bins.iter().filter(|bin| bin.rows > 0)
}

fn push_bins(table: &mut Table, calibration: &Calibration, part: &str) {
    for bin in bins_with_rows(calibration) {
        let name = format!("{part}, {:.1} to {:.1}", bin.low, bin.high);
        let cells = [
            Markup::number(bin.rows as f64, &bin.rows.to_string()),
            Markup::number(bin.confidence, &percent(bin.confidence)),
            Markup::number(bin.accuracy, &percent(bin.accuracy)),
        ];
        table.push(&name, cells);
    }
}

/// The losses of returns are small, and so is what features change of them.
fn loss_text(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.0001 {
        format!("{value:.2e}")
    } else {
        format!("{value:.6}")
    }
}

/// What each feature is worth, the most valuable first.
///
/// # Errors
/// It cannot be drawn.
pub(super) fn importance_figure(importance: &Importance) -> Result<Figure, DrawError> {
    let mut features: Vec<_> = importance.features.iter().collect();
    features.sort_by(|one, other| other.rise.total_cmp(&one.rise));

    let heads = ["Feature", "Rise", "Deviation"];
    let mut table = Table::new("Rise of the criterion by feature", &heads);
    let mut bars = Vec::new();
    for feature in &features {
        let text = loss_text(feature.rise);
        let deviation = loss_text(feature.deviation);
        let cells = [
            Markup::number(feature.rise, &text),
            Markup::number(feature.deviation, &deviation),
        ];
        table.push(&feature.name, cells);
        bars.push(Bar {
            name: feature.name.clone(),
            value: feature.rise,
            deviation: feature.deviation,
            text,
        });
    }

    let count = bars.len();
    bars.truncate(BARS_MAX);
    let mut caption = format!(
        "By how much the criterion of {} rows of the validation part, {}, rises when the feature \
         is that of other rows: mean and deviation of {} orders.",
        importance.rows,
        loss_text(importance.criterion),
        importance.repeats
    );
    if count > BARS_MAX {
        caption.push_str(&format!(
            " The first {BARS_MAX} of {count} features are drawn; the numbers have all."
        ));
    }
    let alternative = Alternative {
        id: "importance".to_owned(),
        title: "Importance of the features".to_owned(),
        description: caption.clone(),
    };
    Ok(Figure {
        heading: "Importance of the features".to_owned(),
        picture: draw_bars(&bars, &alternative)?,
        legend: Markup::default(),
        caption,
        numbers: Some(table),
    })
}

/// Names of a figure and of its rival in groups, and what they are called.
const RATES: [[&str; 4]; 2] = [
    [
        "accuracy",
        "majority_accuracy",
        "right answers",
        "always the most frequent class",
    ],
    [
        "directional_accuracy",
        "always_up_accuracy",
        "right directions",
        "always up",
    ],
];

/// Right answers of the test part month by month; none with fewer than two months.
///
/// # Errors
/// It cannot be drawn.
pub(super) fn months_figure(groups: &[GroupMetrics]) -> Result<Option<Figure>, DrawError> {
    let months = groups.iter().filter(|group| group.by == Grouping::Month);
    let months: Vec<&GroupMetrics> = months.collect();
    let Some([figure, rival, name, rival_name]) = rates_of(&months) else {
        return Ok(None);
    };
    let lines = vec![
        month_line(&months, figure, name, Look::First),
        month_line(&months, rival, rival_name, Look::Rival),
    ];

    let points = || lines.iter().flat_map(|line| &line.points);
    let mut x = Axis::around("", points().map(|point| point.x), axis_month);
    x.labels = 5;
    let plot = Plot {
        size: HALF,
        y: Axis::around("right", points().map(|point| point.y), axis_percent),
        x,
        lines,
        marks: Vec::new(),
    };
    let ends = match (months.first(), months.last()) {
        (Some(first), Some(last)) => format!("{} to {}", first.name, last.name),
        _ => String::new(),
    };
    let caption = format!("Test part, {ends}: {name} of each month, beside {rival_name}.");
    let alternative = Alternative {
        id: "months".to_owned(),
        title: "Months of the test part".to_owned(),
        description: caption.clone(),
    };

    Ok(Some(Figure {
        heading: "Month by month".to_owned(),
        picture: plot.draw(&alternative)?,
        legend: plot.legend(),
        caption,
        numbers: Some(groups_table("Months of the test part", "Month", &months)),
    }))
}

/// The names that two months and more have figures of.
fn rates_of(months: &[&GroupMetrics]) -> Option<[&'static str; 4]> {
    if months.len() < 2 {
        return None;
    }
    let has = |name: &str| months.iter().any(|month| month.figures.contains_key(name));
    RATES.into_iter().find(|[figure, ..]| has(figure))
}

fn month_line(months: &[&GroupMetrics], figure: &str, name: &str, look: Look) -> Line {
    let mut points = Vec::with_capacity(months.len());
    for month in months {
        if let (Some(x), Some(y)) = (months_of(&month.name), month.figures.get(figure)) {
            points.push(Point { x, y: *y });
        }
    }
    Line {
        name: name.to_owned(),
        look,
        points,
        with_dots: look != Look::Rival,
    }
}

/// Rows and figures of groups.
pub(super) fn groups_table(caption: &str, head: &str, groups: &[&GroupMetrics]) -> Table {
    let names: BTreeMap<&String, ()> = groups
        .iter()
        .flat_map(|group| group.figures.keys().map(|name| (name, ())))
        .collect();

    let mut heads = vec![head, "rows"];
    heads.extend(names.keys().map(|name| name.as_str()));
    let mut table = Table::new(caption, &heads);
    for group in groups {
        let mut cells = vec![Markup::number(group.rows as f64, &group.rows.to_string())];
        for name in names.keys() {
            let value = group.figures.get(*name);
            cells.push(value.map_or_else(Markup::default, |value| {
                Markup::number(*value, &axis_number(*value))
            }));
        }
        table.push(&group.name, cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn losses(pairs: &[[f64; 2]]) -> Vec<EpochLosses> {
        let pairs = pairs.iter();
        pairs
            .map(|[train, validation]| EpochLosses {
                train: *train,
                validation: *validation,
                seconds: 0.1,
            })
            .collect()
    }

    #[test]
    fn the_best_epoch_has_a_ring_at_its_validation_loss() {
        let losses = losses(&[[2.0, 2.0], [1.5, 1.0], [1.0, 1.5]]);
        let figure = losses_figure(&losses, Some(2), "all epochs are trained").unwrap();
        let html = figure.unwrap().html("small");

        assert_eq!(html.as_str().matches("<circle").count(), 1);
        assert!(html.as_str().contains("The ring marks epoch 2 of 3"));
        assert!(
            html.as_str()
                .contains("Why it ended: all epochs are trained.")
        );
        assert!(
            html.as_str()
                .contains("<data value=\"1.5\">1.500000</data>")
        );
    }

    #[test]
    fn a_training_that_diverged_is_drawn_as_far_as_it_goes() {
        let losses = losses(&[[1.0, 1.0], [f64::INFINITY, f64::NAN], [2.0, f64::NAN]]);
        let figure = losses_figure(&losses, Some(1), "").unwrap().unwrap();
        let html = figure.html("small");
        assert!(html.as_str().contains("<polyline"));
        assert!(!html.as_str().contains("points=\"NaN"));
    }

    #[test]
    fn an_operation_without_epochs_has_no_curves() {
        assert!(losses_figure(&[], None, "").unwrap().is_none());
    }

    #[test]
    fn a_name_in_a_picture_cannot_become_a_tag() {
        let importance = json!({
            "rows": 10, "repeats": 5, "seed": 7, "criterion": 1.0,
            "features": [{"name": "</text><script>x</script>", "rise": 0.5, "deviation": 0.1}],
        });
        let importance: Importance = serde_json::from_value(importance).unwrap();

        let html = importance_figure(&importance).unwrap().html("small");

        assert!(!html.as_str().contains("<script"));
        assert_eq!(html.as_str().matches("&lt;script&gt;").count(), 2);
    }

    fn group(name: &str) -> GroupMetrics {
        GroupMetrics {
            by: Grouping::Month,
            name: name.to_owned(),
            rows: 5,
            figures: BTreeMap::from([("accuracy".to_owned(), 0.5)]),
        }
    }

    #[test]
    fn months_lie_apart_as_in_the_calendar() {
        let groups = [group("2017-12"), group("2018-03")];
        let months: Vec<&GroupMetrics> = groups.iter().collect();

        let line = month_line(&months, "accuracy", "right", Look::First);

        assert_eq!(line.points[1].x - line.points[0].x, 3.0);
        assert!(months_figure(&groups[..1]).unwrap().is_none());
    }
}
