"""A position opened by hand becomes the bot's, with its real age, funding and fees; the user's own coins never do."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.dashboard.narration.wording import LineLevel, narrate
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
from support.bot_harness import OPENED, BotHarness
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData

PATIENT = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600)
)


def _by_hand(harness: BotHarness, quantity: str = "3", *, coins: str = "3.003", parts: int = 1) -> None:
    """Open a hedge on the venue's page, in several trades when asked to."""
    for _ in range(parts):
        harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(coins) / parts)
        harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal(quantity) / parts)


def _fees(harness: BotHarness) -> Decimal:
    fills = [fill for market in Market for fill in harness.world.fills(market, SYMBOL, START)]
    return sum((fill.fee_in_quote("AAA", "USDT") for fill in fills), Decimal(0))


@pytest.mark.parametrize("hours", [8, 8 * 24, 20 * 24])
def test_a_position_opened_by_hand_keeps_its_real_age_funding_and_fees(hours: int) -> None:
    market_data = ScriptedMarketData()
    for day in range(25):  # rates and prices that differ from day to day
        market_data.set_rate(OPENED + timedelta(days=day), Decimal("0.0001") * (day % 4 + 2))
        market_data.set_prices(OPENED + timedelta(days=day), 100 + day % 5)
    harness = BotHarness(market_data, parameters=PATIENT)
    _by_hand(harness, parts=3)
    harness.wait(hours)
    harness.run(0.5)
    hedge, real = harness.hedge, harness.world.funding_payments(START)
    assert len(real) == hours // 8
    assert hedge.opened_at == OPENED
    assert hedge.history_known
    assert hedge.funding_received == sum(payment.amount for payment in real)
    assert hedge.funding_payments == len(real)
    assert hedge.entry_fees == pytest.approx(_fees(harness), abs=Decimal("0.005"))
    assert hedge.spot_quantity == hedge.short == 3
    evaluation = harness.notices_of(Evaluated)[0].evaluation
    assert evaluation.age_hours == pytest.approx(hours, abs=0.1)
    assert harness.logged(FundingReceived) == []  # what came before the log is in the opening balance
    harness.run(8)
    assert harness.hedge.funding_payments == len(real) + 1
    assert harness.notices_of(BooksChecked) == []
    harness.check_whole()


def test_a_position_that_is_too_old_is_not_closed_before_its_owner_was_warned() -> None:
    harness = BotHarness()
    _by_hand(harness)
    harness.wait(30)
    harness.run(0.1, options=RunOptions(once=True))
    assert harness.notices_of(Adopted)[0].hedge.opened_at == OPENED
    assert not harness.ledger.closed
    (warned,) = [
        line
        for notice in harness.notices_of(Decided)
        for line in narrate(notice)
        if "a rule would close it" in line.text
    ]
    assert warned.level is LineLevel.WARNING
    assert "(maximum age: 30.0" in warned.text
    assert harness.hedge.adopted
    harness.wait(0.1)
    harness.run(0.1, options=RunOptions(once=True))
    closed = harness.ledger.closed[0]
    assert closed.reason is Reason.MAX_AGE
    # The surplus bought against the fee was never known to belong to the hedge.
    assert closed.net_profit == closed.funding + closed.basis_pnl - closed.fees
    assert harness.notices_of(BooksChecked) == []
    harness.check()


def test_no_payment_yet_is_a_known_history() -> None:
    harness = BotHarness(parameters=PATIENT)
    _by_hand(harness)
    harness.wait(2)
    harness.run(0.1)
    assert harness.hedge.history_known
    assert harness.hedge.funding_payments == 0
    assert harness.notices_of(Warned) == []


def test_only_the_trades_since_the_position_was_last_flat_count() -> None:
    harness = BotHarness(parameters=PATIENT)
    _by_hand(harness, "2", coins="2.002")
    harness.wait(20)
    harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, Decimal(2), reduce_only=True)
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, Decimal(2))
    harness.wait(10)
    reopened = harness.world.now
    _by_hand(harness)
    harness.wait(8)
    harness.run(0.1)
    assert harness.hedge.opened_at == reopened
    assert harness.hedge.funding_payments == 1
    harness.check_whole()


def test_a_position_opened_while_the_bot_runs_is_booked_from_its_opening() -> None:
    harness = BotHarness(ScriptedMarketData([Listing(rate="0.0001")]))  # too little to open by itself
    harness.run(20, at={1.01: _by_hand})
    hedge = harness.hedge
    assert hedge.opened_at == OPENED + timedelta(hours=1.01)
    assert hedge.funding_received == sum(payment.amount for payment in harness.world.funding_payments(START))
    assert hedge.funding_payments == 2
    harness.check_whole()


