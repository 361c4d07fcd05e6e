#!/usr/bin/env python3
# Computes with PyTorch what networks, losses, optimisers and schedules must give, and writes it as JSON beside itself.
#
#   python3 -m venv .deps/pytorch && .deps/pytorch/bin/pip install torch==2.13.0 numpy
#   .deps/pytorch/bin/python services/trainer/tests/golden/pytorch_values.py
#
# Made with torch 2.13.0 on CPU, the version of the libtorch that the trainer links; README.md says what is in each file.
# Inputs and weights are multiples of 1/1024 from a generator written out below, so a float32 holds them exactly and nothing
# depends on PyTorch's own generator. Everything is computed twice: the values in the files are those of float64, and the
# script fails where float32 is further than 1e-5 of a value's size from them, so a float32 program can be held to them.
import json
import math
import pathlib

import numpy as np
import torch
from torch.nn import functional

FOLDER = pathlib.Path(__file__).parent
DIGITS = 10
FLOAT32_TOLERANCE = 1e-5


class Numbers:
    """Numerical Recipes' 32-bit linear congruential generator, as multiples of 1/1024."""

    def __init__(self, seed):
        self.state = seed

    def word(self):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return self.state >> 8

    def tensor(self, shape, bound):
        steps = int(bound * 1024)
        values = [(self.word() % (2 * steps + 1) - steps) / 1024 for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.float64).reshape(shape)

    def classes(self, rows, count):
        return torch.tensor([self.word() % count for _ in range(rows)])


def rounded(value):
    return float(f"{value:.{DIGITS}g}") + 0.0


def packed(tensor):
    return {"shape": list(tensor.shape), "values": [rounded(each) for each in tensor.detach().double().flatten().tolist()]}


def named(tensors):
    return [{"name": name} | packed(tensor) for name, tensor in tensors.items()]


def compare(case, wide, narrow):
    """Fails where float32 is far from float64."""
    for one, other in zip(wide, narrow, strict=True):
        distance = (one.detach() - other.detach().double()).abs() / (1.0 + one.detach().abs())
        assert distance.max().item() < FLOAT32_TOLERANCE, (case, distance.max().item())


def twice(case, compute, tensors):
    """The results of `compute` in float64, checked in float32. `tensors` are leaves with gradients."""
    results = []
    for kind in (torch.float64, torch.float32):
        leaves = {name: tensor.detach().to(kind, copy=True).requires_grad_() for name, tensor in tensors.items()}
        results.append(compute(leaves, kind))
    compare(case, *results)
    return results[0]


def write(name, cases):
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (FOLDER / name).write_text(f"[\n{lines}\n]\n")
    print(f"{name}: {len(cases)} cases, {(FOLDER / name).stat().st_size:,} bytes")


def network_case(case, numbers, parameters, inputs, outputs, forward, masks=()):
    """Scores of `inputs`, and the gradient of Σ scores · score_gradients by every parameter."""
    score_gradients = numbers.tensor([inputs.shape[0], outputs], 1.0)

    def compute(leaves, kind):
        scores = forward(leaves, inputs.to(kind), [mask.to(kind) for mask in masks])
        gradients = torch.autograd.grad((scores * score_gradients.to(kind)).sum(), list(leaves.values()))
        return [scores, *gradients]

    scores, *gradients = twice(case, compute, parameters)
    return case | {
        "parameters": named(parameters),
        "inputs": packed(inputs),
        "masks": [packed(mask) for mask in masks],
        "scores": packed(scores),
        "score_gradients": packed(score_gradients),
        "gradients": named(dict(zip(parameters, gradients))),
    }


# --------------------------------------------------------------------------------------------------------------------------
# Networks
# --------------------------------------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leaky_relu": lambda values: functional.leaky_relu(values, 0.01),
}


def perceptron_parameters(numbers, widths):
    parameters = {}
    for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        parameters[f"{3 * layer}.weight"] = numbers.tensor([outputs, inputs], 0.75)
        parameters[f"{3 * layer}.bias"] = numbers.tensor([outputs], 0.5)
    return parameters


