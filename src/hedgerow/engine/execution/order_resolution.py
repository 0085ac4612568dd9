"""Resolves unknown outcomes: of an order, and of a leg that a reply does not show."""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.errors import Rejected, VenueError
from hedgerow.domain.events import Event, FlowKind, HedgeRedenominated, OrderEnded, OrderOutcomeUnknown, Wallet
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus, TimeInForce
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.engine.accounting.external_trades import ExternalTrades
from hedgerow.engine.accounting.statement_reader import SLACK
from hedgerow.engine.journal import Journal
from hedgerow.ports import Clock, StatementRow, Venue
from hedgerow.strategy.decisions.reconcile import coins_unread
from hedgerow.strategy.evaluation.margin_evidence import needs_second_source, with_margin_proven
from hedgerow.strategy.evidence.absence import (
    CoinEvidence,
    LegReading,
    ShortEvidence,
    coin_reading,
    confirmed_coins,
    confirmed_short,
    lasting,
    may_lag,
    most_shown,
    said_of,
    short_reading,
    with_coins_in_doubt,
    with_confirmed_coins,
    with_confirmed_short,
    with_short_in_doubt,
)
from hedgerow.strategy.evidence.own_fills import filled_whole
from hedgerow.strategy.evidence.prices import prices_of
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.redenomination import LEAST, looks_redenominated, redenomination, short_redenomination

__all__ = ["AccountEvidence", "by_trades", "look_up", "second_position"]

LISTING_READS = 2
"""How often a listing that shows a new trading status is read again until it can be read."""
LISTING_PAUSE_SECONDS = 2.0
_STOPPED = {TradingStatus.SETTLING, TradingStatus.CLOSED, TradingStatus.PENDING}
"""What a row of the listing says; a symbol that is missing from it has waited for its proof already."""
STOPPED_SECONDS = 120.0
"""How long every listing must say that one market has stopped, while it is quoted and the other market trades."""


