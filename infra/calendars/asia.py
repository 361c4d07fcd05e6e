"""Tokyo, Hong Kong, Shanghai, Sydney and Mumbai."""

import json
from datetime import date
from pathlib import Path

from rules import (MON, SAT, SUN, YEARS, Exchange, days, easter, friday_if_weekend, lunar,
                    monday_if_weekend, nth, qingming)
from europe import christmas_with_substitutes

# Holidays that no rule gives, and that were announced year by year, as dates of weekdays.
FACTS = json.loads((Path(__file__).parent / "announced.json").read_text(encoding="utf-8"))


def tse():
    exchange = Exchange(
        "tse",
        "Tokyo Stock Exchange: 09:00 to 11:30 and 12:30 to 15:30 (to 15:00 until November 2024)",
        "Asia/Tokyo",
        [
            "https://www.jpx.co.jp/english/corporate/about-jpx/calendar/ (holidays and year-end)",
            "https://www8.cao.go.jp/chosei/shukujitsu/gaiyou.html (national holidays, their substitutes and "
            "the days between two of them)",
            "JPX: morning to 11:30 since 2011-11-21, close at 15:30 since 2024-11-05, half days of the first "
            "and the last trading day until January 2009, afternoon from 13:00 from 2006-01-19 to 2006-04-21, "
            "system failures of 2005-11-01, 2006-01-18 and 2020-10-01",
        ],
    )
    exchange.hours(("09:00", "11:00"), ("12:30", "15:00"))
    exchange.hours(("09:00", "11:00"), ("13:00", "15:00"), since=date(2006, 1, 19))
    exchange.hours(("09:00", "11:00"), ("12:30", "15:00"), since=date(2006, 4, 24))
    exchange.hours(("09:00", "11:30"), ("12:30", "15:00"), since=date(2011, 11, 21))
    exchange.hours(("09:00", "11:30"), ("12:30", "15:30"), since=date(2024, 11, 5))
    for year in YEARS:
        for day in [1, 2, 3]:
            exchange.closed(date(year, 1, day), "New Year")
        for day, name in japanese_holidays(year).items():
            exchange.closed(day, name)
        exchange.closed(date(year, 12, 31), "New Year's Eve")
    exchange.closed(date(2020, 10, 1), "System failure")
    exchange.opens(date(2005, 11, 1), "13:30", "System failure")
    exchange.closes(date(2006, 1, 18), "14:40", "Limit of the system")
    for year in range(2000, 2010):
        trading = [date(year, 1, day) for day in range(4, 10)]
        trading = [day for day in trading if day.weekday() < SAT and day not in exchange.holidays]
        exchange.closes(trading[0], "11:00", "First trading day")
        if year < 2009:
            exchange.closes(friday_if_weekend(date(year, 12, 30)), "11:00", "Last trading day")
    return exchange


def japanese_holidays(year):
    """National holidays with their substitutes, by the law on holidays as it was in that year."""
    found = {}

    def add(month, day, name):
        found[date(year, month, day)] = name

    leap = (year - 1980) // 4
    add(1, 1, "New Year's Day")
    found[nth(year, 1, MON, 2)] = "Coming of Age Day"
    add(2, 11, "Foundation Day")
    add(3, int(20.8431 + 0.242194 * (year - 1980)) - leap, "Vernal Equinox")
    add(4, 29, "Showa Day" if year >= 2007 else "Greenery Day")
    add(5, 3, "Constitution Day")
    if year >= 2007:
        add(5, 4, "Greenery Day")
    add(5, 5, "Children's Day")
    found[nth(year, 9, MON, 3) if year >= 2003 else date(year, 9, 15)] = "Respect for the Aged Day"
    add(9, int(23.2488 + 0.242194 * (year - 1980)) - leap, "Autumnal Equinox")
    add(11, 3, "Culture Day")
    add(11, 23, "Labour Thanksgiving Day")
    emperors_birthday(year, found)
    summer_holidays(year, found)

    # A holiday on a Sunday is made up for on the next day that is none.
    for day in sorted(found):
        if day.weekday() == SUN:
            substitute = day + days(1)
            while substitute in found:
                substitute += days(1)
            found[substitute] = f"{found[day]} (substitute)"
    # A day between two holidays is one itself.
    for day in sorted(found):
        between = day + days(1)
        if between + days(1) in found and between not in found and between.weekday() != SUN:
            found[between] = "Citizens' Holiday"
    return found


def emperors_birthday(year, found):
    if year <= 2018:
        found[date(year, 12, 23)] = "Emperor's Birthday"
    if year >= 2020:
        found[date(year, 2, 23)] = "Emperor's Birthday"
    if year == 2019:
        found[date(2019, 5, 1)] = "Accession of the Emperor"
        found[date(2019, 10, 22)] = "Enthronement of the Emperor"


