"""What the witness excuses, and how little."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.ledger import Ledger
from hedgerow.simulation.invariants import unsold_dust
from support.toy_venue import new_job
from support.views import hedge, pair_of

PAIR = pair_of()


def ledger_of(kind: ExecutionKind, *, swept: str = "0.15", planned: str = "10.15", sold: str = "0") -> Ledger:
    """Return a ledger with a job at work on ten coins against ten short, and dust swept into its hedge."""
    job: HedgeExecution = new_job(kind, pair=PAIR, spot=planned, perp="10")
    job = replace(job, spot=replace(job.spot, filled=Decimal(sold)))
    return Ledger(hedge=hedge("10", swept_quantity=Decimal(swept)), execution=job)


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
    ledger = ledger_of(ExecutionKind.CLOSE, swept=swept, planned=planned, sold=sold)
    assert unsold_dust(ledger, PAIR) == Decimal(excused)


def test_dust_excuses_nothing_without_a_closing_of_its_own_coin() -> None:
    closing = ledger_of(ExecutionKind.CLOSE)
    assert unsold_dust(closing, pair_of("BBBUSDT")) == 0
    assert unsold_dust(replace(closing, execution=None), PAIR) == 0
    assert unsold_dust(replace(closing, hedge=None), PAIR) == 0
    assert unsold_dust(ledger_of(ExecutionKind.REDUCE), PAIR) == 0
