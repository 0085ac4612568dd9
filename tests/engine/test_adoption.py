"""A position opened by hand becomes the bot's, with its real age, funding and fees; the user's own coins never do."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.dashboard.narration.wording import LineLevel, words
from hedgerow.domain.account import MarginType
from hedgerow.domain.commands import SetLeverage
from hedgerow.domain.events import FundingReceived, Halted, HaltReason, HedgeAdopted, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import AdoptRequested, CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import MarkDistortion, TickerCollision
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import Adopted, BooksChecked, CycleBegan, Decided, Evaluated, Warned
from hedgerow.engine.runner import RunOptions
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, Farm
from support.worlds import START, SYMBOL, Listing, ScriptedTape

PATIENT = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1e6, max_position_age_hours=1e6)
)


def _by_hand(farm: Farm, quantity: str = "3", *, coins: str = "3.003", parts: int = 1) -> None:
    """Open a hedge on the venue's page, in several trades when asked to."""
    for _ in range(parts):
        farm.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(coins) / parts)
        farm.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal(quantity) / parts)


def _fees(farm: Farm) -> Decimal:
    fills = [fill for market in Market for fill in farm.world.fills(market, SYMBOL, START)]
    return sum((fill.fee_in_quote("AAA", "USDT") for fill in fills), Decimal(0))


@pytest.mark.parametrize("hours", [8, 8 * 24, 20 * 24])
def test_a_position_opened_by_hand_keeps_its_real_age_funding_and_fees(hours: int) -> None:
    tape = ScriptedTape()
    for day in range(25):  # rates and prices that differ from day to day
        tape.set_rate(OPENED + timedelta(days=day), Decimal("0.0001") * (day % 4 + 2))
        tape.set_prices(OPENED + timedelta(days=day), 100 + day % 5)
    farm = Farm(tape, parameters=PATIENT)
    _by_hand(farm, parts=3)
    farm.wait(hours)
    farm.run(0.5)
    hedge, real = farm.hedge, farm.world.funding_payments(START)
    assert len(real) == hours // 8
    assert hedge.opened_at == OPENED
    assert hedge.history_known
    assert hedge.funding_received == sum(payment.amount for payment in real)
    assert hedge.funding_payments == len(real)
    assert hedge.entry_fees == pytest.approx(_fees(farm), abs=Decimal("0.005"))
    assert hedge.spot_quantity == hedge.short == 3
    evaluation = farm.heard(Evaluated)[0].evaluation
    assert evaluation.age_hours == pytest.approx(hours, abs=0.1)
    assert farm.logged(FundingReceived) == []  # what came before the log is in the opening balance
    farm.run(8)
    assert farm.hedge.funding_payments == len(real) + 1
    assert farm.heard(BooksChecked) == []
    farm.check_whole()


def test_a_position_that_is_too_old_is_not_closed_before_its_owner_was_warned() -> None:
    farm = Farm()
    _by_hand(farm)
    farm.wait(30)
    farm.run(0.1, options=RunOptions(once=True))
    assert farm.heard(Adopted)[0].hedge.opened_at == OPENED
    assert not farm.ledger.closed
    (warned,) = [
        line for moment in farm.heard(Decided) for line in words(moment) if "a rule would close it" in line.text
    ]
    assert warned.level is LineLevel.WARNING
    assert "(maximum age: 30.0" in warned.text
    assert farm.hedge.adopted
    farm.wait(0.1)
    farm.run(0.1, options=RunOptions(once=True))
    closed = farm.ledger.closed[0]
    assert closed.reason is Reason.MAX_AGE
    # The surplus bought against the fee was never known to belong to the hedge.
    assert closed.net_profit == closed.funding + closed.basis_pnl - closed.fees
    assert farm.heard(BooksChecked) == []
    farm.check()


def test_no_payment_yet_is_a_known_history() -> None:
    farm = Farm(parameters=PATIENT)
    _by_hand(farm)
    farm.wait(2)
    farm.run(0.1)
    assert farm.hedge.history_known
    assert farm.hedge.funding_payments == 0
    assert farm.heard(Warned) == []


def test_only_the_trades_since_the_position_was_last_flat_count() -> None:
    farm = Farm(parameters=PATIENT)
    _by_hand(farm, "2", coins="2.002")
    farm.wait(20)
    farm.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, Decimal(2), reduce_only=True)
    farm.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, Decimal(2))
    farm.wait(10)
    reopened = farm.world.now
    _by_hand(farm)
    farm.wait(8)
    farm.run(0.1)
    assert farm.hedge.opened_at == reopened
    assert farm.hedge.funding_payments == 1
    farm.check_whole()


