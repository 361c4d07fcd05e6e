//! The numbers of other people's files: plain ones at once, dressed ones by the rules of the file.

/// How the numbers of a file are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NumberRules {
    /// Between whole and fraction: `.` or `,`.
    pub(super) decimal: u8,
    /// What a stored price is divided by: 1, or the scale of fixed-point prices.
    pub(super) price_divisor: f64,
}

impl Default for NumberRules {
    fn default() -> Self {
        Self {
            decimal: b'.',
            price_divisor: 1.0,
        }
    }
}

/// Words and signs that stand for no value.
const NOTHING: [&str; 20] = [
    "", "null", "nan", "n/a", "na", "#n/a", "#na", "none", "nil", "-", "--", "---", ".", "\\n",
    "<na>", "nat", "missing", "#value!", "\u{2013}", "\u{2014}",
];

/// Signs and words of currencies that stand beside a number.
const CURRENCIES: [&str; 27] = [
    "R$", "CA$", "US$", "A$", "HK$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "zł", "kr", "Rs.",
    "Rs", "USDT", "USD", "EUR", "GBP", "JPY", "CHF", "INR", "CAD", "AUD", "PLN",
];

/// Longest number that is read, in bytes.
const DIGITS_MAX: usize = 64;

/// A cell as a number; NaN if it says that there is none, `None` if it is something else.
pub(super) fn read_number(cell: &[u8], rules: NumberRules) -> Option<f64> {
    // Nearly every cell ends here.
    if rules.decimal == b'.' {
        if let Some(number) = read_plain(cell) {
            return Some(number);
        }
        if let Ok(number) = fast_float2::parse::<f64, _>(cell) {
            return Some(number);
        }
    }
    read_dressed(cell, rules.decimal)
}

/// Powers of ten by which digits become a fraction; each is exact.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// A number of up to 15 digits and a point. Its digits and the power of ten are exact as floating
/// point, so that their quotient is the number nearest to what is written (Clinger 1990).
#[inline]
fn read_plain(cell: &[u8]) -> Option<f64> {
    if cell.len() > POWERS.len() {
        return None;
    }
    let mut digits = 0_u64;
    let mut digit_count = 0;
    let mut point = None;

    for byte in cell {
        match byte {
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(byte - b'0');
                digit_count += 1;
            }
            b'.' if point.is_none() => point = Some(digit_count),
            _ => return None,
        }
    }
    if digit_count == 0 || digit_count == POWERS.len() {
        return None;
    }
    let fraction = digit_count - point.unwrap_or(digit_count);
    Some(digits as f64 / POWERS.get(fraction)?)
}

/// True for the words for nothing.
pub(super) fn is_nothing(cell: &[u8]) -> bool {
    NOTHING
        .iter()
        .any(|word| cell.eq_ignore_ascii_case(word.as_bytes()))
}

/// A number with separators, signs of currency, or a letter for thousands and millions.
fn read_dressed(cell: &[u8], decimal: u8) -> Option<f64> {
    if is_nothing(cell) {
        return Some(f64::NAN);
    }
    let text = std::str::from_utf8(cell).ok()?.trim();

    // Accountants write a loss in brackets.
    let in_brackets = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    let bare = strip_currency(in_brackets.unwrap_or(text));
    let is_negative = in_brackets.is_some() ^ bare.starts_with(['-', '\u{2212}']);
    let unsigned = bare.trim_start_matches(['-', '+', '\u{2212}']);
    let unsigned = strip_currency(unsigned);
    let magnitude = Magnitude::of(unsigned);

    let mut plain = PlainDigits::default();
    plain.push_number(magnitude.digits, decimal)?;
    plain.push_all(magnitude.exponent.as_bytes())?;
    let number: f64 = fast_float2::parse(plain.bytes()).ok()?;
    Some(if is_negative { -number } else { number })
}

fn strip_currency(text: &str) -> &str {
    let mut bare = text.trim();
    for sign in CURRENCIES {
        if let Some(rest) = bare.strip_prefix(sign) {
            bare = rest.trim_start();
        }
        if let Some(rest) = bare.strip_suffix(sign) {
            bare = rest.trim_end();
        }
    }
    bare
}

