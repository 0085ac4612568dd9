"""How the connection is, as a screen shows it: read by the live client from an exchange over the wire."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from hedgerow.app.bot import build_bot
from hedgerow.app.venues.live import LiveExchange
from hedgerow.aster import AsterClient, Credentials
from hedgerow.aster.endpoints import MAINNET
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.dashboard.bot_state import Process, ProcessState
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder, OutlookRules, ProcessHealth
from hedgerow.dashboard.view import HealthView, ViewState, view_of
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.engine.notices import Notice
from hedgerow.engine.runner import RunOptions
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.wire import AGENT, USER
from support.worlds import START, ScriptedMarketData

ENDS = START + timedelta(days=30)
POLICY = VolumeFarming(StrategyParameters(funding_rate_strategy=FundingRateStrategy(min_funding_apr=9.0)))


class _Sockets(MemoryTransport):
    """A network that can be closed."""

    async def close(self) -> None:
        pass


class _Screen:
    """Builds the outlook as a running bot does, and shows its health."""

    def __init__(self, process: Callable[[], ProcessHealth]) -> None:
        self._builder = OutlookBuilder(POLICY, process=process)

    def on_notice(self, notice: Notice) -> None:
        self._builder.on_notice(notice, START)

    def health(self, at: datetime) -> HealthView:
        outlook: Outlook | None = self._builder.latest
        state = ViewState(rules=OutlookRules(policy=POLICY), outlook=outlook)
        return view_of(state, Process(state=ProcessState.RUNNING), at).health


class _FailingView:
    def on_notice(self, notice: Notice) -> None:
        raise KeyError(type(notice).__name__)


def live_exchange(clock: VirtualClock) -> LiveExchange:
    exchange = Exchange(ScriptedMarketData(), start=START)
    exchange.open_account(USER, spot={"USDT": Decimal(1000)}, perp=Decimal(1000))
    exchange.permit(USER, Agent(signer=AGENT.lower(), expires_at=ENDS))
    sockets = _Sockets(WireVenue(exchange, ExchangeClock(clock, START)), clock, random=Random(1))
    credentials = Credentials(user=USER, signer=AGENT, private_key=f"{1:064x}")
    client = AsterClient(transport=sockets, clock=clock, random=Random(1), credentials=credentials, hosts=MAINNET)
    return LiveExchange(sockets, client, clock, Random(1))


def test_budget_streams_key_and_failed_views_of_a_live_bot_are_on_the_screen() -> None:
    clock = VirtualClock(START)
    live, found = live_exchange(clock), list[HealthView]()
    assert live.health() == ProcessHealth(), "nothing is known before the connection is open"

    async def script() -> None:
        store = MemoryStore()
        async with live.open_connection(store, True):  # noqa: FBT003 - the shape of the port

            def process() -> ProcessHealth:
                return replace(live.health(), listener_failures=dict(bot.journal.listener_failures))

            screen = _Screen(process)
            bot = build_bot(
                venue=live.venue,
                store=store,
                clock=clock,
                policy=POLICY,
                randomness=Random(1),
                options=RunOptions(once=True),
                observers=(screen, _FailingView()),
            )
            await clock.sleep(2)
            await bot.runner.run()
            found.append(screen.health(clock.now()))

    run_virtual(clock, script())
    (health,) = found
    assert health.key_expires_at == ENDS
    assert (health.streams_up, health.streams) == (4, 4)
    assert health.request_budget is not None
    assert 0.9 < health.request_budget < 1.0
    assert health.listener_failures.keys() == {"_FailingView"}


def test_a_stream_that_is_down_is_counted_as_down() -> None:
    clock = VirtualClock(START)
    live, counts = live_exchange(clock), list[tuple[int | None, int | None]]()

    async def script() -> None:
        async with live.connected(stay=True):
            counts.append((live.health().streams_up, live.health().streams))
            await clock.sleep(2)
            counts.append((live.health().streams_up, live.health().streams))

    run_virtual(clock, script())
    assert counts[-1] == (4, 4)
    assert live.health().streams_up == 0


def test_a_budget_counts_what_was_used_and_is_unknown_until_the_exchange_has_said_its_limits() -> None:
    clock = VirtualClock(START)
    live = live_exchange(clock)

    async def script() -> None:
        assert live.health().request_budget is None
        await live.venue.market(1)
        before = live.health().request_budget
        assert before is not None
        for _ in range(20):
            await live.client.balances()
        after = live.health().request_budget
        assert after is not None
        assert after < before
        await clock.sleep(61)
        assert live.health().request_budget == pytest.approx(1.0)

    run_virtual(clock, script())
