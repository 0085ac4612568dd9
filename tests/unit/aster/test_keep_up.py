"""Slow readings are renewed between checks, before they are due, so that no check waits for them."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from hedgerow.aster.cached_read import CachedRead
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import NotSent
from support.scripted_aster import HTML_500, NOW, ScriptedAster, make_venue
from support.stream_harness import BULK, StreamHarness

CHECK = {
    "GET /fapi/v3/premiumIndex",
    "GET /fapi/v3/ticker/bookTicker",
    "GET /api/v3/ticker/bookTicker",
    "GET /api/v3/account",
    "GET /fapi/v3/accountWithJoinMargin",
}
SLOW = {
    "GET /fapi/v3/exchangeInfo",
    "GET /api/v3/exchangeInfo",
    "GET /fapi/v3/fundingInfo",
    "GET /fapi/v3/ticker/24hr",
    "GET /fapi/v3/positionSide/dual",
    "GET /fapi/v3/multiAssetsMargin",
    "GET /fapi/v3/time",
}


class KeepUpHarness:
    """A venue that is kept up while a script is played."""

    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.clock = VirtualClock(NOW)
        self.venue = make_venue(self.aster, self.clock)

    def play(self, script: Coroutine[Any, Any, None]) -> None:
        async def main() -> None:
            keeping = asyncio.create_task(self.venue.keep_up())
            try:
                await script
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)

        run_virtual(self.clock, main())

    async def check(self) -> list[str]:
        self.aster.forget()
        await asyncio.gather(self.venue.market(3), self.venue.account())
        return self.aster.routes


def test_no_check_but_the_first_reads_what_changes_slowly() -> None:
    kept = KeepUpHarness()

    async def script() -> None:
        assert set(await kept.check()) >= SLOW
        for _ in range(12):
            await kept.clock.sleep(300)
            assert set(await kept.check()) == CHECK

    kept.play(script())


def test_nothing_is_read_between_checks_before_it_is_nearly_due() -> None:
    kept = KeepUpHarness()

    async def script() -> None:
        await kept.clock.sleep(400)
        assert kept.aster.routes == [], "nobody asked yet"
        await kept.check()
        kept.aster.forget()
        await kept.clock.sleep(480)
        assert kept.aster.routes == []
        await kept.clock.sleep(120)
        assert set(kept.aster.routes) == SLOW - {"GET /fapi/v3/positionSide/dual", "GET /fapi/v3/multiAssetsMargin"}

    kept.play(script())


def test_one_that_fails_is_left_to_the_check_and_stops_no_other() -> None:
    kept = KeepUpHarness()

    async def script() -> None:
        await kept.check()
        kept.aster.on("GET /fapi/v3/exchangeInfo", HTML_500)
        await kept.clock.sleep(899)
        kept.aster.forget()
        await kept.clock.sleep(300)
        assert kept.aster.routes.count("GET /fapi/v3/time") == 1
        await kept.clock.sleep(3600)
        with pytest.raises(Exception, match="exchangeInfo"):
            await kept.check()

    kept.play(script())


def test_streams_are_verified_between_checks_while_they_are_alive() -> None:
    async def script(harness: StreamHarness) -> None:
        keeping = asyncio.create_task(harness.venue.keep_up())
        await harness.fresh()
        for _ in range(1200):
            await harness.beat()
        assert {route: harness.aster.routes.count(route) for route in BULK} == dict.fromkeys(BULK, 2)
        harness.aster.forget()
        await harness.venue.market(3)
        assert not BULK & set(harness.aster.routes)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    StreamHarness().play(script)


def test_streams_that_are_silent_are_not_verified() -> None:
    async def script(harness: StreamHarness) -> None:
        keeping = asyncio.create_task(harness.venue.keep_up())
        await harness.fresh()
        await harness.clock.sleep(3000)
        assert not BULK & set(harness.aster.routes)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    StreamHarness().play(script)


def test_a_reading_that_was_expired_or_never_made_is_not_renewed() -> None:
    clock, reads = VirtualClock(NOW), list(range(3))

    async def read() -> int:
        if not reads:
            raise NotSent("no more")
        return reads.pop(0)

    async def script() -> None:
        timed = CachedRead(clock, read, seconds=60)
        await timed.renew(100)
        assert timed.known is None
        assert await timed.get() == 0
        await timed.renew(59)
        assert timed.known == 0
        await timed.renew(60)
        assert timed.known == 1
        timed.expire()
        await timed.renew(100)
        assert timed.known is None
        assert await timed.get() == 2
        await timed.renew(100)
        assert timed.known == 2, "a reading that could not be renewed stays"

    run_virtual(clock, script())
