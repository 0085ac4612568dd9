"""Every field of every reply with every mutation, played against a bot on the live client: nothing may follow from it.

`python benchmarks/reply_matrix.py` records the replies that a bot reads, enumerates their mutations, and plays each one
while the bot starts and for a minute after, flat and held, then gives it ninety seconds of true replies. `--sample N`
plays N of them, drawn by `--seed`; `--only TEXT` those whose name holds a text. Violations are printed, and end the
command with exit code 1.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from enum import StrEnum
from random import Random
from typing import Any

from msgspec import Struct

from _wired import START, USER, CountedVenue, Wiring
from hedgerow.clock import run_virtual
from hedgerow.domain.books import books_difference
from hedgerow.domain.events import CommandIssued
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.emulator.wire.call import WireRequest
from hedgerow.emulator.wire.door import Answer
from hedgerow.emulator.wire.faults import RequestFault, WireFault
from hedgerow.emulator.wire.mutations import Rewrite
from hedgerow.emulator.wire.rewriting import rewrites_of
from hedgerow.engine.moments import CycleEnded, CycleFailed, Moment, ReadFailed, Warned
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters

__all__ = ["Case", "Situation", "cases", "play", "record"]

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


class Case(Struct, frozen=True, kw_only=True):
    """One mutation of one field of one reply."""

    situation: Situation
    path: str
    rewrite: Rewrite

    @property
    def name(self) -> str:
        """Display name."""
        about = f" of {self.rewrite.symbol}" if self.rewrite.symbol else ""
        field = self.rewrite.field or "the reply"
        return f"{self.situation}: {self.path} {field}{about} {self.rewrite.mutation}"

    @property
    def fault(self) -> RequestFault:
        """The fault that plays it."""
        return RequestFault(
            fault=WireFault.REWRITE,
            method="GET",
            path=self.path,
            market=Market.SPOT if self.path.startswith("/api/") else Market.PERP,
            mutation=self.rewrite.mutation,
            field=self.rewrite.field,
            symbol=self.rewrite.symbol,
            size=PADDING,
            times=0,
        )


class RecordingVenue(CountedVenue):
    """An exchange that keeps the last reply of every endpoint that has contents."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.replies: dict[str, Any] = {}

    def handle(self, request: WireRequest) -> Answer:
        """Answer a request, and keep the answer."""
        answer = super().handle(request)
        if request.method == "GET" and answer.response is not None and answer.response.status == 200:  # noqa: PLR2004
            reply = json.loads(answer.response.body)
            if reply not in ([], {}) or request.path not in self.replies:
                self.replies[request.path] = reply
        return answer


def parameters(situation: Situation) -> StrategyParameters:
    """Return settings under which the bot opens one hedge and keeps it, or opens nothing."""
    least = 0.0 if situation is Situation.HELD else 1000.0
    return StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(min_funding_apr=least, min_volume_usd=ZERO, exit_funding_apr=-1000.0),
        position_management=PositionManagement(
            fee_coverage_multiplier=1e6,
            max_position_age_hours=80_000,
            better_opportunity_apr=1e6,
            loop_interval_seconds=CHECK_SECONDS,
        ),
    )


