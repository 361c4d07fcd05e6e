//! Markets that trade through the night, with dates that were checked by hand: spot currencies and
//! metals, the futures of CME, and crypto.
//!
//! Sessions are written in UTC as `open-close`, with `-1.` before a time of the day before.

use crate::calendar_sessions::check_dates;

#[test]
fn currencies_trade_from_1700_to_1700_in_new_york() {
    // Trading hours of OANDA and FXCM, with their notices of Christmas and New Year.
    check_dates(
        "fx",
        &[
            ("2024-01-03", "-1.22:00-22:00"),
            ("2024-03-08", "-1.22:00-22:00"),
            ("2024-03-11", "-1.21:00-21:00"),
            ("2024-11-01", "-1.21:00-21:00"),
            ("2024-11-04", "-1.22:00-22:00"),
            ("2024-01-06", "closed"),
            ("2024-01-07", "closed"),
            ("2024-07-04", "-1.21:00-21:00"),
            ("2024-12-25", "closed"),
            ("2024-12-26", "-1.22:00-22:00"),
            ("2025-01-01", "closed"),
            ("2014-12-31", "-1.22:00-19:00"),
            ("2027-01-01", "closed"),
        ],
    );
}

#[test]
fn metals_pause_for_an_hour_before_1800_in_new_york() {
    // Trading hours of spot gold at OANDA and IBKR; cmegroup.com holiday calendar, COMEX.
    check_dates(
        "metals",
        &[
            ("2024-01-03", "-1.23:00-22:00"),
            ("2024-03-08", "-1.23:00-22:00"),
            ("2024-03-11", "-1.22:00-21:00"),
            ("2024-11-01", "-1.22:00-21:00"),
            ("2024-11-04", "-1.23:00-22:00"),
            ("2024-01-06", "closed"),
            ("2024-03-29", "closed"),
            ("2024-04-01", "-1.22:00-21:00"),
            ("2023-04-07", "closed"),
            ("2024-07-04", "-1.22:00-21:00"),
            ("2024-12-25", "closed"),
            ("2024-12-26", "-1.23:00-22:00"),
            ("2025-01-01", "closed"),
        ],
    );
}

#[test]
fn index_futures_trade_as_cme_published() {
    // cmegroup.com holiday calendars, and CME Globex advisories on the changes of hours.
    check_dates(
        "cme_index",
        &[
            ("2024-01-03", "-1.23:00-22:00"),
            ("2024-03-08", "-1.23:00-22:00"),
            ("2024-03-11", "-1.22:00-21:00"),
            ("2024-11-01", "-1.22:00-21:00"),
            ("2024-11-04", "-1.23:00-22:00"),
            ("2024-01-15", "-1.23:00-18:00"),
            ("2024-11-28", "-1.23:00-18:00"),
            ("2024-11-29", "-1.23:00-18:15"),
            ("2024-12-24", "-1.23:00-18:15"),
            ("2024-12-25", "closed"),
            ("2024-03-29", "closed"),
            // The employment report came out on Good Friday.
            ("2023-04-07", "-1.22:00-13:15"),
            ("2025-01-09", "-1.23:00-14:30"),
            ("2020-06-15", "-1.22:00-20:15 20:30-21:00"),
            ("2014-06-16", "-1.22:00-20:15 20:30-21:15"),
            ("2011-06-15", "-1.20:30--1.21:30 -1.22:00-20:15"),
        ],
    );
}

#[test]
fn energy_and_metal_futures_trade_as_cme_published() {
    // cmegroup.com holiday calendars of NYMEX and COMEX, and the advisory on 2015-09-21.
    check_dates(
        "cme_energy_metals",
        &[
            ("2024-01-03", "-1.23:00-22:00"),
            ("2024-03-08", "-1.23:00-22:00"),
            ("2024-03-11", "-1.22:00-21:00"),
            ("2024-11-01", "-1.22:00-21:00"),
            ("2024-11-04", "-1.23:00-22:00"),
            ("2024-05-27", "-1.22:00-18:30"),
            ("2024-11-28", "-1.23:00-19:30"),
            ("2024-11-29", "-1.23:00-19:45"),
            ("2024-12-24", "-1.23:00-18:45"),
            ("2024-12-25", "closed"),
            ("2024-03-29", "closed"),
            ("2019-09-02", "-1.22:00-17:00"),
            ("2015-09-18", "-1.22:00-21:15"),
            ("2015-09-21", "-1.22:00-21:00"),
        ],
    );
}

#[test]
fn crypto_trades_on_every_day_of_utc() {
    let dates = [
        "2012-02-29",
        "2020-01-01",
        "2023-12-25",
        "2024-02-29",
        "2024-03-10",
        "2024-03-31",
        "2024-10-27",
        "2024-11-03",
        "2024-11-28",
        "2024-12-25",
        "2024-12-28",
        "2024-12-31",
    ];

    check_dates("always", &dates.map(|date| (date, "00:00-1.00:00")));
}
