"""Draws a scenario from a seed: account, settings, faults."""

from decimal import Decimal
from itertools import chain
from random import Random
from typing import TypedDict

from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.money import ONE, ZERO
from hedgerow.emulator.core.market_changes import LeverageTier
from hedgerow.simulation.generators.execution_style import Style, styled
from hedgerow.simulation.generators.faults import FALSE_KINDS, KINDS, Draw, Kinds, interruption, relabelled
from hedgerow.simulation.generators.wire_faults import drawn_for_wire
from hedgerow.simulation.scenario import Fault, RunPlan, Transport
from hedgerow.strategy.parameters import (
    CapitalManagement,
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    SamePair,
    StrategyParameters,
)

__all__ = ["DrawOptions", "draw_plan"]

FAULTS_PER_DAY = 2.0
FALSE_SHARE = 1 / 8
"""False readings for each other fault."""
LABEL_SHARE = 1 / 28
"""Perpetuals that are not what their ticker says for each other fault."""
LONG_SHARE = 1 / 10
"""Part of the runs in process that span months: what a log, a memory or a rare event of the market does over time."""
LONG_DAYS = (120, 400)
LONG_PAIRS = 30
LONG_CHECK_SECONDS = 6 * 3600.0
LONG_AGES_HOURS = (240.0, 500.0, 1000.0)
LONG_GAIN, LONG_EXIT_APR = 2.0, -1.0
"""APRs as fractions: among so many pairs a hedge would otherwise be left every other day."""
LONG_FAULTS_PER_DAY = 0.2
WALLETS_PER_SLOT = (400, 1500, 5000)
"""USDT of each wallet for each position that may be held."""
RESERVE_SHARE = 1 / 3
"""Part of the runs for several positions that keep a reserve."""
TIERS_SHARE = 1 / 2
"""Part of the runs for several positions whose maintenance margin grows with a position."""
TIER_RATES = (Decimal("0.01"), Decimal("0.025"), Decimal("0.05"), Decimal("0.125"))
TIER_FLOORS = (ZERO, Decimal("0.4"), Decimal("1.1"), Decimal(5))
"""Where each tier begins, in legs; all floors of a run are halved or doubled, or neither."""
INTERRUPTED_SHARE = 1 / 2
"""Part of the runs for several positions in which trades are interrupted by the danger of another hedge."""
MOST_INTERRUPTIONS = 4
SHORTEST_DAYS = 7.0
"""A run that is asked to be shorter is never made a long one."""


class DrawOptions(TypedDict, total=False):
    """The options of ``draw_plan``, for functions that pass them on."""

    style: Style
    faults: bool
    transport: Transport
    hedges: int


def draw_plan(
    seed: int,
    days: float,
    *,
    style: Style = Style.DRAWN,
    faults: bool = True,
    transport: Transport = Transport.PROCESS,
    hedges: int = 1,
) -> RunPlan:
    """Return the run of a seed; without ``faults`` it is the same run, and nothing goes wrong in it.

    ``hedges`` is how many positions the bot of any seed may hold at most: each seed draws its own number up to it,
    pairs and money for as many, and limits of one position. With 1 nothing of that is drawn.
    """
    random = Random(f"plan/{seed}")  # noqa: S311 - a repeatable run, nothing secret
    certain = random.choice((0.0, 5.0, 8.0))
    plan = RunPlan(
        seed=seed,
        days=days,
        pairs=random.randint(3, 5),
        usdt=Decimal(random.choice((400, 1500, 10_000))),
        coins=Decimal(random.choice((0, 0, 30, 300))),
        parameters=_parameters(random, seed, style),
        latency_seconds=random.choice((0.03, 0.1, 0.3)),
        delayed_spot_ack=random.random() < 1 / 3,
        certain_after_seconds=certain,
        jitter_seconds=random.choice((0.0, 15.0)),
        drawn_faults=(),
    )
    owner = Random(f"owner/{seed}")  # noqa: S311 - a repeatable run, nothing secret
    plan = replace(plan, resume_after_hours=owner.choice((2.0, 12.0, 48.0)))
    plan = _for_several(plan, hedges)
    if transport is Transport.WIRE:
        return _interrupted(drawn_for_wire(plan, faults=faults), faults=faults)
    plan = _lengthened(plan)
    if not faults:
        return plan
    asking = Random(f"requests/{seed}")  # noqa: S311 - as above
    plan = replace(plan, interference=asking.choice((0.0, 0.0, 0.0, 0.2)))
    per_day = FAULTS_PER_DAY if plan.days == days else LONG_FAULTS_PER_DAY
    drawn_faults = _drawn(random, plan, KINDS, per_day)
    notified = random.random() < NOTIFIED
    # Sources of their own: what a seed draws otherwise stays as it is.
    readings, labels = Random(f"readings/{seed}"), Random(f"labels/{seed}")  # noqa: S311 - as above
    drawn_faults += _drawn(readings, plan, FALSE_KINDS, per_day * FALSE_SHARE)
    drawn_faults += _drawn(labels, plan, ((relabelled, 1),), per_day * LABEL_SHARE)
    return _interrupted(replace(plan, drawn_faults=drawn_faults, notifications=notified), faults=faults)


