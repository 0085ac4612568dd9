from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionPlan, ExecutionState, HedgeExecution
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import ImportedState, Ledger, Totals
from hedgerow.domain.position import ClosedHedge, DustLot, Reason, Tally
from hedgerow.strategy.decisions.reconcile import candidate_of, reconcile, value_of
from hedgerow.strategy.decisions.verdicts import (
    Adopt,
    Ambiguous,
    ClosedExternally,
    Consistent,
    ForeignShort,
    HalfOpen,
    InFlight,
    NakedForeign,
    NotAdopted,
    Nothing,
    Replaced,
    Unreadable,
    Verdict,
    agreement,
    halt_for,
)
from hedgerow.strategy.parameters import AdoptMode
from support.views import (
    NOW,
    account,
    hedge,
    holding,
    instrument,
    ledger_of,
    listing,
    market_of,
    pair_of,
    short_of,
    sole,
)

MARKET = market_of(listing(pair=pair_of("AAAUSDT")), listing(pair=pair_of("BBBUSDT")), listing(pair=pair_of("CCCUSDT")))
TRACKED = ledger_of(hedge("10"))


def found(seen: AccountView, ledger: Ledger | None = None, adopt: AdoptMode = AdoptMode.BALANCED) -> Verdict:
    return sole(reconcile(ledger or Ledger(), seen, MARKET, adopt))


# --- the guide's four cases ---------------------------------------------------------------------------------------


def test_case_1_tracked_but_not_on_the_exchange_was_closed_elsewhere() -> None:
    assert found(account(), TRACKED) == ClosedExternally(symbol="AAAUSDT")


def test_case_2_on_the_exchange_but_not_tracked_is_adopted() -> None:
    verdict = found(holding(short_of(quantity="10"), coins="10.1"))
    assert isinstance(verdict, Adopt)
    assert (verdict.candidate.symbol, verdict.candidate.spot, verdict.candidate.short) == (
        "AAAUSDT",
        Decimal("10.1"),
        Decimal(10),
    )


@pytest.mark.parametrize(("seconds", "adopted"), [(0, False), (119, False), (120, True), (-1, True)])
def test_a_position_of_a_pair_that_was_closed_right_before_is_not_adopted(seconds: int, *, adopted: bool) -> None:
    ended = ClosedHedge(hedge=hedge("10"), closed_at=NOW - timedelta(seconds=seconds), reason=Reason.MAX_AGE)
    verdict = found(holding(short_of(quantity="10"), coins="10.1"), Ledger(closed=(ended,)))
    assert isinstance(verdict, Adopt if adopted else Unreadable)


def test_case_3_another_position_than_the_tracked_one_replaces_it() -> None:
    seen = account(short_of("BBBUSDT", "5"), coins={"BBB": "5"})
    verdict = found(seen, TRACKED)
    assert isinstance(verdict, Replaced)
    assert (verdict.symbol, verdict.candidate.symbol) == ("AAAUSDT", "BBBUSDT")


def test_case_4_a_tracked_position_that_is_there_is_confirmed_with_its_value() -> None:
    seen = holding(short_of(quantity="10"), coins="10")
    confirmed = Consistent(symbol="AAAUSDT", spot_quantity=Decimal(10), perp_quantity=Decimal(-10))
    assert found(seen, TRACKED) == confirmed
    assert value_of(confirmed, seen, MARKET) == 1000


# --- the position of the guide's state file -------------------------------------------------------------------------

IMPORTED = Ledger(imported=ImportedState(symbol="AAAUSDT", positions_opened=8, positions_closed=7))


def test_a_position_of_the_guides_file_that_is_gone_was_closed_elsewhere() -> None:
    assert found(account(), IMPORTED) == ClosedExternally(symbol="AAAUSDT")


def test_another_position_than_the_one_of_the_guides_file_replaces_it() -> None:
    verdict = found(account(short_of("BBBUSDT", "5"), coins={"BBB": "5"}), IMPORTED)
    assert isinstance(verdict, Replaced)
    assert (verdict.symbol, verdict.candidate.symbol) == ("AAAUSDT", "BBBUSDT")


def test_the_position_of_the_guides_file_that_is_there_is_adopted() -> None:
    assert isinstance(found(holding(short_of(quantity="10"), coins="10"), IMPORTED), Adopt)


