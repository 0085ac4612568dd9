"""A leg that an account reply does not show, or shows smaller: what else must confirm it. Pure.

One endpoint alone proves nothing. Why each source counts, and what does not: docs/decisions, "A leg is gone only when
a second source says so".
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.events import Wallet
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.position import HedgedPosition, OrderRecord

__all__ = [
    "COINS_CONFIRMED_SECONDS",
    "OWN_TRADE_LAG",
    "CoinEvidence",
    "LegReading",
    "ShortEvidence",
    "are_coins_taken",
    "at_most_shown",
    "coin_reading",
    "confirmed_coins",
    "confirmed_short",
    "follows_own_trade",
    "is_in_doubt",
    "lasting",
    "may_lag",
    "most_shown",
    "said_of",
    "short_may_lag",
    "short_reading",
    "shown_coins",
    "shown_short",
    "traded_lately",
    "usdt_lags",
    "with_coins_in_doubt",
    "with_confirmed_coins",
    "with_confirmed_short",
    "with_short_in_doubt",
]

COINS_CONFIRMED_SECONDS = 900.0
"""The spot balance has no second endpoint: coins that no trade and no statement row explains count as gone only when
every reading for so long shows them missing, as many as each of them, while trades and statement can be read."""
OWN_TRADE_LAG = timedelta(minutes=2)
"""How long after an own trade every endpoint of the account may still show what was before it, all of them alike.
What others take of a leg meanwhile is known by its trades. An account that is older for longer is out of order, and a
leg that it lacks may be gone: two sources count again."""


class LegReading(Struct, frozen=True, kw_only=True):
    """One leg of a hedge as the log has it and as one account reply shows it, base units."""

    owned: Decimal
    shown: Decimal | None
    """None = unreadable: the row is missing or cannot be read."""
    tolerance: Decimal
    """What may be missing without a meaning: what a fee in coin is rounded by."""

    @property
    def short_of(self) -> bool:
        """Whether the reply shows less than the log, or nothing."""
        return self.owned > 0 and (self.shown is None or self.owned - self.shown > self.tolerance)

    @property
    def missing(self) -> Decimal:
        """What the reply lacks; all of it where it cannot be read."""
        return self.owned - (self.shown or ZERO)


class ShortEvidence(Struct, frozen=True, kw_only=True):
    """What other sources say of a short, base units; None = they could not be read."""

    second: Decimal | None = None
    """The short by the endpoint of single positions."""
    bought: Decimal | None = None
    """Bought back by trades of the account that the log does not have."""
    delisted: bool = False
    """Whether the listing was read and no longer has the perpetual."""
    lagging: bool = False
    """As of ``may_lag``: that both endpoints show less proves nothing."""


class CoinEvidence(Struct, frozen=True, kw_only=True):
    """What other sources say of coins, base units; None = they could not be read."""

    sold: Decimal | None = None
    """Sold by trades of the account that the log does not have."""
    moved: Decimal | None = None
    """What the statement's rows took out of the wallet and the log does not have."""
    most_shown: Decimal | None = None
    """The most that any reading of the last ``COINS_CONFIRMED_SECONDS`` shows; None = they do not go back so far."""
    lagging: bool = False
    """As of ``may_lag``: what trades and rows took is gone, and the rest of what a reply lacks is not shown yet."""


def at_most_shown(quantity: Decimal, shown: Decimal | None) -> Decimal:
    """Return ``quantity``, or less where the account readably shows less."""
    return quantity if shown is None or shown >= quantity else shown


def shown_short(hedge: HedgedPosition, account: AccountView) -> Decimal | None:
    """Return the short of the hedge's perpetual that the account shows; None = unreadable."""
    symbol = hedge.symbol
    return None if symbol in account.unreadable_positions else account.short(symbol)


def shown_coins(hedge: HedgedPosition, account: AccountView) -> Decimal | None:
    """Return the hedge's coins that the account shows, those of the user included; None = unreadable."""
    base = hedge.pair.perp.base
    if base in account.unreadable_balances:
        return None
    balance = account.spot.get(base)
    return ZERO if balance is None else balance.free + balance.locked


