//! Dates of each exchange that were checked by hand against what it published: holidays, early
//! closes, lunch, changes of hours, and both changes of the clock.
//!
//! Sessions are written in UTC as `open-close`, with `-1.` before a time of the day before.

use crate::calendar_sessions::check_dates;

#[test]
fn new_york_trades_as_the_exchange_published() {
    // nyse.com/markets/hours-calendars, NYSE Rule 7.2, and the exchange's list of special closings.
    check_dates(
        "us_equities",
        &[
            ("2024-01-02", "14:30-21:00"),
            ("2024-03-08", "14:30-21:00"),
            ("2024-03-11", "13:30-20:00"),
            ("2024-11-01", "13:30-20:00"),
            ("2024-11-04", "14:30-21:00"),
            ("2024-03-29", "closed"),
            ("2024-07-03", "13:30-17:00"),
            ("2024-11-29", "14:30-18:00"),
            ("2024-06-19", "closed"),
            // Juneteenth was not yet a holiday, and a New Year's Day on a Saturday is not moved.
            ("2021-06-18", "13:30-20:00"),
            ("2021-12-31", "14:30-21:00"),
            ("2001-09-11", "closed"),
            ("2012-10-29", "closed"),
            ("2018-12-05", "closed"),
            ("2025-01-09", "closed"),
        ],
    );
}

#[test]
fn extended_hours_of_new_york_end_at_1700_on_half_days() {
    // nyse.com/markets/hours-calendars: early trading from 04:00, late trading to 20:00 or, after an
    // early close, to 17:00.
    check_dates(
        "us_equities_extended",
        &[
            ("2024-01-02", "09:00-1.01:00"),
            ("2024-03-08", "09:00-1.01:00"),
            ("2024-03-11", "08:00-1.00:00"),
            ("2024-11-01", "08:00-1.00:00"),
            ("2024-11-04", "09:00-1.01:00"),
            ("2024-03-29", "closed"),
            ("2024-07-03", "08:00-21:00"),
            ("2024-11-29", "09:00-22:00"),
            ("2024-12-24", "09:00-22:00"),
            ("2024-12-25", "closed"),
            ("2025-01-09", "closed"),
            ("2024-07-06", "closed"),
        ],
    );
}

#[test]
fn toronto_trades_as_the_exchange_published() {
    // tsx.com/trading/calendars-and-trading-hours/calendar.
    check_dates(
        "tsx",
        &[
            ("2024-01-02", "14:30-21:00"),
            ("2024-03-11", "13:30-20:00"),
            ("2024-11-04", "14:30-21:00"),
            ("2024-02-19", "closed"),
            ("2024-03-29", "closed"),
            ("2024-05-20", "closed"),
            ("2024-07-01", "closed"),
            ("2024-07-04", "13:30-20:00"),
            ("2024-08-05", "closed"),
            ("2024-10-14", "closed"),
            ("2024-11-28", "14:30-21:00"),
            ("2024-12-24", "14:30-18:00"),
            ("2024-12-26", "closed"),
            // Christmas on a Sunday: Monday is Boxing Day, Tuesday makes up for Christmas.
            ("2022-12-27", "closed"),
            ("2001-09-11", "13:30-14:30"),
            ("2001-09-12", "closed"),
        ],
    );
}

#[test]
fn sao_paulo_trades_as_the_exchange_published() {
    // b3.com.br, trading calendar, and the circular letters on trading hours of 2019 to 2024.
    check_dates(
        "b3",
        &[
            ("2024-01-02", "13:00-21:00"),
            // Brazil keeps its clock; the close follows that of New York.
            ("2024-03-08", "13:00-21:00"),
            ("2024-03-11", "13:00-20:00"),
            ("2024-11-01", "13:00-20:00"),
            ("2024-11-04", "13:00-21:00"),
            ("2024-02-12", "closed"),
            ("2024-02-13", "closed"),
            ("2024-02-14", "16:00-21:00"),
            ("2024-05-30", "closed"),
            ("2024-11-20", "closed"),
            ("2023-11-20", "13:00-21:00"),
            ("2024-12-24", "closed"),
            ("2024-12-31", "closed"),
            ("2021-01-25", "closed"),
            ("2022-01-25", "13:00-21:00"),
            ("2014-06-12", "closed"),
        ],
    );
}

