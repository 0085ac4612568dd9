"""Rules of Aster that decide what its ids and error codes mean; nothing outside of ``aster`` knows them."""

from typing import Final

from msgspec import UNSET, UnsetType

from hedgerow.domain.order import ForcedTrade
from hedgerow.ports import VenueRules

__all__ = ["ASTER", "forced_trade", "is_before_execution"]

ASTER: Final = VenueRules(max_client_id_length=36)
"""A longer client id is refused with -4015 (docs/aster-api.md 9)."""
_FORCED: Final = {
    "autoclose-": ForcedTrade.LIQUIDATION,
    "adl_autoclose": ForcedTrade.AUTO_DELEVERAGING,
    "settlement_autoclose-": ForcedTrade.SETTLEMENT,
}
"""How the client ids of the exchange's own orders begin (docs/aster-api.md 10.2)."""
_ACCOUNT_CODES: Final = -2000
"""Codes above it refuse the request (too many, too late), codes below it what it asks for (docs/aster-api.md 9)."""
_KEY_CODES: Final = frozenset({-2014, -2015})
"""Codes of a key, an address or a right that is refused: nothing else of the request is looked at."""


def forced_trade(client_id: str) -> ForcedTrade | UnsetType:
    """Return what a trade is by the client id of its order; UNSET where the exchange did not force it."""
    return next((kind for prefix, kind in _FORCED.items() if client_id.startswith(prefix)), UNSET)


def is_before_execution(code: int) -> bool | UnsetType:
    """Return True for the code of a request that was not looked at, as ``CommandRefused`` holds it; else UNSET."""
    return True if code > _ACCOUNT_CODES or code in _KEY_CODES else UNSET
