"""Account mode, margin type and leverage: judged before a job's first order, and not asked for where they are right.

A refusal that changes nothing is none.
"""

from datetime import timedelta

import pytest

from _wired import Wiring
from hedgerow.domain.account import MarginType
from hedgerow.domain.events import CommandRefused, HedgeAborted, HedgeOpened, LeverageSet, MarginTypeSet
from hedgerow.domain.instrument import Market
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from hedgerow.emulator.wire.rest.faults import RequestFault
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL


def refusing(command: str, code: int) -> FaultPlan:
    return FaultPlan(submits=(SubmitFault(fault=FaultKind.REJECT, command=command, code=code, times=1000),))


def test_a_symbol_that_is_crossed_already_is_not_asked_to_become_so() -> None:
    wiring = Wiring(pairs=10)
    wiring.venue.faults.requests.append(
        RequestFault(path="/fapi/v3/marginType", method="POST", fault=FaultKind.REJECT, code=-4067, status=400)
    )
    wiring.run(12, streams=False)
    assert wiring.ledger.totals.opened >= 1
    assert not [a for a in wiring.venue.arrivals if a.path.endswith("/marginType")]


@pytest.mark.parametrize(
    ("command", "code", "confirmed"),
    [
        ("set_margin_type", -4067, MarginTypeSet),
        ("set_margin_type", -4048, MarginTypeSet),
        ("set_leverage", -4028, LeverageSet),
    ],
)
def test_a_refused_setting_that_is_right_all_the_same_is_a_success(
    command: str, code: int, confirmed: type[MarginTypeSet] | type[LeverageSet]
) -> None:
    harness = BotHarness(faults=refusing(command, code))
    harness.world.set_leverage(SYMBOL, 1)
    harness.run(0.2)
    assert harness.logged(CommandRefused)
    assert harness.logged(confirmed)
    assert harness.logged(HedgeOpened)


def test_a_refused_setting_that_is_wrong_opens_nothing() -> None:
    harness = BotHarness(faults=refusing("set_margin_type", -4067))
    harness.world.set_margin_type(SYMBOL, MarginType.ISOLATED)
    harness.run(0.2)
    assert harness.logged(HedgeAborted)
    assert not harness.logged(HedgeOpened)


def test_a_refused_setting_that_cannot_be_read_is_not_taken_for_right() -> None:
    plan = refusing("set_margin_type", -4067)
    unread = ReadFault(read=Read.POSITION, times=1000)
    harness = BotHarness(faults=FaultPlan(submits=plan.submits, reads=(unread,)))
    harness.run(0.2)
    assert not harness.logged(HedgeOpened)


def test_a_closing_in_hedge_mode_sells_no_coins_and_goes_on_once_the_mode_is_right() -> None:
    harness = BotHarness()
    harness.run(0.5)
    before = harness.coins(), harness.short()
    harness.world.set_modes(one_way=False)
    answer = harness.ask(CloseRequested())
    assert not answer.done
    assert "hedge mode" in answer.text
    harness.world.set_leverage(SYMBOL, 3)
    harness.run(0.2)
    assert (harness.coins(), harness.short()) == before
    assert harness.ledger.max_naked_seconds == 0
    assert harness.ledger.execution is None
    harness.world.set_modes(one_way=True)
    harness.run(0.2)
    assert harness.reasons == [Reason.HEALTH]
    harness.check_flat()


def test_a_closing_is_neither_prevented_nor_doubled_by_settings_that_cannot_be_read() -> None:
    blind = ReadFault(read=Read.ACCOUNT, after=OPENED, until=OPENED + timedelta(hours=9))
    harness = BotHarness()
    harness.run(0.5)
    blinded = BotHarness(world=harness.world, faults=FaultPlan(reads=(blind,)), open_store=lambda: harness.store.inner)  # type: ignore[union-attr]
    answer = blinded.ask(CloseRequested())
    assert answer.done, answer.text
    assert not [
        order for order in blinded.venue.orders if order.order.market is Market.PERP and not order.order.reduce_only
    ]
    blinded.check_flat()