#[test]
fn london_trades_as_the_exchange_published() {
    // londonstockexchange.com, business days; gov.uk/bank-holidays.
    check_dates(
        "lse",
        &[
            ("2024-01-02", "08:00-16:30"),
            ("2024-03-28", "08:00-16:30"),
            ("2024-03-29", "closed"),
            ("2024-04-01", "closed"),
            ("2024-04-02", "07:00-15:30"),
            ("2024-10-25", "07:00-15:30"),
            ("2024-10-28", "08:00-16:30"),
            ("2024-12-24", "08:00-12:30"),
            ("2024-12-26", "closed"),
            ("2024-12-31", "08:00-12:30"),
            ("2020-05-04", "07:00-15:30"),
            ("2020-05-08", "closed"),
            ("2022-06-02", "closed"),
            ("2022-09-19", "closed"),
            ("2023-05-08", "closed"),
            // Christmas on a Saturday: Monday and Tuesday make up.
            ("2021-12-28", "closed"),
        ],
    );
}

#[test]
fn xetra_trades_as_the_exchange_published() {
    // xetra.com, trading calendar; Deutsche Börse on trading hours, 2000-06-02 and 2003-11-03.
    check_dates(
        "xetra",
        &[
            ("2024-01-02", "08:00-16:30"),
            ("2024-04-02", "07:00-15:30"),
            ("2024-10-25", "07:00-15:30"),
            ("2024-10-28", "08:00-16:30"),
            ("2024-05-01", "closed"),
            ("2024-12-24", "closed"),
            ("2024-12-30", "08:00-13:00"),
            ("2024-12-31", "closed"),
            ("2019-10-03", "closed"),
            ("2024-10-03", "07:00-15:30"),
            ("2021-05-24", "closed"),
            ("2022-06-06", "07:00-15:30"),
            ("2017-10-31", "closed"),
            ("2001-03-01", "08:00-19:00"),
            ("2003-10-31", "08:00-19:00"),
            ("2003-11-03", "08:00-16:30"),
        ],
    );
}

#[test]
fn euronext_trades_as_the_exchange_published() {
    // euronext.com/en/trade/trading-hours-holidays.
    check_dates(
        "euronext",
        &[
            ("2024-01-02", "08:00-16:30"),
            ("2024-03-28", "08:00-16:30"),
            ("2024-03-29", "closed"),
            ("2024-04-01", "closed"),
            ("2024-04-02", "07:00-15:30"),
            ("2024-05-01", "closed"),
            ("2024-05-20", "07:00-15:30"),
            ("2023-07-14", "07:00-15:30"),
            ("2000-07-14", "closed"),
            ("2024-10-28", "08:00-16:30"),
            ("2024-12-24", "08:00-13:05"),
            ("2024-12-25", "closed"),
            ("2024-12-26", "closed"),
            ("2024-12-31", "08:00-13:05"),
        ],
    );
}

#[test]
fn tokyo_trades_as_the_exchange_published() {
    // jpx.co.jp, calendar and trading hours; cao.go.jp, national holidays.
    check_dates(
        "tse",
        &[
            ("2024-01-04", "00:00-02:30 03:30-06:00"),
            ("2024-07-01", "00:00-02:30 03:30-06:00"),
            ("2024-11-01", "00:00-02:30 03:30-06:00"),
            ("2024-11-04", "closed"),
            ("2024-11-05", "00:00-02:30 03:30-06:30"),
            ("2024-12-31", "closed"),
            ("2025-01-03", "closed"),
            ("2011-11-18", "00:00-02:00 03:30-06:00"),
            ("2011-11-21", "00:00-02:30 03:30-06:00"),
            ("2008-12-30", "00:00-02:00"),
            ("2009-12-30", "00:00-02:00 03:30-06:00"),
            ("2015-09-22", "closed"),
            ("2019-04-30", "closed"),
            ("2020-07-24", "closed"),
            ("2020-10-01", "closed"),
            ("2021-08-09", "closed"),
        ],
    );
}

