"""Reads that end together, and background work that is started again when it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar, cast, overload

from hedgerow.domain.errors import HedgerowError
from hedgerow.ports import Clock

__all__ = ["all_of", "describe", "supervise"]

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
HEALTHY_SECONDS = 300.0
"""Work that ran for so long resets the back-off, and its next failure is reported even if it is an old one."""
LONGEST_TEXT = 200


@overload
async def all_of(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], /) -> tuple[A, B]: ...
@overload
async def all_of(
    first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], third: Coroutine[Any, Any, C], /
) -> tuple[A, B, C]: ...
@overload
async def all_of(
    first: Coroutine[Any, Any, A],
    second: Coroutine[Any, Any, B],
    third: Coroutine[Any, Any, C],
    fourth: Coroutine[Any, Any, D],
    /,
) -> tuple[A, B, C, D]: ...
@overload
async def all_of(
    first: Coroutine[Any, Any, A],
    second: Coroutine[Any, Any, B],
    third: Coroutine[Any, Any, C],
    fourth: Coroutine[Any, Any, D],
    fifth: Coroutine[Any, Any, E],
    /,
) -> tuple[A, B, C, D, E]: ...
@overload
async def all_of(*reads: Coroutine[Any, Any, A]) -> tuple[A, ...]: ...
async def all_of(*reads: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """Await coroutines at once and return their results in order; the first failure cancels the others and is raised.

    For reads only: a write that is cancelled may have been executed.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read) for read in reads]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return tuple(task.result() for task in tasks)


async def supervise(
    work: Callable[[], Awaitable[object]], *, name: str, clock: Clock, report: Callable[[str], None]
) -> NoReturn:
    """Run background work until cancelled; when it fails or ends, report that once and start it again with back-off.

    The same failure is reported again only after the work ran for ``HEALTHY_SECONDS`` in between.
    """
    failures, reported = 0, ""
    while True:
        began = clock.monotonic()
        try:
            await work()
            problem = "it ended by itself"
        except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on, and it is reported
            problem = describe(error)
        if clock.monotonic() - began >= HEALTHY_SECONDS:
            failures, reported = 0, ""
        failures += 1
        if problem != reported:
            report(f"{name} failed and is started again: {problem}")
            reported = problem
        await clock.sleep(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10)))


def describe(error: BaseException) -> str:
    """Return an error in one line: the text of one of ours, else its kind and its text."""
    first = _first(error)
    text = " ".join(str(first).split())[:LONGEST_TEXT]
    if isinstance(first, HedgerowError):
        return text
    return f"{type(first).__name__}: {text}" if text else type(first).__name__


def _first(error: BaseException) -> BaseException:
    """Return the first single error of a group, or the error itself."""
    return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0]) if _is_group(error) else error


def _is_group(error: BaseException) -> bool:
    return isinstance(error, BaseExceptionGroup)
