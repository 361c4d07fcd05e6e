//! The calendars that have a name: those built in, and those that a process added at its start.
//!
//! A name is all that the key of a series keeps of its calendar, so every process that reads the
//! series must know the calendar by it. A name that a process does not know is refused where the
//! key is read, and never replaced by another calendar.

use std::fmt;
use std::sync::{OnceLock, RwLock};

use crate::calendar::Calendar;
use crate::calendar_file::CalendarError;
use crate::instrument::AssetClass;
use crate::series::{SeriesKey, Session};

/// Ending of the name of a calendar with pre-market and post-market hours.
const EXTENDED: &str = "_extended";

/// A calendar that is compiled in, read when it is first asked for.
struct BuiltIn {
    name: &'static str,
    text: &'static str,
    calendars: OnceLock<NamedCalendar>,
}

/// One market with its regular and its extended hours.
struct NamedCalendar {
    regular: Calendar,
    extended: Calendar,
    /// The file it was read from, by which a second addition of the same one is recognised.
    text: String,
}

macro_rules! built_in {
    ($($name:literal,)+) => {
        [$(BuiltIn {
            name: $name,
            text: include_str!(concat!("../data/", $name, ".json")),
            calendars: OnceLock::new(),
        }),+]
    };
}

static BUILT_IN: [BuiltIn; 17] = built_in![
    "us_equities",
    "fx",
    "metals",
    "cme_index",
    "cme_energy_metals",
    "lse",
    "xetra",
    "euronext",
    "tse",
    "hkex",
    "sse",
    "asx",
    "tsx",
    "nse",
    "b3",
    "weekdays",
    "always",
];

/// What this process added. Few, and never taken away: a key may hold on to each.
static ADDED: RwLock<Vec<&'static NamedCalendar>> = RwLock::new(Vec::new());

impl BuiltIn {
    fn calendars(&'static self) -> &'static NamedCalendar {
        self.calendars.get_or_init(|| read_built_in(self.text))
    }
}

impl NamedCalendar {
    fn read(text: &str) -> Result<Self, CalendarError> {
        let regular = Calendar::from_json(text)?;
        let extended = regular.with_hours(Session::Extended);
        Ok(Self {
            regular,
            extended,
            text: text.to_owned(),
        })
    }

    /// The hours that a series with these sessions has; a market without extended hours has one
    /// calendar only.
    fn with_hours(&self, hours: Session) -> &Calendar {
        if hours == Session::Extended && self.regular.has_extended_hours() {
            &self.extended
        } else {
            &self.regular
        }
    }
}

#[expect(
    clippy::panic,
    reason = "the text is compiled in, and a test reads every built-in calendar"
)]
fn read_built_in(text: &str) -> NamedCalendar {
    NamedCalendar::read(text).unwrap_or_else(|error| panic!("built-in calendar: {error:?}"))
}

fn find_calendars(name: &str) -> Option<&'static NamedCalendar> {
    let built_in = BUILT_IN.iter().find(|built_in| built_in.name == name);
    built_in.map(BuiltIn::calendars).or_else(|| {
        let added = ADDED.read().ok()?;
        let mut calendars = added.iter().copied();
        calendars.find(|added| added.regular.name() == name)
    })
}

impl Calendar {
    /// The calendar of this name; `us_equities_extended` is `us_equities` with pre-market and
    /// post-market hours.
    pub fn named(name: &str) -> Option<&'static Self> {
        if let Some(calendars) = find_calendars(name) {
            return Some(&calendars.regular);
        }
        let calendars = find_calendars(name.strip_suffix(EXTENDED)?)?;
        let extended = calendars.with_hours(Session::Extended);
        (extended.name() == name).then_some(extended)
    }

    /// Every calendar that has a name: those built in, then those added, in order of addition.
    pub fn all() -> Vec<&'static Self> {
        let added = ADDED
            .read()
            .map_or_else(|_| Vec::new(), |added| added.clone());
        let calendars = BUILT_IN.iter().map(BuiltIn::calendars).chain(added);
        calendars
            .flat_map(|each| {
                let extended = each.with_hours(Session::Extended);
                let is_another = extended.name() != each.regular.name();
                std::iter::once(&each.regular).chain(is_another.then_some(extended))
            })
            .collect()
    }

    /// Reads a calendar and gives it its name in this process, for good. The same text may be added
    /// again.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json); or a name that another calendar has.
    pub fn add(text: &str) -> Result<&'static Self, CalendarError> {
        let calendars = NamedCalendar::read(text)?;
        let name = calendars.regular.name().to_owned();
        let taken = || CalendarError::Taken { name: name.clone() };
        if BUILT_IN.iter().any(|built_in| built_in.name == name) {
            return Err(taken());
        }

        // Under one lock, so that two callers cannot both find the name free.
        let mut added = ADDED.write().map_err(|_| taken())?;
        match added.iter().find(|each| each.regular.name() == name) {
            Some(same) if same.text == text => Ok(&same.regular),
            Some(_) => Err(taken()),
            None => {
                // Keys of series hold its name from now on, so it is never freed.
                let calendars: &'static NamedCalendar = Box::leak(Box::new(calendars));
                added.push(calendars);
                Ok(&calendars.regular)
            }
        }
    }

    /// The regular hours of a class: US equities for shares, funds and indices, the New York weeks
    /// for currencies and metals, every hour for crypto and for futures.
    pub fn for_class(class: AssetClass) -> &'static Self {
        of_class(class, Session::Regular)
    }

    /// The calendar of a series: the one that its key names, else that of its instrument; with
    /// pre-market and post-market if the series has them.
    pub fn for_key(key: &SeriesKey) -> &'static Self {
        let name = key.calendar().map_or_else(
            || key.instrument.calendar_name(),
            |calendar| calendar.as_str(),
        );
        let calendars = find_calendars(name).map(|calendars| calendars.with_hours(key.session));
        calendars
            .or_else(|| Self::named(name))
            .unwrap_or_else(|| of_class(key.instrument.class(), key.session))
    }
}

/// Every class has a calendar of its own, also where no exchange is known.
fn of_class(class: AssetClass, hours: Session) -> &'static Calendar {
    let [us_equities, fx, metals, .., always] = &BUILT_IN;
    let built_in = match class {
        AssetClass::Stock | AssetClass::Fund | AssetClass::Index => us_equities,
        AssetClass::Fx => fx,
        AssetClass::Metal => metals,
        AssetClass::Future | AssetClass::Crypto | AssetClass::Perpetual => always,
    };
    built_in.calendars().with_hours(hours)
}

/// Name of a calendar that this process knows; it is written into the key of a series whose
/// instrument would have another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarName(&'static str);

impl CalendarName {
    /// The name of a market without its hours: a series says those by its session.
    pub(crate) fn of(calendar: &'static Calendar) -> Self {
        let name = calendar.name();
        Self(name.strip_suffix(EXTENDED).unwrap_or(name))
    }

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for CalendarName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}
