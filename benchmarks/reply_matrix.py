"""Every field of every reply and stream message with every mutation, played against a bot on the live client.

`python benchmarks/reply_matrix.py` records what a bot reads, enumerates the mutations, and plays each one while the bot
starts and for a minute after, then gives it ninety seconds of true replies: flat with nothing to open, holding a hedge
that no rule closes, holding it while funding settles, and opening and closing one hedge after the other. Nothing may
follow from a false reading, and everything must go on after it. `--sample N` plays N cases, drawn by `--seed`,
`--minutes N` as many drawn ones as that allows; `--only TEXT` those whose name holds a text (`--source` those of
reads, writes or streams). Violations are printed, and end the command with exit code 1. How many were played is said on
standard error.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from random import Random
from typing import Any

from msgspec import Struct

from _wired import START, USER, CountedVenue, Way, Wiring
from hedgerow.clock import SystemClock, run_virtual
from hedgerow.domain.account import AccountView
from hedgerow.domain.events import CommandIssued, Event, HedgeClosed, HedgeOpened
from hedgerow.domain.funding import next_settlement
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.faults import MessageFaultKind, RequestFault, StreamFault
from hedgerow.emulator.wire.rest.mutations import Mutation, Rewrite
from hedgerow.emulator.wire.rest.rewriting import rewrites_of
from hedgerow.emulator.wire.rest.router import RestReply
from hedgerow.engine.notices import CycleEnded, CycleFailed, Notice, ReadFailed, Recorded, Warned
from hedgerow.ports import StreamConnection
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters

__all__ = ["Case", "Situation", "Source", "cases", "play"]

PAIRS = 6
CHECK_SECONDS = 30.0
STRUCK_SECONDS, TRUE_SECONDS = 61.0, 91.0
"""How long a reply is rewritten, and how long the bot is watched after it: it has a minute to recover."""
PADDING = 1024
"""Bytes that a padded body has more: the cap on a reply's size is the sockets' and has a test there."""
MOST_LINES = 12
"""Warnings of one case: two checks that cannot read, what each cannot judge, and the recovery."""
BATCH = 40


class Situation(StrEnum):
    """What the bot holds, and may do."""

    FLAT = "flat"
    """Nothing, and no pair passes its filters."""
    HELD = "held"
    """A hedge that no rule closes."""
    PAID = "paid"
    """The same, half a minute before funding settles."""
    TURNING = "turning"
    """One hedge after the other, each closed when it is a minute old."""


class Source(StrEnum):
    """Where a false reading comes from."""

    READ = "read"
    WRITE = "write"
    STREAM = "stream"


SITUATIONS = {
    Source.READ: (Situation.FLAT, Situation.HELD),
    Source.WRITE: (Situation.TURNING,),
    Source.STREAM: (Situation.HELD, Situation.TURNING),
}
TRADING_READS = (
    "/order",
    "/openOrders",
    "/userTrades",
    "/depth",
    "/income",
    "/account",
    "/accountWithJoinMargin",
    "/positionRisk",
)
"""Reads that are played while hedges are opened and closed as well."""
SETTLING_READS = ("/income", "/fundingRate", "/premiumIndex")
"""Reads that are played while funding settles as well."""
RIGHTS = "/agent"
"""A key without rights is refused at the start: what it may do, only the exchange knows."""
HALF_A_MINUTE = timedelta(seconds=30)
LONGEST_INTERVAL_HOURS = 8


class Case(Struct, frozen=True, kw_only=True):
    """One mutation of one field of one reply."""

    situation: Situation
    source: Source
    path: str
    """Method and path of a request, or market and name of a stream."""
    rewrite: Rewrite

    @property
    def name(self) -> str:
        """Display name."""
        about = f" of {self.rewrite.symbol}" if self.rewrite.symbol else ""
        field = self.rewrite.field or "the whole"
        value = f" {self.rewrite.value}" if self.rewrite.value else ""
        return f"{self.situation}: {self.path} {field}{about} {self.rewrite.mutation}{value}"

    @property
    def fault(self) -> RequestFault | StreamFault:
        """The fault that plays it."""
        first, _, rest = self.path.partition(" ")
        rewrite = self.rewrite
        if self.source is Source.STREAM:
            return StreamFault(
                fault=MessageFaultKind.REWRITE,
                stream=rest,
                market=Market(first),
                mutation=rewrite.mutation,
                field=rewrite.field,
                symbol=rewrite.symbol,
                size=PADDING,
                value=rewrite.value,
                times=0,
            )
        return RequestFault(
            fault=FaultKind.REWRITE,
            method=first,
            path=rest,
            market=Market.SPOT if rest.startswith("/api/") else Market.PERP,
            mutation=rewrite.mutation,
            field=rewrite.field,
            symbol=rewrite.symbol,
            size=PADDING,
            value=rewrite.value,
            times=0,
        )


class RecordingWay(Way):
    """A way to the exchange that keeps the last message of every kind on every stream."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.messages: dict[str, Any] = {}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncGenerator[StreamConnection]:
        """Open a stream, and listen to it."""
        market = Market.SPOT if "sstream" in url else Market.PERP
        async with super().connect(url) as connection:
            yield _Recorded(connection, market, self.messages)


