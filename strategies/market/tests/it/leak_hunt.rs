//! The hunt for leaks over markets: no bar is known before it is over. The end of a bar is worked
//! out here with civil-time arithmetic and opening hours of its own, and not by the crate.

use market::{Calendar, DayBoundary, Instrument, SeriesKey, Session, Timeframe, Utc, close_times};

/// Bars tried per market.
const BARS: usize = 1_000;
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

const TIMEFRAMES: [&str; 19] = [
    "1m", "2m", "5m", "7m", "15m", "30m", "45m", "1h", "90m", "2h", "4h", "8h", "1d", "2d", "3d",
    "1w", "2w", "1mo", "6h",
];

/// When a zone puts its clocks forward by an hour.
#[derive(Clone, Copy)]
enum Summer {
    Never,
    /// Second Sunday of March to the first of November.
    America,
    /// Last Sunday of March to the last of October.
    Europe,
    /// First Sunday of October to the first of April.
    Sydney,
}

/// A market as its exchange publishes it, from 2022 on.
struct Market {
    symbol: &'static str,
    calendar: &'static str,
    hours: Session,
    /// Minutes that standard time is ahead of UTC.
    standard: i64,
    summer: Summer,
    /// Opens and closes in minutes after the midnight that begins the trading date.
    sessions: &'static [[i64; 2]],
    trades_on_weekends: bool,
}

const fn market(
    symbol: &'static str,
    calendar: &'static str,
    standard: i64,
    summer: Summer,
    sessions: &'static [[i64; 2]],
) -> Market {
    Market {
        symbol,
        calendar,
        hours: Session::Regular,
        standard,
        summer,
        sessions,
        trades_on_weekends: false,
    }
}

fn markets() -> Vec<Market> {
    use Summer::{America, Europe, Never, Sydney};

    let mut markets = vec![
        market("AAPL", "us_equities", -300, America, &[[570, 960]]),
        market("fund:VTSAX", "us_equities", -300, America, &[[570, 960]]),
        market("idx:SPX", "us_equities", -300, America, &[[570, 960]]),
        market("EURUSD", "fx", -300, America, &[[-420, 1_020]]),
        market("XAUUSD", "metals", -300, America, &[[-360, 1_020]]),
        market("fut:ES", "cme_index", -360, America, &[[-420, 960]]),
        market("fut:CL", "cme_energy_metals", -360, America, &[[-420, 960]]),
        market("VOD", "lse", 0, Europe, &[[480, 990]]),
        market("SAP", "xetra", 60, Europe, &[[540, 1_050]]),
        market("MC", "euronext", 60, Europe, &[[540, 1_050]]),
        market("7203", "tse", 540, Never, &[[540, 690], [750, 930]]),
        market("0700", "hkex", 480, Never, &[[570, 720], [780, 960]]),
        market("600519", "sse", 480, Never, &[[570, 690], [780, 900]]),
        market("BHP", "asx", 600, Sydney, &[[600, 960]]),
        market("SHOP", "tsx", -300, America, &[[570, 960]]),
        market("INFY", "nse", 330, Never, &[[555, 930]]),
        market("PETR4", "b3", -180, Never, &[[600, 1_080]]),
    ];
    markets.push(Market {
        hours: Session::Extended,
        ..market("AAPL", "us_equities", -300, America, &[[240, 1_200]])
    });
    for symbol in ["crypto:BTC/USD", "perp:BTC/USDT"] {
        markets.push(Market {
            trades_on_weekends: true,
            ..market(symbol, "always", 0, Never, &[[0, 1_440]])
        });
    }
    markets
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March put the leap day at their end.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - 719_468
}

/// The year and the month of a day.
fn month_of(day: i64) -> [i64; 2] {
    let mut year = 1_970 + day.div_euclid(366);
    while day_number(year + 1, 1, 1) <= day {
        year += 1;
    }
    let months = (1..=12).rev();
    let month = months
        .into_iter()
        .find(|month| day_number(year, *month, 1) <= day);
    [year, month.unwrap()]
}

/// Monday is 0.
fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// The n-th Sunday of a month, from 1; the last one for 0.
fn sunday(year: i64, month: i64, n: i64) -> i64 {
    if n == 0 {
        let next = if month == 12 {
            [year + 1, 1]
        } else {
            [year, month + 1]
        };
        let last = day_number(next[0], next[1], 1) - 1;
        return last - (weekday(last) + 1) % 7;
    }
    let first = day_number(year, month, 1);
    first + (6 - weekday(first)) + 7 * (n - 1)
}

/// Minutes that clocks are ahead of standard time in the hours of trading of a day.
fn summer_minutes(summer: Summer, day: i64) -> i64 {
    let [year, _] = month_of(day);
    let is_summer = match summer {
        Summer::Never => false,
        Summer::America => (sunday(year, 3, 2)..sunday(year, 11, 1)).contains(&day),
        Summer::Europe => (sunday(year, 3, 0)..sunday(year, 10, 0)).contains(&day),
        Summer::Sydney => day < sunday(year, 4, 1) || sunday(year, 10, 1) <= day,
    };
    if is_summer { 60 } else { 0 }
}

impl Market {
    fn key(&self, timeframe: &str) -> SeriesKey {
        let instrument = Instrument::parse(self.symbol).unwrap();
        let timeframe: Timeframe = timeframe.parse().unwrap();
        let key = SeriesKey::standard("file", instrument, timeframe).unwrap();
        let mut key = key.with_calendar(self.calendar).unwrap();
        key.session = self.hours;
        key
    }

