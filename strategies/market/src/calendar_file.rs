//! The written form of a calendar: what a calendar file may say, and why it is refused.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, ToSpan};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

const DAY_MINUTES: i64 = 1_440;
/// Longest name of a calendar, in characters.
const NAME_LENGTH_MAX: usize = 32;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarFile {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) sources: Vec<String>,
    pub(crate) exchange_time_zone: String,
    pub(crate) covers: Option<Coverage>,
    pub(crate) projected_from: Option<Date>,
    pub(crate) sessions: Week,
    #[serde(default)]
    pub(crate) hours: Vec<DatedWeek>,
    #[serde(default)]
    pub(crate) holidays: Holidays,
    #[serde(default)]
    pub(crate) early_closes: BTreeMap<Date, TimedReason>,
    #[serde(default)]
    pub(crate) late_opens: BTreeMap<Date, TimedReason>,
    #[serde(default)]
    pub(crate) special_sessions: BTreeMap<Date, SpecialDay>,
}

/// First and last date whose exceptions are known, both included.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coverage {
    pub(crate) first: Date,
    pub(crate) last: Date,
}

/// The weekly hours of the trading dates from a date on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatedWeek {
    pub(crate) from: Date,
    pub(crate) sessions: Week,
}

/// The hours of one trading date, which replace those of the week and every other exception.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpecialDay {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) sessions: Vec<Hours>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Week {
    monday: Vec<Hours>,
    tuesday: Vec<Hours>,
    wednesday: Vec<Hours>,
    thursday: Vec<Hours>,
    friday: Vec<Hours>,
    saturday: Vec<Hours>,
    sunday: Vec<Hours>,
}

impl Week {
    /// The days of a week, Monday first.
    pub(crate) const fn days(&self) -> [&Vec<Hours>; 7] {
        [
            &self.monday,
            &self.tuesday,
            &self.wednesday,
            &self.thursday,
            &self.friday,
            &self.saturday,
            &self.sunday,
        ]
    }

    /// Sessions of a week, end to start again, must follow each other without overlap.
    fn check(&self) -> Result<(), CalendarError> {
        let mut sessions: Vec<WeekMinutes> = Vec::new();
        for (day, hours) in (0..).zip(self.days()) {
            sessions.extend(hours.iter().map(|hours| WeekMinutes::of(day, hours)));
        }

        // The week starts again after its last session.
        let first = sessions.first().ok_or(CalendarError::Closed)?;
        let next_week = first.open + 7 * DAY_MINUTES;
        let next_opens = sessions
            .iter()
            .skip(1)
            .map(|session| session.open)
            .chain([next_week]);

        for (session, next_open) in sessions.iter().zip(next_opens) {
            if session.close <= session.open || next_open < session.close {
                let weekday = session.weekday();
                return Err(CalendarError::Sessions { weekday });
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hours {
    pub(crate) open: LocalTime,
    pub(crate) close: LocalTime,
    #[serde(default)]
    pub(crate) phase: Phase,
}

/// Dates on which nothing trades, with the reason: written as a map of dates to names, or as a list
/// of dates without names.
#[derive(Debug, Default)]
pub(crate) struct Holidays(pub(crate) BTreeMap<Date, String>);

impl<'de> Deserialize<'de> for Holidays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HolidaysVisitor)
    }
}

/// Reads both forms where they are, so that an error keeps its line.
struct HolidaysVisitor;

impl<'de> Visitor<'de> for HolidaysVisitor {
    type Value = Holidays;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of dates, or a map of dates to names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Holidays, A::Error> {
        let mut holidays = BTreeMap::new();
        while let Some(date) = items.next_element()? {
            holidays.insert(date, String::new());
        }
        Ok(Holidays(holidays))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Holidays, A::Error> {
        let mut holidays = BTreeMap::new();
        while let Some((date, name)) = items.next_entry()? {
            holidays.insert(date, name);
        }
        Ok(Holidays(holidays))
    }
}

/// A local time and, after a space, why it differs from that of other days: `13:00 Christmas Eve`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TimedReason {
    pub(crate) time: Time,
    pub(crate) reason: String,
}

impl TryFrom<String> for TimedReason {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (time, reason) = text.split_once(' ').unwrap_or((&text, ""));
        let time = time.parse();
        let time = time.map_err(|_| format!("`{text}` does not begin with a time; write HH:MM"))?;
        Ok(Self {
            time,
            reason: reason.trim().to_owned(),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    PreMarket,
    #[default]
    Regular,
    PostMarket,
}

/// A local time of a trading date, the day before (`-1.17:00`) or the day after (`1.00:00`).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct LocalTime {
    days: i64,
    time: Time,
}

impl LocalTime {
    pub(crate) fn on(self, date: Date) -> DateTime {
        date.saturating_add(Span::new().days(self.days))
            .to_datetime(self.time)
    }

