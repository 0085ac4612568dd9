"""The guide, decided: net profit, counters over restarts, and the state file beside the log."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.app.session import open_session, read_settings
from hedgerow.app.state_file import StateFile
from hedgerow.app.venues.paper import paper_venue_access
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.config import Home, HomeMode
from hedgerow.domain.events import HedgeOpened
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleBegan, CycleEnded, Evaluated, Reconciled, Warned
from hedgerow.engine.runner import RunOptions
from hedgerow.store import guide_state
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.decisions.verdicts import Consistent
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness, RecordingObserver
from support.worlds import SYMBOL, Listing, ScriptedMarketData

KEYS = [
    "current_position",
    "position_opened_at",
    "total_funding_received",
    "entry_fees_paid",
    "cycle_count",
    "total_profit_loss",
    "total_positions_opened",
    "total_positions_closed",
    "last_updated",
]


def _equity(harness: BotHarness) -> Decimal:
    account = harness.world.account()
    assert not account.positions
    return account.coin("USDT").total + account.perp.balance


def _rotating() -> BotHarness:
    """Return a farm that closes and opens once a settlement, at prices that move."""
    market_data = ScriptedMarketData([Listing(rate="0.004"), Listing("BBBUSDT", spot=7, rate="0.0039")])
    for hour in range(60):
        at = OPENED + timedelta(hours=hour)
        market_data.set_prices(at, Decimal(100) + hour % 7, Decimal("100.05") + hour % 7)
        market_data.set_prices(at, 7 - Decimal(hour % 5) / 10, symbol="BBBUSDT")
    return BotHarness(market_data)


def test_net_profit_is_funding_plus_basis_less_fees_and_equals_the_change_of_the_accounts_money() -> None:
    harness = _rotating()
    harness.run(25)
    harness.run(0.1, options=RunOptions(close_on_exit=True))
    harness.check_flat()
    closed = harness.ledger.closed
    assert len(closed) >= 3
    for hedge in closed:
        assert hedge.net_profit == hedge.funding + hedge.basis_pnl - hedge.fees
    assert harness.ledger.totals.net_profit == sum(hedge.net_profit for hedge in closed)
    assert harness.ledger.total_profit_loss == harness.ledger.totals.net_profit
    dust = sum(lot.cost for lot in harness.ledger.dust.values())
    # Venue rows are rounded to eight decimals.
    assert _equity(harness) + dust - 1000 == pytest.approx(harness.ledger.totals.net_profit, abs=Decimal("1e-6"))


def test_every_fee_of_a_closed_hedge_is_the_exchanges_own() -> None:
    harness = _rotating()
    harness.run(8)
    closed = harness.ledger.closed[0]
    ours = {record.request.client_id for record in closed.hedge.orders}
    fills = [fill for market in Market for fill in harness.world.fills(market, closed.symbol, OPENED)]
    real = [fill.fee_in_quote(closed.hedge.pair.base, "USDT") for fill in fills if fill.client_id in ours]
    assert closed.fees == sum(real)
    assert closed.hedge.tally.fees_estimated == 0


def test_the_banner_counts_since_the_start_and_cycle_count_for_good(tmp_path: Path) -> None:
    harness = BotHarness(open_store=lambda: SqliteStore(tmp_path / "events.db"))
    harness.run(0.5)
    first = harness.ledger.totals.cycles
    assert [began.number for began in harness.notices_of(CycleBegan)] == list(range(1, first + 1))
    harness.notices.clear()
    harness.run(0.5)
    assert harness.notices_of(CycleBegan)[0].number == 1
    assert harness.ledger.totals.cycles == first + len(harness.notices_of(CycleBegan))
    harness.check_whole()


def test_funding_periods_are_counted_in_the_pairs_own_interval() -> None:
    harness = BotHarness(ScriptedMarketData([Listing(interval_hours=4)]))
    harness.run(6)
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert evaluation.funding_periods == pytest.approx(evaluation.age_hours / 4)


def test_the_funding_said_to_be_received_is_the_sum_of_real_payments() -> None:
    harness = BotHarness()
    harness.run(16)
    real = harness.world.funding_payments(OPENED)
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert evaluation.funding_payments == len(real) == 2
    assert evaluation.funding_received == sum(payment.amount for payment in real)


# --- state file ------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads the state file back whenever a cycle ended or a hedge was opened, after it was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen: list[tuple[object, dict[str, object]]] = []

    def on_notice(self, notice: object) -> None:
        event = getattr(notice, "event", notice)
        if isinstance(event, CycleEnded | HedgeOpened):
            self.seen.append((event, json.loads(self._path.read_bytes())))


def test_the_state_file_is_written_every_cycle_and_every_trade(tmp_path: Path) -> None:
    path, harness = tmp_path / "volume_farming_state.json", BotHarness()
    reader = _Reader(path)
    harness.run(8, observers=[StateFile(path), reader])
    ends = [state for event, state in reader.seen if isinstance(event, CycleEnded)]
    assert [state["cycle_count"] for state in ends] == list(range(1, harness.ledger.totals.cycles + 1))
    opened = next(state for event, state in reader.seen if isinstance(event, HedgeOpened))
    assert opened["current_position"] is not None
    assert opened["cycle_count"] == 0  # before the cycle it was opened in had ended
    assert list(ends[-1]) == KEYS


def test_the_state_file_says_what_the_ledger_says(tmp_path: Path) -> None:
    path, harness = tmp_path / "volume_farming_state.json", BotHarness()
    harness.run(8, observers=[StateFile(path)])
    state = json.loads(path.read_bytes())
    position, hedge = state["current_position"], harness.hedge
    assert position["symbol"] == SYMBOL
    assert Decimal(str(position["spot_qty"])) == hedge.spot_quantity
    assert Decimal(str(position["perp_qty"])) == hedge.short
    assert position["effective_apr"] == pytest.approx(32.85)
    assert position["capital"] == pytest.approx(float(hedge.spot_quantity * 100))
    assert Decimal(str(state["total_funding_received"])) == hedge.funding_received
    assert state["entry_fees_paid"] == pytest.approx(float(hedge.entry_fees))
    assert datetime.fromisoformat(state["position_opened_at"]) == hedge.opened_at.replace(tzinfo=None)
    assert state["total_positions_opened"] == 1


def test_flat_means_null(tmp_path: Path) -> None:
    path = tmp_path / "volume_farming_state.json"
    harness = BotHarness(usdt=10, perp=10)
    harness.run(0.1, observers=[StateFile(path)])
    assert json.loads(path.read_bytes())["current_position"] is None


def test_the_log_wins_over_the_state_file(tmp_path: Path) -> None:
    path, harness = tmp_path / "volume_farming_state.json", BotHarness()
    harness.run(1, observers=[StateFile(path)])
    lies = json.loads(path.read_bytes())
    lies.update(current_position=None, cycle_count=999, total_profit_loss=1e6)
    path.write_text(json.dumps(lies))
    state = guide_state.read(path, at=harness.clock.now())
    assert isinstance(state, guide_state.GuideState)
    harness.run(0.5, observers=[StateFile(path)], imported=guide_state.to_import(state, harness.clock.now()))
    written = json.loads(path.read_bytes())
    assert written["current_position"]["symbol"] == SYMBOL
    assert written["cycle_count"] == harness.ledger.totals.cycles < 30
    assert written["total_profit_loss"] == 0
    harness.check_whole()


def test_a_deleted_state_file_is_rebuilt(tmp_path: Path) -> None:
    path, harness = tmp_path / "volume_farming_state.json", BotHarness()
    harness.run(1, observers=[StateFile(path)])
    before = json.loads(path.read_bytes())
    path.unlink()
    harness.run(0.1, observers=[StateFile(path)])
    after = json.loads(path.read_bytes())
    assert after["current_position"]["spot_qty"] == before["current_position"]["spot_qty"]
    assert after["position_opened_at"] == before["position_opened_at"]
    assert after["total_positions_opened"] == 1


def test_with_log_and_state_file_both_gone_the_position_is_found_on_the_exchange(tmp_path: Path) -> None:
    path, harness = tmp_path / "volume_farming_state.json", BotHarness()
    harness.run(8, observers=[StateFile(path)])
    before = harness.hedge
    path.unlink()
    found = BotHarness(harness.market_data, world=harness.world, seed=2)
    found.run(0.1, observers=[StateFile(path)])
    state = json.loads(path.read_bytes())
    hedge = found.hedge
    assert hedge.adopted
    assert hedge.funding_received == before.funding_received
    assert hedge.tally.fees == pytest.approx(before.tally.fees, abs=Decimal("0.00001"))
    # Coins beyond the short cannot be distinguished from the user's own any more.
    assert hedge.spot_quantity == hedge.short == before.short
    assert state["current_position"]["symbol"] == SYMBOL
    assert found.notices_of(Warned) == []
    found.check_whole()


def test_a_corrupt_state_file_is_set_aside_with_its_time_and_rebuilt(tmp_path: Path) -> None:
    home = Home(folder=tmp_path, mode=HomeMode.PAPER)
    home.prepare()
    home.state.write_text('{"current_position": {')
    with open_session(home, read_settings(home, None), paper_venue_access(home, speed=None)) as session:
        ear = RecordingObserver()

        async def script() -> None:
            async with session.awake([ear], RunOptions(once=True)) as bot:
                await bot.runner.run()

        assert isinstance(session.clock, VirtualClock)
        run_virtual(session.clock, script())
    aside = list(tmp_path.rglob("*.corrupt-*"))
    assert [path.read_text() for path in aside] == ['{"current_position": {']
    assert list(json.loads(home.state.read_bytes())) == KEYS
    assert any("is corrupt" in notice.text for notice in ear.notices if isinstance(notice, Warned))


def test_a_state_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    harness, writer = BotHarness(), StateFile(tmp_path / "no" / "such" / "folder" / "state.json")
    harness.run(1, observers=[writer])
    assert writer.failure is not None
    harness.check_whole()


def test_a_guide_format_file_is_imported_at_first_start_outside_equity(tmp_path: Path) -> None:
    harness = BotHarness()
    for market, side in ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL)):
        harness.world.trade_by_hand(market, SYMBOL, side, Decimal(2))
    path = tmp_path / "volume_farming_state.json"
    opened = harness.world.now.replace(tzinfo=None).isoformat()
    path.write_text(
        json.dumps(
            {
                "current_position": {
                    "symbol": SYMBOL,
                    "capital": 250.0,
                    "funding_rate": 0.0001234,
                    "effective_apr": 45.32,
                    "spot_qty": 2.0,
                    "perp_qty": 2.0,
                    "entry_price": 100.0,
                },
                "position_opened_at": opened,
                "total_funding_received": 0.0856,
                "entry_fees_paid": 0.5,
                "cycle_count": 47,
                "total_profit_loss": 15.67,
                "total_positions_opened": 8,
                "total_positions_closed": 7,
                "last_updated": opened,
            }
        )
    )
    state = guide_state.read(path, at=harness.clock.now())
    assert isinstance(state, guide_state.GuideState)
    harness.run(0.5, observers=[StateFile(path)], imported=guide_state.to_import(state, harness.clock.now()))
    written = json.loads(path.read_bytes())
    assert written["cycle_count"] == 47 + harness.ledger.totals.cycles
    assert written["total_profit_loss"] == 15.67
    assert written["total_positions_opened"] == 8  # the one found is the one it had counted
    assert written["total_positions_closed"] == 7
    assert harness.ledger.totals.net_profit == 0
    harness.check_whole()


def test_the_confirmed_position_is_said_with_funding_and_value_before_and_now() -> None:
    harness = BotHarness(
        parameters=StrategyParameters(position_management=PositionManagement(max_position_age_hours=100))
    )
    harness.run(8)
    received = harness.hedge.funding_received
    harness.wait(8)
    harness.run(0.1, values_before={SYMBOL: Decimal(400)})
    said = harness.notices_of(Reconciled)[-1]
    assert isinstance(said.verdict, Consistent)
    assert said.funding_before == received
    assert said.hedge is not None
    assert said.hedge.funding_received > received
    assert said.value_before == 400
    assert said.value is not None
    assert harness.reasons == []
    assert Reason.MAX_AGE not in harness.reasons
