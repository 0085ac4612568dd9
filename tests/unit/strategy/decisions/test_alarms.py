from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import ExternalFlow, FlowKind, Wallet
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import Books
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.domain.order import ForcedTrade
from hedgerow.domain.position import OrderRecord, Tally
from hedgerow.strategy.decisions.alarms import (
    GRACE,
    Alarm,
    AlarmKind,
    disturbance,
    ended_in_doubt,
    look_at,
    mark_alarm,
    may_change_legs,
    notification_alarm,
    price_alarm,
)
from support.ledger_builder import LedgerBuilder
from support.toy_venue import new_job
from support.views import NOW, account, fill, first_alarm, hedge, holding, ledger_of, opening_of, pair_of, short_of

TEN = ledger_of(hedge("10"))
BUSY = replace(TEN, execution=new_job(ExecutionKind.CLOSE, pair=pair_of()))
NOTHING = ledger_of()


def notification(kind: NotificationKind, **changes: Any) -> Notification:
    return Notification(at=NOW, kind=kind, **{"symbol": "AAAUSDT", **changes})


def kind_of(alarm: Alarm | None) -> AlarmKind | None:
    return alarm.kind if alarm else None


# --- news ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "alarm"),
    [
        (NotificationKind.FORCED, AlarmKind.FORCED),
        (NotificationKind.MARGIN_CALL, AlarmKind.MARGIN_CALL),
        (NotificationKind.LEVERAGE, AlarmKind.SETTINGS),
        (NotificationKind.INTERVAL, AlarmKind.INTERVAL),
        (NotificationKind.STATUS, AlarmKind.STATUS),
        (NotificationKind.ORDER, None),
        (NotificationKind.BALANCE, None),
        (NotificationKind.FUNDING, None),
        (NotificationKind.MODES, None),
        (NotificationKind.MARK, None),
        (NotificationKind.CONNECTED, None),
        (NotificationKind.LOST, None),
    ],
)
def test_what_is_an_alarm_by_itself(kind: NotificationKind, alarm: AlarmKind | None) -> None:
    assert kind_of(notification_alarm(notification(kind), TEN)) is alarm


def test_news_of_other_symbols_are_none_of_our_business() -> None:
    assert notification_alarm(notification(NotificationKind.FORCED, symbol="BBBUSDT"), TEN) is None
    assert (
        kind_of(notification_alarm(notification(NotificationKind.MARGIN_CALL, symbol=""), TEN)) is AlarmKind.MARGIN_CALL
    )


def test_with_nothing_held_nothing_is_an_alarm() -> None:
    assert notification_alarm(notification(NotificationKind.FORCED), NOTHING) is None
    assert look_at(notification(NotificationKind.BALANCE), NOTHING) is None


def test_leverage_that_a_job_sets_is_no_alarm() -> None:
    assert notification_alarm(notification(NotificationKind.LEVERAGE), BUSY) is None
    assert kind_of(notification_alarm(notification(NotificationKind.FORCED), BUSY)) is AlarmKind.FORCED


def test_the_venues_own_words_are_passed_on() -> None:
    alarm = notification_alarm(notification(NotificationKind.INTERVAL, detail="it settles every 4 h now"), TEN)
    assert alarm is not None
    assert alarm.text == "AAAUSDT: it settles every 4 h now"


@pytest.mark.parametrize(
    "kind", [NotificationKind.BALANCE, NotificationKind.MODES, NotificationKind.CONNECTED, NotificationKind.LOST]
)
def test_what_deserves_a_look(kind: NotificationKind) -> None:
    assert look_at(notification(kind), TEN) == NOW + timedelta(seconds=0.5)


@pytest.mark.parametrize("kind", [NotificationKind.FUNDING, NotificationKind.FORCED, NotificationKind.MARK])
def test_what_deserves_none(kind: NotificationKind) -> None:
    assert look_at(notification(kind), TEN) is None


def test_the_bots_own_orders_deserve_no_look_and_others_do() -> None:
    assert look_at(notification(NotificationKind.ORDER, client_id="h1-s-1"), TEN) is None
    assert look_at(notification(NotificationKind.ORDER, client_id="web_1"), TEN) is not None


@pytest.mark.parametrize(
    ("kind", "client_id", "changes"),
    [
        (NotificationKind.FORCED, "", True),
        (NotificationKind.ORDER, "web_1", True),
        (NotificationKind.ORDER, "h1-s-1", False),
        (NotificationKind.BALANCE, "", True),
        (NotificationKind.FUNDING, "", False),
        (NotificationKind.LOST, "", False),
    ],
)
def test_news_of_trades_of_others_may_be_newer_than_the_account(
    kind: NotificationKind, client_id: str, *, changes: bool
) -> None:
    assert may_change_legs(notification(kind, client_id=client_id), TEN) is changes
    assert not may_change_legs(notification(kind, client_id=client_id), NOTHING)


