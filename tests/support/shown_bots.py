"""Views of a bot in every state, taken from one played run, and bots that a dashboard is given."""

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.app.commands.demo import DemoPlan, demo_market_data, play_demo
from hedgerow.app.identity import identity_of
from hedgerow.config import Home, HomeMode
from hedgerow.config.loading import preset_settings
from hedgerow.config.presets import PresetName
from hedgerow.config.table import settings_in_words
from hedgerow.dashboard import view as view_module
from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, bot_state
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.dashboard.status_lines import BotView
from hedgerow.dashboard.view import DayMark, MarkKind, Series, View, Worth, view_of_bot
from hedgerow.domain.events import HaltReason, SettingChange
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.domain.operator_requests import HedgeSeen, Request
from hedgerow.engine.notices import CycleEnded, Notice, Recorded
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.strategy.policies import load_policy
from hedgerow.web.sources import Asked, AskOutcome, Curve, CurveMark, CurvePoint, SettingShown, SettingsPreview

__all__ = ["STATES", "ShownBot", "curve_of", "several", "view_in"]

PID = 4711
LEAST_OPEN = 20
"""Dollars that are open in a trade that is shown."""
DAYS = 0.5


class _Seen(Struct, frozen=True, kw_only=True):
    """A bot at one time."""

    at: datetime
    ledger: Ledger
    outlook: Outlook


class _Camera:
    """Keeps what a view is made of at times that tests ask for."""

    def __init__(self, builder: OutlookBuilder) -> None:
        self._builder = builder
        self.ledger = Ledger()
        self.opening: _Seen | None = None
        self.closing: _Seen | None = None
        self.hedged: _Seen | None = None

    def on_notice(self, notice: Notice) -> None:
        self._builder.on_notice(notice, notice.at if not isinstance(notice, Recorded) else notice.event.at)
        outlook = self._builder.latest
        if outlook is None:
            return
        if isinstance(notice, Recorded):
            self.ledger = notice.after
            self._in_flight(notice.event.at, outlook)
        elif isinstance(notice, CycleEnded) and outlook.held is not None and self.ledger.shown_job is None:
            self.hedged = _Seen(at=outlook.at, ledger=self.ledger, outlook=outlook)

    def _in_flight(self, at: datetime, outlook: Outlook) -> None:
        job = self.ledger.shown_job
        hedge = None if job is None else self.ledger.hedges.get(job.hedge_id)
        if job is None or job.naked_since is None or hedge is None or job.state is ExecutionState.RESOLVING:
            return
        if abs(hedge.spot_quantity - hedge.short) * (hedge.entry_price or job.spot_arrival or 0) < LEAST_OPEN:
            return
        seen = _Seen(at=at, ledger=self.ledger, outlook=outlook)
        if job.kind is ExecutionKind.OPEN:
            self.opening = seen
        elif job.kind is ExecutionKind.CLOSE:
            self.closing = seen


