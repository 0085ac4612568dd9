"""The example of the documentation runs, against a script instead of the exchange."""

import re
from pathlib import Path
from typing import Any, Self

import pytest

import hedgerow.aster.http.transport
import hedgerow.clock
from hedgerow.clock import VirtualClock
from support.scripted_aster import KEY, NOW, SIGNER, USER, ScriptedAster

PAGE = Path(__file__).parents[3] / "docs" / "aster_client.md"


class SocketlessTransport(ScriptedAster):
    """What the example calls ``HttpTransport``."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


def test_the_example_runs_and_prints_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    monkeypatch.setattr(hedgerow.aster.http.transport, "HttpTransport", SocketlessTransport)
    monkeypatch.setattr(hedgerow.clock, "SystemClock", lambda: VirtualClock(NOW))
    for name, value in (("API_USER", USER), ("API_SIGNER", SIGNER), ("API_PRIVATE_KEY", KEY)):
        monkeypatch.setenv(name, value)
    namespace: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), namespace)  # noqa: S102 - our own page
    assert capsys.readouterr().out.splitlines() == [
        "the exchange's clock is +0.000 s ahead",
        "AAAUSDT 100.00000000 0.00020000",
        "{'USDT': Decimal('900')}",
        "99.99 100.01",
    ]
