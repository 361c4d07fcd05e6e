# Times an epoch of the same training in PyTorch, in JAX and in our native engine, in turn, on one processor.
#
#   python3 -m venv .deps/pytorch && .deps/pytorch/bin/pip install torch==2.13.0 numpy 'jax[cpu]'
#   .deps/pytorch/bin/python tests/training_speed.py [--epochs 200] [--rounds 2] [--ours 'PROGRAM ARGUMENTS']
#
# The training: 3 500 rows of 9 features for learning and 750 for validation, a perceptron [64, 32] with 3 classes, cross entropy
# weighted by class, L2 in the gradient, its norm clipped to 1, Adam, rows in another order each epoch, loss and accuracy of
# each batch, loss and accuracy of validation each epoch; batches of 32 and 256, dropout 0 and 0.2. PyTorch is a loop as one
# writes it, without a data loader; JAX is one compiled scan over the batches of an epoch.
#
# `--ours` is called with `--batch B --dropout P --epochs N` and prints the CPU milliseconds of each epoch as one JSON list on
# its last line; by default it is `cargo bench -p networks --bench epoch --`, left out where that does not build or answer so.
#
# A figure is the mean of the CPU milliseconds (user and system) of all epochs, after a short round that is not measured: minima
# would hide that weights and moments become subnormal and slow. So the last column compares the last ten epochs of a round
# with the first ten, as the median over rounds. In each round every contender trains anew from its seed.
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

FEATURES, HIDDEN, CLASSES = 9, (64, 32), 3
TRAIN_ROWS, VALIDATION_ROWS = 3_500, 750
RATE, DECAY, CLIP = 1e-3, 1e-4, 1.0
OURS = "cargo bench -q -p networks --bench epoch --"


def made_up_rows():
    """Memberships in [0, 1] and classes that depend on them, with noise; the same in every contender of this file."""
    generator = np.random.default_rng(1)
    features = generator.random((TRAIN_ROWS + VALIDATION_ROWS, FEATURES), dtype=np.float32)
    point = features[:, 0] - features[:, 1] * features[:, 2] + generator.normal(0.0, 0.3, len(features))
    labels = (point > 0.0).astype(np.int64) + (point > 0.6)
    return features, labels


def class_weights(labels):
    inverse = 1.0 / np.bincount(labels, minlength=CLASSES)
    return (inverse * CLASSES / inverse.sum()).astype(np.float32)


def cpu_milliseconds(call):
    began = time.process_time_ns()
    call()
    return (time.process_time_ns() - began) / 1e6


class PyTorch:
    """The loop as it is written by hand: a slice of a permutation is a batch."""

    name = "PyTorch loop"

    def __init__(self, features, labels):
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        self.features, self.labels = torch.from_numpy(features), torch.from_numpy(labels)
        self.weights = torch.from_numpy(class_weights(labels[:TRAIN_ROWS]))

    def train(self, batch, dropout, epochs):
        torch = self.torch
        torch.manual_seed(1)
        widths, layers = (FEATURES, *HIDDEN), []
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU(), torch.nn.Dropout(dropout)]
        network = torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], CLASSES))
        adam = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=DECAY)
        loss = torch.nn.CrossEntropyLoss(weight=self.weights)
        return [cpu_milliseconds(lambda: self.epoch(network, adam, loss, batch)) for _ in range(epochs)]

    def epoch(self, network, adam, loss, batch):
        torch, total, right = self.torch, 0.0, 0
        network.train()
        order = torch.randperm(TRAIN_ROWS)
        for start in range(0, TRAIN_ROWS, batch):
            rows = order[start : start + batch]
            labels = self.labels[rows]
            scores = network(self.features[rows])
            value = loss(scores, labels)
            adam.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            adam.step()
            total += value.item() * len(rows)
            right += (scores.argmax(1) == labels).sum().item()

        network.eval()
        with torch.no_grad():
            scores = network(self.features[TRAIN_ROWS:])
            value = loss(scores, self.labels[TRAIN_ROWS:]).item()
            accuracy = (scores.argmax(1) == self.labels[TRAIN_ROWS:]).double().mean().item()
        assert np.isfinite([total, right, value, accuracy]).all()


