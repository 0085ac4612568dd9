"""typed-aster against the emulator, with nothing changed but its addresses; every reply passes its own validation."""

import asyncio
from functools import partial
from typing import Any

from reporting import SETTING, eventually, report
from typed_aster import Aster

ID, QUIET = SETTING["symbol"], SETTING["quiet"]


def connect() -> Any:
    """Return the client at the emulator's addresses."""
    futures, spot = SETTING["futures"], SETTING["spot"]
    return Aster.new(
        user=SETTING["user"],
        signer=SETTING["key"],
        urls={
            "futures": {
                "rest": f"http://{futures}/fapi/v3",
                "streams": f"ws://{futures}/stream",
                "user_stream": f"ws://{futures}/ws",
            },
            "spot": {
                "rest": f"http://{spot}/api/v3",
                "streams": f"ws://{spot}/stream",
                "user_stream": f"ws://{spot}/ws",
            },
        },
    )


def grids(info: Any) -> dict[str, Any]:
    """Return the filters of the symbol by their names."""
    row = next(row for row in info["symbols"] if row["symbol"] == ID)
    return {each["filterType"]: each for each in row["filters"]}


class Trial:
    """Everything that is tried, one capability per method."""

    def __init__(self, client: Any) -> None:
        self.spot, self.perp = client.spot, client.futures
        self.both = (client.spot, client.futures)

    def of(self, market: str) -> Any:
        """Return one market's half of the client."""
        return self.spot if market == "spot" else self.perp

    async def read(self, market: str, number: int) -> Any:
        """Read one order."""
        if market == "spot":
            return await self.spot.trade.order(symbol=ID, order_id=number)
        return await self.perp.trade.order({"symbol": ID, "orderId": number})

    async def cancel(self, market: str, name: str) -> Any:
        """Cancel one order by its client id."""
        if market == "spot":
            return await self.spot.trade.cancel_order(symbol=ID, orig_client_order_id=name)
        return await self.perp.trade.cancel_order({"symbol": ID, "origClientOrderId": name})

    async def markets(self) -> Any:
        """Load both markets."""
        spot, perp = [await side.market.exchange_info() for side in self.both]
        return {
            "spot": sorted(row["symbol"] for row in spot["symbols"]),
            "perp": sorted(row["symbol"] for row in perp["symbols"]),
            "tick": grids(perp)["PRICE_FILTER"]["tickSize"],
            "lots": [grids(info)["LOT_SIZE"]["stepSize"] for info in (spot, perp)],
            "least": [grids(spot)["MIN_NOTIONAL"]["minNotional"], grids(perp)["MIN_NOTIONAL"]["notional"]],
        }

    async def funding_rate(self) -> Any:
        """Read the running estimate and the interval."""
        row = await self.perp.market.premium_index(ID)
        row = row[0] if isinstance(row, list) else row
        info = next(each for each in await self.perp.market.funding_info() if each["symbol"] == ID)
        return {
            "rate": row["lastFundingRate"],
            "next": millis(row["nextFundingTime"]),
            "hours": info["fundingIntervalHours"],
        }

    async def settled_rates(self) -> Any:
        """Read settled rates."""
        rows = await self.perp.market.funding_rate(symbol=ID, limit=3)
        return [[millis(row["fundingTime"]), row["fundingRate"]] for row in rows]

    async def books(self) -> Any:
        """Read both books."""
        found = [await side.market.depth(ID, limit=5) for side in self.both]
        return [[book["bids"][0][0], book["asks"][0][0]] for book in found]

    async def tickers(self) -> Any:
        """Read the day's statistics of both markets."""
        found = [await side.market.ticker_24hr(ID) for side in self.both]
        return [row["lastPrice"] for row in found]

    async def candles(self) -> Any:
        """Read candles of both markets."""
        found = [await side.market.klines(ID, interval="1h", limit=3) for side in self.both]
        return [rows[-1][4] for rows in found]

    async def balances(self) -> Any:
        """Read both wallets."""
        spot, perp = await self.spot.account.info(), await self.perp.account.balance()
        held = next(row for row in spot["balances"] if row["asset"] == "USDT")
        return [held["free"] + held["locked"], next(row["balance"] for row in perp if row["asset"] == "USDT")]

    async def accounts(self) -> Any:
        """Read both views of the whole perpetual account."""
        info, joint = await self.perp.account.info(), await self.perp.account.info_with_join_margin()
        return [info["totalWalletBalance"], joint["totalWalletBalance"]]

    async def agents(self) -> Any:
        """Read who may sign."""
        return [row["agentAddress"].lower() for row in await self.perp.agents.list()]

    async def fees(self) -> Any:
        """Read the account's commissions."""
        found = [await side.account.commission_rate(ID) for side in self.both]
        return [[fee["makerCommissionRate"], fee["takerCommissionRate"]] for fee in found]

    async def limit_order(self, market: str, name: str) -> Any:
        """Place an order that rests, find it, cancel it."""
        trade = self.of(market).trade
        placed = await trade.place_order({**limit("90", "1", "GTC"), "newClientOrderId": name})
        number = placed["orderId"]
        queried = await eventually(lambda: self.read(market, number), lambda order: order["status"] == "NEW")
        listed = await trade.open_orders(symbol=ID)
        cancelled = await self.cancel(market, name)
        return {
            "id": number,
            "queried": [queried["clientOrderId"], queried["price"], queried["origQty"], queried["side"]],
            "listed": [order["orderId"] for order in listed],
            "end": cancelled["status"],
        }

    async def order(self, market: str, asked: dict[str, Any], name: str) -> Any:
        """Place an order that ends at once, and read how."""
        placed = await self.of(market).trade.place_order({**asked, "newClientOrderId": name})
        number = placed["orderId"]
        end = await eventually(
            lambda: self.read(market, number), lambda order: order["status"] not in {"NEW", "PARTIALLY_FILLED"}
        )
        return {
            "id": number,
            "filled": end["executedQty"],
            "average": end["avgPrice"],
            "end": end["status"],
        }

    async def stop_order(self) -> Any:
        """Arm a stop, find it, cancel it."""
        asked = {"symbol": ID, "side": "SELL", "type": "STOP_MARKET", "quantity": "1", "stopPrice": "90"}
        placed = await self.perp.trade.place_order({**asked, "reduceOnly": "true", "newClientOrderId": "stop"})
        queried = await self.read("perp", placed["orderId"])
        cancelled = await self.cancel("perp", "stop")
        return [placed["orderId"], queried["stopPrice"], cancelled["status"]]

    async def batch(self) -> Any:
        """Place several orders at once, one of them wrong, and cancel what rests."""
        asked = [
            {**limit(price, "1", "GTC"), "newClientOrderId": name}
            for name, price in (("batch-1", "90"), ("batch-2", "91"), ("batch-3", "200"))
        ]
        placed = await self.perp.trade.place_batch_orders(asked)
        cancelled = await self.perp.trade.cancel_all_open_orders(ID)
        return [["orderId" in order for order in placed], int(cancelled["code"]) == 200]

    async def refusal(self) -> Any:
        """Ask for more than there is."""
        try:
            await self.spot.trade.place_order(limit("100", "500", "GTC"))
        except Exception as error:  # noqa: BLE001 - its name and text are the result
            return f"{type(error).__name__} {error}"
        return "accepted"

    async def trades(self, market: str) -> Any:
        """Read own trades."""
        rows = await self.of(market).trade.user_trades(symbol=ID)
        return [[row["id"], row["orderId"], row["side"], row["price"], row["qty"], row["commission"]] for row in rows]

    async def leverage(self) -> Any:
        """Set the leverage and read it back."""
        await self.perp.account.set_leverage(ID, leverage=3)
        return (await self.perp.position.risk(symbol=ID))[0]["leverage"]

    async def margin_type(self) -> Any:
        """Switch a flat symbol to isolated margin."""
        await self.perp.account.set_margin_type(QUIET, margin_type="ISOLATED")
        return (await self.perp.position.risk(symbol=QUIET))[0]["marginType"]

    async def positions(self) -> Any:
        """Read the open positions."""
        rows = await self.perp.position.risk()
        sides = {row["symbol"]: row["positionAmt"] for row in rows if row["positionAmt"]}
        return {symbol: ["long" if amount > 0 else "short", abs(amount)] for symbol, amount in sides.items()}

    async def transfer(self) -> Any:
        """Move money there and back, from either side."""
        there = await self.perp.wallet.transfer("25", asset="USDT", client_tran_id="move-1", kind_type="SPOT_FUTURE")
        back = await self.spot.wallet.transfer("5", asset="USDT", client_tran_id="move-2", kind_type="FUTURE_SPOT")
        return [there["tranId"], back["tranId"]]

    async def income(self) -> Any:
        """Read funding, and the whole statement of the perpetual wallet."""
        payments = await self.perp.account.income(income_type="FUNDING_FEE")
        rows = await self.perp.account.income()
        return {"funding": [row["income"] for row in payments], "rows": len(rows)}

    async def statement(self) -> Any:
        """Read the spot wallet's statement."""
        return len(await self.spot.account.transaction_history())

    async def brackets(self) -> Any:
        """Read the margin brackets."""
        rows = await self.perp.account.leverage_brackets(symbol=ID)
        return len(rows[0]["brackets"]) > 0

    async def book_stream(self, market: str) -> Any:
        """Wait for best bid and ask."""
        row = await first(self.of(market).streams.book_ticker(ID.lower()))
        return [row["b"], row["a"]]

    async def depth_stream(self) -> Any:
        """Wait for levels."""
        row = await first(self.perp.streams.partial_depth(ID.lower(), levels=5))
        return [row["b"][0][0], row["a"][0][0]]

    async def mark_stream(self) -> Any:
        """Wait for a mark price."""
        return (await first(self.perp.streams.mark_price_1s(ID.lower())))["p"]

    async def ticker_stream(self, market: str) -> Any:
        """Wait for the day's statistics twice: they come also where nothing changes."""
        return [row["c"] for row in await several(self.of(market).streams.ticker(ID.lower()))]

    async def candle_stream(self, market: str) -> Any:
        """Wait for the running candle twice."""
        return [row["k"]["c"] for row in await several(self.of(market).streams.kline(ID.lower(), interval="1m"))]

    async def trade_stream(self, market: str) -> Any:
        """Wait for trades of others twice."""
        return [row["p"] for row in await several(self.of(market).streams.agg_trade(ID.lower()))]

    async def user_stream(self, market: str, name: str) -> Any:
        """Receive the report of an own order."""
        side = self.of(market)
        key = (await side.listen_key.start())["listenKey"]
        async with side.user_stream.events(key) as events:
            await side.trade.place_order({**limit("90", "1", "GTC"), "newClientOrderId": name})
            async for event in events:
                if event["e"] in {"executionReport", "ORDER_TRADE_UPDATE"}:
                    break
        await side.listen_key.keepalive()
        await self.cancel(market, name)
        order = event.get("o") if market == "perp" else event
        return [order["i"], order["c"]]


