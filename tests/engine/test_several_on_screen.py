"""Several hedges on screen: each is shown, the most endangered first, with sums; one hedge alone is shown as before."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import Process, ProcessState, bot_state
from hedgerow.dashboard.narration.cycle import cycle_lines
from hedgerow.dashboard.narration.events import recorded_lines
from hedgerow.dashboard.narration.verdicts import decided_lines
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.dashboard.status_document import status_document
from hedgerow.dashboard.status_lines import BotView, status_lines
from hedgerow.domain.events import HedgeLost
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.notices import Decided, HealthJudged, Notice, Recorded
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import OPENED, BotHarness
from support.golden_cases import IDENTITY
from support.worlds import Listing, ScriptedMarketData

A, B, C = "AAAUSDT", "BBBUSDT", "CCCUSDT"


class Screen:
    """Keeps the last outlook of a bot."""

    def __init__(self, parameters: StrategyParameters) -> None:
        self._builder, self.outlook = (
            OutlookBuilder(VolumeFarming(parameters)),
            Outlook(at=OPENED, written_at=OPENED, pid=1, started_at=OPENED),
        )

    def on_notice(self, notice: Notice) -> None:
        at: datetime = getattr(notice, "at", None) or OPENED
        self.outlook = self._builder.on_notice(notice, at) or self.outlook


def shown(slots: int = 3, hours: float = 0.5) -> tuple[BotHarness, BotView]:
    """Return a bot that holds as many hedges, B's price having risen by a third, and what is shown of it."""
    data = ScriptedMarketData(
        [Listing(A, rate="0.0006"), Listing(B, spot=120, rate="0.0005"), Listing(C, spot=140, rate="0.0004")]
    )
    data.set_prices(OPENED + timedelta(minutes=12), Decimal(160), symbol=B)
    parameters = StrategyParameters(
        position_management=PositionManagement(
            fee_coverage_multiplier=1000,
            max_position_age_hours=87_600,
            better_opportunity_apr=90.0,
            max_positions=slots,
        )
    )
    bot, screen = BotHarness(data, parameters=parameters, usdt=900, perp=900), Screen(parameters)
    bot.run(hours, observers=(screen,))
    now = bot.clock.now()
    process = Process(state=ProcessState.RUNNING, pid=screen.outlook.pid, last_beat=now)
    report = bot_state(bot.ledger, process, screen.outlook, now)
    return bot, BotView(ledger=bot.ledger, process=process, outlook=screen.outlook, report=report, now=now)


def test_status_has_five_lines_with_the_most_endangered_hedge_first_and_sums() -> None:
    bot, view = shown()
    lines = {line.label: line.text for line in status_lines(view, IDENTITY)}
    assert list(lines)[:5] == ["Position", "Result", "Bot", "Next", "To do"]
    order = [held.symbol for held in view.several]
    distances = [held.health.liquidation_distance or 0.0 for held in view.several]
    assert distances == sorted(distances)
    text = lines["Position"].split(": ", 1)[1]
    places = [text.index(f"{symbol} legs differ by") for symbol in order]
    assert places == sorted(places)
    together = sum(hedge.entry_notional for hedge in bot.ledger.open_hedges)
    assert f"together ${together:,.2f} a leg" in text
    nets = [held.result.net_if_closed for held in view.several]
    assert None not in nets
    assert "if all were closed now" in lines["Result"]
    assert f"{sum(net for net in nets if net is not None):.2f}".lstrip("-") in lines["Result"]
    assert " at 08:00 UTC" in lines["Next"]
    assert f"exit of {order[0]}: " in lines["Next"]


def test_status_says_that_a_sum_is_not_known_while_one_hedge_has_no_reading() -> None:
    _, view = shown()
    assert view.outlook is not None
    blind = BotView(ledger=view.ledger, process=view.process, outlook=None, report=view.report, now=view.now)
    lines = {line.label: line.text for line in status_lines(blind, IDENTITY)}
    assert lines["Position"].count(" legs differ by ") == 3
    assert lines["Next"] == "not known"


def test_the_document_lists_each_hedge() -> None:
    bot, view = shown()
    document: dict[str, Any] = status_document(view)
    assert [each["symbol"] for each in document["positions"]] == [hedge.symbol for hedge in bot.ledger.live_hedges]
    assert all(each["result"] and each["health"] and each["in_flight"] is None for each in document["positions"])
    largest = bot.ledger.largest
    assert largest is not None
    assert document["position"]["symbol"] == largest.symbol


@pytest.mark.parametrize("state", [ProcessState.RUNNING, ProcessState.STOPPED, ProcessState.GONE])
def test_the_document_says_hedged_while_every_hedge_is_whole_whether_or_not_a_bot_runs(state: ProcessState) -> None:
    _, view = shown()

    def hedged(ledger: Ledger) -> object:
        process = replace(view.process, state=state)
        report = bot_state(ledger, process, view.outlook, view.now)
        return status_document(replace(view, ledger=ledger, process=process, report=report))["hedged"]

    assert hedged(view.ledger) is True
    last, *others = view.ledger.open_hedges
    half = replace(last, tally=replace(last.tally, perp_quantity=last.tally.perp_quantity / 2))
    assert hedged(replace(view.ledger, hedges={each.hedge_id: each for each in (half, *others)})) is False
    assert hedged(replace(view.ledger, hedges={})) is False


def test_one_hedge_alone_is_shown_without_names_in_front() -> None:
    bot, view = shown(1)
    assert view.several == ()
    assert " legs differ by " in status_lines(view, IDENTITY)[0].text
    assert "together" not in status_lines(view, IDENTITY)[0].text
    assert {notice.symbol for notice in bot.notices_of(Decided)} == {""}
    assert len(status_document(view)["positions"]) == 1  # type: ignore[arg-type] # a list


def test_the_lines_of_a_check_name_the_pair_where_several_are_held() -> None:
    bot, _ = shown()
    decided = [line.text for notice in bot.notices_of(Decided) if notice.symbol for line in decided_lines(notice)]
    assert {f"{symbol}: Position healthy, continuing to hold..." for symbol in (A, B, C)} <= set(decided)
    judged = [line.text for notice in bot.notices_of(HealthJudged) if notice.symbol for line in cycle_lines(notice)]
    assert f"Health check passed of {B} (Existing DN positions: 3)" in judged


def test_the_line_of_a_lost_hedge_names_that_one() -> None:
    bot, _ = shown()
    lost = bot.ledger.held(C)
    assert lost is not None
    coins = bot.ledger.owned("CCC").quantize(Decimal("0.001"), "ROUND_DOWN")
    bot.world.trade_by_hand(Market.SPOT, C, Side.SELL, coins)
    bot.world.trade_by_hand(Market.PERP, C, Side.BUY, lost.short)
    bot.run(0.1)
    said = [n for n in bot.notices_of(Recorded) if isinstance(n.event, HedgeLost)]
    assert [recorded_lines(notice)[0].text.split(" was ended")[0] for notice in said] == [f"Position on {C}"]
