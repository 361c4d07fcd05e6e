# Compares the calendar files of strategies/market/data with the package `exchange_calendars`, 2000 to 2026, and prints every
# difference that is not explained below. Exit code 1 if there is one, or if infra/calendars/generate.py would write other files.
#
#   python3 -m venv .deps/calendars && .deps/calendars/bin/pip install exchange_calendars==4.13.2
#   .deps/calendars/bin/python tests/calendars_check.py [NAME ...]
#
# What it proves: New York, London, Xetra, Euronext, Tokyo, Hong Kong, Sydney, Toronto and Sao Paulo are computed by our own
# rules, so agreement is that of two independent sources. The dates of Shanghai and Mumbai were taken from this package and
# from `pandas_market_calendars`; agreement there proves only that the files were written as meant. `fx`, `metals` and the
# Globex calendars have no counterpart of the same kind in it and are left out.
#
# Explained differences (EXPLAINED), each where the package is coarser than what the exchange published:
# - xetra traded until 20:00 from June 2000 to October 2003.
# - tse: first and last trading days ended at 11:00 until January 2009; the morning ended at 11:00 until 2011-11-18; the
#   afternoon began at 13:00 from 2006-01-19 to 2006-04-21; failures of the system on 2005-11-01, 2006-01-18, 2020-10-01 (the
#   package has the last one as an open day).
# - hkex: the package has one lunch break for all years; half days of Lunar New Year's Eve before 2013; mornings lost to
#   typhoons; closed on 2023-09-01 and 2023-09-08.
# - asx: none. tsx: 2001-09-11 traded for an hour.
# - nse: hours before October 2010; Diwali and weekend sessions; closures of 2001 to 2005 that Mumbai's two exchanges did not
#   share; Muharram of 2013 was on the 15th; one session was prolonged on 2021-02-24.
# - b3: Ash Wednesdays before 2016; the close follows that of New York.
import datetime as dt
import json
import pathlib
import subprocess
import sys
import tempfile
import zoneinfo

import exchange_calendars

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT / "strategies/market/data"
FIRST, LAST = dt.date(2000, 1, 1), dt.date(2026, 12, 31)
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
OTHER_NAMES = {
    "us_equities": "XNYS",
    "lse": "XLON",
    "xetra": "XETR",
    "euronext": "XPAR",
    "tse": "XTKS",
    "hkex": "XHKG",
    "sse": "XSHG",
    "asx": "XASX",
    "tsx": "XTSE",
    "nse": "XBOM",
    "b3": "BVMF",
}
# calendar -> what explains a difference: dates, or ranges of dates in which only the hours of open days may differ.
EXPLAINED = {
    "xetra": {"hours": [("2000-06-02", "2003-10-31")]},
    "tse": {
        "hours": [("2000-01-01", "2011-11-18")],
        "dates": ["2020-10-01"],
    },
    "hkex": {
        "hours": [("2000-01-01", "2012-03-02")],
        "dates": ["2012-07-24", "2013-05-22", "2013-09-23", "2014-09-16", "2023-09-01", "2023-09-08"],
    },
    "tsx": {"dates": ["2001-09-11"]},
    "nse": {
        "hours": [("2000-01-01", "2010-10-15")],
        "dates": [
            "2001-01-01", "2001-03-08", "2001-03-21", "2001-06-20", "2001-08-23", "2001-09-10", "2001-11-29", "2002-01-18",
            "2002-01-28", "2002-08-16", "2003-04-10", "2003-10-16", "2004-01-01", "2004-10-12", "2004-10-15", "2005-07-27",
            "2013-11-14", "2013-11-15", "2021-02-24",
        ],
        "special": True,
    },
    "b3": {"hours": [("2000-01-01", "2026-12-31")]},
}