class Jax:
    """A compiled function per epoch that scans over its batches; the last one is filled up with rows of weight 0."""

    name = "JAX jit + scan"

    def __init__(self, features, labels):
        import jax

        self.jax = jax
        self.features, self.labels = jax.numpy.asarray(features), jax.numpy.asarray(labels.astype(np.int32))
        self.weights = jax.numpy.asarray(class_weights(labels[:TRAIN_ROWS]))
        self.compiled = {}

    def train(self, batch, dropout, epochs):
        jax = self.jax
        if (batch, dropout) not in self.compiled:
            self.compiled[batch, dropout] = jax.jit(self.epoch_of(batch, dropout))
            self.train(batch, dropout, 1)
        epoch = self.compiled[batch, dropout]
        keys = jax.random.split(jax.random.key(1), epochs + 1)
        weights = self.initial(keys[0])
        zeros = jax.tree.map(jax.numpy.zeros_like, weights)
        state = (weights, zeros, zeros, jax.numpy.int32(0))
        times = []
        for key in keys[1:]:
            began = time.process_time_ns()
            state, figures = epoch(state, key)
            assert np.isfinite(np.asarray(figures)).all()
            times.append((time.process_time_ns() - began) / 1e6)
        return times

    def initial(self, key):
        jax, widths = self.jax, (FEATURES, *HIDDEN, CLASSES)
        layers = []
        for inputs, outputs, each in zip(widths, widths[1:], jax.random.split(key, len(widths) - 1)):
            one, other = jax.random.split(each)
            bound = inputs**-0.5
            layers.append(
                (
                    jax.random.uniform(one, (inputs, outputs), minval=-bound, maxval=bound),
                    jax.random.uniform(other, (outputs,), minval=-bound, maxval=bound),
                )
            )
        return layers

    def scores(self, layers, values, dropout, key):
        jax = self.jax
        for index, (weight, bias) in enumerate(layers[:-1]):
            values = jax.nn.relu(values @ weight + bias)
            if dropout:
                stays = jax.random.bernoulli(jax.random.fold_in(key, index), 1.0 - dropout, values.shape)
                values = jax.numpy.where(stays, values / (1.0 - dropout), 0.0)
        return values @ layers[-1][0] + layers[-1][1]

    def loss(self, layers, features, labels, counts, dropout, key):
        jax = self.jax
        scores = self.scores(layers, features, dropout, key)
        logarithms = jax.numpy.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], 1)[:, 0]
        weights = self.weights[labels] * counts
        right = ((scores.argmax(1) == labels) * counts).sum()
        return -(weights * logarithms).sum() / weights.sum(), right

    def epoch_of(self, batch, dropout):
        jax, xp = self.jax, self.jax.numpy
        batches = -(-TRAIN_ROWS // batch)
        validation, expected = self.features[TRAIN_ROWS:], self.labels[TRAIN_ROWS:]

        def step(state, rows_and_key):
            layers, first, second, steps = state
            rows, key = rows_and_key
            counts = (rows >= 0).astype(xp.float32)
            differentiate = jax.value_and_grad(self.loss, has_aux=True)
            (value, right), gradients = differentiate(layers, self.features[rows], self.labels[rows], counts, dropout, key)
            norm = xp.sqrt(sum((each**2).sum() for each in jax.tree.leaves(gradients)))
            scale = xp.minimum(CLIP / (norm + 1e-6), 1.0)
            # Clipping first, then L2, as PyTorch's Adam adds it in its step.
            gradients = jax.tree.map(lambda gradient, weight: gradient * scale + DECAY * weight, gradients, layers)
            steps = steps + 1
            first = jax.tree.map(lambda mean, gradient: 0.9 * mean + 0.1 * gradient, first, gradients)
            second = jax.tree.map(lambda mean, gradient: 0.999 * mean + 0.001 * gradient**2, second, gradients)
            one, two = 1.0 - 0.9**steps, 1.0 - 0.999**steps
            moved = lambda weight, mean, square: weight - RATE / one * mean / (xp.sqrt(square / two) + 1e-8)
            return (jax.tree.map(moved, layers, first, second), first, second, steps), (value * counts.sum(), right)

        def epoch(state, key):
            order_key, dropout_key = jax.random.split(key)
            order = jax.random.permutation(order_key, TRAIN_ROWS)
            order = xp.pad(order, (0, batches * batch - TRAIN_ROWS), constant_values=-1).reshape(batches, batch)
            state, (values, right) = jax.lax.scan(step, state, (order, jax.random.split(dropout_key, batches)))
            ones = xp.ones(VALIDATION_ROWS, xp.float32)
            value, hits = self.loss(state[0], validation, expected, ones, 0.0, dropout_key)
            return state, xp.stack([values.sum() / TRAIN_ROWS, right.sum() / TRAIN_ROWS, value, hits / VALIDATION_ROWS])

        return epoch


class Ours:
    """A program that trains by itself and says what each epoch took."""

    name = "native engine"

    def __init__(self, command):
        self.command = shlex.split(command)

    def train(self, batch, dropout, epochs):
        arguments = ["--batch", str(batch), "--dropout", str(dropout), "--epochs", str(epochs)]
        run = subprocess.run([*self.command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            times = json.loads(run.stdout.strip().rsplit("\n", 1)[-1])
        except json.JSONDecodeError:
            times = []
        if run.returncode != 0 or len(times) != epochs:
            raise RuntimeError(f"`{shlex.join(run.args)}` gave no times: {run.stderr.strip()[-300:]}")
        return times


def contenders(features, labels, ours):
    chosen = []
    for make in (lambda: PyTorch(features, labels), lambda: Jax(features, labels)):
        try:
            chosen.append(make())
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)
    try:
        program = Ours(ours)
        program.train(32, 0.0, 10)
        chosen.append(program)
    except (OSError, RuntimeError) as error:
        print(f"left out: {error}", file=sys.stderr)
    return chosen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=200, help="epochs of a training (200)")
    parser.add_argument("--rounds", type=int, default=2, help="measured trainings of each contender (2)")
    parser.add_argument("--ours", default=OURS, help="our program, see above")
    arguments = parser.parse_args()
    if arguments.epochs < 20:
        parser.error("ten first and ten last epochs need 20")

    # One processor, so that no library uses a second thread.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    chosen = contenders(*made_up_rows(), arguments.ours)
    print(f"mean CPU ms of {arguments.rounds * arguments.epochs} epochs; last ten epochs over first ten")
    print(f"{'batch':>5} {'dropout':>7}  " + "  ".join(f"{each.name:>20}" for each in chosen))
    for batch in (32, 256):
        for dropout in (0.0, 0.2):
            rounds = {each.name: [] for each in chosen}
            for turn in range(arguments.rounds + 1):
                # The order changes, so that a machine that slows down hits all alike.
                for each in chosen if turn % 2 else reversed(chosen):
                    times = each.train(batch, dropout, arguments.epochs if turn else 20)
                    if turn:
                        rounds[each.name].append(times)
            print(f"{batch:>5} {dropout:>7}  " + "  ".join(cell(rounds[each.name]) for each in chosen), flush=True)


def cell(rounds):
    mean = statistics.fmean(each for times in rounds for each in times)
    drift = statistics.median(statistics.fmean(times[-10:]) / statistics.fmean(times[:10]) for times in rounds)
    return f"{f'{mean:.2f}  {drift:.2f}':>20}"


if __name__ == "__main__":
    main()
