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
from hedgerow.aster.schema.account_rows import PerpAccountReply
from hedgerow.aster.schema.convert import (
    SidedPosition,
    doubts_in,
    perp_wallet_of,
    positions_in,
    sided_position_of,
    spot_balances_of,
    tiers_of,
)
from hedgerow.domain.account import QUOTE_ASSET, AccountView, MarginType, PerpPosition
from hedgerow.domain.errors import OutcomeUnknown, VenueError
from hedgerow.domain.money import ZERO
from hedgerow.ports import Clock
from hedgerow.tasks import all_of

__all__ = ["AccountReader"]

MODES_SECONDS = 900.0
BRACKETS_SECONDS = 86_400.0
"""The venue changes its brackets every few weeks, and announces it."""
ONE_WAY_SIDE = "BOTH"
NEAR = Decimal("0.5")
"""A liquidation price within this fraction of the mark is asked of the venue itself, not worked out."""
OUTFLOW_SLACK = timedelta(minutes=1)
"""How much earlier than its last reading an asset may have left the wallet: clocks and rows lag."""


class _Positions(Struct, frozen=True, kw_only=True):
    """The positions of a reply, and the symbols whose position it does not show."""

    found: tuple[SidedPosition, ...]
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
        self._brackets = CachedRead(clock, client.brackets, seconds=BRACKETS_SECONDS)

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
        self._listing.care_about(each.symbol for each in positions.found if each.position.quantity)
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
            positions=await self._with_tiers(_net(positions.found)),
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

    async def _with_tiers(self, positions: Mapping[str, PerpPosition]) -> Mapping[str, PerpPosition]:
        """Return positions with the venue's tiers where several shorts share one margin.

        Without them, or while they cannot be read, the maintenance margin of each row says what is asked for now.
        """
        if sum(position.quantity < 0 for position in positions.values()) <= 1:
            return positions
        try:
            known = {row.symbol: tiers_of(row) for row in await self._brackets.get()}
        except VenueError:
            return positions
        return {symbol: replace(each, tiers=known.get(symbol, ())) for symbol, each in positions.items()}

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
        return _net(map(sided_position_of, rows))[symbol]

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

        ``alone``: USDT is the only margin. A position that only the venue's list has, and that it does not show, is
        unreadable; one that could be worked out stays as it was.
        """
        worked_out = positions_in(account)
        held = {row.symbol for row in account.positions if row.position_amt}
        sure = {each.symbol for each in worked_out if alone and _crossed(each)}
        asked = {each.symbol for each in worked_out if each.position.quantity and not (alone and _plain(each))}
        asked |= held - {each.symbol for each in worked_out}
        if not asked:
            return _Positions(found=_without(worked_out, missing), unreadable=missing)
        own = {each.key: each for each in worked_out}
        listed = tuple(_merged(each, own.get(each.key), sure=each.symbol in sure) for each in await self._listed(asked))
        unknown = asked - sure - {each.symbol for each in listed}
        kept = tuple(each for each in worked_out if each.symbol not in {other.symbol for other in listed})
        return _Positions(found=_without((*kept, *listed), missing | unknown), unreadable=missing | unknown)

    async def _listed(self, symbols: set[str]) -> tuple[SidedPosition, ...]:
        """Return the positions in these symbols by ``positionRisk``, as far as they can be read."""
        try:
            found = await self._client.positions()
        except VenueError:
            return ()
        rows = (row for row in found.rows if row.symbol in symbols and not found.hides(row.symbol))
        return tuple(map(sided_position_of, rows))

    async def renew(self, ahead_seconds: float) -> None:
        """Read again what falls due soon."""
        await all_of(self._hedge_mode.renew(ahead_seconds), self._multi_assets.renew(ahead_seconds))

    def modes_changed(self) -> None:
        """The account's configuration changed: read its modes again."""
        self._hedge_mode.expire()
        self._multi_assets.expire()


def _crossed(found: SidedPosition) -> bool:
    return found.position.margin_type is MarginType.CROSSED and found.side == ONE_WAY_SIDE


def _sided(account: PerpAccountReply) -> frozenset[str]:
    """Return the symbols that the account's reply shows held on one side, as in hedge mode."""
    return frozenset(row.symbol for row in account.positions if row.position_amt and row.position_side != ONE_WAY_SIDE)


def _plain(found: SidedPosition) -> bool:
    """Whether a liquidation price that was worked out will do: it is far, or there is none."""
    mark, liquidation = found.position.mark_price, found.position.liquidation_price
    far = mark > 0 and (liquidation is None or abs(liquidation - mark) > NEAR * mark)
    return _crossed(found) and far


def _merged(listed: SidedPosition, own: SidedPosition | None, *, sure: bool) -> SidedPosition:
    """Return the account's own position with mark, profit and liquidation price of ``positionRisk``.

    Quantity and leverage stay the account's, so that the two endpoints can be held against each other. Where the own
    liquidation price is ``sure`` as well, the farther one counts: a near one is shown by both, or is none.
    """
    if own is None:
        return listed
    ours, theirs = own.position, listed.position
    if sure and _reach(ours) > _reach(theirs):
        return own
    position = replace(
        ours,
        mark_price=theirs.mark_price or ours.mark_price,
        unrealized_pnl=theirs.unrealized_pnl,
        liquidation_price=theirs.liquidation_price,
    )
    return replace(own, position=position)


def _reach(position: PerpPosition) -> Decimal:
    """Return how far liquidation is from the mark, as a fraction of it; infinite for none."""
    if position.liquidation_price is None or position.mark_price <= 0:
        return Decimal("Infinity")
    return abs(position.liquidation_price - position.mark_price) / position.mark_price


def _without(positions: Iterable[SidedPosition], unreadable: frozenset[str]) -> tuple[SidedPosition, ...]:
    """Leave out the symbols that cannot be read as a whole."""
    return tuple(each for each in positions if each.symbol not in unreadable)


def _net(positions: Iterable[SidedPosition]) -> dict[str, PerpPosition]:
    """Return one position per symbol; in hedge mode, which is refused elsewhere, the one that holds something."""
    chosen: dict[str, PerpPosition] = {}
    for each in positions:
        if each.symbol not in chosen or each.position.quantity:
            chosen[each.symbol] = each.position
    return chosen
