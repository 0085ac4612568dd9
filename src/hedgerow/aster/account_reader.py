"""Reads both wallets, positions and account modes in one round trip."""

import asyncio
from datetime import datetime

from msgspec.structs import replace

from hedgerow.aster.account_cache import AccountCache, Holdings
from hedgerow.aster.client import AsterClient
from hedgerow.aster.listing import Listing
from hedgerow.aster.market_cache import MarketCache
from hedgerow.aster.timed import Timed
from hedgerow.aster.translate import perp_wallet_of, position_of, spot_balances_of
from hedgerow.aster.wire_account import PositionRow
from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.ports import Clock

__all__ = ["AccountReader"]

MODES_SECONDS = 900.0
ONE_WAY_SIDE = "BOTH"


class AccountReader:
    """Gives account views."""

    def __init__(
        self, client: AsterClient, clock: Clock, listing: Listing, *, cache: AccountCache, market_cache: MarketCache
    ) -> None:
        self._client = client
        self._clock = clock
        self._listing = listing
        self._cache = cache
        self._market_cache = market_cache
        self._hedge_mode = Timed(clock, client.hedge_mode, seconds=MODES_SECONDS)
        self._multi_assets = Timed(clock, client.multi_assets, seconds=MODES_SECONDS)

    async def read(self) -> AccountView:
        """Read the account: all of it, or only the wallet while the streams vouch for the rest.

        Raises:
            VenueError: any part of it cannot be read.
        """
        at = self._clock.now()
        holdings, balances, hedge_mode, multi_assets = await asyncio.gather(
            self._holdings(at), self._client.balances(), self._hedge_mode.get(), self._multi_assets.get()
        )
        return AccountView(
            at=at,
            spot=holdings.spot,
            perp=perp_wallet_of(balances),
            positions=holdings.positions,
            perp_assets={row.asset: row.balance for row in balances if row.balance and row.asset != QUOTE_ASSET},
            one_way=not hedge_mode and holdings.one_way,
            single_asset=not multi_assets,
        )

    async def _holdings(self, at: datetime) -> Holdings:
        kept = self._cache.holdings(at)
        if kept is not None:
            return replace(kept, positions={s: self._at_present_mark(p, at) for s, p in kept.positions.items()})
        spot, rows = await asyncio.gather(self._client.spot_account(), self._client.positions())
        held = [row for row in rows if row.position_amt]
        self._listing.care_about(row.symbol for row in held)
        read = Holdings(
            asked_at=at,
            spot=spot_balances_of(spot),
            positions={row.symbol: position_of(row) for row in _net(rows)},
            one_way=all(row.position_side == ONE_WAY_SIDE for row in held),
        )
        self._cache.verify(read)
        return read

    def _at_present_mark(self, position: PerpPosition, at: datetime) -> PerpPosition:
        """Return a position valued at the newest mark price, where the streams have one."""
        marks = self._market_cache.premiums(at)
        row = marks.get(position.symbol) if marks else None
        if row is None or row.mark_price <= 0:
            return position
        pnl = (row.mark_price - position.entry_price) * position.quantity
        return replace(position, mark_price=row.mark_price, unrealized_pnl=pnl)

    def modes_changed(self) -> None:
        """The account's configuration changed: read its modes anew."""
        self._hedge_mode.expire()
        self._multi_assets.expire()


def _net(rows: tuple[PositionRow, ...]) -> list[PositionRow]:
    """Return one row per symbol; in hedge mode, which is refused elsewhere, the one that holds something."""
    chosen: dict[str, PositionRow] = {}
    for row in rows:
        if row.symbol not in chosen or row.position_amt:
            chosen[row.symbol] = row
    return list(chosen.values())
