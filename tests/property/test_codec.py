"""Whatever can happen can be written, and reads back as exactly what happened."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import CycleCompleted, Event, Lifted, NakedAlarmed, OrderProgressed
from hedgerow.domain.ledger.booked import BookedIds
from hedgerow.domain.ledger.state import Ledger
from hedgerow.store.codec import (
    decode_event,
    decode_ledger,
    encode_event,
    encode_ledger,
    event_kind,
    events_sha256,
    ledger_version,
)
from support.drawing import examples
from support.strategies import EVENT_TYPES, any_event, any_ledger

AT = datetime(2026, 1, 5, 12, 30, 0, 123456, tzinfo=UTC)
PATIENT = settings(deadline=None, max_examples=examples(25), suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@PATIENT
@given(data=st.data())
def test_every_kind_of_event_reads_back_exactly_with_its_exponents(kind: type[msgspec.Struct], data: Any) -> None:
    event: Event = data.draw(any_event(kind))
    line = encode_event(event)
    decoded = decode_event(line)
    assert decoded == event
    assert repr(decoded) == repr(event)
    assert encode_event(decoded) == line
    assert b"\n" not in line


@PATIENT
@given(any_ledger())
def test_every_ledger_reads_back_exactly(ledger: Ledger) -> None:
    payload = encode_ledger(ledger)
    decoded = decode_ledger(payload)
    assert decoded == ledger
    assert encode_ledger(ledger) == payload


@PATIENT
@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(msgspec.json.encode))
def test_what_is_no_event_is_refused_in_one_line_that_names_the_row(line: bytes) -> None:
    with pytest.raises(StoreError) as refused:
        decode_event(line, row="home/hedgerow.db: event 7")
    assert str(refused.value).startswith("home/hedgerow.db: event 7 cannot be read: ")
    assert "\n" not in str(refused.value)


@PATIENT
@given(any_event(), st.data())
def test_a_line_cut_short_is_refused(event: Event, data: Any) -> None:
    line = encode_event(event)
    cut = data.draw(st.integers(0, len(line) - 1))
    with pytest.raises(StoreError):
        decode_event(line[:cut])


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"cycle_completed","number":1}',
        b'{"type":"cycle_completed","at":"2026-01-05T00:00:00","number":1}',
        b'{"type":"cycle_completed","at":"2026-01-05T00:00:00Z","number":true}',
        b'{"type":"cycle_finished","at":"2026-01-05T00:00:00Z","number":1}',
        b'{"at":"2026-01-05T00:00:00Z","number":1}',
        (
            b'{"type":"order_progressed","at":"2026-01-05T00:00:00Z","client_id":"a","order_id":1,'
            b'"filled_quantity":"NaN","filled_notional":"0"}'
        ),
        (
            b'{"type":"command_issued","at":"2026-01-05T00:00:00Z","command":{"type":"transfer_funds",'
            b'"transfer_id":"a","amount":"sNaN","direction":"SPOT_TO_PERP"}}'
        ),
        (
            b'{"type":"command_issued","at":"2026-01-05T00:00:00Z","command":{"type":"transfer_funds",'
            b'"transfer_id":"a","amount":"-1","direction":"SPOT_TO_PERP"}}'
        ),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(line: bytes) -> None:
    with pytest.raises(StoreError, match="an event cannot be read: "):
        decode_event(line)


@pytest.mark.parametrize(
    "event",
    [
        NakedAlarmed(at=AT, hedge_id="a", exposure=Decimal(1), notional=Decimal(1), seconds=float("nan")),
        NakedAlarmed(at=AT, hedge_id="a", exposure=Decimal(1), notional=Decimal("Infinity"), seconds=1.0),
        OrderProgressed(at=AT, client_id="a", order_id=1, filled_quantity=Decimal("sNaN"), filled_notional=Decimal(0)),
        CycleCompleted(at=AT.replace(tzinfo=None), number=1),
        Lifted(at=AT, detail="\ud800"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_event_that_could_not_be_read_back_is_not_written(event: Event) -> None:
    with pytest.raises(StoreError, match="cannot be written") as refused:
        encode_event(event)
    assert event_kind(event) in str(refused.value)


def test_the_digest_of_a_log_depends_on_every_event_and_on_their_order() -> None:
    first, second = CycleCompleted(at=AT, number=1), CycleCompleted(at=AT, number=2)
    digests = {events_sha256(log) for log in ([], [first], [second], [first, second], [second, first])}
    assert len(digests) == 5
    assert events_sha256([first, second]) == events_sha256(iter((first, second)))


def test_the_bytes_of_an_event_stay_what_they_were() -> None:
    event = OrderProgressed(
        at=AT, client_id="h-s-1", order_id=7, filled_quantity=Decimal("0.10"), filled_notional=Decimal("1E+3")
    )
    assert encode_event(event) == (
        b'{"type":"order_progressed","at":"2026-01-05T12:30:00.123456Z","client_id":"h-s-1","order_id":7,'
        b'"filled_quantity":"0.10","filled_notional":"1E+3"}'
    )


def _ids(ids: Iterable[object]) -> BookedIds:
    return BookedIds(days={"2026-01-05": (frozenset(map(str, ids)),)})


def test_the_bytes_of_a_ledger_do_not_depend_on_the_order_of_its_mappings() -> None:
    first = Ledger(rows_seen=_ids("abcdefgh"), funding_seen=_ids(range(50)))
    second = Ledger(rows_seen=_ids("hgfedcba"), funding_seen=_ids(reversed(range(50))))
    assert encode_ledger(first) == encode_ledger(second)


def test_an_unreadable_snapshot_is_none_and_its_version_is_stable() -> None:
    assert decode_ledger(b"{") is None
    assert decode_ledger(b'{"events":"many"}') is None
    assert ledger_version() == ledger_version()
