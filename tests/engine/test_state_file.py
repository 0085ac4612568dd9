"""The state file: figures of the hedge it names, whenever it is written, and no claim of a write that failed."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedgerow.app.state_file import StateFile
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import HedgeAdopted, HedgeClosed, HedgeOpened, StateImported
from hedgerow.domain.instrument import Market, Side
from hedgerow.engine.notices import CycleEnded, Notice, Reconciled, Recorded, Stopped, Warned
from hedgerow.engine.runner import RunOptions
from hedgerow.store import guide_state
from hedgerow.strategy.decisions.verdicts import ClosedExternally
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

OTHER = "BBBUSDT"
SPREAD = Decimal("0.0005")
"""Far more than the books of these tests are wide, as a fraction."""


class _Checked:
    """Reads the file after every notice and holds what changed against the exchange."""

    def __init__(self, path: Path, harness: BotHarness) -> None:
        self._path, self._harness, self._before = path, harness, b""
        self.seen: list[tuple[Notice, dict[str, Any]]] = []

    def on_notice(self, notice: Notice) -> None:
        text = self._path.read_bytes() if self._path.exists() else b""
        if text == self._before:
            return
        self._before, state = text, json.loads(text)
        self.seen.append((notice, state))
        position, at = state["current_position"], self._harness.clock.now()
        if position is None:
            return
        prices = self._harness.market_data.prices(position["symbol"], at)
        assert prices is not None
        worth = Decimal(str(position["spot_qty"])) * prices.spot
        assert abs(Decimal(str(position["capital"])) - worth) <= worth * SPREAD, (type(notice).__name__, position)

    def of(self, kind: type) -> list[dict[str, Any]]:
        """Return the file's positions as written with notices or events of one kind."""
        return [state for said, state in self.seen if isinstance(getattr(said, "event", said), kind)]


def _two_pairs() -> ScriptedMarketData:
    """Return a market whose pairs cost very different amounts; the second is announced to pay from an hour on."""
    market_data = ScriptedMarketData([Listing(rate="0.0008"), Listing(OTHER, spot=1000, rate="0.0016")])
    for hours, first, second in ((0, "0.0008", "-0.0003"), (3, "-0.002", "0.0016")):
        market_data.set_predicted(OPENED + timedelta(hours=hours), first)
        market_data.set_predicted(OPENED + timedelta(hours=hours), second, symbol=OTHER)
    return market_data


def _predicting() -> StrategyParameters:
    return StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(use_funding_ma=False),
        position_management=PositionManagement(max_position_age_hours=100, loop_interval_seconds=3600),
    )


# --- it names one hedge, and says that one's figures -----------------------------------------------------------------


def test_after_a_rotation_the_value_and_the_rates_are_the_new_pairs(tmp_path: Path) -> None:
    harness = BotHarness(_two_pairs(), parameters=_predicting())
    path = tmp_path / "state.json"
    checked = _Checked(path, harness)
    harness.run(8.5, observers=[StateFile(path), checked])
    assert [event.hedge_id for event in harness.logged(HedgeClosed)]
    assert harness.hedge.symbol == OTHER
    turned = [state for state in checked.of(CycleEnded) if (state["current_position"] or {}).get("symbol") == OTHER]
    # 0.16 % every eight hours, three times a day: not the rate of the pair that was left in the same check.
    assert turned[0]["current_position"]["funding_rate"] == 0.0016
    assert turned[0]["current_position"]["effective_apr"] == pytest.approx(175.2)


def test_one_check_alone_leaves_the_file_of_the_pair_it_rotated_to(tmp_path: Path) -> None:
    harness = BotHarness(_two_pairs(), parameters=_predicting())
    path = tmp_path / "state.json"
    harness.run(1, observers=[StateFile(path)])
    assert harness.hedge.symbol == SYMBOL
    harness.wait(7.5)
    harness.run(1, observers=[StateFile(path), _Checked(path, harness)], options=RunOptions(once=True))
    position = json.loads(path.read_bytes())["current_position"]
    assert position["symbol"] == harness.hedge.symbol == OTHER
    assert position["capital"] == pytest.approx(float(harness.hedge.spot_quantity) * 1000, rel=1e-3)


def test_a_position_adopted_after_a_leg_was_closed_in_the_same_check_is_valued_at_its_own_price(tmp_path: Path) -> None:
    harness = BotHarness(_two_pairs(), parameters=_predicting())
    path = tmp_path / "state.json"
    checked = _Checked(path, harness)

    def swap(harness: BotHarness) -> None:
        held = harness.hedge
        harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, held.pair.spot.floor_quantity(held.spot_quantity))
        harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, held.short)
        for market, side in ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL)):
            harness.world.trade_by_hand(market, OTHER, side, Decimal("0.2"))

    harness.run(2, at={1.1: swap}, observers=[StateFile(path), checked])
    assert harness.logged(HedgeAdopted)
    assert [state["current_position"]["symbol"] for state in checked.of(HedgeAdopted)] == [OTHER]