    /// The instant of a local time, in minutes after the midnight that begins a day.
    fn instant(&self, day: i64, minutes: i64) -> i64 {
        // Clocks change on a Sunday before anything trades on it.
        let local_day = day + minutes.div_euclid(1_440).min(0);
        let offset = self.standard + summer_minutes(self.summer, local_day);
        day * DAY + (minutes - offset) * MINUTE
    }

    /// The sessions of a trading date that no exception changes, open and close in UTC.
    fn sessions(&self, day: i64) -> Vec<[i64; 2]> {
        if (weekday(day) >= 5 && !self.trades_on_weekends) || self.has_exception(day) {
            return Vec::new();
        }

        let sessions = self.sessions.iter();
        let instants = sessions.map(|[open, close]| {
            let close = self.close_on(day, *close);
            [self.instant(day, *open), self.instant(day, close)]
        });
        instants.collect()
    }

    /// Two markets have changed their close since 2022.
    fn close_on(&self, day: i64, close: i64) -> i64 {
        match self.calendar {
            "tse" if close == 930 && day < day_number(2024, 11, 5) => 900,
            // Sao Paulo follows New York's clocks.
            "b3" => close - summer_minutes(Summer::America, day),
            _ => close,
        }
    }

    /// Such a date may end earlier: it makes no bar end later than its other dates.
    fn has_exception(&self, day: i64) -> bool {
        let calendar = Calendar::named(self.calendar).unwrap();
        let around = Utc((day - 1) * DAY).date()..Utc((day + 2) * DAY).date();
        !calendar.exceptions(around).is_empty()
    }

    /// The last instant of trading in `[start, end)` of UTC time.
    fn last_trade(&self, start: i64, end: i64) -> Option<i64> {
        let days = start.div_euclid(DAY) - 1..=end.div_euclid(DAY) + 1;
        let sessions = days.flat_map(|day| self.sessions(day));
        let overlapping = sessions.filter(|[open, close]| *open < end && start < *close);
        overlapping.map(|[_, close]| close.min(end)).max()
    }

    /// The last close of the trading dates in a range of days.
    fn last_close(&self, days: std::ops::Range<i64>) -> Option<i64> {
        let sessions = days.flat_map(|day| self.sessions(day));
        sessions.map(|[_, close]| close).max()
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.unsigned_abs()) as i64
    }
}

/// Label and true end of a random bar; none where nothing is traded or no bar has such a label.
fn random_bar(market: &Market, key: &SeriesKey, dice: &mut Dice) -> Option<[i64; 2]> {
    let day = day_number(2_022, 1, 3) + dice.below(2_500);
    if key.timeframe.is_intraday() {
        let label = market.instant(day, -600) + dice.below(2_000) * MINUTE;
        let end = label + key.timeframe.micros();
        return Some([label, market.last_trade(label, end)?]);
    }

    let days = days_of_bar(key.timeframe, day);
    let label = days.start * DAY;
    let end = match key.day_boundary {
        DayBoundary::SessionClose => market.last_close(days)?,
        DayBoundary::UtcMidnight => market.last_trade(label, days.end * DAY)?,
    };
    Some([label, end])
}

/// The days of the bar that may begin around `day`: weeks from Monday, months from the first.
fn days_of_bar(timeframe: Timeframe, day: i64) -> std::ops::Range<i64> {
    let text = timeframe.to_string();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let count: i64 = digits.parse().unwrap();

    match text.trim_start_matches(|digit: char| digit.is_ascii_digit()) {
        "d" => day..day + count,
        "w" => day - weekday(day)..day - weekday(day) + 7 * count,
        _ => {
            let [year, month] = month_of(day);
            let after = month - 1 + count;
            let end = day_number(year + after / 12, after % 12 + 1, 1);
            day_number(year, month, 1)..end
        }
    }
}

#[test]
fn no_bar_of_any_market_is_known_before_it_is_over() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);

    for market in markets() {
        let calendar_of = |key: &SeriesKey| Calendar::for_key(key);
        let keys = TIMEFRAMES.map(|timeframe| market.key(timeframe));
        let mut bars = 0;
        let mut exact = 0;
        while bars < BARS {
            let key = &keys[dice.below(TIMEFRAMES.len() as i64) as usize];
            let Some([label, true_end]) = random_bar(&market, key, &mut dice) else {
                continue;
            };

            // Bars of several days or months begin at some of the labels only.
            let Ok(known_from) = close_times(calendar_of(key), key, &[Utc(label)]) else {
                continue;
            };
            bars += 1;
            exact += usize::from(known_from[0].0 == true_end);
            assert!(
                known_from[0].0 >= true_end,
                "{} {}: the bar of {} ends at {} and is known from {}",
                market.symbol,
                key,
                Utc(label),
                Utc(true_end),
                known_from[0]
            );
        }

        // An end that is worked out too early would let every leak pass.
        assert!(exact * 2 > BARS, "{}: {exact} exact ends", market.symbol);
    }
}

#[test]
fn the_hunt_knows_its_own_dates() {
    // Golden dates: the epoch, a leap day, and the changes of clocks of 2024.
    assert_eq!(day_number(1_970, 1, 1), 0);
    assert_eq!(
        Utc(day_number(2_024, 2, 29) * DAY).to_string(),
        "2024-02-29T00:00:00Z"
    );
    assert_eq!(weekday(day_number(2_024, 2, 29)), 3);
    assert_eq!(month_of(day_number(2_024, 12, 31)), [2_024, 12]);
    assert_eq!(sunday(2_024, 3, 2), day_number(2_024, 3, 10));
    assert_eq!(sunday(2_024, 10, 0), day_number(2_024, 10, 27));
    assert_eq!(sunday(2_024, 4, 1), day_number(2_024, 4, 7));
}