def _for_several(plan: RunPlan, most: int) -> RunPlan:
    """Return a plan whose bot may hold up to ``most`` positions: how many, and limits of each; with 1 as it is."""
    if most == 1:
        return plan
    random = Random(f"hedges/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
    slots = random.randint(1, most)
    usdt = Decimal(random.choice(WALLETS_PER_SLOT)) * slots
    share = random.choice((None, None, "0.25", "0.5"))
    depth = random.choice((None, None, "0.02", "0.2"))
    dollars = random.choice((None, None, None, 200, 1000))
    old = plan.parameters.capital_management
    capital = replace(
        old,
        max_capital_usd=old.max_capital_usd and old.max_capital_usd * slots,
        max_position_usd=None if dollars is None else Decimal(dollars),
        max_position_equity=None if share is None else Decimal(share),
        max_position_depth=None if depth is None else Decimal(depth),
        reserve_usd=usdt / random.choice((20, 5)) if random.random() < RESERVE_SHARE else ZERO,
    )
    management = replace(plan.parameters.position_management, max_positions=slots)
    parameters = replace(plan.parameters, capital_management=capital, position_management=management)
    plan = replace(plan, pairs=slots + random.randint(2, 4), usdt=usdt, parameters=parameters)
    return _with_tiers(plan, usdt / slots) if slots > 1 else plan


def _with_tiers(plan: RunPlan, leg: Decimal) -> RunPlan:
    """Return a plan for several positions with margin tiers that a leg may be in, and a limit of what is held open.

    Not every plan has either.
    """
    random = Random(f"tiers/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
    unit = leg * Decimal(random.choice(("0.5", "1", "2")))
    floors = ((unit * share).quantize(ONE) for share in TIER_FLOORS)
    tiers = tuple(LeverageTier(floor=floor, rate=rate) for floor, rate in zip(floors, TIER_RATES, strict=True))
    held_open = random.choice((None, None, "0.00002", "0.0005"))
    capital = replace(
        plan.parameters.capital_management,
        max_position_open_interest=None if held_open is None else Decimal(held_open),
    )
    parameters = replace(plan.parameters, capital_management=capital)
    return replace(plan, parameters=parameters, maintenance_tiers=tiers if random.random() < TIERS_SHARE else ())


def _interrupted(plan: RunPlan, *, faults: bool) -> RunPlan:
    """Return a run for several positions with trades that the danger of another hedge interrupts; others as it is."""
    random = Random(f"interruptions/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
    several = plan.parameters.position_management.max_positions > 1
    if not faults or not several or random.random() >= INTERRUPTED_SHARE:
        return plan
    drawn = tuple(interruption(Draw(random, plan)) for _ in range(random.randint(1, MOST_INTERRUPTIONS)))
    return replace(plan, drawn_faults=(*plan.drawn_faults, *drawn))


def _drawn(random: Random, plan: RunPlan, kinds: Kinds, per_day: float) -> tuple[Fault, ...]:
    """Return so many faults a day, more or less, each of a kind that is drawn by its weight."""
    count = max(1, round(plan.days * per_day * random.uniform(0.3, 1.7)))
    chosen = random.choices(kinds, [weight for _, weight in kinds], k=count)
    drawn = (draw(Draw(random, plan)) for draw, _ in chosen)
    return tuple(chain.from_iterable(each if isinstance(each, tuple) else (each,) for each in drawn))


def _lengthened(plan: RunPlan) -> RunPlan:
    """Return the run of months that one seed in ten has, with many pairs and few checks; the others as they are."""
    random = Random(f"length/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
    if random.random() >= LONG_SHARE or plan.days < SHORTEST_DAYS:
        return plan
    management = replace(
        plan.parameters.position_management,
        loop_interval_seconds=LONG_CHECK_SECONDS,
        max_position_age_hours=random.choice(LONG_AGES_HOURS),
        fee_coverage_multiplier=random.choice((4.0, 1000.0)),
        better_opportunity_apr=LONG_GAIN,
    )
    funding = replace(plan.parameters.funding_rate_strategy, exit_funding_apr=LONG_EXIT_APR)
    return replace(
        plan,
        days=float(random.randint(*LONG_DAYS)),
        pairs=LONG_PAIRS,
        parameters=replace(plan.parameters, position_management=management, funding_rate_strategy=funding),
    )


NOTIFIED = 2 / 3
"""Part of the runs whose exchange reports to the bot's guard what happens."""


def _parameters(random: Random, seed: int, style: Style) -> StrategyParameters:
    limits = ExecutionLimits(max_naked_equity_fraction=Decimal(random.choice(("0.1", "0.2", "0.3"))))
    money = Random(f"money/{seed}")  # noqa: S311 - a repeatable run, nothing secret
    maximum = money.choice((None, None, None, 300))
    return StrategyParameters(
        capital_management=CapitalManagement(
            capital_fraction=Decimal(money.choice(("0.95", "0.95", "0.5"))),
            max_capital_usd=None if maximum is None else Decimal(maximum),
        ),
        risk_management=RiskManagement(emergency_stop_loss=money.choice((-0.10, -0.10, -0.01))),
        execution=styled(limits, style, seed),
        funding_rate_strategy=FundingRateStrategy(
            funding_ma_periods=random.randint(1, 3), min_volume_usd=Decimal(1_000_000)
        ),
        position_management=PositionManagement(
            fee_coverage_multiplier=random.choice((0.7, 1.5, 4.0)),
            max_position_age_hours=random.choice((24.0, 48.0, 96.0)),
            loop_interval_seconds=3600.0,
            same_pair=random.choice((SamePair.CLOSE, SamePair.ROLL)),
        ),
    )
