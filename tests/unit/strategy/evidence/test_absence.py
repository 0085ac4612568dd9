"""What proves that a leg is gone, source by source."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import ExternalFlow, FlowKind, HaltReason, Wallet
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.books import Books
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.strategy.decisions.alarms import AlarmKind
from hedgerow.strategy.decisions.entry import entry_refusals, openings_blocked
from hedgerow.strategy.decisions.reconcile import coins_unread, reconcile
from hedgerow.strategy.decisions.verdicts import HalfOpen, Nothing, Unreadable, symbols_of
from hedgerow.strategy.evaluation.health import health_of, legs_of
from hedgerow.strategy.evidence.absence import (
    COINS_CONFIRMED_SECONDS,
    OWN_TRADE_LAG,
    CoinEvidence,
    LegReading,
    ShortEvidence,
    are_coins_taken,
    coin_reading,
    confirmed_coins,
    confirmed_short,
    is_in_doubt,
    lasting,
    may_lag,
    most_shown,
    said_of,
    short_may_lag,
    short_reading,
    usdt_lags,
    with_coins_in_doubt,
    with_confirmed_coins,
    with_confirmed_short,
    with_short_in_doubt,
)
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy
from support.views import (
    NOW,
    account,
    first_alarm,
    hedge,
    holding,
    ledger_of,
    listing,
    market_of,
    pair_of,
    short_of,
    sole,
)

MARKET = market_of(listing(pair=pair_of("AAAUSDT")), listing(pair=pair_of("BBBUSDT")))
HEDGE = hedge("10")
TRACKED = ledger_of(HEDGE)
WHOLE = holding(short_of(quantity="10"), coins="10")


def d(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def reading(shown: str | None, tolerance: str = "0") -> LegReading:
    return LegReading(owned=Decimal(10), shown=d(shown), tolerance=Decimal(tolerance))


@pytest.mark.parametrize(
    ("shown", "second", "bought", "delisted", "left"),
    [
        ("0", "10", "0", False, None),
        ("0", None, None, False, None),
        ("0", None, "0", False, None),
        ("0", None, "10", False, "0"),
        ("0", "10", "10", False, "0"),
        ("0", "0", None, False, "0"),
        ("0", "0", "0", False, "0"),
        ("4", "2", None, False, "4"),
        ("2", "4", "0", False, "4"),
        ("4", None, "6", False, "4"),
        ("4", None, "5", False, None),
        ("0", None, "0", True, "0"),
        (None, None, None, False, None),
        (None, None, "10", False, "0"),
        (None, None, "4", False, None),
        (None, None, None, True, "0"),
        (None, "10", None, False, "10"),
        (None, "12", None, False, "12"),
        (None, "4", "6", False, "4"),
        (None, "4", "5", False, None),
        (None, "0", None, False, None),
    ],
)
def test_a_short_is_gone_only_as_far_as_two_sources_say_so(
    shown: str | None,
    second: str | None,
    bought: str | None,
    delisted: bool,  # noqa: FBT001 - a parameter of the test
    left: str | None,
) -> None:
    evidence = ShortEvidence(second=d(second), bought=d(bought), delisted=delisted)
    assert confirmed_short(reading(shown), evidence) == d(left)


@pytest.mark.parametrize(
    ("shown", "sold", "moved", "most", "left"),
    [
        ("0", "0", "0", None, None),
        ("0", "10", None, None, "0"),
        ("0", None, "10", None, "0"),
        ("0", "6", "4", None, None),
        ("4", "6", None, None, "4"),
        ("4", "5.9", None, None, "4"),
        ("4", "5", "0", None, None),
        ("0", "0", "0", "0", "0"),
        ("0", None, "0", "0", None),
        ("0", "0", None, "0", None),
        (None, "0", "0", "0", None),
        (None, "10", "0", None, "0"),
        (None, "4", "0", None, None),
        ("0", "0", "0", "9", "9"),
        ("0", "0", "0", "9.95", None),
    ],
)
def test_coins_are_gone_only_when_trades_rows_or_a_quarter_of_an_hour_of_readings_say_so(
    shown: str | None, sold: str | None, moved: str | None, most: str | None, left: str | None
) -> None:
    evidence = CoinEvidence(sold=d(sold), moved=d(moved), most_shown=d(most))
    assert confirmed_coins(reading(shown, "0.1"), evidence) == d(left)


@pytest.mark.parametrize(
    ("shown", "second", "bought", "left"),
    [
        ("0", "0", "0", None),
        ("4", "4", None, None),
        ("0", "0", "10", "0"),
        ("0", "0", "3", "7"),
        ("8", "8", "3", "8"),
        ("0", "0", "12", "0"),
        ("0", None, "10", "0"),
        ("0", None, "3", None),
        (None, "10", "0", "10"),
        (None, "0", "0", None),
        (None, "0", "3", "7"),
    ],
)
def test_of_a_short_that_was_sold_lately_only_what_trades_bought_back_is_gone(
    shown: str | None, second: str | None, bought: str | None, left: str | None
) -> None:
    evidence = ShortEvidence(second=d(second), bought=d(bought), lagging=True)
    assert confirmed_short(reading(shown), evidence) == d(left)


@pytest.mark.parametrize(
    ("shown", "sold", "moved", "left"),
    [
        ("0", "0", "0", None),
        ("0", "4", "0", "6"),
        ("0", None, "4", "6"),
        ("0", "0.1", "0", None),
        ("8", "4", "0", "8"),
        (None, "4", None, "6"),
        ("0", "10", "0", "0"),
        ("0", "9.95", "0", "0.05"),
        ("0", "11", "0", "0"),
    ],
)
def test_of_coins_that_were_bought_lately_only_what_trades_and_rows_took_is_gone(
    shown: str | None, sold: str | None, moved: str | None, left: str | None
) -> None:
    evidence = CoinEvidence(sold=d(sold), moved=d(moved), lagging=True)
    assert confirmed_coins(reading(shown, "0.1"), evidence) == d(left)


def test_replies_may_lag_for_two_minutes_after_an_opening_or_an_adoption() -> None:
    opened = replace(HEDGE, opened_at=NOW, adopted_at=None)
    found = replace(HEDGE, opened_at=NOW - timedelta(days=1), adopted_at=NOW)
    for each in (opened, found):
        assert may_lag(each, NOW + OWN_TRADE_LAG - timedelta(seconds=1))
        assert not may_lag(each, NOW + OWN_TRADE_LAG)
    assert not may_lag(opened, NOW - timedelta(days=1)), "the clock was set back"


def test_coins_that_a_reply_does_not_show_yet_are_counted_beside_those_it_shows() -> None:
    def coins(shown: str, left: str) -> Decimal:
        return with_confirmed_coins(holding(coins=shown), "AAA", Decimal(left)).coin("AAA").total

    assert coins("0", "6") == 6
    assert coins("8", "6") == 8


def test_the_least_that_every_reading_of_a_quarter_of_an_hour_lacks_is_what_lasted() -> None:
    seen = tuple((at, Decimal(shown)) for at, shown in ((0.0, 9), (10.0, 7), (20.0, 8), (905.0, 1)))
    assert most_shown((), 1e6) is None
    assert most_shown(lasting(seen[:3], 899.0), 899.0) is None
    assert most_shown(lasting(seen, 905.0), 905.0) == 9
    assert lasting(seen, 915.0) == seen[1:]
    assert most_shown(lasting(seen, 915.0), 915.0) == 8
    assert most_shown(lasting(seen, 920.0), 920.0) == 8
    assert lasting(seen, 905.0 + COINS_CONFIRMED_SECONDS) == seen[3:]


def test_only_less_than_the_log_has_is_missing() -> None:
    assert not short_reading(HEDGE, WHOLE).short_of
    assert not coin_reading(HEDGE, WHOLE).short_of
    assert short_reading(HEDGE, account()).short_of
    assert coin_reading(HEDGE, account()).missing == 10
    assert not LegReading(owned=Decimal(0), shown=None, tolerance=Decimal(0)).short_of


def test_a_doubt_says_what_the_reply_shows() -> None:
    assert said_of(reading("4.0"), "AAAUSDT short") == "shows a AAAUSDT short of 4"
    assert said_of(reading(None), "AAAUSDT short") == "leaves the AAAUSDT short out"


def test_a_leg_in_doubt_counts_as_the_log_has_it_and_is_no_finding() -> None:
    seen = with_coins_in_doubt(with_short_in_doubt(account(), "AAAUSDT", "one"), "AAA", "two")
    assert seen.doubts == ("one", "two")
    legs = legs_of(HEDGE, seen)
    assert legs.spot == legs.short == 10
    assert is_in_doubt(HEDGE, seen)
    health = health_of(HEDGE, Observation(at=NOW, market=MARKET, account=seen), Decimal(100))
    assert health.findings == ()
    assert health.unknown == ("account: its replies contradict each other",)
    assert sole(reconcile(TRACKED, seen, MARKET)) == Unreadable(what="account: its replies contradict each other")
    alarm = first_alarm(TRACKED, seen)
    assert alarm is not None
    assert alarm.kind is AlarmKind.DOUBT


def test_a_leg_that_is_proven_gone_is_missing_although_the_other_is_in_doubt() -> None:
    seen = with_coins_in_doubt(account(), "AAA", "coins")
    assert sole(reconcile(TRACKED, seen, MARKET)) == HalfOpen(
        symbol="AAAUSDT", market=Market.PERP, missing_spot=Decimal(0), missing_short=Decimal(10)
    )


def test_what_two_sources_agree_on_is_read_again() -> None:
    unread = replace(account(), unreadable_positions=frozenset({"AAAUSDT"}), unreadable_balances=frozenset({"AAA"}))
    row = short_of(quantity="10")
    known = with_confirmed_short(unread, "AAAUSDT", Decimal(10), row)
    assert known.positions == {"AAAUSDT": row}
    assert with_confirmed_short(known, "AAAUSDT", Decimal(4)).short("AAAUSDT") == 4
    assert with_confirmed_short(known, "AAAUSDT", Decimal(0)).positions == {}
    assert with_confirmed_short(unread, "AAAUSDT", Decimal(0)).unreadable_positions == frozenset()
    assert not is_in_doubt(HEDGE, with_confirmed_coins(known, "AAA", Decimal(0)))
    assert with_confirmed_coins(WHOLE, "AAA", Decimal(4)).coin("AAA").total == 10
    assert with_confirmed_coins(known, "AAA", Decimal(4)).coin("AAA").total == 4


def test_an_alarm_names_only_the_leg_that_is_missing() -> None:
    def text(seen: AccountView) -> str:
        alarm = first_alarm(TRACKED, seen)
        assert alarm is not None
        return alarm.text

    assert text(holding(short_of(quantity="4"), coins="10")) == "AAAUSDT: the account does not show 6 of the short"
    assert text(account()) == "AAAUSDT: the account shows neither leg"


def test_a_short_whose_coins_cannot_be_read_is_neither_adopted_nor_naked() -> None:
    seen = replace(account(short_of("BBBUSDT", "5")), unreadable_balances=frozenset({"BBB"}))
    assert coins_unread(seen, MARKET) == ["BBB"]
    assert sole(reconcile(Ledger(), seen, MARKET)) == Unreadable(what="the balance of BBB")


@pytest.mark.parametrize("changes", [{"unreadable_positions": {"BBBUSDT"}}, {"unreadable_balances": {"BBB"}}])
def test_a_pair_whose_position_or_balance_cannot_be_read_is_not_entered(changes: dict[str, set[str]]) -> None:
    policy = load_policy(StrategyParameters().policy, StrategyParameters())
    seen = replace(account(), **{name: frozenset(value) for name, value in changes.items()})
    (refusal,) = entry_refusals("BBBUSDT", policy.rank(MARKET), MARKET, seen, policy)
    assert refusal.detail == "what the account holds of it cannot be read"


def test_a_halt_that_lifts_itself_gives_way_to_one_that_does_not() -> None:
    def halted(reason: HaltReason) -> Ledger:
        return Ledger(halt=StandingHalt(since=NOW, reason=reason, detail=""))

    assert Ledger().standing_halt is None
    assert halted(HaltReason.ACCOUNT_IN_DOUBT).standing_halt is None
    assert halted(HaltReason.NAKED).standing_halt is not None


def test_a_verdict_about_nothing_foreign_names_no_symbol() -> None:
    assert symbols_of(Nothing()) == ()


@pytest.mark.parametrize(("spot", "short", "balanced"), [("10", "9.9", True), ("10", "9.7", False), ("0", "10", False)])
def test_legs_that_lack_the_same_leave_a_hedge(spot: str, short: str, balanced: bool) -> None:  # noqa: FBT001 - a parameter of the test
    lacking = HalfOpen(symbol="AAAUSDT", market=Market.SPOT, missing_spot=Decimal(spot), missing_short=Decimal(short))
    assert lacking.balanced is balanced


@pytest.mark.parametrize(
    ("hours", "coins", "taken"),
    [
        pytest.param(1, "5.9", True, id="fewer than the sale was for"),
        pytest.param(1, "6", False, id="enough"),
        pytest.param(0.03, "0", False, id="the account may be of before the purchase"),
        pytest.param(0.04, "0", True, id="more than two minutes after the purchase"),
    ],
)
def test_coins_of_a_refused_sale_are_taken_where_the_account_lacks_them(
    hours: float, coins: str, *, taken: bool
) -> None:
    assert are_coins_taken(hedge("10", hours=hours), Decimal(6), holding(coins=coins)) is taken


def test_coins_that_cannot_be_read_are_not_taken() -> None:
    seen = replace(holding(coins="0"), unreadable_balances=frozenset({"AAA"}))
    assert not are_coins_taken(hedge("10"), Decimal(6), seen)


def traded(ago: timedelta | None, *, spot: int = 1000, perp: int = 1000, opened: bool = True) -> Ledger:
    """Return a ledger whose newest trade is so long ago, with the USDT that the books have."""
    books = Books()
    for wallet, amount in ((Wallet.SPOT, spot), (Wallet.PERP, perp)) if opened else ():
        row = f"opening:{wallet}"
        kind = FlowKind.OPENING
        flow = ExternalFlow(at=NOW, row_id=row, wallet=wallet, asset="USDT", amount=Decimal(amount), kind=kind)
        books = books.with_flow(flow)
    return Ledger(books=books, traded_at=None if ago is None else NOW - ago)


@pytest.mark.parametrize(
    ("ledger", "lags"),
    [
        pytest.param(traded(timedelta(seconds=30), spot=1500), True, id="coins were bought"),
        pytest.param(traded(timedelta(seconds=30), perp=900), True, id="margin was moved"),
        pytest.param(traded(timedelta(seconds=30)), False, id="as the books have it"),
        pytest.param(traded(OWN_TRADE_LAG, spot=1500), False, id="two minutes later"),
        pytest.param(traded(-OWN_TRADE_LAG, spot=1500), False, id="the clock was set back"),
        pytest.param(traded(None, spot=1500), False, id="nothing was traded"),
        pytest.param(traded(timedelta(seconds=30), opened=False), False, id="no books yet"),
    ],
)
def test_usdt_that_is_not_as_the_books_have_it_is_of_before_the_newest_trade(ledger: Ledger, *, lags: bool) -> None:
    assert usdt_lags(ledger, account()) is lags
    policy = load_policy(StrategyParameters().policy, StrategyParameters())
    blocked = openings_blocked(Observation(at=NOW, market=MARKET, account=account()), ledger, policy)
    assert (blocked is not None and "newest trade or transfer" in blocked.detail) is lags


def test_other_assets_than_usdt_keep_nothing_waiting() -> None:
    assert not usdt_lags(traded(timedelta(seconds=30)), account(coins={"AAA": "5"}))


@pytest.mark.parametrize(("hours", "lags"), [(0.03, True), (0.04, False)])
def test_a_short_may_not_be_shown_yet_for_two_minutes(hours: float, *, lags: bool) -> None:
    assert short_may_lag(hedge("10", hours=hours), NOW) is lags
