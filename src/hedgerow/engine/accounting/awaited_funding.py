"""Funding settlements through which the hedge was held and whose payment is not listed yet."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from msgspec import Struct

from hedgerow.domain.funding import FundingRate
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition
from hedgerow.engine.backoff import backoff_seconds
from hedgerow.strategy.evidence.funding_reports import OFF_STAMP

__all__ = ["AwaitedFunding", "settled_rates"]

SETTLED_RATES = 24
"""How many settlements are held against the payments for them; those of a day where the interval is an hour."""

SAY_AFTER, GIVE_UP_AFTER = timedelta(hours=1), timedelta(days=7)
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 30.0, 3600.0
"""Pause before the rows are read again for a payment that is missing: doubled each time."""


class _Settlement(Struct, kw_only=True):
    symbol: str
    at: datetime
    said: bool = False


class AwaitedFunding:
    """Holds each settled rate of the held symbol against the payments that are booked."""

    def __init__(self) -> None:
        self._missing: dict[tuple[str, datetime], _Settlement] = {}
        self._newest: dict[str, datetime] = {}
        """Stamp of the newest settlement that was looked at, by symbol of an open hedge."""
        self._looks = 0
        self._again_at: datetime | None = None

    @property
    def stamps(self) -> list[datetime]:
        """The settlements whose payment is missing."""
        return [settlement.at for settlement in self._missing.values()]

    def awaits(self, symbol: str, at: datetime) -> bool:
        """Return whether the payment of a symbol's settlement at this time is missing."""
        return any(each.symbol == symbol and abs(each.at - at) <= OFF_STAMP for each in self._missing.values())

    def due(self, now: datetime) -> bool:
        """Return whether to read the rows again."""
        return bool(self._missing) and (self._again_at is None or now >= self._again_at)

    def expect(self, ledger: Ledger, settled: Sequence[FundingRate]) -> None:
        """Add the settlements that an open hedge was certainly held at and was not paid for."""
        for hedge in ledger.open_hedges if ledger.books_since is not None else ():
            if hedge.history_known:
                self._expect_of(hedge, max(hedge.opened_at + OFF_STAMP, ledger.books_since or hedge.opened_at), settled)

    def _expect_of(self, hedge: HedgedPosition, since: datetime, settled: Sequence[FundingRate]) -> None:
        symbol = hedge.symbol
        known = max(since, self._newest.get(symbol, since))
        if not settled or (settled[-1].symbol == symbol and settled[-1].at <= known):
            return  # most checks see that the newest is known
        # Each symbol's own are sorted: nothing is missed by looking no further than the first one that is known.
        own = (rate for rate in reversed(settled) if rate.symbol == symbol)
        for rate in reversed(list(takewhile(lambda rate: rate.at > known, own))):
            self._newest[symbol] = rate.at
            if rate.rate and not _paid(hedge, rate.at):
                self._missing[rate.symbol, rate.at] = _Settlement(symbol=rate.symbol, at=rate.at)
                self._looks, self._again_at = 0, None

    def looked(self, ledger: Ledger, now: datetime) -> list[str]:
        """Drop what was paid since, and what is too old; return a line for each that is missing for long, once."""
        hedges = [*ledger.open_hedges, *(closed.hedge for closed in ledger.closed)]
        self._missing = {
            key: settlement
            for key, settlement in self._missing.items()
            if now - settlement.at <= GIVE_UP_AFTER and not _paid_any(hedges, settlement)
        }
        self._looks += 1
        pause = backoff_seconds(FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, self._looks)
        self._again_at = now + timedelta(seconds=pause)
        return [self._say(s) for s in self._missing.values() if not s.said and now - s.at > SAY_AFTER]

    def _say(self, settlement: _Settlement) -> str:
        settlement.said = True
        stamp = f"{settlement.at:%Y-%m-%d %H:%M} UTC"
        return f"No funding payment of {settlement.symbol} is listed for the settlement of {stamp}; booked when it is"


def settled_rates(market: MarketView | None, hedges: Iterable[HedgedPosition]) -> list[FundingRate]:
    """Return the newest settled rates of the held pairs; none where they cannot be seen."""
    if market is None:
        return []
    return [rate for hedge in hedges for rate in market.rates.newest(hedge.symbol, SETTLED_RATES)]


def _paid_any(hedges: Iterable[HedgedPosition], settlement: _Settlement) -> bool:
    return any(hedge.symbol == settlement.symbol and _paid(hedge, settlement.at) for hedge in hedges)


def _paid(hedge: HedgedPosition, stamp: datetime) -> bool:
    return any(abs(at - stamp) <= OFF_STAMP for at in hedge.paid_at)
