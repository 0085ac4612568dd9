"""``hedgerow simulate --transport wire``: the same runs with the live client, over a network in memory."""

from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play, play_seed, play_seeds
from hedgerow.app.simulation.wire_harness import WireHarness
from hedgerow.aster.account.nonce_reservations import Reservations
from hedgerow.aster.http.error_codes import failure
from hedgerow.cli import main
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import NotSent, OutcomeUnknown
from hedgerow.domain.events import Wallet
from hedgerow.emulator.core.snapshot import WorldOptions
from hedgerow.emulator.fault_kinds import ON_THE_WIRE, FaultKind
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.rest.failures import error_response
from hedgerow.emulator.wire.rest.faults import MessageFaultKind, RequestFault
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.ports import HttpRequest
from hedgerow.simulation.faults.crashes import CrashPoint, SimulatedCrash
from hedgerow.simulation.faults.incidents import Flow
from hedgerow.simulation.faults.network import Network, NetworkLink
from hedgerow.simulation.faults.wire import Cut, LaggingAccount, NetworkFault, RequestFaultAct, StreamFaultAct
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.simulation.generators.wire_faults import UNDECIDED_CODES
from hedgerow.simulation.report import RunResult
from hedgerow.simulation.scenario import Crash, Hearing, RunPlan, Transport
from support.worlds import START, ScriptedMarketData

DAYS = 0.06
SEEDS = (0, 1, 3, 4)
TIME = HttpRequest(method="GET", url="https://fapi.asterdex.com/fapi/v3/time", headers={}, timeout_seconds=5.0)


@pytest.fixture(scope="module")
def results() -> list[RunResult]:
    return list(play_seeds(SEEDS, DAYS, workers=1, transport=Transport.WIRE))


def test_faults_of_the_wire_break_no_invariant(results: list[RunResult]) -> None:
    assert [(result.seed, result.violation) for result in results if result.violation] == []
    assert sum(result.opened for result in results) > 2 * len(SEEDS)
    assert sum(result.closed for result in results) > 2 * len(SEEDS)
    assert sum(result.faults_injected for result in results) > 20


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(38, id="trades-that-are-listed-late-and-asked-for-again-after-a-pause"),
        pytest.param(10023, id="a-book-thinned-by-a-sale-of-half-a-second-ago"),
        pytest.param(14024, id="a-market-that-closed-after-its-listing-was-read"),
        pytest.param(15036, id="trades-that-a-fault-still-hides"),
    ],
)
def test_a_run_that_once_broke_an_invariant_breaks_none(seed: int) -> None:
    assert play_seed(seed, DAYS, transport=Transport.WIRE).violation is None


def test_the_same_seed_signs_and_logs_the_same_in_another_process(results: list[RunResult]) -> None:
    assert list(play_seeds(SEEDS[1:3], DAYS, workers=2, transport=Transport.WIRE)) == results[1:3]


def quiet(seed: int, *drawn_faults: Any) -> RunPlan:
    return replace(draw_plan(seed, DAYS, transport=Transport.WIRE, faults=False), drawn_faults=drawn_faults)


@pytest.mark.parametrize("points", [12, 40, 95])
def test_the_power_fails_while_requests_are_on_their_way(points: int) -> None:
    begin = quiet(1).begin
    result = play(quiet(1, Crash(at=begin, points=points, trading=True, down_seconds=5.0)))
    assert (result.violation, result.crash_points, result.restarts) == (None, 1, 3)


def test_a_bot_that_is_not_let_in_is_started_again() -> None:
    plan = quiet(1)
    refusal = RequestFault(fault=FaultKind.NONCE_EXPIRED, for_seconds=25.0)
    result = play(replace(plan, drawn_faults=(RequestFaultAct(at=plan.begin, fault=refusal),)))
    assert (result.violation, result.restarts) == (None, 2)
    assert result.faults_injected > 2, "one for each start within the 25 seconds"
    assert result.opened > 0


def test_a_bot_that_calls_lost_orders_absent_at_once_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(_: Reservations, __: str) -> bool:
        return True

    monkeypatch.setattr(Reservations, "is_dead", hasty)
    late = RequestFault(fault=FaultKind.LATE, path="/v3/order", method="POST", times=40, seconds=13.0)
    plan = quiet(1)
    assert play(replace(plan, drawn_faults=(RequestFaultAct(at=plan.begin, fault=late),))).violation is not None


def test_an_account_that_lags_is_behind_from_a_change_until_it_is_shown() -> None:
    plan, market_data = quiet(1), ScriptedMarketData(start=quiet(1).begin)
    clock = VirtualClock(plan.begin)
    harness = WireHarness(market_data, clock, plan, Random(1), spot={"USDT": Decimal(9)}, options=WorldOptions())
    end = plan.begin + timedelta(seconds=20)

    async def script() -> list[bool]:
        behind = []
        for act in (
            Flow(at=plan.begin, wallet=Wallet.PERP, fraction=Decimal("0.1")),
            LaggingAccount(at=plan.begin, until=end, seconds=4.0),
            Flow(at=plan.begin, wallet=Wallet.PERP, fraction=Decimal("0.1")),
        ):
            harness.inject(act)
            behind.append(harness.is_behind)
        for seconds in (3, 2):
            await clock.sleep(seconds)
            behind.append(harness.is_behind)
        return behind

    assert run_virtual(clock, script()) == [False, False, True, True, False]


# --- plans ------------------------------------------------------------------------------------------------------------


