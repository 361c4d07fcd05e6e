//! Spans of time as people read them.

use std::time::Duration;

use jiff::Timestamp;

/// `45s`, `2m 5s`, `3m`, `1h 20m`, `2h`: whole seconds below an hour, whole minutes above.
pub(crate) fn rough(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_millis() >= 500);
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, rest) => format!("{rest}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, rest) => format!("{minutes}m {rest}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

/// `12.3s`, `4.5m`, `1.2h`, `2.0d`: one number, for columns.
pub(crate) fn compact(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        s if s < 60.0 => format!("{s:.1}s"),
        s if s < 3_600.0 => format!("{:.1}m", s / 60.0),
        s if s < 86_400.0 => format!("{:.1}h", s / 3_600.0),
        s => format!("{:.1}d", s / 86_400.0),
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
    fn spans_are_shown_with_at_most_two_units() {
        let shown: Vec<String> = [0, 45, 125, 180, 4_800, 7_200]
            .map(|s| rough(Duration::from_secs(s)))
            .into();
        assert_eq!(shown, ["0s", "45s", "2m 5s", "3m", "1h 20m", "2h"]);
        let columns: Vec<String> = [12, 270, 4_320, 172_800]
            .map(|s| compact(Duration::from_secs(s)))
            .into();
        assert_eq!(columns, ["12.0s", "4.5m", "1.2h", "2.0d"]);
    }
}
