//! What all pictures have in common: colours that the page can change, letters, and a text
//! alternative.

use std::io;

use plotters::prelude::{DrawingAreaErrorKind, IntoFont as _, RGBColor, TextStyle};

use super::markup::{Markup, escape};

/// Why something could not be drawn.
pub(super) type DrawError = DrawingAreaErrorKind<io::Error>;

/// Size of letters, in units of a canvas that is shown at half its size.
const LETTERS: f64 = 28.0;
/// plotters divides the size of a font by it.
const FONT_FACTOR: f64 = 1.24;
/// Width of a line, in the same units.
pub(super) const LINE_WIDTH: u32 = 4;

/// The colour of text.
pub(super) const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);
/// The colour of lines behind everything.
pub(super) const GRID: RGBColor = RGBColor(0xD5, 0xD5, 0xD5);

/// How a line looks: a colour and, by the style of the page, a pattern of dashes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The first line.
    First,
    /// The second line.
    Second,
    /// The third line.
    Third,
    /// The fourth line.
    Fourth,
    /// The fifth line.
    Fifth,
    /// A thin line under marks.
    Plain,
    /// What others are compared with.
    Rival,
}

impl Look {
    /// The look of the line of this number, counted from 0.
    pub(super) fn of_line(number: usize) -> Self {
        let looks = [
            Self::First,
            Self::Second,
            Self::Third,
            Self::Fourth,
            Self::Fifth,
        ];
        looks
            .get(number % looks.len())
            .copied()
            .unwrap_or(Self::First)
    }

    /// The colour in the SVG, which the style of the page replaces by one of its own.
    pub(super) const fn color(self) -> RGBColor {
        match self {
            Self::First => RGBColor(0x00, 0x72, 0xB2),
            Self::Second => RGBColor(0xD5, 0x5E, 0x00),
            Self::Third => RGBColor(0x00, 0x9E, 0x73),
            Self::Fourth => RGBColor(0xCC, 0x79, 0xA7),
            Self::Fifth => RGBColor(0x8A, 0x6D, 0x00),
            Self::Plain => INK,
            Self::Rival => RGBColor(0x77, 0x77, 0x77),
        }
    }

    /// Its width in units of the canvas.
    pub(super) const fn width(self) -> u32 {
        match self {
            Self::Plain | Self::Rival => 2,
            _ => LINE_WIDTH,
        }
    }

    /// The class of its sample in a legend.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::First => "sample first",
            Self::Second => "sample second",
            Self::Third => "sample third",
            Self::Fourth => "sample fourth",
            Self::Fifth => "sample fifth",
            Self::Plain => "sample plain",
            Self::Rival => "sample rival",
        }
    }
}

/// What a reader who cannot see a picture gets of it.
pub(super) struct Alternative {
    /// Name of the picture, different for each on the page.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
}

/// How labels are written.
pub(super) fn letters() -> TextStyle<'static> {
    let font = ("sans-serif", LETTERS * FONT_FACTOR).into_font();
    font.color(&INK)
}

/// The SVG without a size of its own, with its text alternative.
pub(super) fn picture(svg: &str, size: [u32; 2], alternative: &Alternative) -> Markup {
    let Alternative {
        id,
        title,
        description,
    } = alternative;

    // Everything after the first tag; texts in it are escaped, so these words are attributes.
    let inside = svg.split_once('>').map_or("", |parts| parts.1);
    let inside = inside
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" \"/>", "\"/>");
    let [width, height] = size;
    let id = escape(id);
    let title = escape(title);
    let description = escape(description);
    Markup::drawing(format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-title \
         {id}-text\">\n<title id=\"{id}-title\">{title}</title>\n\
         <desc id=\"{id}-text\">{description}</desc>\n{inside}"
    ))
}
