"""Rows of the statement that are funding or of own trades under another name: such a sum is booked once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.events import ExternalFlow, FlowKind, FundingReceived, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import Fill
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import Warned
from hedgerow.ports import StatementRow
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL

HOLD = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600)
)
SETTLED = OPENED + timedelta(hours=7)
"""The first settlement of an 8 h symbol after the opening."""
REBATE = Decimal("0.0125")


def rebate_of(payment: FundingPayment) -> StatementRow:
    return StatementRow(
        row_id=f"perp-COMMISSION_REBATE-{payment.tran_id}-USDT",
        wallet=Wallet.PERP,
        asset="USDT",
        amount=payment.amount,
        kind=FlowKind.REBATE,
        at=payment.at,
        symbol=payment.symbol,
        tran_id=payment.tran_id,
    )


def call_funding_rebates(bot: BotHarness, ends: datetime) -> None:
    """Let the exchange list funding as rebates until a time."""
    payments, statement = bot.venue.funding_payments, bot.venue.statement

    async def no_payments(since: datetime) -> tuple[FundingPayment, ...]:
        return await payments(since) if bot.clock.now() >= ends else ()

    async def rebates(since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        rows = await statement(since, until)
        paid = bot.world.funding_payments(since) if bot.clock.now() < ends else ()
        return (*rows, *map(rebate_of, paid))

    bot.venue.funding_payments = no_payments  # type: ignore[method-assign] # what the exchange lists
    bot.venue.statement = rebates  # type: ignore[method-assign] # the same


def give_rebate(bot: BotHarness, named: Callable[[StatementRow], StatementRow]) -> None:
    """Pay a rebate, with what its row names besides."""
    statement = bot.venue.statement

    async def with_names(since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        return tuple(map(named, await statement(since, until)))

    bot.venue.statement = with_names  # type: ignore[method-assign] # what the exchange lists
    bot.world.deposit(Wallet.PERP, "USDT", REBATE, FlowKind.REBATE)


def rebates(bot: BotHarness) -> list[ExternalFlow]:
    return [event for event in bot.logged(ExternalFlow) if event.kind is FlowKind.REBATE]


def warnings(bot: BotHarness, text: str) -> int:
    return sum(text in notice.text for notice in bot.notices_of(Warned))


def test_funding_that_is_listed_as_a_rebate_for_an_hour_is_booked_as_funding_once_it_is_listed_so() -> None:
    bot = BotHarness(parameters=HOLD)
    call_funding_rebates(bot, SETTLED + timedelta(hours=1))
    bot.run(10)
    (paid,) = bot.world.funding_payments(OPENED)
    assert rebates(bot) == []
    assert [event.payment for event in bot.logged(FundingReceived)] == [paid]
    assert bot.hedge.funding_received == paid.amount
    assert warnings(bot, "is listed as rebate; not booked until that is read again") in {1, 2, 3}
    bot.check_whole()


def test_a_row_with_the_number_of_a_booked_payment_is_not_booked_beside_it() -> None:
    bot = BotHarness(parameters=HOLD)
    bot.run(8)
    (paid,) = bot.world.funding_payments(OPENED)
    statement = bot.venue.statement

    async def with_a_rebate(since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        return (*await statement(since, until), rebate_of(paid))

    bot.venue.statement = with_a_rebate  # type: ignore[method-assign] # what the exchange lists
    bot.world.deposit(Wallet.PERP, "USDT", REBATE, FlowKind.REBATE)
    bot.run(2)
    assert [event.amount for event in rebates(bot)] == [REBATE], "the owner's own one"
    bot.check_whole()


def test_a_rebate_that_names_an_own_trade_is_booked_when_it_stays() -> None:
    bot = BotHarness(parameters=HOLD)
    bot.run(1)
    trade = next(fill for fill in bot.world.parts.journal.all_fills(OPENED) if fill.market is Market.PERP)
    given = bot.clock.now()
    give_rebate(bot, lambda row: replace(row, symbol=SYMBOL, trade_id=trade.trade_id))
    bot.run(0.2)
    assert rebates(bot) == []
    bot.run(0.6)
    (booked,) = rebates(bot)
    assert booked.amount == REBATE
    assert bot.clock.now() - given > timedelta(minutes=15)
    bot.check_whole()


def test_a_rebate_at_the_hour_of_no_settlement_is_booked_when_it_stays() -> None:
    bot = BotHarness(parameters=HOLD)
    bot.run(1)
    give_rebate(bot, lambda row: replace(row, symbol=SYMBOL))
    bot.run(0.2)
    assert rebates(bot) == []
    bot.run(0.6)
    assert [event.amount for event in rebates(bot)] == [REBATE]
    bot.check_whole()


def test_a_rebate_that_names_nothing_is_booked_at_once() -> None:
    bot = BotHarness(parameters=HOLD)
    bot.run(1)
    give_rebate(bot, lambda row: row)
    bot.run(0.1)
    assert [event.amount for event in rebates(bot)] == [REBATE]
    bot.check_whole()


def test_funding_without_a_symbol_or_of_nothing_that_is_held_waits_for_the_true_row() -> None:
    for shown in ("", "GONEUSDT"):
        bot = BotHarness(parameters=HOLD)
        until = SETTLED + timedelta(minutes=10)

        def renamed(payment: FundingPayment, bot: BotHarness = bot, shown: str = shown) -> tuple[FundingPayment, ...]:
            return (replace(payment, symbol=shown) if bot.clock.now() < SETTLED + timedelta(minutes=10) else payment,)

        bot.venue.paid = renamed
        bot.run(8)
        assert bot.clock.now() > until
        (paid,) = bot.world.funding_payments(OPENED)
        assert [event.payment for event in bot.logged(FundingReceived)] == [paid]
        assert bot.ledger.unattributed_funding == 0
        bot.check_whole()


def call_commissions_rebates(bot: BotHarness) -> None:
    """Let the exchange list the commissions of perpetual trades as rebates."""
    statement = bot.venue.statement

    async def rebates(since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        own = [fill for fill in bot.world.parts.journal.all_fills(OPENED) if fill.market is Market.PERP]
        return (*await statement(since, until), *map(commission_of, own))

    bot.venue.statement = rebates  # type: ignore[method-assign] # what the exchange lists


def commission_of(fill: Fill) -> StatementRow:
    return StatementRow(
        row_id=f"perp-COMMISSION_REBATE-{fill.trade_id}-USDT",
        wallet=Wallet.PERP,
        asset=fill.fee_asset,
        amount=-fill.fee,
        kind=FlowKind.REBATE,
        at=fill.at,
        symbol=fill.symbol,
        trade_id=fill.trade_id,
    )


def test_a_commission_that_stays_listed_as_a_rebate_is_booked_once_with_its_trade() -> None:
    bot = BotHarness(parameters=HOLD, latency_seconds=0.2)
    call_commissions_rebates(bot)

    def give(bot: BotHarness) -> None:  # a difference, without which no statement is read
        bot.world.deposit(Wallet.PERP, "USDT", REBATE, FlowKind.REBATE)

    bot.run(2, at={0.5: give, 1.0: give, 1.5: give})
    assert [event.amount for event in rebates(bot)] == [REBATE, REBATE, REBATE]
    assert warnings(bot, "is listed as rebate; not booked until that is read again")
    bot.check_whole()


def test_a_commission_listed_as_a_rebate_waits_for_the_trades_that_cannot_be_read() -> None:
    blind = ReadFault(read=Read.FILLS, after=OPENED, until=OPENED + timedelta(hours=1))
    bot = BotHarness(parameters=HOLD, latency_seconds=0.2, faults=FaultPlan(reads=(blind,)))
    call_commissions_rebates(bot)
    bot.run(2)
    assert rebates(bot) == []
    bot.check_whole()
