# Loads a model.safetensors into PyTorch, to show that an artifact needs none of our programs.
#
# usage: python3 load_in_pytorch.py <artifact folder>     (needs: pip install torch safetensors numpy)
#
# Builds the network that the artifact's manifest describes, loads the weights strictly, and prints what it predicts for a
# row of zeros: compare with `ktrdr models test`. The libtorch in .deps has no Python part; install torch as said above.
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
        scores = model(torch.zeros(1, len(network["features"])))
    print(scores.softmax(-1).tolist()[0] if network["output"]["kind"] == "classes" else scores.tolist()[0])


if __name__ == "__main__":
    main()
