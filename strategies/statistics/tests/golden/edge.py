# Makes distributions.json, rank_ic.json and sharpe.json beside it: answers of independent programs, the PyPI packages
# scipy, statsmodels, pandas, holdout-backtest and purgedcv.
#
# usage: pip install holdout-backtest purgedcv scipy statsmodels pandas; python3 edge.py
import json
import math
import pathlib

import numpy
import pandas
import statsmodels.api
from holdout import deflated, multiple, sharpe
from purgedcv import _metrics as purgedcv
from scipy import stats
from statsmodels.stats.multitest import multipletests

FOLDER = pathlib.Path(__file__).parent
generator = numpy.random.default_rng(20261128)


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value) + "\n")


def distributions():
    xs = [-8.0, -3.1, -1.0, -0.2, 0.0, 0.7, 1.96, 5.5]
    tails = [1e-9, 0.0001, 0.01, 0.025, 0.3, 0.5, 0.9, 0.999]
    normal = [
        {"x": x, "below": float(stats.norm.cdf(x)), "tail": tail, "exceeded_by": float(stats.norm.isf(tail))}
        for x, tail in zip(xs, tails)
    ]
    student = [
        {"t": t, "degrees": degrees, "beyond": float(2 * stats.t.sf(abs(t), degrees))}
        for t in [0.1, -1.3, 2.1, 4.7, 30.0]
        for degrees in [1.0, 4.5, 17.3, 250.0, 12345.6]
    ]
    write("distributions.json", {"normal": normal, "student": student})


def panel(symbols, instants, horizon, alike, digits):
    """Forward returns over `horizon` bars that overlap; symbols share a part of their moves, and of their signals."""
    common = generator.normal(size=instants + horizon)
    common_signal = alike * generator.normal(size=instants)
    rows = []
    for symbol in range(symbols):
        moves = alike * common + generator.normal(size=instants + horizon)
        forward = numpy.convolve(moves[1:], numpy.ones(horizon), "valid")[:instants] * 0.01
        signal = 0.15 * forward / forward.std() + pandas.Series(generator.normal(size=instants)).ewm(span=5).mean()
        signal += common_signal
        # A symbol lacks some of the instants.
        there = generator.random(instants) < (1.0 if symbols == 1 else 0.9)
        for instant in numpy.flatnonzero(there):
            rows.append((round(float(signal[instant]), digits), round(float(forward[instant]), 4), symbol, int(instant)))
    signal, forward, symbol, instant = (list(column) for column in zip(*rows))

    count = len(set(instant))
    lags = max(2 * horizon, math.ceil(1.3 * math.sqrt(count)))
    ranks = lambda values: (lambda r: (r - r.mean()) / r.std())(stats.rankdata(values))
    model = statsmodels.api.OLS(ranks(forward), statsmodels.api.add_constant(ranks(signal)))
    fit = model.fit()
    by_symbol = fit.get_robustcov_results(
        "hac-panel", groups=numpy.array(symbol), maxlags=lags, use_correction="hac"
    ) if symbols > 1 else fit.get_robustcov_results("HAC", maxlags=lags, use_correction=True)
    by_instant = fit.get_robustcov_results(
        "hac-groupsum", time=numpy.array(instant), maxlags=lags, use_correction="hac"
    ) if symbols > 1 else by_symbol
    careful = min(abs(by_symbol.tvalues[1]), abs(by_instant.tvalues[1]))
    rank = stats.rankdata(signal)
    tenth = numpy.floor(10 * (rank - 0.5) / len(rank))
    means = pandas.Series(forward).groupby(tenth).mean()
    return {
        "signal": signal, "forward": forward, "symbol": symbol, "instant": instant, "horizon": horizon, "lags": lags,
        "spearman": float(stats.spearmanr(signal, forward).statistic),
        "decile_spread": float(means[9] - means[0]),
        "t_by_symbol": float(by_symbol.tvalues[1]),
        "t_by_instant": float(by_instant.tvalues[1]),
        "p": float(2 * stats.t.sf(careful, 1.5 * count / (lags + 1))),
    }


def sharpes():
    of_holdout = []
    of_purgedcv = []
    for size, candidates, skewed in [(30, 2, 0), (100, 7, 0), (100, 50, 1), (250, 100, -1), (61, 1, 1)]:
        returns = 0.001 + 0.01 * generator.normal(size=size)
        returns = numpy.round(returns + skewed * 0.01 * generator.exponential(size=size), 6)
        variance = round(0.3 / size, 6)
        benchmark = 0.02
        estimate = sharpe.estimate_sharpe(returns)
        shape = {"skewness": estimate.skewness, "kurtosis": estimate.kurtosis}
        of_holdout.append({
            "returns": returns.tolist(), "benchmark": benchmark, "candidates": candidates, "variance": variance,
            "ratio": estimate.value, **shape,
            "probability": deflated.probabilistic_sharpe_ratio(estimate.value, size, benchmark=benchmark, **shape),
            "maximum": deflated.expected_maximum_sharpe(candidates, variance),
            "deflated": deflated.deflated_sharpe_ratio(
                estimate.value, size, n_trials=candidates, trials_variance=variance, **shape
            ),
        })
        ratio, skewness, kurtosis = purgedcv._sharpe_moments(returns)
        of_purgedcv.append({
            "ratio": ratio, "observations": size, "skewness": skewness, "kurtosis": kurtosis,
            "benchmark": benchmark, "candidates": candidates, "variance": variance,
            "probability": purgedcv.probabilistic_sharpe_ratio(returns, benchmark),
            "deflated": purgedcv.deflated_sharpe_ratio(returns, candidates, variance),
        })
    holm = []
    for size in [1, 2, 7, 50]:
        p = numpy.round(generator.random(size) ** 3, 6)
        holm.append({
            "p": p.tolist(),
            "holdout": multiple.adjust_pvalues(p, "holm").tolist(),
            "statsmodels": multipletests(p, method="holm")[1].tolist(),
        })
    write("sharpe.json", {"holdout": of_holdout, "purgedcv": of_purgedcv, "holm": holm})


distributions()
write("rank_ic.json", [
    panel(1, 60, 1, 0.0, 4),
    panel(1, 200, 20, 0.0, 4),
    panel(1, 120, 5, 0.0, 1),
    panel(3, 100, 1, 0.1, 4),
    panel(4, 90, 8, 0.0, 1),
    panel(5, 60, 2, 2.0, 4),
    panel(4, 70, 1, 0.0, 4),
])
sharpes()
