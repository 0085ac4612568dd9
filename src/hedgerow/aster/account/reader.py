"""Reads both wallets, positions and account modes in one round trip."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.aster.account.earlier_rows import EarlierRows, Vanished
from hedgerow.aster.account.pagination import all_pages
from hedgerow.aster.account.stream_cache import AccountCache, Holdings
from hedgerow.aster.cached_read import CachedRead
from hedgerow.aster.client import AsterClient
from hedgerow.aster.market.instruments import Listing
from hedgerow.aster.schema.account_rows import PerpAccountReply, PositionRow
from hedgerow.aster.schema.convert import doubts_in, perp_wallet_of, position_of, positions_in, spot_balances_of
from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.errors import OutcomeUnknown, VenueError
from hedgerow.domain.money import ZERO
from hedgerow.ports import Clock
from hedgerow.tasks import all_of

__all__ = ["AccountReader"]

MODES_SECONDS = 900.0
ONE_WAY_SIDE = "BOTH"
NEAR = Decimal("0.5")
"""A liquidation price within this fraction of the mark is asked of the venue itself, not worked out."""
OUTFLOW_SLACK = timedelta(minutes=1)
"""How much earlier than its last reading an asset may have left the wallet: clocks and rows lag."""


class _Positions(Struct, frozen=True, kw_only=True):
    """The positions of a reply, and the symbols whose position it does not tell."""

    rows: tuple[PositionRow, ...]
    unreadable: frozenset[str]


class AccountReader:
    """Gives account views."""

    def __init__(self, client: AsterClient, clock: Clock, listing: Listing, *, cache: AccountCache) -> None:
        self._client = client
        self._clock = clock
        self._listing = listing
        self._cache = cache
        self._earlier = EarlierRows()
        self._hedge_mode = CachedRead(clock, client.hedge_mode, seconds=MODES_SECONDS)
        self._multi_assets = CachedRead(clock, client.multi_assets, seconds=MODES_SECONDS)

    async def read(self) -> AccountView:
        """Read the account; the spot wallet only while no stream vouches for it.

        Raises:
            VenueError: the USDT of a wallet, the margin total or a mode cannot be read, or a list is empty that had
                rows before.
        """
        at = self._clock.now()
        holdings, account, hedge_mode, multi_assets = await all_of(
            self._spot(), self._client.perp_account(), self._hedge_mode.get(), self._multi_assets.get()
        )
        wallet = perp_wallet_of(account)
        missing = self._earlier.unreadable_positions(account, self._listing.perpetuals)
        positions = await self._positions(account, missing, alone=not multi_assets)
        held = [row for row in positions.rows if row.position_amt]
        self._listing.care_about(row.symbol for row in held)
        sided = _sided(account)
        if sided and not hedge_mode:
            hedge_mode = await self._mode_now()
        doubts = doubts_in(account, multi_assets=multi_assets, complete=not missing)
        if sided and not hedge_mode:
            names = ", ".join(sorted(sided))
            doubts = (*doubts, f"{names} is shown in hedge mode, and the account's mode is not known to be that")
        return AccountView(
            at=at,
            spot=holdings.spot,
            perp=wallet,
            positions={row.symbol: position_of(row) for row in _net(positions.rows)},
            perp_assets={
                row.asset: row.wallet_balance
                for row in account.assets
                if row.wallet_balance and row.asset != QUOTE_ASSET
            },
            one_way=not hedge_mode and not sided,
            single_asset=not multi_assets,
            unreadable_positions=positions.unreadable,
            unreadable_balances=holdings.unreadable,
            sided_positions=sided if hedge_mode else frozenset(),
            doubts=doubts,
        )

    async def _mode_now(self) -> bool:
        """Read whether hedge mode is on; False where that cannot be read."""
        try:
            return await self._hedge_mode.read_now()
        except VenueError:
            return False

    async def position(self, symbol: str) -> PerpPosition:
        """Read one position from ``positionRisk``, which lists flat symbols too.

        Raises:
            VenueError: it cannot be read, or the answer has no row of this symbol.
        """
        found = await self._client.positions(symbol)
        rows = tuple(row for row in found.rows if row.symbol == symbol)
        if not rows or found.hides(symbol):
            raise OutcomeUnknown(f"the exchange answered without a readable position row of {symbol}")
        return position_of(_net(rows)[0])

    def expect(self, totals: Mapping[str, Decimal], seen_at: datetime) -> None:
        """Note what the spot wallet held by the log at a time: an asset that is absent now needs a cause."""
        self._earlier.expect(totals, seen_at)

    def spends(self, assets: Iterable[str]) -> None:
        """Note that the bot trades or moves assets of the spot wallet, so that they may be absent from now on."""
        self._earlier.spent(assets)

    async def _spot(self) -> Holdings:
        at = self._clock.now()
        kept = self._cache.holdings(at)
        if kept is not None:
            return kept
        account = await self._client.spot_account()
        vanished = self._earlier.vanished(account)
        if account.nameless > len(vanished):
            raise OutcomeUnknown("the exchange's spot balances have rows that name no asset")
        lost = vanished if account.nameless else await self._unexplained(vanished)
        unreadable = account.unreadable | {earlier.asset for earlier in lost}
        if lost and not account.balances:
            raise OutcomeUnknown("the exchange lists no spot balance, and no transaction says where they went")
        if QUOTE_ASSET in unreadable:
            raise OutcomeUnknown(f"the {QUOTE_ASSET} of the spot wallet cannot be read")
        read = Holdings(asked_at=at, spot=spot_balances_of(account), unreadable=unreadable)
        self._earlier.remember(read.spot, unreadable, at)
        self._cache.verify(read)
        return read

    async def _unexplained(self, vanished: tuple[Vanished, ...]) -> tuple[Vanished, ...]:
        """Return the assets whose absence no transaction explains; without transactions that is all of them."""
        if not vanished:
            return ()
        since = min(earlier.seen_at for earlier in vanished) - OUTFLOW_SLACK
        try:
            rows = await all_pages(
                lambda start, end: self._client.transactions(start=start, end=end),
                since=since,
                now=self._client.rest.time.now(),
                key=lambda row: (row.type, row.tran_id, row.asset),
            )
        except VenueError:
            return vanished
        left: dict[str, Decimal] = {}
        for row in rows:
            left[row.asset] = left.get(row.asset, ZERO) - min(ZERO, row.balance_delta)
        return tuple(earlier for earlier in vanished if left.get(earlier.asset, ZERO) < earlier.total)

    async def _positions(self, account: PerpAccountReply, missing: frozenset[str], *, alone: bool) -> _Positions:
        """Return the positions, of the venue's own list where a liquidation price is near or not for us to work out.

        ``alone`` tells that USDT is the only margin. A position that only the venue could tell, and does not, is
        unreadable; one that could be worked out stays as it was.
        """
        worked_out = positions_in(account)
        held = {row.symbol for row in account.positions if row.position_amt}
        sure = {row.symbol for row in worked_out if alone and _crossed(row)}
        asked = {row.symbol for row in worked_out if row.position_amt and not (alone and _plain(row))}
        asked |= held - {row.symbol for row in worked_out}
        if not asked:
            return _Positions(rows=_without(worked_out, missing), unreadable=missing)
        own = {(row.symbol, row.position_side): row for row in worked_out}
        told = tuple(
            _merged(row, own.get((row.symbol, row.position_side)), sure=row.symbol in sure)
            for row in await self._told(asked)
        )
        unknown = asked - sure - {row.symbol for row in told}
        kept = tuple(row for row in worked_out if row.symbol not in {r.symbol for r in told})
        return _Positions(rows=_without((*kept, *told), missing | unknown), unreadable=missing | unknown)

    async def _told(self, symbols: set[str]) -> tuple[PositionRow, ...]:
        """Return these symbols' rows of ``positionRisk``, as far as they can be read."""
        try:
            found = await self._client.positions()
        except VenueError:
            return ()
        return tuple(row for row in found.rows if row.symbol in symbols and not found.hides(row.symbol))

    async def renew(self, ahead_seconds: float) -> None:
        """Read again what falls due soon."""
        await all_of(self._hedge_mode.renew(ahead_seconds), self._multi_assets.renew(ahead_seconds))

    def modes_changed(self) -> None:
        """The account's configuration changed: read its modes anew."""
        self._hedge_mode.expire()
        self._multi_assets.expire()


