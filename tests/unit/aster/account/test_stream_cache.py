"""Reports of orders, whatever order they come in."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.aster.account.stream_cache import AccountCache
from hedgerow.aster.schema.account_rows import OrderRow
from hedgerow.clock import VirtualClock, run_virtual
from support.scripted_aster import NOW, SYMBOL, millis


def report(executed: str, seconds: float, status: str = "PARTIALLY_FILLED") -> OrderRow:
    return OrderRow(
        order_id=7,
        symbol=SYMBOL,
        status=status,
        client_order_id="h-s-1",
        executed_qty=Decimal(executed),
        update_time=millis(NOW + timedelta(seconds=seconds)),
    )


def kept(*rows: OrderRow) -> OrderRow | None:
    cache = AccountCache(VirtualClock(NOW))

    async def newest() -> OrderRow | None:
        for row in rows:
            cache.reported(row)
        return await cache.report("h-s-1", 1.0, final=lambda _: True)

    return run_virtual(VirtualClock(NOW), newest())


def test_an_older_report_that_comes_late_does_not_take_a_fill_back() -> None:
    less, more = report("1", 1), report("3", 2)
    assert kept(more, less) == kept(less, more) == more


def test_an_order_that_was_accepted_does_not_become_new_again_after_its_end() -> None:
    new, ended = report("0", 1, "NEW"), report("0", 2, "EXPIRED")
    assert kept(ended, new) == kept(new, ended) == ended