def perceptron(activation):
    def forward(parameters, values, masks):
        layers = len(parameters) // 2
        for layer in range(layers):
            values = functional.linear(values, parameters[f"{3 * layer}.weight"], parameters[f"{3 * layer}.bias"])
            if layer + 1 < layers:
                values = ACTIVATIONS[activation](values)
                values = values * masks[layer] if masks else values
        return values

    return forward


def dropout_mask(numbers, shape):
    """A unit in four is dropped; the others are scaled by 1/(1 − 1/4) as nearly as a float32 can."""
    kept = torch.tensor([float(numbers.word() % 4 != 0) for _ in range(math.prod(shape))], dtype=torch.float64)
    return (kept * float(np.float32(4.0 / 3.0))).reshape(shape)


def perceptrons():
    cases = []
    for hidden in ([], [5, 4]):
        for activation in ACTIVATIONS if hidden else ["relu"]:
            for dropped in (False, True) if hidden else (False,):
                numbers = Numbers(1)
                case = {"kind": "mlp", "hidden_layers": hidden, "activation": activation}
                parameters = perceptron_parameters(numbers, [4, *hidden, 3])
                inputs = numbers.tensor([6, 4], 2.0)
                masks = [dropout_mask(numbers, [6, width]) for width in hidden] if dropped else []
                cases.append(network_case(case, numbers, parameters, inputs, 3, perceptron(activation), masks))
    return cases


def recurrent_parameters(numbers, kind, features, hidden, layers, outputs):
    gates = {"lstm": 4, "gru": 3}[kind]
    parameters = {}
    for layer in range(layers):
        width = features if layer == 0 else hidden
        parameters[f"{kind}.weight_ih_l{layer}"] = numbers.tensor([gates * hidden, width], 0.75)
        parameters[f"{kind}.weight_hh_l{layer}"] = numbers.tensor([gates * hidden, hidden], 0.75)
        parameters[f"{kind}.bias_ih_l{layer}"] = numbers.tensor([gates * hidden], 0.5)
        parameters[f"{kind}.bias_hh_l{layer}"] = numbers.tensor([gates * hidden], 0.5)
    parameters["fc.weight"] = numbers.tensor([outputs, hidden], 0.75)
    parameters["fc.bias"] = numbers.tensor([outputs], 0.5)
    return parameters


def recurrent(kind, hidden, layers):
    """The last hidden state of the last layer, through a linear layer; zero initial state."""

    def forward(parameters, values, masks):
        inner = [tensor for name, tensor in parameters.items() if not name.startswith("fc.")]
        state = values.new_zeros([layers, values.shape[0], hidden])
        call = {"lstm": torch.lstm, "gru": torch.gru}[kind]
        start = [state, state.clone()] if kind == "lstm" else state
        steps = call(values, start, inner, True, layers, 0.0, False, False, True)[0]
        last = steps[:, -1]
        last = last * masks[0] if masks else last
        return functional.linear(last, parameters["fc.weight"], parameters["fc.bias"])

    return forward


def recurrents():
    cases = []
    for kind in ("lstm", "gru"):
        for layers in (1, 2):
            for dropped in (False, True) if layers == 1 else (False,):
                numbers = Numbers(2)
                case = {"kind": kind, "hidden_size": 4, "num_layers": layers, "sequence_length": 5}
                parameters = recurrent_parameters(numbers, kind, 3, 4, layers, 2)
                inputs = numbers.tensor([4, 5, 3], 2.0)
                masks = [dropout_mask(numbers, [4, 4])] if dropped else []
                cases.append(network_case(case, numbers, parameters, inputs, 2, recurrent(kind, 4, layers), masks))
    return cases


def fuzzy(parameters, values, masks):
    """Takagi, Sugeno and Kang's first order; firing of Cui, Wu and Xu (HTSK, 2021): softmax over rules of a mean."""
    distance = values[:, None, :] - parameters["centres"]
    exponent = -(distance**2) / (2.0 * parameters["widths"] ** 2)
    firing = torch.softmax(exponent.mean(2), 1)
    consequents = torch.einsum("roi,bi->bro", parameters["consequents.weight"], values) + parameters["consequents.bias"]
    return (firing[:, :, None] * consequents).sum(1)