def short_reading(hedge: HedgedPosition, account: AccountView) -> LegReading:
    """Return the short as the log has it and as the account shows it."""
    return LegReading(owned=hedge.short, shown=shown_short(hedge, account), tolerance=ZERO)


def coin_reading(hedge: HedgedPosition, account: AccountView) -> LegReading:
    """Return the coins as the log has them and as the account shows them; coins of the user count as well."""
    shown, tolerance = shown_coins(hedge, account), hedge.pair.spot.lot
    return LegReading(owned=hedge.tally.spot_quantity, shown=shown, tolerance=tolerance)


def may_lag(hedge: HedgedPosition, at: datetime) -> bool:
    """Return whether a reply of ``at`` may be of before the bot's own orders: it was opened or adopted lately."""
    return abs(at - max(hedge.opened_at, hedge.adopted_at or hedge.opened_at)) < OWN_TRADE_LAG


def short_may_lag(hedge: HedgedPosition, at: datetime) -> bool:
    """Return whether a reply of ``at`` may be of before the bot sold a part of the hedge's short."""
    return traded_lately(hedge.orders, Market.PERP, at, opens=True)


def traded_lately(orders: Iterable[OrderRecord], market: Market, at: datetime, *, opens: bool) -> bool:
    """Return whether a reply of ``at`` may be of before one of the orders that has built, or reduced, a leg."""
    return any(
        record.request.market is market
        and record.opens is opens
        and record.filled_quantity > 0
        and abs(at - record.issued_at) < OWN_TRADE_LAG
        for record in orders
    )


def follows_own_trade(ledger: Ledger, account: AccountView) -> bool:
    """Return whether a reply may be of before the bot's newest order or transfer, for its time alone."""
    return ledger.traded_at is not None and abs(account.at - ledger.traded_at) < OWN_TRADE_LAG


def usdt_lags(ledger: Ledger, account: AccountView) -> bool:
    """Return whether the USDT that an account shows may be of before the bot's newest trade or transfer.

    For two minutes after it, where they are not those of the books: wallets that are levelled, and openings that are
    sized, by such a reply are wrong by what was traded.
    """
    if not follows_own_trade(ledger, account) or not ledger.books.opened:
        return False
    difference = books_difference(ledger.books, account)
    return any(f"{wallet}:{QUOTE_ASSET}" in difference for wallet in Wallet)


def are_coins_taken(hedge: HedgedPosition, sale: Decimal, account: AccountView) -> bool:
    """Return whether an account lacks the coins of a sale that the venue refused because there are not enough.

    Not for two minutes after the bot bought some: until then wallet and account may both be of before that.
    """
    base = hedge.pair.base
    bought = traded_lately(hedge.orders, Market.SPOT, account.at, opens=True)
    if bought or base in account.unreadable_balances:
        return False
    return account.coin(base).total < sale


def confirmed_short(reading: LegReading, evidence: ShortEvidence) -> Decimal | None:
    """Return the short that two sources agree on, at most what is owned; None = in doubt.

    Of a short that goes on shrinking between two readings, only what both miss is gone.
    """
    second, bought = evidence.second, evidence.bought or ZERO
    explained = bought >= reading.missing
    if evidence.lagging and evidence.second is not None:
        return _short_by_trades(reading, evidence.second, bought)
    if reading.shown is None:
        return _unshown_short(reading, evidence)
    if explained or (second is None and evidence.delisted):
        return reading.shown
    if second is not None and second < reading.owned:
        return max(reading.shown, second)
    return None


def _short_by_trades(reading: LegReading, second: Decimal, bought: Decimal) -> Decimal | None:
    """Return the short of replies that may be older than its opening: all of it less what trades bought back."""
    if reading.shown is None and second >= reading.owned:
        return second
    left = reading.owned - bought
    return max(reading.shown or ZERO, left, ZERO) if bought > 0 else None


