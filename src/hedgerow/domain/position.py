"""A hedge while it is open, and after it was closed: two types."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from hedgerow.domain.execution_quality import ExecutionQuality
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus

__all__ = ["ClosedHedge", "DustLot", "HedgedPosition", "OrderRecord", "Reason", "Tally", "newest_stamps"]


PAID_KEPT = timedelta(days=8)
"""How long a hedge remembers which settlements it was paid for."""
_ASSUMED = (f"x{Market.SPOT[0]}--", f"x{Market.PERP[0]}--")
"""How the client ids of records begin that stand for a change without a trade: see ``OrderRecord.of_fill``."""


class Reason(StrEnum):
    """Why a hedge was opened, changed or ended."""

    BEST_OPPORTUNITY = "best opportunity"
    EMERGENCY_STOP = "emergency stop"
    HEALTH = "health"
    FEES_COVERED = "fees covered"
    MAX_AGE = "maximum age"
    BETTER_PAIR = "better pair"
    NEGATIVE_FUNDING = "negative funding"
    LEG_GONE = "leg gone"
    LIQUIDATED = "liquidated or auto-deleveraged"
    IMBALANCE = "imbalance"
    LIQUIDATION_NEAR = "liquidation near"
    CLOSED_EXTERNALLY = "closed elsewhere"
    REPLACED = "replaced on the exchange"
    ADOPTED = "adopted"
    DAILY_LOSS = "daily loss limit"
    USER = "asked by the user"
    SHUTDOWN = "shutdown"
    REFUSED = "refused before any fill"
    UNWOUND = "second leg failed, first leg unwound"
    OTHER_HEDGE = "another hedge came first"


class OrderRecord(Struct, frozen=True, kw_only=True):
    """What the log knows of one order of ours; fills are cumulative and applied as a maximum."""

    request: OrderRequest
    hedge_id: str
    fee_rate: Decimal
    """Commission expected, as a fraction; stands in for the part of the fills not yet booked."""
    issued_at: datetime
    order_id: int | None = None
    status: OrderStatus = OrderStatus.NEW
    unknown: bool = False
    """True from an unknown outcome until the order is found at work or ended."""
    unconfirmed: bool = False
    """As of ``OrderEnded``, until its trades have been read."""
    filled_quantity: Decimal = ZERO
    filled_notional: Decimal = ZERO
    booked_quantity: Decimal = ZERO
    """Part of the fills whose fee was booked from trade reports."""
    booked_notional: Decimal = ZERO
    booked_fee: Decimal = ZERO
    """Quote units."""
    booked_coin_fee: Decimal = ZERO
    """Base units the fee was taken in."""
    booked_coin_value: Decimal = ZERO
    """The part of ``booked_fee`` that was taken in coin."""
    forced: bool = False
    """Whether the venue traded for the account: a liquidation or an ADL."""
    fee_in_quote: bool | UnsetType = UNSET
    """As of ``PlaceOrder``."""

    @property
    def assumed(self) -> bool:
        """Whether it stands for a change that no trade was found for: its trade id is negative."""
        return self.request.client_id.startswith(_ASSUMED)

    @property
    def amounts(self) -> tuple[Decimal, ...]:
        """All that sums over orders are made of, and that an event may change."""
        filled = (self.filled_quantity, self.filled_notional)
        booked = (self.booked_quantity, self.booked_notional, self.booked_fee)
        return (*filled, *booked, self.booked_coin_fee, self.booked_coin_value)

    @property
    def opens(self) -> bool:
        """Whether the order builds a hedge: it buys spot or sells the perpetual."""
        request = self.request
        return request.side is (Side.BUY if request.market is Market.SPOT else Side.SELL)

    @property
    def estimated_fee(self) -> Decimal:
        """Fee in quote units expected for fills that are not booked yet."""
        unbooked = self.filled_notional - self.booked_notional
        return (unbooked if unbooked > 0 else ZERO) * self.fee_rate

    @property
    def pays_in_coin(self) -> bool:
        """Whether its fee is expected in coin: that of a spot buy, unless the venue takes it in quote units."""
        return self.request.market is Market.SPOT and self.request.side is Side.BUY and not self.fee_in_quote

    @property
    def coin_fee(self) -> Decimal:
        """Base units paid in coin, or expected to be."""
        if not self.pays_in_coin:
            return self.booked_coin_fee
        unbooked = self.filled_quantity - self.booked_quantity
        return self.booked_coin_fee + (unbooked if unbooked > 0 else ZERO) * self.fee_rate

    @property
    def coin_fee_value(self) -> Decimal:
        """The fee in coin in quote units."""
        return self.booked_coin_value + (self.estimated_fee if self.pays_in_coin else ZERO)

    @property
    def fees_settled(self) -> bool:
        """Whether every fill has its real fee."""
        return self.booked_quantity >= self.filled_quantity

    @property
    def may_have_filled_further(self) -> bool:
        """Whether it is said to have ended with less than all filled, and its trades prove no such thing yet.

        They are not booked where a part was filled, or could not be read where the order was expected to fill.
        """
        unproven = self.unconfirmed or not self.fees_settled
        return self.status.done and unproven and self.filled_quantity < self.request.quantity

    @staticmethod
    def of_fill(fill: Fill, *, hedge_id: str, base: str, fee_quote: Decimal) -> "OrderRecord":
        """Return a record for a trade that was not ordered by this log (adopted, liquidated, sold by hand)."""
        coin_fee = fill.fee if fill.fee_asset == base and fill.market is Market.SPOT else ZERO
        request = OrderRequest(
            client_id=f"x{fill.market[0]}-{fill.trade_id}",
            market=fill.market,
            symbol=fill.symbol,
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
        )
        return OrderRecord(
            request=request,
            hedge_id=hedge_id,
            fee_rate=ZERO,
            issued_at=fill.at,
            order_id=fill.order_id,
            status=OrderStatus.FILLED,
            filled_quantity=fill.quantity,
            filled_notional=fill.notional,
            booked_quantity=fill.quantity,
            booked_notional=fill.notional,
            booked_fee=fee_quote,
            booked_coin_fee=coin_fee,
            booked_coin_value=fee_quote if coin_fee else ZERO,
            forced=fill.forced,
        )


class Tally(Struct, frozen=True, kw_only=True):
    """Sums over the orders of one hedge."""

    spot_quantity: Decimal = ZERO
    """Coins held for the hedge, net of fees in coin, plus swept dust."""
    perp_quantity: Decimal = ZERO
    """Signed, negative = short."""
    spot_bought: Decimal = ZERO
    """Quote units spent on coins, fees in coin included in what was bought; swept dust at its cost."""
    spot_sold: Decimal = ZERO
    """Quote units received for coins."""
    perp_sold: Decimal = ZERO
    perp_bought: Decimal = ZERO
    fees: Decimal = ZERO
    """All fees in quote units, booked or estimated."""
    fees_estimated: Decimal = ZERO
    """The part of ``fees`` that is still an estimate."""
    coin_fee_value: Decimal = ZERO
    """The part of ``fees`` that was taken in coin, hence already missing from ``spot_quantity``."""

    @staticmethod
    def of(orders: tuple[OrderRecord, ...], *, swept_quantity: Decimal = ZERO, swept_cost: Decimal = ZERO) -> "Tally":
        """Sum the orders of one hedge; swept dust enters at its cost."""
        spot_quantity, perp_quantity = swept_quantity, ZERO
        spot_bought = spot_sold = perp_bought = perp_sold = ZERO
        fees = estimated = coin_value = ZERO
        for record in orders:
            request, filled, notional = record.request, record.filled_quantity, record.filled_notional
            buys, expected = request.side is Side.BUY, record.estimated_fee
            if request.market is Market.PERP:
                perp_quantity += filled if buys else -filled
                if buys:
                    perp_bought += notional
                else:
                    perp_sold += notional
            elif buys:
                spot_quantity += filled - record.coin_fee
                spot_bought += notional
            else:
                spot_quantity -= filled + record.booked_coin_fee
                spot_sold += notional
            fees += record.booked_fee + expected
            estimated += expected
            coin_value += record.coin_fee_value
        return Tally(
            spot_quantity=spot_quantity,
            perp_quantity=perp_quantity,
            spot_bought=spot_bought + swept_cost,
            spot_sold=spot_sold,
            perp_sold=perp_sold,
            perp_bought=perp_bought,
            fees=fees,
            fees_estimated=estimated,
            coin_fee_value=coin_value,
        )

    def plus(self, other: "Tally") -> "Tally":
        """Return the sums over the orders of both."""
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    def minus(self, other: "Tally") -> "Tally":
        """Return the sums without the orders of ``other``."""
        return Tally(**{name: getattr(self, name) - getattr(other, name) for name in self.__struct_fields__})

    def price_pnl(self, spot_price: Decimal, perp_price: Decimal) -> Decimal:
        """Return PnL of both legs in quote units at the given prices, before fees and funding.

        q(b0 - b1) of the research notes: realised for what was closed, marked for what is still held.
        """
        coins = self.spot_cash + self.spot_quantity * spot_price
        return coins + (self.perp_cash + self.perp_quantity * perp_price)

    @property
    def spot_cash(self) -> Decimal:
        """Quote units that trading coins brought, before fees: those taken in coin are given back."""
        return self.spot_sold - self.spot_bought + self.coin_fee_value

    @property
    def perp_cash(self) -> Decimal:
        """Quote units that trading the perpetual brought, before fees and funding."""
        return self.perp_sold - self.perp_bought


def newest_stamps(stamps: Iterable[datetime]) -> tuple[datetime, ...]:
    """Return the stamps within ``PAID_KEPT`` of the newest, oldest first."""
    ordered = sorted(stamps)
    return tuple(at for at in ordered if ordered[-1] - at <= PAID_KEPT)


class HedgedPosition(Struct, frozen=True, kw_only=True, dict=True):
    """An open hedge: long spot, short perpetual, with every order and payment that belongs to it.

    What every check asks of it dozens of times is computed once: a hedge stays the same value between two trades.
    """

    hedge_id: str
    pair: BasisPair
    opened_at: datetime
    """The real opening, also for an adopted hedge."""
    adopted: bool = False
    adopted_at: datetime | None = None
    """When it became the bot's; None for a hedge that the bot opened."""
    history_known: bool = True
    """False for an adopted hedge whose trades or payments could not be read yet."""
    entry_rate: float
    """Signal at entry: mean funding rate per interval, a fraction."""
    entry_apr: float
    """Signal at entry, annualised, a fraction of one leg's notional."""
    entry_notional: Decimal
    """One leg at entry in quote units: of the opening's fills, late reports of them included; 0 until their price is
    known. Denominator of every profit percentage and of the stop."""
    entry_fees: Decimal = ZERO
    """Fees of the opening in quote units (booked, or estimated until booked)."""
    orders: tuple[OrderRecord, ...] = ()
    """Those of a hedge that ended days ago and has all its fees booked are in ``settled``."""
    settled: Tally = Tally()
    """Sums over orders that are not kept any more."""
    first_order_at: datetime | None = None
    """When its first order was issued, where that is not kept any more."""
    swept_quantity: Decimal = ZERO
    swept_cost: Decimal = ZERO
    tally: Tally = Tally()
    funding_received: Decimal = ZERO
    """Quote units; negative when the short paid."""
    funding_payments: int = 0
    paid_at: tuple[datetime, ...] = ()
    """Stamps of the payments of its newest days, oldest first."""
    counted_from: datetime
    """Start of the counters for coverage and age: the opening, or the last roll."""
    funding_before_roll: Decimal = ZERO
    opening_quality: ExecutionQuality | None = None
    """How well it was opened; None for an adopted hedge."""
    denominations: tuple[tuple[datetime, Decimal], ...] = ()
    """When the exchange exchanged its coins, and how many old ones each new one stands for."""

    @cached_property
    def symbol(self) -> str:
        """The pair's symbol."""
        return self.pair.perp.symbol

    def in_present_coins(self, fill: Fill) -> Fill:
        """Return a trade as one of the coins that the hedge counts in: it may have been made in older ones."""
        for since, factor in self.denominations:
            if fill.at < since:
                fill = replace(fill, quantity=fill.quantity / factor, price=fill.price * factor)
        return fill

    @property
    def begun_at(self) -> datetime:
        """When its first order was issued: funding may be paid on slices held before the opening was complete."""
        first = self.first_order_at or self.opened_at
        return min([first, self.opened_at, *(record.issued_at for record in self.orders)])

    @cached_property
    def spot_quantity(self) -> Decimal:
        """Coins the ledger owns for this hedge."""
        return self.tally.spot_quantity

    @property
    def perp_quantity(self) -> Decimal:
        """Signed perpetual quantity, negative = short."""
        return self.tally.perp_quantity

    @cached_property
    def short(self) -> Decimal:
        """Size of the short, positive."""
        short = -self.tally.perp_quantity
        return short if short > 0 else ZERO

    @property
    def entry_price(self) -> Decimal:
        """Average spot price of the opening in quote units; the perpetual's where no spot trade is known."""
        for market in (Market.SPOT, Market.PERP):
            opening = [r for r in self.orders if r.request.market is market and r.opens]
            quantity = sum((r.filled_quantity for r in opening), ZERO)
            if quantity:
                return sum((r.filled_notional for r in opening), ZERO) / quantity
        return ZERO

    @cached_property
    def assumed(self) -> tuple[OrderRecord, ...]:
        """Those of its orders that stand for a change without a trade."""
        return tuple(record for record in self.orders if record.assumed)

    @property
    def unsettled(self) -> list[OrderRecord]:
        """The orders that have fills whose real fee is not known yet."""
        return [record for record in self.orders if not record.fees_settled]

    @cached_property
    def in_doubt(self) -> tuple[OrderRecord, ...]:
        """Those of its orders that may have filled further than the log has it."""
        return tuple(record for record in self.orders if record.may_have_filled_further)

    @property
    def unhedged_since(self) -> datetime | None:
        """When trades that are not of its own orders left one leg without the other, by the venue's time.

        None when they are not known.
        """
        own = [r for r in self.orders if r.request.client_id.startswith(f"{self.hedge_id}-")]
        last = max((r.issued_at for r in own), default=None)
        others = [r for r in self.orders if r not in own and not r.assumed]
        taken = [r.issued_at for r in others if not r.opens and (last is None or r.issued_at >= last)]
        if taken or len({r.request.market for r in self.orders}) > 1:
            return min(taken, default=None)
        return min((r.issued_at for r in others), default=None)

    @cached_property
    def fills_priced(self) -> bool:
        """Whether the price of every fill is known: without it no profit can be computed."""
        return all(record.filled_notional > 0 for record in self.orders if record.filled_quantity > 0)

    @property
    def valued(self) -> bool:
        """Whether its profit and what it is a fraction of are known."""
        return self.entry_notional > 0 and self.fills_priced

    @property
    def closed_by_force(self) -> bool:
        """Whether the last that was bought back of the short was bought by the venue: a liquidation or an ADL."""
        bought = [r for r in self.orders if r.request.market is Market.PERP and not r.opens]
        return bool(bought) and bought[-1].forced

    @property
    def funding_counted(self) -> Decimal:
        """Funding since the counters started."""
        return self.funding_received - self.funding_before_roll


