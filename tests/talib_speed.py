# Times every indicator type that TA-Lib has too, ours and TA-Lib's in turn, on one million bars of a seeded random walk.
#
#   python3 -m venv .deps/talib && .deps/talib/bin/pip install TA-Lib numpy
#   .deps/talib/bin/python tests/talib_speed.py [--starts 5] [--rounds 7] [--rows 1000000] [type ...]
#
# TA-Lib is the C library inside its wheel, called with output arrays that exist already; ours is `cargo bench -p strategies
# --bench speed`, which is sent one type at a time and computes into columns that exist already. One thread, the same bars
# on both sides, in turn and on one processor so that both meet the same noise. A figure is the median of the rounds in
# nanoseconds a row. The shortest formulas take as long as the memory does, which depends on where in it the columns lie; so
# there are several starts, each with memory of its own. Where ours has several outputs, TA-Lib's figure is the sum of the
# calls that give them.
import argparse
import ctypes
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import talib

SMA = 0
# type -> calls of (function, inputs, options, number of outputs); the parameters are our defaults.
CALLS = {
    "sma": [("SMA", "c", [20], 1)],
    "ema": [("EMA", "c", [20], 1)],
    "wma": [("WMA", "c", [20], 1)],
    "dema": [("DEMA", "c", [20], 1)],
    "tema": [("TEMA", "c", [20], 1)],
    "kama": [("KAMA", "c", [10], 1)],
    "trix": [("TRIX", "c", [15], 1)],
    "rsi": [("RSI", "c", [14], 1)],
    "roc": [("ROC", "c", [10], 1)],
    "momentum": [("MOM", "c", [10], 1)],
    "macd": [("MACD", "c", [12, 26, 9], 3)],
    "bollingerbands": [("BBANDS", "c", [20, 2.0, 2.0, SMA], 3)],
    "stddev": [("STDDEV", "c", [20, 1.0], 1)],
    "linearregslope": [("LINEARREG_SLOPE", "c", [14], 1)],
    "cci": [("CCI", "hlc", [20], 1)],
    "williamsr": [("WILLR", "hlc", [14], 1)],
    "stochastic": [("STOCH", "hlc", [14, 3, SMA, 3, SMA], 2)],
    "aroon": [("AROON", "hl", [14], 2), ("AROONOSC", "hl", [14], 1)],
    "atr": [("ATR", "hlc", [14], 1)],
    "natr": [("NATR", "hlc", [14], 1)],
    "truerange": [("TRANGE", "hlc", [], 1)],
    "adx": [("ADX", "hlc", [14], 1), ("PLUS_DI", "hlc", [14], 1), ("MINUS_DI", "hlc", [14], 1)],
    "parabolicsar": [("SAR", "hl", [0.02, 0.2], 1)],
    "ultosc": [("ULTOSC", "hlc", [7, 14, 28], 1)],
    "donchianchannels": [("MAX", "h", [20], 1), ("MIN", "l", [20], 1), ("MIDPRICE", "hl", [20], 1)],
    "obv": [("OBV", "cv", [], 1)],
    "mfi": [("MFI", "hlcv", [14], 1)],
    # Of our six outputs these are the four that TA-Lib can give: the line, its rate of change, momentum and mean.
    "adline": [("AD", "hlcv", [], 1), ("ROC", "a", [10], 1), ("MOM", "a", [21], 1), ("SMA", "a", [50], 1)],
}


def random_walk(rows):
    generator = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.002, rows)))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(generator.normal(0.0, 0.0005, rows))
    spread = np.abs(generator.normal(0.0, 0.001, (2, rows)))
    bars = {"o": open_, "h": np.maximum(open_, close) * (1.0 + spread[0]), "l": np.minimum(open_, close) * (1.0 - spread[1])}
    bars |= {"c": close, "v": np.floor(generator.lognormal(10.0, 1.0, rows))}
    return bars


