"""Ports: what the engine needs from outside, as protocols that adapters implement."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from msgspec import Struct, field

from hedgerow.domain.account import AccountView, OpenOrder, PerpPosition
from hedgerow.domain.commands import Command
from hedgerow.domain.events import Event, FlowKind, Wallet
from hedgerow.domain.funding import FundingPayment, FundingRate
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.notifications import Notification
from hedgerow.domain.operator_requests import Answer, Claim, OperatorRequest
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.domain.records.time_series import DecisionCount, PairCost, PairRate, PaymentMade, SeriesBatch, SeriesPoint

__all__ = [
    "LARGEST_REPLY",
    "AccountHistory",
    "AccountHistoryReader",
    "Clock",
    "HttpRequest",
    "HttpResponse",
    "Liquidity",
    "Mailbox",
    "MarketData",
    "MarketPrices",
    "NotificationSource",
    "StateKeeper",
    "StatementRow",
    "Store",
    "StreamConnection",
    "StreamTransport",
    "TimeSeriesStore",
    "Timer",
    "Transport",
    "Venue",
    "VenueRules",
]


class Timer(Protocol):
    """Something that is due once."""

    def cancel(self) -> None:
        """Let it not happen any more; without effect afterwards."""
        ...


class Clock(Protocol):
    """The only owner of time; nothing else reads the wall clock or sleeps."""

    def now(self) -> datetime:
        """Return the present time, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; under a virtual clock the time jumps as soon as every task waits."""
        ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context that raises ``TimeoutError`` in its body after ``seconds``."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` after ``seconds``, unless the timer is cancelled before."""
        ...


class StatementRow(Struct, frozen=True, kw_only=True):
    """A venue row that is no order, fee, funding or transfer of the bot's."""

    row_id: str
    """Unique for ever."""
    wallet: Wallet
    asset: str
    amount: Decimal
    """Signed change of the wallet balance."""
    kind: FlowKind
    at: datetime
    symbol: str = ""
    """Instrument that it is about; empty where the venue does not say."""
    tran_id: int = 0
    """The venue's number of it, unique among rows of one type; 0 where it has none."""
    trade_id: int = 0
    """Number of the trade on ``symbol`` that it names; 0 = none."""


class AccountHistory(Struct, frozen=True, kw_only=True):
    """Everything that the venue wrote down about the account over a time, the bot's part and the owner's."""

    fills: tuple[Fill, ...]
    """Every trade of either market, oldest first, with the client id of its order where the venue still knows it."""
    payments: tuple[FundingPayment, ...]
    rows: tuple[StatementRow, ...]
    """Every other change of a wallet: transfers of the bot too, and what trades by hand changed, asset by asset."""


class AccountHistoryReader(Protocol):
    """A venue that shows all of its record of the account: what an audit asks for, and no bot."""

    async def record(self, since: datetime) -> AccountHistory:
        """Read everything since a time, paged as far back as asked.

        Raises:
            VenueError: a part of it cannot be read.
        """
        ...


class VenueRules(Struct, frozen=True, kw_only=True):
    """Rules of a venue for what is sent to it; rules of one pair are in its ``Instrument`` values."""

    max_client_id_length: int
    """Longest client order id that it accepts, characters of ``[A-Za-z0-9_-]``."""


