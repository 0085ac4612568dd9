"""``/admin`` routes of faults: requests, streams, stopped books, changed funding, forced liquidations.

What is set here lasts while the exchange runs and is not kept by ``--state``, except changes of funding and prices.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from hedgerow.domain.instrument import Market
from hedgerow.domain.money import plain
from hedgerow.emulator.fault_kinds import ON_THE_WIRE
from hedgerow.emulator.wire.admin.bodies import read_body
from hedgerow.emulator.wire.exchange import account_events as events
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.exchange.main_wallets import account_name
from hedgerow.emulator.wire.protocol.number_format import to_ms
from hedgerow.emulator.wire.protocol.rate_limits import LimitRules, Limits
from hedgerow.emulator.wire.rest.faults import (
    LONGEST_SECONDS,
    MessageFaultKind,
    RequestFault,
    StreamFault,
    WireFaults,
)
from hedgerow.emulator.wire.streams.connections import StreamConnections

__all__ = [
    "Actions",
    "Allowance",
    "FaultRoutes",
    "FaultSpan",
    "Funding",
    "Jitter",
    "Liquidation",
    "Listeners",
    "Seed",
    "Skew",
    "account_of",
    "read_fault",
]

Actions = dict[tuple[str, str], Callable[[bytes], Any]]
BEYOND = Decimal("1.01"), Decimal("0.99")
"""How far past its liquidation price a position is driven: a short's, a long's."""


class Skew(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the time that the exchange reports is off."""

    seconds: float
    """Positive = it is ahead."""


class Seed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the chance of faults begins."""

    seed: int
    """The same seed gives the same faults."""


class FaultSpan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long something lasts, or how far it lies back."""

    seconds: float
    """0 = no longer."""


class Funding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another funding rate or interval from now on; what is left out stays as it is."""

    symbol: str
    """Whose funding changes."""
    rate: Decimal | None = None
    """Fraction per interval; null = as it is."""
    interval_hours: int | None = None
    """1, 2, 4 or 8; null = as it is."""


class Jitter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far from its stamp funding may be charged."""

    lead_seconds: float = 0.0
    """Longest time before the stamp."""
    delay_seconds: float = 0.0
    """Longest time after it."""


class Liquidation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position whose price is driven past its liquidation price."""

    user: str
    """Main wallet of the account."""
    symbol: str
    """Whose position."""


class Listeners(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose listen keys expire, and whether they are notified."""

    user: str | None = None
    """Main wallet of one account; null = all."""
    silent: bool = False
    """Whether no event says so."""


