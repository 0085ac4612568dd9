"""Advances an account in time: funding, resting orders and liquidation, each when it is due.

Only what the account holds is touched, at the steps of its tape: time costs nothing while nothing is held. Margin is
cross; isolated margin is a label here. A liquidation closes the largest position at its mark until the rest is covered,
and leaves the spot wallet alone.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import ForcedTrade
from hedgerow.emulator.core.account import Account
from hedgerow.emulator.core.funding import charges, may_settle, payment_amount
from hedgerow.emulator.core.wallets import to_row
from hedgerow.ports import MarketData

__all__ = ["advance_time", "check_prices", "next_instant"]

"""How the client ids of liquidation orders begin (docs/aster-api.md 10.2)."""


def advance_time(account: Account, market_data: MarketData, to: datetime) -> None:
    """Bring the account to ``to`` (nothing happens for a time already passed), doing what falls due in order."""
    if to <= account.now:
        return  # as of every read but the first of a time
    while account.now < to and (account.perp.holdings or account.desk.resting):
        until = min(to, next_instant(account, market_data))
        if may_settle(account.now, until):
            _settle_funding(account, market_data, until)
        account.now = until
        account.follow_changes()
        account.heed_dead_men()
        check_prices(account)
    if account.now < to:
        account.now = to
        account.follow_changes()
        account.heed_dead_men()


def check_prices(account: Account) -> None:
    """Match resting orders at the present prices and liquidate what they no longer carry."""
    if account.desk.resting:
        account.desk.match_resting(account.now)
        account.changed()
    while account.perp.holdings:
        if account.perp.carries(account.mark):
            return
        _liquidate(account)


def next_instant(account: Account, market_data: MarketData) -> datetime:
    """Return the next time at which a price can change."""
    now, shocks = account.now, account.marketplace.conditions.shocks
    if account.next_change <= now or account.shocks_known is not shocks:
        step = now + market_data.step - (now - EPOCH) % market_data.step
        account.next_change = min((step, *(shock.at for shock in shocks if shock.at > now))) if shocks else step
        account.shocks_known = shocks
    boundary = account.marketplace.next_boundary
    following = account.next_change if boundary is None else min(account.next_change, boundary)
    if not account.dead_men:
        return following
    return min((following, *(at for at in account.dead_men.values() if at > now)))


def _settle_funding(account: Account, market_data: MarketData, until: datetime) -> None:
    delay = timedelta(seconds=account.options.settlement_delay_seconds)
    lead = timedelta(seconds=account.options.settlement_lead_seconds)
    held = tuple(account.perp.holdings)
    for charge in charges(market_data, held, account.now, until, longest_delay=delay, longest_lead=lead):
        account.now = charge.at
        account.follow_changes()
        quantity, mark = account.perp.quantity(charge.symbol), account.mark(charge.symbol)
        amount = payment_amount(quantity, mark, charge.rate.rate)
        account.perp.balance += amount
        account.journal.book_funding(charge.symbol, amount, charge.at)
        account.changed()


def _liquidate(account: Account) -> None:
    """Close the position that needs most margin, take the fee, and let the insurance fund pay what is missing."""
    account.desk.cancel_all(Market.PERP, None, account.now)
    symbol = max(account.perp.holdings, key=lambda s: account.perp.maintenance(s, account.mark(s)))
    order = account.close_by_force(symbol, abs(account.perp.quantity(symbol)), ForcedTrade.LIQUIDATION)
    fee = to_row(order.filled_notional * account.options.liquidation_fee_rate)
    _book(account, -min(fee, max(ZERO, account.perp.balance)), FlowKind.LIQUIDATION_FEE)
    if not account.perp.holdings:
        _book(account, max(ZERO, -account.perp.balance), FlowKind.OTHER)


def _book(account: Account, amount: Decimal, kind: FlowKind) -> None:
    account.perp.balance += amount
    account.journal.book_row(Wallet.PERP, QUOTE_ASSET, amount, kind, account.now)