def _unshown_short(reading: LegReading, evidence: ShortEvidence) -> Decimal | None:
    """Return the short of a reply without its row: the second endpoint's, where it is whole or trades explain it."""
    second, bought = evidence.second, evidence.bought or ZERO
    if second is None:
        gone = evidence.delisted or bought >= reading.owned
        return ZERO if gone else None
    if second >= reading.owned or bought >= reading.owned - second:
        return second
    return None


def confirmed_coins(reading: LegReading, evidence: CoinEvidence) -> Decimal | None:
    """Return the coins that are left by a balance and what explains it; None = in doubt."""
    explained = max(evidence.sold or ZERO, evidence.moved or ZERO)
    shown = reading.shown or ZERO
    if evidence.lagging and explained > reading.tolerance:
        return max(shown, reading.owned - explained)
    if explained >= reading.missing - reading.tolerance:
        return shown
    most = evidence.most_shown
    if evidence.sold is None or evidence.moved is None or reading.shown is None or most is None:
        return None
    return most if reading.owned - most > reading.tolerance else None


def lasting(readings: tuple[tuple[float, Decimal], ...], now: float) -> tuple[tuple[float, Decimal], ...]:
    """Return the readings that count at ``now``: those of the last quarter of an hour, and the one that it began with.

    Each is a time by the monotonic clock and the coins that were shown, oldest first.
    """
    early = [at for at, _ in readings if now - at >= COINS_CONFIRMED_SECONDS]
    return tuple(each for each in readings if not early or each[0] >= early[-1])


def most_shown(readings: tuple[tuple[float, Decimal], ...], now: float) -> Decimal | None:
    """Return the most coins that any of the readings shows; None while they do not go back far enough."""
    whole = bool(readings) and now - readings[0][0] >= COINS_CONFIRMED_SECONDS
    return max(shown for _, shown in readings) if whole else None


def with_confirmed_short(
    account: AccountView, symbol: str, short: Decimal, row: PerpPosition | None = None
) -> AccountView:
    """Return the account with the short that two sources agree on; ``row`` is the second endpoint's, where it was read.

    What the account holds beyond the hedge's own short is left as its own reply shows it.
    """
    positions = dict(account.positions)
    known = positions.pop(symbol, None) or row
    if known is not None and short > 0:
        positions[symbol] = replace(known, quantity=-short)
    return replace(account, positions=positions, unreadable_positions=account.unreadable_positions - {symbol})


def with_confirmed_coins(account: AccountView, asset: str, coins: Decimal) -> AccountView:
    """Return the account with a balance of ``asset`` of ``coins`` at least: nothing is left where it has no row."""
    balance, unreadable = account.coin(asset), account.unreadable_balances - {asset}
    if balance.total >= coins:
        return replace(account, unreadable_balances=unreadable)
    spot = {**account.spot, asset: replace(balance, free=coins - balance.locked)}
    return replace(account, spot=spot, unreadable_balances=unreadable)


def with_short_in_doubt(account: AccountView, symbol: str, doubt: str) -> AccountView:
    """Return the account with a position that is neither held nor flat."""
    unreadable = account.unreadable_positions | {symbol}
    return replace(account, unreadable_positions=unreadable, doubts=(*account.doubts, doubt))


def with_coins_in_doubt(account: AccountView, asset: str, doubt: str) -> AccountView:
    """Return the account with a balance that is neither there nor gone."""
    unreadable = account.unreadable_balances | {asset}
    return replace(account, unreadable_balances=unreadable, doubts=(*account.doubts, doubt))


def is_in_doubt(hedge: HedgedPosition, account: AccountView) -> bool:
    """Return whether a reply contradicts itself, or leaves out a leg of the hedge."""
    perp = hedge.pair.perp
    unread = perp.symbol in account.unreadable_positions or perp.base in account.unreadable_balances
    return unread or bool(account.doubts)


def said_of(reading: LegReading, leg: str) -> str:
    """Return what a reply shows of a leg, in words; ``leg`` names it, as in ``BTCUSDT short``."""
    return f"leaves the {leg} out" if reading.shown is None else f"shows a {leg} of {plain(reading.shown)}"
