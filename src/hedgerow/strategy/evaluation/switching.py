"""Switching: what is known once a hedge was closed, computed before it is closed, to judge what could follow."""

from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.evaluation.screening import basis_of
from hedgerow.strategy.observation import Observation, Opportunity

__all__ = ["after_closing", "opportunity_of"]


def after_closing(hedge: HedgedPosition, observation: Observation, ledger: Ledger) -> tuple[Observation, Ledger]:
    """Return observation and ledger as they will be once ``hedge`` is closed at the mark of its short, less taker fees.

    An account that cannot be read, or does not show the short, stays as it is.
    """
    account, others = observation.account, {k: each for k, each in ledger.hedges.items() if k != hedge.hedge_id}
    freed = account if account is None else _freed(hedge, account)
    return replace(observation, account=freed), replace(ledger, hedges=others)


def opportunity_of(symbol: str, ranking: Ranking, market: MarketView) -> Opportunity | None:
    """Return a pair that a hedge would be closed for; None where the market does not show it."""
    pair, signal = market.pair(symbol), ranking.signal(symbol)
    if pair is None or signal is None:
        return None
    return Opportunity(pair=pair, signal=signal, basis=basis_of(symbol, market), targeted=True)


def _freed(hedge: HedgedPosition, account: AccountView) -> AccountView:
    row, usdt, perp = account.positions.get(hedge.symbol), account.coin(QUOTE_ASSET), account.perp
    if row is None or row.quantity >= 0:
        return account
    notional, pair = -row.quantity * row.mark_price, hedge.pair
    proceeds = hedge.spot_quantity * row.mark_price * (ONE - pair.spot.fees.taker)
    balance = perp.balance + row.unrealized_pnl - notional * pair.perp.fees.taker
    positions = {symbol: each for symbol, each in account.positions.items() if symbol != hedge.symbol}
    alone = not any(each.quantity for each in positions.values())
    released = balance if alone else min(balance, perp.transferable + notional / row.leverage)
    wallet = replace(
        perp,
        balance=balance,
        unrealized_pnl=ZERO if alone else perp.unrealized_pnl - row.unrealized_pnl,
        available=released,
        transferable=max(ZERO, released),
    )
    spot = {**account.spot, QUOTE_ASSET: replace(usdt, free=usdt.free + proceeds)}
    return replace(account, spot=spot, perp=wallet, positions=positions)
