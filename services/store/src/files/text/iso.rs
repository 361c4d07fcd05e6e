//! The fast path of times: year first, fixed widths, as most programs write them.

use super::super::DAY;
use super::super::stamp::{Stamp, StampKind, days_of};
use super::time::{SECOND, clock_of};

/// Reads `2024-01-02`, `2024-01-02 09:30`, `2024-01-02T09:30:00.123Z`, `2024-01-02 09:30:00-05:00`
/// and the same with `.` or `/` in the date; `None` for every other form.
pub(super) fn read_iso(cell: &[u8]) -> Option<Stamp> {
    // By far the commonest form, and every row has one: a pattern of bytes needs no cursor.
    let [y1, y2, y3, y4, first, m1, m2, second, d1, d2, rest @ ..] = cell else {
        return None;
    };
    if first != second || !matches!(first, b'-' | b'.' | b'/') {
        return None;
    }

    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let days = days_of(year, two(*m1, *m2)?, two(*d1, *d2)?)?;
    let [b'T' | b' ' | b't', h1, h2, b':', n1, n2, rest @ ..] = rest else {
        return rest.is_empty().then(|| Stamp::date(days));
    };

    let [b':', s1, s2, rest @ ..] = rest else {
        let clock = clock_of(two(*h1, *h2)?, two(*n1, *n2)?, 0)?;
        return with_offset(days * DAY + clock, rest);
    };
    let clock = clock_of(two(*h1, *h2)?, two(*n1, *n2)?, two(*s1, *s2)?)?;
    let [b'.', rest @ ..] = rest else {
        return with_offset(days * DAY + clock, rest);
    };
    with_fraction(days * DAY + clock, rest)
}

/// A time with the digits behind its point, of which those beyond microseconds are cut.
fn with_fraction(micros: i64, digits: &[u8]) -> Option<Stamp> {
    let mut unit = SECOND;
    let mut fraction = 0;
    let mut rest = digits;

    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        unit /= 10;
        fraction += i64::from(digit - b'0') * unit;
        rest = behind;
    }
    with_offset(micros + fraction, rest)
}

fn with_offset(micros: i64, rest: &[u8]) -> Option<Stamp> {
    let minutes = match rest {
        [] => return Some(Stamp::local(micros)),
        [b'Z' | b'z'] => return Some(Stamp::instant(micros)),
        [sign, h1, h2, b':', n1, n2] | [sign, h1, h2, n1, n2] => {
            signed(*sign, two(*h1, *h2)? * 60 + two(*n1, *n2)?)?
        }
        // PostgreSQL leaves the minutes out where they are 0.
        [sign, h1, h2] => signed(*sign, two(*h1, *h2)? * 60)?,
        _ => return None,
    };

    Some(Stamp {
        kind: StampKind::Instant,
        micros: micros - minutes * 60 * SECOND,
        offset_minutes: i16::try_from(minutes).ok(),
    })
}

fn signed(sign: u8, minutes: i64) -> Option<i64> {
    match sign {
        b'+' => Some(minutes),
        b'-' => Some(-minutes),
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let are_digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    are_digits.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}
