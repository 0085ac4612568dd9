"""Words of every kind of notice and event; the guide's blocks themselves are in ``tests/narration``."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.narration.verdicts import CLOSING, SAFETY
from hedgerow.dashboard.narration.wording import LineLevel, LogLine, is_routine, narrate, one_line, time_of
from hedgerow.domain import commands as co
from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, LegProgress
from hedgerow.domain.formats import log_funding, log_money
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.books import Books
from hedgerow.domain.ledger.state import ImportedState, Ledger, StandingHalt, Totals
from hedgerow.domain.position import Reason
from hedgerow.domain.run_identity import RunMode
from hedgerow.engine import notices as mo
from hedgerow.strategy import observation as ob
from hedgerow.strategy.decisions import verdicts as vd
from hedgerow.strategy.hedge_result import ExitPrices, result_of
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters
from support.golden_cases import (
    AT,
    ETH,
    GOLDEN_CASES,
    HEDGE,
    IDENTITY,
    PLAN,
    adopted,
    candidate,
    decided,
    evaluation,
    hedge,
    job,
    opportunity,
    reconciled,
    signal,
    started,
)
from support.views import ledger_of, pair_of, several_of

ONE = Decimal(1)


def texts(notice: mo.Notice) -> list[str]:
    return [line.text for line in narrate(notice)]


def levels(notice: mo.Notice) -> set[LineLevel]:
    return {line.level for line in narrate(notice) if line.text}


# --- levels -----------------------------------------------------------------------------------------------------------


def test_routine_notices_say_nothing_above_information() -> None:
    routine = [notice for case in GOLDEN_CASES.values() for notice in case if is_routine(notice)]
    assert {type(notice) for notice in routine} >= {mo.CycleBegan, mo.BalancesRead, mo.ScanStarted}
    quiet = {LineLevel.INFO, LineLevel.HEADING, LineLevel.SUCCESS}
    assert set().union(*(levels(notice) for notice in routine)) <= quiet
    assert not is_routine(mo.Warned(at=AT, text="x"))


# --- beginning and end -----------------------------------------------------------------------------------------------


def test_without_a_maximum_the_capital_range_has_no_limit() -> None:
    assert texts(started(parameters=StrategyParameters()))[1] == "Capital Range: $50.0 - no limit"


@pytest.mark.parametrize("mode", RunMode)
def test_the_start_says_whether_money_is_at_stake(mode: RunMode) -> None:
    (line,) = [text for text in texts(started(identity=replace(IDENTITY, mode=mode))) if text.startswith("Mode: ")]
    assert line.startswith(f"Mode: {mode.value} (")
    assert ("real orders" in line) is (mode is RunMode.LIVE)


def test_the_start_does_not_guess_what_could_not_be_found_out() -> None:
    reported = texts(started(identity=replace(IDENTITY, network=None, account=None, home=None, config_file=None)))
    assert {"Network: unknown", "Account: unknown", "Home: none, nothing is saved"} <= set(reported)
    assert "Configuration: none, the guide's defaults" in reported


def test_a_bot_without_a_home_has_the_guides_lines_alone() -> None:
    assert not any(text.startswith("Mode:") for text in texts(started(identity=None)))


def test_a_percentage_is_shown_without_the_noise_of_floats() -> None:
    parameters = StrategyParameters(funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.07))
    assert texts(started(parameters=parameters))[2] == "Min Funding APR: 7.0%"


def test_the_start_says_that_the_predicted_rate_is_used_and_which_policy_runs() -> None:
    settings = FundingRateStrategy(use_funding_ma=False)
    reported = texts(
        started(parameters=StrategyParameters(funding_rate_strategy=settings, policy="mine.Policy"), dry_run=True)
    )
    assert reported[0] == "Volume Farming Strategy initialized (Dry Run: True)"
    assert "Funding Rate Mode: Predicted Rate (no moving average)" in reported
    assert "Policy: mine.Policy" in reported


def test_the_start_says_what_an_earlier_run_left() -> None:
    ledger = Ledger(
        totals=Totals(cycles=47, funding=Decimal("15.67")),
        execution=job(),
        halt=StandingHalt(since=AT, reason=ev.HaltReason.NAKED, detail="BTCUSDT"),
    )
    assert texts(started(ledger=ledger))[-3:] == [
        "Resuming from the log: 47 cycles so far, cumulative P/L $15.67",
        "A trade was in flight at the last stop (close BTCUSDT): resuming it",
        "Openings are halted since 2025-01-15 18:45:10: a leg is naked (BTCUSDT)",
    ]


def test_a_warning_is_passed_on() -> None:
    notice = mo.Warned(at=AT, text="Could not fetch funding history: timeout")
    assert narrate(notice) == (LogLine(text=notice.text, level=LineLevel.WARNING),)


def test_a_stop_that_closes_says_so() -> None:
    reported = texts(mo.StoppedByUser(at=AT, closing=True))
    assert reported == ["", "Shutdown requested: the position is closed first, then the bot stops"]


@pytest.mark.parametrize(
    ("ledger", "line"),
    [
        (Ledger(), "No position open"),
        (ledger_of(HEDGE), "Position kept open: BTCUSDT (restart to continue)"),
        (ledger_of(HEDGE, execution=job()), "A trade is in flight (close BTCUSDT): restart to finish it"),
        (
            Ledger(halt=StandingHalt(since=AT, reason=ev.HaltReason.USER, detail="")),
            "  Openings are halted: asked by the user",
        ),
    ],
)
def test_the_last_lines_say_what_is_left_open(ledger: Ledger, line: str) -> None:
    assert line in texts(mo.Stopped(at=AT, ledger=ledger, cycles=1))


def test_the_last_statistics_are_of_every_open_position() -> None:
    other = replace(HEDGE, hedge_id="h2", pair=pair_of("BBBUSDT"))
    one, two = (texts(mo.Stopped(at=AT, ledger=several_of(*held), cycles=1)) for held in ((HEDGE,), (HEDGE, other)))
    fees = log_money(HEDGE.tally.fees)
    assert f"  Fees paid (open position): {fees}" in one
    assert f"  Fees paid (2 open positions): {log_money(2 * HEDGE.tally.fees)}" in two
    assert f"  Funding received (2 open positions): {log_funding(2 * HEDGE.funding_received)}" in two


def test_the_last_lines_name_positions_that_are_not_the_bot_s() -> None:
    text = "ETHUSDT: a short of 2 with 2 coins against it"
    said = texts(mo.Stopped(at=AT, ledger=Ledger(), cycles=1, foreign=(text,)))
    place = said.index("No position open")
    assert said[place + 1] == f"  Not ours: {text}"


# --- reconciliation and adoption -------------------------------------------------------------------------------------

CONSISTENT = vd.Consistent(symbol="BTCUSDT", spot_quantity=ONE, perp_quantity=-ONE, foreign=())


def test_while_running_a_consistent_account_is_not_mentioned() -> None:
    assert texts(reconciled(CONSISTENT, at_start=False, hedge=HEDGE)) == []
    assert texts(reconciled(vd.Nothing(), at_start=False)) == []
    assert texts(reconciled(vd.InFlight(hedge_id="x"), at_start=False)) == []
    assert texts(reconciled(vd.Unreadable(what="account"), at_start=False)) == []


def test_a_foreign_short_beside_the_position_is_mentioned_at_any_time() -> None:
    foreign = (vd.ForeignShort(symbol="ETHUSDT", quantity=Decimal("2.50")),)
    verdict = vd.Consistent(symbol="BTCUSDT", spot_quantity=ONE, perp_quantity=-ONE, foreign=foreign)
    line = "  A short of 2.5 on ETHUSDT is not the bot's and not hedged"
    assert texts(reconciled(verdict, at_start=False))[-1] == line
    assert texts(reconciled(verdict))[-1] == line


def test_values_that_are_not_known_are_called_unknown() -> None:
    reported = texts(reconciled(CONSISTENT, hedge=HEDGE, funding_before=Decimal("0.05")))
    assert reported[1:] == [
        "  Updating funding from exchange: $0.0500 -> $0.0856",
        "  Updating position value: unknown -> unknown",
    ]


def test_a_change_found_while_running_gets_the_guides_whole_block() -> None:
    assert texts(reconciled(vd.ClosedExternally(symbol="BTCUSDT"), at_start=False)) == [
        "",
        "Reconciling position state with exchange...",
        "Position BTCUSDT tracked in state but not found on exchange",
        "Position was likely closed externally. Clearing state.",
    ]


@pytest.mark.parametrize(
    ("verdict", "line", "level"),
    [
        (
            vd.HalfOpen(symbol="BTCUSDT", market=ETH.perp.market, missing_spot=Decimal(0), missing_short=ONE),
            "Position BTCUSDT is only half on the exchange: the perp leg falls short",
            LineLevel.ERROR,
        ),
        (
            vd.HalfOpen(symbol="BTCUSDT", market=ETH.spot.market, missing_spot=ONE, missing_short=Decimal("0.99")),
            "Position BTCUSDT is smaller on the exchange, both legs alike",
            LineLevel.WARNING,
        ),
        (
            vd.Ambiguous(candidates=(candidate(), candidate(ETH))),
            "Several delta-neutral positions on the exchange: BTCUSDT, ETHUSDT",
            LineLevel.WARNING,
        ),
        (
            vd.NakedForeign(shorts=(vd.ForeignShort(symbol="ETHUSDT", quantity=ONE),)),
            "  ETHUSDT: 1 without coins against it",
            LineLevel.WARNING,
        ),
        (
            vd.NotAdopted(candidate=candidate(spot="5", short="2")),
            "  `hedgerow adopt BTCUSDT` takes 2 of the coins; the rest stays yours",
            LineLevel.WARNING,
        ),
        (vd.Nothing(), "No existing delta-neutral position found", LineLevel.INFO),
        (
            vd.InFlight(hedge_id="x"),
            "A trade is in flight: it is finished first, then the account is compared",
            LineLevel.INFO,
        ),
        (
            vd.Unreadable(what="account"),
            "Could not compare with the exchange (account): the next cycle tries again",
            LineLevel.WARNING,
        ),
    ],
)
def test_the_other_verdicts_are_time_of_start(verdict: vd.Verdict, line: str, level: LineLevel) -> None:
    assert LogLine(text=line, level=level) in narrate(reconciled(verdict))


def test_an_adoption_without_history_says_so_in_the_guides_words() -> None:
    reported = texts(adopted(hedge(history_known=False), rate=None, apr=None))
    assert any(line.lstrip().startswith("Could not fetch funding history") for line in reported)
    assert reported[-3:-1] == ["  Current funding rate: unknown", "  Effective APR: unknown"]


def test_an_adoption_without_history_does_not_claim_to_know_when_it_was_opened_and_what_it_was_paid() -> None:
    reported = texts(adopted(hedge(history_known=False)))
    assert [line for line in reported if line.endswith("unknown")] == [
        "  Position opened: unknown",
        "  Funding received: unknown",
        "  Funding payments: unknown",
    ]
    assert reported[-1] == "  Age limit and fee coverage wait until the real opening is known"
    assert not any("hours ago" in line for line in reported)


def test_an_adoption_on_the_predicted_rate_says_so() -> None:
    assert "  Current funding rate: 0.0123% (predicted)" in texts(adopted(moving_average=False))


def test_a_trade_between_two_orders_says_only_how_far_it_is() -> None:
    half = replace(LegProgress(), filled=Decimal("0.002"), notional=Decimal(138))
    at = AT + timedelta(seconds=60)
    reducing = job(kind=ExecutionKind.REDUCE, plan=replace(PLAN, lead=Market.PERP), perp=half)
    assert texts(mo.OrderRests(at=at, execution=reducing)) == [
        f"  Still reducing BTCUSDT after 60.0 s: 0.002 of {PLAN.perp_quantity:f} filled"
    ]


# --- a cycle ---------------------------------------------------------------------------------------------------------


def _evaluated(**prices: str | None) -> list[str]:
    known = {"spot": "69000", "perp": "69000", "sale": "68990", "purchase": "69020", **prices}
    seen = ExitPrices(**{name: None if price is None else Decimal(price) for name, price in known.items()})
    result = result_of(HEDGE, seen, signal(), AT)
    return texts(mo.Evaluated(at=AT, evaluation=evaluation(result=result), multiplier=1.5))


def test_a_check_says_what_closing_now_makes_and_costs_and_when_that_is_earned() -> None:
    reported = _evaluated()
    assert "  Net if closed now: $-0.8977 (fees of closing $0.3747, spread $0.1086)" in reported
    assert "  Break-even at the present rate: 2025-01-25 16:00:00" in reported


def test_a_book_that_takes_nothing_makes_closing_now_unknown() -> None:
    reported = _evaluated(sale=None)
    assert "  Net if closed now: unknown (fees of closing $0.3747, spread unknown)" in reported
    assert not any("Break-even" in line for line in reported)


def test_times_are_reported_in_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    assert texts(mo.CycleBegan(at=elsewhere, number=1))[2] == "CYCLE #1 - 2025-01-15 18:45:10"


def test_a_health_check_passes_only_on_what_was_seen() -> None:
    finding = ob.HealthFinding(kind=ob.FindingKind.LEVERAGE, text="leverage is 5x, not 1x")
    bad = ob.HealthReport(level=ob.HealthLevel.CRITICAL, findings=(finding,), unknown=("market",))
    blind = ob.HealthReport(level=ob.HealthLevel.OK, unknown=("account",))

    def reported(hedges: int, report: ob.HealthReport | None) -> list[str]:
        return texts(mo.HealthJudged(at=AT, hedges=hedges, report=report))

    assert reported(0, None) == ["Health check passed (Existing DN positions: 0)"]
    assert reported(1, None) == ["Health check not possible (Existing DN positions: 1)"]
    assert reported(1, blind) == ["Health check incomplete (Existing DN positions: 1)", "  Not seen: account"]
    assert reported(1, bad) == [
        "Health check found problems (Existing DN positions: 1)",
        "  leverage is 5x, not 1x",
        "  Not seen: market",
    ]
    assert levels(mo.HealthJudged(at=AT, hedges=1, report=bad)) == {LineLevel.ERROR}
    assert levels(mo.HealthJudged(at=AT, hedges=1, report=blind)) == {LineLevel.WARNING}


def test_positions_that_are_not_the_bots_are_no_passed_health_check() -> None:
    shorts = ("ETHUSDT: 1 short without coins against it",)
    assert texts(mo.HealthJudged(at=AT, hedges=0, report=None, foreign=shorts)) == [
        "Health check found positions that are not the bot's (Existing DN positions: 0)",
        "  ETHUSDT: 1 short without coins against it",
    ]
    whole = ob.HealthReport(level=ob.HealthLevel.OK)
    assert texts(mo.HealthJudged(at=AT, hedges=1, report=whole, foreign=shorts)) == [
        "Health check passed (Existing DN positions: 1)",
        "Other positions that are not the bot's:",
        "  ETHUSDT: 1 short without coins against it",
    ]


def test_a_failed_read_says_what_is_missing_and_what_follows() -> None:
    notice = mo.ReadFailed(at=AT, missing=("market: HTTP 500", "account"))
    assert texts(notice)[0] == "Could not read: market: HTTP 500; account"
    assert levels(notice) == {LineLevel.WARNING}


def test_a_loss_keeps_its_sign_behind_the_dollar() -> None:
    judged = evaluation(unrealized_pnl=Decimal("-2.5"), pnl_fraction=-0.01)
    assert "  Unrealized PnL: $-2.50 (-1.00%)" in texts(mo.Evaluated(at=AT, evaluation=judged, multiplier=1.5))


def test_next_to_nothing_is_not_a_negative_zero() -> None:
    judged = evaluation(unrealized_pnl=Decimal("-0.001"), pnl_fraction=-0.000001)
    assert "  Unrealized PnL: $0.00 (0.00%)" in texts(mo.Evaluated(at=AT, evaluation=judged, multiplier=1.5))


def test_an_evaluation_says_what_it_could_not_see() -> None:
    judged = evaluation(
        unrealized_pnl=None,
        pnl_fraction=None,
        exit_fees=None,
        coverage=None,
        history_known=False,
        signal=None,
        result=replace(evaluation().result, spot_pnl=None, exit_fees=None, exit_spread=None),
        unseen=("spot book", "perpetual book"),
    )
    reported = texts(mo.Evaluated(at=AT, evaluation=judged, multiplier=2.0))
    assert reported[2] == "  Unrealized PnL: unknown"
    assert reported[6:] == [
        "  Total fees (entry + exit): unknown",
        "  Fees coverage ratio: unknown (target: 2.0x)",
        "  Current funding rate: unknown",
        "  Net if closed now: unknown (fees of closing unknown, spread unknown)",
        "  Funding history is not known yet: fee coverage is not judged",
        "  Not seen: spot book, perpetual book",
    ]


def test_a_failed_cycle_says_why_and_when_the_next_try_is() -> None:
    notice = mo.CycleFailed(at=AT, error="KeyError: 'x'", retry_seconds=5)
    assert texts(notice)[0] == "Cycle failed: KeyError: 'x'"
    assert texts(notice)[1].endswith("next try in 5.0 s")
    assert levels(notice) == {LineLevel.ERROR}


def test_a_cycles_end_is_not_worth_a_word() -> None:
    assert texts(mo.CycleEnded(at=AT, ledger=Ledger(), evaluation=None, equity=None)) == []


def test_the_equity_at_start_is_reported() -> None:
    assert texts(mo.EquityRead(at=AT, equity=Decimal("2430.5"))) == ["Equity: $2430.50"]


def test_books_are_mentioned_only_when_they_differ() -> None:
    differing = mo.BooksChecked(at=AT, differences={"spot:USDT": Decimal("-1.50")}, books=Books())
    assert texts(differing) == ["Books differ from the exchange (exchange - books): spot:USDT -1.5"]
    assert texts(mo.BooksChecked(at=AT, differences={}, books=Books())) == []


def test_a_scan_on_the_predicted_rate_has_no_moving_average() -> None:
    assert texts(mo.ScanStarted(at=AT, periods=10, moving_average=False))[1].endswith("opportunity (predicted rate)...")
    found = opportunity(signal=signal("ETHUSDT", moving_average=False), next_funding=None, basis=None)
    reported = texts(mo.OpportunityFound(at=AT, opportunity=found))
    assert reported[1] == "  Funding Rate: 0.0123% (predicted)"
    assert not any("MA " in line or "basis" in line for line in reported)
    assert "  Next Funding: unknown" in reported


def test_no_opportunity_names_the_nearest_where_there_is_one() -> None:
    assert texts(mo.NoOpportunity(at=AT, why="")) == ["No pair passes every entry filter"]
    reported = texts(mo.NoOpportunity(at=AT, why="ETHUSDT: APR 9.00 % is below 15 %"))
    assert reported == ["No pair passes every entry filter (nearest: ETHUSDT: APR 9.00 % is below 15 %)"]


def test_level_wallets_after_a_closing_are_said_to_be_level() -> None:
    assert texts(mo.RebalanceStarted(at=AT, before_opening=False, needed=None)) == [
        "",
        "Rebalancing USDT between spot and perp wallets...",
        "USDT wallets already balanced (difference < $1)",
    ]


# --- decisions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", sorted(CLOSING))
def test_every_reason_to_close_has_a_crisp_line(reason: Reason) -> None:
    first, *rest = narrate(decided(ob.Close(reason=reason, plan=PLAN, detail="the figures")))
    assert first == LogLine(text=CLOSING[reason], level=LineLevel.ERROR if reason in SAFETY else LineLevel.SUCCESS)
    assert rest == [LogLine(text="  the figures")]


def test_a_reason_without_a_line_of_its_own_is_named() -> None:
    assert texts(decided(ob.Close(reason=Reason.REPLACED, plan=PLAN))) == ["Closing: replaced on the exchange."]


def test_closing_the_best_pair_says_what_opening_it_again_costs() -> None:
    reported = texts(decided(ob.Close(reason=Reason.FEES_COVERED, plan=PLAN, reopening_cost=Decimal("0.1875"))))
    assert reported[1] == "  The pair is still the best one: opening it again costs $0.19 in fees"


def test_a_hold_calls_the_position_healthy_only_when_all_was_seen() -> None:
    blind = ob.HealthReport(level=ob.HealthLevel.OK, unknown=("account",))
    assert texts(decided(ob.Hold(reason=ob.HoldReason.HEALTHY, health=blind))) == ["Nothing to act on, holding..."]


def test_a_hold_for_want_of_something_says_what() -> None:
    assert texts(decided(ob.Hold(reason=ob.HoldReason.CAPITAL, detail="$12.00 of $50.00"))) == [
        "No action: too little capital ($12.00 of $50.00)"
    ]
    assert texts(decided(ob.Hold(reason=ob.HoldReason.HALTED))) == ["No action: openings are halted"]


def test_what_could_not_be_read_is_not_said_a_second_time_by_the_hold() -> None:
    hold = ob.Hold(reason=ob.HoldReason.INCOMPLETE, detail="account: its totals do not match its rows")
    assert texts(decided(hold)) == ["No action: the observation is incomplete"]


@pytest.mark.parametrize("reason", [ob.HoldReason.NOTHING_HELD, ob.HoldReason.HELD])
def test_a_hold_that_goes_without_saying_is_not_said(reason: ob.HoldReason) -> None:
    assert texts(decided(ob.Hold(reason=reason))) == []


def test_the_smaller_decisions_are_reported() -> None:
    trim = ob.Trim(market=ETH.spot.market, quantity=Decimal("0.00010"), plan=PLAN, detail="imbalance 3 %")
    moved = ob.Rebalance(direction=co.TransferDirection.SPOT_TO_PERP, amount=Decimal(40))
    assert texts(decided(trim)) == ["Legs out of balance: trimming 0.0001 off the spot leg (imbalance 3 %)"]
    assert texts(decided(ob.Roll()))[0].startswith("Fees covered, and the pair is still the best: keeping the position")
    assert texts(decided(ob.TopUpMargin(rebalance=moved))) == [
        "Liquidation comes nearer: moving $40.00 USDT to the perp wallet"
    ]
    reduce = ob.Reduce(quantity=Decimal("0.00400"), plan=PLAN, detail="liquidation is 18.0% from the mark")
    assert texts(decided(reduce)) == [
        "Liquidation is near: reducing the position by 0.004 off both legs (liquidation is 18.0% from the mark)"
    ]
    assert texts(decided(ob.HaltOpenings(reason=ev.HaltReason.BOOKS, detail="worded by its event"))) == []


def test_the_guard_says_what_it_saw() -> None:
    assert texts(mo.GuardAlarmed(at=AT, text="ETHUSDT: the exchange calls for margin")) == [
        "Guard: ETHUSDT: the exchange calls for margin; checking now"
    ]


# --- text of others --------------------------------------------------------------------------------------------------


def test_a_hostile_text_can_neither_forge_a_line_nor_steer_a_terminal() -> None:
    hostile = "boom\nPosition closed successfully!\r\x1b[2J\u202e[red]\ud800"
    (line, _) = narrate(mo.CycleFailed(at=AT, error=hostile, retry_seconds=1))
    assert line.text == ("Cycle failed: boom\\nPosition closed successfully!\\r\\x1b[2J\\u202e[red]\\ud800")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "POST /order?symbol=BTCUSDT&signature=abc123&x=1 failed",
            "POST /order?symbol=BTCUSDT&signature=***&x=1 failed",
        ),
        ("key 0x" + "ab" * 32 + " refused", "key *** refused"),
        ('{"listenKey": "qwe", "code": 1}', '{"listenKey": "***", "code": 1}'),
        ("order 123456789 of BTCUSDT", "order 123456789 of BTCUSDT"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_an_endless_text_is_cut_and_says_so() -> None:
    assert one_line("x" * 5000).endswith("x... (3000 characters more)")


def test_making_a_text_safe_twice_changes_nothing() -> None:
    once = one_line("a\nb signature=x " + "y" * 1000)
    assert one_line(once) == once


# --- times -----------------------------------------------------------------------------------------------------------


def test_a_venues_row_of_old_does_not_turn_the_logs_clock_back() -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    flow = ev.ExternalFlow(
        at=old, row_id="1", wallet=ev.Wallet.SPOT, asset="USDT", amount=ONE, kind=ev.FlowKind.DEPOSIT
    )
    completed = ev.CycleCompleted(at=AT, number=1)
    empty = Ledger(imported=ImportedState())
    assert time_of(mo.Recorded(event=flow, before=empty, after=empty)) is None
    assert time_of(mo.Recorded(event=completed, before=empty, after=empty)) == AT
    assert time_of(mo.Warned(at=old, text="x")) == old
