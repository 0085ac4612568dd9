"""The guide's state file: its keys, its units, and no content that could stop a start."""

import json
import math
import os
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import CycleCompleted, HedgeAdopted, StateImported
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market, Side
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import OrderRequest, OrderStatus
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.store.guide_state import CorruptState, GuideState, encode, read, render, to_import, write

OPENED = datetime(2025, 1, 15, 14, 30, 22, 123456, tzinfo=UTC)
AT = datetime(2025, 1, 15, 18, 45, 10, 789012, tzinfo=UTC)
POSITION: dict[str, object] = {
    "symbol": "BTCUSDT",
    "capital": 250.0,
    "funding_rate": 0.0001234,
    "effective_apr": 45.32,
    "spot_qty": 0.00362,
    "perp_qty": 0.00362,
    "entry_price": 69000.0,
}
GUIDE: dict[str, object] = {
    "current_position": POSITION,
    "position_opened_at": "2025-01-15T14:30:22.123456",
    "total_funding_received": 0.0856,
    "entry_fees_paid": 0.50,
    "cycle_count": 47,
    "total_profit_loss": 15.67,
    "total_positions_opened": 8,
    "total_positions_closed": 7,
    "last_updated": "2025-01-15T18:45:10.789012",
}
"""The guide's own example."""


def _instrument(market: Market) -> Instrument:
    return Instrument(
        market=market,
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        tick=Decimal("0.1"),
        lot=Decimal("0.00001"),
        min_quantity=Decimal("0.00001"),
        max_quantity=Decimal(100),
        min_notional=Decimal(5),
        fees=FeeRates(maker=Decimal(0), taker=Decimal("0.0004")),
    )


def _record(market: Market, side: Side, price: str) -> OrderRecord:
    quantity = Decimal("0.00362")
    request = OrderRequest(
        client_id=f"h-{market}", market=market, symbol="BTCUSDT", side=side, quantity=quantity, price=Decimal(price)
    )
    return OrderRecord(
        request=request,
        hedge_id="h",
        fee_rate=Decimal(0),
        issued_at=OPENED,
        status=OrderStatus.FILLED,
        filled_quantity=quantity,
        filled_notional=quantity * Decimal(price),
        booked_quantity=quantity,
    )


def _holding() -> Ledger:
    hedge = HedgedPosition(
        hedge_id="h",
        pair=BasisPair(spot=_instrument(Market.SPOT), perp=_instrument(Market.PERP)),
        opened_at=OPENED,
        counted_from=OPENED,
        entry_rate=0.0001,
        entry_apr=0.1095,
        entry_notional=Decimal("249.78"),
        entry_fees=Decimal("0.50"),
        orders=(_record(Market.SPOT, Side.BUY, "69000"), _record(Market.PERP, Side.SELL, "69010")),
        funding_received=Decimal("0.0856"),
        funding_payments=4,
    )
    imported = StateImported(
        at=OPENED, cycle_count=40, total_profit_loss=Decimal("15.67"), positions_opened=7, positions_closed=7
    )
    return fold([imported, HedgeAdopted(at=OPENED, hedge=hedge), CycleCompleted(at=AT, number=7)])


def _document(state: GuideState) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(encode(state))
    return document


def test_a_held_position_is_written_with_the_guides_keys_in_the_guides_order_and_units() -> None:
    signal = FundingSignal(
        symbol="BTCUSDT", mean=0.0001234, stdev=0.0, apr=0.4532, periods=10, interval_hours=8, moving_average=True
    )
    document = _document(render(_holding(), at=AT, spot_price=Decimal(70000), signal=signal))
    assert list(document) == list(GUIDE)
    assert document == {
        **GUIDE,
        "current_position": {**POSITION, "capital": 253.4},
    }
    assert list(document["current_position"]) == list(POSITION)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_times_without_a_zone_are_utc_wherever_the_machine_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    path = tmp_path / "volume_farming_state.json"
    path.write_text(json.dumps(GUIDE))
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        state = read(path, at=AT)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert isinstance(state, GuideState)
    assert (state.position_opened_at, state.last_updated) == (OPENED, AT)


def test_without_a_price_or_signal_the_position_is_shown_as_it_was_entered() -> None:
    position = _document(render(_holding(), at=AT))["current_position"]
    assert position["capital"] == 249.78
    assert position["funding_rate"] == 0.0001
    assert position["effective_apr"] == 10.95


