"""Hand-made markets, accounts and hedges: values to hold against a decision."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.domain.account import AccountView, Balance, PerpPosition, PerpWallet
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionPlan, ExecutionState, HedgeExecution
from hedgerow.domain.funding import FundingRate, RateBoard
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market, Side, TradingStatus
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth, Level, MarkPrice, Quote
from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition, OrderRecord, Reason, Tally
from hedgerow.strategy.decisions.alarms import Alarm, account_alarms

__all__ = [
    "NOW",
    "FixedMarket",
    "account",
    "depth",
    "fill",
    "first_alarm",
    "hedge",
    "holding",
    "instrument",
    "ledger_of",
    "listing",
    "market_of",
    "opening_of",
    "pair_of",
    "prints",
    "several_of",
    "short_of",
    "sole",
]

Item = TypeVar("Item")
NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)


def instrument(market: Market, symbol: str = "AAAUSDT", **changes: Any) -> Instrument:
    """Return a market with round grids: tick 0.01, lot 0.001, minimum $5, taker 0.1 % (spot) and 0.05 %."""
    taker = Decimal("0.001") if market is Market.SPOT else Decimal("0.0005")
    values: dict[str, Any] = {
        "market": market,
        "symbol": symbol,
        "base": symbol.removesuffix("USDT"),
        "quote": "USDT",
        "tick": Decimal("0.01"),
        "lot": Decimal("0.001"),
        "min_quantity": Decimal("0.001"),
        "max_quantity": Decimal(1_000_000),
        "min_notional": Decimal(5),
        "fees": FeeRates(maker=Decimal("0.0002"), taker=taker),
        "status": TradingStatus.TRADING,
    }
    return Instrument(**{**values, **changes})


def pair_of(symbol: str = "AAAUSDT", *, spot: Instrument | None = None, perp: Instrument | None = None) -> BasisPair:
    """Return a pair; ``spot`` and ``perp`` replace whole legs."""
    return BasisPair(
        spot=spot or instrument(Market.SPOT, symbol),
        perp=perp or instrument(Market.PERP, symbol),
    )


class listing(Struct, frozen=True, kw_only=True):  # noqa: N801 - reads as a word of the test's sentence
    """How one pair stands: prices, rates, volume; None = unreadable."""

    pair: BasisPair
    spot: tuple[str | None, str | None] | None = ("100", "100")
    """Bid and ask."""
    perp: tuple[str | None, str | None] | None = ("100", "100")
    mark: str | None = "100"
    index: str | None = None
    """None = at the mark."""
    rate: str = "0.0002"
    """Of every settled print."""
    prints: int = 10
    interval: int = 8
    predicted: str | None = "0.0002"
    volume: str | None = "9000000"


class FixedMarket(Struct, frozen=True, kw_only=True):
    """A market that stands still."""

    at: datetime
    pairs: Sequence[BasisPair]
    rates: RateBoard
    quotes: Mapping[tuple[Market, str], Quote] = field(default_factory=dict[tuple[Market, str], Quote])
    marks: Mapping[str, MarkPrice] = field(default_factory=dict[str, MarkPrice])
    predictions: Mapping[str, FundingRate] = field(default_factory=dict[str, FundingRate])
    volumes: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    asked: list[str] = field(default_factory=list[str])
    """Symbols whose volume was looked at: tells how many pairs were screened."""

    def pair(self, symbol: str) -> BasisPair | None:
        return next((pair for pair in self.pairs if pair.symbol == symbol), None)

    def quote(self, market: Market, symbol: str) -> Quote | None:
        return self.quotes.get((market, symbol))

    def mark(self, symbol: str) -> MarkPrice | None:
        return self.marks.get(symbol)

    def predicted(self, symbol: str) -> FundingRate | None:
        return self.predictions.get(symbol)

    def volume(self, symbol: str) -> Decimal | None:
        self.asked.append(symbol)
        return self.volumes.get(symbol)


def market_of(*listings: listing, at: datetime = NOW) -> FixedMarket:
    """Return a market of the given listings, in their order."""
    quotes: dict[tuple[Market, str], Quote] = {}
    for entry in listings:
        for leg, prices in ((Market.SPOT, entry.spot), (Market.PERP, entry.perp)):
            if prices is not None:
                quotes[leg, entry.pair.symbol] = _quote(leg, entry.pair.symbol, prices, at)
    return FixedMarket(
        at=at,
        pairs=tuple(entry.pair for entry in listings),
        rates=RateBoard(
            settled={
                e.pair.symbol: prints(e.pair.symbol, *[e.rate] * e.prints, interval=e.interval, until=at)
                for e in listings
            }
        ),
        quotes=quotes,
        marks={
            e.pair.symbol: MarkPrice(
                symbol=e.pair.symbol, mark=Decimal(e.mark), index=Decimal(e.index or e.mark), at=at
            )
            for e in listings
            if e.mark is not None
        },
        predictions={
            e.pair.symbol: FundingRate(
                symbol=e.pair.symbol,
                rate=Decimal(e.predicted),
                interval_hours=e.interval,
                at=at + timedelta(hours=e.interval),
                settled=False,
            )
            for e in listings
            if e.predicted is not None
        },
        volumes={e.pair.symbol: Decimal(e.volume) for e in listings if e.volume is not None},
    )


def _quote(leg: Market, symbol: str, prices: tuple[str | None, str | None], at: datetime) -> Quote:
    bid, ask = (None if price is None else Decimal(price) for price in prices)
    size = Decimal(1000)
    return Quote(market=leg, symbol=symbol, bid=bid, bid_quantity=size, ask=ask, ask_quantity=size, at=at)


def prints(symbol: str, *rates: str, interval: int = 8, until: datetime = NOW) -> tuple[FundingRate, ...]:
    """Return settled rates, oldest first, the last one settled at ``until``."""
    return tuple(
        FundingRate(
            symbol=symbol,
            rate=Decimal(rate),
            interval_hours=interval,
            at=until - timedelta(hours=interval * (len(rates) - 1 - index)),
        )
        for index, rate in enumerate(rates)
    )


def depth(market: Market, price: str = "100", *, quantity: str = "1000", symbol: str = "AAAUSDT") -> Depth:
    """Return a book with one level per side at the same price."""
    level = (Level(Decimal(price), Decimal(quantity)),)
    return Depth(market=market, symbol=symbol, bids=level, asks=level, at=NOW)


def short_of(symbol: str = "AAAUSDT", quantity: str = "1", **changes: Any) -> PerpPosition:
    """Return a short of ``quantity`` at 100, far from liquidation."""
    values: dict[str, Any] = {
        "symbol": symbol,
        "quantity": -Decimal(quantity),
        "entry_price": Decimal(100),
        "mark_price": Decimal(100),
        "leverage": 1,
        "liquidation_price": Decimal(198),
    }
    return PerpPosition(**{**values, **changes})


def account(
    *positions: PerpPosition,
    usdt: str = "1000",
    perp: str = "1000",
    coins: Mapping[str, str] | None = None,
    **changes: Any,
) -> AccountView:
    """Return an account with both wallets' USDT, coins by asset, and positions."""
    balances = {"USDT": usdt, **(coins or {})}
    money = Decimal(perp)
    values: dict[str, Any] = {
        "at": NOW,
        "spot": {asset: Balance(asset=asset, free=Decimal(free)) for asset, free in balances.items()},
        "perp": PerpWallet(balance=money, available=money, transferable=money),
        "positions": {position.symbol: position for position in positions},
    }
    return AccountView(**{**values, **changes})


