//! Calendars that users add to a store.

use market::{Calendar, CalendarError};
use store::{AddCalendarError, Store};

use super::on_every_store;

const DESK: &str = r#"{"name": "desk", "exchange_time_zone": "UTC",
    "sessions": {"monday": [{"open": "10:00", "close": "11:00"}]}}"#;

#[test]
fn a_calendar_is_added_once_and_never_changed() {
    on_every_store(|store| async move {
        let calendars = store.calendars();
        assert_eq!(calendars.add(DESK).await.unwrap().name(), "desk");
        assert_eq!(calendars.add(DESK).await.unwrap().name(), "desk");

        let changed = calendars.add(&DESK.replace("11:00", "12:00")).await;
        assert!(matches!(
            changed,
            Err(AddCalendarError::Calendar(CalendarError::Taken { name })) if name == "desk"
        ));
        calendars.load().await.unwrap();
        assert!(Calendar::named("desk").is_some());
    });
}

#[tokio::test]
async fn a_calendar_that_came_later_is_read_when_a_key_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("file://{}", folder.path().display()))
        .await
        .unwrap();
    let key = "bars/file/stk-xyz/trades-regular-raw-session_close-later/1h".to_owned();

    // Another process writes it; what no key names is not read.
    std::fs::create_dir(folder.path().join("calendars")).unwrap();
    let file = folder.path().join("calendars/later.json");
    std::fs::write(&file, DESK.replace("desk", "later")).unwrap();
    store.calendars().load_for(&[]).await.unwrap();
    assert!(Calendar::named("later").is_none());

    store
        .calendars()
        .load_for(std::slice::from_ref(&key))
        .await
        .unwrap();
    assert!(Calendar::named("later").is_some());
    assert!(key.parse::<market::SeriesKey>().is_ok());

    // An object that is no calendar is named.
    std::fs::write(folder.path().join("calendars/odd.json"), "{}").unwrap();
    let error = store.calendars().load().await.unwrap_err().to_string();
    assert!(error.contains("calendars/odd.json"), "{error}");
}
