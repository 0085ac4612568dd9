"""Defects of correctness and robustness: C2, C5, C7 to C9; C1, C3, C4 and C6 are in ``test_predecessor``.

| defect | where it is tested, or why it is not |
|---|---|
| C7 bans and limits on the wire | ``tests/unit/aster/test_limits.py``, ``test_rest.py``: weights, Retry-After, 418 |
| C10 signing and dependencies | ``tests/unit/aster/test_signing.py``; hashes in ``requirements/`` |
| C11 serial and repeated requests | ``benchmarks/``: requests per check are budgets |
| C12 unrotated logs, secrets in errors | ``tests/unit/aster/test_credentials.py``, ``tests/cli/test_refusals.py`` |
| C13 a banner with a hard-coded symbol, three stop tables | words of another bot; there is one stop here (A4, A6) |
| C14 dead code | ``tests/test_architecture.py`` and the linters |
| C15 no tests, no dry run, no paper mode | this suite, ``hedgerow run --dry-run``, ``hedgerow demo`` |
"""

import time
from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.events import HedgeAdopted, HedgeClosed, HedgeOpened, OrderEnded, Wallet
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.faults import Disorder, DisorderKind, FaultPlan
from hedgerow.engine.moments import Evaluated, NoOpportunity, ReadFailed
from support.bots import OPENED, Farm
from support.defects import assert_sound, by_hand, settings, two_pairs
from support.worlds import START, SYMBOL, Listing, ScriptedTape, make_pair

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("price", "tick", "spot_lot", "perp_lot"),
    [("100", "0.0100000", "0.00100000", "0.0010000"), ("0.02", "0.00001", "5", "10"), ("0.3", "0.0001", "2.5", "10")],
)
def test_c2_padded_steps_and_steps_that_are_no_power_of_ten_are_kept(
    price: str, tick: str, spot_lot: str, perp_lot: str
) -> None:
    """Did: counted decimals: eight for a padded 0.00100000, none for 5 or 10, and orders were refused for it."""
    pair = make_pair(tick=tick, spot_lot=spot_lot, perp_lot=perp_lot)
    farm = Farm(ScriptedTape([Listing(pair, spot=price, rate="0.0006")]), parameters=settings(), latency_seconds=0.05)
    farm.run(0.5)
    assert_sound(farm)
    farm.check_whole()
    for placed in farm.venue.orders:
        instrument = pair.instrument(placed.order.market)
        assert placed.order.quantity % instrument.lot == 0
        assert placed.order.price % instrument.tick == 0
    assert OrderStatus.REJECTED not in {end.status for end in farm.logged(OrderEnded)}


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "UTC"])
def test_c5_ages_are_the_same_in_every_time_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Did: adopted in local time and aged in UTC: ten hours on the host were eight in a container."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        tape = two_pairs()
        world = by_hand(tape, spot="20.01", short="20")
        opened = world.now
        world.advance(START + 10 * HOUR)
        farm = Farm(tape, world=world, parameters=settings())
        farm.run(0.05)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert farm.logged(HedgeAdopted)
    assert farm.hedge.opened_at == opened
    assert farm.hedge.opened_at.tzinfo is UTC
    ages = [seen.evaluation.age_hours for seen in farm.heard(Evaluated)]
    assert ages == [pytest.approx(10, abs=0.2)] * len(ages)
    assert ages


@pytest.mark.parametrize("kind", list(DisorderKind))
def test_c7_a_ban_or_a_limit_is_neither_a_missing_position_nor_a_missing_opportunity(kind: DisorderKind) -> None:
    """Did: swallowed a 418 as None; the bot saw no opportunities, or closed what it believed to be gone (B5, A2)."""
    away = Disorder(kind=kind, after=OPENED + HOUR, until=OPENED + 2 * HOUR)
    farm = Farm(parameters=settings(), faults=FaultPlan(disorders=(away,)), latency_seconds=0.05)
    farm.run(4)
    assert_sound(farm)
    assert not farm.logged(HedgeClosed)
    farm.check_whole()
    if kind is DisorderKind.BANNED:
        assert len(farm.heard(ReadFailed)) > 10


def test_c7_a_ban_while_it_looks_for_a_pair_is_told_as_what_it_is() -> None:
    """Did: as above."""
    away = Disorder(kind=DisorderKind.BANNED, after=OPENED, until=OPENED + HOUR)
    farm = Farm(parameters=settings(), faults=FaultPlan(disorders=(away,)), latency_seconds=0.05)
    farm.run(0.9)
    assert farm.heard(ReadFailed)
    assert not farm.heard(NoOpportunity)
    assert "banned" in farm.heard(ReadFailed)[0].missing[0]
    farm.run(1)
    farm.check_whole()


@pytest.mark.parametrize("market", list(Market))
def test_c8_a_market_that_stops_trading_is_noticed_while_the_bot_runs(market: Market) -> None:
    """Did: read exchangeInfo once in its life, and went on with what had been delisted since."""
    tape = two_pairs()
    tape.set_predicted(START, "0.0006")
    tape.set_predicted(START, "0.0003", symbol="BBBUSDT")
    farm = Farm(tape, parameters=settings(capital_management={"min_capital_usd": 2000}))

    def change(there: Farm) -> None:
        there.world.set_status(SYMBOL, TradingStatus.SETTLING, (market,))
        there.world.deposit(Wallet.SPOT, "USDT", Decimal(3000))

    farm.run(2, at={1.0: change})
    assert_sound(farm)
    assert [event.hedge_id for event in farm.logged(HedgeOpened)] == [farm.hedge.hedge_id]
    assert farm.hedge.symbol == "BBBUSDT"


def test_c8_a_coin_is_named_by_the_venue_and_not_cut_out_of_a_symbol() -> None:
    """Did: took any quote, and replaced the text wherever it stood: USDTX became X."""
    farm = Farm(ScriptedTape([Listing("USDTXUSDT", rate="0.0006")]), parameters=settings())
    farm.run(0.5)
    assert_sound(farm)
    assert farm.hedge.pair.base == "USDTX"
    assert farm.coins("USDTX") == farm.ledger.owned("USDTX") > 0


@pytest.mark.parametrize("modes", [{"one_way": False}, {"single_asset": False}])
def test_c9_hedge_mode_and_multi_asset_mode_are_noticed_before_anything_is_sent(modes: dict[str, bool]) -> None:
    """Did: sent both legs; the perpetual's was refused for its position side, and the coins stayed naked (A1)."""
    farm = Farm(parameters=settings())
    farm.world.set_modes(**modes)
    farm.run(0.5)
    assert_sound(farm)
    assert farm.venue.orders == []
    farm.world.set_modes(one_way=True, single_asset=True)
    farm.run(0.5)
    farm.check_whole()
