# Makes cscv.json: probabilities of backtest overfitting by an independent program, the PyPI package holdout-backtest.
#
# usage: pip install holdout-backtest; python3 cscv.py >cscv.json
#
# Each case has losses[candidate][block]. The package takes returns by period and wants two periods a block at least: every loss stands twice,
# negated, and the metric is their sum, which is exact. Two cases have candidates that are equal on some halves.
import json

import numpy
from holdout import probability_of_backtest_overfitting

generator = numpy.random.default_rng(20261128)
cases = []
for candidates, blocks, levels in [(2, 4, 1000), (5, 6, 1000), (9, 8, 1000), (4, 6, 3), (6, 8, 4), (3, 16, 1000)]:
    losses = generator.integers(0, levels, (candidates, blocks)) + numpy.arange(candidates)[:, None] * (levels // 8)
    returns = numpy.repeat(-losses.T.astype(float), 2, axis=0)
    result = probability_of_backtest_overfitting(returns, n_blocks=blocks, metric=lambda block: block.sum(axis=0))
    cases.append({"losses": losses.tolist(), "probability": result.pbo, "splits": len(result.logits)})
print(json.dumps(cases))
