# Loads a local system with operations: memory of each service, how long `ktrdr ops` and a sweep of the housekeeping take.
#
#   cargo build --release --workspace --bins
#   python3 tests/operations_load.py memory [--kind dummy] [--operations 20000]
#   python3 tests/operations_load.py finished [--operations 100000]
#   python3 tests/operations_load.py active [--counts 1000,5000,10000,20000,50000]
#
# `--bin FOLDER` names a folder with the programs, if it is not target/release. Each measure has a system of its own in a temporary
# folder, with `sync_interval: always` as `ktrdr up` starts it. Operations are the children of families of a thousand.
#
# memory: resident memory of each process after each thousand operations. With `--kind load` they are loads of stored bars (fetcher and
# validator), with `--kind train` trainings of one epoch (processor, trainer and registry as well).
# finished: wall time of `ktrdr ops` as a process of its own, the median of eleven, while finished operations pile up.
# active: the same, and of `ktrdr status`, with operations that wait because no dummy runs; and the time of a sweep, which the process
# that does the housekeeping logs at the level debug.
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

FAMILY = 1_000
# Waiting children that one family has on the queue at a time.
WAITING = 10_000
ROUNDS = 11
LINES = {
    "dummy": "dummy start --iterations 1 --duration 0",
    "load": "data load SPY --mode local",
    "train": "train spy_return_regression --epochs 1",
}
SERVICES = {"dummy": "family,dummy", "load": "family,fetcher,validator", "train": "family,fetcher,validator,processor,trainer,registry"}


class System:
    def __init__(self, programs, services, log="info"):
        self.programs, self.folder = pathlib.Path(programs).resolve(), tempfile.TemporaryDirectory()
        bars = pathlib.Path(__file__).parent / "bars"
        self.environment = {**os.environ, "KTRDR_FETCHER_FILES": str(bars.resolve()), "KTRDR_LOG": log, "PATH": f"{self.programs}:{os.environ['PATH']}"}
        self.ktrdr("up", "--detach", "--services", services)

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

    def run_family(self, line, count, limit, *flags):
        file = pathlib.Path(self.folder.name) / "family.yaml"
        file.write_text(f"limit: {limit}\noperations:\n" + f"  - {line}\n" * count)
        return self.ktrdr("run", str(file), "--quiet", *flags)

    def processes(self):
        """Name and process id of each program that runs in this folder."""
        found = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "cwd") == os.path.realpath(self.folder.name):
                    found[pathlib.Path(os.readlink(entry / "exe")).name] = entry
            except OSError:
                continue
        return found

    def memory_mb(self):
        memory = {}
        for name, entry in self.processes().items():
            resident = re.search(r"VmRSS:\s+(\d+) kB", (entry / "status").read_text())
            memory[name] = int(resident[1]) / 1024
        return memory

    def milliseconds(self, *words):
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            self.ktrdr(*words)
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times)

    def until_waiting(self, count):
        """Waits until the queue of the dummy holds all of them."""
        while True:
            status = self.ktrdr("status", "--json")
            pending = re.search(r'"pending":(\d+)[^{}]*"service":"dummy"|"service":"dummy"[^{}]*"pending":(\d+)', status)
            if pending and int(pending[1] or pending[2]) >= count:
                return
            time.sleep(1)

    def sweep_ms(self, count):
        """Time of the newest sweep over at least this many operations, by whichever process has made it."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for log in pathlib.Path(self.folder.name).glob(".ktrdr/**/*.log"):
                sweeps = re.findall(r"swept operations=(\d+) took_ms=(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace")))
                times = [int(took) for operations, took in sweeps if int(operations) >= count]
                if len(times) > 1:
                    return times[-1]
            time.sleep(1)
        return None


def measure_memory(options):
    with System(options.bin, SERVICES[options.kind]) as system:
        if options.kind != "dummy":
            system.ktrdr("data", "load", "SPY", "--mode", "full", "--quiet")
        rows = []
        for done in range(FAMILY, options.operations + 1, FAMILY):
            system.run_family(LINES[options.kind], FAMILY, 64)
            rows.append((done, system.memory_mb()))
        names = sorted(rows[0][1])
        print(f"| operations | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
        for done, memory in rows:
            print(f"| {done} | {' | '.join(f'{memory.get(name, 0):.1f}' for name in names)} |")
        half = len(rows) // 2
        for name in names:
            early, late = (statistics.mean(memory.get(name, 0) for _, memory in part) for part in (rows[:half], rows[half:]))
            print(f"{name}: {late / early - 1:+.1%} from the first half to the second")


def measure_finished(options):
    with System(options.bin, SERVICES["dummy"]) as system:
        print("| finished operations | `ktrdr ops`, ms | `ktrdr status`, ms |\n|---|---|---|")
        for done in range(FAMILY, options.operations + 1, FAMILY):
            system.run_family(LINES["dummy"], FAMILY, 64)
            if done in (FAMILY, 10_000, 20_000, 50_000) or done == options.operations:
                print(f"| {done} | {system.milliseconds('ops'):.0f} | {system.milliseconds('status'):.0f} |", flush=True)


def measure_active(options):
    with System(options.bin, "family", "info,runtime=debug") as system:
        print("| active operations | `ktrdr ops`, ms | `ktrdr status`, ms | sweep, ms |\n|---|---|---|---|")
        active = 0
        for count in options.counts:
            while active < count:
                children = min(WAITING, count - active)
                system.run_family(LINES["dummy"], children, children, "--detach")
                active += children
            system.until_waiting(count)
            print(f"| {count} | {system.milliseconds('ops'):.0f} | {system.milliseconds('status'):.0f} | {system.sweep_ms(count)} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=["memory", "finished", "active"])
    parser.add_argument("--bin", default="target/release")
    parser.add_argument("--kind", choices=sorted(LINES), default="dummy")
    parser.add_argument("--operations", type=int)
    parser.add_argument("--counts", type=lambda text: [int(count) for count in text.split(",")], default=[1_000, 5_000, 10_000, 20_000, 50_000])
    options = parser.parse_args()
    options.operations = options.operations or {"memory": 20_000, "finished": 100_000}.get(options.measure, 0)
    {"memory": measure_memory, "finished": measure_finished, "active": measure_active}[options.measure](options)


main()
