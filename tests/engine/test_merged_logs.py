"""Logs and state files of two bots that a person has put together in one file."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from sqlite3 import connect

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import CommandIssued, Event, ExecutionStarted, HaltReason, Wallet
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import CloseAllRequested, CloseRequested
from hedgerow.store import guide_state
from hedgerow.store.memory import MemoryStore
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.crash_sites import Checkpoint, CrashPoint, CrashSite
from support.worlds import Listing, ScriptedMarketData, make_world

A, B = "AAAUSDT", "BBBUSDT"


def calm(slots: int = 2) -> StrategyParameters:
    return StrategyParameters(
        position_management=PositionManagement(
            fee_coverage_multiplier=1000,
            max_position_age_hours=87_600,
            better_opportunity_apr=90.0,
            max_positions=slots,
        )
    )


def market(first: str = A) -> ScriptedMarketData:
    """Return a market in which one of the pairs pays more."""
    return ScriptedMarketData([Listing(each, rate="0.0006" if each == first else "0.0005") for each in (A, B)])


def one_held(symbol: str, seed: int = 1) -> BotHarness:
    bot = BotHarness(market(symbol), parameters=calm(1), seed=seed)
    bot.run(0.1)
    assert [hedge.symbol for hedge in bot.ledger.open_hedges] == [symbol]
    return bot


def test_two_bots_on_two_pairs_go_on_as_one_that_holds_both() -> None:
    first, second = one_held(A), one_held(B, seed=2)
    data = market()
    world = make_world(data, usdt=3000, perp=2000, start=OPENED + timedelta(hours=1))
    for bot, symbol in ((first, A), (second, B)):
        hedge = bot.ledger.held(symbol)
        assert hedge is not None
        world.trade_by_hand(Market.SPOT, symbol, Side.BUY, hedge.pair.spot.floor_quantity(hedge.spot_quantity) + 1)
        world.trade_by_hand(Market.PERP, symbol, Side.SELL, hedge.short)
        world.set_leverage(symbol, 1)
    merged = MemoryStore((*first.log, *second.log))
    bot = BotHarness(data, world=world, open_store=lambda: merged, parameters=calm())
    before = len(first.log) + len(second.log)
    bot.run(0.5)
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {A, B}
    assert not [event for event in bot.log[before:] if isinstance(event, CommandIssued)]
    assert bot.ask(CloseRequested(symbol=A)).done
    assert [hedge.symbol for hedge in bot.ledger.open_hedges] == [B]
    assert bot.ask(CloseAllRequested()).done
    assert not bot.ledger.hedges
    assert not world.account().short(A)
    assert not world.account().short(B)


# --- in the middle of a trade ----------------------------------------------------------------------------------------

CLOSES_SOON = PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=0.001)


def died_in(kind: ExecutionKind, state: ExecutionState) -> CrashSite:
    """Return the log and the exchange of a bot that died while its trade of A was in a state."""
    data = market(A)
    begin = Checkpoint(market_data=data, world=make_world(data, usdt=4000, perp=3000, start=OPENED).dump())
    if kind is ExecutionKind.CLOSE:
        holding = CrashSite(begin, calm(1))
        holding.run(0.1)
        begin = holding.checkpoint()
    closing = replace(calm(1), position_management=CLOSES_SOON)
    for at in range(20, 400, 7):
        crash_site = CrashSite(begin, closing if kind is ExecutionKind.CLOSE else calm(1))
        assert not crash_site.live(crash_site.world.now + timedelta(hours=0.1), CrashPoint(at)), (
            f"no trade of A was {state}"
        )
        job = crash_site.ledger.execution
        if job is not None and (job.kind, job.state) == (kind, state) and (state in EARLY or job.spot.filled):
            return crash_site
    raise AssertionError(f"no trade of A was {state}")


EARLY = {ExecutionState.PREPARING}
DIED = [
    (ExecutionKind.OPEN, ExecutionState.PREPARING),
    (ExecutionKind.OPEN, ExecutionState.LEADING),
    (ExecutionKind.OPEN, ExecutionState.FOLLOWING),
    (ExecutionKind.CLOSE, ExecutionState.LEADING),
    (ExecutionKind.CLOSE, ExecutionState.FOLLOWING),
]


def in_one_account(crash_site: CrashSite, other: BotHarness) -> CrashSite:
    """Put what another bot holds of B into the account, and the money for it."""
    hedge = other.ledger.held(B)
    assert hedge is not None
    for wallet in (Wallet.SPOT, Wallet.PERP):
        crash_site.world.deposit(wallet, QUOTE_ASSET, Decimal(1000))
    crash_site.world.trade_by_hand(Market.SPOT, B, Side.BUY, hedge.pair.spot.floor_quantity(hedge.spot_quantity) + 1)
    crash_site.world.trade_by_hand(Market.PERP, B, Side.SELL, hedge.short)
    crash_site.world.set_leverage(B, 1)
    return crash_site


def as_one(crash_site: CrashSite, *log: Event) -> BotHarness:
    """Return a bot on a merged log."""
    merged = MemoryStore(log)
    return BotHarness(crash_site.market_data, world=crash_site.world, open_store=lambda: merged, parameters=calm())


def begun_at(log: Iterable[Event]) -> datetime:
    """Return when the newest trade of a log began."""
    return [event.at for event in log if isinstance(event, ExecutionStarted)][-1]


@pytest.mark.parametrize(("kind", "state"), DIED)
@pytest.mark.parametrize("order", ["one after the other", "by time"])
def test_a_log_in_which_a_trade_was_at_work_when_another_one_began_is_refused_in_one_line(
    kind: ExecutionKind, state: ExecutionState, order: str
) -> None:
    other = one_held(B, seed=2)
    crash_site = in_one_account(died_in(kind, state), other)
    log = [*crash_site.log, *other.log]
    if order == "by time":
        # As if both had been at work at one time: the second one's trade begins right after the first one's.
        lag = begun_at(crash_site.log) - begun_at(other.log)
        log = sorted([*crash_site.log, *(replace(e, at=e.at + lag) for e in other.log)], key=lambda event: event.at)
    bot = as_one(crash_site, *log)
    with pytest.raises(StoreError, match=r"the trade of AAAUSDT .* was at work in the log when another") as refusal:
        bot.run(0.1)
    assert "\n" not in str(refusal.value)
    assert not bot.venue.orders
    assert bot.log == log


@pytest.mark.parametrize(("kind", "state"), DIED)
def test_a_trade_that_was_at_work_at_the_end_of_a_merged_log_is_gone_on_with(
    kind: ExecutionKind, state: ExecutionState
) -> None:
    other = one_held(B, seed=2)
    crash_site = in_one_account(died_in(kind, state), other)
    bot = as_one(crash_site, *other.log, *crash_site.log)
    bot.run(0.5)
    assert not bot.ledger.jobs
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} >= {B}
    account = bot.world.account()
    for symbol in (A, B):
        hedge = bot.ledger.held(symbol)
        assert account.short(symbol) == (hedge.short if hedge else 0)
        assert hedge is None or abs(hedge.spot_quantity - hedge.short) <= hedge.pair.lot_step
    assert not bot.ledger.displaced


# --- files -----------------------------------------------------------------------------------------------------------


def merged_file(folder: Path, first: BotHarness, second: BotHarness) -> Path:
    """Return a log into which a person has copied the events of another one."""
    into = folder / "merged.sqlite"
    for path, bot in ((into, first), (folder / "other.sqlite", second)):
        store = SqliteStore(path)
        asyncio.run(store.append(tuple(bot.log), durable=True))
        asyncio.run(store.close())
    with closing(connect(into)) as log, log:
        log.execute("ATTACH ? AS other", (str(folder / "other.sqlite"),))
        log.execute("INSERT INTO events SELECT seq + ?, kind, payload FROM other.events", (len(first.log),))
    return into


def test_a_position_that_the_second_bot_adopted_from_the_first_is_one(tmp_path: Path) -> None:
    first = one_held(A)
    second = BotHarness(first.market_data, world=first.world, parameters=calm(1), seed=2)
    second.run(0.1)
    assert second.ledger.held(A) is not None
    path = merged_file(tmp_path, first, second)
    bot = BotHarness(first.market_data, world=first.world, parameters=calm(1), open_store=lambda: SqliteStore(path))
    bot.run(0.2)
    assert [hedge.hedge_id for hedge in bot.ledger.hedges.values()] == list(second.ledger.hedges)
    assert bot.ask(CloseRequested(symbol=A)).done
    assert not bot.world.account().short(A)


def test_two_positions_of_one_pair_are_refused_in_one_line(tmp_path: Path) -> None:
    first, second = one_held(A), one_held(A, seed=2)
    path = merged_file(tmp_path, first, second)
    bot = BotHarness(first.market_data, world=first.world, parameters=calm(), open_store=lambda: SqliteStore(path))
    with pytest.raises(StoreError, match="the log holds two positions of AAAUSDT") as refusal:
        bot.run(0.1)
    assert "\n" not in str(refusal.value)
    assert not bot.venue.orders


# --- state files of the guide's bot ----------------------------------------------------------------------------------


def state_of(symbol: str) -> dict[str, object]:
    """Return the guide's state file of a bot that holds two coins of a pair."""
    numbers = {"capital": 200, "funding_rate": 0.0005, "effective_apr": 54, "entry_price": 100}
    return {
        "current_position": {"symbol": symbol, "spot_qty": 2, "perp_qty": 2, **numbers},
        "position_opened_at": "2024-12-31T23:00:00",
        "total_funding_received": 0.1,
        "entry_fees_paid": 0.1,
        "cycle_count": 5,
        "total_profit_loss": 1.5,
        "total_positions_opened": 2,
        "total_positions_closed": 1,
    }


