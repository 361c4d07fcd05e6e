//! The degree of membership in a trapezoid, of which a triangle is one without a plateau: for one
//! value, and for a column of them at a time.

/// Feet and plateau of a trapezoid, `a ≤ b ≤ c ≤ d`; infinite where a shoulder is open.
#[derive(Clone, Copy)]
pub(super) struct Trapezoid {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    pub(super) d: f64,
}

impl Trapezoid {
    #[inline]
    pub(super) fn degree(self, x: f64) -> f64 {
        let Self { a, b, c, d } = self;
        if x.is_nan() {
            f64::NAN
        } else if b <= x && x <= c {
            1.0
        } else if x <= a || x >= d {
            0.0
        } else if x < b {
            share_of_way(a, b, x)
        } else {
            share_of_way(d, c, x)
        }
    }

    /// [`degree`](Self::degree) of every value. The flank is chosen before the division and the
    /// plateau after it, so that there is one division, no branch, and several values at a time.
    pub(super) fn degrees(self, values: &mut [f64]) {
        let Self { a, b, c, d } = self;
        let rise = b - a;
        let fall = c - d;

        // No value lies on a flank without a width. A flank so wide that its width overflows needs
        // the slower formula.
        if (a < b && !rise.is_finite()) || (c < d && !fall.is_finite()) {
            for value in values {
                *value = self.degree(*value);
            }
            return;
        }

        for value in values {
            let x = *value;
            let (foot, span) = if x < b { (a, rise) } else { (d, fall) };
            let flank = (x - foot) / span;
            let inside = if (x <= a) | (x >= d) { 0.0 } else { flank };
            let degree = if (b <= x) & (x <= c) { 1.0 } else { inside };
            *value = if x.is_nan() { f64::NAN } else { degree };
        }
    }
}

/// (x − from)/(to − from), halved first where the difference would overflow.
#[inline]
fn share_of_way(from: f64, to: f64, x: f64) -> f64 {
    let span = to - from;
    if span.is_finite() {
        (x - from) / span
    } else {
        (x / 2.0 - from / 2.0) / (to / 2.0 - from / 2.0)
    }
}
