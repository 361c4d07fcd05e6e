# Compares exports of a model with what `ktrdr models predict` wrote for the same bars.
#
# usage: python3 check_exports.py FEATURES.csv PREDICTIONS.csv EXPORT...
#
# FEATURES.csv is what `ktrdr strategies features STRATEGY --bars … --out FEATURES.csv` writes: columns before scaling. An EXPORT is
# NAME.onnx (run by onnxruntime), NAME.pt (by PyTorch), NAME.rules.csv or NAME.h (by NumPy and a compiler of C), or the folder of the
# artifact, as `ktrdr models path NAME` prints it (weights and manifest, by NumPy alone). Prints the number of rows and the largest
# difference of each; ends with 1 if one is above 1e-5, or if a prediction has no row.
import csv
import ctypes
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy

LARGEST_DIFFERENCE = 1e-5


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def softmax(scores):
    powers = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(values):
    return 1 / (1 + numpy.exp(-values))


class Onnx:
    def __init__(self, path):
        import onnxruntime

        self.session = onnxruntime.InferenceSession(path)
        self.columns = self.session.get_modelmeta().custom_metadata_map["features"].split(",")
        shape = self.session.get_inputs()[0].shape
        self.length = shape[1] if len(shape) == 3 else None

    def predict(self, batch):
        return self.session.run(None, {"features": batch})[0]


class TorchScript:
    def __init__(self, path):
        import torch

        facts = {"facts.json": ""}
        self.torch = torch
        self.module = torch.jit.load(path, _extra_files=facts)
        facts = json.loads(facts["facts.json"])
        self.columns = facts["features"].split(",")
        self.length = int(facts["sequence_length"]) if "sequence_length" in facts else None

    def predict(self, batch):
        with self.torch.no_grad():
            return self.module(self.torch.from_numpy(batch)).numpy()


