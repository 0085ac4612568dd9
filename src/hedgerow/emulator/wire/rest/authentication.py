"""Authentication of requests: V3 agent signatures and V1 keys (docs/aster-api.md 2 and 3)."""

import hmac
import re
from urllib.parse import unquote_plus

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.exchange.main_wallets import account_name
from hedgerow.emulator.wire.protocol.credentials import check_timestamp
from hedgerow.emulator.wire.protocol.errors import (
    UNAUTHORIZED,
    WireError,
    bad_signature,
    missing,
    no_agent,
    no_permission,
)
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.protocol.signing import hmac_of, is_address, signed_by
from hedgerow.emulator.wire.rest.call import Route, Security, WireRequest

__all__ = ["admit"]

SIGNATURE = "&signature="
SIGNATURE_FIELD = re.compile(r"(?:^|&)signature=[^&]*")
KEY = re.compile(r"[A-Za-z0-9]{8,128}")
NONCE_DIGITS = re.compile(r"\d{1,18}")
DEFAULT_WINDOW_MS, LONGEST_WINDOW_MS = 5000, 60_000


def admit(
    exchange: Exchange,
    route: Route,
    market: Market,
    request: WireRequest,
    params: Params,
    *,
    burns_nonce: bool = True,
) -> tuple[ExchangeAccount, str]:
    """Return the account that signed a request, and its signer.

    Args:
        exchange: who may sign for whom, and which nonces are used.
        route: the endpoint.
        market: the host.
        request: what was signed.
        params: the same, decoded.
        burns_nonce: whether the nonce counts as used from now on.

    Raises:
        WireError: as the table of bad-auth replies says.
    """
    key = request.headers.get("x-mbx-apikey", "")
    if key and not params.has("signer"):
        return _by_key(exchange, route, market, request, params)
    if not params.has("signer") and "/v3/" not in request.path:
        raise WireError(-2014, "API-key format invalid.", status=UNAUTHORIZED)
    return _by_signature(exchange, route, market, request, params, burns_nonce=burns_nonce)


def _by_signature(
    exchange: Exchange, route: Route, market: Market, request: WireRequest, params: Params, *, burns_nonce: bool
) -> tuple[ExchangeAccount, str]:
    signer, nonce = params.text("signer"), params.text("nonce")
    if not is_address(signer):
        raise missing("signer")
    if not NONCE_DIGITS.fullmatch(nonce):
        raise missing("nonce")
    text, signature = _split(request)
    if not signed_by(text, signature, signer, exchange.rules.chain_id):
        raise bad_signature()
    exchange_account = _owner(exchange, route, market, request, signer=signer, user=params.text("user", ""))
    if burns_nonce and not (route.guarded and exchange.used_nonce(signer, int(nonce))):
        exchange.burn_nonce(signer, int(nonce))
    return exchange_account, signer.lower()


def _owner(
    exchange: Exchange, route: Route, market: Market, request: WireRequest, *, signer: str, user: str
) -> ExchangeAccount:
    owner = exchange.owner_of(signer)
    if owner is None:
        if user.lower() == signer.lower():
            raise WireError(-5050, "Please deposit first.")
        raise no_agent()
    name, agent = owner
    if (user and account_name(user) != name) or not agent.valid(exchange.now) or name not in exchange.exchange_accounts:
        raise no_agent()
    if agent.ip_whitelist and request.ip not in agent.ip_whitelist:
        raise no_permission()
    allowed = agent.can_spot_trade if market is Market.SPOT else agent.can_perp_trade
    if route.security is Security.TRADE and not allowed:
        raise no_permission()
    return exchange.exchange_accounts[name]


def _split(request: WireRequest) -> tuple[str, str]:
    """Return the signed text and its signature: everything before the last ``&signature=``, in query or body."""
    source = request.query if SIGNATURE in request.query else request.body
    other = request.body if source is request.query else request.query
    text, found, signature = source.rpartition(SIGNATURE)
    if not found:
        raise missing("signature")
    if "&" in signature or "=" in other:
        # Something was sent that the signature does not cover.
        raise bad_signature()
    return text, unquote_plus(signature)


def _by_key(
    exchange: Exchange, route: Route, market: Market, request: WireRequest, params: Params
) -> tuple[ExchangeAccount, str]:
    key = request.headers["x-mbx-apikey"]
    if not KEY.fullmatch(key):
        raise WireError(-2014, "API-key format invalid.", status=UNAUTHORIZED)
    known = exchange.key_of(key)
    if known is None or known[0] not in exchange.exchange_accounts:
        raise no_permission()
    user, secret = known
    if secret.ip_whitelist and request.ip not in secret.ip_whitelist:
        raise no_permission()
    if route.security is not Security.STREAM:
        sent_ms = params.whole("timestamp")
        window_ms = params.whole("recvWindow", DEFAULT_WINDOW_MS, most=LONGEST_WINDOW_MS)
        if exchange.rules.nonce_window_seconds is not None:
            check_timestamp(sent_ms, window_ms, exchange.now)
        text = SIGNATURE_FIELD.sub("", request.query).lstrip("&") + SIGNATURE_FIELD.sub("", request.body).lstrip("&")
        given = params.text("signature").lower().encode()
        if not hmac.compare_digest(hmac_of(secret.secret, text).encode(), given):
            raise WireError(-1022, "Signature for this request is not valid.")
    allowed = secret.can_spot_trade if market is Market.SPOT else secret.can_perp_trade
    if route.security is Security.TRADE and not allowed:
        raise no_permission()
    return exchange.exchange_accounts[user], key
