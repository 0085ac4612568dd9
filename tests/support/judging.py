"""What the judge of a simulated run looks at, made by hand: an exchange in memory, and the time to move it to."""

from collections.abc import Callable, MutableSequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.events import Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.emulator.core.world import World
from hedgerow.simulation.causes import CauseSpan
from hedgerow.simulation.checks.conduct import Conduct
from hedgerow.simulation.checks.duties import Duties
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.checks.legs import LegWatch
from hedgerow.simulation.checks.turns import Turns
from hedgerow.simulation.harness import ExchangeHarness
from hedgerow.strategy.parameters import StrategyParameters
from support.worlds import SYMBOL, ScriptedMarketData, make_world

__all__ = ["JudgedExchange", "LegHarness"]


class JudgedExchange:
    """A world with nothing between it and the judge; the part of ``ExchangeHarness`` that the judge reads."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spans: MutableSequence[CauseSpan] = []
        self.faulted = 0
        self.is_behind = False
        self.patience_seconds = 0.0
        self.unasked_seconds = 0.0
        """How long nobody has asked the exchange anything."""

    @property
    def now(self) -> datetime:
        """The time of the run."""
        return self.world.now + timedelta(seconds=self.unasked_seconds)

    def client_id_of(self, fill: Fill) -> str:
        """Return the client id of the order behind a trade."""
        return fill.client_id


class LegHarness:
    """Legs that the bot, the owner and the venue trade, and the judge of them."""

    def __init__(self, *, coins: str = "0", price: str = "100", parameters: StrategyParameters | None = None) -> None:
        self.market_data = ScriptedMarketData()
        self.market_data.set_prices(self.market_data.start, price)
        self.world = make_world(
            self.market_data, usdt=Decimal(100_000), perp=Decimal(100_000), coins={"AAA": Decimal(coins)}
        )
        self.world.set_leverage(SYMBOL, 1)
        self.exchange = JudgedExchange(self.world)
        door: ExchangeHarness = self.exchange  # type: ignore[assignment] # the judge reads no more of it
        settings = parameters or StrategyParameters()
        self.legs = LegWatch(door, owners={"AAA": Decimal(coins)})
        self.conduct = Conduct(door, lambda: settings, self.legs)
        self.duties = Duties(door, lambda: settings)
        self.turns = Turns(door, self.conduct)

    def advance_time(self, seconds: float) -> "LegHarness":
        """Let time pass."""
        self.world.advance(self.world.now + timedelta(seconds=seconds))
        return self

    def buys(self, quantity: str) -> "LegHarness":
        """Let the bot buy coins."""
        return self._trade(Market.SPOT, Side.BUY, quantity)

    def sells(self, quantity: str) -> "LegHarness":
        """Let the bot sell coins."""
        return self._trade(Market.SPOT, Side.SELL, quantity)

    def shorts(self, quantity: str) -> "LegHarness":
        """Let the bot sell the perpetual."""
        return self._trade(Market.PERP, Side.SELL, quantity)

    def covers(self, quantity: str) -> "LegHarness":
        """Let the bot buy the short back."""
        return self._trade(Market.PERP, Side.BUY, quantity)

    def owner_sells(self, quantity: str) -> "LegHarness":
        """Let the owner sell coins."""
        return self._act(lambda: self._trade(Market.SPOT, Side.SELL, quantity))

    def owner_covers(self, quantity: str) -> "LegHarness":
        """Let the owner buy a part of the short back."""
        return self._act(lambda: self._trade(Market.PERP, Side.BUY, quantity))

    def deleverages(self, quantity: str) -> "LegHarness":
        """Let the venue close a part of the short."""
        return self._act(lambda: self.world.deleverage(SYMBOL, Decimal(quantity)))

    def deposits(self, amount: str) -> "LegHarness":
        """Let the owner do what concerns no leg."""
        return self._act(lambda: self.world.deposit(Wallet.SPOT, QUOTE_ASSET, Decimal(amount)))

    def holds(self, ledger: Ledger) -> "LegHarness":
        """Let the bot know so much."""
        self.legs.ledger = ledger
        return self

    def look(self) -> list[Invariant]:
        """Return what is broken now."""
        return [rule for rule, _ in self.legs.look()]

    def leaves(self, order: OrderRequest) -> list[Invariant]:
        """Return what is broken by an order that leaves now."""
        exposure = self.legs.exposed.get(order.symbol)
        return [rule for rule, _ in self.conduct.leaves(order, self.legs.ledger, exposure)]

    def checked(self) -> list[str]:
        """Return what is undone at the end of a check now, in words."""
        return [text for _, text in self.duties.checked(self.legs.ledger)]

    @property
    def now(self) -> datetime:
        """The present time."""
        return self.world.now

    def _trade(self, market: Market, side: Side, quantity: str) -> "LegHarness":
        self.world.trade_by_hand(
            market, SYMBOL, side, Decimal(quantity), reduce_only=market is Market.PERP and side is Side.BUY
        )
        return self

    def _act(self, act: Callable[[], object]) -> "LegHarness":
        list(self.legs.look())
        before = self.world.account()
        act()
        self.legs.took(before, self.world.account())
        return self