def test_an_old_position_is_valued_at_the_price_of_its_adoption_and_not_of_its_opening(tmp_path: Path) -> None:
    harness = BotHarness(
        parameters=StrategyParameters(position_management=PositionManagement(max_position_age_hours=100))
    )
    for market, side in ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL)):
        harness.world.trade_by_hand(market, SYMBOL, side, Decimal(2))
    harness.market_data.set_prices(OPENED + timedelta(hours=5), 150)
    harness.wait(6)
    path = tmp_path / "state.json"
    checked = _Checked(path, harness)
    harness.run(0.5, observers=[StateFile(path), checked])
    assert harness.hedge.entry_price == pytest.approx(Decimal(100), rel=Decimal("0.001"))
    assert [state["current_position"]["capital"] for state in checked.of(HedgeAdopted)] == [
        pytest.approx(300, rel=1e-3)
    ]


def test_a_check_that_cannot_see_the_market_leaves_the_last_value_of_the_same_hedge(tmp_path: Path) -> None:
    harness = BotHarness()
    path = tmp_path / "state.json"
    harness.run(
        1, observers=[StateFile(path)], at={0.5: lambda harness: harness.market_data.set_gap(harness.clock.now())}
    )
    position = json.loads(path.read_bytes())["current_position"]
    assert position["capital"] == pytest.approx(float(harness.hedge.spot_quantity) * 100, rel=1e-3)


def test_the_cycle_reports_the_figures_of_the_hedge_it_leaves_behind() -> None:
    harness = BotHarness(_two_pairs(), parameters=_predicting())
    harness.run(8.5)
    for ended in harness.notices_of(CycleEnded):
        assert (ended.evaluation is None) == (ended.ledger.largest is None)
        if ended.ledger.largest is not None and ended.evaluation is not None:
            assert ended.evaluation.symbol == ended.ledger.largest.symbol
            assert ended.evaluation.result is not None
            assert ended.evaluation.result.funding == ended.ledger.largest.funding_received


# --- it is in step with the log --------------------------------------------------------------------------------------


def test_a_kill_between_the_log_and_the_file_is_made_good_at_the_start(tmp_path: Path) -> None:
    harness = BotHarness()
    path = tmp_path / "state.json"
    harness.run(0.5, observers=[StateFile(path)])
    flat = guide_state.read(path, at=harness.clock.now())
    assert isinstance(flat, guide_state.GuideState)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "current_position": None, "cycle_count": 0}))
    found = guide_state.read(path, at=harness.clock.now())
    assert isinstance(found, guide_state.GuideState)
    written: list[str] = []

    class First:
        def on_notice(self, notice: Notice) -> None:
            del notice
            position = json.loads(path.read_bytes())["current_position"]
            written.append(position["symbol"] if position else "flat")

    harness.run(0.1, observers=[StateFile(path, found), First()])
    assert written[0] == SYMBOL


def test_a_file_that_agrees_with_the_log_is_not_replaced_by_one_without_prices(tmp_path: Path) -> None:
    harness = BotHarness()
    path = tmp_path / "state.json"
    harness.run(0.5, observers=[StateFile(path)])
    harness.market_data.set_prices(harness.clock.now(), 150)
    harness.run(0.5, observers=[StateFile(path)])
    found = guide_state.read(path, at=harness.clock.now())
    assert isinstance(found, guide_state.GuideState)
    harness.run(0.5, observers=[StateFile(path, found), _Checked(path, harness)])


def test_the_totals_of_the_file_are_those_of_the_last_lines(tmp_path: Path) -> None:
    harness = BotHarness(_two_pairs(), parameters=_predicting())
    path = tmp_path / "state.json"
    before = StateImported(
        at=OPENED,
        cycle_count=40,
        total_profit_loss=Decimal("15.67"),
        positions_opened=8,
        positions_closed=8,
    )
    harness.run(8.5, observers=[StateFile(path)], imported=before)
    state = json.loads(path.read_bytes())
    said = "\n".join(line.text for line in narrate(harness.notices_of(Stopped)[-1]))
    assert f"(total: {state['cycle_count']})" in said
    assert f"Total positions opened: {state['total_positions_opened']}\n" in said
    assert f"Total positions closed: {state['total_positions_closed']}\n" in said
    assert f"Cumulative P/L: ${Decimal(str(state['total_profit_loss'])):.2f}" in said
    assert f"Funding received (open position): ${Decimal(str(state['total_funding_received'])):.4f}" in said


def test_no_number_of_the_file_has_digits_that_only_a_float_makes(tmp_path: Path) -> None:
    harness = BotHarness(ScriptedMarketData([Listing(rate="0.00041099")]))
    path = tmp_path / "state.json"
    harness.run(9, observers=[StateFile(path)])
    text = path.read_text()
    assert re.findall(r"\d+\.\d{11,}|\d[eE]", text) == []
    assert '"funding_rate": 0.00041099,' in text