class Bench:
    """One exchange and one account, and the lives of a bot that reads rewritten replies."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.wiring = Wiring(pairs=PAIRS, parameters=parameters(situation), venue=RecordingVenue)
        self.wiring.way.streams = False
        self._run(STRUCK_SECONDS)
        hedge = self.wiring.ledger.hedge
        if (hedge is not None) is not (situation is Situation.HELD):
            raise RuntimeError(f"the bot is not {situation}")
        self.symbol = hedge.symbol if hedge else self.wiring.tape.pairs[0].symbol
        self.other = next(pair.symbol for pair in self.wiring.tape.pairs if pair.symbol != self.symbol)

    @property
    def replies(self) -> dict[str, Any]:
        """The replies read so far, by path."""
        venue = self.wiring.venue
        return venue.replies if isinstance(venue, RecordingVenue) else {}

    def _run(self, seconds: float, fault: RequestFault | None = None) -> tuple[list[Moment], list[str]]:
        """Let a bot live; returns what it noted, and what escaped it. A fault lasts for its first minute."""
        moments: list[Moment] = []
        escaped: list[str] = []
        faults = self.wiring.venue.faults

        class Listener:
            def hear(self, moment: Moment) -> None:
                moments.append(moment)

        async def life() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: escaped.append(str(context.get("exception", context))))
            if fault is not None:
                faults.add(fault, self.wiring.clock.now())
            try:
                async with self.wiring.life([Listener()]) as bot:
                    running = asyncio.ensure_future(bot.runner.run())
                    await asyncio.wait({running}, timeout=STRUCK_SECONDS)
                    faults.clear()
                    await asyncio.wait({running}, timeout=seconds - STRUCK_SECONDS)
                    bot.stop.set()
                    await running
            except Exception as error:  # noqa: BLE001 - whatever leaves the bot is what is looked for
                escaped.append(f"{type(error).__name__}: {error}")
            finally:
                faults.clear()

        run_virtual(self.wiring.clock, life())
        return moments, escaped

    def play(self, case: Case) -> tuple[str, ...]:
        """Play one case; returns what was wrong."""
        before = len(self.wiring.events)
        truth = self._truth()
        moments, escaped = self._run(STRUCK_SECONDS + TRUE_SECONDS, case.fault)
        try:
            return tuple(self._wrong(moments, escaped, before, truth))
        except (ArithmeticError, ValueError) as error:
            return (f"the log cannot be folded: {error!r}",)

    def _truth(self) -> Any:
        account = self.wiring.exchange.members[USER].world.account()
        return {symbol: position.quantity for symbol, position in account.positions.items() if position.quantity}

    def _wrong(self, moments: Sequence[Moment], escaped: list[str], before: int, truth: Any) -> Iterator[str]:
        yield from (f"escaped: {error}" for error in escaped)
        yield from (f"a cycle failed: {moment.error}" for moment in moments if isinstance(moment, CycleFailed))
        new = self.wiring.events[before:]
        yield from (f"a command on a false reading: {e.command}" for e in new if isinstance(e, CommandIssued))
        if self._truth() != truth:
            yield f"positions changed from {truth} to {self._truth()}"
        ledger = self.wiring.ledger
        if (ledger.hedge is not None) is not (self.situation is Situation.HELD):
            yield f"the ledger holds {ledger.hedge and ledger.hedge.symbol}"
        difference = books_difference(ledger.books, self.wiring.exchange.members[USER].world.account())
        if difference:
            yield f"the books differ by {difference}"
        if ledger.halt is not None:
            yield f"openings stay halted: {ledger.halt.reason}: {ledger.halt.detail}"
        yield from self._recovery(moments)

    def _recovery(self, moments: Sequence[Moment]) -> Iterator[str]:
        ended = [moment for moment in moments if isinstance(moment, CycleEnded)]
        if not ended:
            yield "no check ended"
            return
        last = ended[-1].at
        late = [m for m in moments if isinstance(m, ReadFailed) and (last - m.at).total_seconds() < CHECK_SECONDS / 2]
        yield from (f"not recovered: {'; '.join(moment.missing)}" for moment in late)
        warned = [moment for moment in moments if isinstance(moment, Warned | ReadFailed)]
        if len(warned) > MOST_LINES:
            yield f"{len(warned)} warnings, {MOST_LINES} are enough: {warned[0]}"


def record() -> dict[str, Any]:
    """Return the last reply of every endpoint that a bot reads, by path."""
    return Bench(Situation.HELD).replies


def cases(bench: Bench) -> Iterator[Case]:
    """Yield every case: rows of the held pair's symbol or asset, rows of another, and everything else once."""
    coins = [symbol.removesuffix("USDT") for symbol in (bench.symbol, bench.other)]
    for path, reply in sorted(bench.replies.items()):
        names = ("USDT", *coins) if path.endswith(("/account", "/balance")) else (bench.symbol, bench.other)
        for rewrite in rewrites_of(reply, names):
            for situation in Situation:
                yield Case(situation=situation, path=path, rewrite=rewrite)


def play(chosen: Iterable[Case]) -> list[tuple[Case, tuple[str, ...]]]:
    """Play cases one after the other; a bench whose bot went wrong is not used again."""
    logging.disable(logging.CRITICAL)
    benches: dict[Situation, Bench] = {}
    failed: list[tuple[Case, tuple[str, ...]]] = []
    for case in chosen:
        bench = benches.pop(case.situation, None) or Bench(case.situation)
        wrong = bench.play(case)
        if wrong:
            failed.append((case, wrong))
        else:
            benches[case.situation] = bench
    return failed


def main() -> int:
    """Play the matrix, or a sample of it, and print what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0, help="so many cases, drawn; 0 = all")
    parser.add_argument("--seed", type=int, default=1, help="of the drawing")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    given = parser.parse_args()
    chosen = [case for case in cases(Bench(Situation.HELD)) if given.only in case.name]
    if given.sample:
        chosen = Random(given.seed).sample(chosen, min(given.sample, len(chosen)))
    print(f"{len(chosen)} cases from {START:%Y-%m-%d}")
    kinds: Counter[str] = Counter()
    with ProcessPoolExecutor(given.workers) as pool:
        for failed in pool.map(play, batched_cases(chosen)):
            for case, wrong in failed:
                kinds[wrong[0].partition(":")[0]] += 1
                print(f"{case.name}\n    " + "\n    ".join(wrong[:3]), flush=True)
    print(f"{sum(kinds.values())} of {len(chosen)} cases went wrong: {dict(kinds)}")
    return 1 if kinds else 0


def batched_cases(chosen: Sequence[Case]) -> list[tuple[Case, ...]]:
    """Return the cases in groups that share a bench."""
    return [tuple(chosen[start : start + BATCH]) for start in range(0, len(chosen), BATCH)]


if __name__ == "__main__":
    sys.exit(main())
