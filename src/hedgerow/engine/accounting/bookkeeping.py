"""Keeps the books: opening balances, fees, funding once per transaction, statement rows of others."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.errors import MarketClosed, VenueError
from hedgerow.domain.events import Wallet
from hedgerow.domain.funding import FundingPayment, FundingRate, last_settlement
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.account_reducers import FUNDING_HORIZON
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.engine.accounting.awaited_funding import AwaitedFunding
from hedgerow.engine.accounting.doubts import Doubts
from hedgerow.engine.accounting.failure_lines import FailureLines
from hedgerow.engine.accounting.statement_reader import SLACK, StatementReader
from hedgerow.engine.accounting.trade_reports import TradeReports
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import BooksChecked, Warned
from hedgerow.ports import Clock, StatementRow, Venue
from hedgerow.strategy.evidence.funding_reports import doubt_of, is_due

__all__ = ["Bookkeeper"]

LATE_ROWS = timedelta(minutes=5)
"""Funding rows may lag their settlement; after this they are final."""
RETRY_ROWS = timedelta(seconds=30)
OVERLAP = timedelta(minutes=10)
"""Rows are read again this far back; booking is idempotent."""
DOUBT_SECONDS = 900.0
"""How long readings have to show a funding row that cannot be so."""
CONFIRMED = timedelta(minutes=5)
"""How long readings of the account have to show the same difference before openings are halted because of it."""
UNREPORTED = timedelta(days=1)
"""So long an own trade that no report has shown yet may be what the books lack."""
STANDING = timedelta(days=7)
"""A difference that stands unexplained for so long keeps the watermark back no more: rows are listed within days."""


class Bookkeeper:
    """Turns the venue's account rows into events, each once."""

    def __init__(self, *, venue: Venue, journal: Journal, clock: Clock) -> None:
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._funding_checked: datetime | None = None
        self._awaited = AwaitedFunding()
        self._reports = TradeReports(journal=journal, clock=clock)
        self._doubts = Doubts(journal=journal, clock=clock)
        self._settled: Sequence[FundingRate] = ()
        self._account: AccountView | None = None
        """As last shown with funding."""
        self._statement = StatementReader(venue=venue, journal=journal, clock=clock, held_back=self._is_held_back)
        self._no_funding = FailureLines(journal=journal, clock=clock)
        self._odd_rows = FailureLines(journal=journal, clock=clock)
        self._no_trades = {market: FailureLines(journal=journal, clock=clock) for market in Market}
        self._trades_read = True
        """Whether the own trades whose fees are not known could all be read when they were last asked for."""
        self._difference: dict[str, Decimal] = {}
        self._standing_since = clock.now()
        self._agreed_at: datetime | None = None
        self._burnt: set[str] = set()
        self._of_trades: dict[StatementRow, bool] = {}
        """Whether rows that name an own trade are sums that were booked with it."""

    async def open_books(self, account: AccountView) -> None:
        """Book the balances found at the very first reading."""
        if self._journal.ledger.books.opened:
            return
        found = [(Wallet.SPOT, asset, balance.total) for asset, balance in sorted(account.spot.items())]
        found.append((Wallet.PERP, QUOTE_ASSET, account.perp.balance))
        found += [(Wallet.PERP, asset, amount) for asset, amount in sorted(account.perp_assets.items())]
        await self._journal.record(
            *(
                ev.ExternalFlow(
                    at=account.at,
                    row_id=f"opening:{wallet}:{asset}",
                    wallet=wallet,
                    asset=asset,
                    amount=amount,
                    kind=ev.FlowKind.OPENING,
                )
                for wallet, asset, amount in found
            )
        )

    # --- funding -----------------------------------------------------------------------------------------------------

    async def book_funding(
        self,
        *,
        interval_hours: int = 1,
        settled: Sequence[FundingRate] = (),
        account: AccountView | None = None,
        force: bool = False,
    ) -> None:
        """Book new funding payments; the venue is asked after a settlement, until its rows are there.

        ``settled`` are the newest rates of the held symbol: the hedge is paid for each of them that is not zero. A row
        that cannot be so by them and by what ``account`` holds is booked when readings go on showing it.
        """
        now, ledger = self._clock.now(), self._journal.ledger
        self._settled = settled or self._settled
        self._account = account or self._account
        opened = ledger.books_since
        if opened is None:
            return
        self._awaited.expect(ledger, settled)
        if not (force or self._awaited.due(now) or (self._may_be_paid() and self._funding_due(interval_hours))):
            return
        try:
            payments = await self._venue.funding_payments(self._funding_since(opened, force=force) - OVERLAP)
        except VenueError as unreadable:
            if all(
                hedge.history_known for hedge in ledger.open_hedges
            ):  # else it was said in this check when it was adopted
                self._no_funding.warn(text=f"Could not fetch funding history: {unreadable}")
            return
        self._no_funding.over()
        self._funding_checked = now
        # What was paid before the books were opened is part of the opening balance.
        fresh = [p for p in payments if not ledger.funding_seen.knows(p.tran_id, p.at) and p.at > opened]
        believed = self._believed(fresh)
        if believed:
            await self._journal.record(*(ev.FundingReceived(at=now, payment=p) for p in believed))
        for text in self._awaited.looked(self._journal.ledger, now):
            self._journal.say(Warned(at=now, text=text))

    def _believed(self, payments: Iterable[FundingPayment]) -> list[FundingPayment]:
        """Return the payments that can be so, and those that readings have gone on showing."""
        hedges, found = self._journal.ledger.known_hedges, list[FundingPayment]()
        for payment in payments:
            row = self._account.positions.get(payment.symbol) if self._account else None
            worth = abs(row.quantity) * row.mark_price if row else ZERO
            doubt = doubt_of(payment, hedges, self._settled, beside=found, worth=worth, now=self._clock.now())
            key = f"funding:{payment.tran_id}"
            if doubt is None or self._doubts.outlasted(key, payment, DOUBT_SECONDS, f"{payment.symbol}: {doubt}"):
                found.append(payment)
        return found

    async def _is_held_back(self, row: StatementRow) -> bool:
        """Return whether a row may be funding or of an own trade under another name, whose sums are booked otherwise.

        One that may be so is booked when readings go on showing it, and the settled rate does not say that it is due;
        the fee or the result of a trade never, and what names a trade not before all own trades are booked.
        """
        ledger = self._journal.ledger
        if row.wallet is not Wallet.PERP:
            return False
        if row.tran_id in ledger.funding_seen:
            return True
        if row.trade_id and _awaits_trades(ledger, row.symbol):
            return True
        traded = row.trade_id and _trade_of(row) in ledger.trades_seen
        if not traded and not is_due(row.symbol, row.at, ledger.known_hedges):
            return False
        lasts = self._doubts.outlasted(f"row:{row.row_id}", row, DOUBT_SECONDS)
        if not lasts:
            what = f"trade {row.trade_id}" if traded else f"the settlement of {row.at:%Y-%m-%d %H:%M} UTC"
            text = f"{row.symbol}: {plain(row.amount)} {row.asset} of {what} is listed as {row.kind}"
            self._odd_rows.warn(text=f"{text}; not booked until that is read again")
        return not lasts or self._awaited.awaits(row.symbol, row.at) or await self._is_of_trade(row)

    async def _is_of_trade(self, row: StatementRow) -> bool:
        """Return whether a row's sum was booked with the own trade that it names."""
        known = self._of_trades.get(row)
        if known is None:
            key, log = _trade_of(row), await self._journal.events(after=self._journal.ledger.recent_from)
            fills = (event.fill for event in log if isinstance(event, ev.FeeBooked) and event.fill.key == key)
            known = self._of_trades[row] = any(_is_sum_of(row, fill) for fill in fills)
        return known

    def _funding_since(self, opened: datetime, *, force: bool) -> datetime:
        """Return from when on payments may be listed that are not booked: a late row is older than the newest one."""
        ledger = self._journal.ledger
        newest = ledger.funding_until or opened
        if ledger.statement_from is not None:
            # What was charged before the books agreed is booked.
            agreed = ledger.statement_from - SLACK
            since = [agreed if force else max(newest, agreed)]
        else:
            since = [newest - FUNDING_HORIZON if force else newest]
        since += self._awaited.stamps
        return max(opened, min(since))

    async def book_funding_of(self, begun: datetime) -> None:
        """Book what was paid during a job that began then: the cycle asked for payments before it."""
        if last_settlement(self._clock.now(), 1) + LATE_ROWS >= begun:
            await self.book_funding(force=True)

    def _may_be_paid(self) -> bool:
        """Return whether a hedge is held, or one was closed so lately that a payment of its may still arrive."""
        ledger = self._journal.ledger
        if ledger.open_hedges:
            return True
        since = self._clock.now() - 2 * LATE_ROWS
        return any(closed.closed_at >= since for closed in reversed(ledger.closed))

    def _funding_due(self, interval_hours: int) -> bool:
        """Due at every start, once after each settlement, and again until that settlement's rows are final."""
        checked = self._funding_checked
        if checked is None:
            return True
        now, booked = self._clock.now(), self._journal.ledger.funding_until
        if checked > now:
            return True  # the clock was set back: nothing is known of what settled since
        settled = last_settlement(now, interval_hours)
        if booked is not None and booked >= settled:
            return False
        return checked < settled or (checked < settled + LATE_ROWS and now - checked >= RETRY_ROWS)

    # --- fees --------------------------------------------------------------------------------------------------------

    async def book_fees(self) -> None:
        """Book trade reports for every fill whose real fee is not known yet; unreadable ones stay estimates."""
        self._trades_read = True
        for hedge, market, records in _unsettled(self._journal.ledger):
            since = min(record.issued_at for record in records) - OVERLAP
            try:
                fills = await self._venue.fills(market, hedge.symbol, since)
                await self._book_fills(hedge, records, fills)
            except VenueError as unreadable:
                self._trades_read = False
                self._no_trades[market].warn(text=f"Could not fetch trades: {unreadable}")
            else:
                self._no_trades[market].over()

    async def _book_fills(self, hedge: HedgedPosition, records: Iterable[OrderRecord], fills: Iterable[Fill]) -> None:
        ours = {r.request.client_id: r for r in records}
        by_order = {r.order_id: r.request.client_id for r in ours.values() if r.order_id is not None}
        seen = self._journal.ledger.trades_seen
        reported: dict[str, list[Fill]] = {}
        for fill in fills:
            client_id = fill.client_id if fill.client_id in ours else by_order.get(fill.order_id)
            if client_id is not None and not seen.knows(fill.key, fill.at):
                reported.setdefault(client_id, []).append(fill)
        now, booked = self._clock.now(), list[ev.Event]()
        for client_id, new in reported.items():
            fees = {fill.key: await self._fee_in_quote(fill, hedge, ours[client_id]) for fill in new}
            trusted = self._reports.trusted(hedge, ours[client_id], new, fees)
            booked += [ev.FeeBooked(at=now, client_id=client_id, fill=f, fee_quote=fees[f.key]) for f in trusted]
        if booked:
            await self._journal.record(*booked)

    async def _fee_in_quote(self, fill: Fill, hedge: HedgedPosition, record: OrderRecord) -> Decimal:
        """Return a fee in quote units; one in a coin that has no price here counts as what was expected."""
        base, quote, asset = hedge.pair.base, hedge.pair.perp.quote, fill.fee_asset
        if asset in {base, quote}:
            return fill.fee_in_quote(base, quote)
        if asset not in self._burnt:
            self._burnt.add(asset)
            text = f"Fees are paid in {asset}: they are booked, but each trade uses up coins that are not the bot's"
            self._journal.say(Warned(at=self._clock.now(), text=f"{text}; switch fee burning off at the exchange"))
        try:
            price = (await self._venue.depth(Market.SPOT, f"{asset}{quote}")).touch(Side.SELL)
        except MarketClosed:
            price = None
        if price is None:
            return fill.notional * record.fee_rate
        return fill.fee_in_quote(base, quote, asset_price=price)

    # --- agreement with the venue ------------------------------------------------------------------------------------

    async def check(self, account: AccountView) -> dict[str, Decimal]:
        """Compare the books with the venue; a difference is explained by its rows, or alarmed at the second reading.

        Returns what two readings in a row showed and the statement, which was readable, does not explain.
        """
        if self._journal.ledger.jobs or self._journal.ledger.transfer is not None:
            return {}
        difference = books_difference(self._journal.ledger.books, account)
        if difference and self._statement.due(changed=difference != self._difference):
            await self._explain()
            difference = books_difference(self._journal.ledger.books, account)
        if not difference:
            self._agree(account)
        confirmed = self._differ(difference, account) if difference else {}
        self._difference = difference
        return confirmed

    def statement_from(self) -> datetime | None:
        """Return the watermark of the newest comparison; None while it is no later than the one in the log."""
        agreed, logged = self._agreed_at, self._journal.ledger.statement_from
        return agreed if agreed is not None and (logged is None or agreed > logged) else None

    def _agree(self, account: AccountView) -> None:
        self._statement.agreed()
        self._agreed_at = _venue_time(account)

    def _differ(self, difference: dict[str, Decimal], account: AccountView) -> dict[str, Decimal]:
        """Alarm and return what two comparisons show and the statement does not explain; nothing at the first one.

        A difference that stands for days does not keep the watermark back.
        """
        now = _venue_time(account)
        if difference != self._difference:
            self._standing_since = now
            return {}
        known = self._statement.complete and not _awaits_reports(self._journal.ledger, now)
        if known:
            books = self._journal.ledger.books
            self._journal.say(BooksChecked(at=self._clock.now(), differences=difference, books=books))
        if now - self._standing_since > STANDING:
            self._agreed_at = now - STANDING
        lasts = now - self._standing_since >= CONFIRMED
        return difference if lasts and known else {}

    async def _explain(self) -> None:
        """Read what could explain a difference: late fees, funding, and rows that are not ours."""
        if not self._statement.begun:
            await self.book_fees()
            await self.book_funding(force=True)
        await self._statement.read(trades_read=self._trades_read)


