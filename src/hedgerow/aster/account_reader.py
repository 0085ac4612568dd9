"""Reads both wallets, positions and account modes in one round trip."""

import asyncio
from decimal import Decimal

from hedgerow.aster.account_cache import AccountCache, Holdings
from hedgerow.aster.client import AsterClient
from hedgerow.aster.listing import Listing
from hedgerow.aster.timed import Timed
from hedgerow.aster.translate import balances_in, perp_wallet_of, position_of, positions_in, spot_balances_of
from hedgerow.aster.wire_account import PositionRow
from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.ports import Clock

__all__ = ["AccountReader"]

MODES_SECONDS = 900.0
ONE_WAY_SIDE = "BOTH"
NEAR = Decimal("0.5")
"""A liquidation price within this fraction of the mark is asked of the venue itself, not worked out."""


class AccountReader:
    """Gives account views."""

    def __init__(self, client: AsterClient, clock: Clock, listing: Listing, *, cache: AccountCache) -> None:
        self._client = client
        self._clock = clock
        self._listing = listing
        self._cache = cache
        self._hedge_mode = Timed(clock, client.hedge_mode, seconds=MODES_SECONDS)
        self._multi_assets = Timed(clock, client.multi_assets, seconds=MODES_SECONDS)

    async def read(self) -> AccountView:
        """Read the account; the spot wallet only while no stream vouches for it.

        Raises:
            VenueError: any part of it cannot be read.
        """
        at = self._clock.now()
        holdings, account, hedge_mode, multi_assets = await asyncio.gather(
            self._spot(), self._client.perp_account(), self._hedge_mode.get(), self._multi_assets.get()
        )
        rows = await self._certain(positions_in(account), alone=not multi_assets)
        held, balances = [row for row in rows if row.position_amt], balances_in(account)
        self._listing.care_about(row.symbol for row in held)
        return AccountView(
            at=at,
            spot=holdings.spot,
            perp=perp_wallet_of(balances),
            positions={row.symbol: position_of(row) for row in _net(rows)},
            perp_assets={row.asset: row.balance for row in balances if row.balance and row.asset != QUOTE_ASSET},
            one_way=not hedge_mode and all(row.position_side == ONE_WAY_SIDE for row in held),
            single_asset=not multi_assets,
        )

    async def position(self, symbol: str) -> PerpPosition:
        """Read one position from ``positionRisk``, which lists flat symbols too.

        Raises:
            VenueError: it cannot be read, or the answer has no row of this symbol.
        """
        rows = tuple(row for row in await self._client.positions(symbol) if row.symbol == symbol)
        if not rows:
            raise OutcomeUnknown(f"the exchange answered without a position row of {symbol}")
        return position_of(_net(rows)[0])

    async def _spot(self) -> Holdings:
        at = self._clock.now()
        kept = self._cache.holdings(at)
        if kept is not None:
            return kept
        read = Holdings(asked_at=at, spot=spot_balances_of(await self._client.spot_account()))
        self._cache.verify(read)
        return read

    async def _certain(self, rows: tuple[PositionRow, ...], *, alone: bool) -> tuple[PositionRow, ...]:
        """Return the rows as they are, or the venue's own where a liquidation price is near or not for us to work out.

        ``alone`` tells that USDT is the only margin.
        """
        held = [row for row in rows if row.position_amt]
        return rows if all(alone and _plain(row) for row in held) else await self._client.positions()

    async def renew(self, ahead_seconds: float) -> None:
        """Read again what falls due soon."""
        await asyncio.gather(self._hedge_mode.renew(ahead_seconds), self._multi_assets.renew(ahead_seconds))

    def modes_changed(self) -> None:
        """The account's configuration changed: read its modes anew."""
        self._hedge_mode.expire()
        self._multi_assets.expire()


def _plain(row: PositionRow) -> bool:
    """Tell whether a liquidation price that was worked out will do."""
    crossed = row.margin_type == "cross" and row.position_side == ONE_WAY_SIDE
    far = row.mark_price > 0 and abs(row.liquidation_price - row.mark_price) > NEAR * row.mark_price
    return crossed and far


def _net(rows: tuple[PositionRow, ...]) -> list[PositionRow]:
    """Return one row per symbol; in hedge mode, which is refused elsewhere, the one that holds something."""
    chosen: dict[str, PositionRow] = {}
    for row in rows:
        if row.symbol not in chosen or row.position_amt:
            chosen[row.symbol] = row
    return list(chosen.values())
