"""A wired exchange on real loopback sockets, in a thread of this process, and the variables that lead a bot to it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from coincurve import PrivateKey

from hedgerow.app.commands.emulator_server import EmulatorPlan, WiredAccount, build_venue
from hedgerow.aster.credentials import address_of
from hedgerow.clock import SystemClock
from hedgerow.emulator.core.world import World
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.rest.faults import RequestFault
from hedgerow.emulator.wire.server import WireServer

__all__ = ["KEY", "SIGNER", "USER", "LocalAster", "key_of", "local_aster"]

USER = "0x1111111111111111111111111111111111111111"


def key_of(number: int) -> tuple[str, str]:
    """Return the private key with this number, and its address."""
    return f"{number:064x}", address_of(PrivateKey.from_int(number))


KEY, SIGNER = key_of(0x5EC2E7 << 200)


class LocalAster:
    """The exchange as the test's right hand moves it."""

    def __init__(self, plan: EmulatorPlan) -> None:
        real = SystemClock()
        self.venue, _ = build_venue(plan, real)
        self.server = WireServer(self.venue, real, host=plan.host, port=0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def world(self) -> World:
        """The account's world."""
        return self.venue.exchange.exchange_accounts[USER].world

    @property
    def variables(self) -> dict[str, str]:
        """What a bot's environment must hold."""
        futures, spot = self.server.ports
        return {
            "HEDGEROW_FUTURES_REST": f"http://127.0.0.1:{futures}",
            "HEDGEROW_SPOT_REST": f"http://127.0.0.1:{spot}",
            "HEDGEROW_FUTURES_MARKET_WS": f"ws://127.0.0.1:{futures}",
            "HEDGEROW_FUTURES_USER_WS": f"ws://127.0.0.1:{futures}",
            "HEDGEROW_SPOT_MARKET_WS": f"ws://127.0.0.1:{spot}",
            "HEDGEROW_SPOT_USER_WS": f"ws://127.0.0.1:{spot}",
            "API_USER": USER,
            "API_SIGNER": SIGNER,
            "API_PRIVATE_KEY": KEY,
        }

    def permit(self, **rights: Any) -> None:
        """Change what the agent may do."""
        self.venue.exchange.permit(USER, Agent(signer=SIGNER.lower(), **rights))

    def fail(self, path: str, fault: str) -> None:
        """Let every request on a path fail."""
        self.venue.faults.requests.append(msgspec.convert({"fault": fault, "path": path, "times": 0}, RequestFault))

    def in_days(self, days: float) -> datetime:
        """Return a time on the exchange's clock."""
        return self.venue.exchange.now + timedelta(days=days)

    def _serve(self) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            started = asyncio.Event()
            serving = asyncio.create_task(self.server.serve(self._stop, started))
            await started.wait()
            self._listens.set()
            await serving

        asyncio.run(main())

    def start(self) -> None:
        """Serve in a thread, and return once it listens."""
        self._thread.start()
        assert self._listens.wait(timeout=30)

    def stop(self) -> None:
        """End it; may be called twice."""
        if self._thread.is_alive() and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=30)


@contextmanager
def local_aster(*, balance: int = 1000, pairs: int = 6, speed: float = 1, **plan: Any) -> Iterator[LocalAster]:
    """Serve an exchange with one account and its agent."""
    accounts = (WiredAccount(user=USER, signer=SIGNER),)
    terms = EmulatorPlan(seed=3, pairs=pairs, accounts=accounts, balance=Decimal(balance), speed=speed, **plan)
    aster = LocalAster(terms)
    aster.start()
    try:
        yield aster
    finally:
        aster.stop()
