"""What the witness excuses, and how little."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.domain.position import Reason
from hedgerow.simulation.checks.brake import Brake
from hedgerow.simulation.checks.invariants import Invariant, unsold_dust
from support.toy_venue import new_job
from support.views import NOW, hedge, pair_of
from support.views import ledger_of as held
from support.worlds import ScriptedMarketData, make_world

PAIR = pair_of()


SWEPT = Decimal("0.15")


def ledger_of(kind: ExecutionKind, *, planned: str = "10.15", sold: str = "0") -> Ledger:
    """Return a ledger with a job at work on ten coins against ten short, and dust swept into its hedge."""
    job: HedgeExecution = new_job(kind, pair=PAIR, spot=planned, perp="10")
    job = replace(job, spot=replace(job.spot, filled=Decimal(sold)))
    return held(hedge("10", swept_quantity=SWEPT), execution=job)


@pytest.mark.parametrize(
    ("swept", "planned", "sold", "excused"),
    [
        ("0.15", "10.15", "0", "0.15"),
        ("0.15", "10.15", "0.1", "0.05"),
        ("0.15", "10.15", "4", "0"),
        ("0.15", "10", "0", "0"),
        ("0", "10.15", "0", "0"),
        ("0.1", "10.15", "0", "0.1"),
    ],
)
def test_dust_that_a_closing_has_yet_to_sell_is_no_exposure_and_nothing_beyond_it(
    swept: str, planned: str, sold: str, excused: str
) -> None:
    ledger = ledger_of(ExecutionKind.CLOSE, planned=planned, sold=sold)
    assert unsold_dust(ledger, PAIR, Decimal(swept)) == Decimal(excused)


def test_dust_excuses_nothing_without_a_closing_of_its_own_coin() -> None:
    closing = ledger_of(ExecutionKind.CLOSE)
    assert unsold_dust(closing, pair_of("BBBUSDT"), SWEPT) == 0
    assert unsold_dust(replace(closing, execution=None), PAIR, SWEPT) == 0
    assert unsold_dust(replace(closing, hedges={}), PAIR, SWEPT) == 0
    assert unsold_dust(ledger_of(ExecutionKind.REDUCE), PAIR, SWEPT) == 0


def opened_after(*hours: float, resumed: bool = False) -> list[Invariant]:
    """Return what is said of an opening after exits for bad health so many hours after the first."""
    brake, world, halt = Brake(), make_world(ScriptedMarketData()), ev.HaltReason.REPEATED_HEALTH_EXITS
    said: list[Invariant] = []
    for each in hours:
        at = NOW + timedelta(hours=each)
        closed = ev.HedgeClosed(at=at, hedge_id="h1", reason=Reason.HEALTH)
        said += [rule for rule, _ in brake.note(held(hedge("10")), closed, world, halts=False)]
    if resumed:
        halted = Ledger(halt=StandingHalt(since=NOW, reason=halt, detail=""))
        said += [rule for rule, _ in brake.note(halted, ev.Lifted(at=NOW, detail="by hand"), world, halts=False)]
    opening = ev.ExecutionStarted(at=NOW, execution=new_job(ExecutionKind.OPEN, pair=PAIR, spot="10", perp="10"))
    return [*said, *(rule for rule, _ in brake.note(Ledger(), opening, world, halts=False))]


def test_an_opening_after_the_third_exit_for_bad_health_within_a_day_is_condemned_whatever_the_settings_say() -> None:
    assert opened_after(0, 5, 23) == [Invariant.BRAKE]
    assert opened_after(0, 5, 24) == []
    assert opened_after(0, 5) == []
    assert opened_after(0, 5, 23, resumed=True) == []
