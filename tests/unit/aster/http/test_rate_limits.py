"""The limiter under a virtual clock: never more than allowed, orders first, and what the venue tells is heeded."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.aster.http.rate_limits import Limit, Limiter, LimitKind, Priority, limits_of
from hedgerow.aster.schema.market_rows import RateLimitRow
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import RateLimited
from support.drawing import examples

WEIGHT = Limit(kind=LimitKind.WEIGHT, window_seconds=60, amount=100)
ORDERS = Limit(kind=LimitKind.ORDERS, window_seconds=10, amount=5)
SAFETY, SCAN = Priority.SAFETY, Priority.SCAN


class LimiterHarness:
    def __init__(self, *limits: Limit) -> None:
        self.clock = VirtualClock(datetime(2026, 1, 5, tzinfo=UTC))
        self.limiter = Limiter(self.clock, limits or (WEIGHT, ORDERS))

    def run(self, main: Coroutine[Any, Any, None]) -> float:
        """Run and return the virtual time it took."""
        before = self.clock.monotonic()
        run_virtual(self.clock, main)
        return self.clock.monotonic() - before

    def admit(self, weight: int, **arguments: Any) -> float:
        return self.run(self.limiter.admit(weight, **arguments))


def test_what_fits_passes_at_once_and_what_does_not_waits_for_the_window() -> None:
    harness = LimiterHarness()
    assert harness.admit(100, priority=SAFETY) == 0
    assert harness.limiter.used(LimitKind.WEIGHT, 60) == 100
    harness.clock.advance_time(55)
    assert harness.admit(1, priority=SAFETY) == 5


def test_what_was_used_is_forgotten_when_its_window_is_over() -> None:
    harness = LimiterHarness()
    harness.admit(100, priority=SAFETY)
    harness.clock.advance_time(59)
    assert harness.limiter.used(LimitKind.WEIGHT, 60) == 100
    harness.clock.advance_time(1)
    assert harness.limiter.used(LimitKind.WEIGHT, 60) == 0


def test_a_scan_leaves_a_fifth_for_orders_and_safety_reads() -> None:
    harness = LimiterHarness()
    assert harness.admit(80) == 0
    assert harness.admit(20, priority=SAFETY) == 0
    other = LimiterHarness()
    other.admit(80)
    assert other.admit(1) == 60


def test_a_safety_read_that_would_wait_long_is_an_error_and_a_scan_waits_longer() -> None:
    harness = LimiterHarness()
    harness.admit(100, priority=SAFETY)
    with pytest.raises(RateLimited, match="not sent: the exchange's limits leave no room for 60 s") as refused:
        harness.admit(1, priority=SAFETY)
    assert refused.value.retry_after_seconds == 60


def test_orders_have_limits_of_their_own() -> None:
    harness = LimiterHarness()
    for _ in range(5):
        harness.admit(1, orders=1, priority=SAFETY)
    assert harness.admit(1, priority=SAFETY) == 0, "a read is no order"
    assert harness.admit(1, orders=1, priority=SAFETY) == 10


def test_a_short_block_does_not_end_a_long_ban() -> None:
    harness = LimiterHarness()
    for orders_only in (False, True):
        harness.limiter.block(600, orders_only=orders_only)
        harness.limiter.block(2, orders_only=orders_only)
    with pytest.raises(RateLimited) as refused:
        harness.admit(1, priority=SAFETY)
    assert refused.value.retry_after_seconds == 600
    harness.clock.advance_time(600)
    harness.limiter.block(600, orders_only=True)
    harness.limiter.block(2, orders_only=True)
    with pytest.raises(RateLimited) as refused:
        harness.admit(1, orders=1, priority=SAFETY)
    assert refused.value.retry_after_seconds == 600


def test_what_others_use_is_learned_from_the_headers() -> None:
    harness = LimiterHarness()
    harness.admit(10, priority=SAFETY)
    harness.limiter.heed({"x-mbx-used-weight-1m": "95", "x-mbx-order-count-10s": "4", "x-mbx-used-weight-1h": "9"})
    assert harness.limiter.used(LimitKind.WEIGHT, 60) == 95
    assert harness.limiter.used(LimitKind.ORDERS, 10) == 4
    harness.limiter.heed({"x-mbx-used-weight-1m": "20", "x-mbx-used-weight-1m-other": "x", "date": "today"})
    assert harness.limiter.used(LimitKind.WEIGHT, 60) == 95, "a smaller figure is an older one"


def test_a_block_stops_everything_or_only_orders() -> None:
    harness = LimiterHarness()
    harness.limiter.block(8, orders_only=True)
    assert harness.admit(1, priority=SAFETY) == 0
    assert harness.admit(1, orders=1, priority=SAFETY) == 8
    harness.limiter.block(7)
    assert harness.admit(1, priority=SAFETY) == 7
    harness.limiter.block(3600)
    with pytest.raises(RateLimited):
        harness.admit(1)


def test_a_request_heavier_than_its_share_passes_alone() -> None:
    harness = LimiterHarness()
    assert harness.admit(90) == 0
    assert harness.admit(90) == 60


def test_new_limits_keep_what_was_used() -> None:
    harness = LimiterHarness()
    harness.admit(60)
    harness.limiter.configure([Limit(kind=LimitKind.WEIGHT, window_seconds=60, amount=50)])
    assert harness.limiter.used(LimitKind.WEIGHT, 60) == 60
    assert harness.admit(10, priority=SCAN) == 60


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(Priority), st.integers(0, 1)), max_size=40))
def test_no_window_ever_holds_more_than_its_limit(requests: list[tuple[int, Priority, int]]) -> None:
    harness = LimiterHarness()
    passed: list[tuple[float, int, int]] = []

    async def one(weight: int, priority: Priority, orders: int) -> None:
        try:
            await harness.limiter.admit(weight, orders=orders, priority=priority)
        except RateLimited:
            return
        passed.append((harness.clock.monotonic(), weight, orders))

    async def all_at_once() -> None:
        await asyncio.gather(*(one(*request) for request in requests))

    harness.run(all_at_once())
    for at, _, _ in passed:
        assert sum(weight for when, weight, _ in passed if at - 60 < when <= at) <= 100
        assert sum(orders for when, _, orders in passed if at - 10 < when <= at) <= 5


def test_limits_are_read_from_the_listing_and_unknown_ones_left_out() -> None:
    rows = [
        RateLimitRow(rate_limit_type="REQUEST_WEIGHT", interval="MINUTE", interval_num=1, limit=2400),
        RateLimitRow(rate_limit_type="ORDERS", interval="SECOND", interval_num=10, limit=300),
        RateLimitRow(rate_limit_type="RAW", interval="MINUTE", interval_num=1, limit=5),
        RateLimitRow(rate_limit_type="ORDERS", interval="FORTNIGHT", interval_num=1, limit=5),
    ]
    assert limits_of(rows) == (
        Limit(kind=LimitKind.WEIGHT, window_seconds=60, amount=2400),
        Limit(kind=LimitKind.ORDERS, window_seconds=10, amount=300),
    )


def test_a_long_download_leaves_half_of_the_limit_to_others() -> None:
    harness = LimiterHarness()
    assert harness.admit(50, priority=Priority.BULK) == 0
    assert harness.admit(1, priority=Priority.BULK) == 60
    harness.clock.advance_time(60)
    harness.admit(50, priority=Priority.BULK)
    assert harness.admit(30, priority=SCAN) == 0
    assert harness.admit(20, priority=SAFETY) == 0
    assert harness.limiter.allowed(LimitKind.WEIGHT, 60, Priority.BULK) == 50
    assert harness.limiter.allowed(LimitKind.WEIGHT, 1, Priority.BULK) is None
