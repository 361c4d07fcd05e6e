# Seconds of sweeps on a local system, beside the same trainings one at a time.
#
#   cargo build --release --workspace --bins
#   python3 tests/sweep_speed.py [--seeds 64] [--models 1000] [--bin FOLDER]
#
# `alone` is the mean of single trainings of eurusd_rsi_macd, one after another. `sweep` trains it from as many seeds as one command, with
# trainer.threads 1 and 2; `inside` is what a training costs beyond its own seconds while its bundle is computed: the seconds of the train step
# on all threads without those in which trainings were computed and measured, divided by the trainings. `models` trains a network of the size
# of the comparison in docs/performance.md (3 500 rows to train on) for 100 epochs each.
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time
from datetime import datetime

SERVICES = "family,fetcher,validator,processor,trainer,registry"
STRATEGY = "eurusd_rsi_macd"
ALONE = 8
# Whose training part has some 3 500 rows.
SHORT = ["--start", "2014-01-01", "--end", "2014-10-27", "--epochs", "100", "--batch-size", "256", "--set", "training.early_stopping.patience=100"]


class System:
    def __init__(self, programs, threads):
        self.programs, self.folder = pathlib.Path(programs).resolve(), tempfile.TemporaryDirectory()
        bars = pathlib.Path(__file__).parent / "bars"
        self.environment = {**os.environ, "KTRDR_FETCHER_FILES": str(bars.resolve()), "KTRDR_TRAINER_THREADS": str(threads)}
        self.ktrdr("up", "--detach", "--services", SERVICES)
        self.ktrdr("data", "load", "EURUSD", "--timeframe", "1h", "--mode", "full", "--quiet")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ktrdr("down")
        self.folder.cleanup()

    def ktrdr(self, *words):
        command = [str(self.programs / "ktrdr"), *words]
        ended = subprocess.run(command, cwd=self.folder.name, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if ended.returncode != 0:
            raise SystemExit(f"{' '.join(words)}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def timed(self, *words):
        began = time.monotonic()
        self.ktrdr(*words, "--quiet")
        return time.monotonic() - began

    def bundles(self):
        """Train steps of the newest sweep: seconds of the step, and results of its trainings."""
        lines = self.ktrdr("ops", "--parent", "last", "--json").splitlines()
        for line in lines:
            child = json.loads(line)
            if child.get("kind") != "train":
                continue
            record = json.loads(self.ktrdr("status", child["op"], "--json").splitlines()[-1])
            step = record["steps"][3]
            result = step["result"]
            if "result_object" in result:
                stored = pathlib.Path(self.folder.name) / ".ktrdr/objects" / result["result_object"]
                result = json.loads(stored.read_text())
            yield seconds_of(step), result["bundle"]


def seconds_of(step):
    instants = [step[name].rstrip("Z")[:26] for name in ("started_at", "finished_at")]
    began, ended = (datetime.fromisoformat(instant) for instant in instants)
    return (ended - began).total_seconds()


def describe(name, threads, seconds, bundles):
    trainings = sum(len(results) for _, results in bundles)
    computed = sum(result["seconds"] for _, results in bundles for result in results)
    on_threads = threads * sum(step for step, _ in bundles)
    inside = 1_000 * (on_threads - computed) / trainings
    print(f"| {name}, {threads} thread{'s' if threads > 1 else ''} | {seconds:.1f} | {1_000 * seconds / trainings:.1f} | {1_000 * computed / trainings:.1f} | {inside:.1f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=64)
    parser.add_argument("--models", type=int, default=1_000)
    parser.add_argument("--bin", default="target/release")
    asked = parser.parse_args()

    print("| what | seconds | ms a training | of which computed | inside, ms a training |")
    print("|---|---|---|---|---|")
    for threads in (1, 2):
        with System(asked.bin, threads) as system:
            if threads == 1:
                alone = sum(system.timed("train", STRATEGY, "--seed", str(seed)) for seed in range(ALONE)) / ALONE
                print(f"| alone, one after another | {alone:.2f} each | {1_000 * alone:.1f} | | |")
            seconds = system.timed("train", STRATEGY, "--seeds", str(asked.seeds))
            describe(f"sweep of {asked.seeds} seeds", threads, seconds, list(system.bundles()))
            if threads == 2 and asked.models > 0:
                seconds = system.timed("train", STRATEGY, "--seeds", str(asked.models), *SHORT, "--limit", "1")
                describe(f"{asked.models} models of 100 epochs", threads, seconds, list(system.bundles()))
