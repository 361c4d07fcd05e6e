# Times reading, checking, importing and storing of bars beside polars and pyarrow, on one file of one-minute bars.
#
#   python3 -m venv .deps/bars && .deps/bars/bin/pip install polars pyarrow
#   cargo build --release -p cli
#   .deps/bars/bin/python tests/bars_speed.py [--rows 1000000] [--rounds 7]
#
# Without a release `ktrdr` it leaves out the commands.
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


def build():
    command = ["cargo", "bench", "-q", "-p", "store", "--bench", "bars_speed", "--no-run", "--message-format=json"]
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bench", help="the store's bench bars_speed, if it is built already")
    options = parser.parse_args()
    bench, ktrdr = options.bench or build(), program()
    with tempfile.TemporaryDirectory() as folder:
        measure_all(options, Ours(bench), ktrdr, folder)


def measure_all(options, ours, ktrdr, folder):
    text = os.path.join(folder, "EURUSD_1m.csv")
    random_walk(options.rows, text)
    table = pyarrow.csv.read_csv(text)
    frame = pl.read_csv(text, try_parse_dates=True)
    parquet, arrow = os.path.join(folder, "pyarrow.parquet"), os.path.join(folder, "polars.arrow")
    pq.write_table(table, parquet)
    frame.write_ipc(arrow, compression="lz4")
    ours.time("open", text)
    ours.time("commit")
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
