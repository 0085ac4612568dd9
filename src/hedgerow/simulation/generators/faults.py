"""Draws faults one by one: of the venue, its market, the owner and the process."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TypeAlias

from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import Wallet
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.emulator.core.error_codes import Code
from hedgerow.emulator.fault_kinds import OF_COMMANDS, OF_READS, OF_THE_VENUE, FaultKind
from hedgerow.emulator.inprocess.faults import (
    LaggingBalances,
    LateReports,
    PairRefusal,
    Read,
    ReadFault,
    Refused,
    StaleBooks,
    SubmitFault,
    VenueFault,
)
from hedgerow.emulator.inprocess.readings import (
    AccountEndpoint,
    AccountMutation,
    AccountReading,
    LateFunding,
    LateRates,
    MarketEndpoint,
    MarketReading,
    MarketSubject,
)
from hedgerow.simulation.faults.alterations import BRIEF, RELABELLED, Alteration, AlterationKind
from hedgerow.simulation.faults.incidents import (
    Closure,
    Deleveraging,
    Delisting,
    Flow,
    HandCover,
    HandLeverage,
    HandSale,
    OwnerTransfer,
    PriceJump,
)
from hedgerow.simulation.faults.interruptions import Danger, Interruption
from hedgerow.simulation.faults.market import IntervalChange, OneSidedBook, Storm
from hedgerow.simulation.scenario import Crash, Fault, RunPlan, Suspension

__all__ = ["COMMON", "FALSE_KINDS", "KINDS", "Draw", "Kinds", "interruption", "relabelled"]

CODES = (
    Code.PRICE_TOO_HIGH,
    Code.MARGIN_INSUFFICIENT,
    Code.QUANTITY_BELOW_MINIMUM,
    Code.SYMBOL_NOT_OPEN,
    Code.KEY_PERMISSION,
    Code.UNKNOWN,
)
"""One of every kind of refusal; reduce-only is left out: the venue says it only when nothing is left to reduce."""


class Draw:
    """Draws times and amounts within the time of a run."""

    def __init__(self, random: Random, plan: RunPlan) -> None:
        self.random = random
        self.plan = plan

    @property
    def at(self) -> datetime:
        """Any time that leaves the last hours to recover."""
        span = timedelta(days=self.plan.days) - timedelta(hours=min(12.0, self.plan.days * 6))
        return self.plan.begin + span * self.random.random()

    def fraction(self, *choices: str) -> Decimal:
        """One of several fractions."""
        return Decimal(self.random.choice(choices))

    def window(self, longest_seconds: float) -> tuple[datetime, datetime]:
        """A time and a later one."""
        at = self.at
        return at, at + timedelta(seconds=self.random.uniform(1, longest_seconds))


def _submit(draw: Draw) -> SubmitFault:
    random = draw.random
    kind = random.choice(OF_COMMANDS)
    return SubmitFault(
        fault=kind,
        command=random.choice((None, "place_order")) if kind is not FaultKind.REJECT else "place_order",
        nth=1 + int(random.random() ** 2 * 40 * draw.plan.days),
        times=random.choice((1, 1, 1, 2, 3, 12, 60)),
        market=random.choice((None, Market.SPOT, Market.PERP)),
        side=random.choice((None, None, Side.BUY, Side.SELL)) if kind is not FaultKind.NOT_SENT else None,
        code=random.choice(CODES),
        fraction=draw.fraction("0.1", "0.5", "0.9"),
        seconds=random.uniform(0.1, max(0.2, draw.plan.certain_after_seconds)),
    )


def _reduce_only_submit(draw: Draw) -> SubmitFault:
    random = draw.random
    return SubmitFault(
        fault=random.choice((FaultKind.REJECT, FaultKind.ABSORB, FaultKind.SILENT_BEFORE, FaultKind.LATE)),
        nth=1 + int(random.random() * 5 * draw.plan.days),
        times=random.choice((1, 5, 40)),
        market=Market.PERP,
        reduce_only=True,
        code=random.choice(CODES),
        seconds=random.uniform(0.1, max(0.2, draw.plan.certain_after_seconds)),
    )


def _second_leg_submit(draw: Draw) -> SubmitFault:
    """Keep the leg that follows from filling, once or for longer than the machine may wait."""
    random = draw.random
    market, side = random.choice(((Market.PERP, Side.SELL), (Market.PERP, Side.SELL), (Market.SPOT, Side.BUY)))
    return SubmitFault(
        fault=random.choice((FaultKind.REJECT, FaultKind.ABSORB, FaultKind.PARTIAL)),
        command="place_order",
        nth=1 + int(random.random() * 10 * draw.plan.days),
        times=random.choice((2, 20, 150)),
        market=market,
        side=side,
        code=Code.PRICE_TOO_LOW,
        fraction=draw.fraction("0.1", "0.5"),
    )


def _other_command(draw: Draw) -> SubmitFault:
    random = draw.random
    return SubmitFault(
        fault=random.choice((FaultKind.REJECT, FaultKind.NOT_SENT, FaultKind.SILENT_BEFORE, FaultKind.SILENT_AFTER)),
        nth=random.randint(1, 8),
        times=random.randint(1, 3),
        command=random.choice(("transfer_funds", "set_leverage", "set_margin_type")),
    )


def _read(draw: Draw) -> ReadFault:
    random = draw.random
    after, until = draw.window(random.choice((20, 600, 5400)))
    return ReadFault(read=random.choice(tuple(Read)), fault=random.choice(OF_READS), after=after, until=until)


def _outage(draw: Draw) -> ReadFault:
    after, until = draw.window(1200)
    return ReadFault(read=Read.RESOLVE, after=after, until=until)


def _stale(draw: Draw) -> StaleBooks:
    after, until = draw.window(600)
    return StaleBooks(after=after, until=until)


def _lag(draw: Draw) -> LaggingBalances:
    """Draw how late the account shows the bot's own commands: seconds, or one time in three 10 to 60 s."""
    seconds = draw.random.uniform(0.5, 6.0)
    if seconds > LONG_FROM:
        seconds = 10.0 + 50.0 * (seconds - LONG_FROM) / (6.0 - LONG_FROM)
    return LaggingBalances(seconds=round(seconds, 3))