def holding(*positions: PerpPosition, coins: str = "1", **changes: Any) -> AccountView:
    """Return an account with ``coins`` AAA and a short of one AAA unless given otherwise."""
    return account(*(positions or (short_of(),)), coins={"AAA": coins}, **changes)


def fill(
    market: Market,
    side: Side,
    quantity: str,
    *,
    price: str = "100",
    fee: str = "0",
    asset: str = "USDT",
    **changes: Any,
) -> Fill:
    """Return a trade; its number is its minute unless given otherwise."""
    at = changes.pop("at", NOW)
    values: dict[str, Any] = {
        "market": market,
        "symbol": "AAAUSDT",
        "trade_id": 1,
        "order_id": 1,
        "side": side,
        "quantity": Decimal(quantity),
        "price": Decimal(price),
        "fee": Decimal(fee),
        "fee_asset": asset,
        "at": at,
    }
    return Fill(**{**values, **changes})


def hedge(
    quantity: str = "1",
    *,
    pair: BasisPair | None = None,
    hours: float = 1.0,
    fees: str = "0.15",
    funding: str = "0",
    **changes: Any,
) -> HedgedPosition:
    """Return a hedge opened ``hours`` before ``NOW`` at 100 on both legs, its entry fee booked in USDT."""
    pair = pair or pair_of()
    opened = NOW - timedelta(hours=hours)
    orders = tuple(
        OrderRecord.of_fill(
            fill(market, side, quantity, trade_id=number, at=opened, symbol=pair.symbol),
            hedge_id="h1",
            base=pair.base,
            fee_quote=Decimal(fees) if market is Market.SPOT else Decimal(0),
        )
        for number, (market, side) in enumerate(((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL)))
    )
    values: dict[str, Any] = {
        "hedge_id": "h1",
        "pair": pair,
        "opened_at": opened,
        "counted_from": opened,
        "entry_rate": 0.0002,
        "entry_apr": 0.219,
        "entry_notional": Decimal(quantity) * 100,
        "entry_fees": Decimal(fees),
        "orders": orders,
        "tally": Tally.of(orders),
        "funding_received": Decimal(funding),
    }
    return HedgedPosition(**{**values, **changes})


def ledger_of(held: HedgedPosition | None = None, **changes: Any) -> Ledger:
    """Return a ledger that holds ``held`` and nothing else."""
    return Ledger(hedges={held.hedge_id: held} if held else {}, **changes)


def several_of(*held: HedgedPosition, **changes: Any) -> Ledger:
    """Return a ledger that holds several hedges."""
    return Ledger(hedges={each.hedge_id: each for each in held}, **changes)


def opening_of(hedge: HedgedPosition, job: HedgeExecution | None = None, **changes: Any) -> Ledger:
    """Return a ledger whose job in flight opens ``hedge``."""
    job = job or HedgeExecution(
        hedge_id=hedge.hedge_id,
        kind=ExecutionKind.OPEN,
        pair=hedge.pair,
        reason=Reason.BEST_OPPORTUNITY,
        plan=ExecutionPlan(
            spot_quantity=hedge.spot_quantity, perp_quantity=hedge.short, slice_notional=hedge.entry_notional
        ),
        limits=ExecutionLimits(),
        state=ExecutionState.LEADING,
        started_at=hedge.opened_at,
        stage_since=hedge.opened_at,
    )
    return ledger_of(hedge, execution=replace(job, kind=ExecutionKind.OPEN, hedge_id=hedge.hedge_id), **changes)


def sole(found: Sequence[Item]) -> Item:
    """Return the only one of what was found."""
    (item,) = found
    return item


def first_alarm(ledger: Ledger, account: AccountView) -> Alarm | None:
    """Return the first of what an account shows that cannot wait; None = nothing."""
    return next(account_alarms(ledger, account), None)
