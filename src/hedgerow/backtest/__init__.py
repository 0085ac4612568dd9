"""Backtests on market history: the rules compiled, the engine replayed, and the best that hindsight could have done."""