def _venue_time(account: AccountView) -> datetime:
    return account.at + timedelta(seconds=account.clock_skew_seconds)


def _trade_of(row: StatementRow) -> str:
    """Return the key of the trade of a perpetual that a row names, as of ``Fill.key``."""
    return f"{Market.PERP}:{row.symbol}:{row.trade_id}"


def _is_sum_of(row: StatementRow, fill: Fill) -> bool:
    """Return whether a row is the commission of a trade or its realised PnL, whatever its type says."""
    return (row.asset, row.amount) in {(fill.fee_asset, -fill.fee), (QUOTE_ASSET, fill.realized_pnl)}


def _awaits_trades(ledger: Ledger, symbol: str) -> bool:
    """Return whether an own trade of a perpetual may not be booked yet."""
    hedges = (hedge for hedge in ledger.known_hedges if hedge.symbol == symbol)
    return any(record.request.market is Market.PERP for hedge in hedges for record in hedge.unsettled)


def _awaits_reports(ledger: Ledger, now: datetime) -> bool:
    """Return whether fees and realised PnL of an own trade of the last day are not booked: they may be what differs."""
    return any(now - each.issued_at < UNREPORTED for hedge in ledger.known_hedges for each in hedge.unsettled)


def _unsettled(ledger: Ledger) -> list[tuple[HedgedPosition, Market, list[OrderRecord]]]:
    found: list[tuple[HedgedPosition, Market, list[OrderRecord]]] = []
    for hedge in ledger.known_hedges:
        pending = hedge.unsettled
        for market in Market if pending else ():
            records = [r for r in pending if r.request.market is market]
            if records:
                found.append((hedge, market, records))
    return found