def limit(price: str, quantity: str, time_in_force: str) -> dict[str, Any]:
    """Return a limit order to buy."""
    return {
        "symbol": ID,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": time_in_force,
        "quantity": quantity,
        "price": price,
    }


def millis(at: Any) -> int:
    """Return a time as milliseconds."""
    return at if isinstance(at, int) else round(at.timestamp() * 1000)


async def first(stream: Any) -> Any:
    """Return the first message of a stream."""
    return (await several(stream, 1))[0]


async def several(stream: Any, count: int = 2) -> list[Any]:
    """Return the first messages of a stream."""
    found: list[Any] = []
    async with stream as messages:
        async for message in messages:
            found.append(message)
            if len(found) == count:
                return found
    raise TimeoutError("the stream ended")


async def read(trial: Trial) -> None:
    """Read everything, and change what no order depends on."""
    await report("markets", trial.markets)
    await report("funding rate", trial.funding_rate)
    await report("settled rates", trial.settled_rates)
    await report("books", trial.books)
    await report("tickers", trial.tickers)
    await report("candles", trial.candles)
    await report("balances", trial.balances)
    await report("accounts", trial.accounts)
    await report("agents", trial.agents)
    await report("fees", trial.fees)
    await report("brackets", trial.brackets)
    await report("leverage", trial.leverage)
    await report("margin type", trial.margin_type)