def test_a_position_opened_while_the_bot_runs_is_booked_from_its_opening() -> None:
    farm = Farm(ScriptedTape([Listing(rate="0.0001")]))  # too little to open by itself
    farm.run(20, at={1.01: _by_hand})
    hedge = farm.hedge
    assert hedge.opened_at == OPENED + timedelta(hours=1.01)
    assert hedge.funding_received == sum(payment.amount for payment in farm.world.funding_payments(START))
    assert hedge.funding_payments == 2
    farm.check_whole()


def test_the_leverage_of_an_adopted_position_is_set_to_one() -> None:
    farm = Farm(parameters=PATIENT)
    _by_hand(farm)
    assert farm.world.account().positions[SYMBOL].leverage == 20  # the venue's default
    farm.run(0.5)
    assert farm.world.account().positions[SYMBOL].leverage == 1
    assert farm.reasons == []
    farm.check_whole()


def test_a_position_whose_margin_does_not_carry_one_fold_leverage_is_not_adopted() -> None:
    farm = Farm(usdt=700, perp=100, parameters=PATIENT)
    _by_hand(farm, "5", coins="5.005")
    farm.run(0.5)
    assert farm.logged(HedgeAdopted) == []
    assert farm.venue.orders == []
    assert [(halt.reason, halt.symbols) for halt in farm.logged(Halted)] == [(HaltReason.UNFIT_POSITION, (SYMBOL,))]
    assert len([command for command in farm.venue.sent if isinstance(command, SetLeverage)]) == 1
    farm.check()


# --- a history that cannot be read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [Read.FILLS, Read.FUNDING_PAYMENTS])
def test_an_unreadable_history_is_said_and_completed_later(read: Read) -> None:
    farm = Farm(parameters=PATIENT, faults=FaultPlan(reads=(ReadFault(read=read, until=OPENED + timedelta(hours=18)),)))
    _by_hand(farm)
    farm.wait(9)
    farm.run(8.5)  # adopted, one settlement passes, and the venue still does not tell
    assert any("Could not fetch funding history" in warning.text for warning in farm.heard(Warned))
    assert not farm.hedge.history_known
    assert farm.hedge.opened_at > OPENED
    farm.run(1)
    hedge = farm.hedge
    assert hedge.history_known
    assert hedge.opened_at == OPENED
    assert hedge.funding_received == sum(payment.amount for payment in farm.world.funding_payments(START))
    assert hedge.funding_payments == 2
    assert farm.ledger.totals.opened == 1
    assert len({event.hedge.hedge_id for event in farm.logged(HedgeAdopted)}) == 1
    assert farm.heard(BooksChecked) == [] or read is Read.FUNDING_PAYMENTS
    farm.check_whole()


def test_an_unreadable_history_of_an_adopted_position_is_said_once_a_check() -> None:
    down = ReadFault(read=Read.FUNDING_PAYMENTS, times=10**6)
    farm = Farm(parameters=PATIENT, faults=FaultPlan(reads=(down,)))
    _by_hand(farm)
    farm.run(8.5)  # over a settlement, so that the payment for it is asked for as well
    said = [0]
    for moment in farm.moments:
        if isinstance(moment, CycleBegan):
            said.append(0)
        elif isinstance(moment, Warned) and moment.text.startswith("Could not fetch funding history"):
            said[-1] += 1
    assert len(said) > 100
    assert set(said) == {1}, "at start, and in each check"


def test_with_an_unknown_history_fee_coverage_and_age_wait() -> None:
    farm = Farm(
        ScriptedTape([Listing(rate="0.01")]), faults=FaultPlan(reads=(ReadFault(read=Read.FILLS, times=10**6),))
    )
    _by_hand(farm)
    farm.wait(23)
    farm.run(9)
    assert farm.reasons == []
    evaluation = farm.heard(Evaluated)[-1].evaluation
    assert not evaluation.history_known
    assert evaluation.funding_received > 0
    assert evaluation.age_hours < 10


# --- adopt by name ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("short", "coins", "taken"), [("2", "3", "2"), ("3", "2.5", "2.49")])
def test_adopting_by_name_takes_the_smaller_of_coins_and_short(short: str, coins: str, taken: str) -> None:
    farm = Farm(parameters=PATIENT)
    _by_hand(farm, short, coins=coins)
    farm.run(0.2)
    assert farm.ledger.active is None
    assert farm.ledger.halt is not None
    before = farm.coins()
    answer = farm.ask(AdoptRequested(symbol=SYMBOL))
    assert answer.done
    assert farm.hedge.short == Decimal(taken)
    assert farm.hedge.spot_quantity <= before
    assert abs(farm.hedge.spot_quantity - farm.hedge.short) <= Decimal("0.02") * farm.hedge.short
    farm.run(0.2)
    farm.check()


