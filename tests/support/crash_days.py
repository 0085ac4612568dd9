"""Days on which everything moves at once, of history and generated, and a bot that holds three hedges through them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from hedgerow.domain.events import FundsTransferred
from hedgerow.emulator.inprocess.faults import FaultPlan
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import Listing, ScriptedMarketData

__all__ = ["CRASH", "HELD_SINCE", "SQUEEZE", "generated", "historic", "moved", "played"]

CRASH = (1.0, 0.9, 0.7, 0.55, 0.6, 0.8, 0.75, 0.85)
"""Prices hour by hour as a fraction of those at first: everything loses half of its price within three hours."""
SQUEEZE = (1.0, 1.15, 1.4, 1.7, 1.6, 2.0, 2.3, 2.0)
"""The same of a rise, which is what shorts lose by."""
BETAS = (Decimal(1), Decimal("1.1"), Decimal("0.9"))
PRICES = (Decimal(100), Decimal(20), Decimal(50))
SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
HELD_SINCE = OPENED + timedelta(hours=1)


def _market() -> ScriptedMarketData:
    listed = zip(SYMBOLS, PRICES, ("0.0006", "0.0005", "0.0004"), strict=True)
    return ScriptedMarketData([Listing(symbol, spot=price, rate=rate) for symbol, price, rate in listed])


def generated(factors: tuple[float, ...]) -> ScriptedMarketData:
    """Return a market that moves from two hours after the start on, every two minutes, each pair by its own part."""
    data = _market()
    for symbol, price, beta in zip(SYMBOLS, PRICES, BETAS, strict=True):
        for hour, (before, after) in enumerate(pairwise(factors)):
            for step in range(30):
                moved = Decimal(str(before + (after - before) * (step + 1) / 30))
                at = OPENED + timedelta(hours=2 + hour, minutes=2 * step)
                data.set_prices(at, (price * (1 + beta * (moved - 1))).quantize(Decimal("0.0001")), symbol=symbol)
    return data


def historic(folder: Path, day: str, *, hours: int) -> ScriptedMarketData:
    """Return a market that moves as the first three pairs of an archive did from the beginning of a day on.

    Prices are scaled to those of ``generated``, and stand still within an hour.
    """
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    history, data = ArchiveMarketData.load(folder, start=start, days=hours / 24), _market()
    whole = [pair.symbol for pair in history.pairs if not history.gaps(pair.symbol)][:3]
    for symbol, price, source in zip(SYMBOLS, PRICES, whole, strict=True):
        first = history.prices(source, start)
        for hour in range(hours):
            now = history.prices(source, start + timedelta(hours=hour))
            if first is not None and now is not None:
                at = OPENED + timedelta(hours=2 + hour)
                data.set_prices(at, (price * now.spot / first.spot).quantize(Decimal("0.0001")), symbol=symbol)
    return data


def played(data: ScriptedMarketData, hours: float, *, faults: FaultPlan | None = None) -> BotHarness:
    """Return a bot that has opened three hedges on one cross wallet and held them through a market for so long."""
    management = PositionManagement(
        fee_coverage_multiplier=1000, max_position_age_hours=87_600, better_opportunity_apr=90.0, max_positions=3
    )
    parameters = StrategyParameters(
        position_management=management, capital_management=CapitalManagement(reserve_usd=Decimal(200))
    )
    bot = BotHarness(data, parameters=parameters, usdt=1200, perp=900, faults=faults, poll_seconds=30)
    bot.run(0.5)
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == set(SYMBOLS)
    bot.run(hours - 0.5)
    return bot


def moved(bot: BotHarness) -> list[FundsTransferred]:
    """Return the transfers of a bot since its hedges were opened."""
    return [event for event in bot.logged(FundsTransferred) if event.at > HELD_SINCE]