/// A number with the power of ten that its last letter stands for.
struct Magnitude<'a> {
    digits: &'a str,
    /// As it is written behind a number.
    exponent: &'static str,
}

impl<'a> Magnitude<'a> {
    /// `395.86M` is 395.86e6; the letter stands behind a digit.
    fn of(text: &'a str) -> Self {
        // In prices and volumes a small `m` is a million, too: nobody writes thousandths like that.
        let endings = [
            ("bn", "e9"),
            ("K", "e3"),
            ("k", "e3"),
            ("M", "e6"),
            ("m", "e6"),
            ("B", "e9"),
            ("b", "e9"),
            ("T", "e12"),
        ];

        for (ending, exponent) in endings {
            let digits = text.strip_suffix(ending).map(str::trim_end);
            if let Some(digits) = digits
                && digits.ends_with(|last: char| last.is_ascii_digit())
            {
                return Self { digits, exponent };
            }
        }
        Self {
            digits: text,
            exponent: "",
        }
    }
}

/// A number as it is written for programs, on the stack.
struct PlainDigits {
    buffer: [u8; DIGITS_MAX],
    length: usize,
}

impl Default for PlainDigits {
    fn default() -> Self {
        Self {
            buffer: [0; DIGITS_MAX],
            length: 0,
        }
    }
}

impl PlainDigits {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.buffer.get_mut(self.length)? = byte;
        self.length += 1;
        Some(())
    }

    fn push_all(&mut self, bytes: &[u8]) -> Option<()> {
        bytes.iter().try_for_each(|byte| self.push(*byte))
    }

    /// Copies the digits of `text` without its separators; groups behind a separator have two or
    /// three digits, the last one three.
    fn push_number(&mut self, text: &str, decimal: u8) -> Option<()> {
        let decimal = char::from(decimal);
        let (whole, fraction) = match text.split_once(decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let separators = separators_beside(decimal);
        let mut groups = whole.split(|each| separators.contains(&each));
        let first = groups.next()?;
        self.push_digits(first)?;

        // India writes 12,34,567: groups of two digits, and a last one of three.
        let mut last_length = 3;
        for group in groups {
            if first.is_empty() || !matches!(group.len(), 2 | 3) {
                return None;
            }
            last_length = group.len();
            self.push_digits(group)?;
        }
        if last_length != 3 {
            return None;
        }
        if let Some(fraction) = fraction {
            self.push(b'.')?;
            self.push_fraction(fraction)?;
        }
        Some(())
    }

    fn push_digits(&mut self, digits: &str) -> Option<()> {
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        are_digits.then(|| self.push_all(digits.as_bytes()))?
    }

    /// Digits and the exponent of scientific notation.
    fn push_fraction(&mut self, fraction: &str) -> Option<()> {
        let digits = fraction.split(['e', 'E']).next().unwrap_or_default();
        let exponent = fraction.strip_prefix(digits)?;
        self.push_digits(digits)?;
        self.push_all(exponent.as_bytes())
    }
}

/// Between groups of digits, where `decimal` stands before the fraction.
fn separators_beside(decimal: char) -> [char; 6] {
    let other = if decimal == ',' { '.' } else { ',' };
    [other, '\'', '\u{2019}', ' ', '\u{a0}', '\u{202f}']
}

/// What the cells of a file show of its decimal sign.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DecimalEvidence {
    /// A cell can only be read with a decimal point.
    pub(super) point: bool,
    /// A cell can only be read with a decimal comma.
    pub(super) comma: bool,
    /// A cell such as `1,234` can be read both ways.
    pub(super) unclear: bool,
}