class _Recorded:
    def __init__(self, connection: StreamConnection, market: Market, messages: dict[str, Any]) -> None:
        self._connection, self._market, self._messages = connection, market, messages
        self.send, self.close = connection.send, connection.close

    async def receive(self) -> str | bytes:
        text = await self._connection.receive()
        message = json.loads(text)
        if "stream" in message:
            self._messages[f"{self._market} {message['stream']}"] = message["data"]
        elif "e" in message:
            self._messages[f"{self._market} {message['e']}"] = message
        return text


class RecordingVenue(CountedVenue):
    """An exchange that keeps the last reply of every endpoint that has contents, and the last stream messages."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.replies: dict[str, Any] = {}

    def handle(self, request: WireRequest) -> RestReply:
        """Answer a request, and keep the answer."""
        answer = super().handle(request)
        if answer.response is not None and answer.response.status == 200:  # noqa: PLR2004
            reply = json.loads(answer.response.body)
            name = f"{request.method} {request.path}"
            if reply not in ([], {}) or name not in self.replies:
                self.replies[name] = reply
        return answer


def parameters(situation: Situation) -> StrategyParameters:
    """Return settings under which the bot does what the situation says."""
    return StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(
            min_funding_apr=100.0 if situation is Situation.FLAT else 0.0,
            min_volume_usd=ZERO,
            exit_funding_apr=-100.0,
        ),
        position_management=PositionManagement(
            fee_coverage_multiplier=1000,
            max_position_age_hours=CHECK_SECONDS * 2 / 3600 if situation is Situation.TURNING else 80_000,
            better_opportunity_apr=100,
            loop_interval_seconds=CHECK_SECONDS,
        ),
    )


class Bench:
    """One exchange and one account, and the lives of a bot that reads rewritten replies and messages."""

    def __init__(
        self,
        situation: Situation,
        *,
        streams: bool,
        way: type[Way] = Way,
        venue: type[CountedVenue] = CountedVenue,
    ) -> None:
        self.situation = situation
        self.wiring = Wiring(pairs=PAIRS, parameters=parameters(situation), way=way, venue=venue)
        self.wiring.way.streams = streams
        self.notices: list[Notice] = []
        self.escaped: list[str] = []
        self._run()
        hedge = self.wiring.ledger.largest
        if situation is not Situation.TURNING and (hedge is None) is (situation is not Situation.FLAT):
            raise RuntimeError(f"the bot is not {situation}")
        self.symbol = hedge.symbol if hedge else self.wiring.market_data.pairs[0].symbol
        self.other = next(pair.symbol for pair in self.wiring.market_data.pairs if pair.symbol != self.symbol)

    def on_notice(self, notice: Notice) -> None:
        """Keep what the bot notes."""
        self.notices.append(notice)

    def _run(self, fault: RequestFault | StreamFault | None = None) -> None:
        """Let a bot live, and a fault last for its first minute."""
        run_virtual(self.wiring.clock, self._life(fault))

    async def _life(self, fault: RequestFault | StreamFault | None) -> None:
        self.notices, self.escaped = [], []
        faults = self.wiring.venue.faults
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self.escaped.append(repr(context.get("exception", context["message"])))
        )
        if fault is not None:
            faults.add(fault, self.wiring.clock.now())
        try:
            async with self.wiring.session([self]) as bot:
                running = asyncio.ensure_future(bot.runner.run())
                await asyncio.wait({running}, timeout=STRUCK_SECONDS)
                faults.clear()
                await asyncio.wait({running}, timeout=TRUE_SECONDS)
                bot.stop.set()
                await running
        except Exception as error:  # noqa: BLE001 - whatever leaves the bot is what is looked for
            self.escaped.append(repr(error))
        finally:
            faults.clear()

    def play(self, case: Case) -> tuple[str, ...]:
        """Play one case; returns what was wrong."""
        if self.situation is Situation.PAID:
            self.wait_for_settlement()
        before, truth = len(self.wiring.events), self._positions()
        self._run(case.fault)
        try:
            return tuple(self._wrong(before, truth))
        except (ArithmeticError, ValueError) as error:
            return (f"the log cannot be folded: {error!r}",)

    def wait_for_settlement(self) -> None:
        """Let time pass without a bot until half a minute before funding settles, for every interval that there is."""
        now = self.wiring.clock.now()
        due = next_settlement(now + HALF_A_MINUTE, LONGEST_INTERVAL_HOURS) - HALF_A_MINUTE
        self.wiring.clock.advance_time((due - now).total_seconds())

    def settle(self) -> None:
        """Let the bot live while funding settles."""
        self.wait_for_settlement()
        self._run()

    @property
    def _account(self) -> AccountView:
        return self.wiring.exchange.exchange_accounts[USER].world.account()

    def _positions(self) -> dict[str, Decimal]:
        return {symbol: held.quantity for symbol, held in self._account.positions.items() if held.quantity}

    def _wrong(self, before: int, truth: dict[str, Decimal]) -> Iterator[str]:
        yield from (f"escaped: {error}" for error in self.escaped)
        yield from (f"a cycle failed: {notice.error}" for notice in self.notices if isinstance(notice, CycleFailed))
        ledger, new = self.wiring.ledger, self.wiring.events[before:]
        held = {ledger.largest.symbol: -ledger.largest.short} if ledger.largest else {}
        if ledger.execution is not None:
            yield f"a job is left: {ledger.execution.state} {ledger.execution.detail}"
        if self._positions() != held:
            yield f"positions are {self._positions()}, the log says {held}"
        if self.situation is Situation.TURNING:
            yield from self._turned(ledger)
        else:
            yield from self._untouched(ledger, new, truth)
        if books_difference(ledger.books, self._account):
            self._run()  # a settlement may be minutes old, and is booked by the next check
            difference = books_difference(self.wiring.ledger.books, self._account)
            if difference:
                yield f"the books differ by {difference}"
        if self.situation is Situation.PAID:
            yield from self._unpaid(self.wiring.ledger)

    def _unpaid(self, ledger: Ledger) -> Iterator[str]:
        hedge = ledger.largest
        if hedge is None:
            return
        paid = self.wiring.exchange.exchange_accounts[USER].world.funding_payments(hedge.opened_at)
        due = sum((payment.amount for payment in paid if payment.symbol == hedge.symbol), ZERO)
        if hedge.funding_received != due:
            yield f"unpaid: the hedge was paid {due}, the log says {hedge.funding_received}"

    def _untouched(self, ledger: Ledger, new: Sequence[Event], truth: dict[str, Decimal]) -> Iterator[str]:
        yield from (f"a command on a false reading: {e.command}" for e in new if isinstance(e, CommandIssued))
        if self._positions() != truth:
            yield f"positions changed from {truth} to {self._positions()}"
        if ledger.halt is not None:
            yield f"openings stay halted: {ledger.halt.reason}: {ledger.halt.detail}"
        yield from self._recovery()

    def _turned(self, ledger: Ledger) -> Iterator[str]:
        """Hedges are opened and closed again once replies are true; a halt is for a person to lift."""
        if self._account.coin(self.symbol.removesuffix("USDT")).total < ledger.owned(self.symbol.removesuffix("USDT")):
            yield "coins are missing"
        recorded = [notice for notice in self.notices if isinstance(notice, Recorded)]
        turned = [m for m in recorded[-len(recorded) // 2 :] if isinstance(m.event, HedgeOpened | HedgeClosed)]
        if not turned and ledger.halt is None:
            yield "nothing was opened or closed after the replies were true again"

    def _recovery(self) -> Iterator[str]:
        ended = [notice for notice in self.notices if isinstance(notice, CycleEnded)]
        if not ended:
            yield "no check ended"
            return
        last = ended[-1].at
        unread = [notice for notice in self.notices if isinstance(notice, ReadFailed)]
        late = [notice for notice in unread if (last - notice.at).total_seconds() < CHECK_SECONDS / 2]
        yield from (f"not recovered: {'; '.join(notice.missing)}" for notice in late)
        warned = [notice for notice in self.notices if isinstance(notice, Warned | ReadFailed)]
        if len(warned) > MOST_LINES:
            yield f"{len(warned)} warnings, {MOST_LINES} are enough: {warned[0]}"


def cases() -> Iterator[Case]:
    """Yield every case: rows of the held pair's symbol or asset, rows of another, and everything else once."""
    bench = Bench(Situation.TURNING, streams=True, way=RecordingWay, venue=RecordingVenue)
    coins = [symbol.removesuffix("USDT") for symbol in (bench.symbol, bench.other)]
    way, venue = bench.wiring.way, bench.wiring.venue
    messages = way.messages if isinstance(way, RecordingWay) else {}
    replies = venue.replies if isinstance(venue, RecordingVenue) else {}
    for name, seen in (*sorted(replies.items()), *sorted(messages.items())):
        source = Source.STREAM if name in messages else Source.READ if name.startswith("GET ") else Source.WRITE
        by_asset = name.endswith(("/account", "/balance", "ACCOUNT_UPDATE", "outboundAccountPosition"))
        names = ("USDT", *coins) if by_asset else (bench.symbol, bench.other)
        trading = (Situation.TURNING,) if source is Source.READ and name.endswith(TRADING_READS) else ()
        for rewrite in rewrites_of(seen, names):
            if name.endswith(RIGHTS) and rewrite.mutation is Mutation.OTHER:
                continue
            for situation in (*SITUATIONS[source], *trading):
                yield Case(situation=situation, source=source, path=name, rewrite=rewrite)
    yield from _settling_cases()


