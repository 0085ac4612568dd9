"""Generated market history for backtests: Parquet files with gaps, ties, late stamps and pairs whose prices end."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.strategy.parameters import SamePair, StopOn, StrategyParameters
from support.archives import Row, millis, write_archive

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
WARM_UP_HOURS = 40
HOUR_MS = 3_600_000


class Coin(Struct, frozen=True, kw_only=True):
    """How one pair of a generated market behaves."""

    interval: int = 8
    level: float = 3e-4
    """Mean rate of an interval."""
    noise: float = 3e-4
    gap: tuple[int, int] | None = None
    """Hours, counted from ``FIRST``, without prices."""
    last_hour: int | None = None
    """The last hour with prices."""
    turn: tuple[int, float] | None = None
    """From this hour on prices and rates are others: the rate is moved by so much, prices double."""
    jitter_ms: int = 9
    coarse: bool = False
    """Rates in steps of 1e-4, so that pairs tie."""
    wild: float = 0.002
    """Standard deviation of an hour's price change."""
    basis: float = 5e-4
    """Standard deviation of the perpetual's premium."""


def write_market(folder: Path, seed: int, coins: list[Coin], *, days: int, mark: bool = True) -> Path:
    """Write a market of ``days`` from ``FIRST``, with a warm-up before it; pairs are AUSDT, BUSDT and so on."""
    random = Random(seed)
    prices: list[Row] = []
    funding: list[Row] = []
    for index, coin in enumerate(coins):
        symbol = f"{chr(ord('A') + index)}USDT"
        _add_pair(random, symbol, coin, days, prices, funding, mark=mark)
    return write_archive(folder, prices, funding)


def _add_pair(
    random: Random, symbol: str, coin: Coin, days: int, prices: list[Row], funding: list[Row], *, mark: bool
) -> None:
    first, price, level = millis(FIRST), 100.0 * random.uniform(0.5, 2.0), coin.level
    for hour in range(-WARM_UP_HOURS, 24 * days + 1):
        price = round(price * (1 + random.gauss(0, coin.wild)), 4)
        if hour % coin.interval == 0:
            level += random.gauss(0, coin.noise / 4)
            turned = coin.turn is not None and hour > coin.turn[0]
            rate = round(level + random.gauss(0, coin.noise) + (coin.turn[1] if coin.turn and turned else 0.0), 8)
            rate = round(rate, 4) if coin.coarse else rate
            stamp = first + hour * HOUR_MS + random.randint(0, coin.jitter_ms)
            funding.append(("binance", symbol, stamp, rate, float(coin.interval), None))
        missing = coin.gap is not None and coin.gap[0] <= hour < coin.gap[1]
        if missing or (coin.last_hour is not None and hour > coin.last_hour):
            continue
        shown = 2 * price if coin.turn is not None and hour > coin.turn[0] else price
        perp = round(shown * (1 + random.gauss(1e-4, coin.basis)), 4)
        seen = round((shown + perp) / 2, 4) if mark else None
        prices.append(("binance", symbol, first + (hour - 1) * HOUR_MS, shown, perp, seen))


def drawn_parameters(random: Random) -> StrategyParameters:
    base = StrategyParameters()
    return replace(
        base,
        position_management=replace(
            base.position_management,
            same_pair=random.choice(list(SamePair)),
            max_position_age_hours=random.choice([5.0, 12.0, 24.0, 24.3, 87_600.0]),
            fee_coverage_multiplier=random.choice([0.2, 0.5, 1.5, 1000.0]),
            better_opportunity_apr=random.choice([0.0, 0.05, 0.1, 0.3]),
            better_opportunity_min_hours=random.choice([0.0, 4.0, 4.1, 9.0]),
            max_exit_cost_bps=Decimal(random.choice([2, 10, 50])),
        ),
        funding_rate_strategy=replace(
            base.funding_rate_strategy,
            min_funding_apr=random.choice([0.0, 0.05, 0.15, 0.4]),
            funding_ma_periods=random.choice([1, 3, 5]),
            exit_funding_apr=random.choice([-5.0, 0.0, 0.2]),
            use_funding_ma=random.random() < 0.85,
        ),
        risk_management=replace(
            base.risk_management,
            emergency_stop_loss=random.choice([-0.1, -0.01, -0.003]),
            stop_on=random.choice(list(StopOn)),
        ),
    )


def drawn_coin(random: Random) -> Coin:
    return Coin(
        interval=random.choice([8, 8, 4, 1]),
        level=random.choice([1e-4, 3e-4, 1e-3]),
        gap=random.choice([None, None, (30, 34), (47, 60), (24, 26)]),
        last_hour=random.choice([None, None, None, 55, 64]),
        jitter_ms=random.choice([0, 9, 9, 20_000]),
        coarse=random.random() < 0.3,
        basis=random.choice([1e-4, 5e-4, 4e-3, 0.03]),
    )
