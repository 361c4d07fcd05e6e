# Predicts with a trained artifact with nothing but Python's standard library, to show that its files need no program of ours.
#
# usage: python3 predict_in_python.py <artifact folder> < rows.json     (rows: a list of rows of scaled feature values; of a recurrent
# network a list of windows, each flat, its oldest row first)
#
# Reads model.safetensors as its format says (8 bytes length, a JSON header, little-endian floats), walks the layers that the
# manifest describes, and prints one list per row: class probabilities, or the one number of a regression.
import json
import math
import pathlib
import struct
import sys

ACTIVATIONS = {
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
}


def tensors(data: bytes) -> dict:
    """Name -> (shape, values)."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", name
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        found[name] = (entry["shape"], struct.unpack(f"<{(end - start) // 4}f", data[start:end]))
    return found


def matrix(tensor: tuple) -> list:
    """Rows of a stored matrix."""
    (outputs, inputs), flat = tensor
    return [flat[inputs * output : inputs * (output + 1)] for output in range(outputs)]


def scores(layers: list, activation, row: list) -> list:
    for index, (weight, bias) in enumerate(layers):
        assert len(weight) == len(bias) and all(len(neuron) == len(row) for neuron in weight)
        row = [sum(w * x for w, x in zip(neuron, row)) + b for neuron, b in zip(weight, bias)]
        if index + 1 < len(layers):
            row = [activation(x) for x in row]
    return row


def multiply(matrix: list, vector: list, bias: tuple) -> list:
    assert len(matrix) == len(bias) and all(len(row) == len(vector) for row in matrix)
    return [sum(w * x for w, x in zip(row, vector)) + b for row, b in zip(matrix, bias)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def lstm_step(inner: list, recurrent: list, hidden: list, memory: list) -> tuple:
    """Gates i, f, g, o, stacked in this order (Hochreiter and Schmidhuber, 1997, as PyTorch has it)."""
    size = len(hidden)
    gates = [a + b for a, b in zip(inner, recurrent)]
    i, f, g, o = (gates[size * gate : size * (gate + 1)] for gate in range(4))
    memory = [sigmoid(f) * c + sigmoid(i) * math.tanh(g) for i, f, g, c in zip(i, f, g, memory)]
    return [sigmoid(o) * math.tanh(c) for o, c in zip(o, memory)], memory


def gru_step(inner: list, recurrent: list, hidden: list, memory: list) -> tuple:
    """Gates r, z, n, stacked in this order (Cho and others, 2014, as PyTorch has it)."""
    size = len(hidden)
    states = []
    for unit, h in enumerate(hidden):
        reset = sigmoid(inner[unit] + recurrent[unit])
        update = sigmoid(inner[size + unit] + recurrent[size + unit])
        new = math.tanh(inner[2 * size + unit] + reset * recurrent[2 * size + unit])
        states.append((1 - update) * new + update * h)
    return states, memory


def recurrent_scores(network: dict, stored: dict, window: list) -> list:
    """Every layer reads the states of the one below; a linear layer reads the last state."""
    kind, features = network["kind"], len(network["features"])
    step = {"lstm": lstm_step, "gru": gru_step}[kind]
    states = [window[row : row + features] for row in range(0, len(window), features)]
    assert len(states) == network["sequence_length"]
    for layer in range(network["num_layers"]):
        inner = matrix(stored[f"{kind}.weight_ih_l{layer}"])
        recurrent = matrix(stored[f"{kind}.weight_hh_l{layer}"])
        inner_bias, recurrent_bias = stored[f"{kind}.bias_ih_l{layer}"][1], stored[f"{kind}.bias_hh_l{layer}"][1]
        hidden = memory = [0.0] * network["hidden_size"]
        inputs, states = states, []
        for row in inputs:
            hidden, memory = step(multiply(inner, row, inner_bias), multiply(recurrent, hidden, recurrent_bias), hidden, memory)
            states.append(hidden)
    return multiply(matrix(stored["fc.weight"]), states[-1], stored["fc.bias"][1])


def softmax(row: list) -> list:
    powers = [math.exp(score - max(row)) for score in row]
    return [power / sum(powers) for power in powers]


def perceptron_scores(network: dict, stored: dict, rows: list) -> list:
    layers = []
    for layer in range(len(network["hidden_layers"]) + 1):
        # PyTorch's names in a Sequential of linear, activation, dropout blocks.
        layers.append((matrix(stored.pop(f"{3 * layer}.weight")), stored.pop(f"{3 * layer}.bias")[1]))
    assert not stored, f"tensors that no layer takes: {list(stored)}"
    return [scores(layers, ACTIVATIONS[network["activation"]], row) for row in rows]


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    network = json.loads((folder / "manifest.json").read_text())["network"]
    stored = tensors((folder / "model.safetensors").read_bytes())
    rows = json.load(sys.stdin)
    if network["kind"] == "mlp":
        results = perceptron_scores(network, stored, rows)
    else:
        results = [recurrent_scores(network, stored, window) for window in rows]
    print(json.dumps([softmax(row) for row in results] if network["output"]["kind"] == "classes" else results))


if __name__ == "__main__":
    main()
