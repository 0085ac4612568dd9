"""What an account shows of an own order beyond the log: the order's reply, or its trades, may be wrong. Pure."""

from decimal import Decimal

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import Wallet
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.strategy.evidence.absence import is_in_doubt, traded_lately

__all__ = ["filled_whole", "shows_further"]


def filled_whole(ledger: Ledger, hedge: HedgedPosition, record: OrderRecord, account: AccountView) -> bool:
    """Return whether an account shows just what ``record`` would have traded if nothing of it had been left.

    A second source beside the order's reply, where its trades cannot be read. Only the exact quantity counts, but for
    a fee in coin: others may have traded, too. An account may be older than the bot's newest trades: where the same leg
    of this pair was traded in the other direction lately, what it shows may be from before that, and proves nothing.
    """
    order, market = record.request, record.request.market
    base = hedge.pair.base
    unreadable = base in account.unreadable_balances or order.symbol in account.unreadable_positions
    if unreadable or (market is Market.SPOT and not ledger.books.opened):
        return False
    others = [each for known in _known(ledger, hedge.symbol) for each in known.orders]
    if traded_lately(others, market, account.at, opens=not record.opens):
        return False
    left = order.quantity - record.filled_quantity
    further, charged = _further(ledger, hedge, record, account, left)
    return abs(further - left) <= charged


def shows_further(
    ledger: Ledger, hedge: HedgedPosition, record: OrderRecord, account: AccountView, excess: Decimal
) -> bool:
    """Return whether an account holds ``excess`` base units that an order is said to have traded beyond the log.

    Trades alone may be wrong, as the order's reply may.
    """
    if record.filled_quantity + excess > record.request.quantity or is_in_doubt(hedge, account):
        return False
    further, charged = _further(ledger, hedge, record, account, excess)
    return further >= excess - charged


def _further(
    ledger: Ledger, hedge: HedgedPosition, record: OrderRecord, account: AccountView, excess: Decimal
) -> tuple[Decimal, Decimal]:
    """Return what an account shows beyond the log in the order's direction, and what fees in coin may make of it.

    Base units both; ``excess`` is what the order may have traded beyond the log.
    """
    if record.request.market is Market.PERP:
        held = ledger.held(hedge.symbol)
        further = account.short(hedge.symbol) - (held.short if held else ZERO)
        return further if record.opens else -further, ZERO
    # The books have what was booked of trades: beside the excess the account holds what is not booked of them yet.
    further = books_difference(ledger.books, account).get(f"{Wallet.SPOT}:{hedge.pair.base}", ZERO)
    charged = hedge.pair.spot.lot + excess * record.fee_rate
    for each in (r for known in _known(ledger, hedge.symbol) for r in known.unsettled):
        if each.request.market is Market.PERP:
            continue
        unbooked = each.filled_quantity - each.booked_quantity
        further -= unbooked if each.opens else -unbooked
        charged += unbooked * each.fee_rate
    return further if record.opens else -further, charged


def _known(ledger: Ledger, symbol: str) -> list[HedgedPosition]:
    return [hedge for hedge in ledger.known_hedges if hedge.symbol == symbol]
