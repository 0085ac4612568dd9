"""Settled funding of every pair, rebuilt only when a pair has settled."""

from datetime import datetime

from hedgerow.domain.funding import RateBoard
from hedgerow.emulator.core.funding import may_settle
from hedgerow.ports import MarketData

__all__ = ["RateFeed"]


class RateFeed:
    """The newest settled rates, read from the tape only around full hours."""

    def __init__(self, market_data: MarketData) -> None:
        self._market_data = market_data
        self._board: RateBoard | None = None
        self._periods = 0
        self._read_at: datetime = market_data.start

    def board(self, periods: int, now: datetime) -> RateBoard:
        """Return at least ``periods`` newest rates per symbol where they exist; times asked for never run back."""
        if self._board is None or periods > self._periods:
            newest = {
                p.symbol: self._market_data.newest_settled(p.symbol, now, periods) for p in self._market_data.pairs
            }
            self._board, self._periods = RateBoard(settled=newest), periods
        elif may_settle(self._read_at, now):
            self._board = self._refreshed(self._board, now)
        self._read_at = now
        return self._board

    def _refreshed(self, board: RateBoard, now: datetime) -> RateBoard:
        settled, since = self._market_data.settled, self._read_at
        fresh = {symbol: rates for symbol in board.settled if (rates := settled(symbol, since, now))}
        if not fresh:
            return board
        return RateBoard(settled={s: (*old, *fresh.get(s, ()))[-self._periods :] for s, old in board.settled.items()})
