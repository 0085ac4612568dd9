"""The log in memory is one list."""

import asyncio
from datetime import UTC, datetime

from hedgerow.domain.events import CycleCompleted
from hedgerow.domain.ledger.reducers import fold
from hedgerow.store.memory import MemoryStore

AT = datetime(2026, 1, 5, tzinfo=UTC)


def test_a_store_given_the_events_of_an_earlier_session_goes_on_from_them() -> None:
    earlier = [CycleCompleted(at=AT, number=1)]
    store = MemoryStore(earlier)
    asyncio.run(store.append([CycleCompleted(at=AT, number=2)], durable=True))
    assert asyncio.run(store.load()) == fold([*earlier, CycleCompleted(at=AT, number=2)])
    assert len(earlier) == 1