def test_a_flat_bot_writes_null_and_keeps_its_figures() -> None:
    flat = fold(
        [
            StateImported(
                at=AT, cycle_count=47, total_profit_loss=Decimal("-3.5"), positions_opened=8, positions_closed=8
            ),
            CycleCompleted(at=AT, number=3),
        ]
    )
    document = _document(render(flat, at=AT))
    assert document["current_position"] is None
    assert document["position_opened_at"] is None
    assert document["total_funding_received"] == document["entry_fees_paid"] == 0
    assert document["cycle_count"] == 50
    assert document["total_profit_loss"] == -3.5
    assert document["total_positions_opened"] == document["total_positions_closed"] == 8


def test_times_are_utc_without_a_zone_and_always_show_microseconds() -> None:
    at = datetime(2025, 1, 15, 20, 0, tzinfo=timezone(timedelta(hours=2)))
    assert _document(render(Ledger(), at=at))["last_updated"] == "2025-01-15T18:00:00.000000"


def test_what_is_written_reads_back_and_no_draft_is_left(tmp_path: Path) -> None:
    path = tmp_path / "volume_farming_state.json"
    state = render(_holding(), at=AT, spot_price=Decimal(70000))
    write(path, render(Ledger(), at=OPENED))
    write(path, state)
    assert read(path, at=AT) == state
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_write_that_fails_is_one_line_and_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "volume_farming_state.json"
    write(path, render(Ledger(), at=OPENED))
    before = path.read_bytes()
    (tmp_path / f".{path.name}.tmp").mkdir()
    with pytest.raises(StoreError, match="cannot write the state file"):
        write(path, render(_holding(), at=AT))
    assert path.read_bytes() == before


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert read(tmp_path / "volume_farming_state.json", at=AT) is None


def test_the_guides_own_example_is_read_and_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "volume_farming_state.json"
    path.write_text(json.dumps(GUIDE))
    state = read(path, at=AT)
    assert isinstance(state, GuideState)
    assert _document(state) == GUIDE
    assert to_import(state, AT) == StateImported(
        at=AT,
        cycle_count=47,
        total_profit_loss=Decimal("15.67"),
        positions_opened=8,
        positions_closed=7,
        symbol="BTCUSDT",
        position_opened_at=OPENED,
    )


def test_keys_that_later_bots_of_the_family_added_or_dropped_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "volume_farming_state.json"
    document = {**GUIDE, "position_leverage": 1, "entry_cash": None, "current_position": None}
    for dropped in ("total_funding_received", "entry_fees_paid", "position_opened_at", "last_updated"):
        del document[dropped]
    path.write_text(json.dumps(document))
    state = read(path, at=AT)
    assert isinstance(state, GuideState)
    imported = to_import(state, AT)
    assert (imported.cycle_count, imported.symbol, imported.position_opened_at) == (47, None, None)


def _with(**changes: object) -> bytes:
    return json.dumps({**GUIDE, **changes}).encode()


def _position(**changes: object) -> bytes:
    return _with(current_position={**POSITION, **changes})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        json.dumps(GUIDE).encode()[:-30],
        _with(position_opened_at=None),
        _with(position_opened_at="yesterday"),
        _with(position_opened_at=1736951422),
        _with(last_updated="never"),
        _with(cycle_count="47"),
        _with(cycle_count=-1),
        _with(cycle_count=True),
        _with(total_profit_loss=None),
        _with(total_profit_loss=math.nan),
        _with(total_profit_loss="15.67"),
        _with(total_positions_opened=None),
        _with(current_position="BTCUSDT"),
        _position(symbol=None),
        _position(symbol=""),
        _position(spot_qty=[]),
        _position(entry_price=math.inf),
        b'{"total_profit_loss": 1e999}',
    ],
)
def test_a_damaged_file_is_set_aside_with_its_time_and_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "volume_farming_state.json"
    path.write_bytes(content)
    found = read(path, at=AT)
    assert isinstance(found, CorruptState)
    assert found.problem
    assert "\n" not in found.problem
    assert found.set_aside == tmp_path / "volume_farming_state.corrupt-20250115T184510Z.json"
    assert found.set_aside.read_bytes() == content
    assert read(path, at=AT) is None


def test_a_damaged_file_that_cannot_be_moved_is_reported_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "volume_farming_state.json"
    path.write_bytes(b"{")
    (tmp_path / "volume_farming_state.corrupt-20250115T184510Z.json").mkdir()
    found = read(path, at=AT)
    assert isinstance(found, CorruptState)
    assert found.set_aside is None
    write(path, render(Ledger(), at=AT))
    assert isinstance(read(path, at=AT), GuideState)


def test_a_folder_in_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read the state file"):
        read(tmp_path, at=AT)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "volume_farming_state.json"
    write(path, render(Ledger(), at=OPENED))
    handle = os.open(path, os.O_RDONLY)
    before = path.read_bytes()
    write(path, render(_holding(), at=AT))
    assert os.read(handle, 1 << 16) == before
    os.close(handle)
