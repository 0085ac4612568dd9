"""Checks every plan and order against the settings and the exchange's state."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, HedgeExecution
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.emulator.core.world import World
from hedgerow.simulation.causes import Cause, CauseSpan
from hedgerow.simulation.checks.invariants import IMBALANCE, Exposure, Invariant, own_tolerance
from hedgerow.simulation.checks.legs import LegWatch, coins_worth, prices_of
from hedgerow.simulation.checks.truth import (
    apr_of,
    entry_faults,
    equity_of,
    liquidation_distance,
    pnl_of,
    seconds_to_settlement,
    unused,
)
from hedgerow.simulation.harness import ExchangeHarness
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["Conduct"]

Found = Iterator[tuple[Invariant, str]]
HOUR = timedelta(hours=1)
UNSETTLED = timedelta(seconds=120)
"""So long after an act of the owner or the market, or a new hour's prices, a bot may decide by what was before."""
SHOWN_WITHIN = timedelta(seconds=1.5)
"""A book of a stream may be one second old when an order is sized by it; what was traded since is not in it."""
CAPITAL_SLACK = Decimal("1.01")
HELD_ROOM = Decimal("0.025")
"""Of what shorts are worth: a bot keeps 2 % of it free for an opening, and marks move until it reads them."""
BOOKS_SLACK = Decimal("1.1")
"""What books may have changed by since they were read."""
CAP_SLACK_BPS = Decimal(30)
"""What the bot's own slices move the touch by: a thin book that was read right after one has filled up again."""
BOOKS_READ_SECONDS = 5.0
"""So long after a change of the market a bot may send an order for the books of before."""
GUARD_SLACK_SECONDS = 2.0
"""Between the decision and the departure of an order."""
TOP_UP, NEAR_LIQUIDATION, TOO_NEAR = 0.25, 0.20, 0.15
"""Of the mark: nearer asks for more margin, for a smaller hedge, and for none (docs/guide.md)."""
URGENT = {
    *(Reason.EMERGENCY_STOP, Reason.HEALTH, Reason.LEG_GONE, Reason.LIQUIDATED, Reason.IMBALANCE),
    Reason.LIQUIDATION_NEAR,
}
CLOSED_APART = Decimal("0.10")
"""Of the larger leg: a hedge whose legs differ by more is closed (docs/guide.md)."""
FOR_PROFIT = {Reason.FEES_COVERED, Reason.MAX_AGE, Reason.BETTER_PAIR, Reason.NEGATIVE_FUNDING}
"""Reasons that wait for a settlement to pass, and pay no more than usual."""
TRIM_SHARE = Decimal("0.9")
"""Of what is trimmed: so much must really differ."""
SLACK = 0.02
"""Fraction by which prices and fees may have moved since a rule was found to hold."""