def fuzzy_parameters(numbers, rules, inputs, outputs):
    return {
        "centres": numbers.tensor([rules, inputs], 1.5),
        "widths": numbers.tensor([rules, inputs], 0.5) + 1.0,
        "consequents.weight": numbers.tensor([rules, outputs, inputs], 0.75),
        "consequents.bias": numbers.tensor([rules, outputs], 0.5),
    }


def fuzzies():
    cases = []
    for rules, inputs, outputs, rows in [(3, 4, 3, 6), (4, 2, 1, 6), (3, 40, 2, 3)]:
        numbers = Numbers(3)
        parameters = fuzzy_parameters(numbers, rules, inputs, outputs)
        rows_in = numbers.tensor([rows, inputs], 2.0)
        cases.append(network_case({"kind": "tsk", "rules": rules}, numbers, parameters, rows_in, outputs, fuzzy))
    return cases


# --------------------------------------------------------------------------------------------------------------------------
# Losses
# --------------------------------------------------------------------------------------------------------------------------


def focal(scores, labels, weights, gamma):
    """Mean over rows of w·(1 − p)^gamma·(−log p), not divided by the weights."""
    logarithm = torch.log_softmax(scores, 1).gather(1, labels[:, None]).squeeze(1)
    factor = (1.0 - logarithm.exp()) ** gamma
    factor = factor if weights is None else factor * weights[labels]
    return -(factor * logarithm).mean()


def class_loss(case, labels):
    def compute(leaves, kind):
        weights = case["class_weights"] and torch.tensor(case["class_weights"], dtype=kind)
        if case["loss"] == "focal":
            value = focal(leaves["scores"], labels, weights, case["gamma"])
        else:
            smoothing = case["label_smoothing"]
            value = functional.cross_entropy(leaves["scores"], labels, weights, label_smoothing=smoothing)
        return [value, *torch.autograd.grad(value, leaves["scores"])]

    return compute


def return_loss(case, labels):
    def compute(leaves, kind):
        targets = labels.to(kind)
        if case["loss"] == "huber":
            value = functional.huber_loss(leaves["scores"], targets, delta=case["delta"])
        else:
            value = functional.mse_loss(leaves["scores"], targets)
        return [value, *torch.autograd.grad(value, leaves["scores"])]

    return compute


def losses():
    numbers = Numbers(4)
    scores = numbers.tensor([7, 3], 3.0)
    # One row far beyond where e^score overflows a float32.
    scores[6] = torch.tensor([120.0, -30.0, 100.0])
    labels = torch.tensor([0, 1, 2, 0, 2, 1, 0])
    weights = [0.5, 2.0, 0.75]
    cases = []

    for chosen in (None, weights):
        for smoothing in (0.0, 0.1):
            cases.append({"loss": "cross_entropy", "class_weights": chosen, "label_smoothing": smoothing})
        for gamma in (0.0, 0.5, 2.0):
            cases.append({"loss": "focal", "class_weights": chosen, "gamma": gamma})
    written = []
    for case in cases:
        used = scores
        if case["loss"] == "focal" and case["gamma"] < 1.0:
            # At p = 1 the slope of (1 − p)^gamma is not finite there.
            used = torch.cat([scores[:6], torch.tensor([[1.0, -1.0, 0.5]], dtype=torch.float64)])
        value, gradient = twice(case, class_loss(case, labels), {"scores": used})
        written.append(loss_record(case, used, labels.tolist(), value, gradient))

    # Errors within, at and beyond either delta, in both directions.
    targets = numbers.tensor([8], 0.05)
    errors = torch.tensor([0.0, 5 / 1024, -5 / 1024, 20 / 1024, -20 / 1024, 0.75, -1.5, 2.0], dtype=torch.float64)
    for case in ({"loss": "huber", "delta": 0.01}, {"loss": "huber", "delta": 1.0}, {"loss": "mse"}):
        value, gradient = twice(case, return_loss(case, targets), {"scores": targets + errors})
        written.append(loss_record(case, targets + errors, [rounded(each) for each in targets.tolist()], value, gradient))
    return written


