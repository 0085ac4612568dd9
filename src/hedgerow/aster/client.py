"""A thin typed Aster client: one method per endpoint, one request per call; usable without the rest of Hedgerow."""

from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TypeAlias, TypeVar

from msgspec.structs import replace

from hedgerow.aster.credentials import Credentials
from hedgerow.aster.endpoints import MAINNET, Hosts
from hedgerow.aster.http.error_codes import OK, error_body
from hedgerow.aster.http.nonces import NonceSource, VenueTime
from hedgerow.aster.http.rate_limits import Priority, limits_of
from hedgerow.aster.http.rest import Call, RestClient
from hedgerow.aster.http.signing import AgentSigner, HmacSigner, Param, RequestSigner
from hedgerow.aster.schema import account_rows as account
from hedgerow.aster.schema import market_rows as wire
from hedgerow.domain.commands import TransferDirection, TransferFunds
from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import OrderRequest
from hedgerow.ports import Clock, Transport

__all__ = ["AsterClient", "KlineSeries"]

Params: TypeAlias = Mapping[str, Param]
Row = TypeVar("Row")
NonceHook: TypeAlias = Callable[[int | None], None]

ROOT = {Market.SPOT: "/api/v3", Market.PERP: "/fapi/v3"}
DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
ROWS = 1000
"""Most rows that one page of history holds."""
KLINE_WEIGHTS = ((99, 1), (499, 2), (ROWS, 5))
"""Weight of a page of klines by the most rows that it asks for."""
_KINDS = {TransferDirection.SPOT_TO_PERP: "SPOT_FUTURE", TransferDirection.PERP_TO_SPOT: "FUTURE_SPOT"}


class KlineSeries(StrEnum):
    """Which prices klines are made of (docs/aster-api.md 5.1 and 6.1)."""

    SPOT = "spot"
    """Trades of the spot market."""
    PERP = "perp"
    """Trades of the perpetual."""
    MARK = "mark"
    """Mark price of the perpetual."""
    INDEX = "index"
    """Index price of the perpetual's pair."""


_KLINES = {
    KlineSeries.SPOT: (Market.SPOT, "klines", "symbol"),
    KlineSeries.PERP: (Market.PERP, "klines", "symbol"),
    KlineSeries.MARK: (Market.PERP, "markPriceKlines", "symbol"),
    KlineSeries.INDEX: (Market.PERP, "indexPriceKlines", "pair"),
}
"""Host, endpoint, and the parameter that names the instrument."""


