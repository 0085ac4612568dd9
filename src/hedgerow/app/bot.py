"""Builds one bot from parts that are given: engine, policy, event log and venue."""

import random
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.events import StateImported
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine.accounting.bookkeeping import Bookkeeper
from hedgerow.engine.cycle import Cycle, Tools
from hedgerow.engine.execution.executor import Executor
from hedgerow.engine.guard import Guard
from hedgerow.engine.ids import IdSource
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import Observer
from hedgerow.engine.operator import Service
from hedgerow.engine.reconciliation import Reconciler
from hedgerow.engine.runner import Runner, RunOptions, StopSignal
from hedgerow.engine.startup import Startup
from hedgerow.ports import Clock, Mailbox, NotificationSource, StateKeeper, Store, Venue
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy
from hedgerow.strategy.policy import Policy

__all__ = ["Bot", "BotParts", "build_bot"]


class BotParts(Struct, frozen=True, kw_only=True):
    """What a bot is made of."""

    venue: Venue
    store: Store
    clock: Clock
    parameters: StrategyParameters
    randomness: random.Random
    """For ids only; a seed makes a run repeatable."""
    options: RunOptions = RunOptions()
    observers: Sequence[Observer] = ()
    policy: Policy | None = None
    """None = the one the parameters name."""
    dry_run: bool = False
    imported: StateImported | None = None
    value_before: Decimal | None = None
    """Position value of the last state file, for the words at start."""
    state: StateKeeper | None = None
    """What saves the final state."""
    mailbox: Mailbox | None = None
    """Where requests come in while the bot runs."""
    identity: RunIdentity | None = None
    """Whose money it is, for the words at start."""
    notifications: NotificationSource | None = None
    """What the venue tells by itself; None = the guard polls, as ``options`` say."""


class Bot(Struct, frozen=True, kw_only=True):
    """A bot ready to run, and its parts for one-shot commands."""

    runner: Runner
    startup: Startup
    cycle: Cycle
    service: Service
    guard: Guard
    journal: Journal
    tools: Tools
    stop: StopSignal


def build_bot(parts: BotParts) -> Bot:
    """Wire a bot; call it inside the event loop it will run on."""
    stop = StopSignal()
    tools = _tools(parts, stop)
    startup = Startup(
        tools,
        dry_run=parts.dry_run,
        imported=parts.imported,
        value_before=parts.value_before,
        identity=parts.identity,
    )
    cycle = Cycle(tools)
    service = Service(tools, cycle, parts.mailbox)
    if service.reachable:
        tools.executor.heed(service, parts.options.mail_seconds)
    guard = Guard(
        clock=parts.clock,
        journal=tools.journal,
        venue=parts.venue,
        seen=cycle.last_account,
        nudge=stop.nudge,
        source=parts.notifications,
        poll_seconds=parts.options.poll_seconds,
    )
    runner = Runner(
        clock=parts.clock,
        journal=tools.journal,
        startup=startup,
        cycle=cycle,
        service=service,
        guard=guard,
        stop=stop,
        options=parts.options,
        state=parts.state,
    )
    return Bot(
        runner=runner,
        startup=startup,
        cycle=cycle,
        service=service,
        guard=guard,
        journal=tools.journal,
        tools=tools,
        stop=stop,
    )


def _tools(parts: BotParts, stop: StopSignal) -> Tools:
    venue, clock, parameters = parts.venue, parts.clock, parts.parameters
    policy = parts.policy or load_policy(parameters.policy, parameters)
    journal = Journal(parts.store, parts.observers)
    ids = IdSource(clock, parts.randomness)
    bookkeeper = Bookkeeper(venue=venue, journal=journal, clock=clock)
    executor = Executor(
        venue=venue,
        journal=journal,
        clock=clock,
        bookkeeper=bookkeeper,
        ids=ids,
        parameters=parameters,
        stopping=stop,
    )
    reconciler = Reconciler(venue=venue, clock=clock, journal=journal, policy=policy, ids=ids, executor=executor)
    return Tools(
        venue=venue,
        clock=clock,
        journal=journal,
        policy=policy,
        executor=executor,
        bookkeeper=bookkeeper,
        reconciler=reconciler,
    )
