"""A wired exchange on a scripted or generated tape, and a client that signs as the venue's documents say.

The signer here is the checker's own arithmetic turned round; the documents' vectors stand between the two.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
from coincurve import PrivateKey

from hedgerow.clock import VirtualClock
from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.exchange import Exchange, ExchangeRules
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent, ApiKey
from hedgerow.emulator.wire.protocol.number_format import to_us
from hedgerow.emulator.wire.protocol.signing import MAINNET, address_of, digest_of
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.streams.sessions import FrameKind, StreamSession
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.ports import HttpResponse, MarketData
from support.worlds import ScriptedMarketData

__all__ = [
    "AGENT",
    "KEY",
    "OTHER",
    "SECRET",
    "USER",
    "Reply",
    "WireClient",
    "account_of",
    "make_wired",
    "messages",
    "signature_of",
]

USER = "0x1111111111111111111111111111111111111111"
AGENT = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
"""Signer of the key 1 (docs/aster-api.md 2.1)."""
OTHER = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
"""Signer of the key 2, and an account of its own."""
KEY, SECRET = "k" * 64, "testsecret"


def signature_of(key: int, text: str, chain_id: int = MAINNET) -> str:
    raw = PrivateKey.from_int(key).sign_recoverable(digest_of(text, chain_id), hasher=None)
    return "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()


class Reply:
    """What a client reads."""

    def __init__(self, response: HttpResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.json: Any = msgspec.json.decode(response.body) if response.body[:1] in {b"{", b"["} else None
        self.text = response.body.decode()

    @property
    def code(self) -> int:
        return int(self.json["code"]) if isinstance(self.json, dict) and "code" in self.json else 0


class WireClient:
    """Signs and sends; ``base`` is ``/fapi/v3`` or ``/api/v3``."""

    def __init__(self, venue: WireVenue, *, user: str = USER, key: int = 1) -> None:
        self.venue = venue
        self.user = user
        self.key = key
        self.signer = address_of(PrivateKey.from_int(key).public_key)
        self._nonce = 0

    def nonce(self) -> int:
        self._nonce = max(to_us(self.venue.clock.now()), self._nonce + 1)
        return self._nonce

    def query(self, parameters: Mapping[str, Any]) -> str:
        named = {"user": self.user, "signer": self.signer, "nonce": str(self.nonce())}
        text = urlencode({**parameters, **named})
        return f"{text}&signature={signature_of(self.key, text)}"

    def send(self, method: str, path: str, query: str = "", body: str = "", **headers: str) -> Reply:
        request = WireRequest(method=method, path=path, query=query, body=body, headers=headers)
        response = self.venue.handle(request).response
        assert response is not None
        return Reply(response)

    def public(self, path: str, /, **parameters: Any) -> Reply:
        return self.send("GET", path, urlencode(parameters))

    def perp(self, method: str, name: str, /, **parameters: Any) -> Reply:
        return self.send(method, f"/fapi/v3/{name}", self.query(parameters))

    def spot(self, method: str, name: str, /, **parameters: Any) -> Reply:
        return self.send(method, f"/api/v3/{name}", self.query(parameters))

    def admin(self, method: str, name: str, /, **content: Any) -> Reply:
        return self.send(method, f"/admin/{name}", body=msgspec.json.encode(content).decode())

    def advance_time(self, seconds: float) -> None:
        self.venue.clock.jump(seconds)
        self.venue.tick()

    def order(self, side: str = "SELL", quantity: str = "1", **parameters: Any) -> Reply:
        """Send a market order on futures and ask for its result."""
        asked = {
            "symbol": "AAAUSDT",
            "side": side,
            "type": "MARKET",
            "quantity": quantity,
            "newOrderRespType": "RESULT",
        }
        return self.perp("POST", "order", **(asked | parameters))

    def buy_spot(self, quantity: str = "1", **parameters: Any) -> Reply:
        asked = {"symbol": "AAAUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity}
        return self.spot("POST", "order", **(asked | parameters))

    def listen(self, market: Market) -> StreamSession:
        name = "fapi" if market is Market.PERP else "api"
        key = self.send("POST", f"/{name}/v3/listenKey", self.query({})).json["listenKey"]
        return self.stream(f"/ws/{key}", market=market)

    def stream(self, path: str, query: str = "", *, market: Market = Market.PERP) -> StreamSession:
        session = self.venue.connect(market, path, query, lambda: None)
        assert session is not None
        return session


def make_wired(market_data: MarketData | None = None, *, state: Exchange | None = None, **rules: Any) -> WireClient:
    """Return a client of a new exchange whose time moves by hand; ``rules`` are those of ``ExchangeRules``."""
    chosen = market_data if market_data is not None else ScriptedMarketData()
    exchange = state or Exchange(chosen, start=chosen.start, rules=ExchangeRules(**rules))
    if state is None:
        exchange.open_account(USER, spot={"USDT": Decimal(10_000)}, perp=Decimal(10_000))
        exchange.permit(USER, Agent(signer=AGENT.lower()))
        exchange.add_key(USER, ApiKey(key=KEY, secret=SECRET))
        exchange.open_account(OTHER, spot={"USDT": Decimal(500)}, perp=Decimal(500))
    clock = ExchangeClock(VirtualClock(exchange.now), exchange.now, speed=0)
    return WireClient(WireVenue(exchange, clock))


def account_of(client: WireClient) -> ExchangeAccount:
    return client.venue.exchange.exchange_accounts[client.user.lower()]


def messages(session: StreamSession) -> list[Any]:
    """Return and take away what waits to be sent."""
    found = [msgspec.json.decode(frame.text) for frame in session.outbox if frame.kind == FrameKind.TEXT]
    session.outbox.clear()
    return found
