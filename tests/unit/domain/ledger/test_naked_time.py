"""The time that the legs differ because of trades of others counts as naked time, to the trade that ended it."""

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.naked_time import measured
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill
from hedgerow.domain.position import Reason
from support.ledger_builder import START, LedgerBuilder

SPOT, PERP = Market.SPOT, Market.PERP


def held() -> LedgerBuilder:
    """Return the log of a hedge of ten coins against ten short, opened a minute ago."""
    return LedgerBuilder().open_hedge().wait(seconds=60)


def taken(
    builder: LedgerBuilder, market: Market, quantity: str, *, seconds_ago: float = 0, trade_id: int = 900
) -> Fill:
    """Return a sale of coins, or a purchase of the short, by another than the bot."""
    return Fill(
        market=market,
        symbol=builder.pair.symbol,
        trade_id=trade_id,
        order_id=5,
        side=Side.SELL if market is SPOT else Side.BUY,
        quantity=Decimal(quantity),
        price=Decimal(100),
        fee=Decimal(0),
        fee_asset="USDT",
        at=builder.now - timedelta(seconds=seconds_ago),
    )


def elsewhere(builder: LedgerBuilder, *fills: Fill, late: bool = False) -> LedgerBuilder:
    return builder.record(
        ev.ExternalFills(at=builder.now, hedge_id=builder.hedge_id, fills=fills, cause="half open", late=late)
    )


def lost(builder: LedgerBuilder) -> Ledger:
    return builder.record(
        ev.HedgeLost(at=builder.now, hedge_id=builder.hedge_id, reason=Reason.CLOSED_EXTERNALLY)
    ).ledger


def test_both_legs_closed_by_hand_ten_minutes_apart_were_naked_for_ten_minutes() -> None:
    builder = held().wait(seconds=900)
    coins = taken(builder, SPOT, "9.996", seconds_ago=700)
    short = taken(builder, PERP, "10", seconds_ago=100, trade_id=901)
    ledger = lost(elsewhere(builder, short, coins))
    assert ledger.max_naked_seconds == 600
    assert ledger.max_naked_notional == 1000
    assert ledger.apart == {}


def test_a_leg_that_is_gone_counts_until_the_bot_has_closed_the_other() -> None:
    builder = held().wait(seconds=300)
    elsewhere(builder, taken(builder, PERP, "10", seconds_ago=240))
    assert builder.ledger.max_naked_seconds == 240
    builder.wait(seconds=59).begin(ExecutionKind.CLOSE).trade("s-2", Side.SELL, "9.996", 100)
    assert builder.ledger.max_naked_seconds > 300
    assert builder.ledger.apart == {}
    known = builder.ledger.max_naked_seconds
    assert builder.wait(hours=1).closed().ledger.max_naked_seconds == known


def test_half_of_the_coins_sold_by_hand_counts_though_both_legs_are_closed_after_it() -> None:
    builder = held().wait(seconds=300)
    elsewhere(builder, taken(builder, SPOT, "5", seconds_ago=240))
    (apart,) = builder.ledger.apart.values()
    assert apart.since == builder.now - timedelta(seconds=241)
    builder.wait(seconds=10).begin(ExecutionKind.CLOSE).trade("p-2", Side.BUY, 5, 100)
    assert builder.ledger.apart == {}
    assert builder.ledger.max_naked_seconds > 250


def test_a_hedge_that_ends_ends_the_count() -> None:
    builder = held().wait(seconds=300)
    elsewhere(builder, taken(builder, PERP, "10", seconds_ago=200))
    ledger = lost(builder.wait(seconds=99))
    assert ledger.max_naked_seconds == 300
    assert ledger.apart == {}


def test_both_legs_halved_alike_are_never_naked() -> None:
    builder = held().wait(seconds=300)
    elsewhere(
        builder, taken(builder, SPOT, "5", seconds_ago=240), taken(builder, PERP, "5", seconds_ago=240, trade_id=901)
    )
    assert builder.ledger.max_naked_seconds == 0
    assert builder.ledger.apart == {}


def test_trades_in_two_events_count_from_the_first() -> None:
    builder = held().wait(seconds=300)
    elsewhere(builder, taken(builder, SPOT, "2", seconds_ago=240))
    elsewhere(builder, taken(builder, SPOT, "2", trade_id=901))
    assert builder.ledger.max_naked_seconds == 241
    elsewhere(builder, taken(builder, PERP, "4", trade_id=902))
    assert builder.ledger.apart == {}


def test_a_trade_that_is_booked_already_changes_nothing() -> None:
    builder = held().wait(seconds=300)
    coins = taken(builder, SPOT, "2", seconds_ago=10)
    elsewhere(builder, coins)
    before = builder.ledger
    elsewhere(builder, coins)
    assert builder.ledger.apart == before.apart


