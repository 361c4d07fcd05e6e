//! Spans of time and instants as people read them.

use std::time::Duration;

use jiff::Timestamp;

const MINUTE_S: f64 = 60.0;
const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;

/// `45s`, `2m 5s`, `3m`, `1h 20m`, `2h`: whole seconds below an hour, whole minutes above.
pub(crate) fn rough(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_millis() >= 500);
    let hours = seconds / 3_600;
    let minutes = seconds / 60 % 60;
    match (hours, minutes, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

/// `12.3s`, `4.5m`, `1.2h`, `2.0d`: one number, for columns.
pub(crate) fn compact(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        _ if seconds < MINUTE_S => format!("{seconds:.1}s"),
        _ if seconds < HOUR_S => format!("{:.1}m", seconds / MINUTE_S),
        _ if seconds < DAY_S => format!("{:.1}h", seconds / HOUR_S),
        _ => format!("{:.1}d", seconds / DAY_S),
    }
}

/// From `start` to `end`; zero when `end` is not after it.
pub(crate) fn after(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}

/// `2026-03-01 14:22:33Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_in_a_sentence_has_at_most_two_units() {
        let texts = [0, 45, 125, 180, 4_800, 7_200].map(|s| rough(Duration::from_secs(s)));

        assert_eq!(texts, ["0s", "45s", "2m 5s", "3m", "1h 20m", "2h"]);
    }

    #[test]
    fn a_span_in_a_column_is_one_number() {
        let texts = [12, 270, 4_320, 172_800].map(|s| compact(Duration::from_secs(s)));

        assert_eq!(texts, ["12.0s", "4.5m", "1.2h", "2.0d"]);
    }
}
