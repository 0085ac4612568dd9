"""Logs of whole hedges, drawn: opened in slices, paid, closed, ended outside, undone or still held.

Beside the events stands what each hedge made, by the cash that moved: sums of the test's own, not the bot's.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from msgspec import Struct

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill
from hedgerow.domain.position import Reason
from support.ledger_builder import SPOT_FEE, START, LedgerBuilder

__all__ = ["End", "HedgeMade", "HedgePlan", "History", "histories", "history_of"]

COIN, QUOTE = "ABC", "USDT"
PRICES = st.integers(9_000, 11_000).map(lambda cents: Decimal(cents) / 100)
QUANTITIES = st.integers(500, 9_000).map(lambda lots: Decimal(lots) / 1000)
PAYMENTS = st.integers(-30_000, 90_000).map(lambda parts: Decimal(parts) / 10_000)


class End(str):
    """How a hedge ended: closed, lost, aborted, held."""

    __slots__ = ()


CLOSED, LOST, ABORTED, HELD = End("closed"), End("lost"), End("aborted"), End("held")


class HedgePlan(Struct, frozen=True, kw_only=True):
    """One hedge as drawn."""

    slices: tuple[tuple[Decimal, Decimal, Decimal], ...]
    """Quantity, spot price, perpetual's price."""
    fee_in_coin: bool
    booked: bool
    """Whether the trade reports arrived: else the fees are estimates."""
    payments: tuple[Decimal, ...]
    end: End
    spot_price: Decimal
    """At the end."""
    perp_price: Decimal
    residue: Decimal
    """Coins that stay unsold."""


class HedgeMade(Struct, kw_only=True):
    """What one hedge made, by cash: coins and the short that are left are valued by who asks."""

    hedge_id: str
    end: End
    cash: Decimal = Decimal(0)
    """USDT received less USDT spent, fees taken in USDT included."""
    fees: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    coins: Decimal = Decimal(0)
    short: Decimal = Decimal(0)
    residue_value: Decimal = Decimal(0)

    def net(self, spot: Decimal = Decimal(0), perp: Decimal = Decimal(0)) -> Decimal:
        """Return funding + cash + what is left at these prices."""
        held = Decimal(0) if self.end != HELD else self.coins * spot - self.short * perp
        return self.cash + self.funding + self.residue_value + held

    def basis(self, spot: Decimal = Decimal(0), perp: Decimal = Decimal(0)) -> Decimal:
        """Return the net without funding and with the fees given back."""
        return self.net(spot, perp) - self.funding + self.fees


class History(Struct, frozen=True, kw_only=True):
    """A log and what its hedges made."""

    events: tuple[ev.Event, ...]
    made: tuple[HedgeMade, ...]
    dust: Decimal
    """Coins kept."""
    dust_cost: Decimal
    ended_at: datetime

    @property
    def ended(self) -> list[HedgeMade]:
        """The hedges that are over."""
        return [made for made in self.made if made.end != HELD]

    @property
    def held(self) -> HedgeMade | None:
        """The hedge that is open."""
        return next((made for made in self.made if made.end == HELD), None)


def histories() -> st.SearchStrategy[History]:
    """Return logs of up to three hedges that ended, and perhaps one that is held."""
    ended = st.lists(_plans(st.sampled_from((CLOSED, LOST, ABORTED))), max_size=3)
    held = st.lists(_plans(st.just(HELD)), max_size=1)
    imported = st.one_of(st.none(), PAYMENTS)
    return st.builds(_joined, ended, held, imported)


def _joined(ended: list[HedgePlan], held: list[HedgePlan], imported: Decimal | None) -> History:
    return history_of([*ended, *held], imported)


def _plans(ends: st.SearchStrategy[End]) -> st.SearchStrategy[HedgePlan]:
    return st.builds(
        HedgePlan,
        slices=st.lists(st.tuples(QUANTITIES, PRICES, PRICES), min_size=1, max_size=3).map(tuple),
        fee_in_coin=st.booleans(),
        booked=st.booleans(),
        payments=st.lists(PAYMENTS, max_size=3).map(tuple),
        end=ends,
        spot_price=PRICES,
        perp_price=PRICES,
        residue=st.sampled_from((Decimal(0), Decimal("0.0007"), Decimal("0.01234567"))),
    )