def test_every_kind_of_fault_of_the_wire_is_drawn() -> None:
    plans = [draw_plan(seed, 1.0, transport=Transport.WIRE) for seed in range(40)]
    drawn_faults = [trouble for plan in plans for trouble in plan.drawn_faults]
    kinds = {type(trouble).__name__ for trouble in drawn_faults}
    assert kinds >= {
        "RequestFaultAct",
        "StreamFaultAct",
        "Cut",
        "WrongClock",
        "LaggingAccount",
        "StoppedBooks",
        "DeadKey",
    }
    assert kinds >= {"Crash", "PriceJump", "Closure", "Deleveraging", "HandSale", "Suspension", "Storm"}
    assert not kinds & {"SubmitFault", "ReadFault", "VenueFault"}
    faults = {t.fault.fault for t in drawn_faults if isinstance(t, RequestFaultAct)}
    assert faults == set(ON_THE_WIRE)
    assert {t.fault.fault for t in drawn_faults if isinstance(t, StreamFaultAct)} == set(MessageFaultKind)
    assert {t.network_fault for t in drawn_faults if isinstance(t, Cut)} == set(NetworkFault)
    assert {plan.hearing for plan in plans} == set(Hearing)


def test_an_order_that_was_executed_is_never_refused_for_certain() -> None:
    plans = [draw_plan(seed, 1.0, transport=Transport.WIRE) for seed in range(80)]
    requests = [t.fault for plan in plans for t in plan.drawn_faults if isinstance(t, RequestFaultAct)]
    refused = [fault for fault in requests if fault.fault is FaultKind.REJECT_AFTER]
    assert {fault.code for fault in refused} == set(UNDECIDED_CODES)
    for fault in refused:
        body = error_response(fault.error_shape, fault.code, "", status=fault.status or 400, at_ms=0, headers={})
        assert isinstance(failure(body, "order", now=START, write=True), OutcomeUnknown)


def test_a_seed_has_the_account_and_the_market_of_the_other_door() -> None:
    wired, called = draw_plan(4, DAYS, transport=Transport.WIRE), draw_plan(4, DAYS)
    assert (wired.pairs, wired.usdt, wired.coins) == (called.pairs, called.usdt, called.coins)
    assert draw_plan(4, DAYS, transport=Transport.WIRE, faults=False) == replace(
        wired, drawn_faults=(), hide_orders_seconds=0.0
    )


# --- the network ------------------------------------------------------------------------------------------------------


class NetworkHarness:
    """An exchange behind a network."""

    def __init__(self, *cuts: Cut) -> None:
        self.clock = VirtualClock(START)
        market_data = ScriptedMarketData()
        venue = WireVenue(Exchange(market_data, start=START), ExchangeClock(self.clock, START))
        self.answers: list[Any] = []
        venue.watchers.append(lambda _, answer: self.answers.append(answer))
        self.network = Network(MemoryTransport(venue, self.clock), self.clock, cuts)
        self.crash_point = CrashPoint()
        self.line = NetworkLink(self.network, self.crash_point, has_market_streams=False)

    def run(self, script: Coroutine[Any, Any, Any]) -> Any:
        return run_virtual(self.clock, script)


def cut(network_fault: NetworkFault) -> Cut:
    return Cut(at=START, until=START + timedelta(seconds=60), network_fault=network_fault)


@pytest.mark.parametrize(
    ("network_fault", "arrives", "error"),
    [
        (NetworkFault.REFUSED, 0, NotSent),
        (NetworkFault.ANSWER_CUT, 1, OutcomeUnknown),
        (NetworkFault.REQUEST_LOST, 0, TimeoutError),
        (NetworkFault.ANSWER_LOST, 1, TimeoutError),
        (NetworkFault.STREAMS, 1, None),
    ],
)
def test_a_cut_harms_requests_in_its_own_way(
    network_fault: NetworkFault, arrives: int, error: type[Exception] | None
) -> None:
    harness = NetworkHarness(cut(network_fault))

    async def script() -> Exception | None:
        try:
            async with harness.clock.timeout(5.0):
                await harness.line.send(TIME)
        except (NotSent, OutcomeUnknown, TimeoutError) as wrong:
            return wrong
        return None

    assert type(harness.run(script())) is (error or type(None))
    assert len(harness.answers) == arrives
    assert harness.network.faulted == (network_fault is not NetworkFault.STREAMS)


@pytest.mark.parametrize(("pass_point", "arrives"), [(0, 0), (1, 1), (2, 1)])
def test_what_has_left_arrives_whoever_dies(pass_point: int, arrives: int) -> None:
    harness = NetworkHarness()
    harness.crash_point.fail_after(pass_point)

    async def script() -> None:
        with pytest.raises(SimulatedCrash):
            await harness.line.send(TIME)
        await harness.clock.sleep(1.0)

    harness.run(script())
    assert len(harness.answers) == arrives


def test_streams_of_the_market_stay_shut_where_only_the_account_is_received() -> None:
    harness = NetworkHarness()

    async def script() -> None:
        async with harness.line.connect("wss://fstream.asterdex.com/ws/key"):
            pass
        with pytest.raises(NotSent):
            async with harness.line.connect("wss://fstream.asterdex.com/stream?streams=!bookTicker"):
                pass

    harness.run(script())


@pytest.mark.parametrize("network_fault", [NetworkFault.REFUSED, NetworkFault.STREAMS])
def test_streams_cannot_be_opened_in_a_cut(network_fault: NetworkFault) -> None:
    harness = NetworkHarness(cut(network_fault))

    async def script() -> None:
        with pytest.raises(NotSent):
            async with harness.line.connect("wss://fstream.asterdex.com/ws/key"):
                pass

    harness.run(script())


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--transport", "--door"], ids=["by its name", "by its name of 0.1"])
def test_the_command_plays_through_the_wire(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", option, "wire", "--seed", "2", "--days", "0.05"]) == 0
    assert "all well" in capsys.readouterr().out