def loss_record(case, scores, labels, value, gradient):
    return case | {
        "scores": packed(scores),
        "labels": labels,
        "value": rounded(value.item()),
        "score_gradients": packed(gradient),
    }


# --------------------------------------------------------------------------------------------------------------------------
# Optimisers, clipping, schedules
# --------------------------------------------------------------------------------------------------------------------------


def optimiser(case, parameters):
    """An optimiser whose weight decay touches the weight and never the bias."""
    groups = [{"params": [parameters["weight"]]}, {"params": [parameters["bias"]], "weight_decay": 0.0}]
    shared = {"lr": case["learning_rate"], "weight_decay": case["weight_decay"]}
    match case["optimiser"]:
        case "adam":
            return torch.optim.Adam(groups, betas=(0.9, 0.999), eps=1e-8, **shared)
        case "adamw":
            return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, **shared)
        case "sgd":
            return torch.optim.SGD(groups, momentum=0.9, **shared)
        case "rmsprop":
            return torch.optim.RMSprop(groups, alpha=0.99, eps=1e-8, **shared)


def optimisers():
    numbers = Numbers(5)
    start = {"weight": numbers.tensor([2, 3], 1.0), "bias": numbers.tensor([2], 1.0)}
    # Sizes that differ by orders, a zero, and a sign that changes.
    scales = [1.0, -3.0, 0.01]
    steps = [{name: scale * numbers.tensor(tensor.shape, 1.0) for name, tensor in start.items()} for scale in scales]
    steps = [{name: tensor.float().double() for name, tensor in step.items()} for step in steps]
    steps[1]["weight"][0, 0] = 0.0
    cases = []

    for name in ("adam", "adamw", "sgd", "rmsprop"):
        for decay in (0.0, 0.01):
            case = {"optimiser": name, "learning_rate": 0.01, "weight_decay": decay}

            def compute(leaves, kind, case=case):
                taken = []
                chosen = optimiser(case, leaves)
                for step in steps:
                    for each, leaf in leaves.items():
                        leaf.grad = step[each].to(kind).clone()
                    chosen.step()
                    taken += [leaf.detach().clone() for leaf in leaves.values()]
                return taken

            after = twice(case, compute, start)
            pairs = [dict(zip(start, after[index : index + 2])) for index in range(0, len(after), 2)]
            record = {"parameters": named(start), "gradients": [named(step) for step in steps]}
            cases.append(case | record | {"after": [named(pair) for pair in pairs]})
    return cases


def clippings():
    numbers = Numbers(6)
    gradient = {"weight": numbers.tensor([2, 3], 1.0), "bias": numbers.tensor([2], 1.0)}
    cases = []
    for limit in (0.5, 1.0, 100.0):

        def compute(leaves, kind, limit=limit):
            for name, leaf in leaves.items():
                leaf.grad = gradient[name].to(kind).clone()
            norm = torch.nn.utils.clip_grad_norm_(list(leaves.values()), limit)
            return [norm, *(leaf.grad for leaf in leaves.values())]

        norm, *clipped = twice({"gradient_clip": limit}, compute, gradient)
        record = {"gradients": named(gradient), "norm": rounded(norm.item())}
        cases.append({"gradient_clip": limit} | record | {"after": named(dict(zip(gradient, clipped)))})
    return cases


def rates_of(epochs, make, losses=None):
    """The rate of each epoch; a schedule is stepped after validation."""
    chosen = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    schedule = make(chosen)
    rates = []
    for epoch in range(epochs):
        rates.append(rounded(chosen.param_groups[0]["lr"]))
        chosen.step()
        schedule.step(losses[epoch]) if losses else schedule.step()
    return rates


