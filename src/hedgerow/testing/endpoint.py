"""Addresses, signing, time and listings of a local Aster."""

from collections import deque
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from hedgerow.app.commands.emulator_server import EmulatorPlan, build_venue
from hedgerow.clock import SystemClock
from hedgerow.domain.instrument import Instrument, Market, TradingStatus
from hedgerow.domain.money import plain
from hedgerow.emulator.core.market_changes import MarketChange
from hedgerow.emulator.wire.exchange.main_wallets import account_name
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.router import RestReply
from hedgerow.testing.accounts import AsterAccount
from hedgerow.testing.records import SeenRequest, request_of
from hedgerow.testing.server_thread import ExchangeThread

__all__ = ["HOST", "AsterHandle", "MarketName", "Money", "as_text"]

HOST = "127.0.0.1"
KEPT_REQUESTS = 10_000

Money: TypeAlias = Decimal | str | int | float
"""Floats are taken as they print: 0.1 is 0.1."""
MarketName: TypeAlias = Literal["spot", "perp"]


class AsterHandle:
    """Serves an exchange, and calls it in its own thread."""

    def __init__(self, plan: EmulatorPlan, accounts: tuple[AsterAccount, ...]) -> None:
        self.accounts = accounts
        """Every account that was opened, the first one first."""
        self._venue, _ = build_venue(plan, SystemClock())
        self._requests: deque[SeenRequest] = deque(maxlen=KEPT_REQUESTS)
        self._venue.watchers.append(self._watch)
        self._chain_id = plan.chain_id
        self._serving = ExchangeThread(self._venue, plan.host)

    def close(self) -> None:
        """Stop serving and give the ports back; may be called twice."""
        self._serving.close()

    # Where it is, and how to sign

    @property
    def futures_rest(self) -> str:
        """Address of the futures REST interface, without a path."""
        return f"http://{HOST}:{self._serving.ports[0]}"

    @property
    def spot_rest(self) -> str:
        """Address of the spot REST interface, without a path."""
        return f"http://{HOST}:{self._serving.ports[1]}"

    @property
    def futures_ws(self) -> str:
        """Address of the futures streams, market and user data, without a path."""
        return f"ws://{HOST}:{self._serving.ports[0]}"

    @property
    def spot_ws(self) -> str:
        """Address of the spot streams, market and user data, without a path."""
        return f"ws://{HOST}:{self._serving.ports[1]}"

    @property
    def chain_id(self) -> int:
        """Chain id that signatures are bound to."""
        return self._chain_id

    @property
    def account(self) -> AsterAccount:
        """The first account."""
        return self.accounts[0]

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead Hedgerow's client here; their values serve any bot that is configured by environment."""
        account = self.account
        return {
            "HEDGEROW_FUTURES_REST": self.futures_rest,
            "HEDGEROW_SPOT_REST": self.spot_rest,
            "HEDGEROW_FUTURES_MARKET_WS": self.futures_ws,
            "HEDGEROW_SPOT_MARKET_WS": self.spot_ws,
            "HEDGEROW_FUTURES_USER_WS": self.futures_ws,
            "HEDGEROW_SPOT_USER_WS": self.spot_ws,
            "HEDGEROW_CHAIN_ID": str(self.chain_id),
            "API_USER": account.user,
            "API_SIGNER": account.signer,
            "API_PRIVATE_KEY": account.private_key,
        }

    # Time

    @property
    def now(self) -> datetime:
        """The exchange's time."""
        return self._serving.ask(self._venue.clock.now)

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Let that much time pass at once, with everything that falls due in it; return the new time."""
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        self._admin("POST", "advance", seconds=span.total_seconds())
        return self.now

    def freeze(self) -> None:
        """Let time pass only by ``advance``."""
        self._admin("POST", "speed", speed=0)

    def run(self, speed: float = 1.0) -> None:
        """Let time pass by itself: so many of the exchange's seconds per real one."""
        self._admin("POST", "speed", speed=speed)

    # The market

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every listed perpetual; in a small market each is there on spot too."""
        return self._serving.ask(lambda: tuple(pair.symbol for pair in self._venue.exchange.market.pairs))

    def instrument(self, symbol: str, market: MarketName = "perp") -> Instrument:
        """Return ticks, lots, least notional, fees and status of one instrument."""
        return self._serving.ask(lambda: self._venue.exchange.market.instrument(Market(market), symbol))

    def price(self, symbol: str, market: MarketName = "perp") -> Decimal:
        """Return the middle of a book.

        Raises:
            Rejected: the symbol is not listed.
            LookupError: it has no price now.
        """
        exchange, listed = self._venue.exchange, self.instrument(symbol, market)
        middle = self._serving.ask(lambda: exchange.market.middle(listed.market, symbol, exchange.now))
        if middle is None:
            raise LookupError(f"{symbol} has no price now")
        return middle

    def set_price(self, symbol: str, price: Money) -> None:
        """Jump: the perpetual's middle becomes ``price``, and spot and mark move in proportion."""
        self._admin("POST", "price", symbol=symbol, price=as_text(price))

    def set_funding(self, symbol: str, rate: Money | None = None, *, interval_hours: int | None = None) -> None:
        """Let another funding rate (a fraction per interval) or interval hold from now on."""
        given = {"rate": None if rate is None else as_text(rate), "interval_hours": interval_hours}
        self._admin("POST", "funding", symbol=symbol, **given)

    def set_status(self, symbol: str, status: TradingStatus | str, market: MarketName | None = None) -> None:
        """Open, close or delist a symbol on one market or both, e.g. with ``SETTLING``."""
        self._admin("POST", "status", symbol=symbol, status=str(status), market=market)

    def change_market(self, change: MarketChange) -> None:
        """Change filters, fees, bracket, status, denomination, underlying, books or mark of a symbol.

        Args:
            change: one of the structs of ``hedgerow.emulator.core.market_changes``: at once or from its time on, for a
                while or for good.

        Raises:
            ValueError: the symbol is not listed.
        """
        body = msgspec.json.decode(msgspec.json.encode(change), type=dict[str, Any])
        self._admin("POST", "markets", **body)

    def end_market_changes(self) -> None:
        """Undo every change of a market, except redenominations, and forget those to come."""
        self._admin("DELETE", "markets")

    def requests(self, path: str = "", *, method: str = "") -> tuple[SeenRequest, ...]:
        """Return the newest 10,000 REST requests whose path holds ``path``, oldest first."""
        found = self._serving.ask(lambda: tuple(self._requests))
        return tuple(seen for seen in found if path in seen.path and method in {"", seen.method})

    def _watch(self, request: WireRequest, answer: RestReply) -> None:
        self._requests.append(request_of(request, answer, self._venue.exchange.now))

    def _account(self, user: str | None) -> AsterAccount:
        if user is None:
            return self.account
        found = next((each for each in self.accounts if account_name(each.user) == account_name(user)), None)
        if found is None:
            raise LookupError(f"no account {user}; there are {', '.join(each.user for each in self.accounts)}")
        return found

    def _admin(self, method: str, name: str, /, **asked: Any) -> Any:
        """Ask the administration.

        Raises:
            ValueError: it refuses; says why.
        """
        body = msgspec.json.encode({key: value for key, value in asked.items() if value is not None}).decode()
        request = WireRequest(method=method, path=f"/admin/{name}", body=body)
        response = self._serving.ask(lambda: self._venue.handle(request)).response
        content = msgspec.json.decode(response.body if response else b"{}")
        if response is None or response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            raise ValueError(f"{name}: {content.get('error', 'no answer')}")
        return content


def as_text(amount: Money) -> str:
    """Return an amount in plain notation."""
    return plain(Decimal(str(amount)))
