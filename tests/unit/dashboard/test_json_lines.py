"""Log lines as JSON: the same lines as the text has, each an object that says what it is about."""

import io
import json
import logging

import pytest

from hedgerow.dashboard.console import LogObserver, close_logging, configure_logging
from hedgerow.domain.instrument import Market
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from support.bot_harness import BotHarness

pytestmark = pytest.mark.slow


def lines_of(harness: BotHarness, *, json_lines: bool) -> list[str]:
    stream = io.StringIO()
    configure_logging(None, console=True, colour=False, stream=stream, name="hedgerow.test", json=json_lines)
    try:
        harness.run(1, observers=(LogObserver("hedgerow.test"),))
        logging.getLogger("hedgerow.test").warning("from elsewhere")
    finally:
        close_logging("hedgerow.test")
    return stream.getvalue().splitlines()


def harness() -> BotHarness:
    refused = SubmitFault(fault=FaultKind.REJECT, market=Market.PERP, command="place_order", times=1)
    return BotHarness(usdt=800, perp=200, faults=FaultPlan(submits=(refused,)))


def test_each_line_is_an_object_with_the_text_of_the_log() -> None:
    text = [line for line in lines_of(harness(), json_lines=False) if line.strip()]
    found = [json.loads(line) for line in lines_of(harness(), json_lines=True)]
    assert [each["text"] for each in found] == text
    assert {"time", "level", "text"} <= set(found[0])
    assert {each["level"] for each in found} <= {"info", "warning", "error", "critical"}
    assert all(each["time"].startswith("2026-01-05T") and each["time"].endswith("Z") for each in found[:-1])


def test_a_line_of_an_order_names_event_hedge_leg_and_order() -> None:
    found = [json.loads(line) for line in lines_of(harness(), json_lines=True)]
    refused = next(each for each in found if "refused" in each["text"])
    assert (refused["event"], refused["leg"], refused["symbol"]) == ("order_ended", "perp", "AAAUSDT")
    assert refused["order"].startswith(refused["hedge"])
    bot = BotHarness()
    found = [json.loads(line) for line in lines_of(bot, json_lines=True)]
    filled = [each for each in found if each.get("event") == "order_ended" and ": filled" in each["text"]]
    assert {each["leg"] for each in filled} == {"spot", "perp"}
    assert all(isinstance(each["order_id"], int) for each in filled)
    opened = next(each for each in found if each.get("event") == "hedge_opened")
    assert opened["hedge"] == bot.hedge.hedge_id
    assert "event" not in found[-1]


def test_a_notice_between_two_events_names_itself() -> None:
    found = [json.loads(line) for line in lines_of(harness(), json_lines=True)]
    assert {"started", "cycle_began", "balances_read"} <= {each.get("event") for each in found}