class AccountEvidence:
    """Holds every reply against the log, and asks other endpoints where it alone would make the bot trade.

    Asks nothing while the account shows both legs whole at leverage 1 and far from liquidation, and the pair trades.
    """

    def __init__(self, *, venue: Venue, clock: Clock, journal: Journal, external_trades: ExternalTrades) -> None:
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._external_trades = external_trades
        self._coins_seen: dict[str, tuple[tuple[float, Decimal], ...]] = {}
        """What readings that lacked coins showed of them, by the monotonic clock, by hedge id."""
        self._margin_wrong_since: dict[str, float] = {}
        self._stopped_since: dict[str, float] = {}

    async def examined(self, observation: Observation) -> Observation:
        """Return the observation with each missing leg confirmed by a second source, or marked as unreadable.

        An account in doubt makes the observation incomplete: nothing is opened, or closed for profit, on it.
        """
        account, ledger = observation.account, self._journal.ledger
        if account is None or ledger.execution is not None:
            await self._job_in_present_units(account, observation.market)
            return observation
        for held in ledger.judged_hedges:
            hedge, doubt = held, ""
            if self._looks_redenominated(held, account):
                hedge, doubt = await self._in_present_units(held, account, observation.market)
            if hedge.denominations != held.denominations:
                observation = await self._relisted(hedge, observation)
            if doubt:
                account = with_coins_in_doubt(account, hedge.pair.base, doubt)
                account = with_short_in_doubt(account, hedge.symbol, doubt)
            else:
                account = await self._legs(hedge, account, observation.market)
            row = account.positions.get(hedge.symbol)
            if row is not None and self._margin_needs_proof(hedge, row):
                account = await self._margin(hedge, account, row)
            stopped = self._listed_as_stopped(hedge, observation.market)
            if stopped is not None:
                observation = await self._listing(hedge, observation, stopped)
        return _with_doubts(observation, account)

    async def _relisted(self, hedge: HedgedPosition, observation: Observation) -> Observation:
        """Return the observation with the hedge's pair as it is listed now, where that can be read."""
        listed = await self._listed_now(hedge.symbol)
        return observation if listed is None else replace(observation, relisted=(*observation.relisted, listed))

    async def _job_in_present_units(self, account: AccountView | None, market: MarketView | None) -> None:
        """Count a naked job that waits for prices in its own units in the coins that the exchange counts in now."""
        job = self._journal.ledger.execution
        held = self._journal.ledger.hedges.get(job.hedge_id) if job else None
        waits = job is not None and job.state is ExecutionState.NAKED and not job.doubtful and job.working is None
        if account is None or held is None or not waits:
            return
        hedge = held
        if self._looks_redenominated(held, account):
            hedge, _ = await self._in_present_units(held, account, market)
        if hedge.denominations == held.denominations:
            await self._short_in_present_units(held, account, market)

    async def _short_in_present_units(
        self, hedge: HedgedPosition, account: AccountView, market: MarketView | None
    ) -> None:
        """Count a short whose coins are sold in the coins that the exchange counts in now: it has no row of them."""
        first = account.positions.get(hedge.symbol)
        if first is None or not 0 < -first.quantity * LEAST <= hedge.short:
            return
        second, _ = await second_position(self._venue, hedge.symbol)
        price = prices_of(hedge.symbol, market, account).spot
        factor = None if second is None else short_redenomination(hedge, first, second, price)
        if factor is not None:
            now = self._clock.now()
            await self._journal.record(HedgeRedenominated(at=now, hedge_id=hedge.hedge_id, factor=factor, since=now))

    def _booked(self, asset: str) -> Decimal:
        return self._journal.ledger.books.balances[Wallet.SPOT].get(asset, ZERO)

    def _looks_redenominated(self, hedge: HedgedPosition, account: AccountView) -> bool:
        return looks_redenominated(hedge, account, self._booked(hedge.pair.base))

    async def _in_present_units(
        self, hedge: HedgedPosition, account: AccountView, market: MarketView | None
    ) -> tuple[HedgedPosition, str]:
        """Return a hedge that looks redenominated in the coins that the exchange counts in now, logged if they are new.

        And why both legs are in doubt: the exchange may have exchanged the coins, and what would prove it is missing.
        """
        ledger, base = self._journal.ledger, hedge.pair.base
        booked = self._booked(base)
        try:
            rows = await self._venue.statement(hedge.begun_at)
        except VenueError:
            whole = not coin_reading(hedge, account).short_of and not short_reading(hedge, account).short_of
            if whole or await self._is_sold(hedge, account, booked):
                return hedge, ""
            return hedge, f"few {base} are left, and the statement cannot be read"
        known = [at for at, _ in hedge.denominations]
        found = [row for row in _exchanges(rows, base, ledger) if not known or row.at > known[-1]]
        exchanged = -sum((row.amount for row in found), ZERO)
        if exchanged <= 0:
            return hedge, ""
        if hedge.unsettled:  # no later trade may be booked in coins that are none any more
            return hedge, f"the exchange exchanged {plain(exchanged)} {base}, and not all own trades are reported yet"
        since = found[0].at
        bought = await self._external_trades.unknown(hedge, Market.PERP, Side.BUY) or []
        factor = redenomination(
            hedge,
            account,
            exchanged,
            prices_of(hedge.symbol, market, account).spot,
            bought_before=sum((fill.quantity for fill in bought if fill.at < since), ZERO),
            bought_since=sum((fill.quantity for fill in bought if fill.at >= since), ZERO),
        )
        if factor is None:
            text = f"the exchange exchanged {plain(exchanged)} {base} by itself"
            return hedge, f"{text}, and price and short do not show a new denomination"
        await self._journal.record(
            HedgeRedenominated(at=self._clock.now(), hedge_id=hedge.hedge_id, factor=factor, since=since)
        )
        return self._journal.ledger.hedges.get(hedge.hedge_id, hedge), ""

    async def _is_sold(self, hedge: HedgedPosition, account: AccountView, booked: Decimal) -> bool:
        """Return whether trades alone say where the coins went, those of the owner included."""
        sold = await self._traded(hedge, Market.SPOT, Side.SELL)
        reading = coin_reading(hedge, account)
        reading = replace(reading, owned=max(reading.owned, booked))
        return confirmed_coins(reading, CoinEvidence(sold=sold, moved=None)) is not None

    async def _legs(self, hedge: HedgedPosition, account: AccountView, market: MarketView | None) -> AccountView:
        short = short_reading(hedge, account)
        if short.short_of:
            account = await self._short(hedge, account, market, short)
        coins = coin_reading(hedge, account)
        if coins.short_of:
            return await self._coins(hedge, account, coins)
        self._coins_seen.pop(hedge.hedge_id, None)
        return account

    async def _short(
        self, hedge: HedgedPosition, account: AccountView, market: MarketView | None, reading: LegReading
    ) -> AccountView:
        """Return the account with a short that it lacks confirmed, or in doubt."""
        row, refused = await second_position(self._venue, hedge.symbol)
        unlisted = market is not None and market.pair(hedge.symbol) is None
        lagging = may_lag(hedge, account.at)
        evidence = ShortEvidence(
            second=None if row is None else max(ZERO, -row.quantity),
            bought=await self._traded(hedge, Market.PERP, Side.BUY),
            delisted=refused and unlisted,
            lagging=lagging,
        )
        left = confirmed_short(reading, evidence)
        if left is not None:
            return with_confirmed_short(account, hedge.symbol, left, row)
        second = "cannot be read" if evidence.second is None else f"shows {plain(evidence.second)}"
        trades = "trades cannot be read" if evidence.bought is None else "no trade of the account closes it"
        first = f"the account's reply {said_of(reading, f'{hedge.symbol} short')}"
        text = f"{first}, positionRisk {second}, the log has {plain(reading.owned)}: {trades}"
        if lagging:
            text = f"{text}, and both may be of before the bot's own orders"
        return with_short_in_doubt(account, hedge.symbol, text)

    async def _coins(self, hedge: HedgedPosition, account: AccountView, reading: LegReading) -> AccountView:
        """Return the account with coins that it lacks confirmed, or in doubt."""
        base = hedge.pair.base
        now, seen = self._clock.monotonic(), self._coins_seen.get(hedge.hedge_id, ())
        seen = lasting(seen if reading.shown is None else (*seen, (now, reading.shown)), now)
        self._coins_seen[hedge.hedge_id] = seen
        evidence = CoinEvidence(
            sold=await self._traded(hedge, Market.SPOT, Side.SELL),
            moved=await self._moved(hedge),
            most_shown=most_shown(seen, now),
            lagging=may_lag(hedge, account.at),
        )
        left = confirmed_coins(reading, evidence)
        if left is not None:
            if confirmed_coins(reading, replace(evidence, most_shown=None)) is not None:
                self._coins_seen.pop(hedge.hedge_id)  # explained: what a later reply lacks is another part
            return with_confirmed_coins(account, base, left)
        unreadable = evidence.sold is None or evidence.moved is None
        why = "trades or statement cannot be read" if unreadable else "no trade and no statement row takes them"
        text = f"the account's reply {said_of(reading, f'{base} balance')}, the log owns {plain(reading.owned)}"
        return with_coins_in_doubt(account, base, f"{text}: {why}")

    def _margin_needs_proof(self, hedge: HedgedPosition, row: PerpPosition) -> bool:
        if needs_second_source(row):
            return True
        self._margin_wrong_since.pop(hedge.hedge_id, None)
        return False

    def _listed_as_stopped(self, hedge: HedgedPosition, market: MarketView | None) -> BasisPair | None:
        """Return the hedge's pair where the market lists a leg of it as one that has stopped trading."""
        pair = market.pair(hedge.symbol) if market else None
        if pair is None or pair.spot.status in _STOPPED or pair.perp.status in _STOPPED:
            return pair
        self._stopped_since.pop(hedge.hedge_id, None)
        return None

    async def _margin(self, hedge: HedgedPosition, account: AccountView, row: PerpPosition) -> AccountView:
        """Return the account with what a second endpoint confirms of a row that would make the bot trade."""
        since = self._margin_wrong_since.setdefault(hedge.hedge_id, self._clock.monotonic())
        second, _ = await second_position(self._venue, hedge.symbol)
        seconds, lagging = self._clock.monotonic() - since, may_lag(hedge, account.at)
        return with_margin_proven(account, row, second, seconds, lagging=lagging)

    async def _listing(self, hedge: HedgedPosition, observation: Observation, pair: BasisPair) -> Observation:
        """Return the observation with a doubt where it is not proven that the pair has stopped trading.

        Proven is what a listing read now says as well, of both markets, of one that is not quoted any more, or of one
        for ``STOPPED_SECONDS``.
        """
        market, symbol = observation.market, hedge.symbol
        fresh = await self._listed_now(symbol)
        if fresh is not None and not fresh.tradable:
            since = self._stopped_since.setdefault(hedge.hedge_id, self._clock.monotonic())
            if self._clock.monotonic() - since >= STOPPED_SECONDS or not _is_quoted_as_ever(fresh, market):
                return observation
            why = f"it is quoted and the other market trades: this is believed after {STOPPED_SECONDS:.0f} s"
        elif fresh is not None:
            self._stopped_since.pop(hedge.hedge_id, None)
            why = "shows it trading when read again"
        else:
            why = "cannot be read again"
        states = f"spot {pair.spot.status}, perpetual {pair.perp.status}"
        doubt = f"market: the listing shows {symbol} as {states}, and {why}"
        return replace(observation, listing_doubts={**observation.listing_doubts, symbol: doubt})

    async def _listed_now(self, symbol: str) -> BasisPair | None:
        for attempt in range(LISTING_READS):
            if attempt:
                await self._clock.sleep(LISTING_PAUSE_SECONDS)
            try:
                return await self._venue.pair(symbol, fresh=True)
            except VenueError:
                continue
        return None

    async def _traded(self, hedge: HedgedPosition, market: Market, side: Side) -> Decimal | None:
        fills = await self._external_trades.unknown(hedge, market, side)
        return None if fills is None else sum((fill.quantity for fill in fills), ZERO)

    async def _moved(self, hedge: HedgedPosition) -> Decimal | None:
        """Return what rows of the statement took of the hedge's coins; None when it cannot be read."""
        ledger = self._journal.ledger
        agreed = ledger.statement_from
        # The coins were there when the books last agreed.
        since = max(
            hedge.begun_at, ledger.books_since or hedge.begun_at, *(() if agreed is None else (agreed - SLACK,))
        )
        try:
            rows = await self._venue.statement(since)
        except VenueError:
            return None
        return _moved(rows, hedge, ledger)


