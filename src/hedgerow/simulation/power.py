"""Power cuts: the process of the bot dies before or after any append to its log, or around any call of the venue.

Nothing graceful happens then: the exception passes every handler of the bot, and store and venue are dead to the old
life, so that nobody hears its last words.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from hedgerow.domain.account import AccountView, OpenOrder, PerpPosition
from hedgerow.domain.commands import Command
from hedgerow.domain.events import Event
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.ports import StatementRow, Store, Venue

__all__ = ["CrashingStore", "CrashingVenue", "Plug", "PowerCut"]

Answer = TypeVar("Answer")


class PowerCut(BaseException):
    """The process is gone; nothing in the bot may catch this."""


class Plug:
    """Counts the moments at which the power may fail; fails at the one numbered ``at``, from 0, and stays dead."""

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self.passed: list[str] = []
        self.dead = False
        self.pulled: Callable[[], None] = lambda: None
        """Called when the power fails, wherever in the process that was noticed."""

    def fail_after(self, moments: int) -> None:
        """Let the power fail once so many further moments have passed."""
        self._at = len(self.passed) + moments

    def moment(self, what: str) -> None:
        """Pass a moment, or die in it.

        Raises:
            PowerCut: the power fails now, or has failed before.
        """
        if not self.dead:
            self.dead = self._at == len(self.passed)
            self.passed.append(what)
            if self.dead:
                self.pulled()
        if self.dead:
            raise PowerCut(what)


class CrashingStore:
    """A store whose power fails before an append reaches it, or after it was committed."""

    def __init__(self, inner: Store, plug: Plug) -> None:
        self._inner = inner
        self._plug = plug

    async def load(self) -> Ledger:
        """Load the log; the power holds."""
        return await self._inner.load()

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append, unless the power fails before; it may fail after as well."""
        what = f"append {'+'.join(type(event).__name__ for event in events)}"
        self._plug.moment(f"before {what}")
        await self._inner.append(events, durable=durable)
        self._plug.moment(f"after {what}")

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return events; the power holds."""
        return await self._inner.events(after=after)

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep a snapshot, unless the power fails before."""
        self._plug.moment("before snapshot")
        await self._inner.snapshot(ledger)

    async def close(self) -> None:
        """Release the log, unless the power failed.

        Raises:
            PowerCut: it has.
        """
        if self._plug.dead:
            raise PowerCut("close")
        await self._inner.close()


class CrashingVenue:
    """A venue whose power fails before a call leaves, or after it was carried out and before its answer is heard."""

    def __init__(self, inner: Venue, plug: Plug) -> None:
        self._inner = inner
        self._plug = plug

    async def _call(self, what: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        self._plug.moment(f"before {what}")
        answer = await call()
        self._plug.moment(f"after {what}")
        return answer

    @property
    def name(self) -> str:
        """Name for people."""
        return self._inner.name

    async def market(self, periods: int) -> MarketView:
        """Read the market."""
        return await self._call("market", lambda: self._inner.market(periods))

    async def account(self) -> AccountView:
        """Read the account."""
        return await self._call("account", self._inner.account)

    async def position(self, symbol: str) -> PerpPosition:
        """Read one position."""
        return await self._call("position", lambda: self._inner.position(symbol))

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read a book."""
        return await self._call("depth", lambda: self._inner.depth(market, symbol))

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        """Read a pair."""
        return await self._call("pair", lambda: self._inner.pair(symbol, fresh=fresh))

    def blocked_seconds(self, market: Market) -> float:
        """Pass through."""
        return self._inner.blocked_seconds(market)

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Read resting orders."""
        return await self._call("open orders", lambda: self._inner.open_orders(symbol))

    def reserve(self, command: Command) -> int | None:
        """Pass through."""
        return self._inner.reserve(command)

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Carry out a command."""
        return await self._call(f"submit {type(command).__name__}", lambda: self._inner.submit(command))

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Look an order up."""
        return await self._call("resolve", lambda: self._inner.resolve(request))

    async def watch(self, request: OrderRequest, filled: Decimal, seconds: float) -> tuple[Event, ...]:
        """Wait for a resting order."""
        return await self._call("watch", lambda: self._inner.watch(request, filled, seconds))

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Read trades."""
        return await self._call("fills", lambda: self._inner.fills(market, symbol, since))

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Read funding payments."""
        return await self._call("funding payments", lambda: self._inner.funding_payments(since))

    async def statement(self, since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        """Read statement rows."""
        return await self._call("statement", lambda: self._inner.statement(since, until))
