"""``hedgerow scan`` with a policy of the user's own."""

import json
import textwrap
from pathlib import Path

import pytest

from support.command_runner import Shell

POLICY = """
from hedgerow.strategy.policies import VolumeFarming


class Broken(VolumeFarming):
    def rank(self, market):
        return {}["BTCUSDT"]
"""


def test_a_policy_that_raises_ends_the_scan_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_policy.py").write_text(textwrap.dedent(POLICY), encoding="utf-8")
    config = tmp_path / "bot.json"
    config.write_text(json.dumps({"policy": "broken_policy.Broken"}), encoding="utf-8")
    line = Shell(capsys).refused("scan", "--paper", "--home", tmp_path / "home", "--config", config)
    assert "policy broken_policy.Broken failed: KeyError: 'BTCUSDT' (broken_policy.py:7)" in line
