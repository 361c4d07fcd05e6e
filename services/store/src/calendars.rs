//! Calendars that users added: one object per name, which every process of the store reads.
//!
//! A calendar decides when a bar is known, so it never changes under the series that name it: an
//! object is created and never overwritten, and a corrected calendar gets another name.

use market::{Calendar, CalendarError, SeriesKey, SeriesKeyError};

use crate::object::{Created, form_error};
use crate::{Store, StoreError};

/// Folder of all calendars, without the separator.
const FOLDER: &str = "calendars";

/// Calendars by name: the handle that [`Store::calendars`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredCalendars<'a> {
    pub(crate) store: &'a Store,
}

/// Why a calendar cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddCalendarError {
    /// The text is not a calendar, or its name is that of another one.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoredCalendars<'_> {
    /// Stores a calendar under the name in its text, and makes it known to this process. The same
    /// text may be stored again.
    ///
    /// # Errors
    /// A text that is not a calendar, a name that another calendar has, or a store that fails.
    pub async fn add(self, text: &str) -> Result<&'static Calendar, AddCalendarError> {
        // What others added comes first: their names are taken, too.
        self.load().await?;
        let calendar = Calendar::add(text)?;

        let name = calendar.name();
        let key = key_of(name);
        let created = self.store.create(&key, text.to_owned().into()).await?;
        if created == Created::Existed && self.text(&key).await? != text {
            let name = name.to_owned();
            return Err(CalendarError::Taken { name }.into());
        }
        Ok(calendar)
    }

    /// Makes every stored calendar known to this process.
    ///
    /// # Errors
    /// The store fails, or an object is not a calendar.
    pub async fn load(self) -> Result<(), StoreError> {
        for key in self.store.keys(FOLDER).await? {
            let text = self.text(&key).await?;
            let added = Calendar::add(&text);
            added.map_err(|error| form_error(&key, error))?;
        }
        Ok(())
    }

    /// The calendar of this name. The stored ones are read if this process does not know it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn named(self, name: &str) -> Result<Option<&'static Calendar>, StoreError> {
        if Calendar::named(name).is_none() {
            self.load().await?;
        }
        Ok(Calendar::named(name))
    }

    /// Loads the stored calendars if one of the series names a calendar that this process does not
    /// know: it may have been added after the process started. Other texts are left to whoever
    /// reads them.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_for(self, series: &[String]) -> Result<(), StoreError> {
        let mut keys = series.iter().map(|key| key.parse::<SeriesKey>());
        if keys.any(|key| matches!(key, Err(SeriesKeyError::Calendar(_)))) {
            self.load().await?;
        }
        Ok(())
    }

    async fn text(self, key: &str) -> Result<String, StoreError> {
        let bytes = self.store.get(key).await?;
        let bytes = bytes.ok_or_else(|| StoreError::Missing {
            key: key.to_owned(),
        })?;
        String::from_utf8(bytes.to_vec()).map_err(|error| form_error(key, error))
    }
}

fn key_of(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}