class AsterClient:
    """Aster's REST interface. Methods raise ``VenueError``; see ``RestClient`` for which and when.

    Without credentials only public data can be read. ``nonce_file`` keeps nonces apart when several processes sign
    with one key, or when the clock may be set back between runs.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        clock: Clock,
        random: Random,
        credentials: Credentials | None = None,
        hosts: Hosts = MAINNET,
        nonce_file: Path | None = None,
    ) -> None:
        time = VenueTime(clock)
        self.signer = _signer(credentials, hosts, time, nonce_file) if credentials else None
        self.credentials = credentials
        self.hosts = hosts
        self.gives_way = False
        """Whether reads leave room for a bot on the same address and wait for it: for long histories."""
        self.rest = RestClient(
            transport=transport, clock=clock, hosts=hosts, random=random, time=time, signer=self.signer
        )

    def giving_way(self) -> "AsterClient":
        """Return the same client, whose reads leave room for orders and for what a bot on the same address reads."""
        patient = copy(self)
        patient.gives_way = True
        return patient

    # --- public market data ------------------------------------------------------------------------------------------

    async def synchronise(self) -> float:
        """Measure the clocks; returns seconds that the venue's is ahead."""
        return await self.rest.synchronise()

    async def server_time(self) -> datetime:
        """Read the venue's time, to the millisecond, whatever the local clock says."""
        return wire.from_millis(wire.decode(await self._read(Market.PERP, "time"), wire.ServerTime).server_time)

    async def exchange_info(self, market: Market) -> tuple[wire.SymbolRow, ...]:
        """Read every listed symbol, and take over the limits that come with them."""
        return (await self.listing(market)).rows

    async def listing(self, market: Market) -> wire.Rows[wire.SymbolRow]:
        """Read every listed symbol as ``exchange_info`` does, and which of the rows cannot be read."""
        return self.listed(market, await self.capture(market, "exchangeInfo"))

    async def capture(self, market: Market, name: str) -> bytes:
        """Return the reply of a public endpoint without parameters as it came, e.g. of ``exchangeInfo``."""
        return await self._read(market, name)

    def listed(self, market: Market, reply: bytes) -> wire.Rows[wire.SymbolRow]:
        """Return the symbols of an ``exchangeInfo`` reply as ``listing`` does, and take over its limits."""
        info = wire.decode(reply, wire.ExchangeInfo)
        limits = limits_of(wire.read_rows(info.rate_limits or (), wire.RateLimitRow).rows)
        if limits:
            self.rest.limiters[market].configure(limits)
        found = wire.read_rows(info.symbols, wire.SymbolRow)
        if info.symbols and not found.rows:
            wire.decode(info.symbols[0], wire.SymbolRow)
        return wire.consistent(found, lambda row: row.symbol)

    async def premium_index(self) -> tuple[wire.PremiumRow, ...]:
        """Read mark, index and running funding estimate of every perpetual."""
        body = await self._read(Market.PERP, "premiumIndex", safety=True)
        return wire.consistent(wire.listed_rows(body, wire.PremiumRow), lambda row: row.symbol).rows

    async def book_tickers(self, market: Market) -> tuple[wire.BookTicker, ...]:
        """Read best bid and ask of every symbol of a market."""
        body = await self._read(market, "ticker/bookTicker", weight=2, safety=True)
        return wire.consistent(wire.listed_rows(body, wire.BookTicker), lambda row: row.symbol).rows

    async def depth(self, market: Market, symbol: str, limit: int = 50) -> wire.DepthReply:
        """Read the book of one symbol."""
        weight = DEPTH_WEIGHTS[limit]
        body = await self._read(market, "depth", {"symbol": symbol, "limit": limit}, weight=weight, safety=True)
        return wire.decode(body, wire.DepthReply)

    async def open_interest(self, symbol: str) -> wire.OpenInterest:
        """Read how much of a perpetual is held open, base units."""
        return wire.decode(await self._read(Market.PERP, "openInterest", {"symbol": symbol}), wire.OpenInterest)

    async def funding_info(self) -> tuple[wire.FundingInfoRow, ...]:
        """Read the funding interval of every perpetual."""
        body = await self._read(Market.PERP, "fundingInfo")
        return wire.consistent(wire.listed_rows(body, wire.FundingInfoRow), lambda row: row.symbol).rows

    async def funding_rates(
        self, *, symbol: str | None = None, since: datetime | None = None, limit: int = ROWS
    ) -> tuple[wire.FundingRateRow, ...]:
        """Read settled rates, oldest first: the newest ``limit``, or the first ``limit`` since a time."""
        return (await self.funding_page(symbol=symbol, since=since, limit=limit)).rows

    async def funding_page(
        self, *, symbol: str | None = None, since: datetime | None = None, limit: int = ROWS
    ) -> wire.Rows[wire.FundingRateRow]:
        """Read settled rates as ``funding_rates`` does, and how many rows the page has, readable or not."""
        start = None if since is None else wire.to_millis(since)
        params: dict[str, Param] = {"symbol": symbol, "startTime": start, "limit": limit}
        return wire.listed_rows(await self._read(Market.PERP, "fundingRate", params), wire.FundingRateRow)

    async def klines(
        self,
        series: KlineSeries,
        symbol: str,
        *,
        interval: str = "1h",
        since: datetime,
        until: datetime | None = None,
        limit: int = ROWS,
    ) -> wire.Rows[wire.KlineRow]:
        """Read the first ``limit`` klines that open in ``[since, until]``, oldest first, a running one included.

        How many rows the page has, readable or not, is in ``count``.
        """
        market, name, naming = _KLINES[series]
        end = None if until is None else wire.to_millis(until)
        params: dict[str, Param] = {naming: symbol, "interval": interval, "startTime": wire.to_millis(since)}
        weight = next(weight for most, weight in KLINE_WEIGHTS if limit <= most)
        body = await self._read(market, name, {**params, "endTime": end, "limit": limit}, weight=weight)
        return wire.rows_in(body, wire.KlineRow)

    async def tickers(self, market: Market) -> tuple[wire.TickerRow, ...]:
        """Read the 24 h statistics of every symbol of a market."""
        body = await self._read(market, "ticker/24hr", weight=40)
        return wire.consistent(wire.listed_rows(body, wire.TickerRow), lambda row: row.symbol).rows

    # --- account -----------------------------------------------------------------------------------------------------

    async def commission(self, market: Market, symbol: str) -> wire.CommissionRow:
        """Read the account's commission on a symbol."""
        body = await self._account(market, "commissionRate", {"symbol": symbol}, weight=20)
        return wire.decode(body, wire.CommissionRow)

    async def balances(self) -> tuple[account.BalanceRow, ...]:
        """Read every margin asset of the perpetual wallet."""
        return wire.decode_rows(await self._account(Market.PERP, "balance", weight=5), account.BalanceRow)

    async def positions(self, symbol: str | None = None) -> wire.Rows[account.PositionRow]:
        """Read the perpetual positions, flat symbols included, and which of the rows cannot be read."""
        body = await self._account(Market.PERP, "positionRisk", {"symbol": symbol}, weight=5)
        return wire.consistent(wire.listed_rows(body, account.PositionRow), lambda row: row.symbol, account.sided)

    async def brackets(self, symbol: str | None = None) -> tuple[account.SymbolBrackets, ...]:
        """Read the margin brackets of one perpetual, or of all."""
        return wire.decode_rows(
            await self._account(Market.PERP, "leverageBracket", {"symbol": symbol}), account.SymbolBrackets
        )

    async def perp_account(self) -> account.PerpAccountReply:
        """Read the perpetual wallet and every position together."""
        return account.perp_account_of(await self._account(Market.PERP, "accountWithJoinMargin", weight=5))

    async def spot_account(self) -> account.SpotAccount:
        """Read the spot wallet."""
        return account.spot_account_of(await self._account(Market.SPOT, "account", weight=5))

    async def hedge_mode(self) -> bool:
        """Return whether the account holds long and short of a symbol apart."""
        body = await self._account(Market.PERP, "positionSide/dual", weight=30)
        return wire.decode(body, account.PositionModeReply).dual_side_position

    async def multi_assets(self) -> bool:
        """Return whether all margin assets back all positions."""
        body = await self._account(Market.PERP, "multiAssetsMargin", weight=30)
        return wire.decode(body, account.MarginModeReply).multi_assets_margin

    async def agents(self) -> tuple[account.AgentRow, ...]:
        """Read the API wallets of the account and what each may do."""
        return wire.decode_rows(await self._account(Market.PERP, "agent"), account.AgentRow)

    async def trades(
        self, market: Market, symbol: str | None, *, start: datetime, end: datetime | None
    ) -> tuple[account.TradeRow, ...]:
        """Read our trades in a window of at most seven days, oldest first; every symbol only on the spot market.

        Raises:
            OutcomeUnknown: a trade that is, or may be, of the symbol asked for cannot be read, or one has two readings.
        """
        params = {"symbol": symbol, **_window(start, end)}
        body = await self._account(market, "userTrades", params, weight=5)
        rows = _complete(wire.listed_rows(body, account.TradeRow), symbol, "trades")
        # Two orders of the account that traded with one another have one trade.
        if len({(row.symbol, row.id, row.order_id) for row in rows}) < len(set(rows)):
            raise OutcomeUnknown(f"the exchange lists two readings of one trade of {symbol or 'the account'}")
        return rows

    async def income(
        self, *, start: datetime, end: datetime | None, kind: str | None = None
    ) -> tuple[account.IncomeRow, ...]:
        """Read the readable rows of the perpetual wallet in a window of at most seven days, oldest first."""
        params = {"incomeType": kind, **_window(start, end)}
        body = await self._account(Market.PERP, "income", params, weight=30)
        return _page(wire.listed_rows(body, account.IncomeRow), "income")

    async def transactions(self, *, start: datetime, end: datetime | None) -> tuple[account.TransactionRow, ...]:
        """Read the readable rows of the spot wallet in a window of at most seven days, oldest first."""
        body = await self._account(Market.SPOT, "transactionHistory", _window(start, end), weight=30)
        return _page(wire.listed_rows(body, account.TransactionRow), "transactions")

    # --- orders ------------------------------------------------------------------------------------------------------

    async def order(
        self, market: Market, symbol: str, *, client_id: str | None = None, order_id: int | None = None
    ) -> account.OrderRow:
        """Read one order by either id.

        Raises:
            OrderNotFound: there is none, or not yet.
        """
        params: dict[str, Param] = {"symbol": symbol, "orderId": order_id, "origClientOrderId": client_id}
        return wire.decode(await self._account(market, "order", params), account.OrderRow)

    async def open_orders(self, market: Market, symbol: str) -> tuple[account.OrderRow, ...]:
        """Read the orders resting on a symbol.

        Raises:
            OutcomeUnknown: one of them cannot be read.
        """
        body = await self._account(market, "openOrders", {"symbol": symbol})
        return _complete(wire.listed_rows(body, account.OrderRow), symbol, "open orders")

    async def all_orders(
        self, market: Market, symbol: str, *, start: datetime, end: datetime | None
    ) -> tuple[account.OrderRow, ...]:
        """Read the orders placed in a window of at most seven days.

        Raises:
            OutcomeUnknown: one of them cannot be read.
        """
        params = {"symbol": symbol, **_window(start, end)}
        body = await self._account(market, "allOrders", params, weight=5)
        return _complete(wire.listed_rows(body, account.OrderRow), symbol, "orders")

    def reserve(self) -> int | None:
        """Return a nonce for an order or a transfer to come, so that it can be noted before it leaves; V1 has none.

        Raises:
            NotSent: nonces cannot be kept.
        """
        return self.signer.reserve() if self.signer else None

    async def place(
        self, request: OrderRequest, *, nonce: int | None = None, on_signed: NonceHook | None = None
    ) -> account.OrderRow:
        """Send a limit order, with a reserved nonce or a new one; ``on_signed`` gets it before the request is sent.

        The perpetual's answer comes after matching, the spot market's before (docs/aster-api.md 6.2).
        """
        perp = request.market is Market.PERP
        params: dict[str, Param] = {
            "symbol": request.symbol,
            "side": request.side.value,
            "type": "LIMIT",
            "timeInForce": request.time_in_force.value,
            "quantity": request.quantity,
            "price": request.price,
            "newClientOrderId": request.client_id,
            "reduceOnly": True if perp and request.reduce_only else None,
            "newOrderRespType": "RESULT" if perp else None,
        }
        call = replace(_signed("POST", request.market, "order", params, orders=1), nonce=nonce)
        return wire.decode(await self.rest.call(call, on_signed=on_signed), account.OrderRow)

    async def cancel(self, market: Market, symbol: str, client_id: str) -> account.OrderRow:
        """Cancel an order by client id."""
        params: dict[str, Param] = {"symbol": symbol, "origClientOrderId": client_id}
        return wire.decode(await self.rest.call(_signed("DELETE", market, "order", params)), account.OrderRow)

    async def noop(self, market: Market, nonce: int) -> None:
        """Burn a nonce: a request signed with it that did not arrive yet is refused from now on."""
        _expect_success(await self.rest.call(replace(_signed("POST", market, "noop"), nonce=nonce)), "noop")

    # --- settings and transfers --------------------------------------------------------------------------------------

    async def transfer(
        self, command: TransferFunds, *, nonce: int | None = None, on_signed: NonceHook | None = None
    ) -> account.TransferReply:
        """Move an asset between the wallets; a repeat under the same id is refused with -4115."""
        params: dict[str, Param] = {
            "amount": command.amount,
            "asset": command.asset,
            "clientTranId": command.transfer_id,
            "kindType": _KINDS[command.direction],
        }
        call = replace(_signed("POST", Market.PERP, "asset/wallet/transfer", params, weight=5), nonce=nonce)
        return wire.decode(await self.rest.call(call, on_signed=on_signed), account.TransferReply)

    async def set_leverage(self, symbol: str, leverage: int) -> int:
        """Set the leverage of a perpetual; returns what the venue confirmed."""
        call = _signed("POST", Market.PERP, "leverage", {"symbol": symbol, "leverage": leverage})
        return wire.decode(await self.rest.call(call), account.LeverageReply).leverage

    async def set_crossed(self, symbol: str) -> None:
        """Switch a perpetual to CROSSED margin; refused with -4046 when it is so already."""
        params: Params = {"symbol": symbol, "marginType": "CROSSED"}
        _expect_success(await self.rest.call(_signed("POST", Market.PERP, "marginType", params)), "marginType")

    async def arm_dead_man(self, symbol: str, seconds: int) -> None:
        """Let every perpetual order of ``symbol`` be cancelled in so many seconds; 0 stops the switch."""
        params: Params = {"symbol": symbol, "countdownTime": seconds * 1000}
        call = _signed("POST", Market.PERP, "countdownCancelAll", params, weight=10)
        wire.decode(await self.rest.call(call), account.CountdownReply)

    # --- user data stream --------------------------------------------------------------------------------------------

    async def open_listen_key(self, market: Market) -> str:
        """Return the account's key for its user data stream; a live one is prolonged."""
        return wire.decode(await self.rest.call(_signed("POST", market, "listenKey")), account.ListenKey).listen_key

    async def renew_listen_key(self, market: Market, listen_key: str) -> None:
        """Keep a key alive for another hour."""
        await self.rest.call(_signed("PUT", market, "listenKey", {"listenKey": listen_key}))

    # --- one request -------------------------------------------------------------------------------------------------

    async def _read(
        self, market: Market, name: str, params: Params | None = None, *, weight: int = 1, safety: bool = False
    ) -> bytes:
        priority = Priority.BULK if self.gives_way else Priority.SAFETY if safety else Priority.SCAN
        call = Call(market=market, path=f"{ROOT[market]}/{name}", params=params or {}, weight=weight, priority=priority)
        return await self.rest.call(call)

    async def _account(self, market: Market, name: str, params: Params | None = None, *, weight: int = 1) -> bytes:
        call = _signed("GET", market, name, params, weight=weight)
        return await self.rest.call(replace(call, priority=Priority.SCAN) if self.gives_way else call)


