//! How people write a timeframe: one parser for the command line, files, strategies and requests.
//!
//! The words of a unit are tables here, from which the parser and the pattern for schemas are made.

use std::str::FromStr;

use crate::timeframe::{Timeframe, TimeframeUnit};

/// Digits of the longest count that is read.
const DIGITS_MAX: usize = 6;

/// Why a text names no timeframe.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnknownTimeframe {
    /// Not a count and a unit.
    #[error("`{0}` is not a timeframe; write a count and a unit, as in 1m, 90m, 4h, 1d, 2w or 1mo")]
    Form(String),
    /// A count that is 0 or too large.
    #[error("`{text}` is not a timeframe: {bounds}")]
    Count {
        /// The text as read.
        text: String,
        /// The bounds of its unit, as a clause.
        bounds: &'static str,
    },
}

impl UnknownTimeframe {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Form(_) => {
                "units are m (minutes), h (hours), d (days), w (weeks) and mo (one month)"
            }
            Self::Count { .. } => "choose a length within these bounds",
        }
    }
}

/// A unit as people write it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WrittenUnit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

use WrittenUnit::{Day, Hour, Minute, Month, Week};

/// A word for a unit.
struct Word {
    text: &'static str,
    unit: WrittenUnit,
    /// Only the case that is written here counts.
    is_exact: bool,
}

const fn any_case(text: &'static str, unit: WrittenUnit) -> Word {
    Word {
        text,
        unit,
        is_exact: false,
    }
}

const fn exact(text: &'static str, unit: WrittenUnit) -> Word {
    Word {
        text,
        unit,
        is_exact: true,
    }
}

/// After a count: `90m`, `5 mins`, `1Hour`, `1wk`. `1m` is a minute and `1M` a month.
const AFTER_COUNT: &[Word] = &[
    exact("m", Minute),
    any_case("min", Minute),
    any_case("mins", Minute),
    any_case("minute", Minute),
    any_case("minutes", Minute),
    any_case("h", Hour),
    any_case("hr", Hour),
    any_case("hrs", Hour),
    any_case("hour", Hour),
    any_case("hours", Hour),
    any_case("d", Day),
    any_case("day", Day),
    any_case("days", Day),
    any_case("w", Week),
    any_case("wk", Week),
    any_case("week", Week),
    any_case("weeks", Week),
    exact("M", Month),
    any_case("mo", Month),
    any_case("month", Month),
    any_case("months", Month),
];

/// Before a count, as MetaTrader writes it: `M5` is five minutes, `MN1` a month.
const BEFORE_COUNT: &[Word] = &[
    any_case("m", Minute),
    any_case("h", Hour),
    any_case("d", Day),
    any_case("w", Week),
    any_case("mn", Month),
];

/// Without a count, which is then 1: a capital letter or a whole word.
const ALONE: &[Word] = &[
    any_case("minute", Minute),
    exact("H", Hour),
    any_case("hour", Hour),
    any_case("hourly", Hour),
    exact("D", Day),
    any_case("day", Day),
    any_case("daily", Day),
    exact("W", Week),
    any_case("week", Week),
    any_case("weekly", Week),
    exact("M", Month),
    exact("MN", Month),
    any_case("month", Month),
    any_case("monthly", Month),
];

impl WrittenUnit {
    /// `count` of it, if that is within the bounds.
    fn timeframe(self, count: u32) -> Option<Timeframe> {
        let (unit, factor) = match self {
            Minute => (TimeframeUnit::Minute, 1),
            Hour => (TimeframeUnit::Minute, 60),
            Day => (TimeframeUnit::Day, 1),
            Week => (TimeframeUnit::Week, 1),
            Month => (TimeframeUnit::Month, 1),
        };
        let count = u16::try_from(count.checked_mul(factor)?).ok()?;
        Timeframe::new(unit, count)
    }

    const fn bounds(self) -> &'static str {
        match self {
            Minute => "minutes go from 1m to 1440m",
            Hour => "hours go from 1h to 24h; longer bars are days, as in 2d",
            Day => "days go from 1d to 365d",
            Week => "weeks go from 1w to 52w",
            Month => "the only bar of months is 1mo; minutes have a small m, as in 15m",
        }
    }
}

impl FromStr for Timeframe {
    type Err = UnknownTimeframe;

    /// Reads a count and a unit (`90m`, `4h`, `1d`, `2w`, `1mo`), a unit and a count as MetaTrader
    /// writes them (`M5`, `H1`, `D1`, `W1`, `MN1`), or a unit alone (`D`, `daily`).
    ///
    /// Units may be written out, in any case, and after one blank: `1Min`, `5 mins`, `1Hour`,
    /// `1Day`, `1wk`. Only the single `m` depends on its case: `1m` is a minute, `1M` a month.
    /// Before its count it is a minute in either case: `M1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || UnknownTimeframe::Form(text.to_owned());

        // The count comes first, last, or not at all.
        let is_digit = |c: char| c.is_ascii_digit();
        let after_count = text.trim_start_matches(is_digit);
        let before_count = text.trim_end_matches(is_digit);
        let written = if after_count.len() < text.len() {
            let count = text.strip_suffix(after_count).unwrap_or_default();
            let word = after_count.strip_prefix(' ').unwrap_or(after_count);
            find_unit(AFTER_COUNT, word).map(|unit| (unit, count))
        } else if before_count.len() < text.len() {
            let count = text.strip_prefix(before_count).unwrap_or_default();
            find_unit(BEFORE_COUNT, before_count).map(|unit| (unit, count))
        } else {
            find_unit(ALONE, text).map(|unit| (unit, "1"))
        };

        let (unit, count) = written.ok_or_else(form)?;
        let count: u32 = match count.parse() {
            Ok(number) if count.len() <= DIGITS_MAX => number,
            _ => return Err(form()),
        };
        unit.timeframe(count)
            .ok_or_else(|| UnknownTimeframe::Count {
                text: text.to_owned(),
                bounds: unit.bounds(),
            })
    }
}

/// The unit that `text` stands for in a table.
fn find_unit(words: &[Word], text: &str) -> Option<WrittenUnit> {
    let word = words.iter().find(|word| {
        if word.is_exact {
            word.text == text
        } else {
            word.text.eq_ignore_ascii_case(text)
        }
    });
    word.map(|word| word.unit)
}

impl TryFrom<String> for Timeframe {
    type Error = UnknownTimeframe;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A regular expression (ECMA 262, anchored) for the texts of which `from_str` knows the form: it
/// leaves the bounds of counts to the parser.
pub fn timeframe_pattern() -> String {
    let after = alternatives(AFTER_COUNT);
    let before = alternatives(BEFORE_COUNT);
    let alone = alternatives(ALONE);
    let count = format!("[0-9]{{1,{DIGITS_MAX}}}");
    format!("^({count} ?({after})|({before}){count}|{alone})$")
}

/// `m|[mM][iI][nN]|…`.
fn alternatives(words: &[Word]) -> String {
    let patterns: Vec<String> = words.iter().map(Word::pattern).collect();
    patterns.join("|")
}

impl Word {
    /// The word itself, or each of its letters in both cases.
    fn pattern(&self) -> String {
        if self.is_exact {
            return self.text.to_owned();
        }

        let letters = self.text.chars();
        letters
            .map(|letter| format!("[{letter}{}]", letter.to_ascii_uppercase()))
            .collect()
    }
}
