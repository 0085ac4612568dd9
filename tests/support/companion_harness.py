"""A companion under virtual time: a bot that is played step by step, a target that fails, crashes at any point."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.dashboard.view import View
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.notify.companion import Companion, LogPart
from hedgerow.notify.delivery import Attempt, Outcome
from hedgerow.notify.state import NotifyState, Rules
from support.alert_scenarios import Step

__all__ = ["BEGAN", "CompanionHarness", "Killed", "PhoneTarget"]

BEGAN = datetime(2026, 1, 4, 12, tzinfo=UTC)
"""Real time at the start."""


class Killed(BaseException):
    """The process is gone."""


class _Log:
    """What is to be seen of a bot: the companion reads it as it grows."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.view: View | None = None

    async def read(self, after: int, limit: int) -> LogPart:
        began = self.events[0].at if self.events else None
        return LogPart(began_at=began, count=len(self.events), events=tuple(self.events[after : after + limit]))

    async def ledger_at(self, seq: int) -> Ledger:
        return fold(self.events[:seq])

    async def look(self) -> View:
        assert self.view is not None
        return self.view


class _Disk:
    """A file that is replaced as a whole, by what a real one would hold."""

    def __init__(self, crash: Callable[[str], None]) -> None:
        self.content: bytes | None = None
        self._crash = crash

    def load(self) -> NotifyState | None:
        return None if self.content is None else msgspec.json.decode(self.content, type=NotifyState)

    def save(self, state: NotifyState) -> None:
        self._crash("before a save")
        self.content = msgspec.json.encode(state)
        self._crash("after a save")


class PhoneTarget:
    """A phone: keeps what arrives; each attempt ends as it was told to."""

    def __init__(self, name: str = "phone") -> None:
        self.name = name
        self.texts: list[str] = []
        self.outcome: Callable[[int], Outcome] = lambda _number: Outcome.SENT
        """Of the attempt with a number."""
        self.arrives_unknown = True
        """Whether an attempt of unknown outcome arrived."""
        self.attempts = 0
        self.crash: Callable[[str], None] = lambda _where: None

    async def send(self, text: str) -> Attempt:
        await asyncio.sleep(0.1)  # noqa: TID251 - virtual time, that of the loop
        self.crash("before a send")
        self.attempts += 1
        outcome = self.outcome(self.attempts)
        if outcome is Outcome.SENT or (outcome is Outcome.UNKNOWN and self.arrives_unknown):
            self.texts.append(text)
        self.crash("after a send")
        return Attempt(outcome=outcome, detail="as told")


class CompanionHarness:
    """Plays steps to companions that are killed and started again."""

    def __init__(self, phones: Sequence[PhoneTarget] | None = None, rules: Rules | None = None) -> None:
        self.phones = tuple(phones) if phones is not None else (PhoneTarget(),)
        self.rules = rules or Rules()
        self.clock = VirtualClock(BEGAN)
        self.log = _Log()
        self.disk = _Disk(self._act)
        self.said: list[str] = []
        self.acts = 0
        """Places at which a crash is possible, passed so far."""
        self.crash_at: frozenset[int] = frozenset()
        self.crashes: list[str] = []
        for phone in self.phones:
            phone.crash = self._act

    def _act(self, where: str) -> None:
        self.acts += 1
        if self.acts in self.crash_at:
            self.crashes.append(where)
            raise Killed

    @property
    def texts(self) -> list[str]:
        """What arrived at the first phone."""
        return self.phones[0].texts

    @property
    def state(self) -> NotifyState:
        """What is on disk."""
        return self.disk.load() or NotifyState()

    def companion(self) -> Companion:
        """Return a companion of a new process."""
        return Companion(
            source=self.log,
            keeper=self.disk,
            targets=self.phones,
            rules=self.rules,
            clock=self.clock,
            log=self.said.append,
        )

    def begin(self) -> None:
        """Let a companion see the log while it is empty, as one that is started before the bot."""

        async def first() -> None:
            await self.companion()._read_log()

        run_virtual(self.clock, first())

    def play(self, steps: Sequence[Step], *, seconds: float = 5.0, rest: float = 600.0) -> None:
        """Show the steps one after the other to companions that live until they are killed."""
        remaining = list(steps)
        while True:
            try:
                run_virtual(self.clock, self._script(remaining, seconds, rest))
            except BaseExceptionGroup as group:
                if group.subgroup(Killed) is None:
                    raise
                continue
            except Killed:
                continue
            return

    async def _script(self, remaining: list[Step], seconds: float, rest: float) -> None:
        running = asyncio.ensure_future(self.companion().run())
        try:
            if self.log.view is not None:
                await asyncio.wait({running}, timeout=seconds)
            while remaining and not running.done():
                step = remaining.pop(0)
                if step.event is not None:
                    self.log.events.append(step.event)
                else:
                    self.log.view = step.view
                    await asyncio.wait({running}, timeout=seconds)
            await asyncio.wait({running}, timeout=rest)
        finally:
            running.cancel()
            await asyncio.wait({running})
        if not running.cancelled():
            running.result()
