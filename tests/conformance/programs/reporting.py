"""What the Python programs share: each capability is tried once, and becomes one line of JSON.

Runs in a client's own environment: nothing but the standard library.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["SETTING", "eventually", "report"]

SETTING: dict[str, Any] = json.loads(os.environ["CONFORMANCE"])
"""Addresses, keys and symbols, as the test wrote them."""
SECONDS = 15.0
ATTEMPTS, PAUSE_SECONDS = 50, 0.1


async def report(capability: str, attempt: Callable[[], Awaitable[Any]]) -> None:
    """Print what an attempt returned, or how it failed."""
    line: dict[str, Any] = {"capability": capability}
    try:
        line["result"] = await asyncio.wait_for(attempt(), SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what we want to know
        line["error"] = f"{type(error).__name__}: {error}"[:400]
    print(json.dumps(line, default=str), flush=True)  # noqa: T201 - the program's output


async def eventually(read: Callable[[], Awaitable[Any]], done: Callable[[Any], bool]) -> Any:
    """Read until something holds: on spot an order is matched after it is acknowledged."""
    for _ in range(ATTEMPTS):
        found = await read()
        if done(found):
            return found
        await asyncio.sleep(PAUSE_SECONDS)  # noqa: TID251 - a program of its own, against a real clock
    raise TimeoutError(f"still {found}")
