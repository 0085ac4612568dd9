"""Start: load the log, resume what was in flight, reconcile, adopt what is found."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec import Struct, field

from hedgerow.domain import events as ev
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine.accounting.awaited_funding import settled_rates
from hedgerow.engine.accounting.bookkeeping import Bookkeeper
from hedgerow.engine.accounting.equity import equity_of
from hedgerow.engine.execution.executor import Executor
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import EquityRead, ReadFailed, Reconciled, ReconcileStarted, Started
from hedgerow.engine.observation_reader import ObservationReader
from hedgerow.engine.reconciliation import Reconciler
from hedgerow.ports import Clock
from hedgerow.strategy.decisions.reconcile import value_of
from hedgerow.strategy.decisions.verdicts import Consistent, Nothing, Verdict
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.settings_changes import changes_since

__all__ = ["SettingsAtStart", "SettingsFound", "StartContext", "Startup"]


class SettingsFound(Struct, frozen=True, kw_only=True):
    """Settings by full name, spelled as in the file."""

    now: Mapping[str, str]
    """Those that the bot starts with."""
    before: Mapping[str, str]
    """Those that the run before had published; empty = not known."""


class SettingsAtStart:
    """What a person changed in the file while no bot ran is an event too."""

    def __init__(
        self, *, clock: Clock, journal: Journal, found: SettingsFound, asked: Callable[[], frozenset[str]]
    ) -> None:
        """``asked`` returns the settings that are logged with a request which an earlier process did not answer."""
        self._clock = clock
        self._journal = journal
        self._found = found
        self._asked = asked

    async def log(self) -> None:
        """Log the difference once: what is logged counts as known from then on. Nothing where the log is new.

        Raises:
            StoreError: the log cannot be written.
        """
        ledger = self._journal.ledger
        if ledger.events == 0:
            return
        found = changes_since(self._found.before, ledger.settings, self._found.now)
        asked = self._asked() if found else frozenset[str]()
        changes = tuple(each for each in found if each.name not in asked)
        if changes:
            await self._journal.record(ev.SettingsChanged(at=self._clock.now(), user="", changes=changes))


class StartContext(Struct, frozen=True, kw_only=True):
    """What is known before the log is read: which bot it is, and what the guide's state file says."""

    parameters: StrategyParameters
    venue: str
    """Display name of the exchange."""
    dry_run: bool = False
    identity: RunIdentity | None = None
    """Whose money it is."""
    imported: ev.StateImported | None = None
    values_before: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Position values of the state file by symbol, quote units."""


class Startup:
    """What happens once, before the first cycle."""

    def __init__(  # noqa: PLR0913 - keyword-only, and each is one thing it needs
        self,
        *,
        clock: Clock,
        journal: Journal,
        reader: ObservationReader,
        executor: Executor,
        bookkeeper: Bookkeeper,
        reconciler: Reconciler,
        context: StartContext,
        settings: SettingsAtStart | None = None,
    ) -> None:
        """``settings`` logs what they differ in from the run before; None = no bot stays, nothing is compared."""
        self._clock = clock
        self._journal = journal
        self._reader = reader
        self._executor = executor
        self._bookkeeper = bookkeeper
        self._reconciler = reconciler
        self._context = context
        self._settings = settings
        self.account_read = False
        """Whether the account could be read."""

    async def run(self) -> None:
        """Get ready; a venue that does not answer is no reason to stop, the cycles will try again.

        Raises:
            StoreError: the log is corrupt or newer than this version.
        """
        context, journal = self._context, self._journal
        ledger = await journal.open()
        if self._settings is not None:
            # Before anything is published: a run that ends here leaves the next one the same difference.
            await self._settings.log()
            ledger = journal.ledger
        if context.imported is not None and ledger.events == 0:
            ledger = await journal.record(context.imported)
        journal.say(
            Started(
                at=self._clock.now(),
                parameters=context.parameters,
                dry_run=context.dry_run,
                venue=context.venue,
                ledger=ledger,
                identity=context.identity,
            )
        )
        tracked = ", ".join(hedge.symbol for hedge in ledger.open_hedges) or ledger.imported.symbol
        journal.say(ReconcileStarted(at=self._clock.now(), tracked=tracked))
        await self._executor.resume()
        await self._executor.settle_transfer()
        await self._reconcile()

    async def _reconcile(self) -> None:
        journal = self._journal
        observation = await self._reader.read_settled()
        self.account_read = observation.account is not None
        if observation.account is None or observation.account.doubts:
            journal.say(ReadFailed(at=observation.at, missing=observation.missing))
        if observation.account is None or journal.ledger.shown_job is not None:
            return
        if not observation.account.doubts:
            await self._bookkeeper.open_books(observation.account)
        before = {hedge.symbol: hedge for hedge in journal.ledger.open_hedges}
        verdicts = await self._reconciler.settle(observation, at_start=True)
        quiet = [verdict for verdict in verdicts if isinstance(verdict, Consistent | Nothing)]
        if quiet:
            await self._bookkeeper.book_fees()
            rates = settled_rates(observation.market, journal.ledger.open_hedges)
            await self._bookkeeper.book_funding(settled=rates, account=observation.account, force=True)
        for verdict in quiet:
            self._say(verdict, observation, before.get(verdict.symbol) if isinstance(verdict, Consistent) else None)
        equity = equity_of(journal.ledger, observation.account, observation.market)
        if equity is not None:
            journal.say(EquityRead(at=self._clock.now(), equity=equity))

    def _value_before(self, verdict: Verdict, before: HedgedPosition | None) -> Decimal | None:
        """Return what one leg was worth when it was last seen: by the state file, else at its entry."""
        seen = self._context.values_before.get(verdict.symbol) if isinstance(verdict, Consistent) else None
        return seen or (before.entry_notional if before else None)

    def _say(self, verdict: Verdict, observation: Observation, before: HedgedPosition | None) -> None:
        journal = self._journal
        journal.say(
            Reconciled(
                at=observation.at,
                verdict=verdict,
                at_start=True,
                hedge_before=before,
                funding_before=before.funding_received if before else ZERO,
                value_before=self._value_before(verdict, before),
                hedge=journal.ledger.open_hedge(before.hedge_id) if before else journal.ledger.largest,
                value=value_of(verdict, observation.account, observation.market)
                if isinstance(verdict, Consistent)
                else None,
            )
        )
