# Predicts with a trained artifact by PyTorch, to show that its files need no program of ours.
#
# usage: python3 load_in_pytorch.py <artifact folder> < rows.json     (needs: pip install torch safetensors numpy)
#
# Builds the network that the artifact's manifest describes, loads the weights strictly, and prints one list per row: class
# probabilities, or the one number of a regression. The libtorch in .deps has no Python part; install torch as said above.
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file

ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "leaky_relu": torch.nn.LeakyReLU}


def build(network: dict) -> torch.nn.Sequential:
    """Linear, activation, dropout for each hidden layer, then linear."""
    output = network["output"]
    widths = [len(network["features"]), *network["hidden_layers"]]
    blocks = []
    for inputs, outputs in zip(widths, widths[1:]):
        blocks += [torch.nn.Linear(inputs, outputs), ACTIVATIONS[network["activation"]](), torch.nn.Dropout(network["dropout"])]
    outputs = len(output["names"]) if output["kind"] == "classes" else 1
    return torch.nn.Sequential(*blocks, torch.nn.Linear(widths[-1], outputs))


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    network = json.loads((folder / "manifest.json").read_text())["network"]
    model = build(network)
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    model.eval()
    with torch.no_grad():
        scores = model(torch.tensor(json.load(sys.stdin)))
    print((scores.softmax(-1) if network["output"]["kind"] == "classes" else scores).tolist())


if __name__ == "__main__":
    main()