def test_the_position_of_the_guides_file_is_not_missed_while_it_cannot_be_read_or_may_not_be_adopted() -> None:
    unread = account(unreadable_positions=frozenset({"AAAUSDT"}))
    assert found(unread, IMPORTED) == Nothing()
    assert found(holding(short_of(quantity="10"), coins="10"), IMPORTED, AdoptMode.NEVER) == Nothing()


def test_naked_shorts_are_reported_before_the_position_of_the_guides_file_is_missed() -> None:
    assert isinstance(found(account(short_of("BBBUSDT", "5")), IMPORTED), NakedForeign)


def test_the_position_of_the_guides_file_is_missed_once() -> None:
    traded = replace(IMPORTED, totals=Totals(opened=1, closed=1))
    assert found(account(), traded) == Nothing()


# --- the tracked hedge ----------------------------------------------------------------------------------------------


def test_the_value_falls_back_on_the_mark_and_is_unknown_without_any_price() -> None:
    seen = holding(short_of(quantity="10", mark_price=Decimal(90)), coins="10")
    blind = sole(reconcile(TRACKED, seen, None))
    assert isinstance(blind, Consistent)
    assert value_of(blind, seen, None) == 900
    one_sided = market_of(listing(pair=pair_of(), spot=("100", None)))
    assert value_of(blind, seen, one_sided) == 900
    coins_alone = account(coins={"AAA": "10"})
    without_short = replace(hedge("10"), tally=Tally(spot_quantity=Decimal(10)))
    unpriced = sole(reconcile(ledger_of(without_short), coins_alone, None))
    assert isinstance(unpriced, Consistent)
    assert value_of(unpriced, coins_alone, None) is None
    assert value_of(unpriced, None, None) is None


@pytest.mark.parametrize(("coins", "short", "market"), [("10", "0", Market.PERP), ("0", "10", Market.SPOT)])
def test_a_leg_of_a_single_lot_that_is_gone_is_missed(coins: str, short: str, market: Market) -> None:
    coarse = hedge("10", pair=pair_of(perp=instrument(Market.PERP, lot=Decimal(10))))
    verdict = found(holding(short_of(quantity=short), coins=coins), ledger_of(coarse))
    assert isinstance(verdict, HalfOpen)
    assert verdict.market is market


def test_a_lot_of_coins_is_tolerated_that_a_fee_in_coin_may_be_rounded_by_and_no_lot_of_the_short() -> None:
    assert isinstance(found(holding(short_of(quantity="10"), coins="9.999"), TRACKED), Consistent)
    assert isinstance(found(holding(short_of(quantity="10"), coins="9.998"), TRACKED), HalfOpen)
    assert isinstance(found(holding(short_of(quantity="9.999"), coins="10"), TRACKED), HalfOpen)


def test_the_lot_that_counts_for_the_coins_is_their_own() -> None:
    coarse = ledger_of(hedge("10", pair=pair_of(perp=instrument(Market.PERP, lot=Decimal(1)))))
    assert isinstance(found(holding(short_of(quantity="10"), coins="9.5"), coarse), HalfOpen)


@pytest.mark.parametrize(
    ("coins", "short", "market", "missing_spot", "missing_short"),
    [
        ("10", "0", Market.PERP, "0", "10"),
        ("0", "10", Market.SPOT, "10", "0"),
        ("9", "10", Market.SPOT, "1", "0"),
        ("10", "9", Market.PERP, "0", "1"),
        ("7", "9", Market.SPOT, "3", "1"),
    ],
)
def test_a3_a_broken_hedge_is_half_open_and_never_forgotten(
    coins: str, short: str, market: Market, missing_spot: str, missing_short: str
) -> None:
    verdict = found(holding(short_of(quantity=short), coins=coins), TRACKED)
    assert verdict == HalfOpen(
        symbol="AAAUSDT",
        market=market,
        missing_spot=Decimal(missing_spot),
        missing_short=Decimal(missing_short),
    )


def test_a5_the_users_own_coins_do_not_hide_nor_break_a_hedge() -> None:
    assert isinstance(found(holding(short_of(quantity="10"), coins="500"), TRACKED), Consistent)


def test_a_naked_short_beside_the_hedge_is_named() -> None:
    seen = holding(short_of(quantity="10"), short_of("BBBUSDT", "3"), coins="10")
    verdict = found(seen, TRACKED)
    assert isinstance(verdict, Consistent)
    assert verdict.foreign == (ForeignShort(symbol="BBBUSDT", quantity=Decimal(3)),)


