# How soon Ctrl+C of a command that follows its operation is a cancel on another connection.
#
#   cargo build --release --workspace --bins
#   python3 tests/interrupt_speed.py [FOLDER]      programs in FOLDER instead of target/release
#
# A local system with a dummy; `ktrdr tap` listens to cancels. Thirty times a dummy of a minute is started and followed, SIGINT is sent once it
# has reported progress, and the time counts until the tap has printed the cancel of that operation. Prints milliseconds.
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading

from time import perf_counter

ROUNDS = 30
DUMMY = "ktrdr dummy start --iterations 1000 --duration 60 --json".split()


def start(words, folder, environment):
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def operation_at_work(follower):
    """The id of the operation, once it has reported progress."""
    operation = None
    for line in follower.stdout:
        if '"started"' in line:
            operation = line.split('"op":"')[1].split('"')[0]
        if '"progress"' in line:
            return operation
    raise SystemExit("the dummy reported no progress")


def interrupt_once(tap, folder, environment):
    follower = start(DUMMY, folder, environment)
    operation = operation_at_work(follower)
    # A pipe that nobody reads would stop the follower.
    threading.Thread(target=follower.stdout.read, daemon=True).start()

    began = perf_counter()
    follower.send_signal(signal.SIGINT)
    cancel = tap.stdout.readline()
    took = perf_counter() - began
    if operation not in cancel:
        raise SystemExit(f"another cancel: {cancel}")
    follower.wait()
    return 1e3 * took


def main(programs="target/release"):
    environment = {**os.environ, "PATH": f"{os.path.abspath(programs)}:{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as folder:
        run = lambda words: subprocess.run(words.split(), cwd=folder, env=environment, check=True, capture_output=True)
        run("ktrdr up --detach --services dummy")
        tap = start(["ktrdr", "tap", "ktrdr.control.cancel.>", "--json"], folder, environment)
        # The first cancel that the tap prints shows that it listens.
        interrupt_once(tap, folder, environment)
        times = sorted(interrupt_once(tap, folder, environment) for _ in range(ROUNDS))
        tap.kill()
        run("ktrdr down")
    print(f"{ROUNDS} rounds: median {statistics.median(times):.1f} ms, longest {times[-1]:.1f} ms")


main(*sys.argv[1:])