def _is_quoted_as_ever(pair: BasisPair, market: MarketView | None) -> bool:
    """Return whether only one market of a pair is said to have stopped, and has a book of two sides all the same."""
    stopped = [name for name in Market if pair.instrument(name).status is not TradingStatus.TRADING]
    quote = market.quote(stopped[0], pair.symbol) if market else None
    return len(stopped) == 1 and quote is not None and quote.two_sided


def _with_doubts(observation: Observation, account: AccountView) -> Observation:
    """Return the observation with an account that was examined; what of it is in doubt is unread."""
    if account is observation.account and not account.doubts and not account.unreadable_balances:
        return observation
    unread = (*observation.unread, *(f"account: {doubt}" for doubt in account.doubts))
    if QUOTE_ASSET in account.unreadable_balances:
        unread = (*unread, f"account: the balance of {QUOTE_ASSET}")
    if observation.market is not None:
        names = coins_unread(account, observation.market)
        unread = (*unread, *(f"account: the balance of {name}" for name in names))
    return replace(observation, account=account, unread=unread)


def _exchanges(rows: tuple[StatementRow, ...], base: str, ledger: Ledger) -> list[StatementRow]:
    """Return the rows of an exchange of the venue's own, oldest first; in doubt, such a row is not booked."""
    kind = (Wallet.SPOT, base, FlowKind.AUTO_EXCHANGE)
    found = [row for row in rows if (row.wallet, row.asset, row.kind) == kind]
    return sorted((row for row in found if not ledger.rows_seen.knows(row.row_id, row.at)), key=lambda row: row.at)