def test_a_short_larger_than_the_ledgers_is_foreign_unless_the_users_coins_cover_it() -> None:
    more = found(holding(short_of(quantity="12"), coins="10"), TRACKED)
    assert isinstance(more, Consistent)
    assert more.foreign == (ForeignShort(symbol="AAAUSDT", quantity=Decimal(2)),)
    covered = found(holding(short_of(quantity="12"), coins="12"), TRACKED)
    assert isinstance(covered, Consistent)
    assert covered.foreign == ()


@pytest.mark.parametrize(
    "seen",
    [
        account(short_of("BBBUSDT", "5"), short_of("CCCUSDT", "5"), coins={"BBB": "5", "CCC": "5"}),
        account(short_of("BBBUSDT", "5"), coins={"BBB": "9"}),
        account(short_of("BBBUSDT", "5"), short_of("CCCUSDT", "5"), coins={"BBB": "5"}),
    ],
)
def test_a_tracked_hedge_is_replaced_only_by_exactly_one_balanced_other(seen: AccountView) -> None:
    assert found(seen, TRACKED) == ClosedExternally(symbol="AAAUSDT")


def test_nothing_replaces_a_hedge_when_nothing_may_be_adopted_or_the_market_is_unreadable() -> None:
    seen = account(short_of("BBBUSDT", "5"), coins={"BBB": "5"})
    assert found(seen, TRACKED, AdoptMode.NEVER) == ClosedExternally(symbol="AAAUSDT")
    assert sole(reconcile(TRACKED, seen, None)) == ClosedExternally(symbol="AAAUSDT")


# --- nothing tracked --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coins", "adopted"), [("10", True), ("10.2", True), ("9.8", True), ("10.21", False), ("9.79", False)]
)
def test_a_position_balanced_within_2_percent_is_adopted(*, coins: str, adopted: bool) -> None:
    assert isinstance(found(holding(short_of(quantity="10"), coins=coins)), Adopt) == adopted


def test_coins_without_a_short_are_the_users() -> None:
    assert found(account(coins={"AAA": "500"})) == Nothing()


def test_a_long_perpetual_is_the_users() -> None:
    assert found(account(short_of(quantity="-5"))) == Nothing()


def test_a_short_beside_more_coins_than_it_needs_is_not_adopted_by_itself() -> None:
    verdict = found(holding(short_of(quantity="10"), coins="500"))
    assert isinstance(verdict, NotAdopted)
    halt = halt_for(verdict)
    assert halt is not None
    assert halt.detail == "AAAUSDT: short 10 beside 500 coins; adopt it by name, or close it"


def test_a_naked_foreign_short_halts_openings() -> None:
    verdict = found(account(short_of("BBBUSDT", "3")))
    assert verdict == NakedForeign(shorts=(ForeignShort(symbol="BBBUSDT", quantity=Decimal(3)),))
    halt = halt_for(verdict)
    assert halt is not None
    assert halt.reason is HaltReason.FOREIGN_SHORT
    assert "BBBUSDT 3" in halt.detail


def test_a_short_without_a_spot_market_is_naked() -> None:
    verdict = found(account(short_of("ZZZUSDT", "3"), coins={"ZZZ": "3"}))
    assert verdict == NakedForeign(shorts=(ForeignShort(symbol="ZZZUSDT", quantity=Decimal(3)),))


def test_a_naked_short_beside_a_balanced_position_lets_nothing_be_adopted() -> None:
    seen = account(short_of("AAAUSDT", "1"), short_of("BBBUSDT", "3"), coins={"AAA": "1"})
    assert isinstance(found(seen), NakedForeign)


def test_several_candidates_are_none_adopted_and_openings_halted() -> None:
    verdict = found(account(short_of("AAAUSDT"), short_of("BBBUSDT"), coins={"AAA": "1", "BBB": "1"}))
    assert isinstance(verdict, Ambiguous)
    halt = halt_for(verdict)
    assert halt is not None
    assert (halt.reason, halt.detail) == (
        HaltReason.SEVERAL_POSITIONS,
        "AAAUSDT, BBBUSDT: adopt one by name, or close them",
    )


def test_with_adoption_off_covered_shorts_are_the_users_but_naked_ones_still_halt() -> None:
    assert found(holding(short_of(quantity="10"), coins="10"), adopt=AdoptMode.NEVER) == Nothing()
    assert isinstance(found(account(short_of())), NakedForeign)
    assert isinstance(found(account(short_of()), adopt=AdoptMode.NEVER), NakedForeign)


