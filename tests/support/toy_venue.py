"""A toy venue for the two-leg machine alone: it answers orders in every way a venue can, and keeps the truth.

It checks each order it is sent, so that a walk of the machine fails at the order that broke a rule. Fees, filters and
quantities are exact; prices wander; how often something goes wrong is a number from 0 (a healthy venue) to 1.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import (
    ArmDeadMan,
    CancelOrder,
    Command,
    PlaceOrder,
    SetLeverage,
    SetMarginType,
    TransferFunds,
)
from hedgerow.domain.execution import (
    ExecutionKind,
    ExecutionLimits,
    ExecutionPlan,
    HedgeExecution,
)
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market, Side, TradingStatus
from hedgerow.domain.market import Depth, Level
from hedgerow.domain.money import BPS, ONE, ZERO
from hedgerow.domain.order import OrderRequest, OrderStatus, RejectKind, TimeInForce
from hedgerow.domain.position import Reason
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.hedging.machine import Happening, Surroundings

__all__ = ["NOON", "ToyVenue", "depth_of", "new_job", "restarted", "toy_pair"]

LONGEST_CLIENT_ID = 10
"""Shorter than a real bot's, whose hedges have longer ids."""
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""Four hours from the settlements of an 8 h pair."""


def toy_pair(
    *,
    spot_lot: str = "0.001",
    perp_lot: str = "0.01",
    spot_minimum: str = "5",
    perp_minimum: str = "5",
    tick: str = "0.01",
    fee: str = "0.0004",
    max_quantity: str = "1000000",
    fee_in_quote: bool = False,
) -> BasisPair:
    """Return a pair; its spot fee is taken in coin unless in quote units."""

    def instrument(market: Market, lot: str, minimum: str) -> Instrument:
        return Instrument(
            market=market,
            symbol="ABCUSDT",
            base="ABC",
            quote="USDT",
            tick=Decimal(tick),
            lot=Decimal(lot),
            min_quantity=Decimal(lot),
            max_quantity=Decimal(max_quantity),
            min_notional=Decimal(minimum),
            fees=FeeRates(maker=Decimal(0), taker=Decimal(fee)),
            fee_in_quote=fee_in_quote or UNSET,
        )

    return BasisPair(
        spot=instrument(Market.SPOT, spot_lot, spot_minimum),
        perp=instrument(Market.PERP, perp_lot, perp_minimum),
    )


def new_job(
    kind: ExecutionKind = ExecutionKind.OPEN,
    *,
    pair: BasisPair | None = None,
    spot: str | Decimal = "10.005",
    perp: str | Decimal = "10",
    slice_notional: str | Decimal = "400",
    transfer: TransferFunds | None = None,
    urgent: bool = False,
    lead: Market = Market.SPOT,
    limits: ExecutionLimits | None = None,
    at: datetime = NOON,
    interval_hours: int = 8,
    spot_attempts: int = 0,
    perp_attempts: int = 0,
    whole_short: bool = False,
) -> HedgeExecution:
    """Return a fresh job of ten coins in slices of four."""
    plan = ExecutionPlan(
        spot_quantity=Decimal(spot),
        perp_quantity=Decimal(perp),
        slice_notional=Decimal(slice_notional),
        lead=lead,
        transfer=transfer,
        urgent=urgent,
        interval_hours=interval_hours,
        whole_short=whole_short,
        entry_discount=Decimal("0.0002") if kind is ExecutionKind.OPEN else None,
    )
    return hedging.begin(
        hedge_id="h1",
        kind=kind,
        pair=pair or toy_pair(),
        reason=Reason.BEST_OPPORTUNITY,
        plan=plan,
        limits=limits or ExecutionLimits(),
        at=at,
        spot_attempts=spot_attempts,
        perp_attempts=perp_attempts,
    )


def depth_of(
    market: Market,
    bids: Sequence[tuple[str | Decimal, str | Decimal]],
    asks: Sequence[tuple[str | Decimal, str | Decimal]],
    at: datetime = NOON,
) -> Depth:
    """Return a book from (price, quantity) pairs, best first."""

    def levels(side: Sequence[tuple[str | Decimal, str | Decimal]]) -> tuple[Level, ...]:
        return tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in side)

    return Depth(market=market, symbol="ABCUSDT", bids=levels(bids), asks=levels(asks), at=at)


def restarted(job: HedgeExecution) -> HedgeExecution:
    """Return the job as another process would read it from the log."""
    return msgspec.json.decode(msgspec.json.encode(job), type=HedgeExecution)


class ToyVenue:
    """One account trading one pair; ``chaos`` is the share of answers that are bad."""

    def __init__(self, job: HedgeExecution, *, random: Random, chaos: float, price: Decimal = Decimal(100)) -> None:
        self.pair, self.random, self.chaos = job.pair, random, chaos
        self.now = job.started_at
        self.price, self.plan, self.kind = price, job.plan, job.kind
        opening = job.kind is ExecutionKind.OPEN
        self.coins = ZERO if opening else job.plan.spot_quantity
        self.short = ZERO if opening else job.plan.perp_quantity
        self.sold = self.bought = ZERO
        self.perp_traded = ZERO
        """In the direction of the job: what is unwound does not count."""
        self.idle = Decimal(50)
        self.seen: set[str] = set()
        self.orders: list[OrderRequest] = []
        self.hidden = False
        self.truth: dict[str, ev.OrderEnded] = {}
        self.unresolved: str | None = None
        self.resting: OrderRequest | None = None
        self.rested = self.rested_notional = ZERO
        self.rested_orders = 0
        self.lost: dict[str, tuple[OrderRequest, datetime | None, datetime]] = {}
        """Orders on their way, by client id: when each lands, if ever, and when its nonce is dead."""
        self.landed = ZERO
        """Base units of the perpetual that orders filled which had been given up for absent."""
        self.closed_after: int | None = None
        """After so many orders the perpetual takes none any more."""
        self.taken_after: int | None = None
        """After so many orders the short is gone: liquidated, or closed by hand."""

    @property
    def short_was_taken(self) -> bool:
        """Whether somebody else closed the short."""
        return self.taken_after is not None and len(self.orders) > self.taken_after

    @property
    def perp_closed(self) -> bool:
        """Whether the perpetual takes no orders."""
        return self.closed_after is not None and len(self.orders) > self.closed_after

    # --- what it shows

    def unlucky(self) -> bool:
        """Whether something goes wrong this time."""
        return self.random.random() < self.chaos

    def look(self) -> Surroundings:
        """Read both books."""
        self.price *= ONE + Decimal(self.random.randint(-8, 8)) * BPS
        return Surroundings(
            at=self.now,
            spot=self._book(Market.SPOT),
            perp=self._book(Market.PERP),
            idle_usdt=self.idle,
            pair=self._listed(),
            short_gone=self.short_was_taken or self.short <= 0,
        )

    def _listed(self) -> BasisPair | None:
        """Return the listing, where it changed."""
        if not self.perp_closed:
            return None
        return replace(self.pair, perp=replace(self.pair.perp, status=TradingStatus.CLOSED))

    def _book(self, market: Market) -> Depth | None:
        trouble = self.random.choice(["missing", "stale", "no bids", "no asks", "thin"]) if self.unlucky() else ""
        if trouble == "missing":
            return None
        size = Decimal("0.5") if trouble == "thin" else Decimal(40)
        tick, middle = self.pair.spot.tick, self.pair.spot.round_price(self.price, Side.BUY)
        ticks = [tick * n for n in (1, 3, 9)]
        bids = [] if trouble == "no bids" else [(max(tick, middle - step), size) for step in ticks]
        asks = [] if trouble == "no asks" else [(middle + step, size) for step in ticks]
        at = self.now - timedelta(seconds=60 if trouble == "stale" else 0.2)
        return depth_of(market, bids, asks, at)

    def unwinds(self, order: OrderRequest) -> bool:
        """Whether the order takes back what an opening sold short."""
        return self.kind is ExecutionKind.OPEN and order.reduce_only

    # --- what it is asked

    def submit(self, command: Command) -> Happening:
        """Carry out one command and return the last thing known about it."""
        self.now += timedelta(milliseconds=self.random.choice([20, 80, 300, 1500]))
        self.land()
        if isinstance(command, PlaceOrder):
            resting = command.order.time_in_force is TimeInForce.GTX
            return self._rest(command.order) if resting else self._order(command.order)
        if isinstance(command, CancelOrder):
            return self._cancel(command)
        return self._prepare(command)

    def _prepare(self, command: Command) -> Happening:
        transfer = command.transfer_id if isinstance(command, TransferFunds) else None
        assert self.unresolved in {None, transfer}, "a transfer of unknown outcome is repeated under its own id"
        if self.unlucky():
            if transfer and self.random.random() < 0.7:
                self.unresolved = transfer
                return ev.TransferOutcomeUnknown(at=self.now, transfer_id=transfer, detail="timeout")
            self.unresolved = None
            return ev.CommandRefused(at=self.now, command=command, code=-1, detail="no")
        self.unresolved = None
        if isinstance(command, SetLeverage):
            return ev.LeverageSet(at=self.now, symbol=command.symbol, leverage=command.leverage)
        if isinstance(command, ArmDeadMan):
            return ev.DeadManArmed(at=self.now, symbol=command.symbol, seconds=command.seconds)
        if isinstance(command, SetMarginType):
            return ev.MarginTypeSet(at=self.now, symbol=command.symbol)
        assert isinstance(command, TransferFunds)
        return ev.FundsTransferred(
            at=self.now, transfer_id=command.transfer_id, amount=command.amount, direction=command.direction
        )

    def _meet(self, order: OrderRequest) -> None:
        assert not self.hidden, "two orders at work"
        assert self.resting is None, "an order is sent while another one rests"
        assert order.client_id not in self.seen, "a client id was used twice"
        assert len(order.client_id) <= LONGEST_CLIENT_ID, "a client id is longer than this venue accepts"
        self.seen.add(order.client_id)
        self.orders.append(order)

    def _order(self, order: OrderRequest) -> Happening:
        self._meet(order)
        if self.unlucky() and self.random.random() < 0.4:
            return self._lose(order)
        ended = self.truth[order.client_id] = self._outcome(order)
        if not self.unlucky():
            return ended
        self.hidden = True
        if self.random.random() < 0.5:
            return ev.OrderOutcomeUnknown(at=self.now, client_id=order.client_id, detail="timeout")
        return ev.OrderAccepted(at=self.now, client_id=order.client_id, order_id=1)

    # --- orders that are lost

    def _lose(self, order: OrderRequest) -> Happening:
        """Let an order be on its way for a while, or for ever, unknown to every look-up."""
        seconds = self.random.choice([None, 0.5, 11, 40, 64])
        lands = self.now + timedelta(seconds=seconds) if seconds else None
        self.lost[order.client_id] = (order, lands, self.now + timedelta(seconds=65))
        self.hidden = True
        return ev.OrderOutcomeUnknown(at=self.now, client_id=order.client_id, detail="timeout")

    def land(self) -> None:
        """Carry out the lost orders that have arrived by now."""
        for client_id, (order, lands, _) in tuple(self.lost.items()):
            if lands is None or lands > self.now:
                continue
            del self.lost[client_id]
            chaos, self.chaos = self.chaos, 0.0
            ended = self.truth[client_id] = self._outcome(order)
            self.chaos = chaos
            self.landed += ended.filled_quantity if order.market is Market.PERP else ZERO

    def _doubtful(self, order: OrderRequest) -> Happening:
        _, lands, dead = self.lost[order.client_id]
        if self.now <= dead:
            self.hidden = False
            return ev.OrderOutcomeUnknown(at=self.now, client_id=order.client_id, detail="absent", may_land_until=dead)
        del self.lost[order.client_id]
        assert lands is None
        return None

    # --- orders that rest

    def _rest(self, order: OrderRequest) -> Happening:
        self._meet(order)
        self.rested_orders += 1
        if self.unlucky():
            kind = self.random.choice([None, RejectKind.PRICE, RejectKind.OTHER])
            ended = self._rejected(order, kind) if kind else self._ending(order, OrderStatus.EXPIRED)
            self.truth[order.client_id] = ended
            return self._answer(order, ended)
        self.resting, self.rested, self.rested_notional = order, ZERO, ZERO
        return self._answer(order, ev.OrderAccepted(at=self.now, client_id=order.client_id, order_id=1))

    def _answer(self, order: OrderRequest, event: Happening) -> Happening:
        """Give the answer, or lose it."""
        if self.unlucky():
            return ev.OrderOutcomeUnknown(at=self.now, client_id=order.client_id, detail="timeout")
        return event

    def _trade(self) -> None:
        """Let the market fill a part of what rests, now and then all of it."""
        order = self.resting
        if order is None or self.random.random() < 0.6:
            return
        lot, left = self.pair.instrument(order.market).lot, order.quantity - self.rested
        part = left if self.random.random() < 0.3 else self.random.randint(0, int(left / lot)) * lot
        self._filled(order, part)
        self.rested += part
        self.rested_notional += part * order.price
        if self.rested == order.quantity:
            self._end_resting(OrderStatus.FILLED)

    def _end_resting(self, status: OrderStatus) -> None:
        assert self.resting is not None
        self.truth[self.resting.client_id] = self._ending(self.resting, status)
        self.resting = None

    def _ending(self, order: OrderRequest, status: OrderStatus) -> ev.OrderEnded:
        mine = order == self.resting
        return ev.OrderEnded(
            at=self.now,
            client_id=order.client_id,
            order_id=1,
            status=status,
            filled_quantity=self.rested if mine else ZERO,
            filled_notional=self.rested_notional if mine else ZERO,
        )

    def _cancel(self, command: CancelOrder) -> Happening:
        self._trade()
        if self.unlucky() and self.random.random() < 0.3:
            return ev.OrderOutcomeUnknown(at=self.now, client_id=command.client_id, detail="timeout")
        if self.resting is None or self.unlucky():
            return ev.CommandRefused(at=self.now, command=command, code=-2011, detail="Unknown order sent.")
        assert self.resting.client_id == command.client_id
        order = self.resting
        self._end_resting(OrderStatus.CANCELED)
        return self._answer(order, self.truth[order.client_id])

    def watch(self, order: OrderRequest, filled: Decimal) -> Happening:
        """Wait for a resting order."""
        self.now += timedelta(milliseconds=self.random.choice([20, 300, 1000]))
        self._trade()
        if self.unlucky():
            return ev.OrderOutcomeUnknown(at=self.now, client_id=order.client_id, detail="busy")
        return self._standing(order) if self.resting is None or self.rested > filled else None

    def _standing(self, order: OrderRequest) -> Happening:
        if order != self.resting:
            return self.truth[order.client_id]
        return ev.OrderProgressed(
            at=self.now,
            client_id=order.client_id,
            order_id=1,
            filled_quantity=self.rested,
            filled_notional=self.rested_notional,
        )

    def _outcome(self, order: OrderRequest) -> ev.OrderEnded:
        if order.market is Market.PERP and self.perp_closed:
            return self._rejected(order, RejectKind.PERMISSION)
        if order.reduce_only and (self.short_was_taken or self.short <= 0):
            return self._rejected(order, RejectKind.REDUCE_ONLY)
        if not self.unlucky():
            return self._filled(order, order.quantity)
        if self.random.random() < 0.3:
            return self._rejected(order, self.random.choice(list(RejectKind)))
        lot = self.pair.instrument(order.market).lot
        return self._filled(order, self.random.randint(0, int(order.quantity / lot)) * lot)

    def _rejected(self, order: OrderRequest, kind: RejectKind) -> ev.OrderEnded:
        return ev.OrderEnded(
            at=self.now,
            client_id=order.client_id,
            order_id=None,
            status=OrderStatus.REJECTED,
            reject=kind,
            code=-1,
            detail=f"refused: {kind.value}",
        )

    def _filled(self, order: OrderRequest, quantity: Decimal) -> ev.OrderEnded:
        if order.market is Market.PERP:
            quantity = min(quantity, self.short) if order.reduce_only else quantity
            self.short -= order.side.sign * quantity
            self.perp_traded += ZERO if self.unwinds(order) else quantity
        elif order.side is Side.BUY:
            fees, rests = self.pair.spot.fees, order.time_in_force is TimeInForce.GTX
            kept = ZERO if self.pair.spot.fee_in_quote else fees.maker if rests else fees.taker
            self.coins += quantity * (ONE - kept)
            self.bought += quantity
        else:
            self.coins -= quantity
            assert self.coins >= 0, "sold coins that are not the bot's"
            self.sold += quantity
        return ev.OrderEnded(
            at=self.now,
            client_id=order.client_id,
            order_id=1,
            status=OrderStatus.FILLED if quantity == order.quantity else OrderStatus.EXPIRED,
            filled_quantity=quantity,
            filled_notional=quantity * order.price,
        )

    def resolve(self, order: OrderRequest) -> Happening:
        """Look an order up; sooner or later the truth comes out. An order that never came ends with nothing."""
        self.now += timedelta(milliseconds=self.random.choice([20, 80, 300]))
        self.land()
        self._trade()
        if self.random.random() < min(self.chaos, 0.8):
            answers: list[Happening] = [
                ev.OrderOutcomeUnknown(at=self.now, client_id=order.client_id, detail="busy"),
                ev.OrderProgressed(
                    at=self.now, client_id=order.client_id, order_id=1, filled_quantity=ZERO, filled_notional=ZERO
                ),
            ]
            return self.random.choice(answers)
        if order == self.resting:
            return self._standing(order)
        doubt = self._doubtful(order) if order.client_id in self.lost else None
        if doubt is not None:
            return doubt
        self.hidden = False
        return self.truth.get(order.client_id) or ev.OrderEnded(
            at=self.now, client_id=order.client_id, order_id=None, status=OrderStatus.EXPIRED, detail="never arrived"
        )
