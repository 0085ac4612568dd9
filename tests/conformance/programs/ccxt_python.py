"""ccxt in Python against the emulator, with nothing changed but its addresses."""

import asyncio
from functools import partial
from typing import Any

import ccxt.pro
from reporting import SETTING, eventually, report

ID = SETTING["symbol"]
SPOT = f"{SETTING['base']}/USDT"
PERP = f"{SPOT}:USDT"
SWAP = {"type": "swap"}


def connect() -> Any:
    """Return the client at the emulator's addresses."""
    futures, spot = SETTING["futures"], SETTING["spot"]
    client = ccxt.pro.aster({"privateKey": SETTING["key"]})
    api = client.urls["api"]
    for name in ("fapiPublic", "fapiPrivate"):
        api[name] = f"http://{futures}/fapi"
    for name in ("sapiPublic", "sapiPrivate"):
        api[name] = f"http://{spot}/api"
    # The client tells the markets' streams apart by "fstream" in their addresses.
    for kind, path in (("public", "stream"), ("private", "ws")):
        api["ws"][kind] = {"spot": f"ws://{spot}/sstream/{path}", "swap": f"ws://{futures}/fstream/{path}"}
    return client


class Trial:
    """Everything that is tried, one capability per method."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def markets(self) -> Any:
        """Load both markets."""
        found = await self.client.load_markets()
        spot, perp = found[SPOT], found[PERP]
        return {
            "spot": sorted(row["id"] for row in found.values() if row["spot"]),
            "perp": sorted(row["id"] for row in found.values() if row["swap"]),
            "tick": perp["precision"]["price"],
            "lots": [spot["precision"]["amount"], perp["precision"]["amount"]],
            "least": [spot["limits"]["cost"]["min"], perp["limits"]["cost"]["min"]],
        }

    async def funding_rate(self) -> Any:
        """Read the running estimate and the interval."""
        row = await self.client.fetch_funding_rate(PERP)
        interval = (await self.client.fetch_funding_intervals([PERP]))[PERP]["interval"]
        return {"rate": row["fundingRate"], "next": row["nextFundingTimestamp"], "hours": interval.removesuffix("h")}

    async def settled_rates(self) -> Any:
        """Read settled rates."""
        rows = await self.client.fetch_funding_rate_history(PERP, None, 3)
        return [[row["timestamp"], row["fundingRate"]] for row in rows]

    async def books(self) -> Any:
        """Read both books."""
        found = [await self.client.fetch_order_book(symbol, 5) for symbol in (SPOT, PERP)]
        return [[book["bids"][0][0], book["asks"][0][0]] for book in found]

    async def tickers(self) -> Any:
        """Read the day's statistics of both markets."""
        found = [await self.client.fetch_ticker(symbol) for symbol in (SPOT, PERP)]
        return [ticker["last"] for ticker in found]

    async def candles(self) -> Any:
        """Read candles of both markets."""
        return [(await self.client.fetch_ohlcv(symbol, "1h", None, 3))[-1][4] for symbol in (SPOT, PERP)]

    async def balances(self) -> Any:
        """Read both wallets."""
        spot, perp = await self.client.fetch_balance(), await self.client.fetch_balance(SWAP)
        return [spot["USDT"]["total"], perp["USDT"]["total"]]

    async def builder(self) -> Any:
        """Read whom the client approved by itself, before its first private call."""
        rows = await self.client.fapiPrivateGetV3Builder()
        return [[row["builderAddress"], row["maxFeeRate"]] for row in rows]

    async def fees(self) -> Any:
        """Read the account's commissions."""
        found = [await self.client.fetch_trading_fee(symbol) for symbol in (SPOT, PERP)]
        return [[fee["maker"], fee["taker"]] for fee in found]

    async def limit_order(self, symbol: str, name: str) -> Any:
        """Place an order that rests, find it, cancel it."""
        placed = await self.client.create_order(symbol, "limit", "buy", 1, 90, {"clientOrderId": name})
        queried = await eventually(
            lambda: self.client.fetch_order(placed["id"], symbol), lambda order: order["status"] == "open"
        )
        listed = await self.client.fetch_open_orders(symbol)
        cancelled = await self.client.cancel_order(placed["id"], symbol)
        return {
            "id": placed["id"],
            "queried": [queried["clientOrderId"], queried["price"], queried["amount"], queried["side"]],
            "listed": [order["id"] for order in listed],
            "end": cancelled["status"],
        }

    async def order(self, symbol: str, kind: str, side: str, name: str, **extra: Any) -> Any:
        """Place an order that ends at once, and read how."""
        price = extra.pop("price", None)
        asked = {"clientOrderId": name, **extra}
        placed = await self.client.create_order(symbol, kind, side, 2, price, asked)
        end = await eventually(
            lambda: self.client.fetch_order(placed["id"], symbol), lambda order: order["status"] != "open"
        )
        return {"id": placed["id"], "filled": end["filled"], "average": end["average"], "end": end["status"]}

    async def stop_order(self) -> Any:
        """Arm a stop, find it, cancel it."""
        asked = {"clientOrderId": "stop", "triggerPrice": 90, "reduceOnly": "true"}
        placed = await self.client.create_order(PERP, "market", "sell", 1, None, asked)
        queried = await self.client.fetch_order(placed["id"], PERP)
        cancelled = await self.client.cancel_order(placed["id"], PERP)
        return [placed["id"], queried["triggerPrice"], cancelled["status"]]

    async def batch(self) -> Any:
        """Place several orders at once, one of them wrong, and cancel what rests."""
        asked = [
            {
                "symbol": PERP,
                "type": "limit",
                "side": "buy",
                "amount": 1,
                "price": price,
                "params": {"clientOrderId": name},
            }
            for name, price in (("batch-1", 90), ("batch-2", 91), ("batch-3", 200))
        ]
        placed = await self.client.create_orders(asked)
        cancelled = await self.client.cancel_all_orders(PERP)
        return [[order["id"] is not None for order in placed], len(cancelled) > 0]

    async def refusal(self) -> Any:
        """Ask for more than there is."""
        try:
            await self.client.create_order(SPOT, "limit", "buy", 500, 100)
        except ccxt.InsufficientFunds as error:
            return type(error).__name__
        return "accepted"

    async def trades(self, symbol: str) -> Any:
        """Read own trades."""
        rows = await self.client.fetch_my_trades(symbol)
        return [[row["id"], row["order"], row["side"], row["price"], row["amount"], row["fee"]["cost"]] for row in rows]

    async def leverage(self) -> Any:
        """Set the leverage and read it back."""
        await self.client.set_leverage(3, PERP)
        found = await self.client.fetch_leverages([PERP])
        return found[PERP]["longLeverage"]

    async def margin_type(self) -> Any:
        """Switch a flat symbol to isolated margin."""
        await self.client.set_margin_mode("isolated", f"{SETTING['quiet'].removesuffix('USDT')}/USDT:USDT")
        found = await self.client.fetch_margin_modes()
        return found[f"{SETTING['quiet'].removesuffix('USDT')}/USDT:USDT"]["marginMode"]

    async def positions(self) -> Any:
        """Read the open positions."""
        rows = await self.client.fetch_positions()
        return {row["info"]["symbol"]: [row["side"], row["contracts"]] for row in rows if row["contracts"]}

    async def transfer(self) -> Any:
        """Move money there and back."""
        there = await self.client.transfer("USDT", 25, "spot", "swap")
        back = await self.client.transfer("USDT", 5, "swap", "spot")
        return [there["id"], back["id"]]

    async def income(self) -> Any:
        """Read funding, and the whole statement of the perpetual wallet."""
        payments = await self.client.fetch_funding_history()
        rows = await self.client.fetch_ledger("USDT")
        return {"funding": [row["amount"] for row in payments], "rows": len(rows)}

    async def book_stream(self, symbol: str) -> Any:
        """Wait for best bid and ask."""
        row = (await self.client.watch_bids_asks([symbol]))[symbol]
        return [row["bid"], row["ask"]]

    async def depth_stream(self) -> Any:
        """Wait for levels."""
        book = await self.client.watch_order_book(PERP, 5)
        return [book["bids"][0][0], book["asks"][0][0]]

    async def mark_stream(self) -> Any:
        """Wait for a mark price."""
        return (await self.client.watch_mark_price(PERP))["markPrice"]

    async def ticker_stream(self, symbol: str) -> Any:
        """Wait for the day's statistics twice: they come also where nothing changes.

        With a client of its own: it hands statistics to callers that wait for a mark price of the same symbol.
        """
        client = connect()
        try:
            return [(await client.watch_ticker(symbol))["last"] for _ in range(2)]
        finally:
            await client.close()

    async def candle_stream(self, symbol: str) -> Any:
        """Wait for the running candle twice."""
        return [(await self.client.watch_ohlcv(symbol, "1m"))[-1][4] for _ in range(2)]

    async def trade_stream(self, symbol: str) -> Any:
        """Wait for trades of others twice."""
        return [(await self.client.watch_trades(symbol))[-1]["price"] for _ in range(2)]

    async def user_stream(self, symbol: str, name: str) -> Any:
        """Receive the report of an own order."""
        waiting = asyncio.create_task(self.client.watch_orders(symbol))
        await asyncio.sleep(1)  # noqa: TID251 - a program of its own, against a real clock
        if waiting.done():
            return waiting.result()
        placed = await self.client.create_order(symbol, "limit", "buy", 1, 90, {"clientOrderId": name})
        received = (await waiting)[0]
        await self.client.cancel_order(placed["id"], symbol)
        return [received["id"], received["clientOrderId"]]

    async def position_stream(self) -> Any:
        """Receive the own positions."""
        rows = await self.client.watch_positions([PERP])
        return [[row["symbol"], row["contracts"]] for row in rows]