impl DecimalEvidence {
    /// Takes one cell into account.
    pub(super) fn add(&mut self, cell: &[u8]) {
        let points = count(cell, b'.');
        let commas = count(cell, b',');
        let last_point = cell.iter().rposition(|byte| *byte == b'.');
        let last_comma = cell.iter().rposition(|byte| *byte == b',');

        match (points, commas) {
            (0, 0) => {}
            (1, 0) => self.point |= !is_group_of_three(cell, last_point),
            (_, 0) => self.comma = true,
            (0, 1) if is_group_of_three(cell, last_comma) => self.unclear = true,
            (0, 1) => self.comma = true,
            (0, _) => self.point = true,
            // Of both the later one stands before the fraction.
            _ => {
                self.point |= last_point > last_comma;
                self.comma |= last_point < last_comma;
            }
        }
    }
}

/// True for `1,234` and `12,345`: three digits behind the sign, one to three before it.
fn is_group_of_three(cell: &[u8], sign: Option<usize>) -> bool {
    let digits_behind = sign
        .and_then(|sign| cell.get(sign + 1..))
        .map(|rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let before = sign.and_then(|sign| cell.get(..sign)).unwrap_or_default();
    let digits_before = before.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let starts_with_zero = before.iter().find(|byte| byte.is_ascii_digit()) == Some(&b'0');
    digits_behind == Some(3) && (1..=3).contains(&digits_before.count()) && !starts_with_zero
}

fn count(cell: &[u8], sign: u8) -> usize {
    memchr::memchr_iter(sign, cell).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, decimal: u8) -> Option<f64> {
        let rules = NumberRules {
            decimal,
            ..NumberRules::default()
        };
        read_number(text.as_bytes(), rules)
    }

    #[test]
    fn dressed_numbers_are_read_as_people_mean_them() {
        let numbers = [
            ("1,234,567", 1_234_567.0),
            ("99,57,579", 9_957_579.0),
            ("$181.18", 181.18),
            ("-$1,000.50", -1000.5),
            ("(12.5)", -12.5),
            ("395.86M", 395_860_000.0),
            ("1.2K", 1200.0),
            ("3bn", 3e9),
            ("1'234.5", 1234.5),
            ("+7", 7.0),
            ("1.2e-06", 1.2e-6),
            ("12.5 USD", 12.5),
        ];
        for (text, number) in numbers {
            assert_eq!(read(text, b'.'), Some(number), "{text}");
        }

        let european = [
            ("100,50", 100.5),
            ("1.234.567", 1_234_567.0),
            ("1 234,5", 1234.5),
        ];
        for (text, number) in european {
            assert_eq!(read(text, b','), Some(number), "{text}");
        }
    }

    #[test]
    fn words_for_nothing_are_nothing_and_text_is_refused() {
        for text in ["", "null", "N/A", "-", "NaN", "#N/A", "None"] {
            assert!(read(text, b'.').unwrap().is_nan(), "{text}");
        }
        for text in ["abc", "1,2", "12,34", "1,2345", "1.2.3", "5%", "M"] {
            assert_eq!(read(text, b'.'), None, "{text}");
        }
    }

    /// Point, comma and unclear, of these cells.
    fn evidence(cells: &[&str]) -> (bool, bool, bool) {
        let mut evidence = DecimalEvidence::default();
        cells.iter().for_each(|cell| evidence.add(cell.as_bytes()));
        (evidence.point, evidence.comma, evidence.unclear)
    }

    #[test]
    fn a_decimal_comma_shows_itself_unless_three_digits_follow() {
        assert_eq!(evidence(&["100,50", "1.234.567"]), (false, true, false));
        assert_eq!(evidence(&["1,234.5", "7"]), (true, false, false));
        assert_eq!(evidence(&["1,234"]), (false, false, true));
        assert_eq!(evidence(&["0,123"]), (false, true, false));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// The parser of the standard library is the other implementation.
        #[test]
        fn plain_numbers_are_those_nearest_to_their_text(text in "[0-9]{0,16}[.]?[0-9]{0,16}") {
            let standard = text.parse::<f64>().ok();

            let plain = read_plain(text.as_bytes());

            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            if text.len() <= 16 && (1..=15).contains(&digits) {
                prop_assert_eq!(plain, standard);
            } else {
                prop_assert_eq!(plain, None);
            }
        }
    }
}