def test_a_hedge_that_is_not_known_any_more_counts_for_nothing() -> None:
    builder = LedgerBuilder()
    elsewhere(builder, taken(builder, SPOT, "2", seconds_ago=10))
    assert builder.ledger.max_naked_seconds == 0


# --- fills that no reply reported -----------------------------------------------------------------------------------


def halved() -> LedgerBuilder:
    """Return the log of a hedge of which an order ended with one of two coins, half a minute ago."""
    builder = held().begin(ExecutionKind.TRIM).issue("s-2", Side.BUY, 2, 100).ends("s-2", 1, 100)
    return builder.trade("p-2", Side.SELL, 1, 100).repaired()


def test_a_fill_that_is_reported_late_counts_from_its_trade_to_the_order_that_matches_it() -> None:
    builder = halved().fee("s-2", Side.BUY, 1, 100, fee="0.04")
    assert builder.ledger.apart == {}
    fill = taken(builder, SPOT, "1", seconds_ago=200)
    late = ev.FeeBooked(
        at=builder.now, client_id="h1-s-2", fill=replace(fill, side=Side.BUY), fee_quote=Decimal("0.04")
    )
    builder.record(late)
    (apart,) = builder.ledger.apart.values()
    assert (apart.hedge_id, apart.since) == ("h1", late.fill.at)
    assert builder.ledger.max_naked_seconds == 200
    assert 99 < builder.ledger.max_naked_notional < 101
    builder.fee("s-2", Side.BUY, 1, 100, fee="0.04")
    assert builder.ledger.apart == {"h1": apart}, "one that is apart stays so"
    builder.begin(ExecutionKind.TRIM).trade("s-3", Side.SELL, 2, 100)
    assert builder.ledger.apart == {}


def test_a_fill_that_a_job_at_work_is_told_of_late_is_measured_by_the_job() -> None:
    builder = held().begin(ExecutionKind.TRIM).issue("s-2", Side.BUY, 2, 100).ends("s-2", 1, 100)
    builder.fee("s-2", Side.BUY, 2, 100, fee="0.08")
    assert builder.ledger.apart == {}


# --- trades that are read late ---------------------------------------------------------------------------------------


def assumed(builder: LedgerBuilder, *markets: Market) -> LedgerBuilder:
    """Book that legs are gone while no trade can be read."""
    quantity = {SPOT: "9.996", PERP: "10"}
    return elsewhere(builder, *(taken(builder, m, quantity[m], trade_id=-1 - i) for i, m in enumerate(markets)))


def test_trades_read_late_count_from_when_they_were_made() -> None:
    builder = assumed(held().wait(seconds=300), PERP)
    assert builder.ledger.max_naked_seconds == 0
    elsewhere(builder, taken(builder, PERP, "10", seconds_ago=200), late=True)
    (apart,) = builder.ledger.apart.values()
    assert builder.now - apart.since == timedelta(seconds=201)
    assert builder.ledger.max_naked_seconds == 200


def test_trades_read_after_the_end_count_to_the_end() -> None:
    builder = assumed(held().wait(seconds=300), PERP)
    lost(builder)
    elsewhere(builder.wait(seconds=98), taken(builder, PERP, "10", seconds_ago=200), late=True)
    assert builder.ledger.max_naked_seconds == 200 - 99


def test_both_trades_read_after_the_end_count_from_one_to_the_other() -> None:
    builder = assumed(held().wait(seconds=300), SPOT, PERP)
    lost(builder)
    coins = taken(builder, SPOT, "9.996", seconds_ago=200)
    short = taken(builder, PERP, "10", seconds_ago=150, trade_id=901)
    elsewhere(builder.wait(seconds=3600), coins, short, late=True)
    assert builder.ledger.max_naked_seconds == 50


def test_trades_read_after_the_repair_count_to_the_newest_order() -> None:
    builder = assumed(held().wait(seconds=300), PERP)
    builder.wait(seconds=30).begin(ExecutionKind.TRIM).trade("s-2", Side.SELL, "9.996", 100).repaired()
    assert builder.ledger.apart == {}
    late = taken(builder, PERP, "10", seconds_ago=200)
    elsewhere(builder.wait(seconds=600), late, late=True)
    assert builder.ledger.max_naked_seconds == 197


def test_late_trades_that_match_leave_the_present_difference_as_it_is() -> None:
    builder = assumed(held().wait(seconds=300), PERP)
    before = builder.ledger.apart
    coins = taken(builder, SPOT, "1", seconds_ago=200)
    short = taken(builder, PERP, "1", seconds_ago=200, trade_id=901)
    elsewhere(builder, coins, short, late=True)
    assert builder.ledger.apart == before


def test_an_event_while_the_legs_match_adds_no_naked_time() -> None:
    ledger = held().ledger
    assert measured(ledger, ledger, ev.Lifted(at=START + timedelta(days=1), detail="")) is ledger