def _settling_cases() -> Iterator[Case]:
    """Yield the cases of replies that are read when funding settles, with rows of what was paid."""
    bench = Bench(Situation.PAID, streams=False, venue=RecordingVenue)
    bench.settle()
    replies = bench.wiring.venue.replies if isinstance(bench.wiring.venue, RecordingVenue) else {}
    for name, seen in sorted(replies.items()):
        if name.startswith("GET ") and name.endswith(SETTLING_READS):
            for rewrite in rewrites_of(seen, (bench.symbol, bench.other)):
                yield Case(situation=Situation.PAID, source=Source.READ, path=name, rewrite=rewrite)


class Played(Struct, frozen=True, kw_only=True):
    """What came of some cases."""

    count: int
    """How many were played."""
    failed: tuple[tuple[Case, tuple[str, ...]], ...]
    """Those that went wrong, and how."""


def play(chosen: Iterable[Case]) -> list[tuple[Case, tuple[str, ...]]]:
    """Play cases one after the other; returns those that went wrong, and how."""
    return list(played(chosen).failed)


def played(chosen: Iterable[Case], until: datetime | None = None) -> Played:
    """Play cases until a time; a bench whose bot went wrong, or waits for a person, is not used again."""
    benches: dict[tuple[Situation, bool], Bench] = {}
    failed: list[tuple[Case, tuple[str, ...]]] = []
    clock, count = SystemClock(), 0
    for case in chosen:
        if until is not None and clock.now() >= until:
            break
        count += 1
        kind = (case.situation, case.source is Source.STREAM)
        bench = benches.pop(kind, None) or Bench(case.situation, streams=kind[1])
        wrong = bench.play(case)
        if wrong:
            failed.append((case, wrong))
        elif bench.wiring.ledger.halt is None:
            benches[kind] = bench
    return Played(count=count, failed=tuple(failed))