def test_the_echo_of_our_own_trade_is_no_news_of_a_leg() -> None:
    traded = replace(TEN, traded_at=NOW - timedelta(seconds=4))
    assert not may_change_legs(notification(NotificationKind.BALANCE), traded)


def test_balances_are_looked_at_when_the_echo_of_our_own_trade_has_passed() -> None:
    traded = replace(TEN, traded_at=NOW - timedelta(seconds=4))
    assert look_at(notification(NotificationKind.BALANCE), traded) == NOW - timedelta(seconds=4) + GRACE
    assert look_at(notification(NotificationKind.LOST), traded) == NOW + timedelta(seconds=0.5)
    long_ago = replace(TEN, traded_at=NOW - timedelta(hours=1))
    assert look_at(notification(NotificationKind.BALANCE), long_ago) == NOW + timedelta(seconds=0.5)


# --- the account -----------------------------------------------------------------------------------------------------


def legs(coins: str = "10", short: str = "10", **changes: Any) -> AccountView:
    return holding(short_of(quantity=short, **changes), coins=coins)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (legs(), None),
        (legs(coins="9"), AlarmKind.LEGS),
        (legs(short="9"), AlarmKind.LEGS),
        (legs(coins="0"), AlarmKind.LEGS),
        (account(), AlarmKind.LEGS),
        (legs(leverage=2), AlarmKind.HEALTH),
        (legs(liquidation_price=Decimal(114)), AlarmKind.DISTANCE),
    ],
)
def test_what_an_account_shows(seen: AccountView, kind: AlarmKind | None) -> None:
    assert kind_of(first_alarm(TEN, seen)) is kind


def test_a_hedge_that_lost_a_leg_and_knows_it_is_an_alarm_until_it_is_closed() -> None:
    bought = replace(hedge("10"), orders=hedge("10").orders[:1], tally=Tally.of(hedge("10").orders[:1]))
    found = first_alarm(ledger_of(bought), account(coins={"AAA": "10"}))
    assert found is not None
    assert (found.kind, found.text) == (AlarmKind.HEALTH, "AAAUSDT: the short leg is gone")


@pytest.mark.parametrize("ledger", [NOTHING, BUSY])
def test_an_account_is_not_judged_while_nothing_is_held_or_a_job_is_at_work(ledger: Ledger) -> None:
    assert first_alarm(ledger, account()) is None


@pytest.mark.parametrize(("coins", "hurry"), [("10", False), ("10.5", False), ("9.9", True)])
def test_a_job_that_rests_is_hurried_by_what_others_took_from_its_legs(coins: str, *, hurry: bool) -> None:
    closing = replace(TEN, execution=new_job(ExecutionKind.CLOSE))
    assert (disturbance(closing, legs(coins=coins)) is not None) is hurry


def test_an_opening_is_judged_when_the_account_has_had_time_to_show_it() -> None:
    opening = opening_of(hedge("10"), traded_at=NOW - GRACE)
    assert disturbance(opening, legs(coins="9"))
    assert not disturbance(replace(opening, traded_at=NOW - GRACE / 2), legs(coins="9"))


@pytest.mark.parametrize(
    ("coins", "short", "missing"),
    [
        ("10", "10", None),
        ("6", "10", None),
        ("10", "6", None),
        ("5.9", "10", "0.1 of the coins"),
        ("10", "5", "1 of the short"),
        ("4", "0", "2 of the coins and 6 of the short"),
    ],
)
def test_an_opening_that_others_take_apart_is_seen_though_the_account_may_lack_its_newest_slice(
    coins: str, short: str, missing: str | None
) -> None:
    first, second = hedge("6").orders, hedge("4").orders
    orders = (*first, *(replace(record, issued_at=NOW - timedelta(seconds=50)) for record in second))
    opening = replace(hedge("10"), orders=orders, tally=Tally.of(orders))
    assert opening.spot_quantity == opening.short == 10
    busy = opening_of(opening, traded_at=NOW - timedelta(seconds=2))
    alarm = disturbance(busy, legs(coins=coins, short=short))
    assert (alarm is None) == (missing is None)
    assert alarm is None or (alarm.kind, alarm.text) == (
        AlarmKind.LEGS,
        f"AAAUSDT: the account does not show {missing}",
    )


def test_a_job_that_holds_nothing_yet_is_never_hurried() -> None:
    assert not disturbance(Ledger(execution=new_job()), account())


@pytest.mark.parametrize(
    ("mark", "bound"),
    [("100", None), ("158", None), ("159", "25%"), ("166", "20%"), ("173", "15%"), ("250", "15%")],
)
def test_how_near_the_mark_is(mark: str, bound: str | None) -> None:
    alarm = mark_alarm(TEN, legs(), Decimal(mark))
    assert (alarm is None) == (bound is None)
    assert alarm is None or f"less than {bound}" in alarm.text


