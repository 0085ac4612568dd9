"""Many parameter sets over one window: openings are remembered and chained from one closing to the next.

``chained`` plays them; this is what it needs, computed when it is first needed and kept: blocks of the market, signals,
and what was found out about openings. The result is that of ``kernel`` to the last bit.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any, Final, TypeVar

import numpy as np
from msgspec import Struct

from hedgerow.backtest.blocks import Aprs, Blocks, Filters, Places, aprs_of, blocks_of, filters_of
from hedgerow.backtest.chained import (
    DELAY_FIELDS,
    ENTRY_FIELDS,
    RATE_FIELDS,
    SET_FIELDS,
    SET_NUMBERS,
    TRADE_FIELDS,
    WALK_FIELDS,
    Following,
    Memory,
    Outcomes,
    Sets,
    chain_sets,
    expand,
    fill_following,
)
from hedgerow.backtest.kernel import (
    FIELDS,
    MOST_HOURS,
    NEVER_STEP,
    NUMBERS,
    PARTS,
    PERP_FEE,
    PERP_SPREAD,
    SPOT_FEE,
    SPOT_SPREAD,
    Market,
    Played,
    Rules,
    empty_signals,
    play,
    scratch,
)
from hedgerow.backtest.tables import Ints

__all__ = ["Chain", "Outcome"]

OPENINGS: Final = 1 << 18
"""Openings remembered at most, a power of two; all are forgotten when there are more."""
WALKS, DELAYS = 8, 32
"""Slots: multipliers with their stops, and ages, for which openings are remembered at the same time."""
TOGETHER: Final = 512
"""Sets played at once."""
MOST_TRADES: Final = 1 << 20
"""Of the sets that are played at once."""
MOST_KEPT: Final = {"blocks": 2, "filters": 2, "aprs": 4, "following": 4}
"""How many tables of each kind are kept: some are 10 MB at 16 symbols and five years."""
Kept = TypeVar("Kept")


class Outcome(Struct, frozen=True, kw_only=True):
    """What one parameter set did."""

    net: float
    """Rates less costs, a fraction of notional."""
    trades: int
    digest: bytes
    """Hash of its decisions: equal decisions have the same, and others almost certainly another."""
    played: Callable[[], Played]
    """Returns everything; may be called until the chain plays more sets."""


class Chain:
    """Plays many parameter sets over one market."""

    def __init__(self, market: Market, *, openings: int = OPENINGS, walks: int = WALKS, delays: int = DELAYS) -> None:
        """Prepare for a market; the numbers say how many openings, multipliers and ages are remembered at once."""
        self._market = market
        self._kept: dict[tuple[object, ...], Any] = {}
        symbols = len(market.ended_ms)
        self._slots = _Slots(walks), _Slots(delays)
        self._memory = _empty_memory(openings, walks, delays)
        self._one = empty_signals(1, symbols)
        self._scratch = scratch()
        costs = market.books[:, [SPOT_FEE, SPOT_SPREAD, PERP_FEE, PERP_SPREAD]]
        one_way = costs[:, 0] + costs[:, 1] + costs[:, 2] + costs[:, 3]
        self._cost = one_way + one_way
        self._trades: Places = np.empty((MOST_TRADES, TRADE_FIELDS), dtype=np.int32)
        self._one_by_one = 2 * market.guard_ms > market.cycle_ms
        """Checks would fall into the time that the guard puts trades off for."""

    def play(self, rules: Rules) -> Played:
        """Play one set; what it computes is kept for the next ones."""
        return next(self.outcomes([rules])).played()

    def outcomes(self, sets: Sequence[Rules]) -> Iterator[Outcome]:
        """Play sets and yield what they did, in their order; those that share a signal are best side by side."""
        for _, alike in groupby(sets, key=_shared):
            group = list(alike)
            for start in range(0, len(group), TOGETHER):
                yield from self._group(group[start : start + TOGETHER])

    def _group(self, sets: Sequence[Rules]) -> Iterator[Outcome]:
        """Play sets that share a signal, as many at once as there are slots for."""
        waiting: list[Rules] = []
        whole: list[tuple[int, ...]] = []
        for rules in sets:
            placed = self._placed(rules)
            if placed is None:
                yield from self._together(waiting, whole)
                waiting, whole = [], []
                placed = self._placed(rules)
            assert placed is not None  # noqa: S101 - all slots are free again
            waiting.append(rules)
            whole.append(placed)
        yield from self._together(waiting, whole)

    def _placed(self, rules: Rules) -> tuple[int, ...] | None:
        """Return the whole numbers of a set; None while there is no slot for it."""
        walks, delays = self._slots
        age, rest = _reached_ms(rules.max_age), _reached_ms(rules.min_age)
        kind = (rules.multiplier, rules.loss, rules.short_alone, rules.average)  # blocks are others without an average
        own = walks.of(kind, self._forget_walk)
        aged, rested = delays.of((age,), self._forget_delay), delays.of((rest,), self._forget_delay)
        if own is None or aged is None or rested is None:
            return None
        return aged, rested, own, age, rest, int(rules.roll)

    def _together(self, sets: Sequence[Rules], whole: Sequence[tuple[int, ...]]) -> Iterator[Outcome]:
        for slots in self._slots:
            slots.release()
        if self._one_by_one:
            yield from map(self._alone, sets)
            return
        described = Sets(
            whole=np.array(whole, dtype=np.int64).reshape(len(sets), SET_FIELDS),
            numbers=np.array([_numbers_of(rules) for rules in sets]).reshape(len(sets), SET_NUMBERS),
        )
        out = Outcomes(
            trades=self._trades,
            first=np.zeros(len(sets) + 1, dtype=np.int64),
            net=np.zeros(len(sets)),
            digest=np.zeros((len(sets), 2), dtype=np.uint64),
            cost=self._cost,
        )
        number, is_fresh = 0, False
        while number < len(sets):
            ended = self._chained(sets[0], described, number, out)
            yield from (self._outcome(out, place) for place in range(number, ended))
            if ended < len(sets):
                if ended == number and is_fresh:
                    yield self._alone(sets[number])
                    ended += 1
                self._forget()
            is_fresh = ended == number
            number = ended

    def _chained(self, rules: Rules, sets: Sets, number: int, out: Outcomes) -> int:
        market, shared = self._market, _signal_key(rules)
        blocks = self._keep(("blocks", rules.average), lambda: blocks_of(market, average=rules.average))
        filters = self._keep(("filters", rules.average, *_filter_key(rules)), lambda: filters_of(market, blocks, rules))
        aprs = self._keep(("aprs", *shared), lambda: aprs_of(market, blocks, rules))
        following = self._keep(("following", *_shared(rules)), lambda: _following_of(blocks, filters, aprs, rules))
        ended: int = chain_sets(
            *(market, blocks, filters, aprs, following, self._memory, rules, sets, number, 0),
            *(self._one, *self._scratch[:2], out),
        )
        return ended

    def _outcome(self, out: Outcomes, place: int) -> Outcome:
        lines = out.trades[out.first[place] : out.first[place + 1]]
        return Outcome(
            net=float(out.net[place]),
            trades=len(lines),
            digest=out.digest[place].tobytes(),
            played=lambda: self._expanded(lines),
        )

    def _expanded(self, lines: Places) -> Played:
        count = len(lines)
        whole, numbers = np.empty((count, len(FIELDS)), dtype=np.int64), np.empty((count, len(NUMBERS)))
        log: Ints = np.empty((2 * count, 4), dtype=np.int64)
        trades, length = expand(self._market, self._memory, lines, self._scratch, whole, numbers, log)
        return Played(whole=whole[:trades], numbers=numbers[:trades], log=log[:length])

    def _alone(self, rules: Rules) -> Outcome:
        """Play a set check by check."""
        played = play(self._market, rules)
        net = 0.0
        for symbol, rates in zip(played.whole[:, 0].tolist(), played.numbers[:, 5].tolist(), strict=True):
            net += rates - float(self._cost[symbol])
        digest = blake2b(played.log.tobytes(), digest_size=16).digest()
        return Outcome(net=net, trades=len(played.whole), digest=digest, played=lambda: played)

    def _forget(self) -> None:
        """Forget all openings."""
        memory, count = self._memory, int(self._memory.size[0])
        memory.keys[:] = 0
        memory.size[0] = 0
        for by_slot in (memory.walks, memory.funding, memory.delays):
            by_slot[:, :count] = 0
        memory.rates[:count] = 0.0

    def _forget_walk(self, slot: int) -> None:
        count = int(self._memory.size[0])
        self._memory.walks[slot, :count] = 0
        self._memory.funding[slot, :count] = 0.0

    def _forget_delay(self, slot: int) -> None:
        self._memory.delays[slot, : int(self._memory.size[0])] = 0

    def _keep(self, key: tuple[object, ...], make: Callable[[], Kept]) -> Kept:
        """Return what was computed for a key; of each kind, what was used longest ago is forgotten."""
        kept: Kept = self._kept.pop(key) if key in self._kept else make()
        same_kind = [other for other in self._kept if other[0] == key[0]]
        if len(same_kind) >= MOST_KEPT[str(key[0])]:
            del self._kept[same_kind[0]]
        self._kept[key] = kept
        return kept


class _Slots:
    """Places of arrays, each for one key; where there is no other, that of the key used longest ago is taken."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._slots: dict[tuple[object, ...], int] = {}
        self._used: set[tuple[object, ...]] = set()

    def of(self, key: tuple[object, ...], forget: Callable[[int], None]) -> int | None:
        """Return the place of a key until ``release``; None when all are taken."""
        slot = self._slots.pop(key, None)
        if slot is None:
            slot = len(self._slots)
            if slot >= self._size:
                oldest = next((other for other in self._slots if other not in self._used), None)
                if oldest is None:
                    return None
                slot = self._slots.pop(oldest)
                forget(slot)
        self._slots[key] = slot
        self._used.add(key)
        return slot

    def release(self) -> None:
        """Let all places be taken again."""
        self._used.clear()