def summer_holidays(year, found):
    """The holidays that were moved for the Olympic Games of 2020, also when these were put off."""
    moved = {
        2020: [date(2020, 7, 23), date(2020, 8, 10), date(2020, 7, 24)],
        2021: [date(2021, 7, 22), date(2021, 8, 8), date(2021, 7, 23)],
    }
    usual = [
        nth(year, 7, MON, 3) if year >= 2003 else date(year, 7, 20),
        date(year, 8, 11),
        nth(year, 10, MON, 2),
    ]
    marine, mountain, sports = moved.get(year, usual)
    found[marine] = "Marine Day"
    found[sports] = "Sports Day"
    if year >= 2016:
        found[mountain] = "Mountain Day"


def hkex():
    exchange = Exchange(
        "hkex",
        "Hong Kong Exchanges, securities: 09:30 to 12:00 and 13:00 to 16:00, half days before festivals",
        "Asia/Hong_Kong",
        [
            "https://www.hkex.com.hk/Services/Trading-hours-and-Severe-Weather-Arrangements (hours, half days)",
            "https://www.gov.hk/en/about/abouthk/holiday (general holidays and their substitutes)",
            "Hong Kong Observatory: Gregorian-lunar calendar conversion (lunar festivals)",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0), XHKG: closures by typhoon and one-off holidays",
            "HKEX news: closed 2023-09-01 and 2023-09-08 (severe weather); morning and afternoon since "
            "2011-03-07 and 2012-03-05",
        ],
    )
    exchange.hours(("10:00", "12:30"), ("14:30", "16:00"))
    exchange.hours(("09:30", "12:00"), ("13:30", "16:00"), since=date(2011, 3, 7))
    exchange.hours(("09:30", "12:00"), ("13:00", "16:00"), since=date(2012, 3, 5))
    for year in YEARS:
        hong_kong_year(exchange, year)
    for text, name in FACTS["hkex_closed"].items():
        exchange.closed(date.fromisoformat(text), name)
    for text, opens in FACTS["hkex_late"].items():
        exchange.opens(date.fromisoformat(text), opens, "Severe weather")
    return exchange


def hong_kong_year(exchange, year):
    """General holidays; one on a Sunday, or on another one, moves to the next day that is none."""

    def closed(day, name):
        while day.weekday() == SUN or day in exchange.holidays:
            day += days(1)
        exchange.closed(day, name)

    new_year = lunar(year, 1, 1)
    closed(date(year, 1, 1), "New Year's Day")
    exchange.closed(easter(year) - days(2), "Good Friday")
    exchange.closed(easter(year) + days(1), "Easter Monday")
    first_three = [new_year + days(index) for index in range(3)]
    for day in first_three:
        exchange.closed(day, "Lunar New Year")
    if any(day.weekday() == SUN for day in first_three):
        # Until 2012 the day before made up for a Sunday, since then the fourth day does.
        exchange.closed(new_year + days(3) if year >= 2013 else new_year - days(1), "Lunar New Year")
    closed(qingming(year), "Ching Ming Festival")
    closed(date(year, 5, 1), "Labour Day")
    closed(lunar(year, 4, 8), "Buddha's Birthday")
    closed(lunar(year, 5, 5), "Tuen Ng Festival")
    closed(date(year, 7, 1), "Establishment of the HKSAR")
    closed(date(year, 10, 1), "National Day")
    after_mid_autumn = lunar(year, 8, 15) + days(1)
    if after_mid_autumn.weekday() != SUN or year >= 2022:
        closed(after_mid_autumn, "day after Mid-Autumn Festival")
    closed(lunar(year, 9, 9), "Chung Yeung Festival")
    christmas = date(year, 12, 25)
    exchange.closed(christmas, "Christmas")
    exchange.closed(date(year, 12, 26), "day after Christmas")
    if christmas.weekday() >= SAT:
        exchange.closed(date(year, 12, 27), "Christmas (substitute)")

    # The afternoon is left out before the three feasts.
    noon = "12:30" if year <= 2010 else "12:00"
    exchange.closes(new_year - days(1), "12:00" if year >= 2012 else "12:30", "Lunar New Year's Eve")
    exchange.closes(date(year, 12, 24), noon, "Christmas Eve")
    exchange.closes(date(year, 12, 31), noon, "New Year's Eve")


def sse():
    exchange = Exchange(
        "sse",
        "Shanghai and Shenzhen Stock Exchanges: 09:30 to 11:30 and 13:00 to 15:00",
        "Asia/Shanghai",
        [
            "https://english.sse.com.cn/start/trading/schedule/ (hours, closures by year)",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0), XSHG: dates that the State Council announced, to 2026",
            "Hong Kong Observatory: Gregorian-lunar calendar conversion (projection of 2027 and 2028)",
        ],
    )
    exchange.hours(("09:30", "11:30"), ("13:00", "15:00"))
    for text in FACTS["sse_closed"]:
        day = date.fromisoformat(text)
        exchange.closed(day, chinese_festival(day))
    for year in [2027, 2028]:
        spring = lunar(year, 1, 1)
        stretches = [
            (date(year, 1, 1), 1), (spring - days(1), 8), (monday_if_weekend(qingming(year)), 1),
            (date(year, 5, 1), 5), (monday_if_weekend(lunar(year, 5, 5)), 1),
            (monday_if_weekend(lunar(year, 8, 15)), 1), (date(year, 10, 1), 7),
        ]
        for start, length in stretches:
            for day in range(length):
                exchange.closed(start + days(day), chinese_festival(start + days(day)))
    return exchange