OF_A, OF_B = state_of(A), state_of(B)
BOTH = [OF_A["current_position"], OF_B["current_position"]]
PUT_TOGETHER = {
    "one after the other": json.dumps(OF_A) + "\n" + json.dumps(OF_B),
    "as a list": json.dumps([OF_A, OF_B]),
    "every key twice": json.dumps(OF_A)[:-1] + ", " + json.dumps(OF_B)[1:],
    "a list of positions": json.dumps({**OF_A, "positions": BOTH}),
    "a list in the place of the position": json.dumps({**OF_A, "current_position": BOTH}),
}


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("short", ["2", "1"], ids=["between trades", "in a trade"])
@pytest.mark.parametrize("way", PUT_TOGETHER)
def test_state_files_of_two_bots_in_one_are_no_reason_to_trade(
    way: str, short: str, slots: int, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    path.write_text(PUT_TOGETHER[way])
    found = guide_state.read(path, at=OPENED)
    if isinstance(found, guide_state.CorruptState):
        assert "\n" not in found.problem
        assert found.set_aside is not None
        assert found.set_aside.read_text() == PUT_TOGETHER[way]
    imported = guide_state.to_import(found, OPENED) if isinstance(found, guide_state.GuideState) else None
    bot = BotHarness(market(), parameters=calm(slots), usdt=900, perp=900)
    for symbol, sold in ((A, short), (B, "2")):
        bot.world.trade_by_hand(Market.SPOT, symbol, Side.BUY, Decimal("2.002"))
        bot.world.trade_by_hand(Market.PERP, symbol, Side.SELL, Decimal(sold))
        bot.world.set_leverage(symbol, 1)
    bot.run(0.3, imported=imported)
    assert not bot.venue.orders
    held = {hedge.symbol for hedge in bot.ledger.open_hedges}
    whole = {A, B} if short == "2" else {B}
    assert held == (whole if slots > 1 else set())
    halt = None if bot.ledger.halt is None else bot.ledger.halt.reason
    doubt = HaltReason.SEVERAL_POSITIONS if slots == 1 else HaltReason.UNFIT_POSITION if short == "1" else None
    assert halt is doubt