# --- a write that fails ----------------------------------------------------------------------------------------------


def _blocked(path: Path) -> Callable[[BotHarness], None]:
    """Return an action that puts a folder where the file was."""

    def block(_harness: BotHarness) -> None:
        path.unlink()
        path.mkdir()

    return block


def _warnings(harness: BotHarness) -> list[str]:
    return [notice.text for notice in harness.notices_of(Warned) if "state file" in notice.text]


def test_a_failed_write_is_a_warning_once_and_the_end_does_not_claim_that_it_was_saved(tmp_path: Path) -> None:
    harness = BotHarness()
    path = tmp_path / "state.json"
    harness.run(1, observers=[StateFile(path)], at={0.3: _blocked(path)})
    assert len(harness.notices_of(CycleEnded)) > 8
    assert len(_warnings(harness)) == 1
    assert f"cannot write the state file {path}: Is a directory" in _warnings(harness)[0]
    said = [line.text for line in narrate(harness.notices_of(Stopped)[-1])]
    assert "Final state saved" not in said
    assert any(line.startswith("Final state NOT saved: ") and "Is a directory" in line for line in said)
    harness.check_whole()


def test_a_write_that_works_again_is_said_and_the_file_is_whole(tmp_path: Path) -> None:
    harness = BotHarness()
    path = tmp_path / "state.json"
    harness.run(1, observers=[StateFile(path)], at={0.3: _blocked(path), 0.6: lambda _harness: path.rmdir()})
    assert [("cannot write" in text, "written again" in text) for text in _warnings(harness)] == [
        (True, False),
        (False, True),
    ]
    assert "Final state saved" in [line.text for line in narrate(harness.notices_of(Stopped)[-1])]
    assert json.loads(path.read_bytes())["cycle_count"] == harness.ledger.totals.cycles


def test_a_disk_that_is_full_at_the_very_end_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = BotHarness()
    path = tmp_path / "state.json"

    def full(*_arguments: object, **_options: object) -> None:
        raise StoreError("cannot write the state file: No space left on device")

    harness.run(
        0.5, observers=[StateFile(path)], at={0.49: lambda _harness: monkeypatch.setattr(guide_state, "write", full)}
    )
    said = [line.text for line in narrate(harness.notices_of(Stopped)[-1])]
    assert any("NOT saved" in line and "No space left on device" in line for line in said)


# --- the guide's own file --------------------------------------------------------------------------------------------

GUIDES = StateImported(
    at=OPENED,
    cycle_count=47,
    total_profit_loss=Decimal("15.67"),
    positions_opened=8,
    positions_closed=7,
    symbol="BTCUSDT",
    position_opened_at=OPENED - timedelta(hours=4),
)


def test_a_position_of_the_guides_file_that_is_gone_is_said_and_counted_as_closed(tmp_path: Path) -> None:
    harness = BotHarness(usdt=10, perp=10)
    path = tmp_path / "state.json"
    harness.run(0.2, observers=[StateFile(path)], imported=GUIDES)
    said = [notice for notice in harness.notices_of(Reconciled) if isinstance(notice.verdict, ClosedExternally)]
    assert [line.text for line in narrate(said[0])] == [
        "Position BTCUSDT tracked in state but not found on exchange",
        "Position was likely closed externally. Clearing state.",
    ]
    state = json.loads(path.read_bytes())
    assert (state["total_positions_opened"], state["total_positions_closed"]) == (8, 8)
    assert state["total_profit_loss"] == 15.67
    harness.run(0.2, observers=[StateFile(path)], imported=GUIDES)
    assert len([m for m in harness.notices_of(Reconciled) if isinstance(m.verdict, ClosedExternally)]) == 1
    harness.check()
    assert [
        event for event in harness.notices if isinstance(event, Recorded) and isinstance(event.event, HedgeOpened)
    ] == []


def test_another_position_than_the_one_of_the_guides_file_is_adopted_as_its_replacement(tmp_path: Path) -> None:
    harness = BotHarness()
    for market, side in ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL)):
        harness.world.trade_by_hand(market, SYMBOL, side, Decimal(2))
    path = tmp_path / "state.json"
    harness.run(0.2, observers=[StateFile(path)], imported=GUIDES)
    said = [line.text for notice in harness.notices_of(Reconciled) for line in narrate(notice)]
    assert "Tracked position BTCUSDT not found on exchange" in said
    assert f"Exchange has: {SYMBOL}" in said
    state = json.loads(path.read_bytes())
    assert state["current_position"]["symbol"] == SYMBOL
    assert (state["total_positions_opened"], state["total_positions_closed"]) == (9, 8)
    harness.check_whole()
