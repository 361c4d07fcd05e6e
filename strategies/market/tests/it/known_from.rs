//! No bar is known before it is over, whatever changed since 2000: random bars of every exchange
//! against the five minutes in which its market trades last, holidays, half days and former hours
//! included, found by a second and simpler reader of the calendar files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZone;
use market::{Calendar, DayBoundary, Instrument, SeriesKey, Utc, close_times};
use serde_json::Value;

/// Every time in the files is a multiple of five minutes, so trading is looked at in such steps.
const STEP_MINUTES: i64 = 5;
const STEP: i64 = STEP_MINUTES * 60_000_000;
const DAY: i64 = 1_440 * 60_000_000;
const BARS_OF_EACH: usize = 1_000;

/// A market of each class, and one of each exchange.
const SYMBOLS: [&str; 21] = [
    "stk:AAPL",
    "stk:VOD.L",
    "stk:SAP.DE",
    "stk:MC.PA",
    "stk:7203.T",
    "stk:0700.HK",
    "stk:600000.SS",
    "stk:BHP.AX",
    "stk:SHOP.TO",
    "stk:INFY.NS",
    "stk:PETR4.SA",
    "stk:SAP.F",
    "fund:SPY",
    "idx:GSPC",
    "fx:EURUSD",
    "metal:XAUUSD",
    "fut:ES",
    "fut:CL",
    "fut:ZC",
    "crypto:BTCUSD",
    "perp:BTCUSDT",
];
const TIMEFRAMES: [&str; 6] = ["5m", "15m", "1h", "4h", "1d", "1w"];

/// A calendar file as it is written: local hours by weekday and date, and dated exceptions.
struct Hours {
    zone: TimeZone,
    file: Value,
    holidays: BTreeSet<Date>,
    early_closes: BTreeMap<Date, Time>,
    late_opens: BTreeMap<Date, Time>,
}

