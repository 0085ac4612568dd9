"""Print the perpetuals of Aster that pay the most funding now. Needs no key.

    python examples/best_funding.py

With the variables that ``hedgerow emulator`` prints it asks that exchange instead.
"""

import asyncio
import os
import random
import sys

from hedgerow.aster import MAINNET, AsterClient
from hedgerow.aster.http.proxy import proxy_of
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.clock import SystemClock
from hedgerow.domain.errors import HedgerowError

SHOWN = 5


async def main() -> None:
    """Read all predicted rates in one request and print the highest."""
    async with HttpTransport(proxy_of(os.environ)) as transport:
        client = AsterClient(
            transport=transport, clock=SystemClock(), random=random.Random(), hosts=MAINNET.overridden(os.environ)
        )
        rows = [row for row in await client.premium_index() if row.last_funding_rate is not None]
    rows.sort(key=lambda row: row.last_funding_rate or 0, reverse=True)
    for row in rows[:SHOWN]:
        print(f"{row.symbol:<16} {row.last_funding_rate:>10.4%} at the next settlement, mark price {row.mark_price}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except HedgerowError as error:
        sys.exit(f"the funding rates cannot be read: {error}")