async def trade(trial: Trial) -> None:
    """Place orders of every kind, and read what came of them."""
    market = {"symbol": ID, "side": "BUY", "type": "MARKET", "quantity": "2"}
    for name in ("spot", "perp"):
        await report(f"{name} limit order", partial(trial.limit_order, name, f"rest-{name}"))
        await report(f"{name} market order", partial(trial.order, name, market, f"mkt-{name}"))
        await report(f"{name} IOC order", partial(trial.order, name, limit("101", "2", "IOC"), f"ioc-{name}"))
        await report(f"{name} post-only order", partial(trial.order, name, limit("101", "2", "GTX"), f"gtx-{name}"))
    sale = {**market, "side": "SELL", "reduceOnly": "true"}
    await report("reduce-only order", partial(trial.order, "perp", sale, "reduce"))
    await report("stop order", trial.stop_order)
    await report("batch orders", trial.batch)
    await report("refusal", trial.refusal)
    for name in ("spot", "perp"):
        await report(f"{name} trades", partial(trial.trades, name))
    await report("positions", trial.positions)
    await report("transfer", trial.transfer)
    await report("income", trial.income)
    await report("statement", trial.statement)


async def listen(trial: Trial) -> None:
    """Receive prices and reports of the account."""
    for name in ("spot", "perp"):
        await report(f"{name} book stream", partial(trial.book_stream, name))
        await report(f"{name} ticker stream", partial(trial.ticker_stream, name))
        await report(f"{name} candle stream", partial(trial.candle_stream, name))
        await report(f"{name} trade stream", partial(trial.trade_stream, name))
        await report(f"{name} user stream", partial(trial.user_stream, name, f"user-{name}"))
    await report("depth stream", trial.depth_stream)
    await report("mark stream", trial.mark_stream)


async def main() -> None:
    """Try everything, in an order that leaves known states behind."""
    async with connect() as client:
        trial = Trial(client)
        await read(trial)
        await trade(trial)
        await listen(trial)


asyncio.run(main())
