"""Client ids of the orders that this venue sends itself: liquidation, ADL, settlement (docs/aster-api.md 10.2)."""

from collections.abc import Callable
from typing import Final

from msgspec import UNSET, UnsetType

from hedgerow.domain.order import ForcedTrade

__all__ = ["FORCED_CLIENT_IDS", "forced_client_id", "forced_trade"]

FORCED_CLIENT_IDS: Final = {
    ForcedTrade.LIQUIDATION: "autoclose-",
    ForcedTrade.AUTO_DELEVERAGING: "adl_autoclose",
    ForcedTrade.SETTLEMENT: "settlement_autoclose-",
}
"""How they begin; that of settlements is Binance's, Aster's documents name none."""


def forced_client_id(kind: ForcedTrade, next_id: Callable[[], int]) -> str:
    """Return the id of a new order of the venue; those that end with a dash are numbered."""
    prefix = FORCED_CLIENT_IDS[kind]
    return f"{prefix}{next_id()}" if prefix.endswith("-") else prefix


def forced_trade(client_id: str) -> ForcedTrade | UnsetType:
    """Return what a trade is by the client id of its order; UNSET where the venue did not force it."""
    return next((kind for kind, prefix in FORCED_CLIENT_IDS.items() if client_id.startswith(prefix)), UNSET)
