"""Accounting checks: books, equity, coins, funding, opened and closed hedges."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.events import Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.order_index import hedge_of
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition
from hedgerow.ports import MarketPrices
from hedgerow.simulation.checks.invariants import Invariant

__all__ = ["check_end", "check_equity", "check_fills", "hand_effect"]

ROUNDING = Decimal("1e-9")
"""Quotients such as average prices are cut at 28 digits; amounts have 8 decimals."""


def hand_effect(before: Ledger, event: ev.ExternalFills, after: Ledger) -> Decimal:
    """Return what trades by hand that are booked to a hedge changed in USDT, as the statement's rows show them.

    Late trades take the place of placeholder fills, whose effect goes.
    """
    old, new = hedge_of(before, event.hedge_id), hedge_of(after, event.hedge_id)
    if old is None or new is None:
        return ZERO
    fresh = {f"{f.market}:{f.symbol}:{f.trade_id}": f for f in event.fills}
    total = sum(
        (_row_of(f) for key, f in fresh.items() if not before.trades_seen.knows(key, f.at) and not f.forced), ZERO
    )
    return total - (_assumed(old) - _assumed(new) if event.late else ZERO)


def _row_of(fill: Fill) -> Decimal:
    if fill.market is Market.PERP:
        return fill.realized_pnl - fill.fee
    fee = fill.fee if fill.fee_asset == QUOTE_ASSET else ZERO
    return -fill.side.sign * fill.notional - fee


def _assumed(hedge: HedgedPosition) -> Decimal:
    """Return the USDT that sales of coins that were not observed are taken to have brought."""
    spot = (r for r in hedge.orders if r.assumed and r.request.market is Market.SPOT)
    return sum((-r.request.side.sign * r.filled_notional for r in spot), ZERO)


def check_equity(
    ledger: Ledger, account: AccountView, prices: Mapping[str, MarketPrices], by_hand: Decimal
) -> Iterator[tuple[Invariant, str]]:
    """Yield a difference between what the account is worth and what the ledger says: money + results + other rows.

    ``by_hand`` is the sum of ``hand_effect`` over trades that the ledger booked to a hedge: their rows on the
    statement are not money from elsewhere.
    """
    difference = books_difference(ledger.books, account)
    if difference:
        yield Invariant.BOOKS, f"the exchange less the books: {difference}"
    usdt = account.coin(QUOTE_ASSET).total + account.perp.margin_balance
    worth = usdt + sum((ledger.owned(_base_of(s)) * p.spot for s, p in prices.items()), ZERO)
    lines = [ledger.books.line(wallet, QUOTE_ASSET) for wallet in Wallet]
    money = sum((line.opening + line.external for line in lines), ZERO) - by_hand
    gained = worth - money - _result(ledger, prices)
    if abs(gained) > ROUNDING:
        yield Invariant.EQUITY, f"{gained} came from nowhere (worth {worth}, money {money})"


def _base_of(symbol: str) -> str:
    """Return the coin of a symbol."""
    return symbol.removesuffix(QUOTE_ASSET)


def _result(ledger: Ledger, prices: Mapping[str, MarketPrices]) -> Decimal:
    earned = ledger.totals.net_profit + ledger.unattributed_funding
    for held in ledger.open_hedges:
        now = prices[held.symbol]
        earned += held.tally.price_pnl(now.spot, now.mark) + held.funding_received - held.tally.fees
    for lot in ledger.dust.values():
        earned += lot.quantity * prices[f"{lot.asset}{QUOTE_ASSET}"].spot - lot.cost
    return earned


def check_end(  # noqa: PLR0913 - each is one side of what is compared, by its name
    ledger: Ledger,
    account: AccountView,
    log: Sequence[ev.Event],
    *,
    pairs: Sequence[BasisPair],
    owners: Mapping[str, Decimal],
    residues: Mapping[str, Decimal],
    payments: Sequence[FundingPayment],
) -> Iterator[tuple[Invariant, str]]:
    """Yield what is wrong once a bot has lived on after its last death, with nothing going wrong any more.

    ``owners`` are the coins that are not the bot's, ``residues`` what may be missing of coins that the owner sold by
    hand (less than an order can change), ``payments`` all that the exchange ever paid.
    """
    if ledger.jobs or ledger.transfer is not None:
        state = ", ".join(job.state for job in ledger.jobs) or "a transfer"
        yield Invariant.RESTART, f"something is still in flight: {state}"
    for pair in pairs:
        hedge = ledger.held(pair.symbol)
        due = hedge.short if hedge else ZERO
        if account.short(pair.symbol) != due:
            yield (
                Invariant.RESTART,
                f"{pair.symbol}: short {account.short(pair.symbol)} on the exchange, {due} in the log",
            )
        own = account.coin(pair.base).total - owners.get(pair.base, ZERO)
        if abs(own - ledger.owned(pair.base)) > residues.get(pair.base, ZERO):
            yield (
                Invariant.OWNED,
                f"{pair.base}: {own} of the coins are not the owner's, {ledger.owned(pair.base)} owned",
            )
    opened = ledger.books_since
    paid = {p.tran_id: p.at for p in payments if opened and p.at > opened}
    missed = {tran_id for tran_id, at in paid.items() if not ledger.funding_seen.knows(tran_id, at)}
    missed |= {int(tran_id) for tran_id in ledger.funding_seen if int(tran_id) not in paid}
    if missed:
        yield Invariant.FUNDING, f"{len(missed)} payments are not on both sides: {sorted(missed)[:3]}"
    yield from _counted(log)


def check_fills(log: Sequence[ev.Event], traded: Mapping[str, Decimal]) -> Iterator[tuple[Invariant, str]]:
    """Yield orders of which the log says otherwise than the exchange; ``traded`` are base units by own client id."""
    booked: dict[str, Decimal] = {}
    reported: dict[str, Decimal] = {}
    seen: set[str] = set()
    for event in log:
        if isinstance(event, ev.FeeBooked) and event.fill.key not in seen:
            seen.add(event.fill.key)
            booked[event.client_id] = booked.get(event.client_id, ZERO) + event.fill.quantity
        elif isinstance(event, ev.OrderEnded | ev.OrderProgressed):
            reported[event.client_id] = max(event.filled_quantity, reported.get(event.client_id, ZERO))
    for client_id in traded.keys() | booked.keys() | {name for name, quantity in reported.items() if quantity}:
        found = [side.get(client_id, ZERO) for side in (traded, reported, booked)]
        if len(set(found)) > 1:
            yield Invariant.FILLS, f"{client_id}: {found[0]} traded, {found[1]} in the log, fees of {found[2]} booked"


def _counted(log: Sequence[ev.Event]) -> Iterator[tuple[Invariant, str]]:
    begun: Counter[str] = Counter(e.hedge_id for e in log if isinstance(e, ev.HedgeOpened))
    ended: Counter[str] = Counter(e.hedge_id for e in log if isinstance(e, ev.HedgeClosed | ev.HedgeLost))
    aborted: Counter[str] = Counter(e.hedge_id for e in log if isinstance(e, ev.HedgeAborted))
    for hedge_id, times in begun.items():
        if times > 1:
            yield Invariant.RESTART, f"{times} beginnings of {hedge_id}"
    for hedge_id, times in (ended + aborted).items():
        if times > 1:
            yield Invariant.RESTART, f"{times} ends of {hedge_id}"
    for hedge_id in ended.keys() - begun.keys():
        yield Invariant.RESTART, f"{hedge_id} ended and never began"
