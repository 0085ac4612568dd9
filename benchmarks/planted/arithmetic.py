"""Bugs in small arithmetic and conditions: a sign, a limit, a unit, a side."""

from collections.abc import Iterator, Sequence

from planted.kinds import Patched

__all__ = ["ARITHMETIC"]

Change = tuple[str, str, str]
"""What the bug does, the text, and what it becomes."""


def _of(file: str, tests: str, *changes: Change) -> Iterator[Patched]:
    for does, old, new in changes:
        yield Patched(name=does, file=file, does=does, old=old, new=new, tests=tuple(tests.split()))


ARITHMETIC: Sequence[Patched] = (
    *_of(
        "strategy/rules.py",
        "unit/strategy/test_rules.py unit/strategy/evaluation/test_exits.py unit/strategy/evaluation/test_health.py",
        (
            "funding is annualised by intervals of an hour",
            "rate_sum / (hours_sum / 8.0) * 1095.0",
            "rate_sum / hours_sum * 1095.0",
        ),
        ("the entry limit itself is refused", "return apr >= min_apr", "return apr > min_apr"),
        ("the stop is hit by a gain", "return pnl < loss_limit", "return pnl > loss_limit"),
        (
            "fees count as covered by the opening's alone",
            "multiplier * (entry_fee + exit_fee)",
            "multiplier * entry_fee",
        ),
        ("fees are covered before any funding arrived", "funding > 0.0 and funding >=", "funding >="),
        ("a hedge is never too old at its limit", "return age >= max_age", "return age > max_age"),
        ("a better pair is taken at once", "return age >= min_age and best_apr", "return best_apr"),
        ("funding that turned is kept", "return apr < exit_apr", "return apr > exit_apr"),
        ("an imbalance is one of the smaller leg", "larger = max(spot, short)", "larger = min(spot, short)"),
        ("an imbalance has the other sign", "return (spot - short) / larger", "return (short - spot) / larger"),
        (
            "liquidation is measured from its own price",
            "return (liquidation - mark) / mark",
            "return (liquidation - mark) / liquidation",
        ),
        ("too many coins are no imbalance", "if abs(difference) > close:", "if difference > close:"),
        ("a near liquidation is not critical", "if distance < min_distance or not sound:", "if not sound:"),
        (
            "a leg that is gone is only repaired",
            "return 2 if leg_gone else balance",
            "return 1 if leg_gone else balance",
        ),
    ),
    *_of(
        "domain/money.py",
        "unit/domain/test_money.py property/test_grids.py",
        (
            "quantities are rounded up where they must not grow",
            "return _to_step(value, step, ROUND_FLOOR)",
            "return _to_step(value, step, ROUND_CEILING)",
        ),
        (
            "quantities are rounded down where they must suffice",
            "return _to_step(value, step, ROUND_CEILING)",
            "return _to_step(value, step, ROUND_FLOOR)",
        ),
        ("the common step is the product of both", "Decimal(a * b // gcd(a, b))", "Decimal(a * b)"),
        ("amounts keep their trailing zeros", 'text = text.rstrip("0").rstrip(".")', "text = text"),
    ),
    *_of(
        "domain/instrument.py",
        "unit/domain/test_instrument.py property/test_grids.py",
        (
            "a buy is priced above its limit",
            "floor_to_step(price, self.tick) if side is Side.BUY",
            "ceil_to_step(price, self.tick) if side is Side.BUY",
        ),
        ("the largest quantity is not looked at", "if quantity > self.max_quantity:", "if False:"),
        ("a reduce-only order must reach the minimum", " and not reduce_only", ""),
        (
            "the smaller minimum of two legs counts",
            "return max(self.spot.min_notional, self.perp.min_notional)",
            "return min(self.spot.min_notional, self.perp.min_notional)",
        ),
        (
            "one open market is enough to trade",
            "is TradingStatus.TRADING and self.perp",
            "is TradingStatus.TRADING or self.perp",
        ),
        ("the fee in coin is not bought", "net_quantity / (ONE - self.coin_fee_rate)", "net_quantity"),
    ),
    *_of(
        "domain/order.py",
        "unit/domain/test_order.py",
        ("a fee in coin does not reduce what is held", "- fee_in_coin", ""),
        ("a fee in coin is its number of dollars", "return self.fee * self.price", "return self.fee"),
        ("an order that filled in part is done", "OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}", "OrderStatus.NEW}"),
    ),
    *_of(
        "aster/rules.py",
        "unit/aster/account/test_user_streams.py",
        ("an auto-deleveraging is a manual trade", '    "adl_autoclose": ForcedTrade.AUTO_DELEVERAGING,\n', ""),
    ),
    *_of(
        "strategy/hedge_result.py",
        "unit/strategy/test_hedge_result.py",
        (
            "fees are a part of the result",
            "self.funding + basis - self.fees_paid",
            "self.funding + basis + self.fees_paid",
        ),
        (
            "closing costs the commission of one leg",
            "fees = coins * pair.spot.fees.taker + short * pair.perp.fees.taker",
            "fees = coins * pair.spot.fees.taker",
        ),
        ("buying the short back above its price is a gain", "+ (bought - short)", "- (bought - short)"),
    ),
    *_of(
        "domain/funding.py",
        "unit/domain/test_funding_times.py",
        (
            "a settlement is its own next one",
            "last_settlement(at, interval_hours) + timedelta(hours=interval_hours)",
            "last_settlement(at - timedelta.resolution, interval_hours) + timedelta(hours=interval_hours)",
        ),
        ("the distance to a settlement is that to the next", "return min(since, until)", "return until"),
    ),
    *_of(
        "domain/ledger/books.py",
        "unit/domain/ledger/test_books.py",
        (
            "coins bought are booked as sold",
            "(Wallet.SPOT, base, BookLine(trades=fill.side.sign * fill.quantity))",
            "(Wallet.SPOT, base, BookLine(trades=-fill.side.sign * fill.quantity))",
        ),
        (
            "fees are income",
            "(Wallet.SPOT, fill.fee_asset, BookLine(fees=-fill.fee))",
            "(Wallet.SPOT, fill.fee_asset, BookLine(fees=fill.fee))",
        ),
        (
            "a transfer leaves no wallet",
            "(Wallet.SPOT, event.asset, BookLine(transfers=-to_perp))",
            "(Wallet.SPOT, event.asset, BookLine())",
        ),
        (
            "a deposit is part of the opening",
            "else BookLine(external=flow.amount)",
            "else BookLine(opening=flow.amount)",
        ),
    ),
    *_of(
        "strategy/evaluation/rebalancing.py",
        "unit/strategy/evaluation/test_rebalancing.py unit/strategy/evaluation/test_sizing.py",
        ("the whole difference of the wallets is moved", "(abs(difference) / 2)", "abs(difference)"),
        (
            "margin leaves under an open short",
            "if any(row.symbol not in hedged or row.quantity > 0 or row.leverage != LEVERAGE for row in open_rows):",
            "if False:",
        ),
        ("more is moved than lies idle", "min(account.spot_usdt, max(ZERO, needed))", "max(ZERO, needed)"),
        ("cents are moved to and fro", "if abs(difference) <= MIN_DIFFERENCE:", "if not difference:"),
    ),
    *_of(
        "strategy/evaluation/sizing.py",
        "unit/strategy/evaluation/test_sizing.py property/test_sizing.py",
        ("the larger wallet is used", "    smaller = min(spot, perp)", "    smaller = max(spot, perp)"),
        (
            "the maximum is that of one leg",
            "min(capital, limits.max_capital_usd / 2)",
            "min(capital, limits.max_capital_usd)",
        ),
        (
            "too little money is enough",
            "or 2 * smaller < limits.min_capital_usd",
            "or smaller < limits.min_capital_usd",
        ),
    ),
    *_of(
        "strategy/evaluation/daily_loss.py",
        "unit/strategy/evaluation/test_daily_loss.py",
        ("a gain is a loss", "max(ZERO, day.result - result)", "max(ZERO, result - day.result)"),
        ("the higher one of two limits counts", "return min((limit", "return max((limit"),
    ),
    *_of(
        "aster/http/rate_limits.py",
        "unit/aster/http/test_rate_limits.py",
        (
            "a scan leaves no room for orders",
            "Priority.SCAN: 0.8, Priority.BULK: 0.5}",
            "Priority.SCAN: 1.0, Priority.BULK: 0.5}",
        ),
        ("requests are never forgotten", "now - self.limit.window_seconds:", "now - 2 * self.limit.window_seconds:"),
        ("what others use is not counted", "if missing > 0:", "if False:"),
        (
            "a read counts as an order",
            "return weight if window.limit.kind is LimitKind.WEIGHT else orders",
            "return weight",
        ),
    ),
    *_of(
        "aster/http/nonces.py",
        "unit/aster/http/test_nonces.py",
        ("the offset is measured at sending", "sent + (received - sent) / 2", "sent"),
        (
            "the offset is subtracted",
            "return self._clock.now() + self.offset",
            "return self._clock.now() - self.offset",
        ),
    ),
)