def test_the_leverage_of_an_adopted_position_is_set_to_one() -> None:
    harness = BotHarness(parameters=PATIENT)
    _by_hand(harness)
    assert harness.world.account().positions[SYMBOL].leverage == 20  # the venue's default
    harness.run(0.5)
    assert harness.world.account().positions[SYMBOL].leverage == 1
    assert harness.reasons == []
    harness.check_whole()


def test_a_position_whose_margin_does_not_carry_one_fold_leverage_is_not_adopted() -> None:
    harness = BotHarness(usdt=700, perp=100, parameters=PATIENT)
    _by_hand(harness, "5", coins="5.005")
    harness.run(0.5)
    assert harness.logged(HedgeAdopted) == []
    assert harness.venue.orders == []
    assert [(halt.reason, halt.symbols) for halt in harness.logged(Halted)] == [(HaltReason.UNFIT_POSITION, (SYMBOL,))]
    assert len([command for command in harness.venue.sent if isinstance(command, SetLeverage)]) == 1
    harness.check()


# --- a history that cannot be read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [Read.FILLS, Read.FUNDING_PAYMENTS])
def test_an_unreadable_history_is_said_and_completed_later(read: Read) -> None:
    harness = BotHarness(
        parameters=PATIENT, faults=FaultPlan(reads=(ReadFault(read=read, until=OPENED + timedelta(hours=18)),))
    )
    _by_hand(harness)
    harness.wait(9)
    harness.run(8.5)  # adopted, one settlement passes, and the venue still does not tell
    assert any("Could not fetch funding history" in warning.text for warning in harness.notices_of(Warned))
    assert not harness.hedge.history_known
    assert harness.hedge.opened_at > OPENED
    harness.run(1)
    hedge = harness.hedge
    assert hedge.history_known
    assert hedge.opened_at == OPENED
    assert hedge.funding_received == sum(payment.amount for payment in harness.world.funding_payments(START))
    assert hedge.funding_payments == 2
    assert harness.ledger.totals.opened == 1
    assert len({event.hedge.hedge_id for event in harness.logged(HedgeAdopted)}) == 1
    assert harness.notices_of(BooksChecked) == [] or read is Read.FUNDING_PAYMENTS
    harness.check_whole()


def test_an_unreadable_history_of_an_adopted_position_is_said_once_a_check() -> None:
    down = ReadFault(read=Read.FUNDING_PAYMENTS, times=10**6)
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(reads=(down,)))
    _by_hand(harness)
    harness.run(8.5)  # over a settlement, so that the payment for it is asked for as well
    said = [0]
    for notice in harness.notices:
        if isinstance(notice, CycleBegan):
            said.append(0)
        elif isinstance(notice, Warned) and notice.text.startswith("Could not fetch funding history"):
            said[-1] += 1
    assert len(said) > 100
    assert set(said) == {1}, "at start, and in each check"


def test_with_an_unknown_history_fee_coverage_and_age_wait() -> None:
    harness = BotHarness(
        ScriptedMarketData([Listing(rate="0.01")]), faults=FaultPlan(reads=(ReadFault(read=Read.FILLS, times=10**6),))
    )
    _by_hand(harness)
    harness.wait(23)
    harness.run(9)
    assert harness.reasons == []
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert not evaluation.history_known
    assert evaluation.funding_received > 0
    assert evaluation.age_hours < 10


# --- adopt by name ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("short", "coins", "taken"), [("2", "3", "2"), ("3", "2.5", "2.49")])
def test_adopting_by_name_takes_the_smaller_of_coins_and_short(short: str, coins: str, taken: str) -> None:
    harness = BotHarness(parameters=PATIENT)
    _by_hand(harness, short, coins=coins)
    harness.run(0.2)
    assert harness.ledger.foremost is None
    assert harness.ledger.halt is not None
    before = harness.coins()
    answer = harness.ask(AdoptRequested(symbol=SYMBOL))
    assert answer.done
    assert harness.hedge.short == Decimal(taken)
    assert harness.hedge.spot_quantity <= before
    assert abs(harness.hedge.spot_quantity - harness.hedge.short) <= Decimal("0.02") * harness.hedge.short
    harness.run(0.2)
    harness.check()