def _moved(rows: tuple[StatementRow, ...], hedge: HedgedPosition, ledger: Ledger) -> Decimal:
    """Return how many of the hedge's coins the rows took, booked or not; trades whose fees are not booked hide rows."""
    base = hedge.pair.base
    fresh = [
        row
        for row in rows
        if row.wallet is Wallet.SPOT and row.asset == base and not ledger.rows_seen.knows(row.row_id, row.at)
    ]
    left = sum((row.amount for row in fresh), ZERO)
    if hedge.unsettled:
        return max(ZERO, -left)
    return max(ZERO, ledger.owned(base) - ledger.books.line(Wallet.SPOT, base).balance - left)


async def second_position(venue: Venue, symbol: str) -> tuple[PerpPosition | None, bool]:
    """Read one position from its own endpoint; None = unreadable, and whether the venue refuses the symbol."""
    try:
        return await venue.position(symbol), False
    except Rejected:
        return None, True
    except VenueError:
        return None, False


async def look_up(venue: Venue, clock: Clock, request: OrderRequest, record: OrderRecord | None) -> tuple[Event, ...]:
    """Return what is known of an order now; ``record`` is what the log knows of it.

    Trades prove one thing only: that the whole order was filled. Fewer of them, or none, leave it unknown.
    """
    found = await venue.resolve(request)
    if record is None or not any(isinstance(event, OrderOutcomeUnknown) for event in found):
        return found
    try:
        trades = await venue.fills(request.market, request.symbol, record.issued_at)
    except VenueError:
        return found
    own = [fill for fill in trades if _belongs(fill, record)]
    whole = sum((fill.quantity for fill in own), ZERO) == request.quantity
    return (_filled(own, request, clock.now()),) if whole else found


