"""Days of trading under faults drawn at random, from many seeds: what must hold after every event, and at the end."""

from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest

from hedgerow.domain.events import CycleCompleted, HedgeOpened
from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.ledger.state import Ledger
from hedgerow.emulator import World
from hedgerow.emulator.inprocess.faults import FaultPlan, LaggingBalances, drawn_plan
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.crash_sites import Checkpoint, CrashPoint, CrashSite
from support.worlds import START, Listing, ScriptedMarketData, make_world

DAYS = 3
WALLET = Decimal(500)
OWN = {"AAA": Decimal("0.7"), "CCC": Decimal(5)}
BEGIN = START + timedelta(hours=1)
PRICES = {"AAAUSDT": 100, "BBBUSDT": 20, "CCCUSDT": 3}


class Balance:
    """Observes every event; notes legs that differ while no machine state says so."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.wrongs: list[str] = []

    def on_notice(self, notice: Notice) -> None:
        if not isinstance(notice, Recorded) or notice.after.execution is not None:
            return
        self._by_the_log(notice.after, type(notice.event).__name__)
        if isinstance(notice.event, CycleCompleted):
            self._on_the_exchange(notice.after)

    def _by_the_log(self, ledger: Ledger, event: str) -> None:
        hedge = ledger.largest
        if hedge and abs(hedge.spot_quantity - hedge.short) * hedge.entry_price > 2 * hedge.pair.min_notional:
            self.wrongs.append(f"after {event}: {hedge.spot_quantity} coins against {hedge.short}")

    def _on_the_exchange(self, ledger: Ledger) -> None:
        account = self._world.account()
        for symbol, price in PRICES.items():
            base = symbol.removesuffix("USDT")
            dust = ledger.dust[base].quantity if base in ledger.dust else Decimal(0)
            exposed = account.coin(base).total - OWN.get(base, Decimal(0)) - dust - account.short(symbol)
            if abs(exposed) * price > 10:
                self.wrongs.append(f"{symbol}: {exposed} unhedged at {account.at}, and nothing at work")


def market(random: Random) -> ScriptedMarketData:
    """Return three pairs whose rates and prices move, so that the bot opens, rotates and closes."""
    market_data = ScriptedMarketData([Listing(symbol, spot=price, rate="0.0003") for symbol, price in PRICES.items()])
    for hour in range(0, 24 * DAYS, 8):
        for symbol, price in PRICES.items():
            at = START + timedelta(hours=hour)
            market_data.set_rate(at, Decimal(random.randint(-4, 30)) / 10_000, symbol=symbol)
            spot = (price * Decimal(random.randint(90, 115)) / 100).quantize(Decimal("0.01"))
            market_data.set_prices(at + timedelta(hours=3), spot, symbol=symbol)
    return market_data


def make_crash_site(seed: int) -> tuple[CrashSite, Balance]:
    random = Random(seed)
    market_data = market(random)
    plan = drawn_plan(random, start=BEGIN, span=timedelta(days=DAYS - 0.5), count=random.randint(4, 16))
    if seed % 4 == 0:
        plan += FaultPlan(lagging=LaggingBalances(seconds=random.uniform(0.5, 6)))
    world = make_world(market_data, usdt=WALLET, perp=WALLET, coins=OWN, start=BEGIN)
    parameters = StrategyParameters(
        execution=ExecutionLimits(max_naked_equity_fraction=Decimal("0.15")),
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(fee_coverage_multiplier=1.0, loop_interval_seconds=1800.0),
    )
    crash_site = CrashSite(
        Checkpoint(market_data=market_data, world=world.dump()),
        parameters,
        latency_seconds=random.choice((0.03, 0.15, 0.4)),
        faults=plan,
        delayed_spot_ack=seed % 3 == 0,
        certain_after_seconds=random.choice((0.0, 7.0)),
    )
    balance = Balance(crash_site.world)
    crash_site.observers.append(balance)
    return crash_site, balance


def assert_well(crash_site: CrashSite, balance: Balance) -> None:
    assert balance.wrongs == []
    assert crash_site.wrongs(start_equity=2 * WALLET, coins=OWN) == []


@pytest.mark.parametrize("seed", range(40))
def test_days_of_faults_end_hedged_or_flat_with_exact_books(seed: int) -> None:
    crash_site, balance = make_crash_site(seed)
    crash_site.run(24 * DAYS)
    assert crash_site.logged(HedgeOpened)
    assert_well(crash_site, balance)


@pytest.mark.parametrize("seed", range(40, 54))
def test_so_they_do_when_the_power_fails_now_and_then(seed: int) -> None:
    crash_site, balance = make_crash_site(seed)
    random, end = Random(seed), BEGIN + timedelta(hours=24 * DAYS)
    for _ in range(12):
        crash_site.live(min(end, crash_site.world.now + timedelta(hours=6)), CrashPoint(random.randrange(250)))
    assert crash_site.live(end)
    assert_well(crash_site, balance)


def test_the_seeds_draw_different_plans_and_cover_every_kind_of_end() -> None:
    kinds = {type(event).__name__ for seed in range(6) for event in run_of(seed).log}
    assert kinds >= {"HedgeOpened", "HedgeClosed", "HedgeAborted", "OrderOutcomeUnknown", "FundsTransferred"}


def run_of(seed: int) -> CrashSite:
    crash_site, _ = make_crash_site(seed)
    crash_site.run(24 * DAYS)
    return crash_site