@cache
def _played() -> _Camera:
    """Return what was seen of a run, played in a thread: Playwright runs an event loop in that of the tests."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_play).result()


def _play() -> _Camera:
    with tempfile.TemporaryDirectory(prefix="hedgerow-shown-") as folder:
        settings = preset_settings(PresetName.GUIDE)
        home = Home(folder=Path(folder) / "ridge-1", mode=HomeMode.DEMO)
        home.prepare()
        policy = load_policy(settings.parameters.policy, settings.parameters)
        identity = replace(identity_of(home, settings), account="0x7E5F...5Bdf")
        camera = _Camera(OutlookBuilder(policy, identity, settings=settings_in_words(settings.parameters)))
        market = demo_market_data(None, seed=1, pairs=12, start=datetime(2025, 1, 1, tzinfo=UTC), days=DAYS)
        play_demo(DemoPlan(market_data=market, days=DAYS, home=home, identity=identity), (camera,))
    return camera


STATES = tuple(BotState)


@cache
def view_in(state: BotState) -> View:  # noqa: C901, PLR0911, PLR0912 - one case per state
    """Return the view of a bot in a state."""
    camera = _played()
    assert camera.hedged is not None
    assert camera.opening is not None
    assert camera.closing is not None
    hedged, calm = camera.hedged, timedelta(seconds=4)
    running = Process(state=ProcessState.RUNNING, pid=PID, last_beat=hedged.at)
    halt = StandingHalt(
        since=hedged.at - timedelta(hours=6, minutes=32),
        reason=HaltReason.DAILY_LOSS,
        detail="lost $61.20 of $50.00 since 00:00 UTC",
    )
    empty = _without_hedges(hedged.ledger)
    flat = replace(hedged.outlook, held=None, others=(), strategy=None, reason="no pair passes: nearest is BTCUSDT")
    match state:
        case BotState.STARTING:
            fresh = replace(hedged.outlook, checked_at=None, read_at=None, held=None, others=(), pairs=())
            return _view(replace(hedged, outlook=fresh, ledger=empty), running, calm)
        case BotState.FLAT:
            return _view(replace(hedged, ledger=empty, outlook=flat), running, calm)
        case BotState.HEDGED:
            return _view(hedged, running, calm)
        case BotState.HALTED_FLAT:
            return _view(replace(hedged, ledger=replace(empty, halt=halt), outlook=flat), running, calm)
        case BotState.HALTED_HEDGED:
            return _view(replace(hedged, ledger=replace(hedged.ledger, halt=halt)), running, calm)
        case BotState.OPENING:
            return _view(camera.opening, running, timedelta(seconds=0.6))
        case BotState.CLOSING:
            return _view(camera.closing, running, timedelta(seconds=0.6))
        case BotState.REPAIRING:
            return _view(_job_in(camera.opening, ExecutionState.REPAIRING), running, timedelta(seconds=3))
        case BotState.NAKED:
            return _view(_job_in(camera.opening, ExecutionState.NAKED), running, timedelta(seconds=44))
        case BotState.BLIND:
            since = hedged.outlook.read_at
            blind = replace(hedged.outlook, blind_since=since, failure="VenueError: no answer within 10 s")
            return _view(replace(hedged, outlook=blind), running, timedelta(minutes=4, seconds=15))
        case BotState.STOPPED:
            stopped = replace(hedged.outlook, stopped_at=hedged.at, next_check_at=None)
            return _view(replace(hedged, outlook=stopped), Process(state=ProcessState.STOPPED), timedelta(minutes=20))
        case BotState.DOWN:
            gone = Process(state=ProcessState.GONE, pid=PID, last_beat=hedged.at)
            return _view(hedged, gone, timedelta(minutes=3))


def _without_hedges(ledger: Ledger) -> Ledger:
    return replace(ledger, hedges={}, execution=None, suspended={})


def _job_in(seen: _Seen, state: ExecutionState) -> _Seen:
    job = seen.ledger.shown_job
    assert job is not None
    return replace(seen, ledger=replace(seen.ledger, execution=replace(job, state=state)))


def _view(seen: _Seen, process: Process, later: timedelta) -> View:
    now = seen.at + later
    outlook = replace(seen.outlook, pid=PID)
    if process.state is ProcessState.RUNNING:
        process = replace(process, last_beat=now)
    report = bot_state(seen.ledger, process, outlook, now)
    bot = BotView(ledger=seen.ledger, process=process, outlook=outlook, report=report, now=now)
    return view_of_bot(bot, _series(now, outlook))


def _series(now: datetime, outlook: Outlook) -> Series:
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=24)
    kinds = [MarkKind.HEDGED] * 96
    kinds[7] = kinds[31] = kinds[44] = MarkKind.TRADING
    kinds[40:44] = [MarkKind.FLAT] * 4
    kinds[60], kinds[70] = MarkKind.NOT_SEEN, MarkKind.HALTED
    marks = tuple(DayMark(at=first + index * timedelta(minutes=15), kind=kind) for index, kind in enumerate(kinds))
    shares = {kind.value: kinds.count(kind) / 96 for kind in MarkKind if kind in kinds}
    worth = Worth(
        since=now - timedelta(days=50),
        until=now,
        capital=Decimal("19950.25"),
        bot=Decimal("666.95"),
        same_pair="ETHUSDT",
        same_pair_held=Decimal("541.20"),
        btc_held=Decimal("402.77"),
        cash=Decimal("-3.50"),
        cash_rate=0.04,
        hindsight=None,
    )
    return Series(day=marks, shares=shares, worth=worth, decisions=outlook.decisions)


def several(number: int = 3) -> View:
    """Return the view of a bot that holds several hedges."""
    view = view_in(BotState.HEDGED)
    first = view.hedges[0]
    names = ("SOLUSDT", "BTCUSDT", "ETHUSDT", "LTCUSDT")[: number - 1]
    more = tuple(replace(first, hedge_id=f"h-{name}", symbol=name, base=name.removesuffix("USDT")) for name in names)
    hedges = (first, *more)
    report = replace(view.report, title=f"Hedged on {', '.join(each.symbol for each in hedges)}")
    return replace(view, hedges=hedges, together=view_module._together(hedges), report=report)


def curve_of(view: View, days: int = 50) -> Curve:
    """Return a curve that looks like one."""
    points = []
    for index in range(days * 8):
        at = view.times.now - timedelta(hours=3 * (days * 8 - index))
        funding, fees = Decimal(index) * Decimal("1.9"), Decimal(-7) * (1 + index // 90)
        basis = Decimal((index * 37) % 11 - 5)
        points.append(CurvePoint(at=at, net=funding + fees + basis, funding=funding, fees=fees, basis=basis))
    marks = tuple(
        CurveMark(at=points[index].at, kind="opened", text="opened SENTISUSDT") for index in range(0, len(points), 90)
    )
    return Curve(points=tuple(points), marks=marks)


class ShownBot:
    """A bot whose view a test sets; what is asked of it is kept."""

    def __init__(self, view: View, slug: str = "ridge-1") -> None:
        self.slug = slug
        self.view = view
        self.asked: list[tuple[Request, HedgeSeen | None]] = []
        self.written: list[dict[str, str]] = []
        self.reads = 0
        self.price: ClosingPrice | None = None
        """What the bot says of closing."""
        self.unpriced: frozenset[str] = frozenset()
        """Symbols whose books cannot be read when every hedge is priced."""

    def read(self) -> View:
        self.reads += 1
        return self.view

    def curve(self, view: View, since: datetime | None) -> Curve:
        whole = curve_of(view)
        return replace(whole, points=tuple(point for point in whole.points if since is None or point.at >= since))

    def log_lines(self, most: int) -> Sequence[str]:
        lines = (
            "2025-01-03 07:55:00 - INFO - Evaluating position on SENTISUSDT...",
            "2025-01-03 07:55:00 - INFO -   Fees coverage ratio: 1.09x (target: 1.5x)",
            "2025-01-03 07:55:01 - WARNING - The exchange's clock is 1.2 s ahead",
            "2025-01-03 07:55:01 - INFO - Position healthy, continuing to hold...",
        )
        return lines[-most:]

    def settings(self) -> Sequence[SettingShown]:
        return (
            SettingShown(
                name="funding_rate_strategy.min_funding_apr",
                section="funding_rate_strategy",
                meaning="Least APR of a pair that is opened",
                allowed="a number from 0 to 10000",
                unit="percent",
                default="15",
                in_file="20",
                in_force="15",
            ),
            SettingShown(
                name="position_management.same_pair",
                section="position_management",
                meaning="What follows where the held pair is still the best",
                allowed='"roll" or "close"',
                unit="",
                default="close",
                in_file="close",
                in_force="close",
                choices=("roll", "close"),
            ),
        )

    async def preview(self, changes: Mapping[str, str], user: str) -> SettingsPreview:
        del user
        wanted = {name: value for name, value in changes.items() if value not in {"20", "close"}}
        found = tuple(SettingChange(name=name, before="20", after=value) for name, value in wanted.items())
        return SettingsPreview(changes=found, follows=("4 of 12 pairs would reach the entry limit of APR; 6 do now.",))

    async def change_settings(self, changes: Mapping[str, str], user: str) -> Asked:
        del user
        self.written.append(dict(changes))
        return Asked(outcome=AskOutcome.DONE, text="Written to the file, in force at the next check.")

    async def closing_price(self, symbol: str, user: str) -> ClosingPrice | None:
        del user
        hedge = next(each for each in self.view.hedges if each.symbol == symbol)
        return self.price and replace(self.price, hedge_id=hedge.hedge_id, symbol=symbol)

    async def closing_prices(self, user: str) -> Sequence[ClosingPrice]:
        symbols = [each.symbol for each in self.view.hedges if each.symbol not in self.unpriced]
        return [price for symbol in symbols if (price := await self.closing_price(symbol, user))]

    async def ask(self, action: Request, hedge: HedgeSeen | None, user: str) -> Asked:
        del user
        self.asked.append((action, hedge))
        return Asked(outcome=AskOutcome.DONE, text="Closed SENTISUSDT (net -$2.23). Openings are halted.")