def schedules():
    rate = torch.optim.lr_scheduler
    fall = [1.0, 0.9, 0.95, 0.9, 0.91, 0.92, 0.5, 0.49999, 0.49998, 0.49997, 0.4, 0.41, 0.42, 0.43, 0.44, 0.45, 0.46, 0.3]
    cases = [
        ({"schedule": "step", "step_size": 3, "gamma": 0.1}, lambda one: rate.StepLR(one, 3, 0.1)),
        ({"schedule": "exponential", "gamma": 0.95}, lambda one: rate.ExponentialLR(one, 0.95)),
        ({"schedule": "cosine", "epochs": 12, "minimum": 0.0}, lambda one: rate.CosineAnnealingLR(one, 12)),
        ({"schedule": "cosine", "epochs": 12, "minimum": 0.001}, lambda one: rate.CosineAnnealingLR(one, 12, 0.001)),
        ({"schedule": "warm_up", "epochs": 4}, lambda one: rate.LinearLR(one, 1 / 4, 1.0, 3)),
        ({"schedule": "warm_up_then_cosine", "warm_up_epochs": 4, "epochs": 8, "minimum": 0.0}, warm_up_then_cosine),
    ]
    written = [case | {"learning_rates": rates_of(12, make)} for case, make in cases]

    plateau = {"schedule": "reduce_on_plateau", "factor": 0.5, "patience": 2, "threshold": 1e-4, "losses": fall}
    make = lambda one: rate.ReduceLROnPlateau(one, "min", 0.5, 2, 1e-4, "rel")
    return [*written, plateau | {"learning_rates": rates_of(len(fall), make, fall)}]


def warm_up_then_cosine(chosen):
    rate = torch.optim.lr_scheduler
    parts = [rate.LinearLR(chosen, 1 / 4, 1.0, 3), rate.CosineAnnealingLR(chosen, 8)]
    return rate.SequentialLR(chosen, parts, [4])


# --------------------------------------------------------------------------------------------------------------------------
# A whole training
# --------------------------------------------------------------------------------------------------------------------------

SEED = 7
WORD = 2**32 - 1


class ChaCha8:
    """ChaCha with 8 rounds (Bernstein, 2008), seeded and counted as the crate `rand_chacha` does."""

    def __init__(self, seed, stream):
        self.key = [self.word_of(state) for state in self.states_of(seed)]
        self.stream, self.block, self.words = stream, 0, []

    @staticmethod
    def states_of(state):
        for _ in range(8):
            state = (state * 0x5851F42D4C957F2D + 0xA17654E46FBE17F3) % 2**64
            yield state

    @staticmethod
    def word_of(state):
        """The output function of PCG32 (O'Neill, 2014)."""
        shifted = (((state >> 18) ^ state) >> 27) & WORD
        turn = state >> 59
        return ((shifted >> turn) | (shifted << (32 - turn))) & WORD

    def refill(self):
        constants = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
        tail = [self.block & WORD, self.block >> 32, self.stream & WORD, self.stream >> 32]
        start = [*constants, *self.key, *tail]
        state = list(start)
        for _ in range(4):
            for column in range(4):
                self.mix(state, column, column + 4, column + 8, column + 12)
            for column in range(4):
                self.mix(state, column, (column + 1) % 4 + 4, (column + 2) % 4 + 8, (column + 3) % 4 + 12)
        self.words = [(one + other) & WORD for one, other in zip(state, start)]
        self.block += 1

    @staticmethod
    def mix(state, a, b, c, d):
        for turn_d, turn_b in ((16, 12), (8, 7)):
            state[a] = (state[a] + state[b]) & WORD
            state[d] ^= state[a]
            state[d] = ((state[d] << turn_d) | (state[d] >> (32 - turn_d))) & WORD
            state[c] = (state[c] + state[d]) & WORD
            state[b] ^= state[c]
            state[b] = ((state[b] << turn_b) | (state[b] >> (32 - turn_b))) & WORD

    def next_u32(self):
        if not self.words:
            self.refill()
        return self.words.pop(0)

    def next_u64(self):
        low = self.next_u32()
        return low | (self.next_u32() << 32)


def initial_weights(widths):
    """Uniform within ±1/√inputs, in float32 as the trainer draws them."""
    generator = ChaCha8(SEED, 1)
    parameters = {}
    for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        bound = np.float32(1.0) / np.sqrt(np.float32(inputs))
        for part, shape in (("weight", [outputs, inputs]), ("bias", [outputs])):
            fractions = [np.float32(generator.next_u32() >> 8) / np.float32(2**24) for _ in range(math.prod(shape))]
            values = [float((np.float32(2.0) * fraction - np.float32(1.0)) * bound) for fraction in fractions]
            parameters[f"{3 * layer}.{part}"] = torch.tensor(values, dtype=torch.float64).reshape(shape)
    return parameters


