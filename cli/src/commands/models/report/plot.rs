//! Lines and marks over two axes, as a picture.

use plotters::prelude::{
    ChartBuilder, Circle, Color as _, EmptyElement, IntoDrawingArea as _, PathElement, Polygon,
    RGBColor, SVGBackend,
};

use super::markup::Markup;
use super::picture::{Alternative, DrawError, GRID, INK, LINE_WIDTH, Look, letters, picture};

/// A point of a plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A line with a name.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) look: Look,
    pub(super) points: Vec<Point>,
    /// True to mark each of its points.
    pub(super) with_dots: bool,
}

/// What a mark looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A triangle below the point, its top up.
    Up,
    /// A triangle above the point, its top down.
    Down,
    /// A ring around the point.
    Ring,
}

/// Something about one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    pub(super) at: Point,
    pub(super) shape: Shape,
    /// In units of the canvas.
    pub(super) size: i32,
}

/// One direction of a plot.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) labels: usize,
    /// How a number is written beside it.
    pub(super) text: fn(f64) -> String,
}

impl Axis {
    /// An axis that holds these values, and some space around them.
    pub(super) fn around(
        name: &str,
        values: impl Iterator<Item = f64>,
        text: fn(f64) -> String,
    ) -> Self {
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let low = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let high = values.iter().copied().reduce(f64::max).unwrap_or(1.0);

        // Equal values would leave the axis without a length.
        let space = if high > low {
            0.05 * (high - low)
        } else {
            low.abs().mul_add(0.05, 1e-6)
        };
        Self {
            name: name.to_owned(),
            low: low - space,
            high: high + space,
            labels: 6,
            text,
        }
    }

    /// An axis from exactly here to there.
    pub(super) fn between(name: &str, low: f64, high: f64, text: fn(f64) -> String) -> Self {
        Self {
            name: name.to_owned(),
            low,
            high: if high > low { high } else { low + 1.0 },
            labels: 6,
            text,
        }
    }
}

/// Everything that is drawn in one picture.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// Width and height of the canvas; text is readable where the page shows it at half of that.
    pub(super) size: [u32; 2],
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
}

impl Plot {
    /// The picture.
    ///
    /// # Errors
    /// It cannot be drawn.
    pub(super) fn draw(&self, alternative: &Alternative) -> Result<Markup, DrawError> {
        let mut svg = String::new();
        let [width, height] = self.size;
        let backend = SVGBackend::with_string(&mut svg, (width, height));
        let root = backend.into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(16)
            .margin_right(44)
            .x_label_area_size(92)
            .y_label_area_size(124)
            .build_cartesian_2d(self.x.low..self.x.high, self.y.low..self.y.high)?;

        let x_text = |value: &f64| (self.x.text)(*value);
        let y_text = |value: &f64| (self.y.text)(*value);
        let hidden = GRID.mix(0.0);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(hidden)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(INK.stroke_width(2))
            .label_style(letters())
            .axis_desc_style(letters())
            .x_labels(self.x.labels)
            .y_labels(self.y.labels)
            .x_label_formatter(&x_text)
            .y_label_formatter(&y_text)
            .x_desc(self.x.name.as_str())
            .draw()?;

        for line in &self.lines {
            let points = line.points.iter().filter(|point| is_drawable(**point));
            let points: Vec<(f64, f64)> = points.map(|point| (point.x, point.y)).collect();
            let color = line.look.color();
            if line.with_dots {
                let dots = points.iter().map(|at| Circle::new(*at, 9, color.filled()));
                chart.draw_series(dots)?;
            }
            let path = PathElement::new(points, color.stroke_width(line.look.width()));
            chart.draw_series([path])?;
        }
        for mark in self.marks.iter().filter(|mark| is_drawable(mark.at)) {
            let at = (mark.at.x, mark.at.y);
            match mark.shape {
                Shape::Ring => {
                    let ring = INK.stroke_width(LINE_WIDTH);
                    chart.draw_series([Circle::new(at, mark.size, ring)])?;
                }
                shape => {
                    let corners = triangle(shape, mark.size);
                    let color = color_of(shape).filled();
                    let mark = EmptyElement::at(at) + Polygon::new(corners, color);
                    chart.draw_series([mark])?;
                }
            }
        }

        root.present()?;
        drop(chart);
        drop(root);
        Ok(picture(&svg, self.size, alternative))
    }

    /// Its names with a sample of each line.
    pub(super) fn legend(&self) -> Markup {
        let mut items = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let sample = [("class", line.look.class()), ("aria-hidden", "true")];
            let sample = Markup::with("span", &sample, Vec::new());
            items.push(Markup::element(
                "li",
                vec![sample, Markup::text(&line.name)],
            ));
        }
        Markup::with("ul", &[("class", "legend")], items)
    }
}

const fn color_of(shape: Shape) -> RGBColor {
    match shape {
        Shape::Up => Look::First.color(),
        Shape::Down => Look::Second.color(),
        Shape::Ring => INK,
    }
}

/// The corners of a triangle, as distances from its point.
fn triangle(shape: Shape, size: i32) -> Vec<(i32, i32)> {
    let half = size / 2;
    let gap = 6;
    match shape {
        Shape::Up => vec![(0, gap), (half, gap + size), (-half, gap + size)],
        _ => vec![(0, -gap), (half, -gap - size), (-half, -gap - size)],
    }
}

/// A training that diverged has losses that no axis holds.
fn is_drawable(point: Point) -> bool {
    point.x.is_finite() && point.y.is_finite()
}
