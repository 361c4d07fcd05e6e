# Times reading, checking, resampling, joining, importing and storing of bars beside polars and pyarrow, on one file of one-minute bars.
#
#   python3 -m venv .deps/bars && .deps/bars/bin/pip install polars pyarrow
#   cargo build --release -p cli
#   .deps/bars/bin/python tests/bars_speed.py [--rows 1000000] [--rounds 7]
#
# Without a release `ktrdr` it leaves out the commands.
#
# The checks of polars are those of ours that look at prices, times and volume, on columns in memory and in one query: order, repeated and
# missing times, the grid, impossible prices and volumes, high and low against the others, spikes of volume, moves, robust outliers, stale
# runs and spacing. Like ours it computes rolling medians once for 50 rows. Ours also look for units, splits and lasting jumps. The join
# puts the average of the last two hours that were known beside each minute; both sides compute the average, and ours the feature.
#
# One run makes a file of a seeded random walk with two decimals, and takes all sides in turn in each round, so that all meet the
# same noise; a figure is the median of the rounds. All sides use every processor. Peak memory is that of the process: for ours of
# the command, for theirs of a process that reads the file and nothing else. "series" is a series of this system in a folder, with
# its hashes, its manifest and every write synced; theirs is one file in memory.
import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq


MEASURE = """
import os, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def random_walk(rows, path):
    import random

    state = random.Random(1)
    price = 100_000
    begin = 1_577_836_800
    with open(path, "w") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for row in range(rows):
            start, price = price, max(1_000, price + state.randint(-9, 9))
            high, low = max(start, price) + state.randint(0, 5), min(start, price) - state.randint(0, 5)
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin + 60 * row))
            numbers = ",".join(f"{number / 100:.2f}" for number in (start, high, low, price))
            file.write(f"{moment},{numbers},{state.randint(1, 9_999)}\n")


def build(package, bench):
    command = ["cargo", "bench", "-q", "-p", package, "--bench", bench, "--no-run", "--message-format=json"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(path for line in lines if (path := json.loads(line).get("executable")))


def program():
    target = json.loads(subprocess.run(["cargo", "metadata", "--format-version=1", "--no-deps"], check=True, stdout=subprocess.PIPE).stdout)
    path = os.path.join(target["target_directory"], "release", "ktrdr")
    return path if os.path.exists(path) else None


class Ours:
    def __init__(self, path):
        self.child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, measure, file=""):
        print(measure, file, file=self.child.stdin, flush=True)
        answer = self.child.stdout.readline()
        if not answer:
            sys.exit(f"the bench ended at {measure}; its error is above")
        return float(answer.split()[0])


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run(command, folder):
    """Seconds and peak memory in MB of a command."""
    # A child begins with the pages of its parent, which is large here: the command is the child of a small process.
    measured = subprocess.run([sys.executable, "-c", MEASURE, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if measured.returncode != 0:
        sys.exit(f"{' '.join(command)}: {measured.stderr}")
    elapsed, kilobytes = measured.stdout.split()
    return float(elapsed), int(kilobytes) / 1024


def read_in_python(library, file):
    read = {"polars": f"import polars; polars.read_csv({file!r}, try_parse_dates=True)", "pyarrow": f"import pyarrow.csv; pyarrow.csv.read_csv({file!r})"}
    return [sys.executable, "-c", read[library]]


def rolling_median(values, column):
    """The median of the 500 rows before each block of 50, for each of its rows."""
    blocks = (
        values.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
        .group_by_dynamic("row", every="50i", period="500i", offset="-500i", start_by="window")
        .agg(pl.col(column).median().alias("level"))
        .with_columns((pl.col("row") + 500).alias("row"))
    )
    return values.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)).join_asof(blocks, on="row")["level"]


def polars_checks(frame):
    """Rows that each check finds."""
    opens, highs, lows, closes, volumes = (pl.col(name) for name in ("open", "high", "low", "close", "volume"))
    times = pl.col("timestamp")
    minute = pl.duration(minutes=1)
    moves = frame.select(times, ((closes / closes.shift(1)).log()).alias("move"))
    level = rolling_median(moves, "move")
    spreads = moves.with_columns((pl.col("move") - level).abs().alias("spread"))
    spread = rolling_median(spreads, "spread")
    typical = rolling_median(frame.select(volumes.cast(pl.Float64)), "volume")
    z = ((moves["move"] - level) / (1.4826 * spread)).alias("z")
    prices = (opens, highs, lows, closes)
    step = times.diff()
    flat = (opens == highs) & (highs == lows) & (lows == closes) & (closes == closes.shift(1))
    counts = frame.with_columns(z, typical.alias("typical")).select(
        (step < pl.duration(minutes=0)).sum().alias("order"),
        times.is_duplicated().sum().alias("duplicates"),
        (times.dt.epoch("us") % 60_000_000 != 0).sum().alias("off_grid"),
        pl.any_horizontal(~price.is_finite() for price in prices).sum().alias("not_finite"),
        pl.any_horizontal(price <= 0 for price in prices).sum().alias("not_positive"),
        pl.any_horizontal(price > 1e10 for price in prices).sum().alias("too_large"),
        (highs < pl.max_horizontal(opens, closes)).sum().alias("high_too_low"),
        (lows > pl.min_horizontal(opens, closes)).sum().alias("low_too_high"),
        (highs < lows).sum().alias("high_below_low"),
        (volumes == -1).sum().alias("volume_unavailable"),
        (volumes < 0).sum().alias("volume_negative"),
        (volumes == 0).sum().alias("volume_zero"),
        (volumes > 100 * pl.col("typical")).sum().alias("volume_spike"),
        (((closes / closes.shift(1) - 1).abs() > 0.1) & (step == minute)).sum().alias("move"),
        (pl.col("z").abs() > 8).sum().alias("outlier"),
        ((pl.col("z").abs() > 15) & (pl.col("z") * pl.col("z").shift(-1) < 0)).sum().alias("spike"),
        (flat.cast(pl.Int32).rolling_sum(10) == 10).sum().alias("stale"),
        (step != minute).sum().alias("spacing"),
    )
    grid = pl.datetime_range(frame["timestamp"][0], frame["timestamp"][-1], interval="1m", time_unit=frame["timestamp"].dtype.time_unit, time_zone=frame["timestamp"].dtype.time_zone, eager=True)
    missing = pl.DataFrame({"timestamp": grid}).join(frame, on="timestamp", how="anti").height
    return counts, missing


def polars_resample(frame):
    return frame.group_by_dynamic("timestamp", every="1h").agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum()
    )


def polars_join(minutes, hours):
    averages = hours.select(pl.col("known_at"), pl.col("close").rolling_mean(2).alias("sma_2"))
    return minutes.join_asof(averages, on="known_at")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bench", help="the store's bench bars_speed, if it is built already")
    parser.add_argument("--analysis", help="the bench analysis_speed of system-tests, if it is built already")
    options = parser.parse_args()
    bench = options.bench or build("store", "bars_speed")
    analysis = options.analysis or build("system-tests", "analysis_speed")
    with tempfile.TemporaryDirectory() as folder:
        measure_all(options, Ours(bench), Ours(analysis), program(), folder)


def measure_all(options, ours, analysis, ktrdr, folder):
    text = os.path.join(folder, "EURUSD_1m.csv")
    random_walk(options.rows, text)
    table = pyarrow.csv.read_csv(text)
    frame = pl.read_csv(text, try_parse_dates=True)
    parquet, arrow = os.path.join(folder, "pyarrow.parquet"), os.path.join(folder, "polars.arrow")
    pq.write_table(table, parquet)
    frame.write_ipc(arrow, compression="lz4")
    ours.time("open", text)
    ours.time("commit")
    analysis.time("open", text)
    hours = polars_resample(frame).with_columns((pl.col("timestamp") + pl.duration(hours=1)).alias("known_at"))
    minutes = frame.select((pl.col("timestamp") + pl.duration(minutes=1)).alias("known_at"), "close")
    encoded = {"pyarrow": pa.BufferOutputStream(), "polars": io.BytesIO()}
    pq.write_table(table, encoded["pyarrow"])
    frame.write_parquet(encoded["polars"])
    pyarrow_bytes, polars_bytes = encoded["pyarrow"].getvalue(), encoded["polars"].getvalue()

    # name -> side -> work that gives its seconds
    measures = {
        "read the text, with its times": {
            "ours": lambda: ours.time("text", text),
            "polars": lambda: timed(lambda: pl.read_csv(text, try_parse_dates=True)),
            "pyarrow": lambda: timed(lambda: pyarrow.csv.read_csv(text)),
        },
        "read a Parquet file of pyarrow": {
            "ours": lambda: ours.time("parquet", parquet),
            "polars": lambda: timed(lambda: pl.read_parquet(parquet)),
            "pyarrow": lambda: timed(lambda: pq.read_table(parquet)),
        },
        "read an Arrow file of polars, lz4": {
            "ours": lambda: ours.time("arrow", arrow),
            "polars": lambda: timed(lambda: pl.read_ipc(arrow)),
            "pyarrow": lambda: timed(lambda: pa.ipc.open_file(arrow).read_all()),
        },
        "write Parquet into memory": {
            "ours": lambda: ours.time("write"),
            "polars": lambda: timed(lambda: frame.write_parquet(io.BytesIO())),
            "pyarrow": lambda: timed(lambda: pq.write_table(table, pa.BufferOutputStream())),
        },
        "commit as a series": {"ours": lambda: ours.time("commit")},
        "read the series, theirs one file": {
            "ours": lambda: ours.time("read"),
            "polars": lambda: timed(lambda: pl.read_parquet(polars_bytes)),
            "pyarrow": lambda: timed(lambda: pq.read_table(pa.BufferReader(pyarrow_bytes))),
        },
        "all checks of the quality": {
            "ours": lambda: analysis.time("checks"),
            "polars": lambda: timed(lambda: polars_checks(frame)),
        },
        "resample to hours": {
            "ours": lambda: analysis.time("resample"),
            "polars": lambda: timed(lambda: polars_resample(frame)),
        },
        "join hours to minutes, as of the close": {
            "ours": lambda: analysis.time("join"),
            "polars": lambda: timed(lambda: polars_join(minutes, hours)),
        },
    }
    times = {(name, side): [] for name, sides in measures.items() for side in sides}
    ours_as_commands = {
        "ktrdr data check": [ktrdr, "data", "check", text],
        "ktrdr data import": [ktrdr, "data", "import", text, "--yes"],
    }
    commands = {
        **(ours_as_commands if ktrdr else {}),
        "read by polars, a process": read_in_python("polars", text),
        "read by pyarrow, a process": read_in_python("pyarrow", text),
    }
    runs = {name: [] for name in commands}
    for number in range(options.rounds):
        for name, sides in measures.items():
            for side, work in sides.items():
                times[name, side].append(work())
        for name, command in commands.items():
            # A store of its own for each import: the second one of the same bars has nothing to do.
            place = os.path.join(folder, f"{number}")
            os.makedirs(place, exist_ok=True)
            runs[name].append(run(command, place))
    show(options, measures, times, runs, os.path.getsize(text))


def show(options, measures, times, runs, size):
    versions = f"polars {pl.__version__}, pyarrow {pa.__version__}"
    print(f"{options.rows} one-minute bars, {size / 1e6:.0f} MB of text; {versions}; medians of {options.rounds} rounds\n")
    print("million rows a second\n\n| | ours | polars | pyarrow |\n|---|---|---|---|")
    for name, sides in measures.items():
        cells = [f"{options.rows / statistics.median(times[name, side]) / 1e6:.1f}" if side in sides else "" for side in ("ours", "polars", "pyarrow")]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\n| command | seconds | peak memory, MB |\n|---|---|---|")
    for name, pairs in runs.items():
        seconds, memory = (statistics.median(column) for column in zip(*pairs))
        print(f"| {name} | {seconds:.2f} | {memory:.0f} |")


main()