def quietly() -> None:
    """Write no log lines in a process that plays nothing else."""
    logging.disable(logging.CRITICAL)


def main() -> int:
    """Play the matrix, or a sample of it, and print what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0, help="so many cases, drawn; 0 = all")
    parser.add_argument("--minutes", type=float, help="begin no case after so long; they are drawn")
    parser.add_argument("--seed", type=int, default=1, help="of the drawing")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--source", choices=[source.value for source in Source], help="cases of one source")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    given = parser.parse_args()
    chosen = [case for case in cases() if given.only in case.name and given.source in {None, case.source}]
    if given.sample or given.minutes is not None:
        chosen = Random(given.seed).sample(chosen, min(given.sample or len(chosen), len(chosen)))
    until = None if given.minutes is None else SystemClock().now() + timedelta(minutes=given.minutes)
    print(f"{len(chosen)} cases from {START:%Y-%m-%d}", flush=True)
    kinds: Counter[str] = Counter()
    count = 0
    with ProcessPoolExecutor(given.workers, initializer=quietly) as pool:
        for found in pool.map(partial(played, until=until), batched_cases(chosen)):
            count += found.count
            for case, wrong in found.failed:
                kinds[wrong[0].partition(":")[0]] += 1
                print(f"{case.name}\n    " + "\n    ".join(wrong[:3]), flush=True)
            print(f"{count} of {len(chosen)} cases were played", file=sys.stderr, flush=True)
    print(f"{count} of {len(chosen)} cases were played, {sum(kinds.values())} went wrong: {dict(kinds)}")
    return 1 if kinds else 0


def batched_cases(chosen: Sequence[Case]) -> list[tuple[Case, ...]]:
    """Return the cases in groups that share a bench."""
    return [tuple(chosen[start : start + BATCH]) for start in range(0, len(chosen), BATCH)]


if __name__ == "__main__":
    sys.exit(main())
