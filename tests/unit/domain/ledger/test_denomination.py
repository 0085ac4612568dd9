"""A hedge in new coins: other quantities and prices, the same money."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.events import FlowKind, HedgeRedenominated, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.denomination import job_in_new_units
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.order import Fill, ForcedTrade
from hedgerow.domain.position import DustLot, Reason
from support.hedging_harness import following
from support.ledger_builder import START, LedgerBuilder
from support.views import fill

FACTOR = Decimal(1000)


def held() -> LedgerBuilder:
    builder = (
        LedgerBuilder()
        .begin()
        .trade("s-1", Side.BUY, 10, 100)
        .fee("s-1", Side.BUY, 10, 100, fee="0.01", asset="ABC", value=1)
    )
    return builder.trade("p-1", Side.SELL, 9, 101).fee("p-1", Side.SELL, 9, 101, fee="0.4").opened()


def test_quantities_are_divided_and_money_stays() -> None:
    builder = held()
    before = builder.ledger.largest
    after = builder.record(HedgeRedenominated(at=builder.now, hedge_id="h1", factor=FACTOR)).ledger.largest
    assert before is not None
    assert after is not None
    assert (after.spot_quantity, after.short) == (before.spot_quantity / FACTOR, before.short / FACTOR)
    assert (after.entry_price, after.entry_notional) == (before.entry_price * FACTOR, before.entry_notional)
    assert (after.tally.spot_bought, after.tally.perp_sold) == (before.tally.spot_bought, before.tally.perp_sold)
    assert after.tally.fees == before.tally.fees
    assert after.unsettled == []
    assert after.spot_quantity * (120 * FACTOR) == before.spot_quantity * 120


def test_a_trade_of_before_the_exchange_is_counted_in_new_coins_and_a_later_one_is_not() -> None:
    builder = held()
    since = builder.now
    event = HedgeRedenominated(at=since + timedelta(hours=1), hedge_id="h1", factor=FACTOR, since=since)
    hedge = builder.record(event).ledger.largest
    assert hedge is not None
    old = fill(Market.PERP, Side.BUY, "2", price="100", at=since - timedelta(seconds=1))
    new = replace(old, at=since)
    counted = hedge.in_present_coins(old)
    assert (counted.quantity, counted.price, counted.notional) == (2 / FACTOR, 100 * FACTOR, old.notional)
    assert hedge.in_present_coins(new) == new


def test_all_that_is_left_is_no_less_than_a_lot_in_new_coins() -> None:
    builder = held()
    old = builder.pair
    pair = builder.record(HedgeRedenominated(at=builder.now, hedge_id="h1", factor=FACTOR)).ledger.foremost
    assert pair is not None
    for new, before in ((pair.pair.spot, old.spot), (pair.pair.perp, old.perp)):
        assert (new.lot, new.tick) == (before.lot / FACTOR, before.tick * FACTOR)
        assert (new.min_quantity, new.max_quantity) == (before.min_quantity / FACTOR, before.max_quantity / FACTOR)
        assert new.min_notional == before.min_notional


def test_a_short_that_is_gone_after_a_new_denomination_leaves_the_legs_apart() -> None:
    builder = held()
    hedge = builder.record(HedgeRedenominated(at=builder.now, hedge_id="h1", factor=FACTOR)).ledger.largest
    assert hedge is not None
    fill = Fill(
        market=Market.PERP,
        symbol=hedge.symbol,
        trade_id=77,
        order_id=7,
        forced_trade=ForcedTrade.SETTLEMENT,
        side=Side.BUY,
        quantity=hedge.short,
        price=101 * FACTOR,
        fee=Decimal(0),
        fee_asset="USDT",
        at=builder.now,
    )
    ledger = builder.record(ev.ExternalFills(at=builder.now, hedge_id="h1", fills=(fill,), cause="half open")).ledger
    assert ledger.apart


def test_dust_of_the_coin_is_counted_in_new_coins_too() -> None:
    lot = DustLot(asset="ABC", quantity=Decimal(2), cost=Decimal(150))
    builder = held()
    builder.record(ev.DustKept(at=builder.now, lot=lot))
    ledger = builder.record(HedgeRedenominated(at=builder.now, hedge_id="h1", factor=FACTOR)).ledger
    assert (ledger.dust["ABC"].quantity, ledger.dust["ABC"].cost) == (Decimal("0.002"), Decimal(150))


def test_another_hedge_stays_as_it_is() -> None:
    ledger = held().ledger
    event = ev.HedgeRedenominated(at=held().now, hedge_id="h2", factor=FACTOR)
    assert apply(ledger, event).largest == ledger.largest


def flow(amount: str, kind: FlowKind = FlowKind.AUTO_EXCHANGE, wallet: Wallet = Wallet.SPOT) -> ev.ExternalFlow:
    return ev.ExternalFlow(
        at=START, row_id=f"r{amount}{kind}", wallet=wallet, asset="ABC", amount=Decimal(amount), kind=kind
    )


def dusty() -> LedgerBuilder:
    """Return a log with two coins of dust among ten in the wallet, and no hedge."""
    lot = DustLot(asset="ABC", quantity=Decimal(2), cost=Decimal(150))
    return LedgerBuilder().record(flow("10", FlowKind.OPENING), ev.DustKept(at=START, lot=lot))


def test_dust_without_a_hedge_shrinks_as_all_coins_do() -> None:
    lot = dusty().record(flow("-9.99")).ledger.dust["ABC"]
    assert (lot.quantity, lot.cost) == (Decimal("0.002"), Decimal(150))


def test_dust_of_which_nothing_is_left_keeps_its_cost() -> None:
    lot = dusty().record(flow("-10")).ledger.dust["ABC"]
    assert (lot.quantity, lot.cost) == (Decimal(0), Decimal(150))


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(flow("-9.99", FlowKind.WITHDRAWAL), id="withdrawn"),
        pytest.param(flow("-9.99", wallet=Wallet.PERP), id="of the other wallet"),
        pytest.param(flow("5"), id="more coins"),
        pytest.param(flow("-11"), id="more than there are"),
    ],
)
def test_other_rows_leave_dust_alone(row: ev.ExternalFlow) -> None:
    assert dusty().record(row).ledger.dust["ABC"].quantity == 2


def test_dust_of_a_coin_that_a_hedge_holds_is_counted_with_the_hedge() -> None:
    builder = held().record(ev.DustKept(at=START, lot=DustLot(asset="ABC", quantity=Decimal(2), cost=Decimal(1))))
    builder.record(flow("20", FlowKind.OPENING))
    assert builder.record(flow("-9")).ledger.dust["ABC"].quantity == 2


@pytest.mark.parametrize(("late", "again"), [(0, False), (30, False), (3600, True)])
def test_dust_of_a_hedge_that_was_counted_in_new_coins_is_not_counted_again_when_the_row_is_booked(
    *, late: int, again: bool
) -> None:
    builder = held().record(flow("20", FlowKind.OPENING))
    builder.record(HedgeRedenominated(at=builder.now, hedge_id="h1", factor=FACTOR, since=START))
    builder.record(ev.HedgeClosed(at=builder.now, hedge_id="h1", reason=Reason.LEG_GONE, residue_value=Decimal(1)))
    builder.record(ev.DustKept(at=builder.now, lot=DustLot(asset="ABC", quantity=Decimal("0.5"), cost=Decimal(1))))
    row = replace(flow("-18"), at=START + timedelta(seconds=late))
    assert (builder.record(row).ledger.dust["ABC"].quantity < Decimal("0.5")) is again


def test_a_job_in_new_coins_has_other_quantities_and_prices_and_the_same_money() -> None:
    job = following().fills().job
    job = replace(
        job, plan=replace(job.plan, spot_floor=Decimal(95), perp_ceiling=Decimal(105)), unwound=Decimal(1), refusals=3
    )
    after = job_in_new_units(job, FACTOR)
    assert (after.net_spot, after.net_perp, after.exposure) == (
        job.net_spot / FACTOR,
        job.net_perp / FACTOR,
        job.exposure / FACTOR,
    )
    assert (after.plan.spot_quantity, after.plan.perp_quantity) == (Decimal("0.010005"), Decimal("0.01"))
    assert (after.plan.spot_floor, after.plan.perp_ceiling) == (Decimal(95000), Decimal(105000))
    assert (after.spot_arrival, after.perp_arrival) == (Decimal(100000), Decimal(100000))
    assert (after.spot.notional, after.unwound_notional) == (job.spot.notional, job.unwound_notional)
    assert (after.unwound, after.refusals, after.pair.perp.lot) == (Decimal("0.001"), 0, job.pair.perp.lot / FACTOR)


def test_a_job_without_bounds_or_counted_fees_stays_without_them() -> None:
    after = job_in_new_units(replace(following().job, coin_fee=None), FACTOR)
    assert (after.plan.spot_floor, after.plan.perp_ceiling, after.coin_fee) == (None, None, None)
