"""A position that the event log does not know: found on the exchange, adopted into a new log to be closed."""

from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from hedgerow.app.commands.books import archive
from hedgerow.app.venues.select import venue_access
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.errors import StoreError
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import plain
from hedgerow.store.account_lock import AccountLock, LogLock
from hedgerow.strategy.decisions.reconcile import candidate_of

__all__ = ["Found", "find_position", "set_log_aside"]


class Found(Struct, frozen=True, kw_only=True):
    """What the exchange shows of one pair; base units, positive."""

    symbol: str
    coins: Decimal
    short: Decimal
    closable: Decimal | None
    """What of both legs is a hedge: as many coins as the short needs; None = nothing."""

    @property
    def text(self) -> str:
        """One line for the user."""
        held = f"{plain(self.coins)} coins and a short of {plain(self.short)}"
        if self.closable is None:
            return f"{self.symbol}: the exchange shows {held}: no hedge that could be closed"
        rest = self.coins - self.closable
        kept = f"; {plain(rest)} coins beyond the short stay yours" if rest > 0 else ""
        return f"{self.symbol}: the exchange shows {held}{kept}"


async def find_position(home: Home, symbol: str) -> Found:
    """Read from the exchange the hedge on ``symbol``, without regard to the log; changes nothing.

    Raises:
        ConfigError: the credentials or the hosts cannot be used.
        VenueError: account or market cannot be read.
    """
    async with archive(home, (), SystemClock()) as venue:
        market, account = await venue.market(1), await venue.account()
    pair = market.pair(symbol)
    candidate = candidate_of(symbol, Ledger(), account, market)
    return Found(
        symbol=symbol,
        coins=account.coin(pair.base).total if pair else Decimal(0),
        short=account.short(symbol),
        closable=candidate.adopted_spot if candidate else None,
    )


def set_log_aside(home: Home) -> Path:
    """Move a log that cannot be read out of the way, for a fresh one; returns where it is now.

    Raises:
        AccountBusy: a bot is running.
        ConfigError: the credentials cannot be used.
        StoreError: the file cannot be moved, or the log is in a database.
    """
    if home.database is not None:
        raise StoreError(
            f"the log in {home.database.shown} is damaged and cannot be set aside: restore it (docs/fleet.md), or close"
            " both legs on the exchange's own page"
        )
    stamp = f"{SystemClock().now():%Y%m%d-%H%M%S}"
    kept = home.events.with_name(f"{home.events.name}.corrupt-{stamp}")
    with AccountLock(venue_access(home).account), LogLock(home.events):
        try:
            for path in home.event_files:
                if path.exists():
                    path.rename(path.with_name(path.name.replace(home.events.name, kept.name, 1)))
        except OSError as error:
            raise StoreError(f"{home.events} cannot be set aside: {error.strerror or error}") from error
    return kept
