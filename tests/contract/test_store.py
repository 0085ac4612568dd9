"""What every store promises, whatever it keeps its events in."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import CycleCompleted, Event, ExternalFlow, FlowKind, FundingReceived, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.ports import Store
from hedgerow.store.memory import MemoryStore
from hedgerow.store.sqlite import SqliteStore
from support.drawing import examples
from support.strategies import any_event

AT = datetime(2026, 1, 5, tzinfo=UTC)


KINDS = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)]


def new_store(kind: str, request: pytest.FixtureRequest, folder: Path) -> Store:
    """Open a store that holds nothing yet."""
    if kind == "memory":
        return MemoryStore()
    if kind == "sqlite":
        return SqliteStore(folder / "hedgerow.db")
    from support.postgres import new_log  # noqa: PLC0415 - the driver is imported where it is needed

    return new_log(request.getfixturevalue("postgres_server"))


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = new_store(str(request.param), request, tmp_path)
    yield opened
    asyncio.run(opened.close())


def _events_of(count: int) -> tuple[Event, ...]:
    """Return a plausible log whose fold differs after every event."""
    events: list[Event] = [
        ExternalFlow(
            at=AT, row_id="open", wallet=Wallet.SPOT, asset="USDT", amount=Decimal("500.00"), kind=FlowKind.OPENING
        )
    ]
    for number in range(1, count):
        at = AT + timedelta(hours=number)
        payment = FundingPayment(symbol="AAAUSDT", amount=Decimal(number) / 8, tran_id=number, at=at)
        events.append(FundingReceived(at=at, payment=payment) if number % 2 else CycleCompleted(at=at, number=number))
    return tuple(events[:count])


def _append(store: Store, events: tuple[Event, ...], *, durable: bool = False) -> None:
    asyncio.run(store.append(events, durable=durable))


def test_a_new_log_folds_to_nothing(store: Store) -> None:
    assert asyncio.run(store.load()) == Ledger()
    assert asyncio.run(store.events()) == ()


@pytest.mark.parametrize("durable", [True, False])
def test_what_was_appended_is_read_back_in_order_and_folded(store: Store, *, durable: bool) -> None:
    logged = _events_of(9)
    _append(store, logged[:1], durable=durable)
    _append(store, logged[1:6], durable=durable)
    _append(store, logged[6:], durable=not durable)
    assert asyncio.run(store.events()) == logged
    assert asyncio.run(store.load()) == fold(logged)


def test_appending_nothing_changes_nothing(store: Store) -> None:
    _append(store, _events_of(2))
    _append(store, ())
    assert asyncio.run(store.events()) == _events_of(2)


@pytest.mark.parametrize("after", [0, 1, 4, 5, 6])
def test_a_reader_gets_only_the_events_it_has_not_seen(store: Store, after: int) -> None:
    _append(store, _events_of(5))
    assert asyncio.run(store.events(after=after)) == _events_of(5)[after:]


@pytest.mark.parametrize("kept", [0, 1, 4, 6])
def test_a_load_is_the_same_with_a_snapshot_anywhere_before(store: Store, kept: int) -> None:
    logged = _events_of(6)
    _append(store, logged)
    asyncio.run(store.snapshot(fold(logged[:kept])))
    assert asyncio.run(store.load()) == fold(logged)
    _append(store, _events_of(8)[6:])
    assert asyncio.run(store.load()) == fold(_events_of(8))
    assert asyncio.run(store.events()) == _events_of(8)


def test_a_later_snapshot_replaces_an_earlier_one(store: Store) -> None:
    logged = _events_of(6)
    _append(store, logged)
    asyncio.run(store.snapshot(fold(logged[:2])))
    asyncio.run(store.snapshot(fold(logged)))
    assert asyncio.run(store.load()) == fold(logged)


def test_a_load_starts_from_the_snapshot_and_does_not_repeat_what_it_covers(store: Store) -> None:
    _append(store, _events_of(6))
    marked = fold(_events_of(6))
    asyncio.run(store.snapshot(Ledger(events=marked.events, max_naked_seconds=77.0)))
    _append(store, _events_of(8)[6:])
    assert asyncio.run(store.load()).max_naked_seconds == 77.0


def test_a_snapshot_of_events_that_were_never_appended_is_refused(store: Store) -> None:
    _append(store, _events_of(3))
    with pytest.raises(StoreError, match="a snapshot of 4 events does not fit a log of 3"):
        asyncio.run(store.snapshot(fold(_events_of(4))))


def test_closing_twice_is_harmless(store: Store) -> None:
    asyncio.run(store.close())
    asyncio.run(store.close())


@pytest.mark.parametrize("kind", KINDS)
def test_any_events_in_any_batches_read_back_and_fold_the_same(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @settings(deadline=None, max_examples=examples(15), suppress_health_check=list(HealthCheck))
    @given(st.lists(st.lists(any_event(), max_size=3).map(tuple), max_size=4), st.booleans())
    def reads_back(batches: list[tuple[Event, ...]], durable: bool) -> None:  # noqa: FBT001 - Hypothesis passes by position
        opened = new_store(kind, request, tmp_path_factory.mktemp("log"))
        for batch in batches:
            _append(opened, batch, durable=durable)
        assert asyncio.run(opened.events()) == tuple(event for batch in batches for event in batch)
        asyncio.run(opened.close())

    reads_back()