def _interval(draw: Draw) -> IntervalChange:
    eights = int((draw.at - draw.plan.start) / timedelta(hours=8)) + 1
    at = draw.plan.start + eights * timedelta(hours=8)
    return IntervalChange(at=at, pair=draw.random.randrange(draw.plan.pairs), hours=draw.random.choice((1, 2, 4, 8)))


def _one_sided(draw: Draw) -> OneSidedBook:
    random = draw.random
    at, until = draw.window(random.choice((60, 3600)))
    return OneSidedBook(
        at=at,
        until=until,
        pair=random.randrange(draw.plan.pairs),
        market=random.choice(tuple(Market)),
        side=random.choice(tuple(Side)),
    )


def _jump(draw: Draw) -> PriceJump:
    factor = draw.fraction("0.6", "0.8", "0.95", "1.05", "1.25", "1.6", "1.7", "1.76", "2.4")
    return PriceJump(at=draw.at, factor=factor, everywhere=draw.random.random() < 1 / 4)


def _closure(draw: Draw) -> Closure:
    random = draw.random
    return Closure(
        at=draw.at,
        status=random.choice((TradingStatus.SETTLING, TradingStatus.CLOSED)),
        markets=random.choice(((Market.SPOT,), (Market.PERP,), (Market.SPOT, Market.PERP))),
        hours=random.choice((0.05, 1.0, min(9.0, draw.plan.days * 3))),
    )


def _deleveraging(draw: Draw) -> Deleveraging:
    return Deleveraging(at=draw.at, fraction=draw.fraction("0.05", "0.3", "1"))


def _sale(draw: Draw) -> HandSale:
    return HandSale(at=draw.at, fraction=draw.fraction("0.01", "0.06", "0.4", "1"))


def _cover(draw: Draw) -> HandCover:
    return HandCover(at=draw.at, fraction=draw.fraction("0.01", "0.06", "0.4", "1"))


def _leverage(draw: Draw) -> HandLeverage:
    return HandLeverage(at=draw.at, leverage=draw.random.choice((2, 10)))


def _transfer(draw: Draw) -> OwnerTransfer:
    direction = draw.random.choice(tuple(TransferDirection))
    return OwnerTransfer(at=draw.at, fraction=draw.fraction("0.2", "0.7"), direction=direction)


def _flow(draw: Draw) -> Flow:
    fraction = draw.fraction("0.5", "0.1", "-0.2", "-0.5")
    return Flow(at=draw.at, wallet=draw.random.choice(tuple(Wallet)), fraction=fraction)


def _crash(draw: Draw) -> Crash:
    random = draw.random
    down = random.choice((0.1, 5.0, 600.0, 30_000.0))
    trading = random.random() < 3 / 4
    points = random.randrange(120 if trading else 12)
    return Crash(at=draw.at, points=points, trading=trading, down_seconds=min(down, draw.plan.days * 7200))


