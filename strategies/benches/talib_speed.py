# Times TA-Lib on the bars and parameters of benches/speed.rs: nanoseconds a row, best of the repetitions.
#
# python3 -m venv <dir> && <dir>/bin/pip install TA-Lib numpy && <dir>/bin/python strategies/benches/talib_speed.py
# Output arrays are made by the call, inputs exist before it.
import time

import numpy as np
import talib

ROWS = 100_000
REPETITIONS = 300

x = np.arange(ROWS, dtype=np.float64)
open_ = 100.0 + 10.0 * np.sin(x / 700.0) + np.sin(x / 11.0) + 0.3 * np.sin(x * 1.7)
close = open_ + 0.2 * np.cos(x * 2.3)
high = np.maximum(open_, close) + 0.1 + 0.1 * np.sin(x * 0.9)
low = np.minimum(open_, close) - 0.1 - 0.1 * np.sin(x * 0.7)
volume = 1e6 + 1e5 * np.sin(x * 0.3)

CALLS = {
    "sma": lambda: talib.SMA(close, 20),
    "ema": lambda: talib.EMA(close, 20),
    "wma": lambda: talib.WMA(close, 20),
    "dema": lambda: talib.DEMA(close, 20),
    "tema": lambda: talib.TEMA(close, 20),
    "kama": lambda: talib.KAMA(close, 10),
    "trix": lambda: talib.TRIX(close, 15),
    "rsi": lambda: talib.RSI(close, 14),
    "roc": lambda: talib.ROC(close, 10),
    "momentum": lambda: talib.MOM(close, 10),
    "macd": lambda: talib.MACD(close, 12, 26, 9),
    "bollingerbands": lambda: talib.BBANDS(close, 20, 2, 2),
    "stddev": lambda: talib.STDDEV(close, 20),
    "linearregslope": lambda: talib.LINEARREG_SLOPE(close, 14),
    "cci": lambda: talib.CCI(high, low, close, 20),
    "williamsr": lambda: talib.WILLR(high, low, close, 14),
    "stochastic": lambda: talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
    "aroon": lambda: (talib.AROON(high, low, 14), talib.AROONOSC(high, low, 14)),
    "atr": lambda: talib.ATR(high, low, close, 14),
    "natr": lambda: talib.NATR(high, low, close, 14),
    "truerange": lambda: talib.TRANGE(high, low, close),
    "adx": lambda: (
        talib.ADX(high, low, close, 14),
        talib.PLUS_DI(high, low, close, 14),
        talib.MINUS_DI(high, low, close, 14),
    ),
    "parabolicsar": lambda: talib.SAR(high, low, 0.02, 0.2),
    "ultosc": lambda: talib.ULTOSC(high, low, close, 7, 14, 28),
    "donchianchannels": lambda: (talib.MAX(high, 20), talib.MIDPRICE(high, low, 20), talib.MIN(low, 20)),
    "obv": lambda: talib.OBV(close, volume),
    "mfi": lambda: talib.MFI(high, low, close, volume, 14),
    "adline": lambda: talib.AD(high, low, close, volume),
}

for name, call in CALLS.items():
    call()
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    print(f"{name} {min(times) / ROWS:.2f}")
