"""``/admin`` routes of market changes: filters, fees, brackets, statuses, redenominations, distorted books.

One body for all; its ``type`` names the change (``emulator.market_changes``). What is set here is kept by ``--state``.
"""

from typing import Any, get_args

import msgspec

from hedgerow.emulator.core.market_changes import MarketChange
from hedgerow.emulator.wire.admin.bodies import values_at
from hedgerow.emulator.wire.admin.fault_routes import Actions
from hedgerow.emulator.wire.exchange.exchange import Exchange

__all__ = ["MarketRoutes", "read_change"]


class MarketRoutes:
    """Changes markets on request."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def actions(self) -> Actions:
        """What can be asked for, by method and name."""
        return {
            ("GET", "markets"): lambda _: self._list(),
            ("POST", "markets"): self._change,
            ("DELETE", "markets"): lambda _: self._end(),
        }

    def _list(self) -> dict[str, Any]:
        return {"changes": self._exchange.market.conditions.changes}

    def _change(self, body: bytes) -> dict[str, Any]:
        self._exchange.change_market(read_change(body))
        return self._list()

    def _end(self) -> dict[str, Any]:
        self._exchange.end_market_changes()
        return self._list()


def read_change(body: bytes) -> MarketChange:
    """Return the change that a body declares.

    Raises:
        ValueError: it is malformed; says which types and fields there are.
    """
    try:
        change: MarketChange = msgspec.json.decode(body or b"{}", type=MarketChange)
    except msgspec.ValidationError as error:
        raise ValueError(_explained(body, str(error))) from error
    return change


def _explained(body: bytes, message: str) -> str:
    """Add which values a field takes, else which fields a change of the type named; without one, which types there are.

    ``message`` is the decoder's, and says which field is wrong; one of a value says itself what is allowed.
    """
    kinds: dict[str, Any] = {str(kind.__struct_config__.tag): kind for kind in get_args(MarketChange)}
    kind = kinds.get(msgspec.json.decode(body or b"{}", type=dict[str, Any]).get("type", ""))
    if kind is None:
        return f"{message}; allowed as type are {', '.join(kinds)}"
    values = values_at(message, kind)
    if not values and not message.startswith("Object "):
        return message
    return f"{message}; allowed are {', '.join(values or kind.__struct_encode_fields__)}"
