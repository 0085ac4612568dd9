"""Bots of one home, one after the other, that are asked to change a setting and may die at any point of it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from hedgerow.app.storage.configuration import ConfigKeeper
from hedgerow.config import Settings, load_settings
from hedgerow.config.table import settings_in_words
from hedgerow.domain.operator_requests import Answer, Claim, OperatorRequest, SettingsRequested
from hedgerow.engine.in_force import NewSettings
from hedgerow.engine.notices import SettingsInForce
from hedgerow.engine.startup import SettingsFound
from hedgerow.ports import Mailbox, Store
from hedgerow.simulation.faults.crashes import CrashingStore, CrashPoint
from hedgerow.strategy.policy import Policy
from support.bot_harness import BotHarness
from support.mail import asked

__all__ = ["AGE", "CHANGE_LOGGED", "NEW", "OLD", "POINTS", "WRITTEN", "BotsOfOneHome"]

AGE = "position_management.max_position_age_hours"
OLD = '{"position_management": {"max_position_age_hours": 24.0}, "_why": "mine"}'
NEW = OLD.replace("24.0", "12")
POINTS = (
    "before claim",
    "after claim",
    "before write",
    "after write",
    "before append SettingsChanged",
    "after append SettingsChanged",
    "before append RequestHandled",
    "after append RequestHandled",
    "before answer",
    "after answer",
)
"""Every point of a change at which a bot may die, in their order."""
WRITTEN, CHANGE_LOGGED = POINTS.index("after write"), POINTS.index("after append SettingsChanged")
ASKED = "asked"


class _NamedPoint(CrashPoint):
    """Crashes at the point of that name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def pass_point(self, what: str) -> None:
        if what == self._name:
            self.fail_after(0)
        super().pass_point(what)


class _CrashingMailbox:
    """A mailbox whose process may die around a claim and around an answer."""

    def __init__(self, inner: Mailbox, crash_point: CrashPoint) -> None:
        self._inner = inner
        self._crash_point = crash_point

    def take(self) -> tuple[OperatorRequest, ...]:
        return self._inner.take()

    def abandoned(self) -> tuple[OperatorRequest, ...]:
        return self._inner.abandoned()

    def claim(self, request_id: str) -> Claim:
        self._crash_point.pass_point("before claim")
        claim = self._inner.claim(request_id)
        self._crash_point.pass_point("after claim")
        return claim

    def answer(self, request_id: str, answer: Answer) -> None:
        self._crash_point.pass_point("before answer")
        self._inner.answer(request_id, answer)
        self._crash_point.pass_point("after answer")


class _CrashingKeeper(ConfigKeeper):
    """A configuration file whose process may die around a write."""

    def __init__(self, path: Path, settings: Settings, crash_point: CrashPoint) -> None:
        super().__init__(path, settings)
        self._crash_point = crash_point

    def prepared(self, wanted: Mapping[str, str], present: Policy) -> NewSettings:
        new = super().prepared(wanted, present)

        def write() -> None:
            self._crash_point.pass_point("before write")
            new.write()
            self._crash_point.pass_point("after write")

        return replace(new, write=write)


class BotsOfOneHome:
    """The same file, log and requests under one bot after the other; none of them trades."""

    def __init__(
        self, path: Path, opened: Callable[[], tuple[Store, Mailbox]], post: Callable[[OperatorRequest], object]
    ) -> None:
        """``opened`` returns log and requests as each bot opens them; ``post`` leaves a request there."""
        self.path = path
        self.path.write_text(OLD, encoding="utf-8")
        self._opened = opened
        self._post = post
        self.crash_point = CrashPoint()
        self.harness = BotHarness(usdt=0, perp=0, open_store=lambda: self._store)

    @property
    def config(self) -> str:
        """What the file says."""
        return self.path.read_text(encoding="utf-8")

    @property
    def in_force(self) -> str:
        """What the last bot judged by: what it began with, or what it put in force."""
        begun, changed = self.harness.parameters, self.harness.notices_of(SettingsInForce)
        return settings_in_words(changed[-1].policy.parameters if changed else begun)[AGE]

    def live(
        self, crash_at: int | None = None, *, ask: bool = False, settings_before: Mapping[str, str] | None = None
    ) -> None:
        """Run a bot for some checks; it dies at a point counted from the request on.

        ``settings_before`` is what the run before had published; None = nothing is compared.
        """
        self._live(CrashPoint(), crash_at, ask=ask, settings_before=settings_before)

    def live_until(self, point: str) -> None:
        """Run a bot until it dies at the point of that name."""
        self._live(_NamedPoint(point))

    def _live(
        self,
        crash_point: CrashPoint,
        crash_at: int | None = None,
        *,
        ask: bool = False,
        settings_before: Mapping[str, str] | None = None,
    ) -> None:
        self.crash_point = crash_point
        settings = load_settings(self.path, named=True)
        store, mailbox = self._opened()
        self._store = CrashingStore(store, crash_point)

        def request(_: object) -> None:
            if ask:
                self._post(asked("r", SettingsRequested(changes=((AGE, "12"),))))
            crash_point.passed.append(ASKED)
            if crash_at is not None:
                crash_point.fail_after(crash_at)

        now = settings_in_words(settings.parameters)
        found = None if settings_before is None else SettingsFound(now=now, before=settings_before)
        self.harness.parameters = settings.parameters
        self.harness.run(
            0.2,
            at={0.02: request},
            mailbox=_CrashingMailbox(mailbox, crash_point),
            settings=_CrashingKeeper(self.path, settings, crash_point),
            settings_found=found,
        )

    def points_since_asked(self) -> tuple[str, ...]:
        """Return the points that the last bot passed from the request on."""
        passed = self.crash_point.passed
        return tuple(passed[passed.index(ASKED) + 1 :])