    fn minutes(self) -> i64 {
        self.days * DAY_MINUTES + i64::from(self.time.hour()) * 60 + i64::from(self.time.minute())
    }
}

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let forms = "-1.HH:MM, HH:MM or 1.HH:MM";
        let (days, time) = match text.split_once('.') {
            Some(("-1", time)) => (-1, time),
            Some(("1", time)) => (1, time),
            Some(_) => return Err(format!("`{text}` is more than a day away; write {forms}")),
            None => (0, text.as_str()),
        };

        let time = time.parse();
        let time = time.map_err(|_| format!("`{text}` is not a time; write {forms}"))?;
        Ok(Self { days, time })
    }
}

impl CalendarFile {
    pub(crate) fn parse(text: &str) -> Result<Self, CalendarError> {
        let file: Self =
            serde_json::from_str(text).map_err(|source| CalendarError::Json { source })?;
        if !is_name(&file.name) {
            return Err(CalendarError::Name { name: file.name });
        }
        if let Some(Coverage { first, last }) = file.covers
            && last < first
        {
            return Err(CalendarError::Coverage { first, last });
        }

        file.sessions.check()?;

        // The week of a date is found by binary search, so the weeks must ascend.
        let mut earlier = None;
        for change in &file.hours {
            change.sessions.check()?;
            if earlier.is_some_and(|from| change.from <= from) {
                return Err(CalendarError::Order { from: change.from });
            }
            earlier = Some(change.from);
        }
        Ok(file)
    }
}

/// A word of the key of a series: `-` separates those.
fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_word = (1..=NAME_LENGTH_MAX).contains(&text.len()) && text.chars().all(is_allowed);
    is_word && !text.ends_with("_extended")
}

/// A session in minutes since the local midnight that begins Monday.
struct WeekMinutes {
    open: i64,
    close: i64,
}

impl WeekMinutes {
    /// The session that `hours` gives on `day`, Monday being 0.
    fn of(day: i64, hours: &Hours) -> Self {
        let midnight = day * DAY_MINUTES;
        Self {
            open: midnight + hours.open.minutes(),
            close: midnight + hours.close.minutes(),
        }
    }

    /// Local weekday on which the session opens.
    fn weekday(&self) -> String {
        let monday = Date::constant(2024, 1, 1);
        let date = monday.saturating_add(self.open.div_euclid(DAY_MINUTES).days());
        date.strftime("%A").to_string()
    }
}

/// Why a calendar file is refused.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// Not of the expected form.
    #[error("the calendar file is not of the expected form")]
    Json {
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// A name that cannot be a word of the key of a series.
    #[error("`{name}` is not the name of a calendar")]
    Name {
        /// The name as written.
        name: String,
    },
    /// A name that another calendar has.
    #[error("there is another calendar `{name}`")]
    Taken {
        /// The name as written.
        name: String,
    },
    /// A zone that the tz database does not have.
    #[error("`{zone}` is not a time zone of the tz database")]
    Zone {
        /// The zone as written.
        zone: String,
        /// What the database said.
        source: jiff::Error,
    },
    /// No session in the whole week.
    #[error("the calendar has no session")]
    Closed,
    /// A session that ends before it opens or reaches into the next one.
    #[error("the session that opens on {weekday} ends before it opens or overlaps the next one")]
    Sessions {
        /// Local weekday on which the offending session opens.
        weekday: String,
    },
    /// Sessions of one date that end before they open or overlap each other or a neighbour's.
    #[error("the sessions of {date} end before they open or overlap each other or the next ones")]
    Dated {
        /// Trading date of the offending session.
        date: Date,
    },
    /// Changes of hours that do not follow each other in time.
    #[error("the hours from {from} on do not begin after the hours before them")]
    Order {
        /// Date of the change as written.
        from: Date,
    },
    /// Coverage that ends before it starts.
    #[error("the calendar covers {first} to {last}, which ends before it starts")]
    Coverage {
        /// First covered date.
        first: Date,
        /// Last covered date.
        last: Date,
    },
}

impl CalendarError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Json { .. } => "docs/calendars.md lists every key; unknown keys are refused",
            Self::Name { .. } => {
                "use 1 to 32 characters of a-z, 0-9 and `_`; an end in `_extended` is taken by \
                 the calendars with pre-market and post-market hours"
            }
            Self::Taken { .. } => {
                "choose another name; `ktrdr calendars list` shows those that are in use"
            }

            Self::Zone { .. } => "write an IANA name such as America/New_York",

            Self::Closed => {
                "list at least one session, such as \
                 monday: [{open: 09:30, close: 16:00, phase: regular}]"
            }
            Self::Order { .. } => "sort `hours` by `from`, earliest first",
            Self::Sessions { .. } | Self::Dated { .. } => {
                "write a close after midnight as 1.HH:MM and an open on the day before as -1.HH:MM"
            }

            Self::Coverage { .. } => "write the first covered date, then the last, both included",
        }
    }
}
