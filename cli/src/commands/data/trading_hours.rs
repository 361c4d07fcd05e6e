//! Which bars of a series lie in the trading hours of its market.

use market::{Bars, Calendar, SeriesKey, Session, TradingSession};

/// Marks the bars that overlap a session of these hours, in their order. A bar that a session's
/// open or close cuts in two counts: it has trades of the session.
pub(super) fn bars_in_hours(bars: &Bars, key: &SeriesKey, hours: Session) -> Vec<bool> {
    let ends = bars.open_time.first().zip(bars.close_time.last());
    let Some((first, last)) = ends else {
        return Vec::new();
    };
    let calendar = Calendar::for_key(key).with_hours(hours);
    let sessions = calendar.sessions_between(*first..*last);

    let bars = bars.open_time.iter().zip(&bars.close_time);
    bars.map(|(open, close)| {
        let next = sessions.partition_point(|session| session.close <= *open);
        let session: Option<&TradingSession> = sessions.get(next);
        session.is_some_and(|session| session.open < *close)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use market::{Instrument, Timeframe, Utc};

    use super::*;

    const MINUTE: i64 = 60_000_000;

    /// Bars of `minutes` each, one after the other from `start` on.
    fn bars_from(start: &str, minutes: i64, count: i64) -> Bars {
        let start = Utc::from_timestamp(start.parse().unwrap());
        let labels = (0..count).map(|bar| start.plus_micros(bar * minutes * MINUTE));
        let open_time: Vec<Utc> = labels.collect();
        Bars {
            close_time: open_time
                .iter()
                .map(|open| open.plus_micros(minutes * MINUTE))
                .collect(),
            open_time,
            ..Bars::default()
        }
    }

    fn extended_hours_of_aapl() -> SeriesKey {
        let aapl = Instrument::parse("AAPL").unwrap();
        let key = SeriesKey::standard("file", aapl, Timeframe::HOUR_1).unwrap();
        key.with_calendar("us_equities_extended").unwrap()
    }

    /// Half hours of Tuesday, 2024-01-09, from 03:30 to 20:30 in New York (UTC-5), where pre-market
    /// begins at 04:00, the session at 09:30, and post-market ends at 20:00.
    #[test]
    fn bars_of_a_day_are_those_of_its_sessions() {
        let bars = bars_from("2024-01-09T08:30:00Z", 30, 34);
        let key = extended_hours_of_aapl();

        let regular = bars_in_hours(&bars, &key, Session::Regular);
        assert_eq!(
            regular,
            [vec![false; 12], vec![true; 13], vec![false; 9]].concat()
        );
        let extended = bars_in_hours(&bars, &key, Session::Extended);
        assert_eq!(
            extended,
            [vec![false; 1], vec![true; 32], vec![false; 1]].concat()
        );
    }

    #[test]
    fn a_bar_that_the_open_cuts_in_two_counts() {
        // 08:00, 09:00 and 10:00 in New York.
        let bars = bars_from("2024-01-09T13:00:00Z", 60, 3);
        let regular = bars_in_hours(&bars, &extended_hours_of_aapl(), Session::Regular);
        assert_eq!(regular, [false, true, true]);

        // A Saturday, and no bars at all.
        let bars = bars_from("2024-01-06T13:00:00Z", 60, 3);
        let regular = bars_in_hours(&bars, &extended_hours_of_aapl(), Session::Regular);
        assert_eq!(regular, [false; 3]);
        let none = bars_in_hours(
            &Bars::default(),
            &extended_hours_of_aapl(),
            Session::Regular,
        );
        assert!(none.is_empty());
    }
}