async def by_trades(
    venue: Venue, ledger: Ledger, record: OrderRecord, reported: tuple[Event, ...], book: Depth | None
) -> tuple[Event, ...]:
    """Return what was reported of an order, corrected by its trades where it is said to have ended without all filled.

    Trades are read where that is a surprise: the book showed enough, or the exchange knows no such order. Trades that
    are not there yet prove nothing; those that are prove that so much was filled. Where they cannot be read, the
    account may show what the order traded; where it does not, the end is unconfirmed.
    """
    order = record.request
    ended = next((event for event in reported if isinstance(event, OrderEnded)), None)
    if ended is None or ended.reject or not _is_surprising(order, ended, book):
        return reported
    try:
        trades = await venue.fills(order.market, order.symbol, record.issued_at)
    except VenueError:
        corrected = await _by_account(venue, ledger, record, ended)
        return tuple(corrected if event is ended else event for event in reported)
    known = record if ended.order_id is None else replace(record, order_id=ended.order_id)
    own = [fill for fill in trades if _belongs(fill, known)]
    quantity = sum((fill.quantity for fill in own), ZERO)
    if not ended.filled_quantity < quantity <= order.quantity:
        return reported
    corrected = replace(
        ended,
        order_id=own[0].order_id,
        status=OrderStatus.FILLED if quantity == order.quantity else ended.status,
        filled_quantity=quantity,
        filled_notional=sum((fill.notional for fill in own), ZERO),
    )
    return tuple(corrected if event is ended else event for event in reported)


async def _by_account(venue: Venue, ledger: Ledger, record: OrderRecord, ended: OrderEnded) -> OrderEnded:
    """Return the end of an order whose trades cannot be read: all filled where the account shows it, else unconfirmed.

    Its price is not known then. Of an order that is said to be partly filled the price of that part is: it stays as it
    is said until trades can be read, so that no fill has another one's price.
    """
    unconfirmed, hedge = replace(ended, unconfirmed=True), ledger.hedges.get(record.hedge_id)
    if hedge is None or ended.filled_quantity or record.filled_quantity:
        return unconfirmed
    try:
        account = await venue.account()
    except VenueError:
        return unconfirmed
    if not filled_whole(ledger, hedge, record, account):
        return unconfirmed
    return replace(ended, status=OrderStatus.FILLED, filled_quantity=record.request.quantity)


def _is_surprising(order: OrderRequest, ended: OrderEnded, book: Depth | None) -> bool:
    """Return whether an order that takes should have filled further; one that rested may end with less."""
    if order.time_in_force is not TimeInForce.IOC or ended.filled_quantity >= order.quantity:
        return False
    levels = book.levels(order.side) if book else ()
    shown = sum((lv.quantity for lv in levels if (lv.price - order.price) * order.side.sign <= 0), ZERO)
    return ended.order_id is None or shown >= order.quantity


def _belongs(fill: Fill, record: OrderRecord) -> bool:
    """Return whether a trade is of this order; reports carry the venue's number, and not all of them our id."""
    return fill.client_id == record.request.client_id or fill.order_id == record.order_id


def _filled(trades: list[Fill], request: OrderRequest, at: datetime) -> OrderEnded:
    return OrderEnded(
        at=at,
        client_id=request.client_id,
        order_id=trades[0].order_id,
        status=OrderStatus.FILLED,
        filled_quantity=request.quantity,
        filled_notional=sum((trade.notional for trade in trades), ZERO),
    )
