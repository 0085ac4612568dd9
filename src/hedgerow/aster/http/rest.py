"""One REST request: rate limit, signature, time-out. Reads are retried, writes never."""

from collections.abc import Callable, Mapping
from random import Random

from msgspec import Struct, field

from hedgerow.aster.endpoints import Hosts
from hedgerow.aster.http.error_codes import TOO_MANY_ORDERS, error_body, failure
from hedgerow.aster.http.nonces import VenueTime
from hedgerow.aster.http.rate_limits import Limiter, Priority
from hedgerow.aster.http.signing import Param, RequestSigner, Signed, encode
from hedgerow.aster.schema.market_rows import ServerTime, decode, from_millis
from hedgerow.domain.errors import NotSent, OutcomeUnknown, RateLimited, Unauthorized, VenueError
from hedgerow.domain.instrument import Market
from hedgerow.ports import Clock, HttpRequest, HttpResponse, Transport

__all__ = ["FORM", "Call", "RestClient"]

READ_ATTEMPTS = 3
READ_TIMEOUT_SECONDS, WRITE_TIMEOUT_SECONDS = 5.0, 10.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
"""What every client that is known to trade on Aster declares on a write, with parameters in the query as well
(docs/aster-api.md section 15); without it an HTTP client declares ``application/octet-stream``."""
FIRST_PAUSE_SECONDS = 0.2
"""Before the second attempt; doubled for each further one, and drawn from half to all of it."""


class Call(Struct, frozen=True, kw_only=True):
    """One endpoint with its parameters."""

    market: Market
    """Whose host; the futures host answers for the account as a whole."""
    path: str
    """V3 path."""
    method: str = "GET"
    params: Mapping[str, Param] = field(default_factory=dict[str, Param])
    weight: int = 1
    orders: int = 0
    """How many orders it counts as."""
    signed: bool = False
    priority: Priority = Priority.SCAN
    nonce: int | None = None
    """A nonce that was reserved for this request, or one to use again so that it is burnt; None takes a new one."""

    @property
    def safe(self) -> bool:
        """Whether sending it twice changes nothing."""
        return self.method == "GET"

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.method} {self.market} {self.path.rsplit('/v3/', 1)[-1]}"


class RestClient:
    """Carries calls to the venue; one limiter per host.

    Raises, from every call:
        NotSent, RateLimited: nothing happened there. Unauthorized, Rejected: refused, nothing happened.
        OutcomeUnknown: no answer that says so.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        clock: Clock,
        hosts: Hosts,
        random: Random,
        time: VenueTime | None = None,
        signer: RequestSigner | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._hosts = hosts
        self._random = random
        self._signer = signer
        self.time = time if time is not None else VenueTime(clock)
        self.limiters = {market: Limiter(clock) for market in Market}

    async def call(self, call: Call, *, on_signed: Callable[[int | None], None] | None = None) -> bytes:
        """Return the body of the answer; ``on_signed`` gets each nonce (V1: None) before the request is sent."""
        attempts = READ_ATTEMPTS if call.safe else 1
        for attempt in range(1, attempts):
            try:
                return await self._once(call, on_signed)
            except (NotSent, OutcomeUnknown):
                pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
                await self._clock.sleep(pause * (1 + self._random.random()) / 2)
            except Unauthorized:
                if not await self._corrected():
                    raise
        return await self._once(call, on_signed)

    async def synchronise(self) -> float:
        """Measure the venue's time against ours; returns the offset in seconds, positive when theirs is ahead."""
        sent = self._clock.now()
        body = await self._once(Call(market=Market.PERP, path="/fapi/v3/time", priority=Priority.SAFETY), None)
        server = from_millis(decode(body, ServerTime).server_time)
        return self.time.measure(server, sent=sent, received=self._clock.now()).total_seconds()

    async def _corrected(self) -> bool:
        """After a refused read: measure the clocks, and say whether they had been apart enough to explain it."""
        if self._signer is None:
            return False
        before = self.time.offset
        try:
            await self.synchronise()
        except VenueError:
            return False
        return abs((self.time.offset - before).total_seconds()) > 1

    async def _once(self, call: Call, on_signed: Callable[[int | None], None] | None) -> bytes:
        limiter = self.limiters[call.market]
        await limiter.admit(call.weight, orders=call.orders, priority=call.priority)
        signed = self._signed(call)
        if on_signed is not None:
            on_signed(signed.nonce)
        response = await self._sent(call, self._request(call, signed))
        limiter.heed(response.headers)
        error = failure(response, call.name, now=self.time.now(), write=not call.safe)
        if isinstance(error, RateLimited):
            reported = error_body(response.body)
            limiter.block(
                error.retry_after_seconds, orders_only=reported is not None and reported.code == TOO_MANY_ORDERS
            )
        if error is not None:
            raise error
        return response.body

    def _signed(self, call: Call) -> Signed:
        query = encode(call.params)
        if not call.signed:
            return Signed(query=query)
        if self._signer is None:
            raise Unauthorized(f"{call.name}: needs credentials, and none were given")
        return self._signer.sign(query, call.nonce)

    def _request(self, call: Call, signed: Signed) -> HttpRequest:
        path = self._signer.path(call.path) if self._signer and call.signed else call.path
        url = f"{self._hosts.rest(call.market)}{path}"
        return HttpRequest(
            method=call.method,
            url=f"{url}?{signed.query}" if signed.query else url,
            headers=signed.headers if call.safe else {**FORM, **signed.headers},
            timeout_seconds=READ_TIMEOUT_SECONDS if call.safe else WRITE_TIMEOUT_SECONDS,
        )

    async def _sent(self, call: Call, request: HttpRequest) -> HttpResponse:
        try:
            async with self._clock.timeout(request.timeout_seconds):
                return await self._transport.send(request)
        except TimeoutError as late:
            raise OutcomeUnknown(f"{call.name}: no answer within {request.timeout_seconds:.0f} s") from late
