# Makes purged_folds.json: walk-forward folds over rows whose labels reach ahead, as holdout-backtest 0.1.0 and purgedcv 0.1.11 (PyPI) purge them.
#
# usage: python3 purged_folds.py >purged_folds.json     (needs holdout-backtest, purgedcv and numpy)
import json

import numpy
import pandas
from holdout.splits import walk_forward
from purgedcv import purge

ROWS, TRAIN, VALIDATION, FOLDS, TEST = 200, 100, 20, 4, 20
numbers = numpy.random.default_rng(7)


def by_purgedcv(window, following, start, end):
    # Its horizons are half open: a label that is known when the next part begins counts as an overlap here.
    times = [pandas.Series(pandas.to_datetime(values, unit="s")) for values in (start, end + 0.5)]
    return purge(window, following, *times)


def folds_of(start, end, expanding):
    for number in range(FOLDS):
        moved = number * TEST
        first = 0 if expanding else moved
        yield {
            "train": part(numpy.arange(first, TRAIN + moved), VALIDATION, start, end),
            "validation": part(numpy.arange(TRAIN + moved, TRAIN + VALIDATION + moved), TEST, start, end),
        }


def part(window, following, start, end):
    """The rows of a part whose labels do not reach into the next, by both packages."""
    first, last = window[0], window[-1] + 1
    rows = slice(first, last + following)
    splits = walk_forward(last - first + following, train=last - first, test=following, start=start[rows], end=end[rows])
    kept = splits[0].train + first
    assert numpy.array_equal(kept, by_purgedcv(window, numpy.arange(last, last + following), start, end))
    return kept.tolist()


cases = []
for longest in (1, 3, 12, 40):
    start = numpy.cumsum(numbers.integers(1, 5, ROWS)).astype(float)
    end = start + numbers.integers(0, longest * 3, ROWS)
    for growth in ("expanding", "sliding"):
        folds = list(folds_of(start, end, growth == "expanding"))
        cases.append({"growth": growth, "known_at": start.astype(int).tolist(), "label_known_at": end.astype(int).tolist(), "folds": folds})
print(json.dumps(cases))