class Weights:
    """An artifact in NumPy: the formulas of PyTorch's layers, and of a first-order Takagi-Sugeno-Kang system."""

    def __init__(self, folder):
        from safetensors.numpy import load_file

        folder = pathlib.Path(folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        self.network = manifest["network"]
        self.temperature = manifest.get("temperature") or 1.0
        self.weights = {name: tensor.astype(float) for name, tensor in load_file(folder / "model.safetensors").items()}
        self.columns = [column["name"] for column in self.network["features"]]
        self.length = self.network.get("sequence_length")

    def predict(self, batch):
        values = numpy.stack([self.scale(column, batch[..., at]) for at, column in enumerate(self.network["features"])], axis=-1)
        scores = {"mlp": self.perceptron, "lstm": self.recurrent, "gru": self.recurrent, "tsk": self.rules}[self.network["kind"]](values)
        return softmax(scores / self.temperature) if self.network["output"]["kind"] == "classes" else scores

    def scale(self, column, values):
        scaling = column.get("normalisation")
        if not scaling:
            return values
        offset, unit = (scaling["min"], scaling["max"] - scaling["min"]) if scaling["method"] == "minmax" else (scaling["mean"], scaling["std"])
        return (values - offset) / unit if unit else values * 0

    def perceptron(self, values):
        activate = {"relu": lambda x: numpy.maximum(x, 0), "tanh": numpy.tanh, "sigmoid": sigmoid, "leaky_relu": lambda x: numpy.where(x > 0, x, 0.01 * x)}
        layers = sorted({int(name.split(".")[0]) for name in self.weights})
        for layer in layers:
            values = values @ self.weights[f"{layer}.weight"].T + self.weights[f"{layer}.bias"]
            values = activate[self.network["activation"]](values) if layer != layers[-1] else values
        return values

    def recurrent(self, values):
        kind = self.network["kind"]
        for layer in range(self.network["num_layers"]):
            of_input, of_state, bias, state_bias = (self.weights[f"{kind}.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            state = cell = numpy.zeros((len(values), self.network["hidden_size"]))
            states = []
            for step in range(values.shape[1]):
                inputs, outputs = values[:, step] @ of_input.T + bias, state @ of_state.T + state_bias
                if kind == "lstm":
                    i, f, g, o = numpy.split(inputs + outputs, 4, axis=1)
                    cell = sigmoid(f) * cell + sigmoid(i) * numpy.tanh(g)
                    state = sigmoid(o) * numpy.tanh(cell)
                else:
                    (r, z, n), (hr, hz, hn) = numpy.split(inputs, 3, axis=1), numpy.split(outputs, 3, axis=1)
                    new = numpy.tanh(n + sigmoid(r + hr) * hn)
                    state = (1 - sigmoid(z + hz)) * new + sigmoid(z + hz) * state
                states.append(state)
            values = numpy.stack(states, axis=1)
        return state @ self.weights["fc.weight"].T + self.weights["fc.bias"]

    def rules(self, values):
        base = self.network["base"]
        first = numpy.cumsum([0] + [len(input["members"]) for input in base["inputs"]])
        exponents = []
        for rule in base["rules"]:
            terms = [self.exponent(values[:, at], first[at] + member, base["inputs"][at]["members"][member]) for at, member in enumerate(rule) if member is not None]
            exponents.append(sum(terms) / (len(terms) if base["firing"] == "mean" else 1))
        weight, bias = self.weights["consequents.weight"], self.weights["consequents.bias"]
        says = numpy.einsum("roi,ni->nro", weight, values) + bias.reshape(weight.shape[:2])
        return numpy.einsum("nr,nro->no", softmax(numpy.stack(exponents, axis=-1)), says)

    def exponent(self, values, at, member):
        away = values - self.weights["memberships.centres"][at]
        away = {"below": numpy.maximum(away, 0), "above": numpy.minimum(away, 0)}.get(member.get("open"), away)
        return -(away**2) / (2 * self.weights["memberships.widths"][at] ** 2)


class Rules:
    def __init__(self, path):
        self.rows = read(path)
        self.columns = [head.removesuffix(".centre") for head in self.rows[0] if head.endswith(".centre")]
        self.outputs = [head.removesuffix(".constant") for head in self.rows[0] if head.endswith(".constant")]
        self.length = None

    def predict(self, batch):
        exponents, says = [], []
        for rule in self.rows:
            exponent = numpy.zeros(len(batch))
            for at, column in enumerate(self.columns):
                if rule[f"{column}.member"]:
                    away = batch[:, at] - float(rule[f"{column}.centre"])
                    away = {"below": numpy.maximum(away, 0), "above": numpy.minimum(away, 0)}.get(rule[f"{column}.open"], away)
                    exponent -= away**2 / (2 * float(rule[f"{column}.width"]) ** 2)
            exponents.append(exponent / float(rule["divisor"]))
            says.append([float(rule[f"{output}.constant"]) + batch @ [float(rule[f"{output}.{column}"]) for column in self.columns] for output in self.outputs])
        scores = numpy.einsum("nr,ron->no", softmax(numpy.stack(exponents, axis=-1)), numpy.array(says))
        return softmax(scores) if self.outputs != ["forward_return"] else scores


class Header:
    def __init__(self, path):
        text = pathlib.Path(path).read_text()
        self.columns = re.search(r"/\* features: (.*) \*/", text)[1].split(",")
        self.length = None
        name = re.search(r"void (\w+)_predict", text)[1]
        self.outputs = int(re.search(rf"#define {name.upper()}_OUTPUTS (\d+)", text)[1])
        with tempfile.TemporaryDirectory() as folder:
            source, library = pathlib.Path(folder, "model.c"), pathlib.Path(folder, "model.so")
            source.write_text(f'#include "{pathlib.Path(path).resolve()}"\nvoid predict(const double *row, float *answer) {{ {name}_predict(row, answer); }}\n')
            subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", source, "-o", library, "-lm"], check=True)
            self.library = ctypes.CDLL(str(library))

    def predict(self, batch):
        answers = numpy.zeros((len(batch), self.outputs), dtype=numpy.float32)
        for row, answer in zip(numpy.ascontiguousarray(batch), answers):
            self.library.predict(row.ctypes.data_as(ctypes.c_void_p), answer.ctypes.data_as(ctypes.c_void_p))
        return answers


def open_export(path):
    if path.endswith(".onnx"):
        return Onnx(path)
    if path.endswith(".pt"):
        return TorchScript(path)
    if path.endswith(".rules.csv"):
        return Rules(path)
    return Header(path) if path.endswith(".h") else Weights(path)


def inputs_of(export, rows):
    """One input for each row with enough rows before it, by the time of that row."""
    values = numpy.array([[float(row[name] or "nan") for name in export.columns] for row in rows])
    length = export.length or 1
    for last in range(length - 1, len(rows)):
        window = values[last - length + 1 : last + 1]
        if numpy.isfinite(window).all():
            yield rows[last]["timestamp"], window if export.length else window[0]


def difference(path, rows, expected):
    export = open_export(path)
    inputs = dict(inputs_of(export, rows))
    outputs = [name for name in expected[0] if name.startswith("p_")] or ["forward_return"]
    answers = export.predict(numpy.array([inputs[row["timestamp"]] for row in expected]))
    truth = numpy.array([[float(row[name]) for name in outputs] for row in expected])
    return float(numpy.abs(answers - truth).max())


def main(features, predictions, *exports):
    rows, expected = read(features), read(predictions)
    worst = 0.0
    for path in exports:
        apart = difference(path, rows, expected)
        print(f"{len(expected)} rows, largest difference {apart:.1e} of {pathlib.Path(path).name}")
        worst = max(worst, apart)
    return 0 if exports and worst <= LARGEST_DIFFERENCE else 1


sys.exit(main(*sys.argv[1:]))
