import msgspec
import pytest

from hedgerow.domain.requests import (
    AdoptRequested,
    Answer,
    CloseRequested,
    HaltRequested,
    Request,
    ResumeRequested,
)


@pytest.mark.parametrize(
    "request_", [CloseRequested(), AdoptRequested(symbol="ABCUSDT"), HaltRequested(detail="why"), ResumeRequested()]
)
def test_a_request_survives_its_way_to_another_process(request_: Request) -> None:
    assert msgspec.json.decode(msgspec.json.encode(request_), type=Request) == request_


def test_closing_an_unnamed_symbol_means_whatever_is_held() -> None:
    assert CloseRequested().symbol is None
    assert Answer(done=True, text="closed").done
