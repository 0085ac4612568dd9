"""Simulated runs through the wire: the live client and its streams over a network in memory."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from coincurve import PrivateKey
from msgspec.structs import replace

from hedgerow.app.venues.live import LiveExchange
from hedgerow.aster import AsterClient, Credentials
from hedgerow.aster.credentials import address_of
from hedgerow.aster.endpoints import MAINNET
from hedgerow.aster.http.rest import READ_TIMEOUT_SECONDS, WRITE_TIMEOUT_SECONDS
from hedgerow.clock import VirtualClock
from hedgerow.domain.order import Fill
from hedgerow.emulator.core.snapshot import WorldOptions
from hedgerow.emulator.core.world import World
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.wire.exchange import account_events as events
from hedgerow.emulator.wire.exchange.exchange import Exchange, ExchangeRules
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.faults import RequestFault, StreamFault
from hedgerow.emulator.wire.rest.router import RestReply
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.ports import MarketData, Store
from hedgerow.simulation.causes import Cause, CauseSpan
from hedgerow.simulation.faults.crashes import CrashPoint
from hedgerow.simulation.faults.incidents import Incident, apply_incident
from hedgerow.simulation.faults.network import Network, NetworkLink
from hedgerow.simulation.faults.wire import (
    DeadKey,
    LaggingAccount,
    RequestFaultAct,
    StoppedBooks,
    StreamFaultAct,
    WrongClock,
)
from hedgerow.simulation.harness import ROUND_TRIPS, BotSession, span_from, spans_of
from hedgerow.simulation.scenario import Act, Hearing, RunPlan, network_cuts

__all__ = ["WireHarness"]

USER = "0x1111111111111111111111111111111111111111"
KEY = f"{1:064x}"
SIGNER = address_of(PrivateKey.from_int(1))
BOOT_SECONDS = 1.0
"""A process does not begin in the microsecond in which another ended: its nonces are later ones."""
PACE_SECONDS = 1.0
"""How often the public streams send."""
LIMITED = {418, 429}
FIRST_PAUSE_SECONDS = 240.0
"""Between a reading of the statement that does not explain a difference of the books and the next one."""
ORDER_PAUSE_SECONDS = 10.0
"""What a client waits after a limit that does not say how long: the shorter window of the order limits."""


class WireHarness:
    """One account on a wired exchange."""

    def __init__(
        self,
        market_data: MarketData,
        clock: VirtualClock,
        plan: RunPlan,
        random: Random,
        *,
        spot: Mapping[str, Decimal],
        options: WorldOptions,
    ) -> None:
        rules = ExchangeRules(
            spot_delay_seconds=plan.spot_delay_seconds, hide_orders_seconds=plan.hide_orders_seconds, world=options
        )
        self._plan = plan
        self._clock = clock
        self._random = random
        self._exchange = Exchange(market_data, start=plan.begin, rules=rules)
        self._exchange_account = self._exchange.open_account(USER, spot=spot, perp=plan.usdt)
        self._exchange.permit(USER, Agent(signer=SIGNER.lower()))
        time = ExchangeClock(clock, plan.begin)
        self._venue = WireVenue(self._exchange, time, seed=plan.seed, pace_seconds=PACE_SECONDS)
        self._venue.watchers.append(self._answered)
        transport = MemoryTransport(
            self._venue, clock, latency=LatencyModel(median_seconds=plan.latency_seconds), random=random
        )
        self._network = Network(transport, clock, network_cuts(plan.drawn_faults))
        self.spans = spans_of(plan)
        self.wakes = False

    @property
    def now(self) -> datetime:
        """The time of the run."""
        return self._clock.now()

    @property
    def world(self) -> World:
        """The account and its market, brought to the present time."""
        self.advance()
        return self._exchange_account.world

    @property
    def faulted(self) -> int:
        """Number of requests that met a fault or a cut connection."""
        return self._venue.faults.faulted + self._network.faulted

    @property
    def injected(self) -> int:
        """These, and the messages that met a fault."""
        return self.faulted + self._venue.faults.faulted_messages

    @property
    def is_behind(self) -> bool:
        """Whether the account is still shown as it was before a command or a trade."""
        self.advance()
        return self._exchange_account.is_behind

    @property
    def patience_seconds(self) -> float:
        """An order and a look-up without an answer, delayed rows, and requests in transit.

        The window of a nonce is no part of it: the state IN_DOUBT has its own time.
        """
        lag = max((t.seconds for t in self._plan.drawn_faults if isinstance(t, LaggingAccount)), default=0.0)
        delayed = self._plan.spot_delay_seconds + self._plan.hide_orders_seconds
        return WRITE_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS + lag + delayed + ROUND_TRIPS * self._plan.latency_seconds

    def client_id_of(self, fill: Fill) -> str:
        """Return the client id of the order behind a trade; the world names it by the wire's number of the order."""
        number = fill.client_id.partition(".")[0]
        exchange_order = self._exchange_account.exchange_orders.get(int(number)) if number.isdigit() else None
        return exchange_order.client_id if exchange_order else ""

    def advance(self) -> None:
        """Bring the exchange to the present time."""
        now = self._clock.now()
        if self._exchange.now < now:
            self._exchange.advance(now)

    def calm(self) -> None:
        """Let nothing go wrong any more; what is under way still arrives."""
        self._venue.faults.clear()
        self._exchange_account.lag(0.0)
        self._network.calm()
        self._exchange.rules = replace(self._exchange.rules, hide_orders_seconds=0.0)

    def inject(self, act: Act) -> Act | None:
        """Let something happen to the account, the market or the answers."""
        self.advance()
        span = span_from(act, self.now)
        self.spans += [span] if span else []
        following = (
            apply_incident(act, self._exchange_account.world) if isinstance(act, Incident) else self._disturb(act)
        )
        self._exchange.settle()
        self._venue.tick()
        return following

    @asynccontextmanager
    async def session(self, store: Store, crash_point: CrashPoint) -> AsyncGenerator[BotSession]:
        """Start a client, as a new process would, and keep it connected."""
        await self._clock.sleep(BOOT_SECONDS)
        hearing = self._plan.hearing
        line = NetworkLink(self._network, crash_point, has_market_streams=hearing is Hearing.ALL)
        credentials = Credentials(user=USER, signer=SIGNER, private_key=KEY)
        client = AsterClient(
            transport=line, clock=self._clock, random=self._random, credentials=credentials, hosts=MAINNET
        )
        live = LiveExchange(line, client, self._clock, self._random)
        async with live.open_connection(store, stay=hearing is not Hearing.NOTHING):
            yield BotSession(venue=live.venue, notifications=True, poll_seconds=live.poll_seconds, observers=(live,))

    def _disturb(self, act: Act) -> Act | None:
        faults, now = self._venue.faults, self._exchange.now
        match act:
            case RequestFaultAct() | StreamFaultAct():
                faults.add(act.fault, now)
                self.spans += self._late_rows(act.fault)
            case WrongClock():
                faults.skew_seconds = act.seconds
                return self._ending(act)
            case LaggingAccount():
                self._exchange_account.lag(act.seconds)
                return self._ending(act)
            case StoppedBooks():
                lasts = act.until - act.at
                self._exchange.stop_books(lasts.total_seconds())
                self.spans.append(CauseSpan(begin=now, end=now + lasts, cause=Cause.STALE))
            case DeadKey():
                if act.announced:
                    self._exchange_account.publish(act.market, events.listen_key_expired(self._exchange_account.world))
                self._exchange_account.close_listen_key(act.market)
            case _:
                pass
        return None

    def _late_rows(self, fault: RequestFault | StreamFault) -> list[CauseSpan]:
        """Return the span in which a bot may lack rows that are listed late; none for other faults.

        It reads again after pauses that double: so it may be late by as much again as rows were hidden.
        """
        if not isinstance(fault, RequestFault) or fault.fault is not FaultKind.LATE_ROWS:
            return []
        now = self._exchange.now
        end = now + timedelta(seconds=2 * (fault.for_seconds or 0.0) + FIRST_PAUSE_SECONDS)
        return [CauseSpan(begin=now, end=end, cause=Cause.FALSE, explains=False)]

    def _ending(self, act: WrongClock | LaggingAccount) -> Act | None:
        """Return the end of a span in which the exchange reports wrong values; None when this was it."""
        if not act.seconds:
            return None
        self.spans.append(CauseSpan(begin=act.at, end=act.until, cause=Cause.STALE))
        return replace(act, at=act.until, seconds=0.0)

    def _answered(self, _: WireRequest, answer: RestReply) -> None:
        """Record how long the client has to wait."""
        response = answer.response
        if response is not None and response.status in LIMITED:
            seconds = float(response.headers.get("retry-after", ORDER_PAUSE_SECONDS))
            now = self._exchange.now
            self.spans.append(CauseSpan(begin=now, end=now + timedelta(seconds=seconds), cause=Cause.OUTAGE))
