"""Strategy equity: the bot's own money, apart from what else is in the account."""

from decimal import Decimal

from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import ZERO

__all__ = ["equity_of"]


def equity_of(ledger: Ledger, account: AccountView | None, market: MarketView | None) -> Decimal | None:
    """Return both wallets' USDT, unrealised PnL included, and the coins that the ledger owns, in quote units.

    Coins the user owns are not counted; None when something needed could not be read.
    """
    if account is None or market is None:
        return None
    usdt = account.coin(QUOTE_ASSET).total + account.perp.balance
    usdt += sum((_unrealized(position, market) for position in account.positions.values()), ZERO)
    coins = ZERO
    for asset in _owned_assets(ledger):
        quote = market.quote(Market.SPOT, f"{asset}{QUOTE_ASSET}")
        mid = quote.mid if quote else None
        if mid is None:
            return None
        coins += ledger.owned(asset) * mid
    return usdt + coins


def _unrealized(position: PerpPosition, market: MarketView) -> Decimal:
    """Return a position's PnL at the middle of its book, as the coins are valued; at the mark where it is one-sided."""
    quote = market.quote(Market.PERP, position.symbol)
    if quote is None or quote.mid is None:
        return position.unrealized_pnl
    return position.quantity * (quote.mid - position.entry_price)


def _owned_assets(ledger: Ledger) -> set[str]:
    assets = {*ledger.dust, *(hedge.pair.base for hedge in ledger.hedges.values())}
    return {asset for asset in assets if ledger.owned(asset)}