class TaLib:
    def __init__(self, bars):
        folder = os.path.join(os.path.dirname(os.path.dirname(talib.__file__)), "ta_lib.libs")
        self.library = ctypes.CDLL(glob.glob(os.path.join(folder, "libta-lib*.so*"))[0])
        self.library.TA_Initialize()
        self.rows = len(bars["c"])
        self.outputs = [np.zeros(self.rows) for _ in range(4)]
        self.arrays = dict(bars, a=talib.AD(bars["h"], bars["l"], bars["c"], bars["v"]))

    def call(self, outputs, function, inputs, options):
        pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)
        begin, count = ctypes.c_int(), ctypes.c_int()
        arguments = [ctypes.c_int(0), ctypes.c_int(self.rows - 1)]
        arguments += [pointer(self.arrays[name]) for name in inputs]
        arguments += [ctypes.c_double(each) if isinstance(each, float) else ctypes.c_int(each) for each in options]
        arguments += [ctypes.byref(begin), ctypes.byref(count)]
        arguments += [pointer(array) for array in outputs]
        run = self.library[f"TA_{function}"]
        start = time.perf_counter_ns()
        status = run(*arguments)
        elapsed = time.perf_counter_ns() - start
        if status != 0:
            sys.exit(f"TA_{function} gave {status}")
        return elapsed

    def time(self, name):
        elapsed, used = 0, 0
        for *call, outputs in CALLS[name]:
            elapsed += self.call(self.outputs[used : used + outputs], *call)
            used += outputs
        return elapsed


def build():
    command = ["cargo", "bench", "-q", "-p", "strategies", "--bench", "speed", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(path for line in lines if (path := json.loads(line).get("executable")))


class Ours:
    def __init__(self, program, bars):
        self.file = tempfile.NamedTemporaryFile(suffix=".f64")
        for name in "ohlcv":
            self.file.write(bars[name].astype("<f8").tobytes())
        self.file.flush()
        # numpy's arrays lie on the heap, in huge pages, and stay; so do ours. Columns mapped one by one all begin at the same
        # place of a page, which costs either side up to a third, and a heap that shrinks has to be cleared anew.
        tunables = ["hugetlb=1", "mmap_threshold=1073741824", "trim_threshold=1073741824"]
        environment = dict(os.environ, GLIBC_TUNABLES=":".join(f"glibc.malloc.{each}" for each in tunables))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        # glibc asks for huge pages in some processes and not in others.
        for _ in range(50):
            self.child = subprocess.Popen([program, self.file.name], env=environment, **pipes)
            self.time("truerange")
            if self.huge_pages():
                return
            self.child.communicate()
        sys.exit("the speed bench gets no huge pages: is /sys/kernel/mm/transparent_hugepage/enabled `madvise`?")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.communicate()
        self.file.close()

    def huge_pages(self):
        with open(f"/proc/{self.child.pid}/smaps") as maps:
            return any(line.startswith("AnonHugePages:") and int(line.split()[1]) > 0 for line in maps)

    def time(self, name):
        print(name, file=self.child.stdin, flush=True)
        answer = self.child.stdout.readline()
        if not answer:
            sys.exit(f"the speed bench ended at {name}; its error is above")
        return int(answer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("types", nargs="*", default=list(CALLS))
    options = parser.parse_args()
    # Each on a processor of its own, one side may be slowed by what other machines do there and the other not.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rounds_of = f"{options.starts} starts of {options.rounds} rounds"
    print(f"TA-Lib {talib.__version__}, {options.rows} rows, medians of {rounds_of} in ns a row\n")
    print("| type | ours | TA-Lib | ratio |\n|---|---|---|---|")
    names = options.types or list(CALLS)
    program = build()
    used, rounds = [], []
    for _ in range(options.starts):
        bars = random_walk(options.rows)
        theirs = TaLib(bars)
        # Kept, or the next start would get the same memory.
        used.append(theirs)
        with Ours(program, bars) as ours:
            for name, side in [(name, side) for name in names for side in (theirs, ours)]:
                side.time(name)
            # A round goes over all types, so that a moment in which the machine is busy touches few rounds of each.
            rounds += [{name: (ours.time(name), theirs.time(name)) for name in names} for _ in range(options.rounds)]
    above = []
    for name in names:
        mine, other = (statistics.median(column) / options.rows for column in zip(*(each[name] for each in rounds)))
        if mine > other:
            above.append(name)
        print(f"| {name} | {mine:.2f} | {other:.2f} | {mine / other:.2f} |")
    print(f"\nabove 1.0: {', '.join(above) or 'none'}")


main()
