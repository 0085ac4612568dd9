"""The log of one bot, written event by event: what a test says happened, and the ledger that follows from it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.domain.position import DustLot, Reason
from support.toy_venue import new_job, toy_pair

__all__ = ["SPOT_FEE", "START", "LedgerBuilder", "Number"]

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SPOT_FEE = Decimal("0.0004")
Number = str | int | Decimal


class LedgerBuilder:
    """Events in the order in which a test tells them; time moves on by a second with each."""

    def __init__(self, hedge_id: str = "h1", pair: BasisPair | None = None, at: datetime = START) -> None:
        self.hedge_id, self.pair, self.now = hedge_id, pair or toy_pair(), at
        self.events: list[ev.Event] = []
        self._trades = count(1)

    @property
    def ledger(self) -> Ledger:
        """What the bot knows after all of it."""
        return fold(self.events)

    def record(self, *events: ev.Event) -> "LedgerBuilder":
        """Add events as they are."""
        self.events += events
        self.now += timedelta(seconds=1)
        return self

    def wait(self, **duration: float) -> "LedgerBuilder":
        """Let time pass."""
        self.now += timedelta(**duration)
        return self

    # --- orders

    def begin(self, kind: ExecutionKind = ExecutionKind.OPEN) -> "LedgerBuilder":
        """Start a job on the hedge."""
        job = new_job(kind, pair=self.pair, spot="10", perp="10" if kind is not ExecutionKind.TRIM else "0")
        return self.record(ev.ExecutionStarted(at=self.now, execution=replace(job, hedge_id=self.hedge_id)))

    def issue(
        self, name: str, side: Side, quantity: Number, price: Number, *, fee_rate: Number = SPOT_FEE
    ) -> "LedgerBuilder":
        """Log the intent of an order; its name begins with s or p for the market."""
        request = OrderRequest(
            client_id=f"{self.hedge_id}-{name}",
            market=self._market(name),
            symbol=self.pair.symbol,
            side=side,
            quantity=Decimal(quantity),
            price=Decimal(price),
        )
        command = PlaceOrder(hedge_id=self.hedge_id, order=request, fee_rate=Decimal(fee_rate))
        return self.record(ev.CommandIssued(at=self.now, command=command))

    def ends(self, name: str, quantity: Number = 0, notional: Number = 0) -> "LedgerBuilder":
        """Report the end of an order with its cumulative fills."""
        return self.record(
            ev.OrderEnded(
                at=self.now,
                client_id=f"{self.hedge_id}-{name}",
                order_id=1,
                status=OrderStatus.FILLED,
                filled_quantity=Decimal(quantity),
                filled_notional=Decimal(notional),
            )
        )

    def trade(self, name: str, side: Side, quantity: Number, price: Number) -> "LedgerBuilder":
        """Issue an order that fills at once at its price."""
        notional = Decimal(quantity) * Decimal(price)
        return self.issue(name, side, quantity, price).ends(name, quantity, notional)

    def fee(
        self,
        name: str,
        side: Side,
        quantity: Number,
        price: Number,
        *,
        fee: Number,
        asset: str = "USDT",
        value: Number | None = None,
        pnl: Number = 0,
        trade_id: int | None = None,
    ) -> "LedgerBuilder":
        """Book the trade report of (part of) an order; ``value`` is the fee in USDT where it was taken in coin."""
        fill = Fill(
            market=self._market(name),
            symbol=self.pair.symbol,
            trade_id=trade_id if trade_id is not None else next(self._trades),
            order_id=1,
            side=side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee=Decimal(fee),
            fee_asset=asset,
            realized_pnl=Decimal(pnl),
            at=self.now,
        )
        quote = Decimal(fee if value is None else value)
        return self.record(
            ev.FeeBooked(at=self.now, client_id=f"{self.hedge_id}-{name}", fill=fill, fee_quote=quote),
        )

    @staticmethod
    def _market(name: str) -> Market:
        return Market.SPOT if name.startswith("s") else Market.PERP

    # --- the hedge

    def opened(self) -> "LedgerBuilder":
        return self.record(ev.HedgeOpened(at=self.now, hedge_id=self.hedge_id))

    def closed(self, residue: Number = 0, reason: Reason = Reason.FEES_COVERED) -> "LedgerBuilder":
        return self.record(
            ev.HedgeClosed(at=self.now, hedge_id=self.hedge_id, reason=reason, residue_value=Decimal(residue))
        )

    def repaired(self) -> "LedgerBuilder":
        return self.record(ev.HedgeRepaired(at=self.now, hedge_id=self.hedge_id))

    def aborted(self, residue: Number = 0) -> "LedgerBuilder":
        return self.record(
            ev.HedgeAborted(
                at=self.now,
                hedge_id=self.hedge_id,
                reason=Reason.UNWOUND,
                detail="refused",
                residue_value=Decimal(residue),
            )
        )

    def paid(
        self, amount: Number, tran_id: int, at: datetime | None = None, symbol: str = "ABCUSDT"
    ) -> "LedgerBuilder":
        """Book a funding payment, of now unless its stamp is given."""
        payment = FundingPayment(symbol=symbol, amount=Decimal(amount), tran_id=tran_id, at=at or self.now)
        return self.record(ev.FundingReceived(at=self.now, payment=payment))

    def dust(self, quantity: Number, cost: Number) -> "LedgerBuilder":
        return self.record(ev.DustKept(at=self.now, lot=self._lot(quantity, cost)))

    def swept(self, quantity: Number, cost: Number) -> "LedgerBuilder":
        return self.record(ev.DustSwept(at=self.now, hedge_id=self.hedge_id, lot=self._lot(quantity, cost)))

    def _lot(self, quantity: Number, cost: Number) -> DustLot:
        return DustLot(asset=self.pair.base, quantity=Decimal(quantity), cost=Decimal(cost))

    def open_hedge(self) -> "LedgerBuilder":
        """Buy ten coins at 100 and sell ten short at 101, fees estimated."""
        self.begin().trade("s-1", Side.BUY, 10, 100).trade("p-1", Side.SELL, 10, 101)
        return self.opened()

    def close_hedge(self) -> "LedgerBuilder":
        """Sell the coins at 110 and buy the short back at 110.5."""
        self.begin(ExecutionKind.CLOSE)
        coins = self.ledger.owned(self.pair.base)
        self.trade("s-2", Side.SELL, coins, 110).trade("p-2", Side.BUY, 10, "110.5")
        return self.closed()