def _empty_memory(openings: int, walks: int, delays: int) -> Memory:
    return Memory(
        keys=np.zeros((2 * openings, 2), dtype=np.int64),
        entries=np.zeros((openings, ENTRY_FIELDS), dtype=np.int64),
        numbers=np.zeros((openings, PARTS)),
        walks=np.zeros((walks, openings, WALK_FIELDS), dtype=np.int32),
        funding=np.zeros((walks, openings)),
        delays=np.zeros((delays, openings, DELAY_FIELDS), dtype=np.int32),
        rates=np.zeros((openings, RATE_FIELDS)),
        size=np.zeros(1, dtype=np.int64),
    )


def _following_of(blocks: Blocks, filters: Filters, aprs: Aprs, rules: Rules) -> Following:
    count, symbols = aprs.apr.shape
    found = Following(
        entry=np.empty(count + 1, dtype=np.int32),
        negative=np.empty((count + 1, symbols), dtype=np.int32),
        better=np.zeros((count, symbols), dtype=np.int32),
    )
    fill_following(blocks, filters, aprs, rules.min_apr, rules.exit_apr, found)
    return found


def _signal_key(rules: Rules) -> tuple[object, ...]:
    return rules.average, rules.periods if rules.average else 0


def _filter_key(rules: Rules) -> tuple[object, ...]:
    return rules.min_volume, rules.max_spread, rules.max_discount, rules.max_premium


def _shared(rules: Rules) -> tuple[object, ...]:
    """Return what sets that are played at once have in common."""
    return (*_signal_key(rules), *_filter_key(rules), rules.min_apr, rules.gain, rules.exit_apr, rules.halts)


def _numbers_of(rules: Rules) -> tuple[float, ...]:
    ages = (rules.multiplier, rules.max_age, rules.min_age)
    return (*ages, rules.max_exit_cost, rules.loss, float(rules.short_alone), rules.support)


def _reached_ms(hours: float) -> int:
    """Return the shortest time, in whole milliseconds, that is an age of so many hours."""
    if hours > MOST_HOURS:
        return NEVER_STEP
    found = max(0, round(hours * 3_600_000) - 2)
    while found / 1000.0 / 3600.0 < hours:
        found += 1
    return found
