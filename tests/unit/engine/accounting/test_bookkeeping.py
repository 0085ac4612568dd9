"""Rows and trades that come late, or without the name they were asked for."""

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.events import FeeBooked, FundingReceived
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import Fill
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

HOLD = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600)
)


def test_a_funding_row_that_appears_after_a_newer_one_is_booked() -> None:
    harness = BotHarness(ScriptedMarketData([Listing(interval_hours=1)]), parameters=HOLD)
    late, listed = OPENED + timedelta(hours=2), OPENED + timedelta(hours=2, minutes=37)
    read = harness.venue.funding_payments
    other = FundingPayment(symbol="BBBUSDT", amount=Decimal(1), tran_id=77, at=late + timedelta(seconds=10))

    async def without_the_late_row(since: datetime) -> tuple[FundingPayment, ...]:
        now, rows = harness.clock.now(), await read(since)
        newer = (other,) if other.at <= now else ()
        return (*(row for row in rows if row.at != late or now >= listed), *newer)

    harness.venue.funding_payments = without_the_late_row  # type: ignore[method-assign] # the exchange lists it late
    harness.run(4)
    booked = [event.payment.at for event in harness.logged(FundingReceived)]
    assert late in booked
    assert booked.index(late) > booked.index(other.at), "it did not come late"


def test_fees_of_trades_that_the_exchange_reports_without_a_client_id_are_booked() -> None:
    harness = BotHarness(parameters=HOLD)
    read = harness.venue.fills

    async def nameless(market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        return tuple(replace(fill, client_id="") for fill in await read(market, symbol, since))

    harness.venue.fills = nameless  # type: ignore[method-assign] # what the wire's trade rows hold
    harness.run(0.5)
    assert harness.hedge.symbol == SYMBOL
    assert harness.hedge.tally.fees_estimated == 0
    assert {event.fill.market for event in harness.logged(FeeBooked)} == set(Market)
    harness.check_whole()