def test_a_symbol_without_a_short_cannot_be_adopted() -> None:
    farm = Farm(parameters=PATIENT)
    farm.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(2))
    answer = farm.ask(AdoptRequested(symbol=SYMBOL))
    assert not answer.done
    assert "no short with coins against it" in answer.text


def test_nothing_else_is_adopted_while_a_hedge_is_held() -> None:
    farm = Farm()
    farm.run(0.2)
    answer = farm.ask(AdoptRequested(symbol=SYMBOL))
    assert not answer.done
    assert "while AAAUSDT is held" in answer.text


# --- the user's own coins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", ["40", "0.7"])
def test_own_coins_are_never_counted_or_sold_by_a_hedge_of_the_same_coin(own: str) -> None:
    farm = Farm(coins={"AAA": Decimal(own)})
    farm.run(1)
    assert farm.hedge.short == pytest.approx(Decimal("4.74"), abs=Decimal("0.02"))  # the capital's size, not the coins'
    assert farm.coins() == Decimal(own) + farm.hedge.spot_quantity
    health = farm.heard(Evaluated)[-1].evaluation
    assert health.position_value == pytest.approx(farm.hedge.spot_quantity * 100)
    farm.run(24)
    assert farm.reasons == [Reason.MAX_AGE]
    farm.ask(CloseRequested())
    farm.check_flat()
    assert farm.coins() == Decimal(own) + sum(lot.quantity for lot in farm.ledger.dust.values())
    assert farm.coins() - Decimal(own) < Decimal("0.01")


def test_own_coins_sold_or_bought_beside_a_hedge_change_nothing() -> None:
    farm = Farm(coins={"AAA": Decimal(10)})
    farm.run(
        2,
        at={
            0.6: lambda f: f.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, Decimal(9)),
            1.1: lambda f: f.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(2)),
            1.6: lambda f: f.world.deposit(Wallet.SPOT, "AAA", Decimal(30)),
        },
    )
    assert farm.reasons == []
    assert farm.heard(BooksChecked) == []
    farm.check_whole()


def test_own_coins_beside_an_adopted_hedge_stay_the_users() -> None:
    farm = Farm(coins={"AAA": Decimal("0.05")}, parameters=PATIENT)
    _by_hand(farm)
    before = farm.coins()
    farm.run(0.2)
    assert farm.hedge.spot_quantity == 3
    farm.ask(CloseRequested())
    farm.check_flat()
    assert farm.coins() == before - 3


# --- a position that is not fit to be held ---------------------------------------------------------------------------


def _isolated(farm: Farm) -> None:
    farm.world.set_margin_type(SYMBOL, MarginType.ISOLATED)


def _hedge_mode(farm: Farm) -> None:
    farm.world.set_modes(one_way=False)


def _multi_assets(farm: Farm) -> None:
    farm.world.set_modes(single_asset=False)


def _other_coin(farm: Farm) -> None:
    farm.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(150)))


def _wrong_index(farm: Farm) -> None:
    farm.world.change_market(MarkDistortion(symbol=SYMBOL, index_bps=Decimal(1000)))


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (_isolated, None, "its margin is isolated"),
        (None, _hedge_mode, "hedge mode is on"),
        (None, _multi_assets, "multi-assets mode is on"),
        (None, _other_coin, "may not be one coin"),
        (None, _wrong_index, "may not be one coin"),
    ],
)
def test_a_position_that_is_not_fit_is_neither_adopted_nor_sold(
    before: Callable[[Farm], None] | None, after: Callable[[Farm], None] | None, word: str
) -> None:
    farm = Farm(parameters=PATIENT)
    for change in (before, _by_hand, after):
        if change is not None:
            change(farm)
    farm.run(0.5)
    assert farm.logged(HedgeAdopted) == []
    assert farm.venue.orders == []
    (halt,) = farm.logged(Halted)
    assert halt.reason is HaltReason.UNFIT_POSITION
    assert word in halt.detail
    answer = farm.ask(AdoptRequested(symbol=SYMBOL))
    assert not answer.done
    assert word in answer.text
    assert f"hedgerow close {SYMBOL}" in answer.text


def test_a_position_that_became_fit_is_adopted_and_the_halt_ends() -> None:
    farm = Farm(parameters=PATIENT)
    _by_hand(farm)
    farm.world.change_market(MarkDistortion(symbol=SYMBOL, index_bps=Decimal(1000), seconds=1200))
    farm.run(1)
    assert farm.logged(HedgeAdopted)
    assert farm.ledger.halt is None


def test_a_position_that_is_not_fit_can_be_closed_by_name() -> None:
    farm = Farm(parameters=PATIENT)
    _by_hand(farm)
    _wrong_index(farm)
    assert farm.ask(CloseRequested(symbol=SYMBOL, take_over=True)).done
    assert farm.reasons == [Reason.USER]
    assert farm.short() == 0
