"""The log of a bot that trades once a day for years, written through the real journal and store."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionPlan, HedgeExecution
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.domain.position import Reason
from hedgerow.engine.journal import Journal
from hedgerow.ports import Store
from hedgerow.strategy.hedging import machine as hedging

__all__ = ["DAY", "ORDERS", "write_years"]

DAY = timedelta(days=1)
CHECK = timedelta(minutes=5)
ORDERS = 20
"""Orders of a trade: half of them open, half close; half of each on either market."""
SLICES = ORDERS // 4
PRICE = Decimal(100)
FEE = Decimal("0.0004")
START_USDT = Decimal(100_000)


class _Days:
    """Days of one hedge each: opened at one o'clock, paid three times, closed an hour before midnight."""

    def __init__(self, pairs: Sequence[BasisPair], start: datetime) -> None:
        self._pairs = pairs
        self._start = start
        self._cycles = 0

    def opening(self) -> list[ev.Event]:
        """Return the opening of the books."""
        return [
            ev.ExternalFlow(
                at=self._start,
                row_id=f"opening:{wallet}:USDT",
                wallet=wallet,
                asset="USDT",
                amount=START_USDT,
                kind=ev.FlowKind.OPENING,
            )
            for wallet in ev.Wallet
        ]

    def day(self, number: int) -> Iterator[list[ev.Event]]:
        """Yield the events of one day, as they are appended together."""
        begin = self._start + number * DAY
        pair, hedge_id = self._pairs[number % len(self._pairs)], f"{number:07d}"
        yield from self._checks(begin, hours=1)
        at = begin + timedelta(hours=1, seconds=1)
        yield from self._job(ExecutionKind.OPEN, pair, hedge_id, at, number)
        yield [ev.HedgeOpened(at=at + timedelta(seconds=30), hedge_id=hedge_id)]
        for hour in range(1, 23):
            yield from self._checks(begin + timedelta(hours=hour), hours=1, first=1)
            if hour % 8 == 0:
                yield [_payment(begin + timedelta(hours=hour), pair.symbol, 10 * number + hour)]
        at = begin + timedelta(hours=23, seconds=1)
        yield from self._job(ExecutionKind.CLOSE, pair, hedge_id, at, number)
        yield [ev.HedgeClosed(at=at + timedelta(seconds=30), hedge_id=hedge_id, reason=Reason.MAX_AGE)]
        yield from self._checks(begin + timedelta(hours=23), hours=1, first=1)

    def _checks(self, begin: datetime, *, hours: int, first: int = 0) -> Iterator[list[ev.Event]]:
        for n in range(first, hours * 12):
            self._cycles += 1
            at = begin + n * CHECK
            yield [ev.CycleCompleted(at=at, number=self._cycles, statement_from=at)]

    def _job(
        self, kind: ExecutionKind, pair: BasisPair, hedge_id: str, at: datetime, number: int
    ) -> Iterator[list[ev.Event]]:
        opens = kind is ExecutionKind.OPEN
        job = hedging.begin(
            hedge_id=hedge_id,
            kind=kind,
            pair=pair,
            reason=Reason.BEST_OPPORTUNITY if opens else Reason.MAX_AGE,
            plan=ExecutionPlan(
                spot_quantity=Decimal(SLICES), perp_quantity=Decimal(SLICES), slice_notional=Decimal(100)
            ),
            limits=ExecutionLimits(),
            at=at,
        )
        yield [ev.ExecutionStarted(at=at, execution=job)]
        for n in range(SLICES):
            for market in (Market.SPOT, Market.PERP):
                side = Side.BUY if (market is Market.SPOT) is opens else Side.SELL
                yield from _order(job, market, side, n, at + timedelta(seconds=n), number)


def _order(
    job: HedgeExecution, market: Market, side: Side, n: int, at: datetime, number: int
) -> Iterator[list[ev.Event]]:
    opens = job.kind is ExecutionKind.OPEN
    client_id = f"{job.hedge_id}-{market[0]}-{n + (0 if opens else SLICES)}"
    order_id = number * 100 + 2 * n + (market is Market.PERP) + (0 if opens else 50)
    request = OrderRequest(
        client_id=client_id, market=market, symbol=job.symbol, side=side, quantity=Decimal(1), price=PRICE
    )
    command = PlaceOrder(hedge_id=job.hedge_id, order=request, fee_rate=FEE)
    yield [ev.ExecutionStepped(at=at, execution=replace(job, orders=n)), ev.CommandIssued(at=at, command=command)]
    fill = Fill(
        market=market,
        symbol=job.symbol,
        trade_id=order_id,
        order_id=order_id,
        client_id=client_id,
        side=side,
        quantity=Decimal(1),
        price=PRICE,
        fee=PRICE * FEE,
        fee_asset="USDT",
        at=at,
    )
    yield [
        ev.OrderEnded(
            at=at,
            client_id=client_id,
            order_id=order_id,
            status=OrderStatus.FILLED,
            filled_quantity=Decimal(1),
            filled_notional=PRICE,
        ),
        ev.FeeBooked(at=at, client_id=client_id, fill=fill, fee_quote=fill.fee),
    ]


def _payment(at: datetime, symbol: str, tran_id: int) -> ev.FundingReceived:
    payment = FundingPayment(symbol=symbol, amount=Decimal("0.30"), tran_id=tran_id, at=at)
    return ev.FundingReceived(at=at, payment=payment)


async def write_years(store: Store, pairs: Sequence[BasisPair], start: datetime, days: int) -> Ledger:
    """Write so many days through the journal; an append holds a day, to be quick about it."""
    journal = Journal(store)
    await journal.open()
    source = _Days(pairs, start)
    await journal.record(*source.opening())
    for number in range(days):
        await journal.record(*(event for batch in source.day(number) for event in batch))
    ledger = journal.ledger
    await journal.close()
    return ledger