def _crossed(row: PositionRow) -> bool:
    return row.margin_type == "cross" and row.position_side == ONE_WAY_SIDE


def _sided(account: PerpAccountReply) -> frozenset[str]:
    """Return the symbols that the account's reply shows held on one side, as in hedge mode."""
    return frozenset(row.symbol for row in account.positions if row.position_amt and row.position_side != ONE_WAY_SIDE)


def _plain(row: PositionRow) -> bool:
    """Tell whether a liquidation price that was worked out will do."""
    far = row.mark_price > 0 and abs(row.liquidation_price - row.mark_price) > NEAR * row.mark_price
    return _crossed(row) and far


def _merged(told: PositionRow, own: PositionRow | None, *, sure: bool) -> PositionRow:
    """Return the account's own row with mark, profit and liquidation price of ``positionRisk``.

    Quantity and leverage stay the account's, so that the two endpoints can be held against each other. Where the own
    liquidation price is ``sure`` as well, the farther one counts: a near one is shown by both, or is none.
    """
    if own is None:
        return told
    if sure and _reach(own) > _reach(told):
        return own
    return replace(
        own,
        mark_price=told.mark_price or own.mark_price,
        un_realized_profit=told.pnl,
        liquidation_price=told.liquidation_price,
    )


def _reach(row: PositionRow) -> Decimal:
    """Return how far liquidation is from the mark, as a fraction of it; infinite for none."""
    if row.liquidation_price <= 0 or row.mark_price <= 0:
        return Decimal("Infinity")
    return abs(row.liquidation_price - row.mark_price) / row.mark_price


def _without(rows: Iterable[PositionRow], unreadable: frozenset[str]) -> tuple[PositionRow, ...]:
    """Leave out the rows of symbols that cannot be read as a whole."""
    return tuple(row for row in rows if row.symbol not in unreadable)


def _net(rows: tuple[PositionRow, ...]) -> list[PositionRow]:
    """Return one row per symbol; in hedge mode, which is refused elsewhere, the one that holds something."""
    chosen: dict[str, PositionRow] = {}
    for row in rows:
        if row.symbol not in chosen or row.position_amt:
            chosen[row.symbol] = row
    return list(chosen.values())
