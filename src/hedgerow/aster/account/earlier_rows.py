"""Rows that earlier account replies listed, so that a row missing now is detected.

The perpetual account lists every symbol, flat ones too; the spot wallet lists only assets with something in them
(docs/aster-api.md, sections 5.3 and 6.2). So a missing position is unreadable, and a missing balance needs a cause.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.aster.schema.account_rows import PerpAccountReply, SpotAccount
from hedgerow.domain.account import Balance
from hedgerow.domain.errors import OutcomeUnknown

__all__ = ["EarlierRows", "Vanished"]

MOST_SYMBOLS = 10_000
"""More than any exchange lists: beyond that the memory starts again from the reply at hand."""


class Vanished(Struct, frozen=True, kw_only=True):
    """An asset that an earlier reply showed with something in it, and the newest one does not show at all."""

    asset: str
    total: Decimal
    seen_at: datetime
    """When the reply that showed it was asked for."""


class EarlierRows:
    """Remembers the symbols of positions, and the assets of the spot wallet with their totals."""

    def __init__(self) -> None:
        self._symbols: frozenset[str] = frozenset()
        self._assets: dict[str, Vanished] = {}

    def unreadable_positions(self, account: PerpAccountReply, listed: Collection[str] | None) -> frozenset[str]:
        """Return the symbols whose position an account reply does not show, and remember what it lists.

        ``listed`` are the perpetuals of the exchange's listing, None before it was read: a symbol that it does not
        have any more is not expected.

        Raises:
            OutcomeUnknown: the reply lists nothing at all though earlier ones did, or what it hides has no name.
        """
        seen = account.unreadable_positions | {row.symbol for row in account.positions}
        if self._symbols and not seen:
            raise OutcomeUnknown(f"the exchange's account lists no position, and before it listed {len(self._symbols)}")
        hidden = account.nameless_positions > 0
        if hidden and not self._symbols and listed is None:
            raise OutcomeUnknown("the exchange's account has positions that name no symbol")
        expected = self._symbols | frozenset[str](listed or ()) if hidden else self._symbols
        missing = expected - seen
        gone = frozenset[str]() if listed is None else missing - frozenset(listed)
        known = (self._symbols | seen) - gone
        self._symbols = known if len(known) <= MOST_SYMBOLS else seen
        return account.unreadable_positions | (missing - gone)

    def vanished(self, account: SpotAccount) -> tuple[Vanished, ...]:
        """Return the assets that had something in them when last seen, and are not in a reply at all."""
        seen = account.unreadable | {row.asset for row in account.balances}
        return tuple(earlier for asset, earlier in self._assets.items() if asset not in seen)

    def remember(self, balances: Mapping[str, Balance], unreadable: Collection[str], asked_at: datetime) -> None:
        """Take over the readable balances of a reply; of the unreadable ones, what was known before stays."""
        kept = {asset: earlier for asset, earlier in self._assets.items() if asset in unreadable}
        shown = {
            asset: Vanished(asset=asset, total=balance.total, seen_at=asked_at) for asset, balance in balances.items()
        }
        self._assets = {**kept, **shown}

    def expect(self, totals: Mapping[str, Decimal], seen_at: datetime) -> None:
        """Take over what the spot wallet held by the log of earlier runs, so that its absence is noticed at a start."""
        for asset, total in totals.items():
            self._assets.setdefault(asset, Vanished(asset=asset, total=total, seen_at=seen_at))

    def spent(self, assets: Iterable[str]) -> None:
        """Expect these assets no more until they are shown again: the bot itself trades or moves them."""
        for asset in assets:
            self._assets.pop(asset, None)