def test_a_symbol_without_a_short_cannot_be_adopted() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(2))
    answer = harness.ask(AdoptRequested(symbol=SYMBOL))
    assert not answer.done
    assert "no short with coins against it" in answer.text


def test_nothing_else_is_adopted_while_a_hedge_is_held() -> None:
    harness = BotHarness()
    harness.run(0.2)
    answer = harness.ask(AdoptRequested(symbol=SYMBOL))
    assert not answer.done
    assert answer.text == "AAAUSDT is held already: what else the account holds of it stays yours."


# --- the user's own coins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", ["40", "0.7"])
def test_own_coins_are_never_counted_or_sold_by_a_hedge_of_the_same_coin(own: str) -> None:
    harness = BotHarness(coins={"AAA": Decimal(own)})
    harness.run(1)
    assert harness.hedge.short == pytest.approx(
        Decimal("4.74"), abs=Decimal("0.02")
    )  # the capital's size, not the coins'
    assert harness.coins() == Decimal(own) + harness.hedge.spot_quantity
    health = harness.notices_of(Evaluated)[-1].evaluation
    assert health.position_value == pytest.approx(harness.hedge.spot_quantity * 100)
    harness.run(24)
    assert harness.reasons == [Reason.MAX_AGE]
    harness.ask(CloseRequested())
    harness.check_flat()
    assert harness.coins() == Decimal(own) + sum(lot.quantity for lot in harness.ledger.dust.values())
    assert harness.coins() - Decimal(own) < Decimal("0.01")


def test_own_coins_sold_or_bought_beside_a_hedge_change_nothing() -> None:
    harness = BotHarness(coins={"AAA": Decimal(10)})
    harness.run(
        2,
        at={
            0.6: lambda f: f.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, Decimal(9)),
            1.1: lambda f: f.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(2)),
            1.6: lambda f: f.world.deposit(Wallet.SPOT, "AAA", Decimal(30)),
        },
    )
    assert harness.reasons == []
    assert harness.notices_of(BooksChecked) == []
    harness.check_whole()


def test_own_coins_beside_an_adopted_hedge_stay_the_users() -> None:
    harness = BotHarness(coins={"AAA": Decimal("0.05")}, parameters=PATIENT)
    _by_hand(harness)
    before = harness.coins()
    harness.run(0.2)
    assert harness.hedge.spot_quantity == 3
    harness.ask(CloseRequested())
    harness.check_flat()
    assert harness.coins() == before - 3


# --- a position that is not fit to be held ---------------------------------------------------------------------------


def _isolated(harness: BotHarness) -> None:
    harness.world.set_margin_type(SYMBOL, MarginType.ISOLATED)


def _hedge_mode(harness: BotHarness) -> None:
    harness.world.set_modes(one_way=False)


def _multi_assets(harness: BotHarness) -> None:
    harness.world.set_modes(single_asset=False)


def _other_coin(harness: BotHarness) -> None:
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(150)))


def _wrong_index(harness: BotHarness) -> None:
    harness.world.change_market(MarkDistortion(symbol=SYMBOL, index_bps=Decimal(1000)))


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
    before: Callable[[BotHarness], None] | None, after: Callable[[BotHarness], None] | None, word: str
) -> None:
    harness = BotHarness(parameters=PATIENT)
    for change in (before, _by_hand, after):
        if change is not None:
            change(harness)
    harness.run(0.5)
    assert harness.logged(HedgeAdopted) == []
    assert harness.venue.orders == []
    (halt,) = harness.logged(Halted)
    assert halt.reason is HaltReason.UNFIT_POSITION
    assert word in halt.detail
    answer = harness.ask(AdoptRequested(symbol=SYMBOL))
    assert not answer.done
    assert word in answer.text
    assert f"hedgerow close {SYMBOL}" in answer.text


def test_a_position_that_became_fit_is_adopted_and_the_halt_ends() -> None:
    harness = BotHarness(parameters=PATIENT)
    _by_hand(harness)
    harness.world.change_market(MarkDistortion(symbol=SYMBOL, index_bps=Decimal(1000), seconds=1200))
    harness.run(1)
    assert harness.logged(HedgeAdopted)
    assert harness.ledger.halt is None


def test_a_position_that_is_not_fit_can_be_closed_by_name() -> None:
    harness = BotHarness(parameters=PATIENT)
    _by_hand(harness)
    _wrong_index(harness)
    assert harness.ask(CloseRequested(symbol=SYMBOL, take_over=True)).done
    assert harness.reasons == [Reason.USER]
    assert harness.short() == 0
