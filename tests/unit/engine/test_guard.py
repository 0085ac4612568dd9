"""Marks are held against the account as it is, not as it was."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.account import AccountView
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.engine.guard import Guard
from hedgerow.engine.journal import Journal
from hedgerow.store.memory import MemoryStore
from support.ledger_builder import START, LedgerBuilder
from support.views import account, short_of


def margin(liquidation: str) -> AccountView:
    """Return the account of the diary's hedge with its short liquidated at a price."""
    short = short_of("ABCUSDT", "10", liquidation_price=Decimal(liquidation))
    return replace(account(short, coins={"ABC": "10"}), at=START)


class GuardHarness:
    """A guard between two cycles; ``cycle_saw`` is what the last cycle read, ``venue_shows`` what a look finds."""

    def __init__(self, cycle_saw: str, venue_shows: str) -> None:
        self.clock = VirtualClock(START)
        self.cycle_saw, self.venue_shows = margin(cycle_saw), margin(venue_shows)
        store = MemoryStore()
        run_virtual(self.clock, store.append(LedgerBuilder().open_hedge().events, durable=True))
        journal = Journal(store)
        run_virtual(self.clock, journal.open())
        venue: Any = self
        self.guard = Guard(
            clock=self.clock, journal=journal, venue=venue, seen=lambda: self.cycle_saw, nudge=lambda: None
        )
        self.guard.begin()

    async def account(self) -> AccountView:
        return self.venue_shows

    def wakes_at(self, mark: str) -> bool:
        self.guard.on_notification(
            Notification(at=START, kind=NotificationKind.MARK, symbol="ABCUSDT", mark=Decimal(mark))
        )
        return self.guard.take()


def test_a_mark_is_judged_by_the_margin_that_the_newest_cycle_read() -> None:
    watched = GuardHarness("198", "198")
    assert not watched.wakes_at("112")
    watched.cycle_saw = margin("130")
    watched.guard.begin()
    assert watched.wakes_at("112")


def test_a_mark_is_judged_by_the_margin_that_a_look_between_two_cycles_found() -> None:
    watched = GuardHarness("198", "130")
    assert not watched.wakes_at("112")
    run_virtual(watched.clock, watched.guard.look())
    assert not watched.wakes_at("99")
    assert watched.wakes_at("112")


def test_a_guard_that_is_asked_to_poll_looks_at_the_account_at_once() -> None:
    watched = GuardHarness("198", "130")
    assert not watched.guard.look_due()
    watched.guard.poll()
    assert watched.guard.look_due()
    run_virtual(watched.clock, watched.guard.look())
    assert not watched.guard.look_due()
