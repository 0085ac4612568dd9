"""Plays the trades of some sets of work W2 with vectorbt; run by a Python that has it, which needs nothing else.

Usage: PYTHON benchmarks/_vectorbt.py FILE
FILE is what ``backtest_w2.py`` writes: prices of both legs and orders, four columns for each set. Prints one line of
JSON: version, seconds of the processor for a set, and what each set has at the end.
"""

import json
import sys
import time

import numpy as np
import vectorbt


def main() -> None:
    """Play twice, the first time to compile; print."""
    with np.load(sys.argv[1]) as file:
        close, size, fees, cash = file["close"], file["size"], file["fees"], float(file["cash"])
    sets = close.shape[1] // 4
    groups = np.repeat(np.arange(sets), 4)
    for _ in range(2):
        began = time.process_time()
        portfolio = vectorbt.Portfolio.from_orders(
            close, size=size, fees=fees, init_cash=cash, cash_sharing=True, group_by=groups, freq="5min"
        )
        values = portfolio.final_value()
        seconds = time.process_time() - began
    print(json.dumps({"version": vectorbt.__version__, "seconds": seconds / sets, "values": np.array(values).tolist()}))


if __name__ == "__main__":
    main()
