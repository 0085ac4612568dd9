from datetime import UTC, datetime

import pytest
from msgspec import UNSET

from hedgerow.domain.events import CommandRefused, ExternalFills, FeeBooked
from hedgerow.domain.order import ForcedTrade
from hedgerow.store.codec import decode_event, encode_event

AT = datetime(2026, 1, 5, tzinfo=UTC).isoformat().replace("+00:00", "Z")


def old_fill(client_id: str) -> str:
    return (
        f'{{"market":"perp","symbol":"ABCUSDT","trade_id":7,"order_id":3,"client_id":"{client_id}","side":"BUY",'
        f'"quantity":"2","price":"100","fee":"0.1","fee_asset":"USDT","realized_pnl":"0","maker":false,"at":"{AT}"}}'
    )


@pytest.mark.parametrize(
    ("client_id", "kind"),
    [
        ("autoclose-123", ForcedTrade.LIQUIDATION),
        ("adl_autoclose", ForcedTrade.AUTO_DELEVERAGING),
        ("settlement_autoclose-9", ForcedTrade.SETTLEMENT),
        ("web_1", UNSET),
        ("", UNSET),
    ],
)
def test_a_forced_trade_of_an_older_log_is_still_one(client_id: str, kind: object) -> None:
    elsewhere = decode_event(
        f'{{"type":"fills_elsewhere","at":"{AT}","hedge_id":"h1","fills":[{old_fill("web")},{old_fill(client_id)}],'
        '"cause":"half open"}'.encode()
    )
    assert isinstance(elsewhere, ExternalFills)
    assert [fill.forced_trade for fill in elsewhere.fills] == [UNSET, kind]
    booked = decode_event(
        f'{{"type":"fee_booked","at":"{AT}","client_id":"{client_id}","fill":{old_fill(client_id)},'
        '"fee_quote":"0.1"}'.encode()
    )
    assert isinstance(booked, FeeBooked)
    assert booked.fill.forced_trade is kind
    for event in (elsewhere, booked):
        assert decode_event(encode_event(event)) == event
    assert (b"forced_trade" in encode_event(booked)) is (kind is not UNSET), "other trades are written as before"


@pytest.mark.parametrize(("code", "before"), [(-1003, True), (-1007, True), (-2000, UNSET), (-4050, UNSET)])
def test_a_refused_request_of_an_older_log_leaves_a_transfer_in_doubt_as_it_was(code: int, before: object) -> None:
    line = (
        f'{{"type":"command_refused","at":"{AT}","command":{{"type":"transfer_funds","transfer_id":"t1","amount":"5",'
        f'"direction":"SPOT_TO_PERP","asset":"USDT"}},"code":{code},"detail":"no"}}'
    )
    event = decode_event(line.encode())
    assert isinstance(event, CommandRefused)
    assert event.before_execution is before
    assert (b"before_execution" in encode_event(event)) is (before is True)
