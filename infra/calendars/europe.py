"""London, Xetra and Euronext."""

from datetime import date

from rules import MON, YEARS, Exchange, days, easter, friday_if_weekend, last, monday_if_weekend, nth


def christmas_with_substitutes(exchange, year):
    """Christmas and Boxing Day; those on a weekend are observed on the next working days."""
    christmas, boxing = date(year, 12, 25), date(year, 12, 26)
    exchange.closed(christmas, "Christmas")
    exchange.closed(boxing, "Boxing Day")
    # Saturday and Sunday move to Monday and Tuesday, Sunday alone to Tuesday, Saturday alone to Monday.
    substitutes = {5: [27, 28], 6: [27], 4: [28]}.get(christmas.weekday(), [])
    for day in substitutes:
        exchange.closed(date(year, 12, day), "Christmas (substitute)")


def lse():
    exchange = Exchange(
        "lse",
        "London Stock Exchange, SETS: 08:00 to 16:30, half days before Christmas and New Year",
        "Europe/London",
        [
            "https://www.londonstockexchange.com/equities-trading/business-days (rules and half days)",
            "https://www.gov.uk/bank-holidays (bank holidays of England and Wales and their substitutes)",
            "Royal proclamations: 2002-06-03/04, 2011-04-29, 2012-06-04/05, 2020-05-08, 2022-06-02/03, "
            "2022-09-19, 2023-05-08",
        ],
    )
    exchange.hours(("08:00", "16:30"))
    early_may = {2020: date(2020, 5, 8)}
    spring = {2002: date(2002, 6, 4), 2012: date(2012, 6, 4), 2022: date(2022, 6, 2)}
    for year in YEARS:
        exchange.closed(monday_if_weekend(date(year, 1, 1)), "New Year's Day")
        exchange.closed(easter(year) - days(2), "Good Friday")
        exchange.closed(easter(year) + days(1), "Easter Monday")
        exchange.closed(early_may.get(year, nth(year, 5, MON, 1)), "Early May bank holiday")
        exchange.closed(spring.get(year, last(year, 5, MON)), "Spring bank holiday")
        exchange.closed(last(year, 8, MON), "Summer bank holiday")
        christmas_with_substitutes(exchange, year)
        exchange.closes(friday_if_weekend(date(year, 12, 24)), "12:30", "before Christmas")
        exchange.closes(friday_if_weekend(date(year, 12, 31)), "12:30", "before New Year")
    for day, name in [
        (date(2002, 6, 3), "Golden Jubilee"),
        (date(2011, 4, 29), "Royal wedding"),
        (date(2012, 6, 5), "Diamond Jubilee"),
        (date(2022, 6, 3), "Platinum Jubilee"),
        (date(2022, 9, 19), "State funeral of Elizabeth II"),
        (date(2023, 5, 8), "Coronation of Charles III"),
    ]:
        exchange.closed(day, name)
    return exchange


def xetra():
    exchange = Exchange(
        "xetra",
        "Deutsche Börse Xetra, Frankfurt: 09:00 to 17:30, to 20:00 from June 2000 to October 2003",
        "Europe/Berlin",
        [
            "https://www.xetra.com/xetra-en/trading/trading-calendar-and-trading-hours (holidays, last day)",
            "Deutsche Börse, trading hours: to 20:00 from 2000-06-02, to 17:30 again from 2003-11-03",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0): Whit Monday 2007 and 2015 to 2021, German Unity "
            "2014 to 2021, Reformation Day 2017, and the early close of the last day since 2010",
        ],
    )
    exchange.hours(("09:00", "17:30"))
    exchange.hours(("09:00", "20:00"), since=date(2000, 6, 2))
    exchange.hours(("09:00", "17:30"), since=date(2003, 11, 3))
    for year in YEARS:
        exchange.closed(date(year, 1, 1), "New Year's Day")
        exchange.closed(easter(year) - days(2), "Good Friday")
        exchange.closed(easter(year) + days(1), "Easter Monday")
        exchange.closed(date(year, 5, 1), "Labour Day")
        if year == 2007 or 2015 <= year <= 2021:
            exchange.closed(easter(year) + days(50), "Whit Monday")
        if 2014 <= year <= 2021:
            exchange.closed(date(year, 10, 3), "German Unity")
        exchange.closed(date(year, 12, 24), "Christmas Eve")
        exchange.closed(date(year, 12, 25), "Christmas")
        exchange.closed(date(year, 12, 26), "Second day of Christmas")
        exchange.closed(date(year, 12, 31), "New Year's Eve")
        if year >= 2010:
            exchange.closes(friday_if_weekend(date(year, 12, 30)), "14:00", "last trading day")
    exchange.closed(date(2017, 10, 31), "Reformation Day")
    return exchange


def euronext():
    exchange = Exchange(
        "euronext",
        "Euronext Paris, Amsterdam and Brussels (Lisbon at the same instants): 09:00 to 17:30 in Paris",
        "Europe/Paris",
        [
            "https://www.euronext.com/en/trade/trading-hours-holidays (rules and half days)",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0), XPAR: closures of Paris in 2000 and 2001",
        ],
    )
    exchange.hours(("09:00", "17:30"))
    for year in YEARS:
        exchange.closed(date(year, 1, 1), "New Year's Day")
        exchange.closed(easter(year) - days(2), "Good Friday")
        exchange.closed(easter(year) + days(1), "Easter Monday")
        exchange.closed(date(year, 5, 1), "Labour Day")
        exchange.closed(date(year, 12, 25), "Christmas")
        exchange.closed(date(year, 12, 26), "Boxing Day")
        if year <= 2001:
            exchange.closed(easter(year) + days(50), "Whit Monday")
            exchange.closed(date(year, 7, 14), "Bastille Day")
            exchange.closed(date(year, 12, 31), "New Year's Eve")
        exchange.closes(date(year, 12, 24), "14:05", "Christmas Eve")
        exchange.closes(date(year, 12, 31), "14:05", "New Year's Eve")
    return exchange


EXCHANGES = [lse, xetra, euronext]
