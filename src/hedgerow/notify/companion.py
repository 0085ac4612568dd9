"""The companion: reads a bot's log, looks at the bot from outside, and sends what follows; it never touches the bot."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.view import View
from hedgerow.domain.errors import HedgerowError, StoreError
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.notify.alerts import Alert
from hedgerow.notify.delivery import Courier, Target
from hedgerow.notify.state import NotifyState, Rules, admitted, consumed, flushed, retargeted
from hedgerow.notify.watch import watched
from hedgerow.ports import Clock

__all__ = ["BotSource", "Companion", "Keeper", "LogPart"]

LOOK_SECONDS: Final = 2.0
AT_ONCE: Final = 2_000
"""Events that are read in one go: a companion that was off for weeks does not hold them all."""


class LogPart(Struct, frozen=True, kw_only=True):
    """Events of a log after a number."""

    began_at: datetime | None
    """Time of the first event of the log; None = it is empty."""
    count: int
    """How many events the log holds."""
    events: tuple[Event, ...]
    """The first of those that were asked for."""


class BotSource(Protocol):
    """One bot as it is seen from outside; nothing of it is written."""

    async def read(self, after: int, limit: int) -> LogPart:
        """Return at most ``limit`` events after number ``after``.

        Raises:
            StoreError: the log cannot be read.
        """
        ...

    async def ledger_at(self, seq: int) -> Ledger:
        """Return the fold of the first ``seq`` events.

        Raises:
            StoreError: the log cannot be read.
        """
        ...

    async def look(self) -> View:
        """Return what is seen of the bot now.

        Raises:
            StoreError: the log cannot be read.
        """
        ...


class Keeper(Protocol):
    """Keeps the state on disk."""

    def load(self) -> NotifyState | None:
        """Return what was kept; None at the first start.

        Raises:
            StoreError: it cannot be read.
        """
        ...

    def save(self, state: NotifyState) -> None:
        """Replace it; it survives a power cut once this returns.

        Raises:
            StoreError: it cannot be written.
        """
        ...


class Companion:
    """Alerts of one bot."""

    def __init__(  # noqa: PLR0913 - one parameter per part
        self,
        *,
        source: BotSource,
        keeper: Keeper,
        targets: Sequence[Target],
        rules: Rules,
        clock: Clock,
        log: Callable[[str], None],
        who: str = "",
    ) -> None:
        """``clock`` is real time; ``who`` names the bot in each text.

        Raises:
            StoreError: the state of an earlier process cannot be read.
        """
        self._source = source
        self._keeper = keeper
        self._targets = tuple(targets)
        self._names = tuple(target.name for target in targets)
        self._rules = rules
        self._clock = clock
        self._log = log
        self._who = who
        self._state = retargeted(keeper.load() or NotifyState(), self._names)
        self._ledger: Ledger | None = None
        """The fold of what was read; None = not folded yet."""
        self._failed = ""

    @property
    def state(self) -> NotifyState:
        """The state now, which is on disk."""
        return self._state

    def change(self, change: Callable[[NotifyState], NotifyState]) -> None:
        """Replace the state, on disk before this returns; one that cannot be written is reported and kept in memory."""
        changed = change(self._state)
        if changed == self._state:
            return
        self._state = changed
        try:
            self._keeper.save(changed)
        except StoreError as error:
            self._report(f"{error}; an alert may be sent again after a restart")

    async def run(self, *others: Callable[[], Awaitable[None]]) -> None:
        """Look and send until cancelled; ``others`` run beside it."""
        couriers = [Courier(target, self, self._clock, self._log, who=self._who) for target in self._targets]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_for_ever())
            for courier in couriers:
                tasks.create_task(courier.run())
            for other in others:
                tasks.create_task(_awaited(other))

    async def _look_for_ever(self) -> None:
        while True:
            more = await self.look_once()
            await self._clock.sleep(0.0 if more else LOOK_SECONDS)

    async def look_once(self) -> bool:
        """Read what is new and look at the bot; return whether the log holds more. What fails is tried again."""
        try:
            more = await self._read_log()
            if not more:
                await self._look_at_bot()
        except HedgerowError as error:
            self._report(str(error))
            return False
        self._failed = ""
        return more

    async def _read_log(self) -> bool:
        after = self._state.seq
        part = await self._source.read(after or 0, AT_ONCE)
        if after is None or part.began_at != self._state.log_from or part.count < after:
            return await self._begin(part)
        if not part.events:
            return False
        if self._ledger is None or self._ledger.events != after:
            self._ledger = await self._source.ledger_at(after)
        state, ledger, alerts = self._state, self._ledger, list[Alert]()
        for event in part.events:
            following = apply(ledger, event)
            try:
                state, found = consumed(state, event, ledger, following, self._rules)
            except Exception as error:  # noqa: BLE001 - one alert less; without this, none at all after it
                self._log(f"No alert could be made of event {following.events}: {error!r}")
                state, found = replace(state, seq=following.events), ()
            alerts += found
            ledger = following
        now = self._clock.now()
        self._ledger = ledger
        self.change(lambda _: admitted(state, alerts, self._names, self._rules, now))
        return ledger.events < part.count

    async def _begin(self, part: LogPart) -> bool:
        """Begin with a log: the first one at its end, a new one at its beginning, a restored one at its end."""
        state = self._state
        another = state.seq is not None and part.began_at != state.log_from and state.log_from is not None
        if state.seq is not None and not another and state.log_from is not None:
            self._log(f"The log of the bot is shorter than before: it was restored; going on from event {part.count}")
        # An empty log at the first start: everything that comes is new.
        seq = 0 if another or (state.log_from is None and state.seq == 0) else part.count
        self._ledger = None
        self.change(lambda known: replace(known, log_from=part.began_at, seq=seq))
        return seq < part.count

    async def _look_at_bot(self) -> None:
        view = await self._source.look()
        now = self._clock.now()
        watch, alerts = watched(self._state.watch, view)

        def seen(state: NotifyState) -> NotifyState:
            state = admitted(replace(state, watch=watch), alerts, self._names, self._rules, now)
            return flushed(state, view.times.now, self._names, self._rules, now)

        self.change(seen)

    def _report(self, text: str) -> None:
        """Log what keeps alerts from being made, once."""
        if text != self._failed:
            self._failed = text
            self._log(text)


async def _awaited(other: Callable[[], Awaitable[None]]) -> None:
    await other()
