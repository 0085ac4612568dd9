"""Observes market and account together. A part that cannot be read is missing, never zero or flat."""

from collections.abc import Awaitable
from typing import TypeVar

from hedgerow.domain.account import AccountView
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.decisions.alarms import GRACE
from hedgerow.strategy.observation import Observation
from hedgerow.tasks import all_of

__all__ = ["observe", "observe_settled", "read_books"]

LAG_SECONDS = 1.0
"""Pause before an account that lags is read again."""

Read = TypeVar("Read")


async def observe(venue: Venue, clock: Clock, periods: int) -> Observation:
    """Read market and account at once."""
    if getattr(venue, "never_waits", False):  # two tasks would cost as much as what they do
        market, account = await _readable(venue.market(periods)), await _readable(venue.account())
    else:
        market, account = await all_of(_readable(venue.market(periods)), _readable(venue.account()))
    unread: tuple[str, ...] = ()
    if isinstance(market, VenueError) or isinstance(account, VenueError):
        parts = (("market", market), ("account", account))
        unread = tuple(f"{name}: {part}" for name, part in parts if isinstance(part, VenueError))
    return Observation(
        at=clock.now(),
        market=None if isinstance(market, VenueError) else market,
        account=None if isinstance(account, VenueError) else account,
        unread=unread,
    )


async def observe_settled(venue: Venue, clock: Clock, periods: int, ledger: Ledger) -> Observation:
    """Read both, again and again while the account lags behind our own trades, until ``GRACE`` after the last of them.

    What was traded is in the books once its trades were reported; an account that agrees with them then has caught up.
    """
    begun = clock.monotonic()
    while True:
        observation = await observe(venue, clock, periods)
        account, traded = observation.account, ledger.traded_at
        if account is None or traded is None or ledger.jobs:
            return observation
        if clock.now() >= traded + GRACE or clock.monotonic() - begun >= GRACE.total_seconds():
            return observation  # before the books are compared, which most checks need not do
        if _caught_up(ledger, account):
            return observation
        await clock.sleep(LAG_SECONDS)


def _caught_up(ledger: Ledger, account: AccountView) -> bool:
    """Return whether an account shows all that we did; where trades are not reported yet, books prove nothing."""
    lately = [*ledger.live_hedges, *(closed.hedge for closed in ledger.closed[-1:])]
    reported = not any(hedge.unsettled for hedge in lately)
    return reported and not books_difference(ledger.books, account)


async def read_books(venue: Venue, symbol: str) -> tuple[Depth | None, Depth | None]:
    """Read both legs' books at once: spot, perpetual; None where one is unreadable."""
    spot, perp = await all_of(_readable(venue.depth(Market.SPOT, symbol)), _readable(venue.depth(Market.PERP, symbol)))
    return (None if isinstance(spot, VenueError) else spot, None if isinstance(perp, VenueError) else perp)


async def _readable(reading: Awaitable[Read]) -> Read | VenueError:
    try:
        return await reading
    except VenueError as unreadable:
        return unreadable
