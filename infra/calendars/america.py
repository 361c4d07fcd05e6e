"""New York, Toronto, São Paulo, the Globex markets of CME, and spot currencies and metals."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from rules import (LAST_YEAR, MON, SAT, SUN, THU, WEEKDAYS, YEARS, Exchange, days, easter, last,
                    monday_if_weekend, nearest_weekday, nth, session)
from europe import christmas_with_substitutes


def us_holidays(year):
    """The closures of the New York Stock Exchange that follow from its Rule 7.2."""
    new_year = date(year, 1, 1)
    # A New Year's Day on a Saturday is not moved: Friday ends the accounting year.
    yield (new_year if new_year.weekday() == SAT else nearest_weekday(new_year)), "New Year's Day"
    yield nth(year, 1, MON, 3), "Martin Luther King Jr. Day"
    yield nth(year, 2, MON, 3), "Presidents' Day"
    yield easter(year) - days(2), "Good Friday"
    yield last(year, 5, MON), "Memorial Day"
    if year >= 2022:
        yield nearest_weekday(date(year, 6, 19)), "Juneteenth"
    yield nearest_weekday(date(year, 7, 4)), "Independence Day"
    yield nth(year, 9, MON, 1), "Labor Day"
    yield nth(year, 11, THU, 4), "Thanksgiving"
    yield nearest_weekday(date(year, 12, 25)), "Christmas"


def us_half_days(year):
    """Early closes: the eve of Independence Day, the day after Thanksgiving, Christmas Eve."""
    eve = date(year, 7, 3)
    if eve.weekday() <= THU:
        yield eve, "before Independence Day"
    yield nth(year, 11, THU, 4) + days(1), "day after Thanksgiving"
    if date(year, 12, 24).weekday() <= THU:
        yield date(year, 12, 24), "Christmas Eve"


def us_equities():
    exchange = Exchange(
        "us_equities",
        "New York Stock Exchange (NYSE) and Nasdaq: 09:30 to 16:00, with pre-market and post-market 04:00 to 20:00",
        "America/New_York",
        [
            "https://www.nyse.com/markets/hours-calendars (rules, early closes, 2025 to 2027)",
            "https://www.nyse.com/publicdocs/nyse/markets/nyse/rules/nyse_rule_7.2.pdf (holidays)",
            "NYSE special closings: 2001-09-11 to 14, 2004-06-11, 2007-01-02, 2012-10-29/30, 2018-12-05, "
            "2025-01-09; early closes 1999-12-31, 2002-07-05 and 2003-12-26; post-market to 17:00 on early closes",
        ],
        projected_from="2028-01-01",
    )
    exchange.first = date(1998, 1, 1)
    exchange.hours(
        ("04:00", "09:30", "pre_market"), ("09:30", "16:00"), ("16:00", "20:00", "post_market")
    )
    for year in range(1998, LAST_YEAR + 1):
        for day, name in us_holidays(year):
            exchange.closed(day, name)
        for day, name in us_half_days(year):
            us_half_day(exchange, day, name)
    # Half days that the rule does not give, and one that the exchange held two days later.
    del exchange.special[date(2002, 7, 3)]
    us_half_day(exchange, date(1999, 12, 31), "before the year 2000")
    us_half_day(exchange, date(2002, 7, 5), "day after Independence Day")
    us_half_day(exchange, date(2003, 12, 26), "day after Christmas")
    one_off_us(exchange)
    return exchange


def us_half_day(exchange, day, name):
    """Regular hours end at 13:00, post-market at 17:00."""
    pre_market, post_market = ("04:00", "09:30", "pre_market"), ("13:00", "17:00", "post_market")
    exchange.special_day(day, name, pre_market, ("09:30", "13:00"), post_market)


def one_off_us(exchange):
    for day in [11, 12, 13, 14]:
        exchange.closed(date(2001, 9, day), "Attacks of 11 September")
    exchange.closed(date(2004, 6, 11), "Mourning for Ronald Reagan")
    exchange.closed(date(2007, 1, 2), "Mourning for Gerald Ford")
    exchange.closed(date(2012, 10, 29), "Hurricane Sandy")
    exchange.closed(date(2012, 10, 30), "Hurricane Sandy")
    exchange.closed(date(2018, 12, 5), "Mourning for George H. W. Bush")
    exchange.closed(date(2025, 1, 9), "Mourning for Jimmy Carter")


def tsx():
    exchange = Exchange(
        "tsx",
        "Toronto Stock Exchange and TSX Venture: 09:30 to 16:00",
        "America/Toronto",
        [
            "https://www.tsx.com/trading/calendars-and-trading-hours/calendar (rules and early closes)",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0), XTSE: early closes of Christmas Eve since 2010",
        ],
    )
    exchange.hours(("09:30", "16:00"))
    for year in YEARS:
        exchange.closed(monday_if_weekend(date(year, 1, 1)), "New Year's Day")
        if year >= 2008:
            exchange.closed(nth(year, 2, MON, 3), "Family Day")
        exchange.closed(easter(year) - days(2), "Good Friday")
        victoria = date(year, 5, 24)
        exchange.closed(victoria - days(victoria.weekday()), "Victoria Day")
        exchange.closed(monday_if_weekend(date(year, 7, 1)), "Canada Day")
        exchange.closed(nth(year, 8, MON, 1), "Civic Holiday")
        exchange.closed(nth(year, 9, MON, 1), "Labour Day")
        exchange.closed(nth(year, 10, MON, 2), "Thanksgiving")
        christmas_with_substitutes(exchange, year)
        if year >= 2010:
            exchange.closes(date(year, 12, 24), "13:00", "Christmas Eve")
    # Trading stopped at 10:30 on the 11th and did not resume.
    exchange.closes(date(2001, 9, 11), "10:30", "Attacks of 11 September")
    exchange.closed(date(2001, 9, 12), "Attacks of 11 September")
    return exchange


def b3():
    exchange = Exchange(
        "b3",
        "B3 (Bovespa), São Paulo, cash equities: 10:00 to 17:00, to 18:00 while New York closes then",
        "America/Sao_Paulo",
        [
            "https://www.b3.com.br/en_us/solutions/platforms/puma-trading-system/for-members-and-traders/"
            "trading-calendar/holidays/ (rules, Ash Wednesday)",
            "B3 circular letters on trading hours: the close follows that of New York since 2019-11-04",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0), BVMF: years of the city and state holidays",
        ],
    )
    for year in YEARS:
        sunday = easter(year)
        exchange.closed(date(year, 1, 1), "New Year's Day")
        if year <= 2021:
            exchange.closed(date(year, 1, 25), "Anniversary of São Paulo")
            if year != 2020:
                exchange.closed(date(year, 7, 9), "Constitutionalist Revolution")
        exchange.closed(sunday - days(48), "Carnival Monday")
        exchange.closed(sunday - days(47), "Carnival Tuesday")
        exchange.opens(sunday - days(46), "13:00", "Ash Wednesday")
        exchange.closed(sunday - days(2), "Good Friday")
        exchange.closed(date(year, 4, 21), "Tiradentes")
        exchange.closed(date(year, 5, 1), "Labour Day")
        exchange.closed(sunday + days(60), "Corpus Christi")
        exchange.closed(date(year, 9, 7), "Independence Day")
        exchange.closed(date(year, 10, 12), "Our Lady of Aparecida")
        exchange.closed(date(year, 11, 2), "All Souls' Day")
        exchange.closed(date(year, 11, 15), "Proclamation of the Republic")
        if 2004 <= year <= 2019 or year >= 2024:
            exchange.closed(date(year, 11, 20), "Black Awareness Day")
        exchange.closed(date(year, 12, 24), "Christmas Eve")
        exchange.closed(date(year, 12, 25), "Christmas")
        eve = date(year, 12, 31)
        exchange.closed(eve - days({SAT: 1, SUN: 2}.get(eve.weekday(), 0)), "Last business day")
    exchange.closed(date(2014, 6, 12), "Opening of the World Cup")
    b3_hours(exchange)
    return exchange


def b3_hours(exchange):
    """One hour more on the days on which New York closes at 18:00 of São Paulo or later."""
    exchange.hours(("10:00", "17:00"))
    late = False
    day = date(2000, 1, 3)
    while day.year <= LAST_YEAR:
        new_york = datetime(day.year, day.month, day.day, 16, tzinfo=ZoneInfo("America/New_York"))
        closes_late = new_york.astimezone(ZoneInfo("America/Sao_Paulo")).hour >= 18
        if closes_late != late:
            exchange.hours(("10:00", "18:00" if closes_late else "17:00"), since=day)
            late = closes_late
        day += days(7)


# Good Fridays on which the employment report was published, so that index futures traded until 08:15.
REPORT_GOOD_FRIDAYS = {2010, 2012, 2015, 2021, 2023, 2026}
GLOBEX_SOURCES = [
    "https://www.cmegroup.com/tools-information/holiday-calendar.html (Globex holiday schedules)",
    "PyPI pandas_market_calendars 5.5.0 (MIT): early closes by year, hours before 2012",
]


def globex_closed(year):
    """The trading dates without any session: Christmas, New Year and most Good Fridays."""
    christmas = nearest_weekday(date(year, 12, 25))
    yield christmas, "Christmas"
    new_year = date(year, 1, 1)
    if new_year.weekday() != SAT:
        yield nearest_weekday(new_year), "New Year's Day"


def globex_short(year):
    """US holidays on which Globex closes early."""
    closed = {"New Year's Day", "Christmas", "Good Friday"}
    return [(day, name) for day, name in us_holidays(year) if name not in closed]


def globex_week(*evening, day):
    """Sunday evening opens at 17:00 only; on other days `evening` are the sessions before midnight."""
    monday = [session("-1.17:00", day[0][1])] + [session(*each) for each in day[1:]]
    other = [session(*each) for each in evening] + monday
    return {weekday: monday if weekday == "monday" else other for weekday in WEEKDAYS[:5]}


def cme_index():
    exchange = Exchange(
        "cme_index",
        "CME Globex equity index futures (ES, NQ, RTY, YM): Sunday 17:00 to Friday 16:00 in Chicago, "
        "daily break from 16:00",
        "America/Chicago",
        GLOBEX_SOURCES + [
            "CME Globex advisories: close at 16:15 and pause 15:15 to 15:30 from 2012-11-19, close at 16:00 "
            "from 2015-09-21, no pause from 2021-06-28",
        ],
    )
    exchange.week_hours(globex_week(("-1.15:30", "-1.16:30"), day=[("", "15:15")]))
    exchange.week_hours(globex_week(day=[("", "15:15"), ("15:30", "16:15")]), date(2012, 11, 19))
    exchange.week_hours(globex_week(day=[("", "15:15"), ("15:30", "16:00")]), date(2015, 9, 21))
    exchange.week_hours(globex_week(day=[("", "16:00")]), date(2021, 6, 28))
    for year in YEARS:
        for day, name in globex_closed(year):
            exchange.special_day(day, name)
        for day, name in globex_short(year):
            close = "12:00" if day >= date(2014, 5, 26) else "10:30"
            exchange.special_day(day, name, ("-1.17:00", close))
        for day, name in us_half_days(year):
            exchange.special_day(day, name, ("-1.17:00", "12:15"))
        friday = easter(year) - days(2)
        report = [("-1.17:00", "08:15")] if year in REPORT_GOOD_FRIDAYS else []
        exchange.special_day(friday, "Good Friday", *report)
    # New York closed early on another day in 2002; a short day that is not certain is left whole.
    del exchange.special[date(2002, 7, 3)]
    for day in [12, 13, 14]:
        exchange.special_day(date(2001, 9, day), "Attacks of 11 September")
    for day in [date(2018, 12, 5), date(2025, 1, 9)]:
        exchange.special_day(day, "National day of mourning", ("-1.17:00", "08:30"))
    return exchange


def cme_energy_metals():
    exchange = Exchange(
        "cme_energy_metals",
        "CME Globex energy and metal futures of NYMEX and COMEX (CL, NG, GC, SI, HG): Sunday 17:00 to "
        "Friday 16:00 in Chicago, daily break from 16:00",
        "America/Chicago",
        GLOBEX_SOURCES + ["CME Globex advisory: close at 16:00 instead of 16:15 from 2015-09-21"],
    )
    exchange.week_hours(globex_week(day=[("", "16:15")]))
    exchange.week_hours(globex_week(day=[("", "16:00")]), date(2015, 9, 21))
    for year in YEARS:
        for day, name in globex_closed(year):
            exchange.special_day(day, name)
        exchange.special_day(easter(year) - days(2), "Good Friday")
        for day, name in globex_short(year):
            # Since 2022 the shorter day ends an hour and a half later than that of index futures.
            close = "13:30" if year >= 2022 else "12:00"
            exchange.special_day(day, name, ("-1.17:00", close))
        thanksgiving = nth(year, 11, THU, 4)
        close = "13:45" if year >= 2022 else "12:45"
        exchange.special_day(thanksgiving + days(1), "day after Thanksgiving", ("-1.17:00", close))
        if year >= 2019 and date(year, 12, 24).weekday() <= THU:
            exchange.special_day(date(year, 12, 24), "Christmas Eve", ("-1.17:00", "12:45"))
    return exchange


def metals():
    exchange = Exchange(
        "metals",
        "Spot gold, silver, platinum and palladium: Sunday 18:00 to Friday 17:00 in New York, "
        "daily break 17:00 to 18:00",
        "America/New_York",
        [
            "https://www.cmegroup.com/tools-information/holiday-calendar.html (COMEX, which spot follows)",
            "Published trading hours of retail venues (OANDA, IBKR): daily break 17:00 to 18:00 New York",
        ],
    )
    exchange.hours(("-1.18:00", "17:00"))
    for year in YEARS:
        for day, name in [
            (date(year, 1, 1), "New Year's Day"),
            (easter(year) - days(2), "Good Friday"),
            (date(year, 12, 25), "Christmas"),
        ]:
            # A Sunday evening before a closed Monday is part of that trading date.
            if day.weekday() < SAT:
                exchange.special_day(day, name)
    return exchange


EXCHANGES = [us_equities, tsx, b3, cme_index, cme_energy_metals, metals]
