"""Checks what a bot must do in time: top up margin, exit, open, complete an opening."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView
from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.emulator.core.world import World
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.checks.truth import apr_of, entry_faults, equity_of, liquidation_distance, pnl_of, unused
from hedgerow.simulation.harness import ExchangeHarness
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["Duties"]

Found = Iterator[tuple[Invariant, str]]
CYCLES = 3
"""So many checks in a row, with nothing going wrong, may leave a duty undone: one to see it, one to confirm it."""
LEAST_SECONDS = 900.0
"""And so long at least, however many checks there are."""
DANGERS = ("stop ", "flee ")
FOR_PROFIT = {Reason.FEES_COVERED, Reason.MAX_AGE, Reason.BETTER_PAIR, Reason.NEGATIVE_FUNDING}
TOP_UP, REDUCE, FLEE = 0.25, 0.20, 0.15
"""Distance of liquidation as a fraction of the mark, below which margin is added, a part closed, all closed."""
ASKED_FOR = timedelta(hours=1)
"""The longest time for which a request is valid."""
SLACK = 0.01
IDLE_USDT = Decimal(2)
ZERO_TIME, RATES_KNOWN = timedelta(0), timedelta(minutes=16)
"""A settled rate is known to a bot so much later at the latest."""
READ_WITHIN = timedelta(minutes=2)
"""How long before a job begins a bot may have read what it decided by: how old a hedge was, for example."""
RESTING = timedelta(hours=25)
"""The longest rest of a pair whose opening failed, or that was closed for its health."""
NEARLY_APART = Decimal("0.045")
"""Fraction near 5 %: where the prices of the legs differ by more than that, nothing is closed for profit."""
DEPTH_ROOM = Decimal("1.5")
MARGIN_ROOM = Decimal("0.04")
"""Of what shorts are worth: a bot keeps 2 % of it free, and marks move until it reads them."""
MONEY_ROOM = Decimal("1.2")
"""So many times the least capital must be free beside other hedges before an opening is due."""
LOT_ROOM = Decimal("1.05")
"""So much dearer may a lot be at the bot's prices than at the judge's."""
REST_REASONS = {
    *(
        Reason.UNWOUND,
        Reason.REFUSED,
        Reason.EMERGENCY_STOP,
        Reason.HEALTH,
        Reason.LEG_GONE,
        Reason.LIQUIDATED,
        Reason.IMBALANCE,
    ),
    *(Reason.LIQUIDATION_NEAR, Reason.CLOSED_EXTERNALLY),
}


class Duties:
    """Counts the checks that leave something undone."""

    def __init__(self, harness: ExchangeHarness, parameters: Callable[[], StrategyParameters]) -> None:
        self._harness = harness
        self._parameters = parameters
        self._counts: dict[str, tuple[int, datetime]] = {}
        """How many checks in a row a duty was due, and since when."""
        self._calm_since = harness.world.now
        self._asked_until: datetime | None = None
        self._rested: dict[str, datetime] = {}
        """When the last opening of a symbol was given up: even one that was never begun lets it rest."""
        self._traded = set[str]()
        """Hedges that a job of this check has traded and that are still held: trimmed, or hedged again."""

    @property
    def _world(self) -> World:
        return self._harness.world

    def note_disturbance(self) -> None:
        """Take note that something went wrong, or was changed: every count starts again."""
        self._counts.clear()
        self._calm_since = self._harness.now

    def asked(self, at: datetime) -> None:
        """Take note that the owner asks for something ``at`` a time: an opening may be given up for it.

        Between two checks the exchange's own time stands still, so that it may be hours before that of the request.
        """
        self._asked_until = at + ASKED_FOR

    # --- openings that are given up ----------------------------------------------------------------------------------

    def ends(self, job: HedgeExecution | None, event: ev.HedgeAborted, causes: tuple[str, ...]) -> Found:
        """Judge an opening that was given up; ``causes`` kept its legs apart."""
        if job is not None:
            self._rested[job.symbol] = self._harness.now
        if event.reason is Reason.USER and self._asked_until is not None and self._harness.now <= self._asked_until:
            return
        if event.reason is Reason.OTHER_HEDGE:
            return  # whether another hedge was in danger was judged when the trade was set aside
        if job is None or causes or self._stirred(job.started_at):
            return
        # It was planned on a reading that may have lagged: the margin that it counted on may have been gone.
        unseen = timedelta(seconds=self._harness.patience_seconds)
        if job.started_at <= self._calm_since + unseen:
            return
        yield (
            Invariant.DUTIES,
            f"the opening of {job.symbol} is given up for nothing: {event.reason.value}, {event.detail}",
        )

    def _stirred(self, since: datetime) -> bool:
        """Whether a span of faults, or new prices of another hour, came after ``since``."""
        now = self._harness.now
        hour = now.replace(minute=0, second=0, microsecond=0)
        return hour > since or any(span.begin <= now and span.end > since for span in self._harness.spans)

    def begins(self, job: HedgeExecution, ledger: Ledger) -> Found:
        """Judge a job that begins while another hedge is in danger and several checks have left it there."""
        if job.kind is not ExecutionKind.OPEN and job.reason not in FOR_PROFIT:
            return
        waiting = ", ".join(each.symbol for each in ledger.suspended.values())
        if waiting:
            yield Invariant.DUTIES, f"{job.symbol} is traded for profit while the trade of {waiting} is set aside"
        for name, (count, since) in self._counts.items():
            if count >= CYCLES - 1 and name.startswith(DANGERS) and name.split()[-1] != job.symbol:
                what = f"{job.symbol} is traded for profit while {name.split()[-1]} is in danger since {since:%H:%M:%S}"
                yield Invariant.DUTIES, f"{what} ({name.split()[0]})"

    def traded(self, hedge_id: str) -> None:
        """Take note that a hedge was traded and kept: until the check ends, another one may make room instead."""
        self._traded.add(hedge_id)

    # --- rotation ----------------------------------------------------------------------------------------------------

    def rotates(self, job: HedgeExecution, ledger: Ledger) -> Found:
        """Judge a closing for a better pair: of hedges that could make room, it is the one that pays least."""
        if job.kind is not ExecutionKind.CLOSE or job.reason is not Reason.BETTER_PAIR:
            return
        if self._stirred(self._harness.now - RATES_KNOWN):
            return
        paid = min(self._aprs(job.symbol), default=0.0)
        for hedge in ledger.judged_hedges:
            if hedge.hedge_id != job.hedge_id and self._may_rotate(hedge, ledger):
                least = max(self._aprs(hedge.symbol), default=paid)
                if least < paid - SLACK:
                    what = f"{job.symbol} pays {paid:.2%} a year and is closed for a better pair"
                    yield Invariant.SETTINGS, f"{what}, {hedge.symbol} pays {least:.2%} and is kept"

    def _aprs(self, symbol: str) -> list[float]:
        """Return what a pair pays by the rates of now and of a little before."""
        settings, now = self._parameters().funding_rate_strategy, self._world.now
        found = (apr_of(self._world, symbol, settings, now - age) for age in (ZERO_TIME, RATES_KNOWN))
        return [apr for apr in found if apr is not None]

    def _may_rotate(self, hedge: HedgedPosition, ledger: Ledger) -> bool:
        """Whether nothing but a rule for profit keeps a hedge: it is old enough, tradable, and cheap to leave."""
        least = self._parameters().position_management.better_opportunity_min_hours
        hours = (self._world.now - READ_WITHIN - hedge.counted_from).total_seconds() / 3600
        kept = hedge.hedge_id in ledger.deferrals or hedge.hedge_id in self._traded
        kept = kept or self._are_apart(hedge.symbol) or self._expensive_to_leave(hedge)
        return hours > least and self._tradable(hedge.symbol) and self._cheap(hedge.symbol) and not kept

    # --- checks ------------------------------------------------------------------------------------------------------

    def checked(self, ledger: Ledger) -> Found:
        """Judge what a check that is complete now has left undone."""
        self._traded.clear()
        if ledger.jobs or ledger.transfer is not None or self._stirred(self._harness.now):
            return
        now = self._harness.now
        due = dict(self._due(ledger, self._world.account()))
        self._counts = {name: self._counts.get(name, (0, now)) for name in due}
        for name, (rule, text) in due.items():
            count, since = self._counts[name]
            self._counts[name] = (count + 1, since)
            if count >= CYCLES and (now - since).total_seconds() >= LEAST_SECONDS:
                yield rule, f"{text}, for {(now - since).total_seconds():.0f} s and {count} checks"

    def _due(self, ledger: Ledger, account: AccountView) -> Iterator[tuple[str, tuple[Invariant, str]]]:
        for hedge in ledger.open_hedges:
            yield from self._margin(hedge, account)
            yield from self._exits(hedge)
        if len(ledger.hedges) < self._parameters().position_management.max_positions and ledger.halt is None:
            yield from self._opening(ledger, account)

    def _margin(self, hedge: HedgedPosition, account: AccountView) -> Iterator[tuple[str, tuple[Invariant, str]]]:
        distance = liquidation_distance(account, hedge.symbol)
        if distance is None or not self._tradable(hedge.symbol):
            return
        far = f"{hedge.symbol}: liquidation is {distance:.1%} from the mark"
        if distance < TOP_UP - SLACK and account.spot_usdt > IDLE_USDT:
            yield f"top up {hedge.symbol}", (Invariant.DUTIES, f"{far}, and {account.spot_usdt:.2f} USDT lie idle")
        if distance < FLEE - SLACK:
            yield f"flee {hedge.symbol}", (Invariant.DUTIES, f"{far}, and the hedge stays")

    def _exits(self, hedge: HedgedPosition) -> Iterator[tuple[str, tuple[Invariant, str]]]:
        settings, world, symbol = self._parameters(), self._world, hedge.symbol
        if not self._tradable(symbol) or not self._cheap(symbol):
            return
        management, funding = settings.position_management, settings.funding_rate_strategy
        pnl = pnl_of(hedge, world, settings.risk_management.stop_on)
        stop = settings.risk_management.emergency_stop_loss
        if pnl is not None and not self._index_is_apart(symbol) and max(pnl) < stop * (1 + SLACK) - 0.002:
            yield (
                f"stop {symbol}",
                (Invariant.DUTIES, f"{symbol} has made {max(pnl):.2%}, the emergency stop is at {stop:.2%}"),
            )
        if self._are_apart(symbol) or self._expensive_to_leave(hedge):
            return
        hours = (world.now - hedge.counted_from).total_seconds() / 3600
        if hours > management.max_position_age_hours:
            yield (
                f"age {symbol}",
                (Invariant.LIVENESS, f"{symbol} is {hours:.1f} h old, {management.max_position_age_hours} allowed"),
            )
        apr = apr_of(world, symbol, funding, world.now)
        if apr is not None and apr < funding.exit_funding_apr - SLACK:
            yield f"negative {symbol}", (Invariant.LIVENESS, f"{symbol} pays {apr:.2%} a year and is kept")

    def _expensive_to_leave(self, hedge: HedgedPosition) -> bool:
        """Whether the perpetual has risen against the coin since the opening: exits for profit wait for it to fall."""
        prices, tally = self._world.prices(hedge.symbol), hedge.tally
        if prices is None or tally.spot_quantity <= 0 or tally.perp_quantity >= 0:
            return True
        # Of what is left: a part of either leg may have been traded back.
        bought = (tally.spot_bought - tally.spot_sold) / tally.spot_quantity
        sold = (tally.perp_sold - tally.perp_bought) / -tally.perp_quantity
        grown = (prices.perp - prices.spot) / prices.spot - (sold - bought) / bought
        most = self._parameters().position_management.max_exit_cost_bps
        return grown * 10_000 > most / 2

    def _are_apart(self, symbol: str) -> bool:
        """Whether spot and perpetual or index do not follow one price: a person decides then whether to leave.

        See decision 0011 in docs/decisions.
        """
        prices = self._world.prices(symbol)
        return prices is None or self._index_is_apart(symbol) or abs(prices.perp / prices.spot - 1) > NEARLY_APART

    def _index_is_apart(self, symbol: str) -> bool:
        """Whether spot and index do not follow one price: no loss that is computed from both is confirmed."""
        prices = self._world.prices(symbol)
        return prices is None or (prices.index is not None and abs(prices.index / prices.spot - 1) > NEARLY_APART)

    def _opening(self, ledger: Ledger, account: AccountView) -> Iterator[tuple[str, tuple[Invariant, str]]]:
        settings, world = self._parameters(), self._world
        equity = equity_of(account)
        wanted = self._wanted(ledger, account)
        if wanted is None:
            return
        rested = {c.symbol for c in ledger.closed if c.reason in REST_REASONS and world.now - c.closed_at < RESTING}
        rested |= {symbol for symbol, at in self._rested.items() if world.now - at < RESTING}
        rested |= {hedge.symbol for hedge in ledger.hedges.values()}
        for pair in world.market_data.pairs:
            if pair.symbol in rested or any(
                entry_faults(world, pair.symbol, settings.funding_rate_strategy, strict=True)
            ):
                continue
            leg = self._at_most_shown(pair.symbol, wanted)
            if 2 * leg < settings.capital_management.min_capital_usd or not self._fine_enough(pair.symbol, equity, leg):
                continue
            if self._deep_enough(pair.symbol, leg * DEPTH_ROOM, settings.execution.price_cap_bps):
                yield "open", (Invariant.LIVENESS, f"{pair.symbol} may be opened with {leg:.2f} USDT, and is not")
                return

    def _wanted(self, ledger: Ledger, account: AccountView) -> Decimal | None:
        """Return the quote units per leg that the next hedge may have at least; None = too little, or not certain."""
        management, capital = self._parameters().position_management, self._parameters().capital_management
        shorts = {row.symbol: -row.quantity for row in account.positions.values() if row.quantity}
        if shorts != {hedge.symbol: hedge.short for hedge in ledger.hedges.values()}:
            return None
        if not shorts and account.perp.unrealized_pnl:
            return None
        notional = sum((-row.quantity * row.mark_price for row in account.positions.values()), ZERO)
        free = (unused(account) if shorts else equity_of(account)) - notional * MARGIN_ROOM - capital.reserve_usd
        committed = 2 * sum((hedge.entry_notional for hedge in ledger.hedges.values()), ZERO)
        if management.max_positions > 1 and capital.max_capital_usd is not None:
            free = min(free, capital.max_capital_usd - committed)
        if free < capital.min_capital_usd * (MONEY_ROOM if shorts or capital.reserve_usd else 2):
            return None
        least, slots = capital.min_capital_usd, management.max_positions - len(ledger.hedges)
        count = max(1, min(slots, int(free / least)) if least > 0 else slots)
        limits = [free * capital.capital_fraction / count, *(c for c in (capital.max_capital_usd,) if c is not None)]
        limits += [] if capital.max_position_usd is None else [capital.max_position_usd]
        if capital.max_position_equity is not None:
            limits.append(capital.max_position_equity * equity_of(account))
        return min(limits) / 2

    def _at_most_shown(self, symbol: str, wanted: Decimal) -> Decimal:
        """Return what is wanted, or the part that is allowed of the thinner book, or of what is held open."""
        capital = self._parameters().capital_management
        share, of_open = capital.max_position_depth, capital.max_position_open_interest
        if of_open is not None:
            bid = self._world.depth(Market.PERP, symbol).touch(Side.SELL) or ZERO
            wanted = min(wanted, self._world.open_interest(symbol) * bid * of_open / DEPTH_ROOM)
        return wanted if share is None else min(wanted, share * self._shown(symbol) / DEPTH_ROOM)

    def _shown(self, symbol: str) -> Decimal:
        sides = ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL))
        cap = self._parameters().execution.price_cap_bps
        return min(self._world.depth(m, symbol).notional_within(side, cap) for m, side in sides)

    def _deep_enough(self, symbol: str, notional: Decimal, cap_bps: Decimal) -> bool:
        sides = ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL))
        return all(self._world.depth(m, symbol).notional_within(side, cap_bps) >= notional for m, side in sides)

    def _fine_enough(self, symbol: str, equity: Decimal, wanted: Decimal) -> bool:
        """Whether a lot of a pair is well within the capital, and two are within what may be unhedged."""
        pair, limits = self._world.pair(symbol), self._parameters().execution
        prices = self._world.prices(symbol)
        if pair is None or prices is None:
            return False
        lot = pair.lot_step * prices.spot * LOT_ROOM
        allowed = max(limits.max_naked_equity_fraction * equity, 2 * pair.min_notional)
        most = allowed if limits.max_order_usd is None else min(allowed, limits.max_order_usd)
        return lot <= wanted and 2 * max(lot, pair.min_notional) <= most

    def _tradable(self, symbol: str) -> bool:
        pair = self._world.pair(symbol)
        return pair is not None and pair.tradable

    def _cheap(self, symbol: str) -> bool:
        """Whether both books are two-sided and narrow: exits for profit may wait otherwise."""
        for market in Market:
            depth = self._world.depth(market, symbol)
            bid, ask = depth.touch(Side.SELL), depth.touch(Side.BUY)
            if bid is None or ask is None or (ask - bid) / ask * 10_000 > 20:  # noqa: PLR2004 - basis points
                return False
        return True
