# Predicts with a trained artifact by PyTorch, to show that its files need no program of ours.
#
# usage: python3 load_in_pytorch.py <artifact folder> < rows.json     (needs: pip install torch safetensors numpy)
#
# Builds the network that the artifact's manifest describes, loads the weights strictly, and prints one list per row, or per window of
# a recurrent network: class probabilities, or the one number of a regression. A window is flat, its oldest row first. The libtorch in
# .deps has no Python part; install torch as said above.
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file

ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "leaky_relu": torch.nn.LeakyReLU}


class Recurrent(torch.nn.Module):
    """LSTM or GRU over a window, then linear over the last hidden state."""

    def __init__(self, network: dict, outputs: int) -> None:
        super().__init__()
        self.kind, self.length, self.inputs = network["kind"], network["sequence_length"], len(network["features"])
        layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[self.kind]
        # Dropout is off in prediction, so it is left out here.
        setattr(self, self.kind, layer(self.inputs, network["hidden_size"], network["num_layers"], batch_first=True))
        self.fc = torch.nn.Linear(network["hidden_size"], outputs)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        states, _ = getattr(self, self.kind)(windows.reshape(-1, self.length, self.inputs))
        return self.fc(states[:, -1])


def build(network: dict) -> torch.nn.Module:
    """Linear, activation, dropout for each hidden layer, then linear; or a recurrent network."""
    output = network["output"]
    outputs = len(output["names"]) if output["kind"] == "classes" else 1
    if network["kind"] != "mlp":
        return Recurrent(network, outputs)
    widths = [len(network["features"]), *network["hidden_layers"]]
    blocks = []
    for ins, outs in zip(widths, widths[1:]):
        blocks += [torch.nn.Linear(ins, outs), ACTIVATIONS[network["activation"]](), torch.nn.Dropout(network["dropout"])]
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
