"""Rate limits: request weights and order counts kept within the venue's limits; waits after 429 and 418.

The limits come from ``exchangeInfo``; what others on the same address use comes from the ``X-MBX`` headers
(docs/aster-api.md 4).
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from hedgerow.aster.schema.market_rows import RateLimitRow
from hedgerow.domain.errors import RateLimited
from hedgerow.ports import Clock

__all__ = ["Limit", "LimitKind", "Limiter", "Priority", "limits_of"]


class LimitKind(StrEnum):
    """What a limit counts."""

    WEIGHT = "REQUEST_WEIGHT"
    ORDERS = "ORDERS"


class Priority(StrEnum):
    """Who goes first when room is short: orders and safety reads may use all of it, scans less, downloads least."""

    SAFETY = "safety"
    SCAN = "scan"
    BULK = "bulk"


class Limit(Struct, frozen=True, kw_only=True):
    """At most ``amount`` within any ``window_seconds``."""

    kind: LimitKind
    window_seconds: int
    amount: int


SHARES = {Priority.SAFETY: 1.0, Priority.SCAN: 0.8, Priority.BULK: 0.5}
"""Part of a limit that each may fill: the rest is kept for those before it, also for a bot on the same address."""
PATIENCE_SECONDS = {Priority.SAFETY: 10.0, Priority.SCAN: 90.0, Priority.BULK: 90.0}
"""A longer wait is an error at once: an order that waits for minutes would be sent into another market."""
_UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400}
_LETTERS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_HEADER = re.compile(r"x-mbx-(used-weight|order-count)-(\d+)([smhd])")
DEFAULT_LIMITS = (Limit(kind=LimitKind.WEIGHT, window_seconds=60, amount=1200),)
"""Used until the venue has reported its own: below every limit it ever published."""


class _Window:
    """What was used within the last seconds of one limit."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._used: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, now: float, amount: int) -> None:
        self._used.append((now, amount))
        self._sum += amount

    def used(self, now: float) -> int:
        while self._used and self._used[0][0] <= now - self.limit.window_seconds:
            self._sum -= self._used.popleft()[1]
        return self._sum

    def wait_seconds(self, now: float, amount: int, share: float) -> float:
        """Return how long until ``amount`` more fits into a share of the limit."""
        surplus = self.used(now) + min(amount, self._room(share)) - self._room(share)
        if amount == 0 or surplus <= 0:
            return 0.0
        for at, used in self._used:
            surplus -= used
            if surplus <= 0:
                return at + self.limit.window_seconds - now
        return float(self.limit.window_seconds)

    def _room(self, share: float) -> int:
        return max(1, int(self.limit.amount * share))


class Limiter:
    """The limits of one host; every request passes ``admit`` before it is signed."""

    def __init__(self, clock: Clock, limits: Sequence[Limit] = DEFAULT_LIMITS) -> None:
        self._clock = clock
        self._windows: list[_Window] = []
        self._blocked_until = 0.0
        self._orders_blocked_until = 0.0
        self._are_known = False
        """Whether the venue has said what its limits are."""
        self.configure(limits)

    def configure(self, limits: Sequence[Limit]) -> None:
        """Take over the venue's limits; what was used so far stays counted."""
        self._are_known = limits is not DEFAULT_LIMITS
        known = {(w.limit.kind, w.limit.window_seconds): w for w in self._windows}
        self._windows = []
        for limit in limits:
            window = known.get((limit.kind, limit.window_seconds)) or _Window(limit)
            window.limit = limit
            self._windows.append(window)

    async def admit(self, weight: int, *, orders: int = 0, priority: Priority = Priority.SCAN) -> None:
        """Wait until a request fits, and count it.

        Raises:
            RateLimited: it would have to wait too long; nothing was sent.
        """
        while (seconds := self._wait_seconds(weight, orders, priority)) > 0:
            if seconds > PATIENCE_SECONDS[priority]:
                raise RateLimited(f"not sent: the exchange's limits leave no room for {seconds:.0f} s", seconds)
            await self._clock.sleep(seconds)
        now = self._clock.monotonic()
        for window in self._windows:
            amount = _amount(window, weight, orders)
            if amount:
                window.add(now, amount)

    def heed(self, headers: Mapping[str, str]) -> None:
        """Count what the venue says was used, by us or by others."""
        now = self._clock.monotonic()
        for name, text in headers.items():
            found = _HEADER.fullmatch(name)
            if found is None or not text.isdecimal():
                continue
            kind = LimitKind.WEIGHT if found[1] == "used-weight" else LimitKind.ORDERS
            self._raise_to(kind, int(found[2]) * _LETTERS[found[3]], int(text), now)

    def block(self, seconds: float, *, orders_only: bool = False) -> None:
        """Send nothing, or no orders, for a time: the venue said so."""
        until = self._clock.monotonic() + seconds
        if orders_only:
            self._orders_blocked_until = max(self._orders_blocked_until, until)
        else:
            self._blocked_until = max(self._blocked_until, until)

    def blocked_seconds(self) -> float:
        """Return how long the venue refuses orders from now on, as it said itself; 0 when it does not."""
        until = max(self._blocked_until, self._orders_blocked_until)
        return max(0.0, until - self._clock.monotonic())

    def allowed(self, kind: LimitKind, window_seconds: int, priority: Priority) -> int | None:
        """Return how much of a limit a priority may fill within its window; None for a limit that is not known."""
        amounts = [
            w.limit.amount for w in self._windows if (w.limit.kind, w.limit.window_seconds) == (kind, window_seconds)
        ]
        return int(min(amounts) * SHARES[priority]) if amounts else None

    def used(self, kind: LimitKind, window_seconds: int) -> int:
        """Return what counts as used within a window now; 0 for a limit that is not known."""
        now = self._clock.monotonic()
        return sum(
            w.used(now) for w in self._windows if (w.limit.kind, w.limit.window_seconds) == (kind, window_seconds)
        )

    def left(self) -> float | None:
        """Return the part of the venue's limits that is left now, of the one that is nearest; None = not known."""
        now = self._clock.monotonic()
        if not self._are_known:
            return None
        return max(0.0, min((1 - w.used(now) / w.limit.amount for w in self._windows), default=1.0))

    def _wait_seconds(self, weight: int, orders: int, priority: Priority) -> float:
        now = self._clock.monotonic()
        blocked = max(self._blocked_until, self._orders_blocked_until if orders else 0.0) - now
        waits = (w.wait_seconds(now, _amount(w, weight, orders), SHARES[priority]) for w in self._windows)
        return max(blocked, *waits, 0.0)

    def _raise_to(self, kind: LimitKind, window_seconds: int, reported: int, now: float) -> None:
        for window in self._windows:
            if (window.limit.kind, window.limit.window_seconds) == (kind, window_seconds):
                missing = reported - window.used(now)
                if missing > 0:
                    window.add(now, missing)


def limits_of(rows: Sequence[RateLimitRow]) -> tuple[Limit, ...]:
    """Return the limits of ``exchangeInfo``; kinds and units that are not known are left out."""
    return tuple(
        Limit(
            kind=LimitKind(row.rate_limit_type),
            window_seconds=row.interval_num * _UNITS[row.interval],
            amount=row.limit,
        )
        for row in rows
        if row.rate_limit_type in set(LimitKind) and row.interval in _UNITS and row.limit > 0 and row.interval_num > 0
    )


def _amount(window: _Window, weight: int, orders: int) -> int:
    return weight if window.limit.kind is LimitKind.WEIGHT else orders
