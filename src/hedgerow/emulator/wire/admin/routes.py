"""``/admin`` routes of time, prices, accounts and the whole state.

For tests, for demonstrations, and for clients whose clock follows the exchange's: their waits ask it to advance.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.errors import Rejected
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import ZERO, plain
from hedgerow.emulator.wire.admin.bodies import read_body
from hedgerow.emulator.wire.admin.fault_routes import Actions, FaultRoutes, account_of
from hedgerow.emulator.wire.admin.market_routes import MarketRoutes
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.exchange.main_wallets import is_main_wallet
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent, ApiKey
from hedgerow.emulator.wire.protocol.errors import NOT_FOUND, WireError
from hedgerow.emulator.wire.protocol.number_format import at_ms, to_ms
from hedgerow.emulator.wire.protocol.signing import is_address
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.faults import WireFaults
from hedgerow.emulator.wire.streams.connections import StreamConnections
from hedgerow.ports import HttpResponse

__all__ = [
    "AdminRoutes",
    "Advance",
    "Deleverage",
    "FundsBody",
    "HandTrade",
    "HandTransfer",
    "NewAccount",
    "Price",
    "Speed",
    "Status",
]

LONGEST_JUMP = timedelta(days=400)
SMALLEST_FACTOR = Decimal("0.0001")
LARGEST_PRICE = Decimal(10) ** 9
"""What several jumps lead to; its reciprocal is the smallest."""


class Advance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to move the time: by seconds, or to a time."""

    seconds: float = 0.0
    """How many seconds of the exchange pass."""
    to_ms: int | None = None
    """Time to move to, in milliseconds since 1970; one that is past moves nothing."""


class Speed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds of the exchange per real second; 0 = only when it is advanced."""

    speed: float
    """Seconds of the exchange per real second; 0 = only by ``advance``."""


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A jump of all prices of a symbol: by a factor, or so that the perpetual's middle is ``price``."""

    symbol: str
    """Whose prices jump."""
    factor: Decimal | None = None
    """What they are multiplied by."""
    price: Decimal | None = None
    """Middle of the perpetual's book afterwards, where no factor is given."""


