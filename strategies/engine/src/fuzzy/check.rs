//! Whether a type and numbers are a membership function, and if not, every reason why.

use super::{
    BELL, GAUSSIAN, Membership, MembershipError, MembershipType, SIGMOID, TRAPEZOIDAL, TRIANGULAR,
};

impl Membership {
    /// Every reason why these are not a membership function; without numbers, only whether the type
    /// exists.
    pub fn problems(type_name: &str, parameters: Option<&[f64]>) -> Vec<MembershipError> {
        let Some(kind) = MembershipType::find(type_name) else {
            return vec![MembershipError::UnknownType {
                name: type_name.to_owned(),
            }];
        };
        let Some(parameters) = parameters else {
            return Vec::new();
        };

        // With a wrong count it is not known which number is which.
        let expected = kind.parameters.split(',').count();
        if parameters.len() != expected {
            return vec![MembershipError::WrongCount {
                kind: kind.name,
                expected,
                names: kind.parameters,
                found: parameters.len(),
            }];
        }

        let mut problems = Vec::new();
        problems.extend(find_descent(kind, parameters));
        problems.extend(find_infinity(kind, parameters));
        problems.extend(find_out_of_bounds(kind, parameters));
        problems
    }
}

/// The first place at which the points of a triangle or trapezoid descend; the message shows all of
/// them.
fn find_descent(kind: MembershipType, values: &[f64]) -> Option<MembershipError> {
    if !matches!(kind, TRIANGULAR | TRAPEZOIDAL) {
        return None;
    }

    // Equal neighbours are vertical flanks, which are legal.
    let mut pairs = values.iter().zip(values.iter().skip(1));
    let (&before, &after) = pairs.find(|(before, after)| before > after)?;
    Some(MembershipError::Descending {
        kind: kind.name,
        names: kind.parameters,
        values: values.to_vec(),
        before,
        after,
    })
}

/// Numbers that are NaN, or infinite although they do not make an open shoulder.
fn find_infinity(kind: MembershipType, values: &[f64]) -> Option<MembershipError> {
    // Only the outer numbers of an open shoulder may be infinite.
    let are_all_legal = values
        .iter()
        .enumerate()
        .all(|(index, value)| value.is_finite() || is_open_shoulder(kind, values, index));
    if are_all_legal {
        return None;
    }

    Some(MembershipError::NotFinite {
        kind: kind.name,
        names: kind.parameters,
        values: values.to_vec(),
    })
}

/// True when the number at `index` is one of two equal infinities, which open a trapezoid to that
/// side.
fn is_open_shoulder(kind: MembershipType, values: &[f64], index: usize) -> bool {
    match *values {
        [a, b, ..] if kind == TRAPEZOIDAL && index < 2 => a == b && a == f64::NEG_INFINITY,
        [.., c, d] if kind == TRAPEZOIDAL => c == d && d == f64::INFINITY,
        _ => false,
    }
}

/// Widths and slopes at which the formula would divide by zero or turn over.
fn find_out_of_bounds(kind: MembershipType, values: &[f64]) -> Vec<MembershipError> {
    let mut problems = Vec::new();
    match (kind, values) {
        (GAUSSIAN, &[_, deviation]) if deviation <= 0.0 => {
            problems.push(MembershipError::FlatDeviation { deviation });
        }
        (BELL, &[width, slope, _]) => {
            // Both are looked at, so that one run reports every fault.
            for (parameter, value) in [("width", width), ("slope", slope)] {
                if value <= 0.0 {
                    problems.push(out_of_bounds(kind, parameter, "above 0", value));
                }
            }
        }
        (SIGMOID, &[slope, _]) if slope == 0.0 => {
            problems.push(out_of_bounds(kind, "slope", "other than 0", slope));
        }
        _ => {}
    }

    problems
}

fn out_of_bounds(
    kind: MembershipType,
    parameter: &'static str,
    legal: &'static str,
    value: f64,
) -> MembershipError {
    MembershipError::OutOfBounds {
        kind: kind.name,
        parameter,
        legal,
        value,
    }
}
