"""A venue with other rules than Aster's: short client ids, other marks of forced orders, spot fees in quote units."""

from datetime import datetime

from msgspec.structs import replace

from hedgerow.domain.commands import Command, PlaceOrder
from hedgerow.domain.events import Event
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import Fill
from hedgerow.engine.ids import LONGEST_CLIENT_ID
from hedgerow.ports import VenueRules
from support.bot_harness import WatchedVenue

__all__ = ["OtherVenue"]


class OtherVenue(WatchedVenue):
    """Accepts client ids as short as the bot can make them; its own orders are named ``SYS#...``.

    Pairs say for themselves where fees are taken in quote units: ``make_pair(fee_in_quote=True)``.
    """

    longest = LONGEST_CLIENT_ID

    @property
    def rules(self) -> VenueRules:
        return VenueRules(max_client_id_length=self.longest)

    async def submit(self, command: Command) -> tuple[Event, ...]:
        if isinstance(command, PlaceOrder) and len(command.order.client_id) > self.longest:
            self.crimes.append(f"a client id is longer than {self.longest}: {command.order.client_id}")
        return await super().submit(command)

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        found = await super().fills(market, symbol, since)
        return tuple(replace(f, client_id=f"SYS#{f.trade_id}") if f.forced else f for f in found)
