"""What ``doctor`` says about alerts: whether Telegram knows the bot, who may command, and a test message on request."""

import asyncio
from pathlib import Path

import pytest

from hedgerow.app.companion.doctor import alert_findings
from hedgerow.app.findings.keys import Severity
from hedgerow.config import Home
from support.telegram_server import GROUP, TOKEN, TelegramServer

pytestmark = pytest.mark.slow
OTHER = TOKEN.replace("nobody", "nobodY")


def said(folder: Path, *lines: str, test: bool = False) -> list[tuple[Severity, str]]:
    (folder / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = asyncio.run(alert_findings(Home(folder=folder), test=test))
    text = " ".join(f"{each.text} {each.fix}" for each in found)
    assert TOKEN not in text
    assert OTHER not in text
    return [(each.level, each.text) for each in found]


def test_without_a_target_nothing_is_wrong(tmp_path: Path) -> None:
    [(level, text)] = said(tmp_path)
    assert (level, "none are sent" in text) == (Severity.OK, True)


def test_a_whole_configuration_works_and_a_test_message_is_sent_on_request_alone(tmp_path: Path) -> None:
    with TelegramServer() as server:
        lines = (
            f"HEDGEROW_TELEGRAM_TOKEN={TOKEN}",
            f"HEDGEROW_TELEGRAM_CHATS={GROUP}",
            "HEDGEROW_TELEGRAM_USERS=7",
            f"HEDGEROW_TELEGRAM_API={server.address}",
        )
        assert {level for level, _ in said(tmp_path, *lines)} == {Severity.OK}
        assert server.texts == []
        assert (Severity.OK, f"telegram:{GROUP} has a test message") in said(tmp_path, *lines, test=True)
        assert [chat for chat, _ in server.texts] == [GROUP]
        wrong = said(tmp_path, lines[0].replace(TOKEN, OTHER), *lines[1:], test=True)
        assert [level for level, _ in wrong] == [Severity.PROBLEM] * 2
        lists = said(tmp_path, lines[0], lines[3])
        assert [level for level, _ in lists][1:3] == [Severity.PROBLEM, Severity.WARNING]


def test_a_value_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    [(level, text)] = said(tmp_path, "HEDGEROW_TELEGRAM_TOKEN=nonsense")
    assert (level, "copy it again" in text) == (Severity.PROBLEM, True)
