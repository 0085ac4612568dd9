"""Two-leg jobs step by step: time passes, orders fill or fail, and the machine answers."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from hedgerow.domain import events as ev
from hedgerow.domain.commands import ArmDeadMan, Command, PlaceOrder, TransferFunds
from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest, OrderStatus, RejectKind
from hedgerow.domain.position import Reason
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.hedging.machine import Happening, Step, Surroundings
from support.toy_venue import depth_of, new_job

__all__ = ["ASKS", "BIDS", "HedgingHarness", "closing", "following", "leading", "reject_forever"]

BookSide: TypeAlias = tuple[tuple[str, str], ...]
BIDS: BookSide = (("99.99", "40"),)
ASKS: BookSide = (("100.01", "40"),)


class HedgingHarness:
    """A job and what the venue says to it; both books have 40 coins a cent from 100 unless a test says otherwise."""

    def __init__(self, job: HedgeExecution) -> None:
        self.job, self.now = job, job.started_at
        self.taken = Step(job=job)
        self.spot_bids: BookSide = BIDS
        self.spot_asks: BookSide = ASKS
        self.perp_bids: BookSide = BIDS
        self.perp_asks: BookSide = ASKS
        self.age = 0.0
        self.idle = ZERO
        self.hurried = self.yields = False
        self.short_gone = self.leg_taken = self.coins_taken = False
        self.give_up: Reason | None = None
        self.pair: BasisPair | None = None
        """The pair as the venue lists it; None = unread."""
        self.spot_blocked = self.perp_blocked = 0.0
        self.armed: list[datetime] = []
        """When the dead man's switch was set; it is confirmed at once."""

    def after(self, seconds: float) -> "HedgingHarness":
        """Let time pass, and tell the machine so."""
        self.now += timedelta(seconds=seconds)
        return self.receive(None)

    def receive(self, event: Happening) -> "HedgingHarness":
        self.taken = hedging.step(self.job, event, self.around)
        self.job = self.taken.job
        if isinstance(self.taken.command, ArmDeadMan):
            self.armed.append(self.now)
            return self.receive(ev.DeadManArmed(at=self.now, symbol="ABCUSDT", seconds=self.taken.command.seconds))
        return self

    @property
    def around(self) -> Surroundings:
        at = self.now - timedelta(seconds=self.age)

        def book(market: Market, bids: BookSide, asks: BookSide) -> Depth | None:
            return depth_of(market, bids, asks, at)

        return Surroundings(
            at=self.now,
            spot=book(Market.SPOT, self.spot_bids, self.spot_asks),
            perp=book(Market.PERP, self.perp_bids, self.perp_asks),
            idle_usdt=self.idle,
            hurried=self.hurried,
            yields=self.yields,
            leg_taken=self.leg_taken,
            give_up=self.give_up,
            short_gone=self.short_gone,
            coins_taken=self.coins_taken,
            pair=self.pair,
            spot_blocked_seconds=self.spot_blocked,
            perp_blocked_seconds=self.perp_blocked,
        )

    @property
    def order(self) -> OrderRequest:
        assert isinstance(self.taken.command, PlaceOrder)
        return self.taken.command.order

    @property
    def command(self) -> Command | None:
        return self.taken.command

    def fills(self, quantity: str | None = None) -> "HedgingHarness":
        """End the order at work with ``quantity`` filled, all of it unless given."""
        assert self.job.working
        order = self.job.working.order
        filled = order.quantity if quantity is None else Decimal(quantity)
        return self.receive(
            ev.OrderEnded(
                at=self.now,
                client_id=order.client_id,
                order_id=7,
                status=OrderStatus.FILLED if filled == order.quantity else OrderStatus.EXPIRED,
                filled_quantity=filled,
                filled_notional=filled * order.price,
            )
        )

    def rejects(self, kind: RejectKind | None, *, retry_after_seconds: float | None = None) -> "HedgingHarness":
        assert self.job.working
        return self.receive(
            ev.OrderEnded(
                at=self.now,
                client_id=self.job.working.order.client_id,
                order_id=None,
                status=OrderStatus.REJECTED,
                reject=kind,
                code=-1,
                detail=f"no: {kind.value}" if kind else "too many requests",
                retry_after_seconds=retry_after_seconds,
            )
        )

    def unknown(self) -> "HedgingHarness":
        assert self.job.working
        client_id = self.job.working.order.client_id
        return self.receive(ev.OrderOutcomeUnknown(at=self.now, client_id=client_id, detail="timeout"))

    def prepared(self) -> "HedgingHarness":
        return self.receive(ev.LeverageSet(at=self.now, symbol="ABCUSDT", leverage=1))

    def transferred(self) -> "HedgingHarness":
        command = self.command
        assert isinstance(command, TransferFunds)
        return self.receive(
            ev.FundsTransferred(
                at=self.now,
                transfer_id=command.transfer_id,
                amount=command.amount,
                direction=command.direction,
            )
        )

    def refused(self) -> "HedgingHarness":
        assert self.command
        return self.receive(ev.CommandRefused(at=self.now, command=self.command, code=-5, detail="not allowed"))


def leading(**plan: Any) -> HedgingHarness:
    """Return an opening whose preparations are done: its first slice is at work."""
    return HedgingHarness(new_job(ExecutionKind.OPEN, **plan)).after(0).prepared().prepared()


def following(**plan: Any) -> HedgingHarness:
    """Return an opening whose first slice filled: its first perpetual order is at work."""
    return leading(**plan).fills()


def closing(**plan: Any) -> HedgingHarness:
    return HedgingHarness(new_job(ExecutionKind.CLOSE, **{"spot": "10", **plan})).after(0)


def reject_forever(harness: HedgingHarness, kind: RejectKind | None, seconds: float, pause: float = 1) -> None:
    """Let every order fail the same way for so long."""
    until = harness.now + timedelta(seconds=seconds)
    while harness.now < until and not harness.job.state.ended:
        if harness.job.working:
            harness.rejects(kind) if kind else harness.fills("0")
        harness.after(pause)
