"""Reads both wallets, positions and account modes in one round trip."""

import asyncio

from hedgerow.aster.client import AsterClient
from hedgerow.aster.listing import Listing
from hedgerow.aster.timed import Timed
from hedgerow.aster.translate import perp_wallet_of, position_of, spot_balances_of
from hedgerow.aster.wire_account import PositionRow
from hedgerow.domain.account import AccountView
from hedgerow.ports import Clock

__all__ = ["AccountReader"]

MODES_SECONDS = 900.0
ONE_WAY_SIDE = "BOTH"


class AccountReader:
    """Gives account views."""

    def __init__(self, client: AsterClient, clock: Clock, listing: Listing) -> None:
        self._client = client
        self._clock = clock
        self._listing = listing
        self._hedge_mode = Timed(clock, client.hedge_mode, seconds=MODES_SECONDS)
        self._multi_assets = Timed(clock, client.multi_assets, seconds=MODES_SECONDS)

    async def read(self) -> AccountView:
        """Read the account.

        Raises:
            VenueError: any part of it cannot be read.
        """
        at = self._clock.now()
        spot, balances, rows, hedge_mode, multi_assets = await asyncio.gather(
            self._client.spot_account(),
            self._client.balances(),
            self._client.positions(),
            self._hedge_mode.get(),
            self._multi_assets.get(),
        )
        held = [row for row in rows if row.position_amt]
        self._listing.care_about(row.symbol for row in held)
        return AccountView(
            at=at,
            spot=spot_balances_of(spot),
            perp=perp_wallet_of(balances),
            positions={row.symbol: position_of(row) for row in _net(rows)},
            one_way=not hedge_mode and all(row.position_side == ONE_WAY_SIDE for row in held),
            single_asset=not multi_assets,
        )

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
