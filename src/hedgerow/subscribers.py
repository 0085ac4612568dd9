"""Subscribers of one kind of value, called one by one."""

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from hedgerow.tasks import describe

__all__ = ["Subscribers"]

Value = TypeVar("Value")


class Subscribers(Generic[Value]):
    """Calls every subscriber in the order of subscription.

    With ``report``, a subscriber that raises is reported and stops neither the others nor the caller; without, the
    error is the caller's.
    """

    def __init__(self, report: Callable[[str], None] | None = None) -> None:
        self._report = report
        self._subscribers: list[Callable[[Value], None]] = []

    def add(self, subscriber: Callable[[Value], None]) -> Callable[[], None]:
        """Call ``subscriber`` with every value from now on; returns what ends that."""
        self._subscribers.append(subscriber)

        def end() -> None:
            with suppress(ValueError):
                self._subscribers.remove(subscriber)

        return end

    def publish(self, value: Value) -> None:
        """Call every subscriber."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(value)
            except Exception as error:
                if self._report is None:
                    raise
                self._report(
                    f"a listener of the exchange's notifications failed ({describe(error)}); the stream goes on"
                )
