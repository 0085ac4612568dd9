"""Balances, positions and settings of the perpetual account (API reference, section 5.3)."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView, MarginType
from hedgerow.domain.instrument import Instrument, Market
from hedgerow.domain.money import ZERO, plain
from hedgerow.emulator.wire import events
from hedgerow.emulator.wire.call import Call, Route, Security
from hedgerow.emulator.wire.errors import WireError
from hedgerow.emulator.wire.text import fixed, money, price_text, quantity_text, short, to_ms

__all__ = ["ROUTES"]

MAX_NOTIONAL = 1_000_000
NOTHING = "0.00000000"
DONE = {"code": 200, "msg": "success"}
MARGIN_CHANGES = {"1": 1, "2": -1}


def balance(call: Call) -> list[dict[str, Any]]:
    """GET balance: every margin asset."""
    alias = sha256(call.member.user.encode()).hexdigest()[:16]
    return [{"accountAlias": alias, **_asset_balance(call, asset)} for asset in call.exchange.profile.margin_assets]


def account(call: Call) -> dict[str, Any]:
    """GET account: the USDT-only view."""
    return _account(call, [QUOTE_ASSET])


def account_with_join_margin(call: Call) -> dict[str, Any]:
    """GET accountWithJoinMargin: every margin asset."""
    return _account(call, list(call.exchange.profile.margin_assets))


def position_risk(call: Call) -> list[dict[str, Any]]:
    """GET positionRisk, flat symbols included."""
    view = call.member.world.account()
    return [_position_risk(call, view, symbol) for symbol in call.symbols()]


def commission_rate(call: Call) -> dict[str, Any]:
    """GET commissionRate, on both markets."""
    instrument = call.instrument()
    return {
        "symbol": instrument.symbol,
        "makerCommissionRate": fixed(instrument.fees.maker, 6),
        "takerCommissionRate": fixed(instrument.fees.taker, 6),
    }


def leverage(call: Call) -> dict[str, Any]:
    """POST leverage."""
    symbol, wanted = call.symbol(), call.params.whole("leverage", most=10**6)
    call.member.world.set_leverage(symbol, wanted)
    call.member.tell(Market.PERP, events.leverage_config(call.member.world, symbol))
    return {"leverage": wanted, "maxNotionalValue": str(MAX_NOTIONAL), "symbol": symbol}


def margin_type(call: Call) -> dict[str, Any]:
    """POST marginType."""
    symbol = call.symbol()
    wanted = MarginType(call.params.choice("marginType", tuple(MarginType)))
    if wanted is MarginType.ISOLATED and not call.member.world.parts.single_asset:
        raise WireError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
    call.member.world.set_margin_type(symbol, wanted)
    return DONE


def position_margin(call: Call) -> dict[str, Any]:
    """POST positionMargin: only an isolated position has margin of its own, and isolated margin is a label here."""
    symbol = call.symbol()
    amount = call.params.number("amount")
    change = call.params.choice("type", tuple(MARGIN_CHANGES))
    parts = call.member.world.parts
    if parts.perp.margin_type(symbol) is not MarginType.ISOLATED or symbol not in parts.perp.holdings:
        raise WireError(-4046 if amount <= 0 else -4051, "Isolated balance insufficient.")
    if amount <= 0:
        raise WireError(-4055, "Amount must be positive.")
    return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": int(change)}


def no_rows(call: Call) -> list[Any]:
    """Answer a history of which this exchange keeps nothing."""
    call.symbol()
    return []


def get_position_mode(call: Call) -> dict[str, Any]:
    """GET positionSide/dual."""
    return {"dualSidePosition": not call.member.world.parts.one_way}


def set_position_mode(call: Call) -> dict[str, Any]:
    """POST positionSide/dual."""
    dual = call.params.flag("dualSidePosition")
    parts = call.member.world.parts
    if dual != parts.one_way:
        raise WireError(-4059, "No need to change position side.")
    if call.member.tickets.open(Market.PERP):
        raise WireError(-4067, "Position side cannot be changed if there exists open orders.")
    if parts.perp.holdings:
        raise WireError(-4068, "Position side cannot be changed if there exists position.")
    call.member.world.set_modes(one_way=not dual)
    return _modes_changed(call)


def get_multi_assets(call: Call) -> dict[str, Any]:
    """GET multiAssetsMargin."""
    return {"multiAssetsMargin": not call.member.world.parts.single_asset}


def set_multi_assets(call: Call) -> dict[str, Any]:
    """POST multiAssetsMargin."""
    multi = call.params.flag("multiAssetsMargin")
    parts = call.member.world.parts
    if multi != parts.single_asset:
        raise WireError(-4171, "No need to change Multi-Assets mode.")
    if multi and MarginType.ISOLATED in parts.perp.margin_types.values():
        raise WireError(-4168, "Unable to adjust to Multi-Assets mode with symbols of isolated-margin mode.")
    call.member.world.set_modes(single_asset=not multi)
    return _modes_changed(call)


def get_stp_mode(call: Call) -> dict[str, Any]:
    """GET stpMode."""
    return {"stpMode": call.member.settings.stp_mode}


def set_stp_mode(call: Call) -> dict[str, Any]:
    """POST stpMode."""
    mode = call.params.choice("stpMode", ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"))
    call.member.configure(replace(call.member.settings, stp_mode=mode))
    return DONE


def get_fee_burn(call: Call) -> dict[str, Any]:
    """GET feeBurn."""
    return {"feeBurn": call.member.settings.fee_burn}


def leverage_bracket(call: Call) -> Any:
    """GET leverageBracket: an object for one symbol, an array for all."""
    rows = leverage_brackets(call)
    return rows[0] if call.params.has("symbol") else rows


def leverage_brackets(call: Call) -> list[dict[str, Any]]:
    """GET leverageBrackets: always an array."""
    bracket = {
        "bracket": 1,
        "initialLeverage": 125,
        "notionalCap": MAX_NOTIONAL,
        "notionalFloor": 0,
        "maintMarginRatio": float(call.exchange.rules.world.maintenance_rate),
        "cum": 0,
    }
    return [{"symbol": symbol, "brackets": [bracket]} for symbol in call.symbols()]


def adl_quantile(call: Call) -> Any:
    """GET adlQuantile: an empty object for a symbol without a position."""
    held = call.member.world.parts.perp.holdings
    rows = [{"symbol": s, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}} for s in call.symbols() if s in held]
    return rows if rows or not call.params.has("symbol") else {}


def _modes_changed(call: Call) -> dict[str, Any]:
    event = events.account_config(call.member.world, fee_burn=call.member.settings.fee_burn)
    call.member.tell(Market.PERP, event)
    return DONE


def _account(call: Call, assets: list[str]) -> dict[str, Any]:
    view = call.member.world.account()
    parts = call.member.world.parts
    standing = parts.perp.standing(parts.mark)
    initial, orders = standing.initial_margin, parts.desk.order_margin
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "totalInitialMargin": money(initial + orders),
        "totalMaintMargin": money(standing.maintenance_margin),
        "totalWalletBalance": money(view.perp.balance),
        "totalUnrealizedProfit": money(view.perp.unrealized_pnl),
        "totalMarginBalance": money(view.perp.margin_balance),
        "totalPositionInitialMargin": money(initial),
        "totalOpenOrderInitialMargin": money(orders),
        "totalCrossWalletBalance": money(view.perp.balance),
        "totalCrossUnPnl": money(view.perp.unrealized_pnl),
        "availableBalance": money(view.perp.available),
        "maxWithdrawAmount": money(view.perp.transferable),
        "assets": [_account_asset(call, asset) for asset in assets],
        "positions": [_account_position(call, view, pair.perp) for pair in call.exchange.market.pairs],
    }


def _account_asset(call: Call, asset: str) -> dict[str, Any]:
    row = _asset_balance(call, asset)
    parts = call.member.world.parts
    standing = parts.perp.standing(parts.mark)
    own = asset == QUOTE_ASSET
    initial, orders = (standing.initial_margin, parts.desk.order_margin) if own else (ZERO, ZERO)
    return {
        "asset": asset,
        "walletBalance": row["balance"],
        "unrealizedProfit": row["crossUnPnl"],
        "marginBalance": money(Decimal(row["balance"]) + Decimal(row["crossUnPnl"])),
        "maintMargin": money(standing.maintenance_margin if own else ZERO),
        "initialMargin": money(initial + orders),
        "positionInitialMargin": money(initial),
        "openOrderInitialMargin": money(orders),
        "maxWithdrawAmount": row["maxWithdrawAmount"],
        "crossWalletBalance": row["crossWalletBalance"],
        "crossUnPnl": row["crossUnPnl"],
        "availableBalance": row["availableBalance"],
        "marginAvailable": True,
        "updateTime": row["updateTime"],
    }


def _asset_balance(call: Call, asset: str) -> dict[str, Any]:
    """Return one margin asset; under Multi-Assets mode all of them show the shared collateral as available."""
    wallet = call.member.world.account().perp
    own = asset == QUOTE_ASSET
    shared = not call.member.world.parts.single_asset
    held = money(wallet.balance if own else ZERO)
    return {
        "asset": asset,
        "balance": held,
        "crossWalletBalance": held,
        "crossUnPnl": money(wallet.unrealized_pnl if own else ZERO),
        "availableBalance": money(wallet.available if own or shared else ZERO),
        "maxWithdrawAmount": money(wallet.transferable if own else ZERO),
        "marginAvailable": True,
        "updateTime": to_ms(call.now) if own else 0,
    }


def _account_position(call: Call, view: AccountView, instrument: Instrument) -> dict[str, Any]:
    symbol = instrument.symbol
    perp = call.member.world.parts.perp
    held = view.positions.get(symbol)
    quantity, mark = (held.quantity, held.mark_price) if held else (ZERO, ZERO)
    notional = quantity * mark
    initial = short(abs(notional) / perp.leverage(symbol))
    return {
        "symbol": symbol,
        "initialMargin": initial,
        "maintMargin": short(perp.maintenance(symbol, mark)),
        "unrealizedProfit": money(held.unrealized_pnl if held else ZERO),
        "positionInitialMargin": initial,
        "openOrderInitialMargin": "0",
        "leverage": str(perp.leverage(symbol)),
        "isolated": perp.margin_type(symbol) is MarginType.ISOLATED,
        "entryPrice": plain(held.entry_price) if held else "0.0",
        "maxNotional": str(MAX_NOTIONAL),
        "positionSide": "BOTH",
        "positionAmt": quantity_text(instrument, quantity),
        "notional": short(notional),
        "isolatedWallet": "0",
        "updateTime": to_ms(call.now) if held else 0,
    }


def _position_risk(call: Call, view: AccountView, symbol: str) -> dict[str, Any]:
    instrument = call.exchange.market.instrument(Market.PERP, symbol)
    perp = call.member.world.parts.perp
    held = view.positions.get(symbol)
    mark = call.exchange.market.mark(symbol, call.now)
    mark_price = held.mark_price if held else mark.mark if mark else ZERO
    quantity = held.quantity if held else ZERO
    crossed = perp.margin_type(symbol) is MarginType.CROSSED
    liquidation = held.liquidation_price if held else None
    return {
        "symbol": symbol,
        "positionAmt": quantity_text(instrument, quantity),
        "entryPrice": plain(held.entry_price) if held else "0.0",
        "markPrice": fixed(mark_price, 8),
        "unRealizedProfit": money(held.unrealized_pnl if held else ZERO),
        "liquidationPrice": price_text(instrument, liquidation or ZERO),
        "leverage": str(perp.leverage(symbol)),
        "maxNotionalValue": str(MAX_NOTIONAL),
        "marginType": "cross" if crossed else "isolated",
        "isolatedMargin": NOTHING,
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notional": short(quantity * mark_price),
        "isolatedWallet": "0",
        "updateTime": to_ms(call.now) if held else 0,
    }


def _data(name: str, handler: Any, weight: int, versions: tuple[int, ...] = (1, 3)) -> Route:
    return Route(method="GET", name=name, handler=handler, weight=weight, security=Security.DATA, versions=versions)


def _trade(name: str, handler: Any, versions: tuple[int, ...] = (1, 3)) -> Route:
    return Route(method="POST", name=name, handler=handler, security=Security.TRADE, versions=versions)


ROUTES = {
    Market.PERP: (
        _data("balance", balance, 5, (2, 3)),
        _data("account", account, 5, (2, 3, 4)),
        _data("accountWithJoinMargin", account_with_join_margin, 5, (3,)),
        _data("positionRisk", position_risk, 5, (2, 3)),
        _data("positionSide/dual", get_position_mode, 30),
        _data("multiAssetsMargin", get_multi_assets, 30),
        _data("stpMode", get_stp_mode, 30, (3,)),
        _data("feeBurn", get_fee_burn, 30),
        _data("positionMargin/history", no_rows, 1),
        _data("leverageBracket", leverage_bracket, 1),
        _data("leverageBrackets", leverage_brackets, 1),
        _data("adlQuantile", adl_quantile, 5),
        _trade("positionSide/dual", set_position_mode),
        _trade("multiAssetsMargin", set_multi_assets),
        _trade("stpMode", set_stp_mode, (3,)),
        _trade("leverage", leverage),
        _trade("marginType", margin_type),
        _trade("positionMargin", position_margin),
    ),
    None: (_data("commissionRate", commission_rate, 20),),
}
"""By market; None = both."""