class Status(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of a symbol's trading status, on one market or both."""

    symbol: str
    """Whose status changes."""
    status: TradingStatus
    """Its new status."""
    market: Market | None = None
    """On which market; null = on both."""


class NewAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account with its balances, agents and old keys."""

    user: str
    """Address of the main wallet: ``0x`` and 40 hexadecimal digits, or base58 of a wallet on Solana."""
    spot: dict[str, Decimal] = {}
    """What its spot wallet holds, by asset."""
    perp: Decimal = ZERO
    """USDT of its perpetual wallet."""
    agents: tuple[Agent, ...] = ()
    """Who may sign for it."""
    keys: tuple[ApiKey, ...] = ()
    """Keys of the old kind (V1)."""


class FundsBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money or coins put into a wallet; negative = taken out."""

    user: str
    """Main wallet of the account."""
    wallet: Wallet
    """Which of its wallets."""
    amount: Decimal
    """How much; negative = out of it."""
    asset: str = QUOTE_ASSET
    """Of what."""
    kind: FlowKind | None = None
    """What the statement calls it; null = a deposit or a withdrawal."""


class HandTrade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trade as the owner makes it on the venue's page."""

    user: str
    """Main wallet of the account."""
    market: Market
    """On which market."""
    symbol: str
    """Of which symbol."""
    side: Side
    """Bought or sold."""
    quantity: Decimal
    """Base units."""
    price: Decimal | None = None
    """Limit; null = at the market."""
    reduce_only: bool = False
    """Whether it may only reduce a position."""


class HandTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transfer as the owner makes it on the venue's page."""

    user: str
    """Main wallet of the account."""
    amount: Decimal
    """USDT."""
    direction: TransferDirection
    """From which wallet into which."""


class Deleverage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a position that the venue closes."""

    user: str
    """Main wallet of the account."""
    symbol: str
    """Whose position."""
    quantity: Decimal
    """Base units that are closed."""


class AdminRoutes:
    """Carries out what is asked under ``/admin``."""

    def __init__(
        self, exchange: Exchange, clock: ExchangeClock, faults: WireFaults, connections: StreamConnections
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._acts: Actions = {
            ("GET", "time"): lambda _: self._time(),
            ("POST", "advance"): lambda body: self._advance(read_body(body, Advance)),
            ("POST", "speed"): lambda body: self._speed(read_body(body, Speed)),
            ("POST", "price"): lambda body: self._price(read_body(body, Price)),
            ("POST", "status"): lambda body: self._status(read_body(body, Status)),
            ("POST", "account"): lambda body: self._account(read_body(body, NewAccount)),
            ("POST", "fund"): lambda body: self._fund(read_body(body, FundsBody)),
            ("POST", "trade"): lambda body: self._trade(read_body(body, HandTrade)),
            ("POST", "transfer"): lambda body: self._transfer(read_body(body, HandTransfer)),
            ("POST", "deleverage"): lambda body: self._deleverage(read_body(body, Deleverage)),
            ("GET", "state"): lambda _: self._state(),
            **FaultRoutes(exchange, faults, connections).actions,
            **MarketRoutes(exchange).actions,
        }

    def handle(self, request: WireRequest) -> HttpResponse:
        """Answer one request; a refusal says why."""
        act = self._acts.get((request.method, request.path.removeprefix("/admin").strip("/")))
        if act is None:
            known = ", ".join(sorted(f"{method} /admin/{name}" for method, name in self._acts))
            return _json(NOT_FOUND, {"error": f"no such action; there are {known}"})
        try:
            content = act(request.body.encode())
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError, OverflowError) as error:
            return _json(400, {"error": str(error)})
        except WireError as error:
            return _json(400, {"error": error.message})
        except Rejected as error:
            return _json(400, {"error": str(error), "code": error.code})
        self._exchange.settle()
        return _json(200, content)

    def _time(self) -> dict[str, Any]:
        now = self._exchange.now
        return {"serverTime": to_ms(now), "time": now.isoformat(), "speed": self._clock.speed}

    def _advance(self, asked: Advance) -> dict[str, Any]:
        seconds = asked.seconds
        if asked.to_ms is not None:
            seconds = max(0.0, (at_ms(asked.to_ms) - self._exchange.now).total_seconds())
        if seconds > LONGEST_JUMP.total_seconds():
            raise ValueError(f"a jump is at most {LONGEST_JUMP.days} days long")
        self._exchange.advance(self._clock.jump(seconds))
        # Time that was advanced is kept like anything else: a restarted exchange must not go back.
        self._exchange.changed()
        return self._time()

    def _speed(self, asked: Speed) -> dict[str, Any]:
        self._clock.set_speed(asked.speed)
        return self._time()

    def _price(self, asked: Price) -> dict[str, Any]:
        factor = asked.factor
        middle = self._exchange.market.middle(Market.PERP, self._listed(asked.symbol), self._exchange.now)
        if factor is None:
            if middle is None or asked.price is None:
                raise ValueError("give factor, or price for a symbol that has one")
            factor = asked.price / middle
        if not SMALLEST_FACTOR <= factor <= 1 / SMALLEST_FACTOR:
            raise ValueError(f"prices jump by a factor of {SMALLEST_FACTOR} to {1 / SMALLEST_FACTOR:f}")
        if middle is not None and not 1 / LARGEST_PRICE <= middle * factor <= LARGEST_PRICE:
            raise ValueError(f"a price is {1 / LARGEST_PRICE} to {LARGEST_PRICE:,}, not {middle * factor:g}")
        self._exchange.shock(asked.symbol, factor)
        return {"symbol": asked.symbol, "factor": plain(factor)}

    def _status(self, asked: Status) -> dict[str, Any]:
        markets = tuple(Market) if asked.market is None else (asked.market,)
        self._exchange.set_status(asked.symbol, asked.status, markets)
        return {"symbol": asked.symbol, "status": asked.status}

    def _account(self, asked: NewAccount) -> dict[str, Any]:
        if not is_main_wallet(asked.user):
            raise ValueError(f"user {asked.user!r} is no address: 0x and 40 hexadecimal digits, or base58 of 32 bytes")
        if asked.perp < 0 or any(amount < 0 for amount in asked.spot.values()):
            raise ValueError("a balance is not negative")
        _check_signers(asked)
        exchange_account = self._exchange.open_account(asked.user, spot=asked.spot, perp=asked.perp)
        for agent in asked.agents:
            self._exchange.permit(exchange_account.user, msgspec.structs.replace(agent, signer=agent.signer.lower()))
        for key in asked.keys:
            self._exchange.add_key(exchange_account.user, key)
        return {"user": exchange_account.user}

    def _fund(self, asked: FundsBody) -> dict[str, Any]:
        account_of(self._exchange, asked.user).world.deposit(asked.wallet, asked.asset, asked.amount, asked.kind)
        return {"user": asked.user}

    def _trade(self, asked: HandTrade) -> Any:
        self._listed(asked.symbol)
        return account_of(self._exchange, asked.user).world.trade_by_hand(
            asked.market, asked.symbol, asked.side, asked.quantity, price=asked.price, reduce_only=asked.reduce_only
        )

    def _transfer(self, asked: HandTransfer) -> dict[str, Any]:
        account_of(self._exchange, asked.user).world.transfer_by_hand(asked.amount, asked.direction)
        return {"user": asked.user}

    def _deleverage(self, asked: Deleverage) -> Any:
        exchange_account = account_of(self._exchange, asked.user)
        if asked.quantity <= 0 or self._listed(asked.symbol) not in exchange_account.world.parts.perp.holdings:
            raise ValueError(f"no position in {asked.symbol} to reduce by {asked.quantity}")
        return exchange_account.world.deleverage(asked.symbol, asked.quantity)

    def _state(self) -> dict[str, Any]:
        exchange_accounts = [exchange_account.state() for exchange_account in self._exchange.exchange_accounts.values()]
        return {"exchange": self._exchange.state(), "members": exchange_accounts}

    def _listed(self, symbol: str) -> str:
        return self._exchange.market.instrument(Market.PERP, symbol).symbol


def _check_signers(asked: NewAccount) -> None:
    for agent in asked.agents:
        if not is_address(agent.signer):
            raise ValueError(f"signer {agent.signer!r} is no address: 0x and 40 hexadecimal digits")
        if agent.expires_at is not None and agent.expires_at.tzinfo is None:
            raise ValueError(f"expires_at needs its time zone, as in {agent.expires_at.isoformat()}Z")
    if not all(key.key and key.secret for key in asked.keys):
        raise ValueError("key and secret of a key are not empty")


def _json(status: int, content: Any) -> HttpResponse:
    headers = {"content-type": "application/json"}
    return HttpResponse(status=status, headers=headers, body=msgspec.json.encode(content))
