"""Start: load the log, resume what was in flight, reconcile, adopt what is found."""

from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine.accounting.equity import equity_of
from hedgerow.engine.cycle import Tools
from hedgerow.engine.notices import EquityRead, ReadFailed, Reconciled, ReconcileStarted, Started
from hedgerow.engine.observation import observe_settled
from hedgerow.strategy.decisions.verdicts import Consistent, Nothing, Verdict
from hedgerow.strategy.observation import Observation

__all__ = ["Startup"]


class Startup:
    """What happens once, before the first cycle."""

    def __init__(
        self,
        tools: Tools,
        *,
        dry_run: bool,
        imported: ev.StateImported | None = None,
        value_before: Decimal | None = None,
        identity: RunIdentity | None = None,
    ) -> None:
        self._tools = tools
        self._dry_run = dry_run
        self._imported = imported
        self._value_before = value_before
        self.account_read = False
        """Whether the account could be read."""
        self._identity = identity

    async def run(self) -> None:
        """Get ready; a venue that does not answer is no reason to stop, the cycles will try again.

        Raises:
            StoreError: the log is corrupt or newer than this version.
        """
        tools, journal = self._tools, self._tools.journal
        ledger = await journal.open()
        if self._imported is not None and ledger.events == 0:
            ledger = await journal.record(self._imported)
        journal.say(
            Started(
                at=tools.clock.now(),
                parameters=tools.policy.parameters,
                dry_run=self._dry_run,
                venue=tools.venue.name,
                ledger=ledger,
                identity=self._identity,
            )
        )
        tracked = ledger.hedge.symbol if ledger.hedge else ledger.imported.symbol
        journal.say(ReconcileStarted(at=tools.clock.now(), tracked=tracked))
        await tools.executor.resume()
        await tools.executor.settle_transfer()
        await self._reconcile()

    async def _reconcile(self) -> None:
        tools, journal = self._tools, self._tools.journal
        periods = tools.policy.parameters.funding_rate_strategy.funding_ma_periods
        read = await observe_settled(tools.venue, tools.clock, periods, journal.ledger)
        observation = await tools.reconciler.examined(read)
        self.account_read = observation.account is not None
        if observation.account is None or observation.account.doubts:
            journal.say(ReadFailed(at=observation.at, missing=observation.missing))
        if observation.account is None or journal.ledger.execution is not None:
            return
        if not observation.account.doubts:
            await tools.bookkeeper.open_books(observation.account)
        before = journal.ledger.hedge
        verdict = await tools.reconciler.settle(observation, at_start=True)
        if isinstance(verdict, Consistent | Nothing):
            await tools.bookkeeper.book_fees()
            await tools.bookkeeper.book_funding(force=True)
            self._say(verdict, observation, before)
        equity = equity_of(journal.ledger, observation.account, observation.market)
        if equity is not None:
            journal.say(EquityRead(at=tools.clock.now(), equity=equity))

    def _say(self, verdict: Verdict, observation: Observation, before: HedgedPosition | None) -> None:
        journal = self._tools.journal
        journal.say(
            Reconciled(
                at=observation.at,
                verdict=verdict,
                at_start=True,
                hedge_before=before,
                funding_before=before.funding_received if before else ZERO,
                value_before=self._value_before or (before.entry_notional if before else None),
                hedge=journal.ledger.hedge,
                value=verdict.position_value if isinstance(verdict, Consistent) else None,
            )
        )
