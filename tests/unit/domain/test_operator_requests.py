from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hedgerow.domain.operator_requests import (
    AdoptRequested,
    Answer,
    CloseRequested,
    ClosingPriced,
    HaltRequested,
    HedgeSeen,
    OperatorRequest,
    Request,
    RequestOrigin,
    ResumeRequested,
    SettingsForeseen,
    SettingsRequested,
)


@pytest.mark.parametrize(
    "request_", [CloseRequested(), AdoptRequested(symbol="ABCUSDT"), HaltRequested(detail="why"), ResumeRequested()]
)
def test_a_request_survives_its_way_to_another_process(request_: Request) -> None:
    assert msgspec.json.decode(msgspec.json.encode(request_), type=Request) == request_


def test_closing_an_unnamed_symbol_means_whatever_is_held() -> None:
    assert CloseRequested().symbol is None
    assert Answer(done=True, text="closed").done


ASKED = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _request(request_id: str = "a-1", seconds: float = 60, action: Request | None = None) -> OperatorRequest:
    return OperatorRequest(
        request_id=request_id,
        action=action or CloseRequested(),
        user="anna",
        origin=RequestOrigin.TELEGRAM,
        asked_at=ASKED,
        valid_until=ASKED + timedelta(seconds=seconds),
        hedge=HedgeSeen(hedge_id="h1", symbol="ABCUSDT"),
    )


def test_who_when_and_about_what_survive_the_way_to_another_process() -> None:
    request = _request()
    assert msgspec.json.decode(msgspec.json.encode(request), type=OperatorRequest) == request


@pytest.mark.parametrize("name", ["", "../a", "a b", "a" * 65, "a\n", "é"])
def test_an_id_that_could_name_another_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="request_id"):
        _request(name)


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_a_request_that_is_valid_for_no_time_or_for_days_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="valid_until"):
        _request(seconds=seconds)


def test_a_request_is_worded_as_on_the_command_line() -> None:
    assert _request().text == "close ABCUSDT"
    assert _request(action=AdoptRequested(symbol="XYZUSDT")).text == "adopt XYZUSDT"
    bare = msgspec.structs.replace(_request(action=HaltRequested(detail="why")), hedge=None)
    assert bare.text == "halt"


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)], ids=["no zone", "long ago"])  # noqa: DTZ001 - refused
def test_a_request_of_no_certain_time_is_refused(at: datetime) -> None:
    with pytest.raises(ValueError, match="asked_at: allowed is a time with its zone"):
        msgspec.structs.replace(_request(), asked_at=at, valid_until=at + timedelta(seconds=60))


def test_a_request_about_settings_or_the_cost_of_closing_names_what_it_is_about() -> None:
    changes = (("risk_management.stop_on", "net"), ("position_management.max_positions", "2"))
    named = "risk_management.stop_on to net, position_management.max_positions to 2"
    assert _request(action=SettingsRequested(changes=changes)).text == f"change {named}"
    assert _request(action=SettingsForeseen(changes=changes)).text == f"foresee {named}"
    assert _request(action=ClosingPriced(symbol="XYZUSDT")).text == "price the closing of XYZUSDT"
    assert _request(action=ClosingPriced(symbol=None)).text == "price the closing of every hedge"