class Venue(Protocol):
    """One account on one venue: one read method per subject, one method that writes.

    Reads raise ``VenueError`` when they cannot be answered; they never return a default instead.
    """

    @property
    def name(self) -> str:
        """Display name."""
        ...

    @property
    def rules(self) -> VenueRules:
        """What it accepts; constant for as long as the process runs."""
        ...

    async def market(self, periods: int) -> MarketView:
        """Read the whole market, with at least ``periods`` newest settled rates per symbol where they exist."""
        ...

    async def account(self) -> AccountView:
        """Read both wallets, positions and account modes."""
        ...

    async def position(self, symbol: str) -> PerpPosition:
        """Read one perpetual position now, from another endpoint than ``account`` does; quantity 0 = flat.

        Never cached. An answer without a row of ``symbol`` is unreadable, not flat.
        """
        ...

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read the visible book of one instrument."""
        ...

    async def open_interest(self, symbol: str) -> Decimal:
        """Read how much of a perpetual is held open, base units, all accounts together and each contract once.

        Raises:
            VenueError: it cannot be read, or the venue does not report it.
        """
        ...

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        """Read a pair as the venue lists it: grids, minimums, maximums, price bands, status and commission.

        The reading is at most as old as the listing may be; ``fresh`` reads the listing again first.

        Raises:
            VenueError: the listing cannot be read, or the pair is not listed any more.
        """
        ...

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Read the orders resting on either market of ``symbol``, of the bot or not."""
        ...

    def blocked_seconds(self, market: Market) -> float:
        """Return for how long the venue is known to refuse every order of one market; 0 when nothing is known.

        Nothing is sent.
        """
        ...

    def reserve(self, command: Command) -> int | None:
        """Return the number that ``submit`` will send this command with, to be logged with the intent.

        A later run that finds it in the log can make a request that is still under way worthless. None where the
        venue has no such numbers, or none for this command. Nothing is sent.
        """
        ...

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Carry out one command and return what is known to have happened, oldest first.

        Never raises for what the venue answers or fails to answer: a refusal, an unknown outcome and a request
        that never left (an order ended with nothing filled) are events.
        """
        ...

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Find out what became of an order, by its client id.

        Returns ``OrderEnded`` when it is final, which includes "certainly never arrived" (nothing filled);
        ``OrderProgressed`` while it still works; ``OrderOutcomeUnknown`` as long as nothing is certain.
        """
        ...

    async def watch(self, request: OrderRequest, filled: Decimal, seconds: float) -> tuple[Event, ...]:
        """Wait until a resting order has filled more than ``filled`` or ended, at most so long; return what is known.

        Nothing when it did not move; ``OrderOutcomeUnknown`` when that is unknown.
        """
        ...

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Read our trades on one instrument since a time, oldest first, paged as far back as asked."""
        ...

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Read all funding payments since a time, oldest first, paged as far back as asked."""
        ...

    async def statement(self, since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        """Read the rows since a time that the bot did not cause, oldest first; ``until``: none after it.

        Never takes room from orders and from reads that safety needs, where the venue limits requests.
        """
        ...


class NotificationSource(Protocol):
    """A venue that reports what happens to its account without being asked."""

    @property
    def streaming(self) -> bool:
        """Whether everything that happens now is reported; False while any of its streams is down or silent."""
        ...

    def subscribe(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call ``listener`` with every notification from now on; returns what ends that.

        The listener is called between two steps of the event loop and must not wait.
        """
        ...

    def follow(self, *symbols: str) -> None:
        """Report mark, interval and status of these symbols alone."""
        ...


class HttpRequest(Struct, frozen=True, kw_only=True):
    """One HTTP request, complete: nothing may be added, encoded again or put into another order on its way."""

    method: str
    url: str
    """Absolute, with the query string exactly as it was signed."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    timeout_seconds: float = 10.0
    """Longest wait for the answer; the sender of the request enforces it on its clock as well."""


class HttpResponse(Struct, frozen=True, kw_only=True):
    """One HTTP answer, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names in lower case."""
    body: bytes = b""


LARGEST_REPLY: Final = 64 * 2**20
"""Bytes of a body, unpacked, that a transport accepts; the largest reply of the exchange has under two million."""


class Transport(Protocol):
    """The way of a request to a venue and of its answer back: sockets, or a venue in the same process."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request once and return the answer; a redirect is an answer, never followed.

        Raises:
            NotSent: the request certainly never left.
            OutcomeUnknown: no whole answer came back; the request may have been executed.
        """
        ...


class StreamConnection(Protocol):
    """One open stream of messages."""

    async def receive(self) -> str | bytes:
        """Wait for the next data message; pings are answered on the way.

        Raises:
            VenueError: the connection ended.
        """
        ...

    async def send(self, text: str) -> None:
        """Send one text message.

        Raises:
            VenueError: the connection ended.
        """
        ...

    async def close(self) -> None:
        """Close the connection; a waiting ``receive`` raises."""
        ...


class StreamTransport(Protocol):
    """Opens streams of messages from a venue."""

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        """Return a context that holds an open connection; entering it raises ``NotSent`` when it cannot be opened."""
        ...


class Store(Protocol):
    """The append-only event log of one bot."""

    async def load(self) -> Ledger:
        """Return the fold of every event appended so far.

        Raises:
            StoreError: the log is corrupt or written by a newer version.
        """
        ...

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append events as one transaction; ``durable`` returns only once they would survive a power cut."""
        ...

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return the events after the first ``after`` ones, oldest first."""
        ...

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep the fold of everything appended so far, so that the next load need not repeat it."""
        ...

    async def close(self) -> None:
        """Release the log."""
        ...


class TimeSeriesStore(Protocol):
    """What screens show of a bot's past and its event log does not hold; it may be lost without harm.

    The calls are synchronous and may wait for a disk or a database: no bot makes them on the thread that trades.
    Every call may raise ``StoreError``.
    """

    def add(self, batch: SeriesBatch) -> None:
        """Add what is new; what is there already stays as it is."""
        ...

    def points(self, since: datetime, until: datetime | None = None) -> tuple[SeriesPoint, ...]:
        """Return the points after ``since``, up to and including ``until``, oldest first."""
        ...

    def first_points(self, count: int) -> tuple[SeriesPoint, ...]:
        """Return the oldest points at which a hedge was held, oldest first."""
        ...

    def decisions(self, count: int) -> tuple[DecisionCount, ...]:
        """Return the newest decisions, newest first."""
        ...

    def payments(self, count: int) -> tuple[PaymentMade, ...]:
        """Return the newest funding payments, newest first."""
        ...

    def rates(self, since: datetime, symbols: Sequence[str] | None = None) -> tuple[PairRate, ...]:
        """Return the settled rates after ``since``, oldest first; ``symbols`` None = of every pair."""
        ...

    def costs(self) -> tuple[PairCost, ...]:
        """Return what trading each pair costs."""
        ...

    def close(self) -> None:
        """Release it; may be called twice."""
        ...


class Mailbox(Protocol):
    """How a person's requests reach a running bot.

    A request is valid for a limited time, by the clock of the place where it waits: the bot's own may be simulated.
    """

    def take(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that were not begun or answered yet, in the order in which they were asked.

        Raises:
            StoreError: another bot has taken over the account: this one must end.
        """
        ...

    def claim(self, request_id: str) -> Claim:
        """Make a request this process's to carry out, at once, unless it has expired or was withdrawn.

        Raises:
            MailboxError: that cannot be written; the request is not taken again.
        """
        ...

    def abandoned(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that an earlier process claimed and never answered."""
        ...

    def answer(self, request_id: str, answer: Answer) -> None:
        """Say how a request ended and put it away.

        Raises:
            MailboxError: the answer cannot be written; the request is not taken again.
        """
        ...


class StateKeeper(Protocol):
    """Keeps what the bot knows in a file for others, besides its log."""

    def save(self, ledger: Ledger, at: datetime) -> str | None:
        """Write the file so that it survives a power cut; return why it could not be written, None when it was."""
        ...


class MarketPrices(Struct, frozen=True, kw_only=True):
    """Prices of one pair as known at one time, in quote units."""

    spot: Decimal
    """Middle of the spot book."""
    perp: Decimal
    """Middle of the perpetual's book."""
    mark: Decimal
    index: Decimal | None = None
    """Index price of the perpetual's underlying; None = the spot price."""


class Liquidity(Struct, frozen=True, kw_only=True):
    """Shape of one instrument's book."""

    half_spread_bps: Decimal
    """Distance of the touch from the middle."""
    depth_notional: Decimal
    """Quote units visible within 10 bp of the touch, per side."""


class MarketData(Protocol):
    """Market history. It never shows what was not known at the time asked."""

    @property
    def start(self) -> datetime:
        """First time that can be asked for."""
        ...

    @property
    def end(self) -> datetime:
        """Last time that can be asked for."""
        ...

    @property
    def step(self) -> timedelta:
        """Prices change only at multiples of this since the epoch."""
        ...

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Pairs with data, in a stable order."""
        ...

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each symbol's series come from, in words."""
        ...

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the newest prices known at ``at``; None before the first and inside a gap."""
        ...

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:
        """Return the shape of the book at ``at``."""
        ...

    def volume(self, symbol: str, at: datetime) -> Decimal:
        """Return the perpetual's 24 h quote volume as known at ``at``."""
        ...

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``, oldest first, at their real times."""
        ...

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest rates settled at or before ``at``, oldest first."""
        ...

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the estimate for the next settlement as known at ``at``; None where it cannot be known."""
        ...
