//! Lines and marks over two axes, as a picture.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    Cartesian2d, ChartBuilder, ChartContext, Circle, Color as _, EmptyElement,
    IntoDrawingArea as _, PathElement, Polygon, RGBColor, SVGBackend,
};

use super::markup::Markup;
use super::picture::{Alternative, DrawError, GRID, INK, LINE_WIDTH, Look, letters, picture};

/// A canvas with axes of numbers.
type Chart<'a, 'svg> =
    ChartContext<'a, SVGBackend<'svg>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

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
            .margin_right(self.right_margin())
            .x_label_area_size(if self.x.name.is_empty() { 56 } else { 92 })
            .y_label_area_size(124)
            .build_cartesian_2d(self.x.low..self.x.high, self.y.low..self.y.high)?;

        self.draw_mesh(&mut chart)?;
        for line in &self.lines {
            draw_line(line, &mut chart)?;
        }
        for mark in self.marks.iter().filter(|mark| is_drawable(mark.at)) {
            draw_mark(*mark, &mut chart)?;
        }

        root.present()?;
        drop(chart);
        drop(root);
        Ok(picture(&svg, self.size, alternative))
    }

    /// The axes with their labels, and lines behind everything.
    fn draw_mesh(&self, chart: &mut Chart<'_, '_>) -> Result<(), DrawError> {
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
            .draw()
    }

    /// Room for half of the last label, which is a day or a month where the axis has no name.
    const fn right_margin(&self) -> u32 {
        if self.x.name.is_empty() { 84 } else { 32 }
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

fn draw_line(line: &Line, chart: &mut Chart<'_, '_>) -> Result<(), DrawError> {
    let points = line.points.iter().filter(|point| is_drawable(**point));
    let points: Vec<(f64, f64)> = points.map(|point| (point.x, point.y)).collect();
    let color = line.look.color();
    if line.with_dots {
        let dots = points.iter().map(|at| Circle::new(*at, 9, color.filled()));
        chart.draw_series(dots)?;
    }
    let path = PathElement::new(points, color.stroke_width(line.look.width()));
    chart.draw_series([path])?;
    Ok(())
}

fn draw_mark(mark: Mark, chart: &mut Chart<'_, '_>) -> Result<(), DrawError> {
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
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[[f64; 2]]) -> Plot {
        let points = points.iter().map(|[x, y]| Point { x: *x, y: *y });
        let line = Line {
            name: "line".to_owned(),
            look: Look::First,
            points: points.collect(),
            with_dots: true,
        };

        Plot {
            size: [400, 300],
            x: Axis::between("x", 0.0, 1.0, |value| format!("{value:.1}")),
            y: Axis::between("y", 0.0, 1.0, |value| format!("<{value:.1}>")),
            lines: vec![line],
            marks: Vec::new(),
        }
    }

    fn drawing_of(plot: &Plot) -> String {
        let alternative = Alternative {
            id: "one".to_owned(),
            title: "A \"line\"".to_owned(),
            description: "From <low> to high.".to_owned(),
        };
        plot.draw(&alternative).unwrap().as_str().to_owned()
    }

    #[test]
    fn a_picture_has_its_text_alternative_and_no_size() {
        let svg = drawing_of(&plot(&[[0.0, 0.0], [1.0, 1.0]]));

        let start = "<svg viewBox=\"0 0 400 300\" role=\"img\" aria-labelledby=\"one-title one-text\">\n\
            <title id=\"one-title\">A &quot;line&quot;</title>\n\
            <desc id=\"one-text\">From &lt;low&gt; to high.</desc>";
        assert!(svg.starts_with(start), "{svg}");
        assert!(svg.contains("&lt;0.0&gt;") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("http"), "{svg}");
    }

    #[test]
    fn points_lie_where_the_axes_say() {
        // 16 + 124 to the left, a margin of 32 to the right; 16 above, 92 + 16 below: pixels 140 to
        // 367 and 16 to 191.
        let svg = drawing_of(&plot(&[[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]]));
        for place in [
            "cx=\"140\" cy=\"191\"",
            "cx=\"367\" cy=\"16\"",
            "cx=\"253\" cy=\"104\"",
        ] {
            assert!(svg.contains(place), "{place}: {svg}");
        }
    }

    #[test]
    fn an_axis_of_equal_values_has_a_length() {
        for value in [0.0, 5.0, -3.0] {
            let axis = Axis::around("x", [value, value].into_iter(), |_| String::new());
            assert!(axis.low < value && value < axis.high, "{axis:?}");
        }
    }
}
