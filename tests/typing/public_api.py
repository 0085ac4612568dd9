"""Programs of users, checked by mypy and pyright and never run: the types of the public API that they rely on."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import assert_type

from hedgerow.aster import AsterClient, AsterVenue
from hedgerow.aster.schema.market_rows import DepthReply
from hedgerow.domain.events import Event
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth, MarketView
from hedgerow.ports import Clock, NotificationSource, Store, Venue
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, Refusal
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from hedgerow.strategy.policy import Policy
from hedgerow.testing import AsterAccount, Balances, LocalAster, SeenOrder, SeenRequest, local_aster


class OwnPolicy:
    """A policy that inherits nothing."""

    def __init__(self, parameters: StrategyParameters) -> None:
        self.parameters = parameters
        self._guide = VolumeFarming(parameters)

    def rank(self, market: MarketView) -> Ranking:
        return self._guide.rank(market)

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        return self._guide.refusals(pair, ranking, market)

    def capital(self, spot: Decimal, perp: Decimal) -> Decimal:
        return min(spot, perp)

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        return self._guide.review(evaluation, ranking, market)


class OwnStore:
    """A store that inherits nothing."""

    async def load(self) -> Ledger:
        return Ledger()

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        del events, durable

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        del after
        return ()

    async def snapshot(self, ledger: Ledger) -> None:
        del ledger

    async def close(self) -> None:
        return None


def policies_and_stores(parameters: StrategyParameters) -> tuple[Policy, Store, Store]:
    return OwnPolicy(parameters), OwnStore(), MemoryStore()


async def client_and_venue(client: AsterClient, clock: Clock) -> None:
    assert_type(await client.depth(Market.SPOT, "BTCUSDT"), DepthReply)
    venue: Venue = AsterVenue(client, clock)
    reported: NotificationSource = AsterVenue(client, clock)
    assert_type(await venue.depth(Market.PERP, "BTCUSDT"), Depth)
    assert_type(reported.streaming, bool)


def exchange_of_a_test() -> None:
    with local_aster() as aster:
        assert_type(aster, LocalAster)
        assert_type(aster.account, AsterAccount)
        assert_type(aster.balances(), Balances)
        assert_type(aster.orders(), tuple[SeenOrder, ...])
        assert_type(aster.requests(), tuple[SeenRequest, ...])
        assert_type(aster.price("BTCUSDT"), Decimal)
        assert_type(aster.advance(hours=8), datetime)
