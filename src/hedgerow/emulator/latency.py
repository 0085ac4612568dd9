"""Latency of a request: drawn from a declared distribution by an injected random source."""

from math import log
from random import Random

from msgspec import Struct

__all__ = ["LatencyModel"]


class LatencyModel(Struct, frozen=True, kw_only=True):
    """Log-normal one-way delay: ``median_seconds``, and ``spread`` = its 84th percentile / median."""

    median_seconds: float
    spread: float = 1.5

    def __post_init__(self) -> None:
        if self.median_seconds < 0 or self.spread < 1:
            raise ValueError(f"a latency is not negative and spreads by at least 1: {self}")

    def draw(self, random: Random) -> float:
        """Return one delay in seconds."""
        return self.median_seconds * random.lognormvariate(0.0, log(self.spread))