def test_dust_of_the_ledger_is_not_counted_for_a_foreign_short() -> None:
    dust = Ledger(dust={"AAA": DustLot(asset="AAA", quantity=Decimal(1), cost=Decimal(100))})
    assert isinstance(found(holding(short_of(quantity="10"), coins="10"), dust), NakedForeign)
    assert isinstance(found(holding(short_of(quantity="10"), coins="11"), dust), Adopt)


# --- what cannot be judged ------------------------------------------------------------------------------------------


def test_a_job_in_flight_is_not_judged() -> None:
    job = HedgeExecution(
        hedge_id="h1",
        kind=ExecutionKind.OPEN,
        pair=pair_of(),
        reason=Reason.BEST_OPPORTUNITY,
        plan=ExecutionPlan(spot_quantity=Decimal(1), perp_quantity=Decimal(1), slice_notional=Decimal(100)),
        limits=ExecutionLimits(),
        state=ExecutionState.FOLLOWING,
        started_at=NOW,
        stage_since=NOW,
    )
    assert found(account(), Ledger(execution=job)) == InFlight(hedge_id="h1")


def test_b5_an_unreadable_account_is_no_verdict() -> None:
    assert sole(reconcile(TRACKED, None, MARKET)) == Unreadable(what="account")


def test_without_the_listing_a_short_cannot_be_judged_but_an_empty_account_can() -> None:
    assert sole(reconcile(Ledger(), account(short_of()), None)) == Unreadable(what="market")
    assert sole(reconcile(Ledger(), account(), None)) == Nothing()


@pytest.mark.parametrize("verdict", [Nothing(), ClosedExternally(symbol="AAAUSDT"), Unreadable(what="account")])
def test_other_verdicts_halt_nothing(verdict: Verdict) -> None:
    assert halt_for(verdict) is None


# --- by name ----------------------------------------------------------------------------------------------------------


def test_adoption_by_name_takes_as_much_as_both_legs_have() -> None:
    more_coins = candidate_of("AAAUSDT", Ledger(), holding(short_of(quantity="10"), coins="500"), MARKET)
    more_short = candidate_of("AAAUSDT", Ledger(), holding(short_of(quantity="10"), coins="6.0005"), MARKET)
    assert more_coins is not None
    assert (more_coins.adopted_spot, more_coins.adopted_short) == (Decimal(10), Decimal(10))
    assert more_short is not None
    assert (more_short.adopted_spot, more_short.adopted_short) == (Decimal("6.0005"), Decimal("6.000"))


@pytest.mark.parametrize("coins", ["0", "0.0005"])
def test_there_is_nothing_to_adopt_without_coins_or_a_short(coins: str) -> None:
    assert candidate_of("AAAUSDT", Ledger(), holding(short_of(quantity="10"), coins=coins), MARKET) is None
    assert candidate_of("BBBUSDT", Ledger(), holding(short_of(quantity="10")), MARKET) is None


def test_a_short_without_an_entry_price_is_taken_at_its_mark() -> None:
    seen = holding(short_of(quantity="10", entry_price=Decimal(0), mark_price=Decimal(95)), coins="10")
    candidate = candidate_of("AAAUSDT", Ledger(), seen, MARKET)
    assert candidate is not None
    assert candidate.entry_price == 95


# --- two readings ----------------------------------------------------------------------------------------------------


def lacking(spot: str, short: str, symbol: str = "AAAUSDT") -> HalfOpen:
    missing_spot, missing_short = Decimal(spot), Decimal(short)
    market = Market.SPOT if missing_spot >= missing_short else Market.PERP
    return HalfOpen(symbol=symbol, market=market, missing_spot=missing_spot, missing_short=missing_short)


@pytest.mark.parametrize(
    ("first", "second", "agreed"),
    [
        (Nothing(), Nothing(), Nothing()),
        (Nothing(), lacking("1", "0"), None),
        (lacking("1", "0"), Nothing(), None),
        (lacking("1", "0"), lacking("1", "0"), lacking("1", "0")),
        (lacking("1", "0"), lacking("3", "0"), lacking("1", "0")),
        (lacking("0", "4"), lacking("0", "2"), lacking("0", "2")),
        (lacking("1", "0"), lacking("0", "1"), None),
        (lacking("1", "0"), lacking("2", "0", "BBBUSDT"), None),
    ],
)
def test_two_readings_agree_on_what_both_saw(first: Verdict, second: Verdict, agreed: Verdict | None) -> None:
    assert agreement(first, second) == agreed