#[test]
fn hong_kong_trades_as_the_exchange_published() {
    // hkex.com.hk, trading hours and severe weather; gov.hk/en/about/abouthk/holiday.
    check_dates(
        "hkex",
        &[
            ("2024-01-02", "01:30-04:00 05:00-08:00"),
            ("2024-02-09", "01:30-04:00"),
            // The second day of the year was a Sunday, for which the fourth makes up.
            ("2024-02-13", "closed"),
            ("2024-02-14", "01:30-04:00 05:00-08:00"),
            ("2024-04-04", "closed"),
            ("2024-09-06", "closed"),
            ("2024-10-11", "closed"),
            ("2024-12-24", "01:30-04:00"),
            ("2024-12-26", "closed"),
            ("2023-09-01", "closed"),
            ("2022-09-12", "closed"),
            ("2011-03-04", "02:00-04:30 06:30-08:00"),
            ("2011-03-07", "01:30-04:00 05:30-08:00"),
            ("2012-03-05", "01:30-04:00 05:00-08:00"),
            ("2014-09-16", "05:00-08:00"),
        ],
    );
}

#[test]
fn shanghai_trades_as_the_exchange_published() {
    // english.sse.com.cn, trading schedule of each year.
    check_dates(
        "sse",
        &[
            ("2024-01-02", "01:30-03:30 05:00-07:00"),
            ("2024-02-09", "closed"),
            ("2024-02-19", "01:30-03:30 05:00-07:00"),
            ("2024-04-05", "closed"),
            ("2024-05-01", "closed"),
            ("2024-05-06", "01:30-03:30 05:00-07:00"),
            ("2024-06-10", "closed"),
            ("2024-09-17", "closed"),
            ("2024-10-07", "closed"),
            ("2024-10-08", "01:30-03:30 05:00-07:00"),
            ("2025-01-28", "closed"),
            ("2015-09-03", "closed"),
            // The Spring Festival of 2020 was prolonged.
            ("2020-01-31", "closed"),
            ("2020-02-03", "01:30-03:30 05:00-07:00"),
        ],
    );
}

#[test]
fn sydney_trades_as_the_exchange_published() {
    // asx.com.au, cash market trading calendar. The clock changed on 2024-04-07 and 2024-10-06.
    check_dates(
        "asx",
        &[
            ("2024-01-02", "-1.23:00-05:00"),
            ("2024-04-05", "-1.23:00-05:00"),
            ("2024-04-08", "00:00-06:00"),
            ("2024-10-04", "00:00-06:00"),
            ("2024-10-07", "-1.23:00-05:00"),
            ("2024-01-26", "closed"),
            ("2024-04-01", "closed"),
            ("2024-04-25", "closed"),
            ("2024-06-10", "closed"),
            ("2024-12-24", "-1.23:00-03:10"),
            ("2024-12-26", "closed"),
            ("2022-09-22", "closed"),
            ("2022-12-23", "-1.23:00-05:00"),
            ("2021-04-26", "00:00-06:00"),
            ("2011-04-26", "closed"),
        ],
    );
}

#[test]
fn mumbai_trades_as_the_exchange_published() {
    // nseindia.com, holidays and circulars on special sessions.
    check_dates(
        "nse",
        &[
            ("2024-01-01", "03:45-10:00"),
            ("2024-07-01", "03:45-10:00"),
            ("2024-01-20", "03:45-10:00"),
            ("2024-01-22", "closed"),
            ("2024-01-26", "closed"),
            ("2024-03-25", "closed"),
            ("2024-03-29", "closed"),
            ("2024-08-15", "closed"),
            ("2024-11-01", "12:30-13:30"),
            ("2023-11-12", "12:45-13:45"),
            ("2025-02-01", "03:45-10:00"),
            ("2013-11-15", "closed"),
            ("2009-06-01", "04:25-10:00"),
            ("2010-10-15", "03:30-10:00"),
            ("2010-10-18", "03:45-10:00"),
        ],
    );
}