def _suspension(draw: Draw) -> Suspension:
    return Suspension(at=draw.at, seconds=round(draw.random.uniform(2, 7200), 3))


def _late(draw: Draw) -> LateReports:
    after, until = draw.window(draw.random.choice((3600, 86_400)))
    return LateReports(seconds=round(draw.random.uniform(0.2, 5.0), 3), after=after, until=until)


def _venue_fault(draw: Draw) -> VenueFault:
    after, until = draw.window(draw.random.choice((15, 180, 1800)))
    return VenueFault(fault=draw.random.choice(OF_THE_VENUE), after=after, until=until)


def _delisting(draw: Draw) -> Delisting:
    return Delisting(at=draw.at)


def _storm(draw: Draw) -> tuple[Fault, ...]:
    """Draw a crash like that of 10 October 2025: the market, the overloaded venue and its deleveraging together."""
    random = draw.random
    hour = timedelta(hours=1)
    at = draw.plan.begin + (draw.at - draw.plan.begin) // hour * hour
    storm = Storm(
        at=at,
        hours=random.randint(2, 24),
        drop=random.choice((0.15, 0.4, 0.8)),
        basis_bps=-random.uniform(50, 650),
        rate_bps=-random.uniform(5, 75),
        depth=draw.fraction("0.02", "0.1", "0.3"),
    )
    until = at + timedelta(seconds=random.uniform(300, 5400))
    overload = VenueFault(fault=FaultKind.OVERLOADED, after=at, until=until)
    taken = at + timedelta(seconds=random.uniform(60, 5400))
    return (storm, overload, Deleveraging(at=taken, fraction=draw.fraction("0.05", "0.3", "1")))


def _alteration(draw: Draw) -> Alteration:
    """Draw a change of the held pair's market: hours of other rules, or minutes of books and marks that mislead."""
    random = draw.random
    kind = random.choice([kind for kind in AlterationKind if kind not in RELABELLED])
    longest = 900.0 if kind in BRIEF else 86_400.0
    return Alteration(
        at=draw.at, kind=kind, market=random.choice(tuple(Market)), seconds=round(longest * random.random() ** 2 + 1, 3)
    )


def relabelled(draw: Draw) -> Alteration:
    """Draw a perpetual that is not what its ticker says, of the held pair or of any, for hours."""
    random = draw.random
    return Alteration(
        at=draw.at,
        kind=random.choice(RELABELLED),
        market=Market.PERP,
        seconds=round(86_400 * random.random() ** 2 + 60, 3),
        pair=random.choice((None, random.randrange(draw.plan.pairs))),
    )


def _squeeze(draw: Draw) -> Storm:
    """Draw hours in which the perpetual stands far above spot: shorts lose, and are paid for it."""
    random = draw.random
    hour = timedelta(hours=1)
    at = draw.plan.begin + (draw.at - draw.plan.begin) // hour * hour
    return Storm(
        at=at,
        hours=random.randint(6, 24),
        drop=0.0,
        basis_bps=random.uniform(50, 650),
        rate_bps=random.uniform(0, 20),
        depth=Decimal(1),
    )


def _pair_refusal(draw: Draw) -> PairRefusal:
    """Draw a pair that refuses what would open it, for hours or for ever."""
    random = draw.random
    after = draw.at
    until = after + timedelta(hours=random.uniform(1, 48)) if random.random() < 2 / 3 else None
    return PairRefusal(
        code=random.choice((Code.SYMBOL_NOT_OPEN, Code.KEY_PERMISSION, Code.UNKNOWN)),
        symbol=None,
        refused=random.choice((Refused.OPENINGS, Refused.PREPARATION)),
        after=after,
        until=until or after + timedelta(days=draw.plan.days),
    )


def interruption(draw: Draw) -> Interruption:
    """Draw a trade that another hedge's danger interrupts: a short that is taken, or a price that rises."""
    random = draw.random
    danger = random.choice((*Danger, Danger.COVERED))
    closed = random.choice(((), (), (Market.PERP,), (Market.SPOT, Market.PERP)))
    return Interruption(
        at=draw.at,
        kind=random.choice((ExecutionKind.OPEN, ExecutionKind.OPEN, ExecutionKind.CLOSE, None)),
        after_seconds=random.choice((0.3, 1.0, 3.0, 8.0, 20.0, 60.0)),
        danger=danger,
        fraction=draw.fraction("0.6", "0.9") if danger is Danger.RISE else draw.fraction("0.05", "0.3", "1"),
        closed=closed,
        closed_seconds=round(random.choice((30, 180, 1200)) * random.random() + 5, 3) if closed else 0.0,
    )


