from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market
from support.toy_venue import new_job


def test_only_hedged_and_flat_are_ends() -> None:
    assert {state for state in ExecutionState if state.ended} == {ExecutionState.HEDGED, ExecutionState.FLAT}


def test_an_openings_coins_count_net_of_the_fee_and_of_what_was_sold_back() -> None:
    job = new_job()
    job = replace(
        job,
        spot=replace(job.spot, filled=Decimal(10)),
        perp=replace(job.perp, filled=Decimal(7)),
        unwound=Decimal(1),
        coin_fee=Decimal("0.004"),
    )
    assert job.net_spot == Decimal("8.996")
    assert job.exposure == Decimal("1.996")


def test_a_closings_exposure_is_what_was_sold_beyond_what_was_bought_back() -> None:
    job = new_job(ExecutionKind.CLOSE)
    job = replace(job, spot=replace(job.spot, filled=Decimal(3)), perp=replace(job.perp, filled=Decimal(2)))
    assert (job.net_spot, job.exposure) == (Decimal(3), Decimal(1))
    assert job.leg(Market.SPOT) is job.spot
    assert job.leg(Market.PERP) is job.perp
    assert job.symbol == "ABCUSDT"
