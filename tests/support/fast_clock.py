"""The wall clock, so many times faster: for programs that talk over real sockets and wait for long."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from hedgerow.clock import SystemClock

__all__ = ["FastClock"]


class FastClock:
    """``speed`` seconds pass in each real second."""

    def __init__(self, speed: float = 50.0, start: datetime | None = None) -> None:
        self._real = SystemClock()
        self._speed = speed
        self._began = self._real.monotonic()
        self._start = start or datetime(2026, 1, 5, 12, tzinfo=UTC)
        self._jumped = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (self._real.monotonic() - self._began) * self._speed + self._jumped

    def jump(self, seconds: float) -> None:
        """Let time pass at once."""
        self._jumped += seconds

    async def sleep(self, seconds: float) -> None:
        await self._real.sleep(seconds / self._speed)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds / self._speed)  # noqa: TID251 - a clock of its own

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self._real.call_later(seconds / self._speed, callback)
