"""Words of the facts of the log, each between the ledgers that the real fold makes before and after it."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.narration.wording import LineLevel, is_routine, narrate
from hedgerow.domain import commands as co
from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import ImportedState, Ledger
from hedgerow.domain.order import Fill, ForcedTrade, OrderRequest, OrderStatus, RejectKind
from hedgerow.domain.position import ClosedHedge, DustLot, Reason, Tally
from hedgerow.engine.notices import Recorded
from support.golden_cases import AT, BTC, HEDGE, HEDGE_ID, hedge, job, notice_of
from support.views import ledger_of
from support.worlds import make_pair

HELD = ledger_of(HEDGE)
LOT = DustLot(asset="BTC", quantity=Decimal("0.000003"), cost=Decimal("0.207"))


def texts(event: ev.Event, before: Ledger = HELD) -> list[str]:
    return [line.text for line in narrate(notice_of(event, before))]


def level(event: ev.Event, before: Ledger = HELD) -> LineLevel:
    return narrate(notice_of(event, before))[0].level


def order(client_id: str = "h-s-1", *, market: Market = Market.SPOT, side: Side = Side.BUY) -> OrderRequest:
    return OrderRequest(
        client_id=client_id,
        market=market,
        symbol="BTCUSDT",
        side=side,
        quantity=Decimal("0.00362"),
        price=Decimal(69100),
    )


def ended(**changes: Any) -> ev.OrderEnded:
    values: dict[str, Any] = {"at": AT, "client_id": "h-s-1", "order_id": 1, "status": OrderStatus.FILLED}
    return ev.OrderEnded(**{**values, **changes})


def opening() -> Ledger:
    """Return a ledger with an opening job whose spot order was sent."""
    return fold(
        (
            ev.ExecutionStarted(at=AT, execution=job(kind=ExecutionKind.OPEN)),
            ev.CommandIssued(at=AT, command=co.PlaceOrder(hedge_id=HEDGE_ID, order=order(), fee_rate=Decimal("0.001"))),
        )
    )


# --- orders and transfers --------------------------------------------------------------------------------------------


def test_fine_facts_are_silent_and_routine() -> None:
    command = co.SetLeverage(symbol="BTCUSDT", leverage=1)
    for event in (
        ev.CommandIssued(at=AT, command=command),
        ev.OrderAccepted(at=AT, client_id="x", order_id=1),
        ev.CycleCompleted(at=AT, number=3),
        ev.HedgeRolled(at=AT, hedge_id=HEDGE_ID),
    ):
        notice = notice_of(event)
        assert (narrate(notice), is_routine(notice)) == ((), True)


def test_an_unknown_outcome_is_answered_by_a_line_when_the_order_is_found() -> None:
    unknown = apply(opening(), ev.OrderOutcomeUnknown(at=AT, client_id="h-s-1", detail="taken up again after a stop"))
    at_work = "  Outcome of order h-s-1 is known: it is working, nothing filled so far"
    assert texts(ev.OrderAccepted(at=AT, client_id="h-s-1", order_id=1), unknown) == [at_work]
    part = ev.OrderProgressed(
        at=AT, client_id="h-s-1", order_id=1, filled_quantity=Decimal("0.001"), filled_notional=Decimal(69)
    )
    filling = "  Outcome of order h-s-1 is known: it is working, 0.001 filled so far"
    assert texts(part, unknown) == [filling]
    assert texts(part, apply(unknown, part)) == [], "it is answered once"
    assert texts(ended(filled_quantity=Decimal("0.001"), filled_notional=Decimal(69)), unknown) == [
        "  Outcome of order h-s-1 is known: it has ended (FILLED)",
        "  Spot BUY 0.00362 BTCUSDT: filled 0.001 of 0.00362 at $69000.00",
    ]
    never = ended(order_id=None, status=OrderStatus.EXPIRED)
    assert texts(never, unknown)[0] == "  Outcome of order h-s-1 is known: it never reached the exchange"


@pytest.mark.parametrize(
    ("filled", "line"),
    [
        ("0.00362", "  Spot BUY 0.00362 BTCUSDT: filled 0.00362 at $69000.00"),
        ("0.001", "  Spot BUY 0.00362 BTCUSDT: filled 0.001 of 0.00362 at $69000.00"),
    ],
)
def test_a_filled_order_says_how_much_and_at_what_price(filled: str, line: str) -> None:
    quantity = Decimal(filled)
    event = ended(filled_quantity=quantity, filled_notional=quantity * 69000, status=OrderStatus.EXPIRED)
    assert texts(event, opening()) == [line]


def test_a_cheap_coins_price_keeps_six_decimals() -> None:
    quantity = Decimal("0.00362")
    event = ended(filled_quantity=quantity, filled_notional=quantity * Decimal("0.012345"))
    assert texts(event, opening())[0].endswith("at $0.012345")


def test_an_order_without_a_fill_says_so() -> None:
    assert texts(ended(status=OrderStatus.EXPIRED), opening()) == [
        "  Spot BUY 0.00362 BTCUSDT: nothing filled (EXPIRED)"
    ]


def test_a_fill_whose_price_was_not_reported_is_said_without_one() -> None:
    assert texts(ended(filled_quantity=Decimal("0.001")), opening()) == [
        "  Spot BUY 0.00362 BTCUSDT: filled 0.001 of 0.00362 at a price that is not known yet"
    ]


def test_a_refused_order_says_why() -> None:
    refused = ended(status=OrderStatus.REJECTED, reject=RejectKind.MARGIN, code=-2019, detail="Margin is insufficient.")
    assert texts(refused, opening()) == [
        "  Spot BUY 0.00362 BTCUSDT: refused (margin, code -2019) Margin is insufficient."
    ]
    without_code = ended(status=OrderStatus.REJECTED, reject=RejectKind.OTHER)
    assert texts(without_code, opening()) == ["  Spot BUY 0.00362 BTCUSDT: refused (other)"]
    assert level(refused, opening()) is LineLevel.WARNING


def test_an_order_of_another_time_is_not_reported() -> None:
    assert texts(ended(client_id="unheard-of")) == []


def test_an_unknown_outcome_is_reported() -> None:
    event = ev.OrderOutcomeUnknown(at=AT, client_id="h-s-1", detail="timeout")
    assert texts(event) == ["  Outcome of order h-s-1 is unknown (timeout): looking it up, nothing is sent"]
    transfer = ev.TransferOutcomeUnknown(at=AT, transfer_id="h-t", detail="503")
    assert texts(transfer)[0].startswith("  Outcome of the transfer is unknown (503)")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (
            co.TransferFunds(transfer_id="t", amount=Decimal(5), direction=co.TransferDirection.SPOT_TO_PERP),
            "Transfer of $5.00 USDT (SPOT_TO_PERP)",
        ),
        (co.SetLeverage(symbol="BTCUSDT", leverage=1), "Leverage 1x on BTCUSDT"),
        (co.SetMarginType(symbol="BTCUSDT"), "Crossed margin on BTCUSDT"),
        (co.ArmDeadMan(symbol="BTCUSDT", seconds=120), "Dead man's switch on BTCUSDT"),
        (co.CancelOrder(market=Market.SPOT, symbol="BTCUSDT", client_id="h-s-1"), "Cancelling order h-s-1"),
        (
            co.PlaceOrder(hedge_id=HEDGE_ID, order=order(market=Market.PERP, side=Side.SELL)),
            "Perp SELL 0.00362 BTCUSDT",
        ),
    ],
)
def test_a_refused_command_is_named(command: co.Command, name: str) -> None:
    event = ev.CommandRefused(at=AT, command=command, code=-4067, detail="open orders exist")
    assert texts(event) == [f"  {name} was refused (code -4067): open orders exist"]


def test_settings_are_confirmed() -> None:
    assert texts(ev.LeverageSet(at=AT, symbol="BTCUSDT", leverage=1)) == ["  Leverage confirmed: 1x on BTCUSDT"]
    assert texts(ev.MarginTypeSet(at=AT, symbol="BTCUSDT")) == ["  Crossed margin confirmed on BTCUSDT"]


def test_a_transfer_shows_both_wallets_as_the_books_have_them() -> None:
    books = fold(
        ev.ExternalFlow(
            at=AT,
            row_id=f"opening:{wallet}",
            wallet=wallet,
            asset="USDT",
            amount=Decimal(amount),
            kind=ev.FlowKind.OPENING,
        )
        for wallet, amount in ((ev.Wallet.SPOT, "500"), (ev.Wallet.PERP, "1150.25"))
    )
    event = ev.FundsTransferred(
        at=AT, transfer_id="t", amount=Decimal("325.125"), direction=co.TransferDirection.PERP_TO_SPOT
    )
    assert texts(event, books) == [
        "Rebalanced $325.12 USDT (PERP_TO_SPOT)",
        "  Spot USDT: $500.00 -> $825.12",
        "  Perp USDT: $1150.25 -> $825.12",
    ]


def test_foreign_trades_on_the_position_are_reported() -> None:
    event = ev.ExternalFills(at=AT, hedge_id=HEDGE_ID, fills=(), cause="liquidation")
    assert texts(event) == ["Trades that are not the bot's changed its position on BTCUSDT: liquidation"]


def test_trades_of_a_hedge_that_ended_are_not_said_to_be_of_the_one_that_is_held() -> None:
    perp = replace(BTC.perp, symbol="ETHUSDT", base="ETH")
    other = BasisPair(spot=replace(BTC.spot, symbol="ETHUSDT", base="ETH"), perp=perp)
    ended = ClosedHedge(hedge=replace(HEDGE, hedge_id="h9", pair=other), closed_at=AT, reason=Reason.USER)
    event = ev.ExternalFills(at=AT, hedge_id="h9", fills=(), cause="kept coins are gone")
    (text,) = texts(event, replace(HELD, closed=(ended,)))
    assert text == "Trades that are not the bot's changed its position on ETHUSDT: kept coins are gone"


def test_a_leg_that_is_gone_without_a_trade_is_not_called_a_trade_of_others() -> None:
    fill = Fill(
        market=Market.SPOT,
        symbol="BTCUSDT",
        trade_id=-1,
        order_id=0,
        side=Side.SELL,
        quantity=Decimal(1),
        price=Decimal(100),
        fee=Decimal(0),
        fee_asset="USDT",
        at=AT,
    )
    event = ev.ExternalFills(at=AT, hedge_id=HEDGE_ID, fills=(fill,), cause="half open")
    (text,) = texts(event)
    assert text == "A part of the position on BTCUSDT is gone and no trade of the account shows why: half open"


def test_late_fills_of_own_orders_are_not_called_trades_of_others() -> None:
    event = ev.ExternalFills(at=AT, hedge_id=HEDGE_ID, fills=(), cause="an order that counted as ended", own=True)
    assert texts(event) == ["Late fills on BTCUSDT booked: an order that counted as ended"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ForcedTrade.LIQUIDATION, "LIQUIDATION"),
        (ForcedTrade.AUTO_DELEVERAGING, "AUTO-DELEVERAGING"),
        (ForcedTrade.SETTLEMENT, "SETTLEMENT OF THE SYMBOL"),
    ],
)
def test_a_liquidation_is_not_called_a_trade_of_others(kind: ForcedTrade, name: str) -> None:
    fill = Fill(
        market=Market.PERP,
        symbol="BTCUSDT",
        trade_id=7,
        order_id=3,
        forced_trade=kind,
        side=Side.BUY,
        quantity=Decimal("0.25"),
        price=Decimal(100),
        fee=Decimal("1.25"),
        fee_asset="USDT",
        at=AT,
    )
    event = ev.ExternalFills(at=AT, hedge_id=HEDGE_ID, fills=(fill,), cause="half open")
    (text,) = texts(event)
    assert text.startswith(f"{name}: the exchange bought back 0.25 BTCUSDT perp at $100.00 by force (")
    assert text.endswith("fee $1.25)")
    sale = replace(fill, side=Side.SELL)
    (text,) = texts(ev.ExternalFills(at=AT, hedge_id=HEDGE_ID, fills=(sale,), cause="half open"))
    assert "the exchange sold 0.25" in text


# --- money -----------------------------------------------------------------------------------------------------------


def payment(amount: str) -> ev.FundingReceived:
    return ev.FundingReceived(at=AT, payment=FundingPayment(symbol="BTCUSDT", amount=Decimal(amount), tran_id=7, at=AT))


def test_funding_is_reported_once_whichever_way_it_went() -> None:
    where = "on BTCUSDT (settled 2025-01-15 18:45:10)"
    assert texts(payment("0.0214")) == [f"Funding payment received: $0.0214 {where}"]
    assert texts(payment("-0.0214")) == [f"Funding payment made: $0.0214 {where}"]
    assert texts(payment("0.0214"), apply(HELD, payment("0.0214"))) == []


def test_a_row_of_the_account_is_reported_once_and_the_opening_balance_never() -> None:
    def row(kind: ev.FlowKind) -> ev.ExternalFlow:
        return ev.ExternalFlow(
            at=AT, row_id="9", wallet=ev.Wallet.SPOT, asset="USDT", amount=Decimal("100.0"), kind=kind
        )

    deposit = row(ev.FlowKind.LIQUIDATION_FEE)
    assert texts(deposit) == ["Account row booked: liquidation fee 100 USDT (spot wallet)"]
    assert texts(deposit, apply(HELD, deposit)) == []
    assert texts(row(ev.FlowKind.OPENING)) == []


# --- the job in flight -----------------------------------------------------------------------------------------------


def test_a_closing_is_announced_when_its_job_starts_and_an_opening_by_its_decision() -> None:
    assert texts(ev.ExecutionStarted(at=AT, execution=job())) == ["Closing position on BTCUSDT..."]
    assert texts(ev.ExecutionStarted(at=AT, execution=job(kind=ExecutionKind.OPEN)), Ledger()) == []


def test_a_problem_with_a_leg_is_logged_when_it_begins() -> None:
    leading = ledger_of(HEDGE, execution=job())
    repairing = ev.ExecutionStepped(at=AT, execution=job(state=ExecutionState.REPAIRING, detail="margin"))
    assert texts(repairing, leading) == ["  The second leg fell short: trying again with a wider price cap (margin)"]
    assert texts(repairing, apply(leading, repairing)) == []
    unwinding = ev.ExecutionStepped(at=AT, execution=job(state=ExecutionState.UNWINDING))
    assert texts(unwinding, HELD) == ["  The legs cannot be matched this way: reversing the open part"]
    assert texts(ev.ExecutionStepped(at=AT, execution=job(state=ExecutionState.FOLLOWING)), leading) == []


def test_a_naked_leg_is_an_alarm() -> None:
    event = ev.NakedAlarmed(at=AT, hedge_id=HEDGE_ID, exposure=Decimal("-0.00362"), notional=Decimal(250), seconds=5.24)
    assert texts(event) == ["NAKED LEG: 0.003620 ($250.00) on BTCUSDT unhedged for 5.2 s"]
    assert texts(event, Ledger(execution=job())) == texts(event)
    assert texts(event, Ledger())[0].startswith("NAKED LEG: 0.003620 ($250.00) on an ended position")
    assert level(event) is LineLevel.ALARM


def test_an_alarm_says_what_of_a_naked_leg_is_in_doubt() -> None:
    event = ev.NakedAlarmed(
        at=AT, hedge_id=HEDGE_ID, exposure=Decimal(3), notional=Decimal(300), seconds=5.24, in_doubt=Decimal(2)
    )
    doubt = "the outcome of an order is unknown"
    assert texts(event) == [
        f"NAKED LEG: 1.000000 ($100.00) on BTCUSDT unhedged for 5.2 s; up to 3.000000 ($300.00), for {doubt}"
    ]
    unknown = replace(event, in_doubt=Decimal(3))
    assert texts(unknown) == [f"NAKED LEG: up to 3.000000 ($300.00) on BTCUSDT unhedged for 5.2 s: {doubt}"]


def test_a_naked_leg_is_said_of_its_own_hedge_where_several_are_held() -> None:
    other = replace(HEDGE, hedge_id="other", pair=make_pair("ETHUSDT"))
    held = Ledger(hedges={HEDGE_ID: HEDGE, "other": other})
    event = ev.NakedAlarmed(at=AT, hedge_id="other", exposure=Decimal(1), notional=Decimal(9), seconds=6.0)
    assert texts(event, held) == ["NAKED LEG: 1.000000 ($9.00) on ETHUSDT unhedged for 6.0 s"]


def test_a_halt_and_its_end_are_reported() -> None:
    halted = ev.Halted(at=AT, reason=ev.HaltReason.NAKED, detail="BTCUSDT: a leg is naked")
    assert texts(halted)[0] == "OPENINGS HALTED: a leg is naked (BTCUSDT: a leg is naked)"
    assert "`hedgerow resume`" in texts(halted)[1]
    assert level(halted) is LineLevel.ALARM
    assert texts(ev.Lifted(at=AT, detail="asked by the user")) == ["Openings are allowed again (asked by the user)"]


def test_a_halt_that_lifts_itself_names_no_command() -> None:
    halted = ev.Halted(at=AT, reason=ev.HaltReason.ACCOUNT_IN_DOUBT, detail="one reply leaves BTCUSDT out")
    assert texts(halted)[1] == "  Exits and the guard continue; openings are allowed again once the cause is gone"


def test_the_next_pair_is_named() -> None:
    event = ev.TargetDecided(at=AT, symbol="ETHUSDT", expires_at=AT)
    assert texts(event) == ["  Next pair: ETHUSDT (decided until 2025-01-15 18:45:10)"]


# --- the life of a hedge ---------------------------------------------------------------------------------------------


def test_an_opened_position_is_reported_with_its_figures() -> None:
    filled = ended(filled_quantity=Decimal("0.00362"), filled_notional=Decimal("249.78"))
    before = apply(opening(), filled)
    assert texts(ev.HedgeOpened(at=AT, hedge_id=HEDGE_ID), before) == [
        "Position opened successfully!",
        "  Spot balance: 0.003616",
        "  Perp position: 0.000000",
        "  Entry price: $69000.00",
        "  Position value: $249.78",
        "  Entry fees: $0.25",
        "  Total positions opened: 1",
    ]


def test_an_opening_that_the_ledger_does_not_know_is_not_reported() -> None:
    assert texts(ev.HedgeOpened(at=AT, hedge_id="other"), Ledger()) == []


CLOSED = ev.HedgeClosed(at=AT, hedge_id=HEDGE_ID, reason=Reason.MAX_AGE)


def test_the_parts_of_a_closed_position_add_up_to_its_net_profit() -> None:
    tally = Tally(
        spot_bought=Decimal(250), spot_sold=Decimal(251), fees=Decimal("0.75"), fees_estimated=Decimal("0.25")
    )
    before = ledger_of(hedge(tally=tally), imported=ImportedState(positions_closed=7, total_profit_loss=Decimal(10)))
    assert texts(CLOSED, before) == [
        "Position closed successfully!",
        "  Total funding received: $0.0856",
        "  Total fees paid: $0.75",
        "  Basis P/L: $1.0000",
        "  Net profit (this position): $0.3356",
        "  Fees still estimated: $0.25",
        "  Cumulative P/L: $10.34",
        "  Total positions closed: 8",
    ]


def test_a_closing_that_changed_nothing_is_not_reported() -> None:
    assert texts(CLOSED, Ledger()) == []
    assert texts(CLOSED, ledger_of(hedge(hedge_id="other"))) == []


def test_a_position_lost_to_somebody_else_is_reported_with_its_result() -> None:
    reported = texts(ev.HedgeLost(at=AT, hedge_id=HEDGE_ID, reason=Reason.CLOSED_EXTERNALLY))
    assert reported[0] == "Position on BTCUSDT was ended: closed elsewhere"
    assert reported[-1] == "  Total positions closed: 1"


def test_an_opening_that_failed_says_why_and_what_it_cost() -> None:
    refused = ev.HedgeAborted(at=AT, hedge_id=HEDGE_ID, reason=Reason.REFUSED, detail="filter")
    unwound = ev.HedgeAborted(at=AT, hedge_id=HEDGE_ID, reason=Reason.UNWOUND, detail="")
    untouched = fold((ev.ExecutionStarted(at=AT, execution=job(kind=ExecutionKind.OPEN)),))
    filled = apply(opening(), ended(filled_quantity=Decimal("0.00362"), filled_notional=Decimal(250)))
    assert texts(refused, untouched) == ["Position on BTCUSDT was not opened: refused before any fill (filter)"]
    reported = texts(unwound, filled)
    assert reported[0] == "Position on BTCUSDT was not opened: second leg failed, first leg unwound"
    assert reported[1].startswith("  Cost of the attempt: $")
    assert texts(refused, Ledger())[0].startswith("Position on an ended position was not opened")


def test_a_repair_shows_the_legs() -> None:
    event = ev.HedgeRepaired(at=AT, hedge_id=HEDGE_ID)
    assert texts(event) == ["Both legs match again", "  Spot balance: 0.003620", "  Perp position: -0.003620"]
    assert texts(event, Ledger()) == ["Both legs match again"]


def test_only_a_history_that_became_known_later_is_reported_of_an_adoption() -> None:
    event = ev.HedgeAdopted(at=AT, hedge=HEDGE)
    assert texts(event, ledger_of(hedge(history_known=False))) == [
        "Funding history of BTCUSDT is known now: $0.0856 in 4 payments"
    ]
    assert texts(event, Ledger()) == []
    assert texts(event, ledger_of(hedge(hedge_id="other"))) == []


def test_dust_is_reported() -> None:
    assert texts(ev.DustKept(at=AT, lot=LOT)) == ["  Dust kept: 0.000003 BTC ($0.2070), sold with the next trade of it"]
    swept = ev.DustSwept(at=AT, hedge_id=HEDGE_ID, lot=LOT)
    assert texts(swept, ledger_of(HEDGE, dust={"BTC": LOT})) == ["  Dust added to the position: 0.000003 BTC"]


def test_a_new_denomination_is_said_with_its_factor() -> None:
    event = ev.HedgeRedenominated(at=AT, hedge_id=HEDGE_ID, factor=Decimal(1000))
    assert texts(event, ledger_of(HEDGE)) == [
        "BTCUSDT: the exchange has exchanged 1000 old coins for each new one; the position is counted in new coins"
    ]


def test_a_state_file_taken_over_is_reported() -> None:
    event = ev.StateImported(
        at=AT, cycle_count=47, total_profit_loss=Decimal("15.67"), positions_opened=8, positions_closed=7
    )
    assert texts(event, Ledger()) == [
        "State file imported: 47 cycles, 8 positions opened, 7 closed, cumulative P/L $15.67"
    ]


def test_an_event_is_reported_between_the_ledgers_around_it() -> None:
    notice = notice_of(CLOSED)
    assert isinstance(notice, Recorded)
    assert (notice.before.largest, notice.after.largest) == (HEDGE, None)
    assert HEDGE.pair == BTC
