"""The wiring of one bot: engine, policy, event log and venue, each part composed once."""

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.events import StateImported
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine.accounting.bookkeeping import Bookkeeper
from hedgerow.engine.accounting.external_trades import ExternalTrades
from hedgerow.engine.cycle import Cycle
from hedgerow.engine.execution.executor import Executor
from hedgerow.engine.execution.order_resolution import AccountEvidence
from hedgerow.engine.guard import Guard
from hedgerow.engine.ids import IdSource
from hedgerow.engine.in_force import PolicyInForce, SettingsKeeper
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import Observer
from hedgerow.engine.observation_reader import ObservationReader
from hedgerow.engine.operator import Service
from hedgerow.engine.questions import Questions
from hedgerow.engine.reconciliation import Reconciler
from hedgerow.engine.runner import Runner, RunOptions, StopSignal
from hedgerow.engine.startup import SettingsAtStart, SettingsFound, StartContext, Startup
from hedgerow.ports import Clock, Mailbox, NotificationSource, StateKeeper, Store, Venue
from hedgerow.strategy.policy import Policy

__all__ = ["Bot", "build_bot"]


class Bot(Struct, frozen=True, kw_only=True):
    """A bot ready to run, and the parts of it that one-shot commands use."""

    runner: Runner
    startup: Startup
    cycle: Cycle
    service: Service
    guard: Guard
    journal: Journal
    stop: StopSignal


def build_bot(  # noqa: PLR0913 - the composition root names every part of a bot
    *,
    venue: Venue,
    store: Store,
    clock: Clock,
    policy: Policy,
    randomness: random.Random,
    options: RunOptions = RunOptions(),  # noqa: B008 - immutable
    observers: Sequence[Observer] = (),
    notifications: NotificationSource | None = None,
    mailbox: Mailbox | None = None,
    state: StateKeeper | None = None,
    settings: SettingsKeeper | None = None,
    settings_found: SettingsFound | None = None,
    dry_run: bool = False,
    identity: RunIdentity | None = None,
    imported: StateImported | None = None,
    values_before: Mapping[str, Decimal] | None = None,
) -> Bot:
    """Wire a bot; call it inside the event loop it will run on.

    ``randomness`` is for ids only; a seed makes a run repeatable. ``notifications`` is what the venue reports by
    itself (None = the guard polls, as ``options`` say), ``mailbox`` where requests come in while the bot runs,
    ``state`` what saves the final state, ``settings`` the configuration file that a person may change from a screen,
    ``settings_found`` those of the run before. ``identity``, ``imported`` and ``values_before`` (the position
    values of the last state file by symbol, in USDT) are reported at the start.
    """
    in_force, stop = PolicyInForce(policy), StopSignal()
    journal, ids = Journal(store, observers), IdSource(clock, randomness, venue.rules)
    external_trades = ExternalTrades(venue=venue, clock=clock, journal=journal)
    reader = ObservationReader(
        venue=venue,
        clock=clock,
        journal=journal,
        evidence=AccountEvidence(venue=venue, clock=clock, journal=journal, external_trades=external_trades),
        in_force=in_force,
    )
    bookkeeper = Bookkeeper(venue=venue, journal=journal, clock=clock)
    executor = Executor(
        venue=venue,
        journal=journal,
        clock=clock,
        bookkeeper=bookkeeper,
        ids=ids,
        in_force=in_force,
        stopping=stop,
    )
    reconciler = Reconciler(
        venue=venue,
        clock=clock,
        journal=journal,
        in_force=in_force,
        ids=ids,
        executor=executor,
        reader=reader,
        external_trades=external_trades,
    )
    cycle = Cycle(
        venue=venue,
        clock=clock,
        journal=journal,
        in_force=in_force,
        reader=reader,
        executor=executor,
        bookkeeper=bookkeeper,
        reconciler=reconciler,
    )
    executor.attend(cycle)
    service = Service(
        clock=clock,
        journal=journal,
        reader=reader,
        reconciler=reconciler,
        cycle=cycle,
        questions=Questions(venue=venue, journal=journal, reader=reader, in_force=in_force, settings=settings),
        in_force=in_force,
        settings=settings,
        mailbox=mailbox,
    )
    if mailbox is not None:
        executor.answer_requests(service, options.mail_seconds)
    startup = Startup(
        clock=clock,
        journal=journal,
        reader=reader,
        executor=executor,
        bookkeeper=bookkeeper,
        reconciler=reconciler,
        context=StartContext(
            parameters=policy.parameters,
            venue=venue.name,
            dry_run=dry_run,
            identity=identity,
            imported=imported,
            values_before=values_before or {},
        ),
        settings=None
        if settings_found is None
        else SettingsAtStart(clock=clock, journal=journal, found=settings_found, asked=service.settings_asked),
    )
    guard = Guard(
        clock=clock,
        journal=journal,
        venue=venue,
        seen=cycle.last_account,
        nudge=stop.nudge,
        source=notifications,
        poll_seconds=options.poll_seconds,
    )
    runner = Runner(
        clock=clock,
        journal=journal,
        startup=startup,
        cycle=cycle,
        service=service,
        guard=guard,
        in_force=in_force,
        stop=stop,
        options=options,
        state=state,
    )
    return Bot(runner=runner, startup=startup, cycle=cycle, service=service, guard=guard, journal=journal, stop=stop)