async def read(trial: Trial) -> None:
    """Read everything, and change what no order depends on."""
    await report("markets", trial.markets)
    await report("funding rate", trial.funding_rate)
    await report("settled rates", trial.settled_rates)
    await report("books", trial.books)
    await report("tickers", trial.tickers)
    await report("candles", trial.candles)
    await report("balances", trial.balances)
    await report("builder", trial.builder)
    await report("fees", trial.fees)
    await report("leverage", trial.leverage)
    await report("margin type", trial.margin_type)


async def trade(trial: Trial) -> None:
    """Place orders of every kind, and read what came of them."""
    for market, symbol in (("spot", SPOT), ("perp", PERP)):
        take = partial(trial.order, symbol, "limit", "buy", price=101)
        await report(f"{market} limit order", partial(trial.limit_order, symbol, f"rest-{market}"))
        await report(f"{market} market order", partial(trial.order, symbol, "market", "buy", f"mkt-{market}"))
        await report(f"{market} IOC order", partial(take, name=f"ioc-{market}", timeInForce="IOC"))
        await report(f"{market} post-only order", partial(take, name=f"gtx-{market}", postOnly=True))
    await report("reduce-only order", partial(trial.order, PERP, "market", "sell", "reduce", reduceOnly="true"))
    await report("stop order", trial.stop_order)
    await report("batch orders", trial.batch)
    await report("refusal", trial.refusal)
    await report("spot trades", partial(trial.trades, SPOT))
    await report("perp trades", partial(trial.trades, PERP))
    await report("positions", trial.positions)
    await report("transfer", trial.transfer)
    await report("income", trial.income)


async def listen(trial: Trial) -> None:
    """Receive prices and reports of the account."""
    await report("spot book stream", partial(trial.book_stream, SPOT))
    await report("perp book stream", partial(trial.book_stream, PERP))
    for name, symbol in (("spot", SPOT), ("perp", PERP)):
        await report(f"{name} ticker stream", partial(trial.ticker_stream, symbol))
        await report(f"{name} candle stream", partial(trial.candle_stream, symbol))
        await report(f"{name} trade stream", partial(trial.trade_stream, symbol))
    await report("depth stream", trial.depth_stream)
    await report("mark stream", trial.mark_stream)
    await report("position stream", trial.position_stream)
    await report("spot user stream", partial(trial.user_stream, SPOT, "user-spot"))
    await report("perp user stream", partial(trial.user_stream, PERP, "user-perp"))


async def main() -> None:
    """Try everything, in an order that leaves known states behind."""
    client = connect()
    try:
        trial = Trial(client)
        await read(trial)
        await trade(trial)
        await listen(trial)
    finally:
        await client.close()


asyncio.run(main())
