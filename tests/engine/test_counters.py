"""The guide, decided: net profit, counters over restarts, and the state file beside the log."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.app.session import open_session, read_settings
from hedgerow.app.state_file import StateFile
from hedgerow.app.venues.paper import paper_access
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
from support.bot_harness import OPENED, Ear, Farm
from support.worlds import SYMBOL, Listing, ScriptedTape

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


def _equity(farm: Farm) -> Decimal:
    account = farm.world.account()
    assert not account.positions
    return account.coin("USDT").total + account.perp.balance


def _rotating() -> Farm:
    """Return a farm that closes and opens once a settlement, at prices that move."""
    tape = ScriptedTape([Listing(rate="0.004"), Listing("BBBUSDT", spot=7, rate="0.0039")])
    for hour in range(60):
        at = OPENED + timedelta(hours=hour)
        tape.set_prices(at, Decimal(100) + hour % 7, Decimal("100.05") + hour % 7)
        tape.set_prices(at, 7 - Decimal(hour % 5) / 10, symbol="BBBUSDT")
    return Farm(tape)


def test_net_profit_is_funding_plus_basis_less_fees_and_equals_the_change_of_the_accounts_money() -> None:
    farm = _rotating()
    farm.run(25)
    farm.run(0.1, options=RunOptions(close_on_exit=True))
    farm.check_flat()
    closed = farm.ledger.closed
    assert len(closed) >= 3
    for hedge in closed:
        assert hedge.net_profit == hedge.funding + hedge.basis_pnl - hedge.fees
    assert farm.ledger.totals.net_profit == sum(hedge.net_profit for hedge in closed)
    assert farm.ledger.total_profit_loss == farm.ledger.totals.net_profit
    dust = sum(lot.cost for lot in farm.ledger.dust.values())
    # Venue rows are rounded to eight decimals.
    assert _equity(farm) + dust - 1000 == pytest.approx(farm.ledger.totals.net_profit, abs=Decimal("1e-6"))


def test_every_fee_of_a_closed_hedge_is_the_exchanges_own() -> None:
    farm = _rotating()
    farm.run(8)
    closed = farm.ledger.closed[0]
    ours = {record.request.client_id for record in closed.hedge.orders}
    fills = [fill for market in Market for fill in farm.world.fills(market, closed.symbol, OPENED)]
    real = [fill.fee_in_quote(closed.hedge.pair.base, "USDT") for fill in fills if fill.client_id in ours]
    assert closed.fees == sum(real)
    assert closed.hedge.tally.fees_estimated == 0


def test_the_banner_counts_since_the_start_and_cycle_count_for_life(tmp_path: Path) -> None:
    farm = Farm(open_store=lambda: SqliteStore(tmp_path / "events.db"))
    farm.run(0.5)
    first = farm.ledger.totals.cycles
    assert [began.number for began in farm.heard(CycleBegan)] == list(range(1, first + 1))
    farm.moments.clear()
    farm.run(0.5)
    assert farm.heard(CycleBegan)[0].number == 1
    assert farm.ledger.totals.cycles == first + len(farm.heard(CycleBegan))
    farm.check_whole()


def test_funding_periods_are_counted_in_the_pairs_own_interval() -> None:
    farm = Farm(ScriptedTape([Listing(interval_hours=4)]))
    farm.run(6)
    evaluation = farm.heard(Evaluated)[-1].evaluation
    assert evaluation.funding_periods == pytest.approx(evaluation.age_hours / 4)


def test_the_funding_said_to_be_received_is_the_sum_of_real_payments() -> None:
    farm = Farm()
    farm.run(16)
    real = farm.world.funding_payments(OPENED)
    evaluation = farm.heard(Evaluated)[-1].evaluation
    assert evaluation.funding_payments == len(real) == 2
    assert evaluation.funding_received == sum(payment.amount for payment in real)


# --- state file ------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads the state file back whenever a cycle ended or a hedge was opened, after it was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen: list[tuple[object, dict[str, object]]] = []

    def hear(self, moment: object) -> None:
        event = getattr(moment, "event", moment)
        if isinstance(event, CycleEnded | HedgeOpened):
            self.seen.append((event, json.loads(self._path.read_bytes())))


def test_the_state_file_is_written_every_cycle_and_every_trade(tmp_path: Path) -> None:
    path, farm = tmp_path / "volume_farming_state.json", Farm()
    reader = _Reader(path)
    farm.run(8, listeners=[StateFile(path), reader])
    ends = [state for event, state in reader.seen if isinstance(event, CycleEnded)]
    assert [state["cycle_count"] for state in ends] == list(range(1, farm.ledger.totals.cycles + 1))
    opened = next(state for event, state in reader.seen if isinstance(event, HedgeOpened))
    assert opened["current_position"] is not None
    assert opened["cycle_count"] == 0  # before the cycle it was opened in had ended
    assert list(ends[-1]) == KEYS


def test_the_state_file_says_what_the_ledger_says(tmp_path: Path) -> None:
    path, farm = tmp_path / "volume_farming_state.json", Farm()
    farm.run(8, listeners=[StateFile(path)])
    state = json.loads(path.read_bytes())
    position, hedge = state["current_position"], farm.hedge
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
    farm = Farm(usdt=10, perp=10)
    farm.run(0.1, listeners=[StateFile(path)])
    assert json.loads(path.read_bytes())["current_position"] is None


def test_the_log_wins_over_the_state_file(tmp_path: Path) -> None:
    path, farm = tmp_path / "volume_farming_state.json", Farm()
    farm.run(1, listeners=[StateFile(path)])
    lies = json.loads(path.read_bytes())
    lies.update(current_position=None, cycle_count=999, total_profit_loss=1e6)
    path.write_text(json.dumps(lies))
    state = guide_state.read(path, at=farm.clock.now())
    assert isinstance(state, guide_state.GuideState)
    farm.run(0.5, listeners=[StateFile(path)], imported=guide_state.to_import(state, farm.clock.now()))
    written = json.loads(path.read_bytes())
    assert written["current_position"]["symbol"] == SYMBOL
    assert written["cycle_count"] == farm.ledger.totals.cycles < 30
    assert written["total_profit_loss"] == 0
    farm.check_whole()


def test_a_deleted_state_file_is_rebuilt(tmp_path: Path) -> None:
    path, farm = tmp_path / "volume_farming_state.json", Farm()
    farm.run(1, listeners=[StateFile(path)])
    before = json.loads(path.read_bytes())
    path.unlink()
    farm.run(0.1, listeners=[StateFile(path)])
    after = json.loads(path.read_bytes())
    assert after["current_position"]["spot_qty"] == before["current_position"]["spot_qty"]
    assert after["position_opened_at"] == before["position_opened_at"]
    assert after["total_positions_opened"] == 1


def test_with_log_and_state_file_both_gone_the_position_is_found_on_the_exchange(tmp_path: Path) -> None:
    path, farm = tmp_path / "volume_farming_state.json", Farm()
    farm.run(8, listeners=[StateFile(path)])
    before = farm.hedge
    path.unlink()
    found = Farm(farm.tape, world=farm.world, seed=2)
    found.run(0.1, listeners=[StateFile(path)])
    state = json.loads(path.read_bytes())
    hedge = found.hedge
    assert hedge.adopted
    assert hedge.funding_received == before.funding_received
    assert hedge.tally.fees == pytest.approx(before.tally.fees, abs=Decimal("0.00001"))
    # Coins beyond the short cannot be told from the user's own any more.
    assert hedge.spot_quantity == hedge.short == before.short
    assert state["current_position"]["symbol"] == SYMBOL
    assert found.heard(Warned) == []
    found.check_whole()


def test_a_corrupt_state_file_is_set_aside_with_its_time_and_rebuilt(tmp_path: Path) -> None:
    home = Home(folder=tmp_path, mode=HomeMode.PAPER)
    home.prepare()
    home.state.write_text('{"current_position": {')
    with open_session(home, read_settings(home, None), paper_access(home, speed=None)) as session:
        ear = Ear()

        async def life() -> None:
            async with session.awake([ear], RunOptions(once=True)) as bot:
                await bot.runner.run()

        assert isinstance(session.clock, VirtualClock)
        run_virtual(session.clock, life())
    aside = list(tmp_path.rglob("*.corrupt-*"))
    assert [path.read_text() for path in aside] == ['{"current_position": {']
    assert list(json.loads(home.state.read_bytes())) == KEYS
    assert any("is corrupt" in moment.text for moment in ear.moments if isinstance(moment, Warned))


def test_a_state_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    farm, writer = Farm(), StateFile(tmp_path / "no" / "such" / "folder" / "state.json")
    farm.run(1, listeners=[writer])
    assert writer.failure is not None
    farm.check_whole()


def test_a_guide_format_file_is_imported_at_first_start_outside_equity(tmp_path: Path) -> None:
    farm = Farm()
    for market, side in ((Market.SPOT, Side.BUY), (Market.PERP, Side.SELL)):
        farm.world.trade_by_hand(market, SYMBOL, side, Decimal(2))
    path = tmp_path / "volume_farming_state.json"
    opened = farm.world.now.replace(tzinfo=None).isoformat()
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
    state = guide_state.read(path, at=farm.clock.now())
    assert isinstance(state, guide_state.GuideState)
    farm.run(0.5, listeners=[StateFile(path)], imported=guide_state.to_import(state, farm.clock.now()))
    written = json.loads(path.read_bytes())
    assert written["cycle_count"] == 47 + farm.ledger.totals.cycles
    assert written["total_profit_loss"] == 15.67
    assert written["total_positions_opened"] == 8  # the one found is the one it had counted
    assert written["total_positions_closed"] == 7
    assert farm.ledger.totals.net_profit == 0
    farm.check_whole()


def test_the_confirmed_position_is_said_with_funding_and_value_before_and_now() -> None:
    farm = Farm(parameters=StrategyParameters(position_management=PositionManagement(max_position_age_hours=100)))
    farm.run(8)
    received = farm.hedge.funding_received
    farm.wait(8)
    farm.run(0.1, value_before=Decimal(400))
    said = farm.heard(Reconciled)[-1]
    assert isinstance(said.verdict, Consistent)
    assert said.funding_before == received
    assert said.hedge is not None
    assert said.hedge.funding_received > received
    assert said.value_before == 400
    assert said.value is not None
    assert farm.reasons == []
    assert Reason.MAX_AGE not in farm.reasons
