//! Bars one below the other, each with its name above it.

use plotters::coord::Shift;
use plotters::prelude::{
    Color as _, DrawingArea, IntoDrawingArea as _, PathElement, Rectangle, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::markup::Markup;
use super::picture::{Alternative, DrawError, INK, Look, letters, picture};

/// A bar with a name, and how far its value may be off.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) deviation: f64,
    /// The value as people read it.
    pub(super) text: String,
}

/// Height of a bar with its name above.
const BAR_HEIGHT: i32 = 78;
const BAR_WIDTH: u32 = 960;

/// Bars one below the other, all from 0.
///
/// # Errors
/// They cannot be drawn.
pub(super) fn draw_bars(bars: &[Bar], alternative: &Alternative) -> Result<Markup, DrawError> {
    let rows = i32::try_from(bars.len()).unwrap_or(i32::MAX / BAR_HEIGHT);
    let size = [BAR_WIDTH, (rows * BAR_HEIGHT).unsigned_abs() + 8];
    let scale = BarScale::of(bars);
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (size[0], size[1])).into_drawing_area();
    for (row, bar) in (0..rows).zip(bars) {
        draw_bar(bar, row * BAR_HEIGHT, &scale, &root)?;
    }

    root.present()?;
    drop(root);
    Ok(picture(&svg, size, alternative))
}

type Canvas<'svg> = DrawingArea<SVGBackend<'svg>, Shift>;

/// A bar with its name and its value above it, and its deviation as a line.
fn draw_bar(bar: &Bar, top: i32, scale: &BarScale, canvas: &Canvas<'_>) -> Result<(), DrawError> {
    let right = letters().pos(Pos::new(HPos::Right, VPos::Top));
    let end = (BAR_WIDTH as i32, top + 4);
    canvas.draw(&Text::new(bar.name.clone(), (0, top + 4), letters()))?;
    canvas.draw(&Text::new(bar.text.clone(), end, right))?;

    let zero = scale.place(0.0);
    let value = scale.place(bar.value);
    let corners = [(zero.min(value), top + 42), (zero.max(value), top + 62)];
    canvas.draw(&Rectangle::new(corners, Look::First.color().filled()))?;
    let whisker = [bar.value - bar.deviation, bar.value + bar.deviation];
    let whisker = whisker.map(|value| (scale.place(value), top + 52));
    canvas.draw(&PathElement::new(whisker.to_vec(), INK.stroke_width(3)))?;

    let axis = vec![(zero, top + 38), (zero, top + 66)];
    canvas.draw(&PathElement::new(axis, INK.stroke_width(2)))
}

/// Where values lie on the width of the canvas.
struct BarScale {
    low: f64,
    high: f64,
}

impl BarScale {
    /// Holds 0 and every bar with its deviation.
    fn of(bars: &[Bar]) -> Self {
        let mut scale = Self {
            low: 0.0,
            high: 0.0,
        };
        for bar in bars {
            scale.low = scale.low.min(bar.value - bar.deviation);
            scale.high = scale.high.max(bar.value + bar.deviation);
        }
        scale
    }

    fn place(&self, value: f64) -> i32 {
        let width = f64::from(BAR_WIDTH) - 8.0;
        let length = (self.high - self.low).max(f64::MIN_POSITIVE);
        let share = ((value - self.low) / length).clamp(0.0, 1.0);
        share.mul_add(width, 4.0).round() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(value: f64, deviation: f64) -> Bar {
        Bar {
            name: "x".to_owned(),
            value,
            deviation,
            text: String::new(),
        }
    }

    #[test]
    fn bars_begin_at_zero_wherever_that_lies() {
        let scale = BarScale::of(&[bar(3.0, 0.0), bar(-0.5, 0.5)]);

        // From −1 to 3 over 952 units, after a margin of 4: 0 lies at a quarter.
        assert_eq!(
            [-1.0, 0.0, 3.0].map(|value| scale.place(value)),
            [4, 242, 956]
        );
    }
}
