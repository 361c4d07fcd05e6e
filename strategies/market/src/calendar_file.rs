//! The written form of a calendar: what a calendar file may say, and why it is refused.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, ToSpan};
use serde::Deserialize;

const DAY_MINUTES: i64 = 1_440;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarFile {
    pub(crate) name: String,
    pub(crate) exchange_time_zone: String,
    pub(crate) covers: Option<Coverage>,
    pub(crate) sessions: Week,
    #[serde(default)]
    pub(crate) holidays: Vec<Date>,
    #[serde(default)]
    pub(crate) early_closes: BTreeMap<Date, Time>,
    #[serde(default)]
    pub(crate) late_opens: BTreeMap<Date, Time>,
}

/// First and last date whose exceptions are known, both included.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coverage {
    pub(crate) first: Date,
    pub(crate) last: Date,
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
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hours {
    pub(crate) open: LocalTime,
    pub(crate) close: LocalTime,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    PreMarket,
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
        if let Some(Coverage { first, last }) = file.covers
            && last < first
        {
            return Err(CalendarError::Coverage { first, last });
        }

        file.check_week()?;
        Ok(file)
    }

    /// Sessions of a week, end to start again, must follow each other without overlap.
    fn check_week(&self) -> Result<(), CalendarError> {
        let mut sessions: Vec<WeekMinutes> = Vec::new();
        for (day, hours) in (0..).zip(self.sessions.days()) {
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
            Self::Json { .. } => {
                "compare it with the calendars in strategies/market/data; unknown keys are refused"
            }
            Self::Zone { .. } => "write an IANA name such as America/New_York",
            Self::Closed => {
                "list at least one session, such as \
                 monday: [{open: 09:30, close: 16:00, phase: regular}]"
            }
            Self::Sessions { .. } => {
                "write a close after midnight as 1.HH:MM and an open on the day before as -1.HH:MM"
            }
            Self::Coverage { .. } => "write the first covered date, then the last, both included",
        }
    }
}
