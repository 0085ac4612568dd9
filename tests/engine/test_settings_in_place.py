"""Margin type and leverage: not asked for where they are right, and a refusal that changes nothing is none."""

import pytest

from _wired import Wiring
from hedgerow.domain.account import MarginType
from hedgerow.domain.events import CommandRefused, HedgeAborted, HedgeOpened, LeverageSet, MarginTypeSet
from hedgerow.emulator.faults import FaultPlan, Outcome, Read, ReadFault, SubmitFault
from hedgerow.emulator.wire.faults import RequestFault, WireFault
from support.bots import Farm
from support.worlds import SYMBOL


def refusing(command: str, code: int) -> FaultPlan:
    return FaultPlan(submits=(SubmitFault(outcome=Outcome.REJECT, command=command, code=code, times=1000),))


def test_a_symbol_that_is_crossed_already_is_not_asked_to_become_so() -> None:
    wiring = Wiring(pairs=10)
    wiring.venue.faults.requests.append(
        RequestFault(path="/fapi/v3/marginType", method="POST", fault=WireFault.REJECT, code=-4067, status=400)
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
    farm = Farm(faults=refusing(command, code))
    farm.world.set_leverage(SYMBOL, 1)
    farm.run(0.2)
    assert farm.logged(CommandRefused)
    assert farm.logged(confirmed)
    assert farm.logged(HedgeOpened)


def test_a_refused_setting_that_is_wrong_opens_nothing() -> None:
    farm = Farm(faults=refusing("set_margin_type", -4067))
    farm.world.set_margin_type(SYMBOL, MarginType.ISOLATED)
    farm.run(0.2)
    assert farm.logged(HedgeAborted)
    assert not farm.logged(HedgeOpened)


def test_a_refused_setting_that_cannot_be_read_is_not_taken_for_right() -> None:
    plan = refusing("set_margin_type", -4067)
    unread = ReadFault(read=Read.POSITION, times=1000)
    farm = Farm(faults=FaultPlan(submits=plan.submits, reads=(unread,)))
    farm.run(0.2)
    assert not farm.logged(HedgeOpened)
