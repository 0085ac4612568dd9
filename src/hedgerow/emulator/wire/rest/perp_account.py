"""Routes of balances, positions and commission rates of the perpetual account (docs/aster-api.md 5.3)."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

from hedgerow.domain.account import QUOTE_ASSET, AccountView, MarginType
from hedgerow.domain.instrument import Instrument, Market
from hedgerow.domain.money import ZERO, plain
from hedgerow.emulator.core.market_changes import Bracket
from hedgerow.emulator.wire.protocol.number_format import fixed, money, price_text, quantity_text, short, to_ms
from hedgerow.emulator.wire.rest.call import RestCall, account_data

__all__ = [
    "ROUTES",
    "account",
    "account_with_join_margin",
    "adl_quantile",
    "balance",
    "commission_rate",
    "leverage_bracket",
    "leverage_brackets",
    "max_notional",
    "position_risk",
]

HIGHEST_LEVERAGE = 125
MAX_NOTIONAL = 1_000_000
NOTHING = "0.00000000"


def balance(call: RestCall) -> list[dict[str, Any]]:
    """GET balance: every margin asset."""
    alias = sha256(call.exchange_account.user.encode()).hexdigest()[:16]
    return [{"accountAlias": alias, **_asset_balance(call, asset)} for asset in call.exchange.profile.margin_assets]


def account(call: RestCall) -> dict[str, Any]:
    """GET account: the USDT-only view."""
    return _account(call, [QUOTE_ASSET])


def account_with_join_margin(call: RestCall) -> dict[str, Any]:
    """GET accountWithJoinMargin: every margin asset."""
    return _account(call, list(call.exchange.profile.margin_assets))


def position_risk(call: RestCall) -> list[dict[str, Any]]:
    """GET positionRisk, flat symbols included."""
    view = call.exchange_account.shown()
    return [_position_risk(call, view, symbol) for symbol in call.symbols()]


def commission_rate(call: RestCall) -> dict[str, Any]:
    """GET commissionRate, on both markets."""
    instrument = call.instrument()
    return {
        "symbol": instrument.symbol,
        "makerCommissionRate": fixed(instrument.fees.maker, 6),
        "takerCommissionRate": fixed(instrument.fees.taker, 6),
    }


def leverage_bracket(call: RestCall) -> Any:
    """GET leverageBracket: an object for one symbol, an array for all."""
    rows = leverage_brackets(call)
    return rows[0] if call.params.has("symbol") else rows


def leverage_brackets(call: RestCall) -> list[dict[str, Any]]:
    """GET leverageBrackets: always an array."""
    return [{"symbol": symbol, "brackets": _brackets(call, symbol)} for symbol in call.symbols()]


def adl_quantile(call: RestCall) -> Any:
    """GET adlQuantile: an empty object for a symbol without a position."""
    held = call.exchange_account.world.parts.perp.holdings
    rows = [{"symbol": s, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}} for s in call.symbols() if s in held]
    return rows if rows or not call.params.has("symbol") else {}


def max_notional(call: RestCall, symbol: str) -> int | float:
    """Return the largest position of a symbol in quote units."""
    bracket = call.exchange.market.brackets.get(symbol)
    if bracket is None or bracket.max_notional is None:
        return MAX_NOTIONAL
    return _number(bracket.max_notional)


def _brackets(call: RestCall, symbol: str) -> list[dict[str, Any]]:
    changed = call.exchange.market.brackets.get(symbol) or Bracket()
    tiers = call.exchange_account.world.parts.perp.tiers(symbol)
    caps = [*(_number(tier.floor) for tier in tiers[1:]), max_notional(call, symbol)]
    return [
        {
            "bracket": number,
            "initialLeverage": changed.max_leverage or HIGHEST_LEVERAGE,
            "notionalCap": cap,
            "notionalFloor": _number(tier.floor),
            "maintMarginRatio": float(tier.rate),
            "cum": _number(tier.cumulative),
        }
        for number, (tier, cap) in enumerate(zip(tiers, caps, strict=True), 1)
    ]


def _number(value: Decimal) -> int | float:
    return int(value) if value == int(value) else float(value)


def _account(call: RestCall, assets: list[str]) -> dict[str, Any]:
    view = call.exchange_account.shown()
    parts = call.exchange_account.world.parts
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


def _account_asset(call: RestCall, asset: str) -> dict[str, Any]:
    row = _asset_balance(call, asset)
    parts = call.exchange_account.world.parts
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


def _asset_balance(call: RestCall, asset: str) -> dict[str, Any]:
    """Return one margin asset; under Multi-Assets mode all of them show the shared collateral as available."""
    view = call.exchange_account.shown()
    wallet = view.perp
    own = asset == QUOTE_ASSET
    shared = not call.exchange_account.world.parts.single_asset
    held = money(wallet.balance if own else view.perp_assets.get(asset, ZERO))
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


def _account_position(call: RestCall, view: AccountView, instrument: Instrument) -> dict[str, Any]:
    symbol = instrument.symbol
    perp = call.exchange_account.world.parts.perp
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
        "maxNotional": str(max_notional(call, symbol)),
        "positionSide": "BOTH",
        "positionAmt": quantity_text(instrument, quantity),
        "notional": short(notional),
        "isolatedWallet": "0",
        "updateTime": to_ms(call.now) if held else 0,
    }


def _position_risk(call: RestCall, view: AccountView, symbol: str) -> dict[str, Any]:
    instrument = call.exchange.market.instrument(Market.PERP, symbol)
    perp = call.exchange_account.world.parts.perp
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
        "maxNotionalValue": str(max_notional(call, symbol)),
        "marginType": "cross" if crossed else "isolated",
        "isolatedMargin": NOTHING,
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notional": short(quantity * mark_price),
        "isolatedWallet": "0",
        "updateTime": to_ms(call.now) if held else 0,
    }


ROUTES = {
    Market.PERP: (
        account_data("balance", balance, 5, (2, 3)),
        account_data("account", account, 5, (2, 3, 4)),
        account_data("accountWithJoinMargin", account_with_join_margin, 5, (3,)),
        account_data("positionRisk", position_risk, 5, (2, 3)),
        account_data("leverageBracket", leverage_bracket, 1),
        account_data("leverageBrackets", leverage_brackets, 1),
        account_data("adlQuantile", adl_quantile, 5),
    ),
    None: (account_data("commissionRate", commission_rate, 20),),
}
"""By market; None = both."""
