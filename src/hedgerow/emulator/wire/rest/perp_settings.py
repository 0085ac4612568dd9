"""Routes of leverage, margin and modes of the perpetual account (docs/aster-api.md 5.3)."""

from typing import Any

from msgspec.structs import replace

from hedgerow.domain.account import MarginType
from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.exchange import account_events as events
from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.emulator.wire.rest.call import Handler, RestCall, Route, Security, account_data
from hedgerow.emulator.wire.rest.perp_account import max_notional

__all__ = [
    "ROUTES",
    "get_multi_assets",
    "get_position_mode",
    "get_stp_mode",
    "leverage",
    "margin_type",
    "no_rows",
    "position_margin",
    "set_multi_assets",
    "set_position_mode",
    "set_stp_mode",
]

DONE = {"code": 200, "msg": "success"}
MARGIN_CHANGES = {"1": 1, "2": -1}


def leverage(call: RestCall) -> dict[str, Any]:
    """POST leverage."""
    symbol, wanted = call.symbol(), call.params.whole("leverage", most=10**6)
    call.exchange_account.world.set_leverage(symbol, wanted)
    call.exchange_account.publish(Market.PERP, events.leverage_config(call.exchange_account.world, symbol))
    return {"leverage": wanted, "maxNotionalValue": str(max_notional(call, symbol)), "symbol": symbol}


def margin_type(call: RestCall) -> dict[str, Any]:
    """POST marginType."""
    symbol = call.symbol()
    wanted = MarginType(call.params.choice("marginType", tuple(MarginType)))
    if wanted is MarginType.ISOLATED and not call.exchange_account.world.parts.single_asset:
        raise WireError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
    call.exchange_account.world.set_margin_type(symbol, wanted)
    return DONE


def position_margin(call: RestCall) -> dict[str, Any]:
    """POST positionMargin: only an isolated position has margin of its own, and isolated margin is a label here."""
    symbol = call.symbol()
    amount = call.params.number("amount")
    change = call.params.choice("type", tuple(MARGIN_CHANGES))
    parts = call.exchange_account.world.parts
    if amount <= 0:
        raise WireError(-4055, "Amount must be positive.")
    if parts.perp.margin_type(symbol) is not MarginType.ISOLATED or symbol not in parts.perp.holdings:
        raise WireError(-4051, "Isolated balance insufficient.")
    return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": int(change)}


def no_rows(call: RestCall) -> list[Any]:
    """Answer a history of which this exchange keeps nothing."""
    call.symbol()
    return []


def get_position_mode(call: RestCall) -> dict[str, Any]:
    """GET positionSide/dual."""
    return {"dualSidePosition": not call.exchange_account.world.parts.one_way}


def set_position_mode(call: RestCall) -> dict[str, Any]:
    """POST positionSide/dual."""
    dual = call.params.flag("dualSidePosition")
    parts = call.exchange_account.world.parts
    if dual != parts.one_way:
        raise WireError(-4059, "No need to change position side.")
    if call.exchange_account.exchange_orders.open(Market.PERP):
        raise WireError(-4067, "Position side cannot be changed if there exists open orders.")
    if parts.perp.holdings:
        raise WireError(-4068, "Position side cannot be changed if there exists position.")
    call.exchange_account.world.set_modes(one_way=not dual)
    return _modes_changed(call)


def get_multi_assets(call: RestCall) -> dict[str, Any]:
    """GET multiAssetsMargin."""
    return {"multiAssetsMargin": not call.exchange_account.world.parts.single_asset}


def set_multi_assets(call: RestCall) -> dict[str, Any]:
    """POST multiAssetsMargin."""
    multi = call.params.flag("multiAssetsMargin")
    parts = call.exchange_account.world.parts
    if multi != parts.single_asset:
        raise WireError(-4171, "No need to change Multi-Assets mode.")
    if multi and MarginType.ISOLATED in parts.perp.margin_types.values():
        raise WireError(-4168, "Unable to adjust to Multi-Assets mode with symbols of isolated-margin mode.")
    call.exchange_account.world.set_modes(single_asset=not multi)
    return _modes_changed(call)


def get_stp_mode(call: RestCall) -> dict[str, Any]:
    """GET stpMode."""
    return {"stpMode": call.exchange_account.settings.stp_mode}


def set_stp_mode(call: RestCall) -> dict[str, Any]:
    """POST stpMode."""
    mode = call.params.choice("stpMode", ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"))
    call.exchange_account.configure(replace(call.exchange_account.settings, stp_mode=mode))
    return DONE


def _modes_changed(call: RestCall) -> dict[str, Any]:
    event = events.account_config(call.exchange_account.world, fee_burn=call.exchange_account.settings.fee_burn)
    call.exchange_account.publish(Market.PERP, event)
    return DONE


def _trade(name: str, handler: Handler, versions: tuple[int, ...] = (1, 3)) -> Route:
    return Route(method="POST", name=name, handler=handler, security=Security.TRADE, versions=versions)


ROUTES = {
    Market.PERP: (
        account_data("positionSide/dual", get_position_mode, 30),
        account_data("multiAssetsMargin", get_multi_assets, 30),
        account_data("stpMode", get_stp_mode, 30, (3,)),
        account_data("positionMargin/history", no_rows, 1),
        _trade("positionSide/dual", set_position_mode),
        _trade("multiAssetsMargin", set_multi_assets),
        _trade("stpMode", set_stp_mode, (3,)),
        _trade("leverage", leverage),
        _trade("marginType", margin_type),
        _trade("positionMargin", position_margin),
    ),
}
"""By market."""