def _signer(credentials: Credentials, hosts: Hosts, time: VenueTime, nonce_file: Path | None) -> RequestSigner:
    if credentials.legacy:
        return HmacSigner(credentials, time=time)
    return AgentSigner(credentials, chain_id=hosts.chain_id, nonces=NonceSource(time, nonce_file))


def _signed(
    method: str, market: Market, name: str, params: Params | None = None, *, weight: int = 1, orders: int = 0
) -> Call:
    return Call(
        market=market,
        path=f"{ROOT[market]}/{name}",
        method=method,
        params=params or {},
        weight=weight,
        orders=orders,
        signed=True,
        priority=Priority.SAFETY,
    )


def _window(start: datetime, end: datetime | None) -> dict[str, Param]:
    return {
        "startTime": wire.to_millis(start),
        "endTime": None if end is None else wire.to_millis(end),
        "limit": ROWS,
    }


def _complete(found: wire.Rows[Row], symbol: str | None, name: str) -> tuple[Row, ...]:
    """Return the rows of one symbol's list, or of all symbols, where none is hidden.

    Raises:
        OutcomeUnknown: a row that belongs to it cannot be read, so that what is missing proves nothing.
    """
    if found.nameless or (found.unreadable if symbol is None else symbol in found.unreadable):
        raise OutcomeUnknown(f"the exchange lists {name} of {symbol or 'the account'} that cannot be read")
    if symbol is not None and any(getattr(row, "symbol", symbol) != symbol for row in found.rows):
        raise OutcomeUnknown(f"the exchange lists {name} of another symbol where those of {symbol} were asked for")
    return found.rows


def _page(found: wire.Rows[Row], name: str) -> tuple[Row, ...]:
    """Return the readable rows of a page of history.

    Raises:
        OutcomeUnknown: the page is full and hides rows, so that the next one is unknown.
    """
    if found.count >= ROWS > len(found.rows):
        raise OutcomeUnknown(f"the exchange lists a full page of {name} with rows that cannot be read")
    return found.rows


def _expect_success(body: bytes, name: str) -> None:
    """Check the answer of a write that answers with a code and a message alone.

    Raises:
        OutcomeUnknown: it is no success.
    """
    error = error_body(body)
    if error is None or error.code != OK:
        raise OutcomeUnknown(f"the exchange did not answer {name} with success")
