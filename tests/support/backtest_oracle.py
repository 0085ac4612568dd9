"""The guide's rules in plain Python over market history, check by check: slow and obvious. The kernel must equal it.

Nothing of ``hedgerow.backtest`` and no function of ``strategy.rules`` is used here.
"""

from datetime import timedelta
from math import ceil, floor
from typing import Any, NamedTuple

from hedgerow.domain.funding import EPOCH
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.ports import MarketPrices
from hedgerow.strategy.parameters import SamePair, StopOn, StrategyParameters

REASONS = {1: "EMERGENCY", 3: "FEES", 4: "AGE", 5: "BETTER", 6: "NEGATIVE", 7: "PRICES END", 8: "WINDOW ENDS"}
EIGHT_HOURS_MS = 8 * 3_600_000


class OracleTrade(NamedTuple):
    symbol: str
    opened_step: int
    opened_ms: int
    closed_step: int
    closed_ms: int
    reason: str
    quantity: float
    funding: float
    rates: float
    rolls: int


class Oracle:
    """Plays one parameter set; ``trades`` and ``log`` (step, action, symbol, reason) are what it did."""

    def __init__(
        self,
        market_data: ArchiveMarketData,
        parameters: StrategyParameters,
        *,
        start_ms: int,
        end_ms: int,
        cycle_ms: int = 300_000,
        guard_ms: int = 60_000,
        notional: float = 5_000.0,
        fee: float = 0.0005,
    ) -> None:
        self.data, self.parameters = market_data, parameters
        self.rate, self.position, self.risk = (
            parameters.funding_rate_strategy,
            parameters.position_management,
            parameters.risk_management,
        )
        self.start, self.end, self.cycle, self.guard = start_ms, end_ms, cycle_ms, guard_ms
        self.notional, self.fee = notional, fee
        self.symbols = [pair.symbol for pair in market_data.pairs]
        self.lots = {pair.symbol: float(pair.lot_step) for pair in market_data.pairs}
        self.spot_lots = {pair.symbol: float(pair.spot.lot) for pair in market_data.pairs}
        self.series = {symbol: market_data.series(symbol) for symbol in self.symbols}
        self.held: dict[str, Any] | None = None
        self.target: tuple[str, int] | None = None
        self.halted = False
        self.trades: list[OracleTrade] = []
        self.log: list[tuple[int, str, str, str]] = []

    # --- what can be seen ---------------------------------------------------------------------------------------

    def prices(self, symbol: str, at: int) -> MarketPrices | None:
        return self.data.prices(symbol, EPOCH + timedelta(milliseconds=at))

    def predicted(self, symbol: str, at: int) -> Any:
        return self.data.predicted(symbol, EPOCH + timedelta(milliseconds=at))

    def known(self, symbol: str, at: int) -> int:
        return sum(1 for stamp in self.series[symbol][1].times if stamp <= at)

    def interval(self, symbol: str, at: int) -> int:
        known = self.known(symbol, at)
        return self.series[symbol][1].hours[known - 1] if known else 8

    def apr(self, symbol: str, at: int) -> float | None:
        if not self.rate.use_funding_ma:
            predicted = self.predicted(symbol, at)
            return float(predicted.rate) / (predicted.interval_hours / 8.0) * 1095.0 if predicted else None
        known, periods, funding = self.known(symbol, at), self.rate.funding_ma_periods, self.series[symbol][1]
        if known < periods:
            return None
        total = hours = 0.0
        for index in range(known - periods, known):
            total += funding.rates[index]
            hours += funding.hours[index]
        return total / (hours / 8.0) * 1095.0

    def ended(self, symbol: str, at: int) -> bool:
        last: int = self.series[symbol][0].known[-1]
        return last < self.end and at >= last

    def may_enter(self, symbol: str, at: int) -> bool:
        prices, apr, predicted = self.prices(symbol, at), self.apr(symbol, at), self.predicted(symbol, at)
        if prices is None or apr is None or predicted is None or self.ended(symbol, at):
            return False
        if apr <= 0 or apr < self.rate.min_funding_apr or predicted.rate <= 0:
            return False
        basis = (prices.perp - prices.spot) / prices.spot
        least, most = -self.rate.max_entry_discount_bps / 10_000, self.rate.max_entry_premium_bps / 10_000
        return least <= basis <= most

    def ranking(self, at: int) -> list[tuple[float, str]]:
        found = [(apr, symbol) for symbol in self.symbols if (apr := self.apr(symbol, at)) is not None]
        return sorted(found, key=lambda pair: -pair[0])

    def best(self, at: int) -> str | None:
        if self.target and at < self.target[1] and self.may_enter(self.target[0], at):
            return self.target[0]
        return next((symbol for _, symbol in self.ranking(at) if self.may_enter(symbol, at)), None)

    def after_guard(self, symbol: str, at: int) -> int:
        length = self.interval(symbol, at) * 3_600_000
        last = at // length * length
        for stamp in (last + length, last):
            if abs(stamp - at) < self.guard:
                return stamp + self.guard
        return at

    # --- what is done -------------------------------------------------------------------------------------------

    def play(self) -> "Oracle":
        step, busy = 0, 0
        while (at := self.start + step * self.cycle) < self.end:
            if at >= busy:
                busy = self.check(step, at)
            step += 1
        if self.held:
            self.close(step, self.end, "WINDOW ENDS")
        return self

    def check(self, step: int, at: int) -> int:
        now = at
        if self.held:
            self.collect(at)
            reason, better = self.judge(at)
            if reason is None:
                return now
            if reason == "ROLL":
                self.held |= {"counted": at, "before": self.held["funding"], "rolls": self.held["rolls"] + 1}
                self.held["deferred"] = 0
                self.log.append((step, "roll", self.held["symbol"], "FEES"))
                return now
            symbol = self.held["symbol"]
            if better:
                self.target = (better, at + 2 * self.interval(better, at) * 3_600_000)
            now = at if reason == "EMERGENCY" else self.after_guard(symbol, at)
            self.close(step, min(now, self.end), reason)
            self.halted = self.halted or (reason == "EMERGENCY" and self.risk.after_emergency == "halt")
        if self.halted or now >= self.end:
            return now
        return self.open(step, now)

    def open(self, step: int, now: int) -> int:
        symbol = self.best(now)
        if symbol is None:
            return now
        at = self.after_guard(symbol, now)
        seen, prices = self.prices(symbol, now), self.prices(symbol, at)
        if at >= self.end or seen is None or prices is None:
            return now
        quantity = floor(self.notional / float(seen.spot) / self.lots[symbol]) * self.lots[symbol]
        if quantity <= 0:
            return now
        spot, perp = float(prices.spot), float(prices.perp)
        self.held = {"symbol": symbol, "step": step, "opened": at, "counted": at, "spot": spot, "perp": perp}
        coins = ceil(quantity / (1.0 - self.fee) / self.spot_lots[symbol] - 1e-9) * self.spot_lots[symbol]
        fees = coins * spot * self.fee + quantity * perp * self.fee
        self.held |= {"quantity": quantity, "coins": coins, "fees": fees}
        self.held |= {"funding": 0.0, "rates": 0.0, "before": 0.0, "rolls": 0, "deferred": 0}
        self.held["paid"] = self.known(symbol, at)
        self.target = None
        self.log.append((step, "open", symbol, ""))
        return at

    def collect(self, at: int) -> None:
        assert self.held
        symbol = self.held["symbol"]
        prices, funding = self.series[symbol]
        for index in range(self.held["paid"], self.known(symbol, at)):
            newest = max(i for i, known in enumerate(prices.known) if known <= funding.times[index])
            self.held["funding"] += self.held["quantity"] * prices.mark[newest] * funding.rates[index]
            self.held["rates"] += funding.rates[index]
            self.held["paid"] = index + 1

    def close(self, step: int, at: int, reason: str) -> None:
        assert self.held
        self.collect(at)
        held = self.held
        numbers = held["quantity"], held["funding"], held["rates"], held["rolls"]
        self.trades.append(OracleTrade(held["symbol"], held["step"], held["opened"], step, at, reason, *numbers))
        self.log.append((step, "close", held["symbol"], reason))
        self.held = None

    def judge(self, at: int) -> tuple[str | None, str | None]:
        held = self.held
        assert held
        symbol, coins = held["symbol"], held["coins"]
        prices = self.prices(symbol, at)
        if self.ended(symbol, at):
            return "PRICES END", None
        if prices is None:
            return None, None
        spot, perp, mark = float(prices.spot), float(prices.perp), float(prices.mark)
        hit = [self.loss(spot, each) < self.risk.emergency_stop_loss * (coins * held["spot"]) for each in (perp, mark)]
        near = max(0.002, min(0.02, -self.risk.emergency_stop_loss / 4))
        confirmed = any(abs(perp - other) <= near * min(perp, other) for other in (mark, spot))
        if hit[0] and (confirmed or mark >= perp or hit[1]):
            return "EMERGENCY", None
        if hit[0] or abs(perp - spot) > 0.05 * min(perp, spot):
            return None, None
        reason, better = self.profit(at, spot, perp)
        if reason is None or reason == "ROLL":
            held["deferred"] = 0
            return reason, None
        growth = (perp - spot) / spot - (held["perp"] - held["spot"]) / held["spot"]
        if growth > float(self.position.max_exit_cost_bps) / 10_000:
            held["deferred"] = held["deferred"] or at + EIGHT_HOURS_MS
            if at < held["deferred"]:
                return None, None
        return reason, better

    def loss(self, spot: float, perp: float) -> float:
        held = self.held
        assert held
        if self.risk.stop_on is StopOn.PERP_LEG:
            return float(held["quantity"] * (held["perp"] - perp))
        coins, short = held["coins"], held["quantity"]
        moved = (coins * spot - short * perp) - (coins * held["spot"] - short * held["perp"])
        return float(moved + held["funding"] - held["fees"])

    def profit(self, at: int, spot: float, perp: float) -> tuple[str | None, str | None]:
        held, position = self.held, self.position
        assert held
        symbol, age = held["symbol"], (at - held["counted"]) / 1000.0 / 3600.0
        counted = held["funding"] - held["before"]
        exit_fees = held["coins"] * spot * self.fee + held["quantity"] * perp * self.fee
        if counted > 0 and counted >= position.fee_coverage_multiplier * (held["fees"] + exit_fees):
            best = next((name for _, name in self.ranking(at) if self.may_enter(name, at)), None)
            rolls = position.same_pair is SamePair.ROLL and best == symbol
            return ("ROLL" if rolls else "FEES"), None
        if age >= position.max_position_age_hours:
            return "AGE", None
        apr = self.apr(symbol, at)
        if apr is None:
            return None, None
        if age >= position.better_opportunity_min_hours:
            for other, name in self.ranking(at):
                if other - apr < position.better_opportunity_apr:
                    break
                if name != symbol and self.may_enter(name, at):
                    return "BETTER", name
        return ("NEGATIVE", None) if apr < self.rate.exit_funding_apr else (None, None)
