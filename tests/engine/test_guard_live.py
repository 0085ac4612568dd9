"""The guard of a bot on the live client: what the exchange's streams tell on the wire, and how soon it is acted on."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from hedgerow.app.bot import build_bot
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, Event, ExternalFills
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleFailed, GuardAlarmed, Notice
from hedgerow.engine.runner import RunOptions
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from hedgerow.strategy.policies import load_policy
from support.settings import InMemory
from support.worlds import SYMBOL, ScriptedMarketData

EVENT_SECONDS = 1000.0
"""A hundred seconds after the cycle at 15 minutes, two hundred before the one at 20."""
PARAMETERS = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(funding_ma_periods=3),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=10_000),
)


class LiveHarness:
    """A bot on the live client, in front of the wire of an emulated exchange."""

    def __init__(self, *, streams: bool) -> None:
        self.setting = InMemory(ScriptedMarketData())
        self.store = MemoryStore()
        self.notices: list[Notice] = []
        self.ledger = Ledger()
        self.began = self.setting.clock.now()
        self._streams = streams

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def play(self, act: Callable[[Any], object], seconds: float = EVENT_SECONDS + 60) -> None:
        self.setting.run(self._script(act, seconds))

    async def _script(self, act: Callable[[Any], object], seconds: float) -> None:
        venue: Any = self.setting.venue
        bot = build_bot(
            venue=venue,
            store=self.store,
            clock=self.setting.clock,
            policy=load_policy(PARAMETERS.policy, PARAMETERS),
            randomness=Random(1),
            options=RunOptions(interval_seconds=300, poll_seconds=30),
            observers=(self,),
            notifications=venue,
        )
        listening = asyncio.ensure_future(self.setting.streams.run() if self._streams else self.setting.clock.sleep(0))
        running = asyncio.ensure_future(bot.runner.run())
        await self.setting.clock.sleep(EVENT_SECONDS)
        act(self.setting.world)
        await self.setting.clock.sleep(seconds - EVENT_SECONDS)
        bot.stop.set()
        await running
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        self.ledger = bot.journal.ledger

    @property
    def log(self) -> tuple[Event, ...]:
        return asyncio.run(self.store.events())

    def seconds_to_order(self, market: Market) -> float:
        """Return how long after the event the first order on a market was issued."""
        sent = ((e.command, (e.at - self.began).total_seconds()) for e in self.log if isinstance(e, CommandIssued))
        orders = [(c, at) for c, at in sent if isinstance(c, PlaceOrder) and at >= EVENT_SECONDS]
        return next(at for command, at in orders if command.order.market is market) - EVENT_SECONDS


def deleverage(world: Any) -> None:
    world.deleverage(SYMBOL, world.account().short(SYMBOL))


def sell_coins(world: Any) -> None:
    coins = world.account().coin(SYMBOL.removesuffix("USDT")).total
    world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins.quantize(Decimal("0.001"), rounding="ROUND_DOWN"))


@pytest.mark.parametrize(("streams", "within"), [(True, 6.0), (False, 36.0)], ids=["streams", "no streams"])
@pytest.mark.parametrize(("act", "market"), [(deleverage, Market.SPOT), (sell_coins, Market.PERP)])
def test_a_leg_that_is_taken_is_answered_on_the_other_one(
    act: Callable[[Any], object], market: Market, *, streams: bool, within: float
) -> None:
    live = LiveHarness(streams=streams)
    live.play(act)
    assert [m.error for m in live.notices if isinstance(m, CycleFailed)] == []
    assert live.seconds_to_order(market) < within
    assert [m for m in live.notices if isinstance(m, GuardAlarmed)]
    assert any(isinstance(event, ExternalFills) for event in live.log)
    assert live.ledger.closed[0].reason is (Reason.LIQUIDATED if act is deleverage else Reason.LEG_GONE)


def test_a_quiet_time_on_streams_is_never_woken_and_never_polled() -> None:
    live = LiveHarness(streams=True)
    live.play(lambda _: None, seconds=1750)
    assert [m.text for m in live.notices if isinstance(m, GuardAlarmed)] == []
    assert live.ledger.totals.cycles == 6