class ClosedHedge(Struct, frozen=True, kw_only=True):
    """A hedge that ended, with its parts: net = funding + basis - fees, exactly."""

    hedge: HedgedPosition
    closed_at: datetime
    reason: Reason
    residue_value: Decimal = ZERO
    """What was left unsold (dust), in quote units at the price it was kept at."""
    quality: ExecutionQuality | None = None
    """How well the job that ended it was carried out; None when no job did."""

    @property
    def hedge_id(self) -> str:
        """Id of the hedge."""
        return self.hedge.hedge_id

    @property
    def symbol(self) -> str:
        """The pair's symbol."""
        return self.hedge.symbol

    @property
    def funding(self) -> Decimal:
        """Funding received over its life, quote units."""
        return self.hedge.funding_received

    @property
    def fees(self) -> Decimal:
        """All fees of opening and closing, quote units."""
        return self.hedge.tally.fees

    @property
    def basis_pnl(self) -> Decimal:
        """Realised PnL of both legs before fees and funding, dust at the value it was kept at."""
        return self.spot_pnl + self.perp_pnl

    @property
    def spot_pnl(self) -> Decimal:
        """Realised PnL of the coins before fees, dust at the value it was kept at."""
        return self.hedge.tally.spot_cash + self.residue_value

    @property
    def perp_pnl(self) -> Decimal:
        """Realised PnL of the perpetual before fees and funding."""
        return self.hedge.tally.perp_cash

    @property
    def net_profit(self) -> Decimal:
        """Funding + basis - fees."""
        return self.funding + self.basis_pnl - self.fees


class DustLot(Struct, frozen=True, kw_only=True):
    """Coins the ledger owns that could be neither hedged nor sold; swept with the next trade of that coin."""

    asset: str
    quantity: Decimal
    cost: Decimal
    """Quote units at which it was kept."""