class Conduct:
    """Judges plans when a job begins, and orders when they leave."""

    def __init__(self, harness: ExchangeHarness, parameters: Callable[[], StrategyParameters], legs: LegWatch) -> None:
        self._harness = harness
        self._legs = legs
        self._parameters = parameters
        self._acted_at = harness.world.now - UNSETTLED
        self._differed_at: dict[str, datetime] = {}

    @property
    def _world(self) -> World:
        return self._harness.world

    def acted(self) -> None:
        """Take note that the owner, the venue or the market changed something."""
        self._acted_at = self._world.now

    def differ(self, symbol: str) -> None:
        """Take note that the legs of a symbol differ now."""
        self._differed_at[symbol] = self._world.now

    @property
    def _settled(self) -> bool:
        """Whether what is true now was true, and shown, when the bot read it."""
        return self._undisturbed and not any(span.cause is Cause.FALSE for span in self._spans())

    @property
    def _undisturbed(self) -> bool:
        """Whether what is true now was true when the bot read it, whatever it was shown."""
        now = self._world.now
        new_hour = now.replace(minute=0, second=0, microsecond=0)
        late = now - max(self._acted_at, new_hour) > UNSETTLED
        return late and all(span.cause is Cause.FALSE for span in self._spans())

    def _spans(self) -> Iterator[CauseSpan]:
        """Yield the spans of faults that are active, or were until lately."""
        now = self._world.now
        return (span for span in self._harness.spans if span.begin <= now < span.end + UNSETTLED)

    # --- plans -------------------------------------------------------------------------------------------------------

    def begins(self, job: HedgeExecution, ledger: Ledger) -> Found:
        """Judge the plan of a job that begins now; ``ledger`` is the one before."""
        if job.plan.urgent and job.kind is ExecutionKind.CLOSE and job.reason in FOR_PROFIT:
            yield Invariant.SETTINGS, f"{job.symbol} is closed for {job.reason.value} as if it were an emergency"
        if job.limits != self._parameters().execution:
            yield Invariant.SETTINGS, f"{job.symbol}: the limits of the job are not those of the settings"
        if self._undisturbed and job.kind is not ExecutionKind.OPEN:
            yield from self._safety(job, ledger) if job.kind is ExecutionKind.CLOSE else self._correction(job)
        if self._settled and job.kind is ExecutionKind.OPEN:
            yield from self._opening(job, ledger)
        elif self._settled and job.kind is ExecutionKind.CLOSE:
            yield from self._dust(job, ledger)
            yield from self._closing(job, ledger)

    def _opening(self, job: HedgeExecution, ledger: Ledger) -> Found:
        ask = self._world.depth(Market.SPOT, job.symbol).touch(Side.BUY) or ZERO
        planned = job.plan.spot_quantity * ask
        for name, allowed in self._limits(job.symbol, ledger):
            if planned > allowed * CAPITAL_SLACK + job.pair.lot_step * ask:
                yield (
                    Invariant.SETTINGS,
                    f"{job.symbol}: {planned:.2f} USDT per leg are planned, {allowed:.2f} allowed by {name}",
                )
        if job.hedge_id not in ledger.hedges and ledger.held(job.symbol):
            yield Invariant.SETTINGS, f"{job.symbol} is opened, and is held already"
        if job.plan.leverage != 1:
            yield Invariant.SETTINGS, f"{job.symbol}: a leverage of {job.plan.leverage} is planned"
        if self._trades_shown(job.symbol):
            for fault in entry_faults(self._world, job.symbol, self._parameters().funding_rate_strategy):
                yield Invariant.SETTINGS, f"{job.symbol} is opened though {fault}"

    def _limits(self, symbol: str, ledger: Ledger) -> Iterator[tuple[str, Decimal]]:
        """Yield what limits the quote units per leg of the next hedge, and to how many; ``ledger`` is without it."""
        parameters, account = self._parameters(), self._world.account()
        capital, most = parameters.capital_management, parameters.position_management.max_positions
        held = [hedge for hedge in ledger.hedges.values() if hedge.symbol != symbol]
        committed = 2 * sum((hedge.entry_notional for hedge in held), ZERO)
        free = (unused(account) if held else equity_of(account)) - capital.reserve_usd
        left = None if capital.max_capital_usd is None else capital.max_capital_usd - (committed if most > 1 else ZERO)
        least, slots = capital.min_capital_usd, most - len(held)
        total = free if left is None else min(free, left)
        # What is kept free for the shorts that are held may leave enough for one hedge less.
        room = HELD_ROOM * sum((-row.quantity * row.mark_price for row in account.positions.values()), ZERO)
        parted = total if not held else min(total, free - room)
        parts = max(1, min(slots, int(parted / least)) if least > 0 else slots)
        yield "its part of what is free", free / 2 * capital.capital_fraction / parts
        if left is not None:
            yield "its part of the limit of all", left / 2 / parts
        if capital.max_position_usd is not None:
            yield "the limit of one", capital.max_position_usd / 2
        if capital.max_position_equity is not None:
            equity = equity_of(account) + coins_worth(self._world, held)
            yield "its part of the equity", capital.max_position_equity * equity / 2
        if capital.max_position_open_interest is not None and self._trades_shown(symbol):
            bid = self._world.depth(Market.PERP, symbol).touch(Side.SELL) or ZERO
            held_open = self._world.open_interest(symbol) * bid
            yield "its part of what is held open", held_open * capital.max_position_open_interest * BOOKS_SLACK
        if capital.max_position_depth is not None and self._trades_shown(symbol):
            sides, cap = ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL)), parameters.execution.price_cap_bps
            shown = min(self._world.depth(m, symbol).notional_within(side, cap) for m, side in sides)
            yield "its part of the books", shown * capital.max_position_depth * BOOKS_SLACK

    def _trades_shown(self, symbol: str) -> bool:
        """Whether the books that a bot may still decide by show what was traded last: the stream sends them apart."""
        since = self._world.now - SHOWN_WITHIN
        return not any(self._world.fills(market, symbol, since) for market in Market)

    def _dust(self, job: HedgeExecution, ledger: Ledger) -> Found:
        base = job.pair.base
        held = min(ledger.owned(base), self._world.account().coin(base).total)
        if ledger.open_hedge(job.hedge_id) and held - job.plan.spot_quantity >= job.pair.spot.lot * 2:
            yield (
                Invariant.SETTINGS,
                f"{job.symbol}: a closing sells {job.plan.spot_quantity} of {held} coins that are owned",
            )

    def _closing(self, job: HedgeExecution, ledger: Ledger) -> Found:
        hedge, settings = ledger.open_hedge(job.hedge_id), self._parameters()
        if hedge is None:
            return
        management, world = settings.position_management, self._world
        held = (world.now - hedge.counted_from).total_seconds() / 3600
        apr = apr_of(world, job.symbol, settings.funding_rate_strategy, world.now)
        wrong = ""
        match job.reason:
            case Reason.MAX_AGE if held < management.max_position_age_hours * (1 - SLACK):
                wrong = f"it is {held:.2f} h old, {management.max_position_age_hours} are allowed"
            case Reason.FEES_COVERED:
                wrong = self._uncovered(hedge)
            case Reason.BETTER_PAIR if not self._is_better(ledger, apr or 0.0, held):
                wrong = "no pair pays so much more"
            case Reason.NEGATIVE_FUNDING if (apr or 0.0) > settings.funding_rate_strategy.exit_funding_apr + 0.01:
                wrong = f"it pays {apr or 0.0:.2%} a year"
            case _:
                pass
        if wrong:
            yield Invariant.SETTINGS, f"{job.symbol} is closed for {job.reason.value}, but {wrong}"

    def _uncovered(self, hedge: HedgedPosition) -> str:
        prices = self._world.prices(hedge.symbol)
        if prices is None:
            return ""
        pair = self._world.pair(hedge.symbol) or hedge.pair  # its fees may have changed since it was opened
        coins = hedge.spot_quantity - hedge.swept_quantity  # a closing sweeps dust in only once it is decided
        fees = coins * prices.spot * pair.spot.fees.taker
        fees += hedge.short * prices.perp * pair.perp.fees.taker + hedge.entry_fees
        wanted = float(fees) * self._parameters().position_management.fee_coverage_multiplier
        got = float(hedge.funding_counted)
        return f"funding is {got:.4f}, {wanted:.4f} wanted" if got < wanted * (1 - SLACK) else ""

    def _is_better(self, ledger: Ledger, apr: float, hours: float) -> bool:
        settings = self._parameters()
        management, funding = settings.position_management, settings.funding_rate_strategy
        others = (pair.symbol for pair in self._world.market_data.pairs if not ledger.held(pair.symbol))
        best = max((apr_of(self._world, symbol, funding, self._world.now) or 0.0 for symbol in others), default=0.0)
        gain = management.better_opportunity_apr - 0.01
        return best - apr >= gain and hours >= management.better_opportunity_min_hours * (1 - SLACK)

    # --- corrective trades -------------------------------------------------------------------------------------------

    def _safety(self, job: HedgeExecution, ledger: Ledger) -> Found:
        """Judge a closing that only something wrong excuses."""
        risk = self._parameters().risk_management
        if job.reason is Reason.EMERGENCY_STOP:
            found = pnl_of(ledger.open_hedge(job.hedge_id), self._world, risk.stop_on)
            if found is not None and min(found) > risk.emergency_stop_loss * (1 - SLACK) + 0.002:
                yield Invariant.SUPPORTED, f"{job.symbol}: the emergency stop acts on {min(found):.2%}"
        elif job.reason in URGENT and not self._ailing(job.symbol):
            yield Invariant.SUPPORTED, f"{job.symbol} is closed for {job.reason.value}, and nothing is wrong with it"

    def _correction(self, job: HedgeExecution) -> Found:
        distance = liquidation_distance(self._world.account(), job.symbol)
        excess = self._legs.difference(job.pair)
        wanted = job.plan.spot_quantity - job.plan.perp_quantity
        if _asks(job) and (not (self._world.pair(job.symbol) or job.pair).tradable or any(self._spans())):
            return
        if job.kind is ExecutionKind.TRIM and excess / wanted < TRIM_SHARE and not self._differ_lately(job.symbol):
            yield Invariant.SUPPORTED, f"{job.symbol}: {wanted} are trimmed, and the coins exceed the short by {excess}"
        if job.kind is ExecutionKind.REDUCE and (distance is None or distance > NEAR_LIQUIDATION + SLACK):
            yield Invariant.SUPPORTED, f"{job.symbol} is reduced, and liquidation is {distance or 0.0:.1%} away"

    def any_in_danger(self, symbols: Iterable[str]) -> bool:
        """Whether one of these held pairs cannot wait, or a bot may have read so: what is shown is false or new."""
        now = self._world.now
        hour = now.replace(minute=0, second=0, microsecond=0)
        return any(self._spans()) or now - hour <= UNSETTLED or any(map(self._in_danger, symbols))

    def _in_danger(self, symbol: str) -> bool:
        account, risk = self._world.account(), self._parameters().risk_management
        distance = liquidation_distance(account, symbol)
        near = distance is not None and distance < TOP_UP + SLACK
        found = pnl_of(self._legs.ledger.held(symbol), self._world, risk.stop_on)
        stopped = found is not None and min(found) < risk.emergency_stop_loss * (1 - SLACK) + 0.002
        return near or stopped or self._ailing(symbol) or self._differ_little(symbol) or self._lacks_a_part(symbol)

    def _lacks_a_part(self, symbol: str) -> bool:
        """Whether the account shows less of a leg than the log has: a bot asks at once who took it, however little."""
        hedge, account = self._legs.ledger.held(symbol), self._world.account()
        if hedge is None:
            return False
        absent = hedge.spot_quantity - account.coin(hedge.pair.base).total
        return account.short(symbol) < hedge.short or absent > hedge.pair.spot.lot

    def _ailing(self, symbol: str) -> bool:
        """Whether anything is wrong with a held pair: its legs, its margin, its leverage, its listing."""
        world = self._world
        account, pair = world.account(), world.pair(symbol)
        position, distance = account.positions.get(symbol), liquidation_distance(world.account(), symbol)
        return (
            self._differ_lately(symbol)
            or pair is None
            or self._differ_much(pair)
            or not pair.tradable
            or position is None
            or position.leverage != 1
            or (distance is not None and distance < TOO_NEAR + SLACK)
        )

    def _differ_lately(self, symbol: str) -> bool:
        """Whether the legs differ now, or did so lately: they may have come apart while no bot looked."""
        at = self._differed_at.get(symbol)
        lately = at is not None and self._world.now - at < UNSETTLED
        return lately or symbol in self._legs.exposed or self._differ_now(symbol)

    def _differ_now(self, symbol: str) -> bool:
        """Whether the legs differ by what orders can change since a short time, as when a perpetual's lot is finer."""
        pair = self._world.pair(symbol)
        if pair is None:
            return False
        short = self._world.account().short(symbol)
        return abs(self._legs.difference(pair)) > own_tolerance(pair, prices_of(self._world, symbol).spot, short)

    def _differ_much(self, pair: BasisPair) -> bool:
        """Whether the legs differ by more than 10 % of the larger one, however small both are, and by an order."""
        short, excess = self._world.account().short(pair.symbol), self._legs.difference(pair)
        spot = prices_of(self._world, pair.symbol).spot
        least = max(pair.lot_step, pair.min_notional / spot) if excess > 0 else pair.lot_step
        return abs(excess) > max(least, max(short, short + excess) * CLOSED_APART * Decimal(1 - SLACK))

    def _differ_little(self, symbol: str) -> bool:
        """Whether the legs differ by more than 2 % and by a lot, which a bot may trim."""
        pair, short = self._world.pair(symbol), self._world.account().short(symbol)
        return pair is not None and abs(self._legs.difference(pair)) > max(pair.lot_step, short * IMBALANCE)

    # --- orders ------------------------------------------------------------------------------------------------------

    def leaves(self, order: OrderRequest, ledger: Ledger, exposure: Exposure | None) -> Found:
        """Judge an order that leaves now."""
        job = ledger.execution
        if job is None or job.symbol != order.symbol:
            return
        # What the owner changes during a job is seen after it; the coins that it has bought are hedged all the same.
        opens = order.market is Market.PERP and order.side is Side.SELL and self._acted_at < job.started_at
        if opens and self._world.flat_position(order.symbol).leverage != 1 and self._settled:
            yield Invariant.SETTINGS, f"{order.client_id} sells short, and the leverage is not 1"
        if self._settled:
            yield from self._within_its_cap(order, job, exposure)
        yield from self._at_entry_prices(order, job)
        yield from self._away_from_settlements(order, job, exposure)

    def _within_its_cap(self, order: OrderRequest, job: HedgeExecution, exposure: Exposure | None) -> Found:
        touch = self._world.depth(order.market, order.symbol).touch(order.side)
        if touch is None or order.time_in_force is not TimeInForce.IOC:
            return
        beside_fee = order.quantity - job.pair.instrument(order.market).lot  # a purchase rounds its fee in coins up
        if beside_fee <= own_tolerance(job.pair, touch, max(job.plan.spot_quantity, job.plan.perp_quantity)):
            return  # legs that differ by so little do not count as exposed: since when they do is not known here
        # Orders in doubt, or what others took, may have matched the legs; a bot that cannot know it yet goes on as if
        # they had not.
        unseen = exposure or job.doubtful or self._legs.matches_unseen(order.symbol)
        since = self._legs.apart_since(order.symbol) if unseen else None
        since = since or (exposure.begun if exposure else None)
        if job.plan.urgent:
            since = min(job.started_at, since or job.started_at)
        seconds = (self._world.now - since).total_seconds() if since else 0.0
        allowed = _cap_after(seconds, job.limits) + CAP_SLACK_BPS
        beyond = (order.price / touch - 1) * order.side.sign * 10_000
        if beyond > allowed:
            text = (
                f"{order.client_id} accepts {beyond:.0f} bp from the touch, {allowed:.0f} allowed after {seconds:.0f} s"
            )
            yield Invariant.SETTINGS, text

    def _at_entry_prices(self, order: OrderRequest, job: HedgeExecution) -> Found:
        """Yield when an opening leads on though one book has left the other, as a bot has had the time to see."""
        leads = order.market is job.lead and order.side is (Side.BUY if job.lead is Market.SPOT else Side.SELL)
        now = self._world.now
        changed = max(self._acted_at, now.replace(minute=0, second=0, microsecond=0))
        read = (now - changed).total_seconds() > BOOKS_READ_SECONDS + self._harness.patience_seconds
        if job.kind is not ExecutionKind.OPEN or not leads or not read or self._misread:
            return
        ask = self._world.depth(Market.SPOT, order.symbol).touch(Side.BUY)
        bid = self._world.depth(Market.PERP, order.symbol).touch(Side.SELL)
        if ask is None or bid is None:
            return
        paid = (ask / bid - 1) * 10_000
        allowed = self._parameters().funding_rate_strategy.max_entry_discount_bps + job.limits.max_cap_bps
        if paid > allowed + CAP_SLACK_BPS:
            text = f"the spot ask is {paid:.0f} bp above the perpetual's bid, {allowed:.0f} allowed"
            yield Invariant.SETTINGS, f"{order.client_id} leads an opening on: {text}"

    @property
    def _misread(self) -> bool:
        """Whether a book may be shown that is not so, or no longer so."""
        return any(span.cause is not Cause.MISLEADING for span in self._spans())

    def _away_from_settlements(self, order: OrderRequest, job: HedgeExecution, exposure: Exposure | None) -> Found:
        leading = order.market is job.lead and job.kind in {ExecutionKind.OPEN, ExecutionKind.CLOSE}
        predicted = self._world.market_data.predicted(order.symbol, job.started_at)
        if not leading or exposure or job.plan.urgent or predicted is None:
            return
        forward = (order.side is Side.BUY) is (job.kind is ExecutionKind.OPEN and job.lead is Market.SPOT)
        left = seconds_to_settlement(self._world, predicted.interval_hours)
        guard = self._parameters().execution.settlement_guard_seconds
        if forward and left < guard - GUARD_SLACK_SECONDS:
            yield Invariant.SETTINGS, f"{order.client_id} leads a new slice {left:.0f} s from a settlement"


def _asks(job: HedgeExecution) -> bool:
    """Whether a job is one order of one lot that asks whether the perpetual takes any, before a closing."""
    perp, wanted = job.pair.perp, job.plan.perp_quantity
    smallest = perp.ceil_quantity(max(perp.lot, perp.min_quantity))
    return job.kind is ExecutionKind.TRIM and job.reason is not Reason.IMBALANCE and wanted <= smallest


def _cap_after(seconds: float, limits: ExecutionLimits) -> Decimal:
    """Return the widest cap that the settings allow so long after the legs began to differ."""
    cap = limits.price_cap_bps
    if seconds > 5:  # noqa: PLR2004 - the names of the settings say so
        cap += limits.widen_after_5s_bps
    elif seconds > 2:  # noqa: PLR2004 - as above
        cap += limits.widen_after_2s_bps
    return limits.max_cap_bps if seconds > limits.flatten_after_seconds else min(cap, limits.max_cap_bps)
