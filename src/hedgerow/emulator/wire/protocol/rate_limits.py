"""Rate limits: weights per address, order counts per account, headers, 429, 418 (docs/aster-api.md 4)."""

from datetime import datetime, timedelta

from msgspec import Struct

from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.emulator.wire.protocol.number_format import to_ms

__all__ = ["LimitRules", "Limits", "RateWindow", "banned", "rate_limit_rows", "too_many_orders"]

MINUTE = timedelta(minutes=1)
TEN_SECONDS = timedelta(seconds=10)
FIRST_BAN = timedelta(minutes=2)
LONGEST_BAN = timedelta(days=3)
TOO_MANY = 429
BANNED = 418


class LimitRules(Struct, frozen=True, kw_only=True):
    """What one market allows."""

    weight_per_minute: int
    orders_per_minute: int
    orders_per_ten_seconds: int
    ignored_before_ban: int = 20
    """How many requests over the limit a minute forgives before the address is banned."""


RULES = {
    Market.PERP: LimitRules(weight_per_minute=2400, orders_per_minute=1200, orders_per_ten_seconds=300),
    Market.SPOT: LimitRules(weight_per_minute=6000, orders_per_minute=6000, orders_per_ten_seconds=1000),
}
"""Captured ``rateLimits`` (docs/aster-api.md 4)."""


class RateWindow:
    """A counter that restarts with each span of time."""

    def __init__(self, span: timedelta) -> None:
        self._span = span
        self._number = -1
        self.count = 0

    def add(self, amount: int, now: datetime) -> int:
        """Count and return the sum of the present span."""
        number = (now - EPOCH) // self._span
        if number != self._number:
            self._number, self.count = number, 0
        self.count += amount
        return self.count


class Limits:
    """All counters of one market."""

    def __init__(self, market: Market, rules: LimitRules | None = None) -> None:
        self.rules = rules or RULES[market]
        self._weights: dict[str, RateWindow] = {}
        self._orders: dict[str, tuple[RateWindow, RateWindow]] = {}
        self._banned_until: dict[str, datetime] = {}
        self._bans: dict[str, int] = {}
        self._ignored: dict[str, RateWindow] = {}

    def weigh(self, ip: str, weight: int, now: datetime) -> int:
        """Count a request and return the weight used in this minute.

        Raises:
            WireError: the limit is broken (429), or the address is banned (418).
        """
        until = self._banned_until.get(ip)
        if until is not None and now < until:
            raise banned(until, now)
        used = self._weights.setdefault(ip, RateWindow(MINUTE)).add(weight, now)
        if used > self.rules.weight_per_minute:
            self._break(ip, now)
        return used

    def used(self, ip: str, now: datetime) -> int:
        """Return the weight used in this minute."""
        return self._weights.setdefault(ip, RateWindow(MINUTE)).add(0, now)

    def count_order(self, user: str, now: datetime, orders: int = 1) -> None:
        """Count orders of one account.

        Raises:
            WireError: too many (-1015, without ``Retry-After``).
        """
        minute, ten = self._orders.setdefault(user, (RateWindow(MINUTE), RateWindow(TEN_SECONDS)))
        in_minute, in_ten = minute.add(orders, now), ten.add(orders, now)
        for count, limit, span in (
            (in_ten, self.rules.orders_per_ten_seconds, "10 SECOND"),
            (in_minute, self.rules.orders_per_minute, "1 MINUTE"),
        ):
            if count > limit:
                raise too_many_orders(f"{limit} orders per {span}")

    def order_headers(self, user: str, now: datetime) -> dict[str, str]:
        """Return the order counts as headers."""
        minute, ten = self._orders.setdefault(user, (RateWindow(MINUTE), RateWindow(TEN_SECONDS)))
        return {
            "x-mbx-order-count-1m": str(minute.add(0, now)),
            "x-mbx-order-count-10s": str(ten.add(0, now)),
        }

    def _break(self, ip: str, now: datetime) -> None:
        if self._ignored.setdefault(ip, RateWindow(MINUTE)).add(1, now) > self.rules.ignored_before_ban:
            bans = self._bans.get(ip, 0)
            self._bans[ip] = bans + 1
            self._banned_until[ip] = until = now + min(FIRST_BAN * 2 ** min(bans, 12), LONGEST_BAN)
            raise banned(until, now)
        limit = self.rules.weight_per_minute
        left = MINUTE - (now - EPOCH) % MINUTE
        raise WireError(
            -1003,
            f"Too many requests; current limit is {limit} request weight per 1 MINUTE.",
            status=TOO_MANY,
            retry_after_seconds=int(left.total_seconds()) + 1,
        )


def rate_limit_rows(rules: LimitRules) -> list[dict[str, object]]:
    """Return the limits as ``exchangeInfo`` lists them."""
    rows = (
        ("REQUEST_WEIGHT", "MINUTE", 1, rules.weight_per_minute),
        ("ORDERS", "MINUTE", 1, rules.orders_per_minute),
        ("ORDERS", "SECOND", 10, rules.orders_per_ten_seconds),
    )
    return [
        {"rateLimitType": kind, "interval": span, "intervalNum": number, "limit": limit}
        for kind, span, number, limit in rows
    ]


def too_many_orders(limit: str) -> WireError:
    """Return what too many orders give: a 429 that does not say when to come back."""
    return WireError(-1015, f"Too many new orders; current limit is {limit}.", status=TOO_MANY)


def banned(until: datetime, now: datetime) -> WireError:
    """Return the reply to a banned address."""
    return WireError(
        -1003,
        f"Way too many requests; IP banned until {to_ms(until)}.",
        status=BANNED,
        retry_after_seconds=int((until - now).total_seconds()) + 1,
    )
