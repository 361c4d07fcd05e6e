"""Public rules that the calendars of several exchanges share, and how a calendar file is written."""

import json
from datetime import date, timedelta

FIRST_YEAR = 2000
LAST_YEAR = 2028
YEARS = range(FIRST_YEAR, LAST_YEAR + 1)
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
LINE_LENGTH = 150

# Chinese lunar years 2000 to 2028, as the Hong Kong Observatory publishes them: the sixteen bits of a
# year are twelve months (1: 30 days, 0: 29 days) and the number of the month that is doubled; a leap
# month has 30 days where the bit above them is set.
LUNAR_YEARS = [
    0x0C960, 0x0D954, 0x0D4A0, 0x0DA50, 0x07552, 0x056A0, 0x0ABB7, 0x025D0, 0x092D0, 0x0CAB5,
    0x0A950, 0x0B4A0, 0x0BAA4, 0x0AD50, 0x055D9, 0x04BA0, 0x0A5B0, 0x15176, 0x052B0, 0x0A930,
    0x07954, 0x06AA0, 0x0AD50, 0x05B52, 0x04B60, 0x0A6E6, 0x0A4E0, 0x0D260, 0x0EA65,
]
FIRST_LUNAR_NEW_YEAR = date(2000, 2, 5)


def easter(year):
    """Easter Sunday by the Gregorian computus (Meeus, Jones, Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    l = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, day + 1)


def days(count):
    return timedelta(days=count)


def nth(year, month, weekday, count):
    """The count-th weekday of a month."""
    first = date(year, month, 1)
    return first + days((weekday - first.weekday()) % 7 + 7 * (count - 1))


def last(year, month, weekday):
    """The last weekday of a month."""
    end = date(year + month // 12, month % 12 + 1, 1) - days(1)
    return end - days((end.weekday() - weekday) % 7)


def monday_if_weekend(day):
    """The day, or the Monday after the weekend on which it falls."""
    return day + days({SAT: 2, SUN: 1}.get(day.weekday(), 0))


def nearest_weekday(day):
    """Saturday is observed on Friday, Sunday on Monday."""
    return day + days({SAT: -1, SUN: 1}.get(day.weekday(), 0))


def friday_if_weekend(day):
    """The day, or the Friday before the weekend on which it falls."""
    return day - days({SAT: 1, SUN: 2}.get(day.weekday(), 0))


def lunar(year, month, day):
    """A date of the Chinese calendar; leap months are counted but not named."""
    new_year = FIRST_LUNAR_NEW_YEAR
    for each in range(FIRST_YEAR, year):
        new_year += days(sum(lunar_months(each)))
    bits = LUNAR_YEARS[year - FIRST_YEAR]
    leap = bits & 0xF
    passed = month - 1 + (1 if leap and leap < month else 0)
    return new_year + days(sum(lunar_months(year)[:passed]) + day - 1)


def lunar_months(year):
    """Days of each month of a lunar year, the leap month after the one that it repeats."""
    bits = LUNAR_YEARS[year - FIRST_YEAR]
    months = [30 if bits & (0x8000 >> index) else 29 for index in range(12)]
    leap = bits & 0xF
    if leap:
        months.insert(leap, 30 if bits & 0x10000 else 29)
    return months


def qingming(year):
    """The day on which the sun reaches 15 degrees, by the usual formula of this century."""
    return date(year, 4, int((year - 2000) * 0.2422 + 4.81) - (year - 2000) // 4)


class Exchange:
    """One calendar while it is filled; `write` makes its file."""

    def __init__(self, name, description, zone, sources, projected_from="2027-01-01"):
        self.head = {"name": name, "description": description, "exchange_time_zone": zone}
        self.sources = sources
        self.projected_from = projected_from
        self.first = date(FIRST_YEAR, 1, 1)
        self.week = {}
        self.changes = []
        self.holidays, self.early, self.late, self.special = {}, {}, {}, {}

    def hours(self, *sessions, weekdays=WEEKDAYS[:5], since=None):
        """Weekly hours, always or since a date: ('09:00', '11:30'), …"""
        week = {weekday: [session(*each) for each in sessions] for weekday in weekdays}
        self.week_hours(week, since)

    def week_hours(self, week, since=None):
        if since is None:
            self.week = week
        else:
            self.changes.append((since, week))

    def closed(self, day, name):
        """A closed date; the name given first stays. Dates without trading anyhow are left out."""
        if day.weekday() < SAT and self.first <= day <= date(LAST_YEAR, 12, 31):
            self.holidays.setdefault(day, name)

    def closes(self, day, time, name):
        if day.weekday() < SAT:
            self.early[day] = f"{time} {name}".strip()

    def opens(self, day, time, name):
        if day.weekday() < SAT:
            self.late[day] = f"{time} {name}".strip()

    def special_day(self, day, name, *sessions):
        self.special[day] = {"name": name, "sessions": [session(*each) for each in sessions]}

    def write(self, folder):
        for day in self.holidays:
            self.early.pop(day, None)
            self.late.pop(day, None)
        for day in set(self.special) & set(self.holidays):
            del self.special[day]
        lines = [f" {dump(key)}: {dump(value)}" for key, value in self.head.items()]
        lines.append(f' "sources": [\n  ' + ",\n  ".join(map(dump, self.sources)) + "\n ]")
        covers = {"first": str(self.first), "last": f"{LAST_YEAR}-12-31"}
        lines.append(f' "covers": {dump(covers)}')
        lines.append(f' "projected_from": {dump(self.projected_from)}')
        lines.append(f' "sessions": {{\n{week_lines(self.week, "  ")}\n }}')
        if self.changes:
            changes = [
                f'  {{"from": "{since}", "sessions": {{\n{week_lines(week, "   ")}\n  }}}}'
                for since, week in self.changes
            ]
            lines.append(' "hours": [\n' + ",\n".join(changes) + "\n ]")
        parts = {"holidays": self.holidays, "early_closes": self.early, "late_opens": self.late}
        for key, dates in (parts | {"special_sessions": self.special}).items():
            if dates:
                lines.append(f' "{key}": {{\n{date_lines(dates)}\n }}')
        path = folder / f"{self.head['name']}.json"
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(f"{path.name}: {len(self.holidays)} closed, {len(self.early)} early closes, "
              f"{len(self.late)} late opens, {len(self.special)} special dates")


def session(start, end, phase="regular"):
    return {"open": start, "close": end, "phase": phase}


def dump(value):
    return json.dumps(value, ensure_ascii=False)


def week_lines(week, indent):
    return ",\n".join(f"{indent}{dump(day)}: {dump(sessions)}" for day, sessions in week.items())


def date_lines(dates):
    """Each year begins a line; a line is filled up to its length."""
    lines, year = [], None
    for day in sorted(dates):
        entry = f"{dump(str(day))}: {dump(dates[day])}"
        if day.year != year or len(lines[-1]) + len(entry) > LINE_LENGTH:
            lines.append(entry)
            year = day.year
        else:
            lines[-1] += f", {entry}"
    return ",\n".join(f"  {line}" for line in lines)