def order_of(rows, epoch):
    """Fisher and Yates, from the last row down."""
    generator = ChaCha8(SEED, (epoch << 2) | 2)
    order = list(range(rows))
    for last in range(rows - 1, 0, -1):
        chosen = (generator.next_u64() * (last + 1)) >> 64
        order[last], order[chosen] = order[chosen], order[last]
    return order


def labelled_rows(numbers, rows):
    """Five features, and a class that depends on two of them, with noise, so that there is something to learn."""
    features = numbers.tensor([rows, 5], 2.0)
    point = features[:, 0] - 0.5 * features[:, 1] ** 2 + 0.5 * numbers.tensor([rows], 1.0)
    return features, (point > -0.25).long() + (point > 0.75).long()


def curve(case, train, validation, orders):
    """Losses of each epoch, then the last weights."""
    loss = lambda scores, labels, weights: functional.cross_entropy(scores, labels, weights)
    forward = perceptron(case["activation"])

    def compute(leaves, kind):
        weights = torch.tensor(case["class_weights"], dtype=kind)
        decayed = [leaf for name, leaf in leaves.items() if name.endswith("weight")]
        others = [leaf for name, leaf in leaves.items() if name.endswith("bias")]
        groups = [{"params": decayed, "weight_decay": case["weight_decay"]}, {"params": others}]
        adam = torch.optim.Adam(groups, lr=case["learning_rate"])
        train_losses, validation_losses = [], []
        for order in orders:
            total = 0.0
            for start in range(0, len(order), case["batch_size"]):
                rows = torch.tensor(order[start : start + case["batch_size"]])
                value = loss(forward(leaves, train[0][rows].to(kind), []), train[1][rows], weights)
                adam.zero_grad()
                value.backward()
                torch.nn.utils.clip_grad_norm_(list(leaves.values()), case["gradient_clip"])
                adam.step()
                total += value.item() * len(rows)
            train_losses.append(total / len(order))
            with torch.no_grad():
                validation_losses.append(loss(forward(leaves, validation[0].to(kind), []), validation[1], weights).item())
        return [torch.tensor(train_losses).double(), torch.tensor(validation_losses).double(), *leaves.values()]

    return compute


def curves():
    numbers = Numbers(8)
    train, validation = labelled_rows(numbers, 60), labelled_rows(numbers, 20)
    counts = torch.bincount(train[1], minlength=3).tolist()
    inverse = [1 / count for count in counts]
    case = {
        "kind": "mlp",
        "hidden_layers": [8, 4],
        "activation": "tanh",
        "optimiser": "adam",
        "seed": SEED,
        "epochs": 20,
        "batch_size": 16,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "gradient_clip": 1.0,
        "class_weights": [rounded(each * 3 / sum(inverse)) for each in inverse],
    }
    orders = [order_of(60, epoch) for epoch in range(1, 21)]
    start = initial_weights([5, 8, 4, 3])
    written = []
    for activation in ("tanh", "relu"):
        chosen = case | {"activation": activation}
        train_losses, validation_losses, *after = twice(chosen, curve(chosen, train, validation, orders), start)
        data = {"train": part(train), "validation": part(validation), "orders": orders, "parameters": named(start)}
        figures = {"train_losses": packed(train_losses)["values"], "validation_losses": packed(validation_losses)["values"]}
        written.append(chosen | data | figures | {"after": named(dict(zip(start, after)))})
    return written


def part(rows):
    return {"features": packed(rows[0]), "labels": rows[1].tolist()}


def main():
    torch.set_num_threads(1)
    write("mlp.json", perceptrons())
    write("recurrent.json", recurrents())
    write("tsk.json", fuzzies())
    write("losses.json", losses())
    write("optimisers.json", optimisers())
    write("clipping.json", clippings())
    write("schedules.json", schedules())
    write("curve.json", curves())


if __name__ == "__main__":
    main()
