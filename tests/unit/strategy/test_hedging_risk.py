"""What may be naked while nobody knows what became of an order."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import ExecutionState, HedgeExecution, LegProgress
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest
from hedgerow.strategy.hedging_orders import at_risk
from support.toy_venue import new_job, toy_pair

FREE = replace(toy_pair().spot, fees=replace(toy_pair().spot.fees, taker=Decimal(0)))


def job(market: Market, side: Side, *, coins: int, short: int, state: ExecutionState) -> HedgeExecution:
    """Return an opening whose order of four coins is at work."""
    request = OrderRequest(
        client_id="h1-x-1", market=market, symbol="ABCUSDT", side=side, quantity=Decimal(4), price=Decimal(100)
    )
    return replace(
        new_job(pair=replace(toy_pair(), spot=FREE)),
        state=state,
        spot=LegProgress(filled=Decimal(coins)),
        perp=LegProgress(filled=Decimal(short)),
        working=PlaceOrder(hedge_id="h1", order=request),
    )


@pytest.mark.parametrize(
    ("market", "side", "coins", "short", "risk"),
    [
        (Market.SPOT, Side.BUY, 0, 0, 4),
        (Market.SPOT, Side.BUY, 4, 4, 4),
        (Market.PERP, Side.SELL, 4, 0, 4),
        (Market.PERP, Side.SELL, 1, 0, 3),
        (Market.SPOT, Side.SELL, 4, 0, 4),
        (Market.SPOT, Side.SELL, 4, 4, 4),
    ],
)
def test_an_order_without_an_outcome_counts_as_filled_where_that_is_worse(
    market: Market, side: Side, coins: int, short: int, risk: int
) -> None:
    assert at_risk(job(market, side, coins=coins, short=short, state=ExecutionState.RESOLVING)) == risk


@pytest.mark.parametrize("state", [ExecutionState.LEADING, ExecutionState.FOLLOWING])
def test_an_order_that_is_only_at_work_counts_when_it_has_ended(state: ExecutionState) -> None:
    assert at_risk(job(Market.SPOT, Side.BUY, coins=4, short=4, state=state)) == 0


def test_a_job_with_nothing_at_work_risks_what_is_naked() -> None:
    idle = replace(job(Market.SPOT, Side.BUY, coins=4, short=1, state=ExecutionState.RESOLVING), working=None)
    assert at_risk(idle) == 3
