"""Facts that events of older logs hold only in the words of Aster: they are read as newer logs hold them.

Up to 0.2.0 the fold itself knew how the client ids of forced orders begin and what error codes mean; every log of that
time is of Aster. Later the venue's adapter says both in fields of their own.
"""

from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from hedgerow.domain.events import CommandRefused, Event, ExternalFills, FeeBooked
from hedgerow.domain.order import Fill, ForcedTrade

__all__ = ["migrated"]

_FORCED: Final = {
    "autoclose-": ForcedTrade.LIQUIDATION,
    "adl_autoclose": ForcedTrade.AUTO_DELEVERAGING,
    "settlement_autoclose-": ForcedTrade.SETTLEMENT,
}
"""How the client ids of forced orders begin (docs/aster-api.md 10.2)."""
_ACCOUNT_CODES: Final = -2000
"""Codes from here to 0 refuse a request before anything of the account is looked at (docs/aster-api.md 9)."""


def migrated(event: Event) -> Event:
    """Return an event as it would be written now; most are."""
    match event:
        case FeeBooked() if _is_forced(event.fill):
            return replace(event, fill=_marked(event.fill))
        case ExternalFills() if any(map(_is_forced, event.fills)):
            return replace(event, fills=tuple(map(_marked, event.fills)))
        case CommandRefused() if event.before_execution is UNSET and event.code > _ACCOUNT_CODES:
            return replace(event, before_execution=True)
        case _:
            return event


def _is_forced(fill: Fill) -> bool:
    return fill.forced_trade is UNSET and fill.client_id.startswith(tuple(_FORCED))


def _marked(fill: Fill) -> Fill:
    if not _is_forced(fill):
        return fill
    kind = next(kind for prefix, kind in _FORCED.items() if fill.client_id.startswith(prefix))
    return replace(fill, forced_trade=kind)