LONG_FROM = 4.0
"""Seconds; what is drawn above it stands for a lag of 10 to 60 s."""
OF_ONE_POSITION = (AccountMutation.POSITION_MISSING, AccountMutation.POSITION_SCALED, AccountMutation.STALE)
"""What can be false about the endpoint of single positions."""
FACTORS = ("0", "0.5", "0.9", "2", "1000")
PRICE_FACTORS = (None, "0.01", "0.8", "0.97", "1.03", "1.25", "1000")
"""None = left out, as a client reads a price of 0."""


def _account_reading(draw: Draw) -> AccountReading:
    """Draw a false reading of one endpoint of the account, for seconds or minutes; the other one shows the truth.

    Both would be false in the same way only by an agreement: no bot could know the truth. The spot balance has one
    endpoint; a bot believes it after a quarter of an hour, so that it is false for less.
    """
    random = draw.random
    after, until = draw.window(random.choice((5, 60, 600)))
    endpoint = random.choice((AccountEndpoint.ACCOUNT, AccountEndpoint.ACCOUNT, AccountEndpoint.POSITION))
    mutations = OF_ONE_POSITION if endpoint is AccountEndpoint.POSITION else tuple(AccountMutation)
    return AccountReading(
        mutation=random.choice(mutations),
        factor=draw.fraction(*FACTORS),
        noticed=random.random() < 1 / 2,
        endpoints=(endpoint,),
        after=after,
        until=until,
    )


def _market_reading(draw: Draw) -> MarketReading:
    """Draw one figure of the market that is false, or left out, for seconds or minutes."""
    random = draw.random
    after, until = draw.window(random.choice((5, 60, 900)))
    factor = random.choice(PRICE_FACTORS)
    return MarketReading(
        subject=random.choice(tuple(MarketSubject)),
        market=random.choice((None, Market.SPOT, Market.PERP)),
        factor=None if factor is None else Decimal(factor),
        endpoints=random.choice((tuple(MarketEndpoint), (MarketEndpoint.MARKET,), (MarketEndpoint.DEPTH,))),
        after=after,
        until=until,
    )


def _late_funding(draw: Draw) -> LateFunding:
    after, until = draw.window(86_400)
    return LateFunding(
        seconds=round(draw.random.choice((20, 900, 30_000)) * draw.random.random(), 3), after=after, until=until
    )


def _late_rates(draw: Draw) -> LateRates:
    after, until = draw.window(86_400)
    return LateRates(
        seconds=round(draw.random.choice((60, 900, 30_000)) * draw.random.random(), 3), after=after, until=until
    )


Kinds: TypeAlias = Sequence[tuple[Callable[[Draw], Fault | tuple[Fault, ...]], int]]
"""What may be drawn, each with its weight."""
FALSE_KINDS: Kinds = (
    (_account_reading, 4),
    (_market_reading, 4),
    (_late_funding, 1),
    (_late_rates, 1),
)
"""How often each kind of false reading is drawn, relative to the others."""
KINDS: Kinds = (
    (_submit, 14),
    (_reduce_only_submit, 4),
    (_second_leg_submit, 3),
    (_other_command, 4),
    (_read, 7),
    (_outage, 1),
    (_stale, 2),
    (_lag, 1),
    (_interval, 1),
    (_one_sided, 3),
    (_jump, 4),
    (_closure, 3),
    (_deleveraging, 2),
    (_sale, 3),
    (_cover, 3),
    (_leverage, 1),
    (_transfer, 2),
    (_flow, 3),
    (_crash, 10),
    (_suspension, 1),
    (_late, 2),
    (_venue_fault, 5),
    (_delisting, 1),
    (_storm, 1),
    (_squeeze, 2),
    (_alteration, 6),
    (_pair_refusal, 1),
)
"""How often each kind of fault is drawn, relative to the others."""
_OF_THE_VENUE = (
    _submit,
    _reduce_only_submit,
    _second_leg_submit,
    _other_command,
    _read,
    _outage,
    _stale,
    _lag,
    _late,
    _venue_fault,
    _pair_refusal,
)
COMMON = tuple(kind for kind in KINDS if kind[0] not in _OF_THE_VENUE)
"""What does not depend on how the exchange is reached: the market, the owner, crashes."""
