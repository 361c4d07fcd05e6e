# How often a sweep is said to have an edge, through all services: on series of noise, and on series with a planted edge.
#
#   cargo build --release --workspace --bins
#   python3 tests/edge_runs.py [--runs 40] [--only noise|planted] [--bin FOLDER]
#
# Each run starts a local system of its own on a made-up series, hourly like EURUSD, whose returns are normal with a deviation of 0.1 %, and
# sweeps 50 strategies over it: five periods of the rate of change times ten learning rates, a regression of the next return. `noise`: returns are
# independent. `planted`: each return is 0.3 times the one before plus noise, so that what is known has a correlation of 0.3 with what comes.
# A series is made from the number of its run alone. Prints a line a run, then the table.
import argparse
import csv
import gzip
import json
import os
import pathlib
import random
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).parent
ROWS = 4_500
STRATEGY = """name: made_up
version: "1.0"
training_data:
  symbols: {mode: single, symbol: EURUSD}
  timeframes: {mode: single, timeframe: "1h"}
  history_required: 100
indicators:
  change: {type: roc, period: 1}
fuzzy_sets: {}
nn_inputs:
  - {raw_indicator: change, timeframes: all, normalization: zscore}
model:
  type: mlp
  architecture: {hidden_layers: [8], activation: tanh, dropout: 0.0}
decisions:
  output_format: regression
  cost_model: {round_trip_cost: 0.00005, min_edge_multiplier: 1.0}
training:
  labels: {source: forward_return, horizon: 1}
  data_split: {train: 0.7, validation: 0.15, test: 0.15}
  epochs: 10
  target_scale: std
  batch_size: 64
  learning_rate: 0.001
  seed: 1
"""
SWEEP = ["--sweep", "indicators.change.period=1,2,3,5,8", "--sweep", "training.learning_rate=2e-4,5e-4,7e-4,1e-3,2e-3,3e-3,5e-3,7e-3,1e-2,2e-2"]


def write_series(folder, kind, run):
    numbers = random.Random(f"{kind} {run}")
    with gzip.open(HERE / "bars/EURUSD_1h.csv.gz", "rt") as file:
        times = [row["timestamp"] for row, _ in zip(csv.DictReader(file), range(ROWS))]
    price, change = 1.2, 0.0
    with open(folder / "EURUSD_1h.csv", "w") as file:
        print("timestamp,open,high,low,close,volume", file=file)
        for at in times:
            change = (0.3 * change if kind == "planted" else 0.0) + numbers.gauss(0, 0.001)
            opening, price = price, price * (1 + change)
            print(f"{at},{opening!r},{max(opening, price)!r},{min(opening, price)!r},{price!r},0", file=file)


def sweep(programs, kind, run):
    """The line of the sweep for programs."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_series(folder, kind, run)
        (folder / "made_up.yaml").write_text(STRATEGY)
        environment = {**os.environ, "KTRDR_FETCHER_FILES": name}
        command = [programs / "ktrdr", "up", "--", programs / "ktrdr", "train", "made_up.yaml", *SWEEP, "--data-mode", "full", "--json", "--quiet"]
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    sweeps = [line for line in lines if line.get("type") == "sweep"]
    if not sweeps or sweeps[0]["trained"] != 50:
        raise SystemExit(f"{kind} {run}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return sweeps[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--only", choices=["noise", "planted"])
    parser.add_argument("--bin", default=HERE.parent / "target/release")
    arguments = parser.parse_args()
    programs = pathlib.Path(arguments.bin).resolve()

    table = []
    for kind in [arguments.only] if arguments.only else ["noise", "planted"]:
        edges, start = 0, time.monotonic()
        for run in range(arguments.runs):
            edge = sweep(programs, kind, run)["edge"]
            edges += edge["is_edge"]
            print(kind, run, edge["is_edge"], "p of validation", edge["validation"]["p"], "p of test", (edge["test"] or {}).get("p"), flush=True)
        table.append((kind, arguments.runs, edges, time.monotonic() - start))

    print(f"{'series':9}{'runs':>6}{'edges':>7}{'share':>9}{'s':>8}")
    for kind, runs, edges, seconds in table:
        print(f"{kind:9}{runs:6}{edges:7}{100 * edges / runs:7.1f} %{seconds:8.0f}")


main()