def test_the_outermost_bound_is_an_alarm_only_while_there_is_usdt_to_move() -> None:
    poor = holding(short_of(quantity="10"), coins="10", usdt="1")
    assert mark_alarm(TEN, poor, Decimal(159)) is None
    assert kind_of(mark_alarm(TEN, poor, Decimal(166))) is AlarmKind.DISTANCE


@pytest.mark.parametrize(
    ("ledger", "seen", "mark"),
    [
        (NOTHING, legs(), "190"),
        (TEN, account(), "190"),
        (TEN, legs(short="-1"), "190"),
        (TEN, legs(liquidation_price=None), "190"),
        (TEN, legs(), "0"),
    ],
)
def test_without_a_short_its_liquidation_price_or_a_mark_nothing_is_near(
    ledger: Ledger, seen: AccountView, mark: str
) -> None:
    assert mark_alarm(ledger, seen, Decimal(mark)) is None


UNEVEN = legs(coins="10", short="9.7", mark_price=Decimal(10))
"""What is too many is worth three USDT: less than an order."""


def test_coins_that_a_higher_price_makes_worth_an_order_are_an_alarm() -> None:
    held = hedge("10")
    bought = OrderRecord.of_fill(fill(Market.PERP, Side.BUY, "0.3"), hedge_id="h1", base="AAA", fee_quote=Decimal(0))
    orders = (*held.orders, bought)
    ledger = ledger_of(replace(held, orders=orders, tally=Tally.of(orders)))
    assert price_alarm(ledger, UNEVEN, Decimal(10)) is None
    assert kind_of(price_alarm(ledger, UNEVEN, Decimal(20))) is AlarmKind.HEALTH
    assert price_alarm(replace(ledger, traded_at=NOW), UNEVEN, Decimal(20)) is None, "it may show what was before"
    assert price_alarm(ledger, legs(coins="10", short="9.7", mark_price=Decimal(20)), Decimal(20)) is None, "known"
    assert price_alarm(ledger, legs(coins="10", short="9.7", mark_price=Decimal(0)), Decimal(20)) is None
    assert price_alarm(ledger, account(coins={"AAA": "10"}), Decimal(20)) is None
    assert price_alarm(ledger, UNEVEN, Decimal(0)) is None
    assert price_alarm(NOTHING, UNEVEN, Decimal(20)) is None


def test_a_mark_near_the_liquidation_price_is_an_alarm() -> None:
    assert kind_of(price_alarm(TEN, legs(), Decimal(173))) is AlarmKind.DISTANCE


def test_news_name_their_market() -> None:
    assert notification(NotificationKind.BALANCE, market=Market.SPOT).market is Market.SPOT


# --- after a trade that left an order in doubt -----------------------------------------------------------------------


def ended(**changes: Any) -> Ledger:
    """Return a ledger whose newest trade ended with a hedging order that never reached the book."""
    builder = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100).ends("s-1", 10, 1000)
    ledger = builder.issue("p-1", Side.SELL, 10, 100).aborted().ledger
    return replace(ledger, **changes)


def test_a_position_that_shows_after_an_order_in_doubt_is_an_alarm() -> None:
    assert ended_in_doubt(ended())
    alarm = first_alarm(ended(), account(short_of("ABCUSDT", "10")))
    assert alarm is not None
    assert alarm.kind is AlarmKind.LEGS
    assert first_alarm(ended(), account()) is None


def test_coins_beyond_the_books_are_an_alarm_after_an_order_in_doubt() -> None:
    opened = Books().with_flow(
        ExternalFlow(at=NOW, row_id="o", wallet=Wallet.SPOT, asset="ABC", amount=Decimal(3), kind=FlowKind.OPENING)
    )
    assert first_alarm(ended(books=opened), account(coins={"ABC": "3"})) is None
    assert first_alarm(ended(books=opened), account(coins={"ABC": "4"})) is not None


def test_without_an_order_in_doubt_nothing_is_looked_for() -> None:
    assert not ended_in_doubt(Ledger())
    assert not ended_in_doubt(LedgerBuilder().open_hedge().close_hedge().ledger)
    assert not ended_in_doubt(ended(hedges=LedgerBuilder().open_hedge().ledger.hedges))
    assert first_alarm(LedgerBuilder().open_hedge().close_hedge().ledger, account(short_of("ABCUSDT", "10"))) is None


def test_the_liquidation_of_the_short_is_called_that() -> None:
    alarm = notification_alarm(notification(NotificationKind.FORCED, forced_trade=ForcedTrade.LIQUIDATION), TEN)
    assert alarm is not None
    assert alarm.text.endswith("by force: liquidation")
