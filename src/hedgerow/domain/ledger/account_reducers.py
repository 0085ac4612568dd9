"""Reducers of transfers, funding payments and other statement rows."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.ledger.order_index import with_hedge
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import DustLot, HedgedPosition, newest_stamps

__all__ = ["FUNDING_HORIZON", "external_flow", "funding_received", "funds_transferred"]

FUNDING_HORIZON = timedelta(days=35)
"""A payment with a stamp so much older than the newest one booked counts as booked."""
COIN_STEP = Decimal("1e-8")
"""Balances have eight decimals."""
ROWS_OF_ONE_EXCHANGE = timedelta(minutes=1)
"""How far apart the rows may be stamped in which a venue exchanges one coin."""
LATE_FUNDING = timedelta(seconds=15)
"""How far off its stamp a venue may charge a settlement."""


def funds_transferred(ledger: Ledger, event: ev.FundsTransferred) -> Ledger:
    """Book a transfer between the wallets, once."""
    row = f"transfer:{event.transfer_id}"
    if ledger.rows_seen.knows(row, event.at):
        return replace(ledger, transfer=None, transfer_doubtful=False)
    seen = ledger.rows_seen.adding(row, event.at)
    books = ledger.books.with_transfer(event)
    return replace(ledger, transfer=None, transfer_doubtful=False, rows_seen=seen, books=books, traded_at=event.at)


def funding_received(ledger: Ledger, event: ev.FundingReceived) -> Ledger:
    """Book a funding payment, once per transaction."""
    payment = event.payment
    if ledger.funding_seen.knows(payment.tran_id, payment.at):
        return ledger
    newest = max(ledger.funding_until or payment.at, payment.at)
    ledger = replace(
        ledger,
        funding_seen=ledger.funding_seen.adding(payment.tran_id, payment.at).forgetting(newest - FUNDING_HORIZON),
        funding_until=newest,
        books=ledger.books.with_funding(payment),
    )
    return _attributed(ledger, payment)


def _attributed(ledger: Ledger, payment: FundingPayment) -> Ledger:
    """Give a payment to the hedge held at its stamp, wherever that hedge is by now."""
    for slack in (timedelta(0), LATE_FUNDING):
        for hedge in ledger.live_hedges:
            if _held_at(hedge, payment, slack):
                return with_hedge(ledger, _paid(hedge, payment))
        for index, closed in enumerate(ledger.closed):
            if _held_at(closed.hedge, payment, slack) and payment.at <= closed.closed_at + slack:
                changed = replace(closed, hedge=_paid(closed.hedge, payment))
                totals = replace(ledger.totals, funding=ledger.totals.funding + payment.amount)
                rest = (*ledger.closed[:index], changed, *ledger.closed[index + 1 :])
                return replace(ledger, closed=rest, totals=totals)
    return replace(ledger, unattributed_funding=ledger.unattributed_funding + payment.amount)


def _held_at(hedge: HedgedPosition, payment: FundingPayment, slack: timedelta) -> bool:
    """Whether the hedge was at work at the stamp: a settlement during its opening pays on the slices already held."""
    return hedge.symbol == payment.symbol and payment.at >= hedge.begun_at - slack


def _paid(hedge: HedgedPosition, payment: FundingPayment) -> HedgedPosition:
    return replace(
        hedge,
        funding_received=hedge.funding_received + payment.amount,
        funding_payments=hedge.funding_payments + 1,
        paid_at=newest_stamps((*hedge.paid_at, payment.at)),
    )


def external_flow(ledger: Ledger, event: ev.ExternalFlow) -> Ledger:
    """Book a row of the venue that the bot did not cause, once."""
    if ledger.rows_seen.knows(event.row_id, event.at):
        return ledger
    opened = event.at if event.kind is ev.FlowKind.OPENING else None
    return replace(
        ledger,
        rows_seen=ledger.rows_seen.adding(event.row_id, event.at),
        books=ledger.books.with_flow(event),
        books_since=ledger.books_since or opened,
        dust=_dust_exchanged(ledger, event),
    )


def _dust_exchanged(ledger: Ledger, event: ev.ExternalFlow) -> Mapping[str, DustLot]:
    """Return the dust that is left when the venue exchanges a coin for fewer new ones: a part of it as of all coins.

    That of a coin which a hedge holds is counted in new coins with the hedge, also where the row is booked after that
    hedge has ended.
    """
    lot = ledger.dust.get(event.asset)
    before = ledger.books.line(event.wallet, event.asset).balance
    exchanged = (
        event.kind is ev.FlowKind.AUTO_EXCHANGE and event.wallet is ev.Wallet.SPOT and -before <= event.amount < 0
    )
    holds = any(each.pair.base == event.asset for each in ledger.hedges.values())
    if lot is None or not exchanged or holds or _is_counted(ledger, event):
        return ledger.dust
    left = (lot.quantity * (before + event.amount) / before).quantize(COIN_STEP)
    return {**ledger.dust, event.asset: replace(lot, quantity=left)}


def _is_counted(ledger: Ledger, event: ev.ExternalFlow) -> bool:
    """Whether a hedge, ended by now, was counted in new coins because of this row: all dust was counted with it."""
    hedges = (each for each in ledger.known_hedges if each.pair.base == event.asset)
    since = (at for hedge in hedges for at, _ in hedge.denominations)
    return any(at <= event.at <= at + ROWS_OF_ONE_EXCHANGE for at in since)