class Allowance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other limits than the venue's, with all counters at zero; what is left out stays the venue's."""

    market: Market
    """Limits of which host."""
    weight_per_minute: int | None = None
    """Request weight per address."""
    orders_per_minute: int | None = None
    """Orders per account."""
    orders_per_ten_seconds: int | None = None
    """Orders per account."""


class FaultRoutes:
    """Makes things go wrong on request."""

    def __init__(self, exchange: Exchange, faults: WireFaults, connections: StreamConnections) -> None:
        self._exchange = exchange
        self._faults = faults
        self._connections = connections

    @property
    def actions(self) -> Actions:
        """What can be asked for, by method and name."""
        return {
            ("GET", "faults"): lambda _: {"requests": self._faults.requests, "streams": self._faults.streams},
            ("POST", "faults"): lambda body: self.add(read_fault(body)),
            ("POST", "faults/streams"): lambda body: self.add(_stream_fault(_fields(body))),
            ("POST", "faults/seed"): lambda body: self._seed(read_body(body, Seed)),
            ("DELETE", "faults"): lambda _: self._forget(),
            ("POST", "skew"): lambda body: self._skew(read_body(body, Skew)),
            ("POST", "stop-books"): lambda body: self._stop_books(read_body(body, FaultSpan)),
            ("POST", "lag"): lambda body: self._lag(read_body(body, FaultSpan)),
            ("POST", "funding"): lambda body: self._funding(read_body(body, Funding)),
            ("POST", "jitter"): lambda body: self._jitter(read_body(body, Jitter)),
            ("POST", "limits"): lambda body: self._limits(read_body(body, Allowance)),
            ("POST", "liquidate"): lambda body: self._liquidate(read_body(body, Liquidation)),
            ("DELETE", "streams"): lambda _: self._cut(),
            ("DELETE", "listen-keys"): lambda body: self._unlisten(read_body(body, Listeners)),
        }

    def add(self, fault: RequestFault | StreamFault) -> dict[str, Any]:
        """Set a fault; returns how many there are.

        Raises:
            ValueError: a value of it cannot be, or nothing that is listed has its symbol; says what is allowed.
        """
        if fault.symbol and fault.symbol not in self._names():
            raise ValueError(f"symbol: nothing that is listed is called {fault.symbol!r}")
        self._faults.add(fault, self._exchange.now)
        return {"faults": len(self._faults.requests) + len(self._faults.streams)}

    def _names(self) -> set[str]:
        """Return every symbol and asset that a reply may be about."""
        pairs = self._exchange.market.pairs
        accounts = [each.world.account() for each in self._exchange.exchange_accounts.values()]
        held = {asset for account in accounts for asset in (*account.spot, *account.perp_assets)}
        return held | {name for pair in pairs for name in (pair.symbol, pair.base, pair.perp.quote)}

    def _seed(self, asked: Seed) -> dict[str, Any]:
        self._faults.seed(asked.seed)
        return {"seed": asked.seed}

    def _forget(self) -> dict[str, Any]:
        self._faults.clear()
        return {"faults": 0}

    def _skew(self, asked: Skew) -> dict[str, Any]:
        self._faults.skew_seconds = _bounded(asked.seconds, least=-LONGEST_SECONDS)
        return {"seconds": asked.seconds}

    def _stop_books(self, asked: FaultSpan) -> dict[str, Any]:
        self._exchange.stop_books(_bounded(asked.seconds))
        return {"seconds": asked.seconds}

    def _lag(self, asked: FaultSpan) -> dict[str, Any]:
        seconds = _bounded(asked.seconds)
        for exchange_account in self._exchange.exchange_accounts.values():
            exchange_account.lag(seconds)
        return {"seconds": asked.seconds}

    def _funding(self, asked: Funding) -> dict[str, Any]:
        self._exchange.market.instrument(Market.PERP, asked.symbol)
        change = self._exchange.market_data.change_funding(
            asked.symbol, self._exchange.now, rate=asked.rate, interval_hours=asked.interval_hours
        )
        self._exchange.changed()
        rate = None if change.rate is None else plain(change.rate)
        return {"symbol": change.symbol, "rate": rate, "interval_hours": change.interval_hours}

    def _jitter(self, asked: Jitter) -> dict[str, Any]:
        self._exchange.set_jitter(lead_seconds=asked.lead_seconds, delay_seconds=asked.delay_seconds)
        return {"lead_seconds": asked.lead_seconds, "delay_seconds": asked.delay_seconds}

    def _limits(self, asked: Allowance) -> dict[str, Any]:
        given = {
            name: value
            for name, value in msgspec.structs.asdict(asked).items()
            if name != "market" and value is not None
        }
        for name, value in given.items():
            if value < 1:
                raise ValueError(f"{name} is 1 or more, not {value}")
        standard = Limits(asked.market).rules
        rules: LimitRules = msgspec.structs.replace(standard, **given)
        self._exchange.limits[asked.market] = Limits(asked.market, rules)
        return msgspec.structs.asdict(rules)

    def _liquidate(self, asked: Liquidation) -> dict[str, Any]:
        exchange_account = account_of(self._exchange, asked.user)
        held = exchange_account.world.account().positions.get(asked.symbol)
        if held is None:
            raise ValueError(f"no position in {asked.symbol}")
        if held.liquidation_price is None or held.liquidation_price <= 0:
            raise ValueError(f"no price liquidates the position in {asked.symbol}: the wallet carries it at any")
        beyond = BEYOND[0] if held.quantity < 0 else BEYOND[1]
        factor = held.liquidation_price / held.mark_price * beyond
        self._exchange.shock(asked.symbol, factor)
        return {"symbol": asked.symbol, "factor": plain(factor)}

    def _cut(self) -> dict[str, Any]:
        sessions = self._connections.sessions
        for session in sessions:
            session.close(1001, "cut by the administrator")
        return {"connections": len(sessions)}

    def _unlisten(self, asked: Listeners) -> dict[str, Any]:
        exchange_accounts = (
            self._exchange.exchange_accounts.values()
            if asked.user is None
            else [account_of(self._exchange, asked.user)]
        )
        dead = 0
        for exchange_account in exchange_accounts:
            for market in tuple(exchange_account.listen_keys):
                if not asked.silent:
                    exchange_account.publish(market, events.listen_key_expired(exchange_account.world))
                exchange_account.close_listen_key(market)
                dead += 1
        return {"keys": dead, "at": to_ms(self._exchange.now)}


def account_of(exchange: Exchange, user: str) -> ExchangeAccount:
    """Return an account by its main wallet.

    Raises:
        ValueError: there is none; says which there are.
    """
    exchange_account = exchange.exchange_accounts.get(account_name(user))
    if exchange_account is None:
        raise ValueError(f"no account {user}; there are {', '.join(exchange.exchange_accounts)}")
    return exchange_account


def _bounded(seconds: float, *, least: float = 0.0) -> float:
    """Return a span of seconds as it is.

    Raises:
        ValueError: it is out of range.
    """
    if not least <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"seconds: allowed is {least:,.0f} to {LONGEST_SECONDS:,}, not {seconds}")
    return seconds


def read_fault(body: bytes) -> RequestFault | StreamFault:
    """Return the fault that a body declares: one of messages when its name or its field ``stream`` says so.

    Raises:
        ValueError: it is malformed; says what is allowed.
    """
    fields = _fields(body)
    name = fields.get("fault", fields.get("trouble"))
    if name is None:
        raise ValueError(
            f"name the fault in the field fault: one of {', '.join(dict.fromkeys((*ON_THE_WIRE, *MessageFaultKind)))}"
        )
    if "trouble" in fields or "stream" in fields or (name in set(MessageFaultKind) and name not in ON_THE_WIRE):
        return _stream_fault(fields)
    if name not in ON_THE_WIRE:
        names = ", ".join(dict.fromkeys((*ON_THE_WIRE, *MessageFaultKind)))
        raise ValueError(f"no fault is called {name!r}; allowed are {names}")
    return read_body(body, RequestFault)


def _stream_fault(fields: dict[str, Any]) -> StreamFault:
    """Return a fault of messages; until the next release its name may also be given as ``trouble``."""
    named = {"fault" if name == "trouble" else name: value for name, value in fields.items()}
    return read_body(msgspec.json.encode(named), StreamFault)


def _fields(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body or b"{}", type=dict[str, Any])