def history_of(plans: list[HedgePlan], imported: Decimal | None = None) -> History:
    """Return the log of hedges that were carried out as planned, one after the other."""
    events: list[ev.Event] = []
    made: list[HedgeMade] = []
    now, dust, cost = START, Decimal(0), Decimal(0)
    if imported is not None:
        events.append(
            ev.StateImported(at=now, cycle_count=7, total_profit_loss=imported, positions_opened=5, positions_closed=5)
        )
    for number, plan in enumerate(plans):
        writer = _Writer(LedgerBuilder(f"h{number}", at=now), plan, number)
        made.append(writer.write())
        events += writer.builder.events
        now = writer.builder.now + timedelta(minutes=5)
        dust, cost = dust + writer.kept, cost + made[-1].residue_value
    events.append(ev.CycleCompleted(at=now, number=3))
    return History(events=tuple(events), made=tuple(made), dust=dust, dust_cost=cost, ended_at=now)


class _Writer:
    """Writes one hedge into a log, and adds up its cash."""

    def __init__(self, builder: LedgerBuilder, plan: HedgePlan, number: int) -> None:
        self.builder, self._plan, self._number = builder, plan, number
        self._made = HedgeMade(hedge_id=builder.hedge_id, end=plan.end)
        self.kept = Decimal(0)
        self._trades = 0

    def write(self) -> HedgeMade:
        plan, made, builder = self._plan, self._made, self.builder
        builder.begin()
        for index, (quantity, spot, perp) in enumerate(plan.slices):
            self._trade(f"s-{index}", Side.BUY, quantity, spot)
            if plan.end != ABORTED:
                self._trade(f"p-{index}", Side.SELL, quantity, perp)
        if plan.end != ABORTED:
            builder.opened()
            for number, amount in enumerate(plan.payments):
                builder.wait(hours=8).paid(amount, 1000 * (self._number + 1) + number)
                made.funding += amount
        if plan.end != HELD:
            self._end()
        return made

    def _end(self) -> None:
        plan, made, builder = self._plan, self._made, self.builder
        kept = min(plan.residue, made.coins)
        sold, short = made.coins - kept, made.short
        worth = kept * plan.spot_price
        if plan.end == LOST:
            self._taken(sold, short)
            lost = ev.HedgeLost(
                at=builder.now, hedge_id=builder.hedge_id, reason=Reason.CLOSED_EXTERNALLY, residue_value=worth
            )
            builder.record(lost)
        else:
            if plan.end == CLOSED:
                builder.begin(ExecutionKind.CLOSE)
            self._trade("s-90", Side.SELL, sold, plan.spot_price)
            if plan.end == CLOSED:
                self._trade("p-90", Side.BUY, short, plan.perp_price)
                builder.closed(residue=worth)
            else:
                builder.aborted(residue=worth)
        if kept:
            builder.dust(kept, worth)
        self.kept, made.residue_value = kept, worth

    def _trade(self, name: str, side: Side, quantity: Decimal, price: Decimal) -> None:
        plan, made = self._plan, self._made
        self.builder.trade(name, side, quantity, price)
        spot, buys, notional = name.startswith("s"), side is Side.BUY, quantity * price
        fee = notional * SPOT_FEE
        in_coin = spot and buys and (plan.fee_in_coin or not plan.booked)
        if plan.booked:
            taken, asset = (quantity * SPOT_FEE, COIN) if in_coin else (fee, QUOTE)
            self._trades += 1
            trade_id = 100 * (self._number + 1) + self._trades
            self.builder.fee(name, side, quantity, price, fee=taken, asset=asset, value=fee, trade_id=trade_id)
        made.fees += fee
        made.cash += (-notional if buys else notional) - (Decimal(0) if in_coin else fee)
        if spot:
            made.coins += (quantity if buys else -quantity) - (quantity * SPOT_FEE if in_coin else 0)
        else:
            made.short += -quantity if buys else quantity

    def _taken(self, coins: Decimal, short: Decimal) -> None:
        """Let the legs be closed by trades that are not the bot's, free of fees."""
        plan, builder, made = self._plan, self.builder, self._made
        trades = ((Market.SPOT, Side.SELL, coins, plan.spot_price), (Market.PERP, Side.BUY, short, plan.perp_price))
        fills = tuple(
            Fill(
                market=market,
                symbol=builder.pair.symbol,
                trade_id=9000 + 10 * self._number + index,
                order_id=9,
                side=side,
                quantity=quantity,
                price=price,
                fee=Decimal(0),
                fee_asset=QUOTE,
                at=builder.now,
            )
            for index, (market, side, quantity, price) in enumerate(trades)
        )
        builder.record(ev.ExternalFills(at=builder.now, hedge_id=builder.hedge_id, fills=fills, cause="by hand"))
        made.cash += coins * plan.spot_price - short * plan.perp_price
        made.coins, made.short = made.coins - coins, Decimal(0)
