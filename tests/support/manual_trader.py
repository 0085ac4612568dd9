"""The owner's hands on an exchange in another process: signed requests of a client and an agent of their own."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any, TypeVar

from coincurve import PrivateKey

from _exchange import USER, Exchange, variables
from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.lockstep import AttendedTransport, LockstepClock
from hedgerow.aster import AsterClient, AsterVenue, Credentials
from hedgerow.aster.credentials import address_of
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.clock import run_virtual
from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import Command, PlaceOrder, SetLeverage
from hedgerow.domain.events import CommandRefused, OrderEnded
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest, OrderStatus, TimeInForce

__all__ = ["ManualTrader"]

KEY = f"{3:064x}"
SIGNER = address_of(PrivateKey.from_int(3))
"""An agent of the owner's own: two signers' nonces do not get into each other's way."""
CAP_BPS = Decimal(300)
Result = TypeVar("Result")
_numbers = count(1)


class ManualTrader:
    """Opens and closes hedges as a person with a key would."""

    def __init__(self, place: Exchange) -> None:
        self._hosts = Environment(variables(place.port, place.port + 1)).hosts()
        place.ask("POST", "account", {"user": USER, "agents": [{"signer": SIGNER}]})

    def open(self, symbol: str, lots: int) -> None:
        """Buy coins, a step more than are sold short for the fee in coin, and sell short so many common lots."""

        async def act(venue: AsterVenue) -> None:
            market = await venue.market(1)
            pair = market.pair(symbol)
            assert pair is not None
            short = pair.lot_step * lots
            await _done(venue, SetLeverage(symbol=symbol, leverage=1))
            await _trade(venue, Market.SPOT, symbol, Side.BUY, pair.gross_spot_for(short))
            await _trade(venue, Market.PERP, symbol, Side.SELL, short)

        self._run(act)

    def close(self, symbol: str) -> None:
        """Sell all coins that can be sold, and buy the short back."""

        async def act(venue: AsterVenue) -> None:
            market, account = await venue.market(1), await venue.account()
            pair = market.pair(symbol)
            assert pair is not None
            await _trade(venue, Market.SPOT, symbol, Side.SELL, pair.spot.floor_quantity(account.coin(pair.base).free))
            await _trade(venue, Market.PERP, symbol, Side.BUY, account.short(symbol), reduce_only=True)

        self._run(act)

    def account(self) -> AccountView:
        """Return what the account holds."""
        return self._run(lambda venue: venue.account())

    def listed(self) -> tuple[str, ...]:
        """Return every symbol that has both markets."""

        async def act(venue: AsterVenue) -> tuple[str, ...]:
            return tuple(pair.symbol for pair in (await venue.market(1)).pairs)

        return self._run(act)

    def _run(self, act: Callable[[AsterVenue], Coroutine[Any, Any, Result]]) -> Result:
        clock = LockstepClock(self._hosts.futures_rest)

        async def main() -> Result:
            async with HttpTransport() as sockets:
                client = AsterClient(
                    transport=AttendedTransport(sockets, clock),
                    clock=clock,
                    random=Random(1),
                    credentials=Credentials(user=USER, signer=SIGNER, private_key=KEY),
                    hosts=self._hosts,
                )
                return await act(AsterVenue(client, clock))

        try:
            return run_virtual(clock, main())
        finally:
            clock.close()


async def _trade(
    venue: AsterVenue, market: Market, symbol: str, side: Side, quantity: Decimal, *, reduce_only: bool = False
) -> None:
    depth = await venue.depth(market, symbol)
    pair = (await venue.market(1)).pair(symbol)
    price = depth.capped_price(side, CAP_BPS)
    assert pair is not None
    assert price is not None
    request = OrderRequest(
        client_id=f"by-hand-{next(_numbers)}",
        market=market,
        symbol=symbol,
        side=side,
        quantity=quantity,
        price=pair.instrument(market).round_price(price, side),
        time_in_force=TimeInForce.IOC,
        reduce_only=reduce_only,
    )
    await _done(venue, PlaceOrder(hedge_id="by-hand", order=request))


async def _done(venue: AsterVenue, command: Command) -> None:
    """Carry out what must succeed."""
    events = await venue.submit(command)
    assert not any(isinstance(event, CommandRefused) for event in events), events
    ends = [event for event in events if isinstance(event, OrderEnded)]
    assert all(end.status is OrderStatus.FILLED for end in ends), events