impl Hours {
    fn read(name: &str) -> Self {
        let path = format!("{}/data/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();

        let times = |key: &str| {
            let dates = file[key].as_object().into_iter().flatten();
            let times = dates.map(|(date, text)| {
                let time = text.as_str().unwrap().split(' ').next().unwrap();
                (date.parse().unwrap(), time.parse().unwrap())
            });
            times.collect()
        };
        let holidays = file["holidays"].as_object().into_iter().flatten();
        let holidays = holidays.map(|(date, _)| date.parse().unwrap()).collect();

        Self {
            holidays,
            zone: TimeZone::get(file["exchange_time_zone"].as_str().unwrap()).unwrap(),
            early_closes: times("early_closes"),
            late_opens: times("late_opens"),
            file,
        }
    }

    /// Local start and end of the sessions of a trading date, before any exception.
    fn written_sessions(&self, date: Date) -> (Vec<(DateTime, DateTime)>, bool) {
        let special = &self.file["special_sessions"][date.to_string()];
        let weekday = date.strftime("%A").to_string().to_lowercase();
        let mut week = &self.file["sessions"];
        for change in self.file["hours"].as_array().into_iter().flatten() {
            if change["from"].as_str().unwrap() <= date.to_string().as_str() {
                week = &change["sessions"];
            }
        }

        let is_special = special.is_object();
        let sessions = if is_special {
            &special["sessions"]
        } else {
            &week[weekday]
        };
        let sessions = sessions.as_array().into_iter().flatten();
        let regular = sessions.filter(|each| each["phase"].as_str().unwrap() == "regular");
        let local = regular.map(|each| {
            let time = |key: &str| local_time(date, each[key].as_str().unwrap());
            (time("open"), time("close"))
        });
        (local.collect(), is_special)
    }

    fn is_closed(&self, local: DateTime) -> bool {
        let date = local.date();
        self.holidays.contains(&date)
            || self
                .early_closes
                .get(&date)
                .is_some_and(|close| local.time() >= *close)
            || self
                .late_opens
                .get(&date)
                .is_some_and(|open| local.time() < *open)
    }

    /// The local start of every five minutes in which a trading date trades, in order.
    fn steps(&self, date: Date) -> Vec<DateTime> {
        let (sessions, is_special) = self.written_sessions(date);
        let mut steps = Vec::new();
        for (start, end) in sessions {
            let mut local = start;
            while local < end {
                if is_special || !self.is_closed(local) {
                    steps.push(local);
                }
                local = local.checked_add(STEP_MINUTES.minutes()).unwrap();
            }
        }
        steps
    }

    fn instant(&self, local: DateTime) -> Utc {
        Utc::from_timestamp(self.zone.to_timestamp(local).unwrap())
    }
}

/// `09:30`, `-1.17:00` or `1.00:00` of a trading date.
fn local_time(date: Date, text: &str) -> DateTime {
    let (days, time) = text.split_once('.').unwrap_or(("0", text));
    let day = date
        .checked_add(days.parse::<i64>().unwrap().days())
        .unwrap();
    day.to_datetime(time.parse().unwrap())
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// A random step of a trading date: `steps[index]` in local time.
struct Drawn {
    trading_date: Date,
    steps: Vec<DateTime>,
    index: usize,
}

impl Drawn {
    fn new(hours: &Hours, numbers: &mut Numbers) -> Option<Self> {
        let day = i64::try_from(numbers.below(29 * 365)).unwrap();
        let trading_date = date(2000, 1, 3).checked_add(day.days()).unwrap();
        let steps = hours.steps(trading_date);
        if steps.is_empty() {
            return None;
        }
        let index = numbers.below(steps.len());
        Some(Self {
            trading_date,
            steps,
            index,
        })
    }

    /// The bar that holds the step: on a grid from the first one on, or its date or week.
    fn label(&self, hours: &Hours, key: &SeriesKey) -> Utc {
        let length = key.timeframe.micros();
        let step = hours.instant(self.steps[self.index]);
        if key.timeframe.is_intraday() {
            let since_first = step.0 - hours.instant(self.steps[0]).0;
            step.plus_micros(-(since_first % length))
        } else if key.day_boundary == DayBoundary::SessionClose {
            label_of_date(self.trading_date, length)
        } else {
            label_of_date(step.date(), length)
        }
    }

    /// The end of the last step in which a bar can trade: of its date or week, or of those in
    /// `[label, label + length)`.
    fn true_end(&self, hours: &Hours, key: &SeriesKey, label: Utc) -> Utc {
        let is_by_date =
            !key.timeframe.is_intraday() && key.day_boundary == DayBoundary::SessionClose;

        let last = if is_by_date {
            let dates = key.timeframe.micros() / DAY;
            let dates = (0..dates)
                .rev()
                .map(|day| label.date().checked_add(day.days()).unwrap());
            let mut steps = dates.filter_map(|date| hours.steps(date).last().copied());
            hours.instant(steps.next().unwrap())
        } else {
            let end = label.plus_micros(key.timeframe.micros());
            let later = self.steps[self.index..].iter();
            let instants = later.map(|step| hours.instant(*step));
            instants.take_while(|step| *step < end).last().unwrap()
        };

        last.plus_micros(STEP)
    }
}

/// Bars of one instrument in every timeframe, each compared with its true end.
fn check_bars(instrument: &Instrument, numbers: &mut Numbers) {
    let hours = Hours::read(instrument.calendar_name());
    let mut checked = 0;

    while checked < BARS_OF_EACH {
        let Some(drawn) = Drawn::new(&hours, numbers) else {
            continue;
        };
        let timeframe = TIMEFRAMES[numbers.below(TIMEFRAMES.len())].parse().unwrap();
        let key = SeriesKey::standard("file", instrument.clone(), timeframe).unwrap();

        let label = drawn.label(&hours, &key);
        let known_at = close_times(Calendar::for_key(&key), &key, &[label]).unwrap()[0];
        let end = drawn.true_end(&hours, &key, label);
        assert!(
            known_at >= end,
            "{key} {label}: known {known_at}, over {end}"
        );
        checked += 1;
    }
}

#[test]
fn no_bar_is_known_before_it_is_over() {
    let mut numbers = Numbers(20_261_126);

    for symbol in SYMBOLS {
        check_bars(&Instrument::parse(symbol).unwrap(), &mut numbers);
    }
}

/// A date, or the Monday of its week, at midnight UTC.
fn label_of_date(date: Date, length: i64) -> Utc {
    if length < 7 * DAY {
        return Utc::midnight(date);
    }
    let since_monday = i64::from(date.weekday().to_monday_zero_offset());
    Utc::midnight(date.checked_sub(since_monday.days()).unwrap())
}
