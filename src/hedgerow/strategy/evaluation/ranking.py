"""Signals: funding of every pair over its window, ranked; recomputed only when a rate has changed."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.domain.funding import FundingRate, FundingSignal, RateBoard
from hedgerow.domain.market import MarketView
from hedgerow.strategy import rules
from hedgerow.strategy.parameters import FundingRateStrategy

__all__ = ["Ranker", "Ranking", "rank", "signal_of"]


class Ranking(Struct, frozen=True, kw_only=True):
    """Signals of all pairs, best first; ties keep the venue's order."""

    ordered: tuple[FundingSignal, ...] = ()
    """Pairs with a full window."""
    short: Mapping[str, FundingSignal] = field(default_factory=dict[str, FundingSignal])
    """Pairs with too few prints, or with the newest missing: not eligible, but a held one is judged by what it has."""
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why a pair has no eligible signal, by symbol."""
    by_symbol: Mapping[str, FundingSignal] = field(default_factory=dict[str, FundingSignal])

    def signal(self, symbol: str) -> FundingSignal | None:
        """Return the pair's signal if its window is full."""
        return self.by_symbol.get(symbol)

    def held_signal(self, symbol: str) -> FundingSignal | None:
        """Return the pair's signal from as many prints as there are."""
        return self.by_symbol.get(symbol) or self.short.get(symbol)

    def by(self, score: Callable[[FundingSignal], float]) -> "Ranking":
        """Return the same signals ordered by another score, highest first."""
        return replace(self, ordered=tuple(sorted(self.ordered, key=score, reverse=True)))


class Ranker:
    """Ranks a market and keeps the result until a new settlement replaces the rate board.

    Remembers one board only; the result is a pure function of it.
    """

    def __init__(self, parameters: FundingRateStrategy) -> None:
        self._parameters = parameters
        self._board: RateBoard | None = None
        self._ranking = Ranking()
        self._pairs = -1

    def rank(self, market: MarketView) -> Ranking:
        """Return the ranking of every pair of ``market``."""
        if not self._parameters.use_funding_ma:
            return rank(market, self._parameters)
        board, count = market.rates, len(market.pairs)
        if board is not self._board or count != self._pairs:
            self._ranking = rank(market, self._parameters)
            self._board, self._pairs = board, count
        return self._ranking


def rank(market: MarketView, parameters: FundingRateStrategy) -> Ranking:
    """Rank every pair of ``market`` by funding APR."""
    board, periods = market.rates, parameters.funding_ma_periods
    full: list[FundingSignal] = []
    short: dict[str, FundingSignal] = {}
    missing: dict[str, str] = {}
    for pair in market.pairs:
        symbol = pair.symbol
        predicted = None if parameters.use_funding_ma else market.predicted(symbol)
        signal = signal_of(board.newest(symbol, periods), parameters, predicted)
        if signal is None:
            missing[symbol] = "no settled rate" if parameters.use_funding_ma else "predicted rate unreadable"
        elif signal.moving_average and signal.periods < periods:
            short[symbol] = signal
            missing[symbol] = f"{signal.periods} of {periods} settled rates"
        elif signal.moving_average and symbol in board.overdue:
            short[symbol] = signal
            missing[symbol] = f"the rate settled at {board.overdue[symbol]:%Y-%m-%d %H:%M} UTC is not listed yet"
        else:
            full.append(signal)
    return Ranking(
        ordered=tuple(sorted(full, key=_apr, reverse=True)),
        short=short,
        missing=missing,
        by_symbol={signal.symbol: signal for signal in full},
    )


def signal_of(
    rates: Sequence[FundingRate], parameters: FundingRateStrategy, predicted: FundingRate | None = None
) -> FundingSignal | None:
    """Return the signal of one pair from its newest settled rates, oldest first, or None without any.

    With ``use_funding_ma`` off the predicted rate alone counts.
    """
    if not parameters.use_funding_ma:
        return None if predicted is None else _signal((predicted,), moving_average=False)
    window = rates[-parameters.funding_ma_periods :]
    return _signal(window, moving_average=True) if window else None


def _signal(window: Sequence[FundingRate], *, moving_average: bool) -> FundingSignal:
    interval = window[-1].interval_hours
    rates, hours = [float(print_.rate) for print_ in window], [float(print_.interval_hours) for print_ in window]
    rate_sum, hours_sum = rules.window_sums(rates, hours, len(window), len(window))
    mean = rate_sum / hours_sum * interval
    return FundingSignal(
        symbol=window[-1].symbol,
        mean=mean,
        stdev=_stdev(rates, hours, mean, interval),
        apr=rules.funding_apr(rate_sum, hours_sum),
        periods=len(window),
        interval_hours=interval,
        moving_average=moving_average,
    )


def _stdev(rates: list[float], hours: list[float], mean: float, interval: int) -> float:
    # A print over another interval is brought to the newest interval's length and weighs by its hours.
    squares = 0.0
    for rate, weight in zip(rates, hours, strict=True):
        squares += weight * (rate * interval / weight - mean) ** 2
    return sqrt(squares / sum(hours))


def _apr(signal: FundingSignal) -> float:
    return signal.apr