def chinese_festival(day):
    """The festival that an announced closure belongs to, by its season."""
    spring = lunar(day.year, 1, 1)
    if -6 <= (day - spring).days <= 13:
        return "Spring Festival"
    names = {4: "Qingming Festival", 5: "Labour Day", 6: "Dragon Boat Festival", 10: "National Day"}
    if day.month == 9:
        return "Commemoration of the victory" if day.day < 5 else autumn_name(day)
    if day.month == 4 and day.day > 20:
        return "Labour Day"
    if day.month == 5 and day.day > 20:
        return "Dragon Boat Festival"
    return names.get(day.month, "New Year's Day")


def autumn_name(day):
    return "Mid-Autumn Festival" if abs((day - lunar(day.year, 8, 15)).days) <= 3 else "National Day"


def asx():
    exchange = Exchange(
        "asx",
        "Australian Securities Exchange, Sydney: 10:00 to 16:00, half days before Christmas and New Year",
        "Australia/Sydney",
        [
            "https://www.asx.com.au/markets/market-resources/trading-hours-calendar/cash-market-trading-hours/"
            "trading-calendar (rules, half days)",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0), XASX: one-off closures, years of the half days",
        ],
    )
    exchange.hours(("10:00", "16:00"))
    for year in YEARS:
        exchange.closed(monday_if_weekend(date(year, 1, 1)), "New Year's Day")
        exchange.closed(monday_if_weekend(date(year, 1, 26)), "Australia Day")
        exchange.closed(easter(year) - days(2), "Good Friday")
        exchange.closed(easter(year) + days(1), "Easter Monday")
        exchange.closed(date(year, 4, 25), "Anzac Day")
        reign = "King's" if year >= 2023 else "Queen's"
        exchange.closed(nth(year, 6, MON, 2), f"{reign} Birthday")
        christmas_with_substitutes(exchange, year)
        if year >= 2010 and year != 2022:
            exchange.closes(friday_if_weekend(date(year, 12, 24)), "14:10", "before Christmas")
            exchange.closes(friday_if_weekend(date(year, 12, 31)), "14:10", "before New Year")
    exchange.closed(date(2010, 4, 26), "Anzac Day (substitute)")
    exchange.closed(date(2011, 4, 26), "Easter Tuesday")
    exchange.closed(date(2022, 9, 22), "Mourning for Elizabeth II")
    return exchange


def nse():
    exchange = Exchange(
        "nse",
        "National Stock Exchange of India, Mumbai: 09:15 to 15:30, an evening session on Diwali",
        "Asia/Kolkata",
        [
            "https://www.nseindia.com/resources/exchange-communication-holidays (holidays, special sessions)",
            "PyPI exchange_calendars 4.13.2 (Apache-2.0), XBOM, and pandas_market_calendars 5.5.0 (MIT), NSE: "
            "dates that the exchange announced, to 2026; hours before October 2010; Diwali sessions",
            "2027 and 2028: fixed dates, Good Friday, and the usual astronomical dates of the festivals",
        ],
    )
    exchange.hours(("09:55", "15:30"))
    exchange.hours(("09:00", "15:30"), since=date(2010, 1, 4))
    exchange.hours(("09:15", "15:30"), since=date(2010, 10, 18))
    for text in FACTS["nse_closed"]:
        day = date.fromisoformat(text)
        exchange.closed(day, indian_holiday(day))
    for year in [2027, 2028]:
        for month, day in [(1, 26), (4, 14), (5, 1), (8, 15), (10, 2), (12, 25)]:
            exchange.closed(date(year, month, day), indian_holiday(date(year, month, day)))
        exchange.closed(easter(year) - days(2), "Good Friday")
    for text, name in FACTS["nse_projected"].items():
        exchange.closed(date.fromisoformat(text), name)
    for text, (name, *sessions) in FACTS["nse_special"].items():
        exchange.holidays.pop(date.fromisoformat(text), None)
        exchange.special_day(date.fromisoformat(text), name, *sessions)
    return exchange


def indian_holiday(day):
    """Fixed holidays by their date; those of the Hindu and Muslim calendars share one name."""
    fixed = {
        (1, 1): "New Year's Day", (1, 26): "Republic Day", (4, 14): "Ambedkar Jayanti",
        (5, 1): "Maharashtra Day", (8, 15): "Independence Day", (10, 2): "Gandhi Jayanti",
        (12, 25): "Christmas",
    }
    if day == easter(day.year) - days(2):
        return "Good Friday"
    return fixed.get((day.month, day.day), "Religious or public holiday")


EXCHANGES = [tse, hkex, sse, asx, nse]
