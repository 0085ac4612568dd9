"""Signed routes of both markets: transfers, listen keys, agents, builders, noop; and the spot account."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.emulator.wire.exchange.main_wallets import account_name, is_main_wallet
from hedgerow.emulator.wire.exchange.state import Builder
from hedgerow.emulator.wire.protocol.credentials import Agent, agent_row
from hedgerow.emulator.wire.protocol.errors import WireError, missing
from hedgerow.emulator.wire.protocol.number_format import fixed, short, to_us
from hedgerow.emulator.wire.protocol.signing import is_address
from hedgerow.emulator.wire.rest.call import RestCall, Route, Security

__all__ = [
    "ROUTES",
    "approve_agent",
    "approve_builder",
    "close_stream",
    "dismiss_agent",
    "dismiss_builder",
    "extend_stream",
    "list_agents",
    "list_builders",
    "noop",
    "open_stream",
    "spot_account",
    "transfer",
]

DONE = {"code": 200, "msg": "success"}
DIRECTIONS = {"SPOT_FUTURE": TransferDirection.SPOT_TO_PERP, "FUTURE_SPOT": TransferDirection.PERP_TO_SPOT}
LIFETIME = timedelta(days=365)


def transfer(call: RestCall) -> dict[str, Any]:
    """POST asset/wallet/transfer."""
    direction = DIRECTIONS[call.params.choice("kindType", tuple(DIRECTIONS))]
    amount, asset = call.params.number("amount"), call.params.text("asset")
    client_id = call.params.text("clientTranId")
    if amount <= 0:
        raise WireError(-4055, "Amount must be positive.")
    return {"tranId": call.exchange_account.transfer(client_id, amount, asset, direction), "status": "SUCCESS"}


def open_stream(call: RestCall) -> dict[str, Any]:
    """POST listenKey."""
    return {"listenKey": call.exchange_account.open_listen_key(call.market)}


def extend_stream(call: RestCall) -> dict[str, Any]:
    """PUT listenKey."""
    if call.market not in call.exchange_account.listen_keys:
        raise WireError(-1125, "This listenKey does not exist.")
    call.exchange_account.open_listen_key(call.market)
    return {}


def close_stream(call: RestCall) -> dict[str, Any]:
    """DELETE listenKey."""
    call.exchange_account.close_listen_key(call.market)
    return {}


def noop(_: RestCall) -> dict[str, Any]:
    """POST noop: the nonce was burnt when the signature was checked."""
    return DONE


def list_agents(call: RestCall) -> list[dict[str, Any]]:
    """GET agent."""
    return [agent_row(agent, call.now) for agent in call.exchange.agents.get(call.exchange_account.user, ())]


def dismiss_agent(call: RestCall) -> dict[str, Any]:
    """DELETE agent."""
    call.exchange.dismiss(call.exchange_account.user, _address(call, "agentAddress"))
    return DONE


def approve_agent(call: RestCall) -> dict[str, Any]:
    """POST approveAgent, updateAgent: takes the main wallet's word, whose own signature scheme is not checked here."""
    user = _user(call)
    if user not in call.exchange.exchange_accounts:
        raise WireError(-5050, "Please deposit first.")
    until = call.params.time("expired")
    agent = Agent(
        signer=_address(call, "agentAddress"),
        name=call.params.text("agentName", "agent"),
        can_spot_trade=call.params.flag("canSpotTrade", default=True),
        can_perp_trade=call.params.flag("canPerpTrade", default=True),
        can_withdraw=call.params.flag("canWithdraw", default=False),
        expires_at=until or call.now + LIFETIME,
        ip_whitelist=tuple(ip for ip in call.params.text("ipWhitelist", ",").split(",") if ip),
    )
    call.exchange.permit(user, agent)
    return DONE


def approve_builder(call: RestCall) -> dict[str, Any]:
    """POST approveBuilder, updateBuilder: the main wallet's word, remembered, never charged."""
    exchange_account = call.exchange.exchange_accounts.get(_user(call))
    if exchange_account is None:
        raise WireError(-5050, "Please deposit first.")
    key = _address(call, "builder")
    builder = Builder(
        address=call.params.text("builder"),
        max_fee_rate=call.params.number("maxFeeRate", ZERO),
        name=call.params.text("builderName", ""),
    )
    exchange_account.configure(
        replace(exchange_account.settings, builders={**exchange_account.settings.builders, key: builder})
    )
    return DONE


def list_builders(call: RestCall) -> list[dict[str, Any]]:
    """GET builder: the rate is a JSON number here."""
    return [
        {
            "userAddress": call.exchange_account.user,
            "builderAddress": builder.address,
            "maxFeeRate": float(builder.max_fee_rate),
            "builderName": builder.name,
        }
        for builder in call.exchange_account.settings.builders.values()
    ]


def dismiss_builder(call: RestCall) -> dict[str, Any]:
    """DELETE builder."""
    gone = _address(call, "builder")
    settings = call.exchange_account.settings
    kept = {key: builder for key, builder in settings.builders.items() if key != gone}
    call.exchange_account.configure(replace(settings, builders=kept))
    return DONE


def spot_account(call: RestCall) -> dict[str, Any]:
    """GET account on spot; its update time is in nanoseconds, and assets with nothing are absent."""
    held = [balance for balance in call.exchange_account.shown().spot.values() if balance.total != ZERO]
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "canBurnAsset": True,
        "updateTime": to_us(call.now) * 1000,
        "balances": [
            {"asset": b.asset, "free": fixed(b.free, 8), "locked": short(b.locked)}
            for b in sorted(held, key=lambda balance: balance.asset)
        ],
    }


def _address(call: RestCall, name: str) -> str:
    address = call.params.text(name).lower()
    if not is_address(address):
        raise missing(name)
    return address


def _user(call: RestCall) -> str:
    """Return the main wallet that a request names."""
    user = call.params.text("user")
    if not is_main_wallet(user):
        raise missing("user")
    return account_name(user)


def _stream(method: str, handler: Any) -> Route:
    return Route(method=method, name="listenKey", handler=handler, security=Security.STREAM)


def _main(method: str, name: str, handler: Any, security: Security, weight: int = 1) -> Route:
    return Route(method=method, name=name, handler=handler, security=security, weight=weight, versions=(3,))


ROUTES = {
    Market.SPOT: (Route(method="GET", name="account", handler=spot_account, weight=5, security=Security.DATA),),
    Market.PERP: (
        _main("POST", "approveBuilder", approve_builder, Security.NONE),
        _main("POST", "updateBuilder", approve_builder, Security.NONE),
        _main("GET", "builder", list_builders, Security.DATA),
        _main("DELETE", "builder", dismiss_builder, Security.DATA),
        _main("POST", "approveAgent", approve_agent, Security.NONE),
        _main("POST", "updateAgent", approve_agent, Security.NONE),
        _main("POST", "registerAndApproveAgent", approve_agent, Security.NONE, weight=50),
        _main("DELETE", "agent", dismiss_agent, Security.DATA),
    ),
    None: (
        Route(
            method="POST",
            name="asset/wallet/transfer",
            handler=transfer,
            weight=5,
            security=Security.TRADE,
            versions=(1, 3),
        ),
        _stream("POST", open_stream),
        _stream("PUT", extend_stream),
        _stream("DELETE", close_stream),
        _main("POST", "noop", noop, Security.TRADE),
        _main("GET", "agent", list_agents, Security.DATA),
    ),
}
"""By market; None = both."""
