# Predicts with a trained artifact with nothing but Python's standard library, to show that its files need no program of ours.
#
# usage: python3 predict_in_python.py <artifact folder> < rows.json     (rows: a list of rows of scaled feature values)
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


def scores(layers: list, activation, row: list) -> list:
    for index, (weight, bias) in enumerate(layers):
        assert len(weight) == len(bias) and all(len(neuron) == len(row) for neuron in weight)
        row = [sum(w * x for w, x in zip(neuron, row)) + b for neuron, b in zip(weight, bias)]
        if index + 1 < len(layers):
            row = [activation(x) for x in row]
    return row


def softmax(row: list) -> list:
    powers = [math.exp(score - max(row)) for score in row]
    return [power / sum(powers) for power in powers]


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    network = json.loads((folder / "manifest.json").read_text())["network"]
    stored = tensors((folder / "model.safetensors").read_bytes())
    layers = []
    for layer in range(len(network["hidden_layers"]) + 1):
        # PyTorch's names in a Sequential of linear, activation, dropout blocks.
        (outputs, inputs), flat = stored.pop(f"{3 * layer}.weight")
        weight = [flat[inputs * output : inputs * (output + 1)] for output in range(outputs)]
        layers.append((weight, stored.pop(f"{3 * layer}.bias")[1]))
    assert not stored, f"tensors that no layer takes: {list(stored)}"
    results = [scores(layers, ACTIVATIONS[network["activation"]], row) for row in json.load(sys.stdin)]
    print(json.dumps([softmax(row) for row in results] if network["output"]["kind"] == "classes" else results))


if __name__ == "__main__":
    main()
