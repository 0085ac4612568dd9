"""Trades of one hedge during which another hedge gets into danger, so that the trade has to give way."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.clock import VirtualClock
from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.simulation.faults.incidents import Closure, Deleveraging, HandCover, Incident, PriceJump, Reopening

__all__ = ["Danger", "Interruption", "Interruptions"]


class Danger(StrEnum):
    """What happens to the other hedge."""

    COVERED = "covered"
    """The owner buys back a part of its short."""
    DELEVERAGED = "deleveraged"
    """The venue closes a part of its short."""
    RISE = "rise"
    """Its price rises: margin has to be moved, or a part to be closed."""


class Interruption(Struct, frozen=True, kw_only=True, tag="interruption"):
    """From ``at`` on, the next trade that begins beside another hedge is interrupted by a danger of that one."""

    at: datetime
    kind: ExecutionKind | None
    """Of the trade; None = any."""
    after_seconds: float
    """Until the danger, from the beginning of the trade."""
    danger: Danger
    fraction: Decimal
    """Of the short that is taken, or by which the price rises."""
    closed: tuple[Market, ...] = ()
    """Markets of the traded pair that take no orders from a second after its beginning on, so that the trade waits."""
    closed_seconds: float = 0.0

    def acts(self, traded: str, other: str, now: datetime) -> tuple[Incident, ...]:
        """Return what happens, in its order: ``traded`` is the pair of the trade that begins now."""
        found: list[Incident] = [self._danger(other, now + timedelta(seconds=self.after_seconds))]
        if self.closed:
            begin, end = now + timedelta(seconds=1), now + timedelta(seconds=1 + self.closed_seconds)
            hours = self.closed_seconds / 3600
            found += [
                Closure(at=begin, status=TradingStatus.CLOSED, markets=self.closed, hours=hours, symbol=traded),
                Reopening(at=end, symbol=traded),
            ]
        return tuple(sorted(found, key=lambda act: act.at))

    def _danger(self, symbol: str, at: datetime) -> Incident:
        if self.danger is Danger.COVERED:
            return HandCover(at=at, fraction=self.fraction, symbol=symbol)
        if self.danger is Danger.DELEVERAGED:
            return Deleveraging(at=at, fraction=self.fraction, symbol=symbol)
        return PriceJump(at=at, factor=1 + self.fraction, symbol=symbol)


class Interruptions:
    """Waits for the trades that are to be interrupted, and lets the dangers happen in time."""

    def __init__(
        self, drawn: Sequence[Interruption], clock: VirtualClock, inject: Callable[[Incident], object]
    ) -> None:
        self._waiting = sorted(drawn, key=lambda each: each.at)
        self._clock = clock
        self._inject = inject
        self._due = asyncio.Queue[tuple[Incident, ...]]()
        self.endings: list[Reopening] = []
        """What is still due when the run ends."""

    def on_notice(self, notice: Notice) -> None:
        """Begin the next interruption where a trade begins that it is drawn for."""
        if not self._waiting or not isinstance(notice, Recorded) or not isinstance(notice.event, ev.ExecutionStarted):
            return
        first, job, now = self._waiting[0], notice.event.execution, self._clock.now()
        others = [hedge.symbol for hedge in notice.after.judged_hedges if hedge.symbol != job.symbol]
        if first.at > now or first.kind not in {None, job.kind} or not others:
            return
        self._waiting.pop(0)
        acts = first.acts(job.symbol, others[first.at.microsecond % len(others)], now)
        self.endings += [act for act in acts if isinstance(act, Reopening)]
        self._due.put_nowait(acts)

    async def run(self) -> None:
        """Let everything happen that is due, one interruption after the other."""
        while True:
            for act in await self._due.get():
                await self._clock.sleep(max(0.0, (act.at - self._clock.now()).total_seconds()))
                self._inject(act)
                if isinstance(act, Reopening):
                    self.endings.remove(act)
