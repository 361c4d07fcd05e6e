#!/usr/bin/env python3
"""Writes the calendar files of `strategies/market/data` from public rules and announced dates.

usage: infra/calendars/generate.py [FOLDER]   (Python 3.9 or later with a tz database, no packages)

The rules are in europe.py, america.py and asia.py; `announced.json` holds the dates that no rule gives,
with their source named in the file that is written. `always.json` and `fx.json` are kept by hand. Run it
again when an exchange publishes a year, move `projected_from`, and read the difference before a commit.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True

import america
import asia
import europe


def main():
    here = Path(__file__).resolve().parent
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here.parents[1] / "strategies/market/data"
    for make in europe.EXCHANGES + america.EXCHANGES + asia.EXCHANGES:
        make().write(folder)


if __name__ == "__main__":
    main()
