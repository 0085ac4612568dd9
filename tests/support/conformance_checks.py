"""What each capability of a client must have done, judged by the exchange's own account of it."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

from msgspec import Struct

from support.conformance import FUNDS, HELD, QUIET, SYMBOL, Client, Run

__all__ = ["CAPABILITIES", "Capability", "gap_of", "outcome"]

Check = Callable[[Run, Any], None]
NEVER_HEARD = r"requires a market type"
"""ccxt in Python tests a variable that is always empty before it opens a user data stream."""
GAPS = {
    ("ccxt (Python)", "spot user stream"): NEVER_HEARD,
    ("ccxt (Python)", "perp user stream"): NEVER_HEARD,
}
"""What a client cannot do by a fault of its own, and the words it fails with (docs/venue-notes.md)."""
ENDS = {"closed": "FILLED", "canceled": "CANCELED"}


class Capability(Struct, frozen=True, kw_only=True):
    """Something that a client can do."""

    name: str
    title: str
    check: Check


def gap_of(client: Client, capability: str) -> str | None:
    """Return the words with which a client fails at something; None when it should not."""
    return GAPS.get((client.name, capability))


def outcome(run: Run, capability: Capability) -> str:
    """Return "yes", "no" for a known gap, or "-" for what the client does not offer.

    Raises:
        AssertionError: the client and the exchange disagree.
    """
    report = run.reports.get(capability.name)
    if report is None:
        return "-"
    if gap_of(run.client, capability.name) is not None:
        return "no"
    assert "result" in report, report
    capability.check(run, report["result"])
    return "yes"


def _numbers(value: Any) -> list[Decimal]:
    return [Decimal(str(each)) for each in value]


def _exchange_order(run: Run, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in run.after["tickets"] if row["client_id"] == name)
    return found


def _fills(run: Run, market: str) -> list[dict[str, Any]]:
    """Return the account's trades of the symbol as the exchange keeps them, with the orders' numbers on the wire."""
    entries = run.after["entries"]
    fills = [row for row in run.after["world"]["journal"]["fills"] if row["symbol"] == SYMBOL]
    return [{**row, "order": entries[str(row["order_id"])]} for row in fills if row["market"] == market]


def _markets(_: Run, found: Any) -> None:
    symbols = sorted([SYMBOL, HELD, QUIET])
    assert (found["spot"], found["perp"]) == (symbols, symbols)
    assert _numbers([found["tick"], *found["lots"], *found["least"]]) == _numbers(["0.01", "0.001", "0.01", 5, 5])


def _funding_rate(run: Run, found: Any) -> None:
    assert _numbers([found["rate"], found["hours"]]) == _numbers(["0.0003", 8])
    assert run.now_ms < found["next"] <= run.now_ms + 8 * 3_600_000 + 60_000
    assert found["next"] % (8 * 3_600_000) == 0


def _settled_rates(run: Run, found: Any) -> None:
    stamps = [stamp for stamp, _ in found]
    assert [later - sooner for sooner, later in pairwise(stamps)] == [8 * 3_600_000] * 2
    assert run.now_ms - 8 * 3_600_000 <= stamps[-1] <= run.now_ms
    assert {Decimal(str(rate)) for _, rate in found} == {Decimal("0.0003")}


def _touches(_: Run, found: Any) -> None:
    assert [_numbers(touch) for touch in found] == [[Decimal("99.99"), Decimal("100.01")]] * 2


def _touch(_: Run, found: Any) -> None:
    assert _numbers(found) == [Decimal("99.99"), Decimal("100.01")]


def _at_hundred(_: Run, found: Any) -> None:
    assert set(_numbers(found if isinstance(found, list) else [found])) == {Decimal(100)}


def _twice_a_hundred(_: Run, found: Any) -> None:
    assert _numbers(found) == [Decimal(100)] * 2


def _balances(run: Run, found: Any) -> None:
    world = run.before["world"]
    assert _numbers(found) == [FUNDS, Decimal(world["perp_balance"])]
    assert Decimal(world["spot"]["USDT"]["free"]) == FUNDS


def _accounts(run: Run, found: Any) -> None:
    assert set(_numbers(found)) == {Decimal(run.before["world"]["perp_balance"])}


def _agents(run: Run, found: Any) -> None:
    assert found == [run.client.signer.lower()]


def _builder(run: Run, found: Any) -> None:
    approved = run.after["settings"]["builders"].values()
    assert [[address, Decimal(str(rate))] for address, rate in found] == [
        [builder["address"], Decimal(builder["max_fee_rate"])] for builder in approved
    ]
    assert len(found) == 1


def _fees(_: Run, found: Any) -> None:
    assert [_numbers(pair) for pair in found] == [_numbers(["0.00005", "0.0004"]), _numbers(["0.0001", "0.00035"])]


def _leverage(run: Run, found: Any) -> None:
    assert int(found) == run.after["world"]["leverages"][SYMBOL] == 3


def _margin_type(run: Run, found: Any) -> None:
    assert found.upper() == run.after["world"]["margin_types"][QUIET] == "ISOLATED"


def _limit_order(market: str) -> Check:
    def check(run: Run, found: Any) -> None:
        name, exchange_order = f"rest-{market}", _exchange_order(run, f"rest-{market}")
        said, price, quantity, side = found["queried"]
        assert (exchange_order["market"], exchange_order["symbol"], exchange_order["kind"]) == (market, SYMBOL, "LIMIT")
        assert (said, side.upper()) == (name, exchange_order["side"])
        assert (
            _numbers([price, quantity])
            == _numbers([exchange_order["price"], exchange_order["quantity"]])
            == _numbers([90, 1])
        )
        assert [str(number) for number in found["listed"]] == [str(found["id"])] == [str(exchange_order["order_id"])]
        assert ENDS.get(found["end"], found["end"]) == exchange_order["status"] == "CANCELED"

    return check


def _filled_order(market: str, name: str, *, price: str = "100.01") -> Check:
    def check(run: Run, found: Any) -> None:
        exchange_order = _exchange_order(run, name)
        assert (exchange_order["market"], exchange_order["status"]) == (market, "FILLED")
        assert str(found["id"]) == str(exchange_order["order_id"])
        assert ENDS.get(found["end"], found["end"]) == "FILLED"
        assert (
            _numbers([found["filled"], found["average"]])
            == _numbers([exchange_order["executed"], price])
            == _numbers([2, price])
        )
        assert Decimal(exchange_order["spent"]) == 2 * Decimal(price)

    return check


def _post_only_order(market: str) -> Check:
    def check(run: Run, found: Any) -> None:
        exchange_order = _exchange_order(run, f"gtx-{market}")
        assert (exchange_order["market"], exchange_order["status"], Decimal(exchange_order["executed"])) == (
            market,
            "EXPIRED",
            Decimal(0),
        )
        assert str(found["id"]) == str(exchange_order["order_id"])
        assert Decimal(str(found["filled"])) == 0
        # ccxt knows no expiry: it calls such an order cancelled.
        assert found["end"] in {"EXPIRED", "canceled", "expired"}

    return check


def _reduce_only_order(run: Run, found: Any) -> None:
    assert _exchange_order(run, "reduce")["reduce_only"] is True
    _filled_order("perp", "reduce", price="99.99")(run, found)


def _stop_order(run: Run, found: Any) -> None:
    exchange_order = _exchange_order(run, "stop")
    number, price, end = found
    assert (str(number), Decimal(str(price))) == (
        str(exchange_order["order_id"]),
        Decimal(exchange_order["stop_price"]),
    )
    assert (exchange_order["original_kind"], exchange_order["status"], end.upper()) == (
        "STOP_MARKET",
        "CANCELED",
        "CANCELED",
    )


def _batch_orders(run: Run, found: Any) -> None:
    assert found == [[True, True, False], True]
    names = {row["client_id"]: row["status"] for row in run.after["tickets"] if row["client_id"].startswith("batch")}
    assert names == {"batch-1": "CANCELED", "batch-2": "CANCELED"}


def _refusal(run: Run, found: Any) -> None:
    assert found == "InsufficientFunds" or "-2018" in found
    assert not [row for row in run.after["tickets"] if Decimal(row["quantity"]) == 500]


def _trades(market: str) -> Check:
    def check(run: Run, found: Any) -> None:
        fills = _fills(run, market)
        assert [(str(order), side.upper()) for _, order, side, *_ in found] == [
            (str(fill["order"]), fill["side"]) for fill in fills
        ]
        figures = [_numbers(row[3:]) for row in found]
        assert figures == [_numbers([fill["price"], fill["quantity"], fill["fee"]]) for fill in fills]
        assert len({number for number, *_ in found}) == len(fills) > 1

    return check


def _positions(run: Run, found: Any) -> None:
    held = {symbol: Decimal(row["quantity"]) for symbol, row in run.after["world"]["holdings"].items()}
    signs = {"long": 1, "short": -1}
    assert {symbol: signs[side] * Decimal(str(amount)) for symbol, (side, amount) in found.items()} == held
    assert held == {HELD: Decimal(-10), SYMBOL: Decimal(2)}


def _transfer(run: Run, found: Any) -> None:
    rows = run.after["transfers"]
    assert [str(number) for number in found] == [str(row["tran_id"]) for row in rows]
    assert [Decimal(row["to_perp"]) for row in rows] == [25, -5]


def _income(run: Run, found: Any) -> None:
    payments = run.after["world"]["journal"]["payments"]
    paid = _numbers(row["amount"] for row in payments)
    assert _numbers(found["funding"]) == paid
    assert set(paid) == {Decimal("0.3")}, "nine hours before now hold one settlement or two, by the time of day"
    # One row per fee of a trade, by hand or not, funding, transfers both ways, and one profit taken.
    assert found["rows"] == len(_fills(run, "perp")) + 1 + len(payments) + len(run.after["transfers"]) + 1


def _statement(_: Run, found: Any) -> None:
    # Two legs of each of two trades, and two transfers.
    assert found == 6


def _brackets(_: Run, found: Any) -> None:
    assert found is True


def _position_stream(_: Run, found: Any) -> None:
    assert [(symbol, Decimal(str(amount))) for symbol, amount in found] == [("ETH/USDT:USDT", Decimal(2))]


def _user_stream(market: str) -> Check:
    def check(run: Run, found: Any) -> None:
        exchange_order = _exchange_order(run, f"user-{market}")
        assert [str(found[0]), found[1]] == [str(exchange_order["order_id"]), f"user-{market}"]

    return check


def _capability(name: str, title: str, check: Check) -> Capability:
    return Capability(name=name, title=title, check=check)


CAPABILITIES = (
    _capability("markets", "Load the markets: grids, lots, least notional", _markets),
    _capability("funding rate", "Funding rate, its time and interval", _funding_rate),
    _capability("settled rates", "Settled funding rates", _settled_rates),
    _capability("books", "Order books", _touches),
    _capability("tickers", "24 h statistics", _at_hundred),
    _capability("candles", "Candles", _at_hundred),
    _capability("balances", "Balances of both wallets", _balances),
    _capability("accounts", "Perpetual account, both views", _accounts),
    _capability("agents", "List of agents", _agents),
    _capability("builder", "Builder approved before the first private call", _builder),
    _capability("fees", "Commissions", _fees),
    _capability("brackets", "Margin brackets", _brackets),
    _capability("leverage", "Set and read the leverage", _leverage),
    _capability("margin type", "Set and read the margin type", _margin_type),
    *(
        each
        for market in ("spot", "perp")
        for each in (
            _capability(f"{market} limit order", f"Place, query, list, cancel: {market}", _limit_order(market)),
            _capability(f"{market} market order", f"Market order: {market}", _filled_order(market, f"mkt-{market}")),
            _capability(f"{market} IOC order", f"IOC order: {market}", _filled_order(market, f"ioc-{market}")),
            _capability(f"{market} post-only order", f"Post-only order: {market}", _post_only_order(market)),
        )
    ),
    _capability("reduce-only order", "Reduce-only order", _reduce_only_order),
    _capability("stop order", "Stop order: arm, query, cancel", _stop_order),
    _capability("batch orders", "Several orders at once; cancel all", _batch_orders),
    _capability("refusal", "Refusal understood: too little money", _refusal),
    _capability("spot trades", "Own trades: spot", _trades("spot")),
    _capability("perp trades", "Own trades: perp", _trades("perp")),
    _capability("positions", "Positions", _positions),
    _capability("transfer", "Transfer between the wallets", _transfer),
    _capability("income", "Income: funding and all rows", _income),
    _capability("statement", "Spot statement", _statement),
    _capability("spot book stream", "Stream of best bid and ask: spot", _touch),
    _capability("perp book stream", "Stream of best bid and ask: perp", _touch),
    *(
        each
        for market in ("spot", "perp")
        for each in (
            _capability(f"{market} ticker stream", f"Stream of 24 h statistics: {market}", _twice_a_hundred),
            _capability(f"{market} candle stream", f"Stream of candles: {market}", _twice_a_hundred),
            _capability(f"{market} trade stream", f"Stream of trades of others: {market}", _twice_a_hundred),
        )
    ),
    _capability("depth stream", "Stream of levels", _touch),
    _capability("mark stream", "Stream of mark prices", _at_hundred),
    _capability("position stream", "Stream of positions", _position_stream),
    _capability("spot user stream", "Stream of own orders: spot", _user_stream("spot")),
    _capability("perp user stream", "Stream of own orders: perp", _user_stream("perp")),
)