def minutes(text):
    """Minutes of `09:30`, or of `1.00:00`, after the midnight that begins the trading date."""
    day, _, time = text.rpartition(".")
    hours, minute = time.split(":")[:2]
    return int(day or 0) * 1440 + int(hours) * 60 + int(minute)


def our_sessions(calendar, day):
    """Regular sessions of a date in local minutes, by the rules of docs/calendars.md."""
    special = calendar.get("special_sessions", {}).get(str(day))
    if special is not None:
        hours = special["sessions"]
    else:
        if str(day) in calendar["holidays"]:
            return []
        week = calendar["sessions"]
        for change in calendar.get("hours", []):
            if change["from"] <= str(day):
                week = change["sessions"]
        hours = week.get(DAYS[day.weekday()], [])
    sessions = [(minutes(each["open"]), minutes(each["close"])) for each in hours if each.get("phase", "regular") == "regular"]
    if special is None:
        close = calendar.get("early_closes", {}).get(str(day))
        start = calendar.get("late_opens", {}).get(str(day))
        until = minutes(close.split()[0]) if close else 10_000
        since = minutes(start.split()[0]) if start else -10_000
        sessions = [(max(a, since), min(b, until)) for a, b in sessions if max(a, since) < min(b, until)]
    return sessions


def their_sessions(name):
    """Sessions of each date of the package, in local minutes of that date."""
    make = exchange_calendars.calendar_utils._default_calendar_factories[name]
    bounds = [bound and bound.date() for bound in (make.bound_min(), make.bound_max())]
    first, last = max(FIRST, bounds[0] or FIRST), min(LAST, bounds[1] or LAST)
    calendar = make(start=str(first), end=str(last))
    zone = zoneinfo.ZoneInfo(str(calendar.tz))
    sessions = {}
    for day, row in calendar.schedule.iterrows():
        midnight = dt.datetime.combine(day.date(), dt.time())
        stamps = [row["open"], row["break_start"], row["break_end"], row["close"]]
        local = [
            None if stamp != stamp else int((stamp.tz_convert(zone).tz_localize(None) - midnight).total_seconds() // 60)
            for stamp in stamps
        ]
        start, pause, resume, end = local
        sessions[day.date()] = [(start, end)] if pause is None else [(start, pause), (resume, end)]
    return first, last, sessions


def is_explained(name, calendar, day, ours, theirs):
    rule = EXPLAINED.get(name, {})
    if str(day) in rule.get("dates", []):
        return True
    if rule.get("special") and str(day) in calendar.get("special_sessions", {}):
        return True
    is_hours = bool(ours) and bool(theirs)
    return is_hours and any(start <= str(day) <= end for start, end in rule.get("hours", []))


def files_that_differ():
    """Calendar files that the generator would write differently today."""
    with tempfile.TemporaryDirectory() as folder:
        generator = ROOT / "infra/calendars/generate.py"
        subprocess.run([sys.executable, generator, folder], check=True, stdout=subprocess.DEVNULL)
        written = sorted(pathlib.Path(folder).iterdir())
        return [path.name for path in written if path.read_bytes() != (DATA / path.name).read_bytes()]


def main():
    names = sys.argv[1:] or list(OTHER_NAMES)
    differing = files_that_differ()
    for name in differing:
        print(f"{name} is not what infra/calendars/generate.py writes")
    wrong = len(differing)
    for name in names:
        calendar = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
        first, last, other = their_sessions(OTHER_NAMES[name])
        same = explained = 0
        day = first
        while day <= last:
            ours, theirs = our_sessions(calendar, day), other.get(day, [])
            if ours == theirs:
                same += 1
            elif is_explained(name, calendar, day, ours, theirs):
                explained += 1
            else:
                wrong += 1
                print(f"{name} {day}: here {ours}, there {theirs}")
            day += dt.timedelta(days=1)
        print(f"{name}: {first} to {last}, {same} dates alike, {explained} differences explained")
    print(f"{wrong} differences without an explanation, files that differ included")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
