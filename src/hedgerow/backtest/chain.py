"""Many parameter sets over one window: openings are remembered and chained from one closing to the next.

``chained`` plays them; this is what it needs, computed when it is first needed and kept: blocks of the market, signals,
and what was found out about openings. The result is that of ``kernel`` to the last bit.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import chain as joined
from itertools import groupby
from operator import itemgetter
from typing import Final

import numpy as np
from msgspec import Struct

from hedgerow.backtest.blocks import LEADERS, Aprs, Filters, Places, blocks_of, fill_aprs, fill_filters
from hedgerow.backtest.chained import (
    COUNT,
    ENTRY_FIELDS,
    EXIT_FIELDS,
    PAID_FIELDS,
    SET_FIELDS,
    SET_NUMBERS,
    STATE_FIELDS,
    TRADE_FIELDS,
    WALK_FIELDS,
    Following,
    Memory,
    Outcomes,
    Sets,
    chain_sets,
    expand,
    fill_entries,
    fill_leavings,
    gathered,
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
from hedgerow.backtest.sparse import sparse_zeros
from hedgerow.backtest.tables import Ints

__all__ = ["Chain", "Outcome"]

OPENINGS: Final = 1 << 18
"""Openings remembered at most, a power of two; all are forgotten when there are more."""
EXITS: Final = 4
"""Exits remembered for each opening, on average."""
WALKS, CLASSES = 8, 64
"""Slots: multipliers with their stops, and those with an age, for which openings are remembered at the same time."""
ALIKE: Final = 4
"""So many sets at once must share age and multiplier for their exits to be remembered together."""
TOGETHER: Final = 512
"""Sets played at once."""
MOST_TRADES: Final = 1 << 20
"""Of the sets that are played at once."""
MOST_BYTES: Final = 1 << 26
"""Of the tables of signals, and of those of what follows from a signal and its limits."""
FILTERS, MOST_SLOTS = 2, 64
DIGEST: Final = 16
"""Bytes."""


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

    def __init__(self, market: Market, *, openings: int = OPENINGS, walks: int = WALKS, classes: int = CLASSES) -> None:
        """Prepare for a market; the numbers say how many openings, multipliers, and those with ages are remembered."""
        self._market = market
        self._tables: dict[bool, _SharedTables] = {}
        symbols = len(market.ended_ms)
        self._walks, self._classes = _Slots(walks), _Slots(classes)
        self._alike: set[tuple[object, ...]] = set()
        """Kinds of sets whose exits are remembered together."""
        self._rests: dict[int, int] = {}
        self._kinds: dict[tuple[object, ...], tuple[int, ...]] = {}
        """Whole numbers of sets, until slots are released."""
        self._memory = _empty_memory(len(market.row_ms), openings, walks, classes)
        self._average = True
        self._one = empty_signals(1, symbols)
        self._scratch = scratch()
        costs = market.books[:, [SPOT_FEE, SPOT_SPREAD, PERP_FEE, PERP_SPREAD]]
        one_way = costs[:, 0] + costs[:, 1] + costs[:, 2] + costs[:, 3]
        self._cost = one_way + one_way
        self._trades: Places = sparse_zeros(np.int32, MOST_TRADES, TRADE_FIELDS)
        self._one_by_one = 2 * market.guard_ms > market.cycle_ms
        """Checks would fall into the time that the guard puts trades off for."""

    def play(self, rules: Rules) -> Played:
        """Play one set; what it computes is kept for the next ones."""
        return next(self.outcomes([rules])).played()

    def outcomes(self, sets: Sequence[Rules]) -> Iterator[Outcome]:
        """Play sets and yield what they did, in their order; those that share a signal are best side by side."""
        for average, alike in groupby(sets, key=_average):
            group = list(alike)
            if average is not self._average:  # what is remembered names blocks, and those are others then
                self._forget()
                self._average = average
            for start in range(0, len(group), TOGETHER):
                yield from self._group(group[start : start + TOGETHER])

    def _group(self, sets: Sequence[Rules]) -> Iterator[Outcome]:
        """Play sets of one kind of signal, as many at once as there are slots for."""
        self._alike = {key for key, count in Counter(map(_class_key, sets)).items() if count >= ALIKE}
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

    def _shared_tables(self, rules: Rules) -> "_SharedTables":
        if rules.average not in self._tables:
            self._tables[rules.average] = _SharedTables(self._market, average=rules.average)
        return self._tables[rules.average]

    def _placed(self, rules: Rules) -> tuple[int, ...] | None:
        """Return the whole numbers of a set; None while there is no slot for it."""
        if self._one_by_one:
            return ()
        kind = _kind_key(rules)
        own = self._kinds.get(kind) or self._kind(rules, kind)
        shared = self._shared_tables(rules).placed(rules)
        return None if own is None or shared is None else own[:KIND_PARTS] + shared + own[KIND_PARTS:]

    def _kind(self, rules: Rules, kind: tuple[object, ...]) -> tuple[int, ...] | None:
        """Return the whole numbers of all sets of a kind before those of their tables, and those after them."""
        key, cycle = _class_key(rules), self._market.cycle_ms
        walk = self._walks.of(key[:WALK_PARTS], self._forget_walk)
        if walk is None:
            return None
        (age, age_steps), (rest, rest_steps) = _reached(rules.max_age, cycle), _reached(rules.min_age, cycle)
        delays = age, age_steps, rest, rest_steps, self._rests.setdefault(rest, len(self._rests) + 1)
        found = self._kinds[kind] = walk, self._class_of(key), *delays, int(rules.roll), int(rules.halts)
        return found

    def _class_of(self, key: tuple[object, ...]) -> int:
        """Return where the exits of a set are remembered together with those of others; -1 = nowhere."""
        place = self._classes.of(key, self._forget_class) if key in self._alike else None
        return -1 if place is None else place

    def _together(self, sets: Sequence[Rules], whole: Sequence[tuple[int, ...]]) -> Iterator[Outcome]:
        self._kinds.clear()
        self._walks.release()
        self._classes.release()
        for tables in self._tables.values():
            tables.release()
        if self._one_by_one:
            yield from map(self._alone, sets)
            return
        described = Sets(
            whole=np.fromiter(joined.from_iterable(whole), np.int64, len(sets) * SET_FIELDS).reshape(-1, SET_FIELDS),
            numbers=np.fromiter(
                joined.from_iterable(map(_numbers_of, sets)), np.float64, len(sets) * SET_NUMBERS
            ).reshape(-1, SET_NUMBERS),
        )
        out = Outcomes(
            trades=self._trades,
            state=np.zeros((len(sets), STATE_FIELDS), dtype=np.int64),
            net=np.zeros(len(sets)),
            digest=np.zeros((len(sets), 2), dtype=np.uint64),
            cost=self._cost,
        )
        waiting = [(0, len(sets))] if sets else []
        while waiting:
            first, end = waiting.pop()
            had_room = self._chained(sets[0], described, first, end, out)
            if not had_room and self._is_full():
                self._forget()
                had_room = self._chained(sets[0], described, first, end, out)
            if had_room:
                yield from self._outcomes(out, first, end)
            elif end - first > 1:
                waiting += [((first + end) // 2, end), (first, (first + end) // 2)]
            else:
                yield self._alone(sets[first])

    def _chained(self, rules: Rules, sets: Sets, first: int, end: int, out: Outcomes) -> bool:
        """Play the sets from ``first`` to before ``end``; returns whether there was room for it."""
        tables = self._shared_tables(rules)
        had_room: bool = chain_sets(
            *(self._market, tables.blocks, tables.filters, tables.aprs, tables.following),
            *(self._memory, rules, sets, first, end),
            *(self._one, *self._scratch[:2], out),
        )
        return had_room

    def _outcomes(self, out: Outcomes, first: int, end: int) -> Iterator[Outcome]:
        digests = out.digest[first:end].tobytes()
        nets, counts = out.net[first:end].tolist(), out.state[first:end, COUNT].tolist()
        for place, (net, trades) in enumerate(zip(nets, counts, strict=True)):
            digest = digests[DIGEST * place : DIGEST * (place + 1)]
            yield Outcome(net=net, trades=trades, digest=digest, played=partial(self._expanded, out, first + place))

    def _expanded(self, out: Outcomes, place: int) -> Played:
        lines = gathered(out, place, np.empty((int(out.state[place, COUNT]), TRADE_FIELDS), dtype=np.int32))
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
        memory, (openings, exits) = self._memory, self._memory.size.tolist()
        memory.size[:] = 0
        memory.heads[:] = 0
        for of_opening in (memory.entries, memory.paid):
            of_opening[:openings] = 0
        for by_slot in (memory.walks, memory.funding, memory.classes):
            by_slot[:, :openings] = 0
        memory.exits[:exits] = 0

    def _is_full(self) -> bool:
        openings, exits = self._memory.size.tolist()
        return bool(openings >= len(self._memory.entries) or exits >= len(self._memory.exits))

    def _forget_walk(self, slot: int) -> None:
        count = int(self._memory.size[0])
        self._memory.walks[slot, :count] = 0
        self._memory.funding[slot, :count] = 0.0

    def _forget_class(self, slot: int) -> None:
        self._memory.classes[slot, : int(self._memory.size[0])] = 0


class _SharedTables:
    """Tables that many sets share, each in a slot: of entry filters, of signals, and of what follows from both."""

    def __init__(self, market: Market, *, average: bool) -> None:
        self._market = market
        self.blocks = blocks_of(market, average=average)
        rows, (count, symbols) = len(market.row_ms), self.blocks.known.shape
        signals = _slots_within(count * (12 * symbols + 8 + 4 * LEADERS))
        limits = _slots_within(count * (2 * symbols + 6))
        self.filters = Filters(
            row=np.empty((FILTERS, rows, symbols), dtype=np.bool_),
            block=np.empty((FILTERS, count, symbols), dtype=np.bool_),
            passed=np.empty((FILTERS, count, symbols), dtype=np.int8),
        )
        self.aprs = Aprs(
            apr=np.empty((signals, count, symbols)),
            top=np.empty((signals, count)),
            leaders=np.empty((signals, count, LEADERS), dtype=np.int32),
        )
        self.following = Following(
            entry=np.empty((limits, count + 1), dtype=np.int32),
            opens=np.empty((limits, count), dtype=np.int16),
            negative=np.empty((signals, count + 1, symbols), dtype=np.int32),
            better=np.zeros((limits, count, symbols), dtype=np.int16),
        )
        self._slots = _Slots(signals), _Slots(FILTERS), _Slots(limits), _Slots(signals)
        self._placed: dict[tuple[object, ...], tuple[int, ...]] = {}
        """Until ``release``."""

    def placed(self, rules: Rules) -> tuple[int, ...] | None:
        """Return the slots of a set's signal, filters, limits and leavings, filled; None while there is none free."""
        key = _limit_key(rules)
        if key not in self._placed:
            found = self._place(rules, key)
            if found is None:
                return None
            self._placed[key] = found
        return self._placed[key]

    def _place(self, rules: Rules, key: tuple[object, ...]) -> tuple[int, ...] | None:
        signals, filters, limits, leavings = self._slots
        signal = signals.of(_signal_key(rules), lambda slot: self._fill_signal(slot, rules))
        passed = filters.of(_filter_key(rules), lambda slot: self._fill_filters(slot, rules))
        if signal is None or passed is None:
            return None
        limit = limits.of(key, lambda slot: self._fill_limit(slot, signal, passed, rules))
        leaving = leavings.of(
            (*_signal_key(rules), rules.exit_apr), lambda slot: self._fill_leaving(slot, signal, rules)
        )
        return None if limit is None or leaving is None else (signal, passed, limit, leaving)

    def release(self) -> None:
        """Let all slots be taken again."""
        self._placed.clear()
        for slots in self._slots:
            slots.release()

    def _signal_in(self, slot: int) -> Aprs:
        return Aprs(apr=self.aprs.apr[slot], top=self.aprs.top[slot], leaders=self.aprs.leaders[slot])

    def _filters_in(self, slot: int) -> Filters:
        filters = self.filters
        return Filters(row=filters.row[slot], block=filters.block[slot], passed=filters.passed[slot])

    def _fill_signal(self, slot: int, rules: Rules) -> None:
        fill_aprs(self._market, self.blocks, rules, self._signal_in(slot))

    def _fill_filters(self, slot: int, rules: Rules) -> None:
        fill_filters(self._market, self.blocks, rules, self._filters_in(slot))

    def _fill_limit(self, slot: int, signal: int, passed: int, rules: Rules) -> None:
        filters, aprs = self._filters_in(passed), self._signal_in(signal)
        entry, opens = self.following.entry[slot], self.following.opens[slot]
        fill_entries(self.blocks, filters, aprs, rules.min_apr, entry, opens)
        if self._slots[2].was_used(slot):
            self.following.better[slot] = 0

    def _fill_leaving(self, slot: int, signal: int, rules: Rules) -> None:
        fill_leavings(self.blocks, self._signal_in(signal), rules.exit_apr, self.following.negative[slot])


def _slots_within(size: int) -> int:
    """Return for how many tables of so many bytes there is room."""
    return max(2, min(MOST_SLOTS, MOST_BYTES // size))


class _Slots:
    """Places of arrays, each for one key; where there is no other, that of the key used longest ago is taken."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._slots: dict[tuple[object, ...], int] = {}
        self._used: dict[tuple[object, ...], int] = {}
        self._filled = 0

    def of(self, key: tuple[object, ...], fill: Callable[[int], None]) -> int | None:
        """Return the place of a key until ``release``, filled again where it is another's; None when all are taken."""
        used = self._used.get(key)
        if used is not None:
            return used
        slot = self._slots.pop(key, None)
        if slot is None:
            slot = len(self._slots)
            if slot >= self._size:
                oldest = next((other for other in self._slots if other not in self._used), None)
                if oldest is None:
                    return None
                slot = self._slots.pop(oldest)
            fill(slot)
            self._filled = max(self._filled, slot + 1)
        self._slots[key] = self._used[key] = slot
        return slot

    def was_used(self, slot: int) -> bool:
        """Return whether a place was another key's."""
        return slot < self._filled

    def release(self) -> None:
        """Let all places be taken again."""
        self._used.clear()


def _empty_memory(rows: int, openings: int, walks: int, classes: int) -> Memory:
    whole, part = np.int32, np.float64
    return Memory(
        heads=sparse_zeros(whole, rows),
        entries=sparse_zeros(whole, openings, ENTRY_FIELDS),
        numbers=sparse_zeros(part, openings, PARTS),
        paid=sparse_zeros(part, openings, PAID_FIELDS),
        walks=sparse_zeros(whole, walks, openings, WALK_FIELDS),
        funding=sparse_zeros(part, walks, openings),
        classes=sparse_zeros(whole, classes, openings),
        exits=sparse_zeros(whole, EXITS * openings, EXIT_FIELDS),
        made=sparse_zeros(part, EXITS * openings),
        size=np.zeros(2, dtype=np.int64),
    )


def _signal_key(rules: Rules) -> tuple[object, ...]:
    return rules.average, rules.periods if rules.average else 0


def _filter_key(rules: Rules) -> tuple[object, ...]:
    return rules.min_volume, rules.max_spread, rules.max_discount, rules.max_premium


def _fields(*names: str) -> Callable[[Rules], tuple[object, ...]]:
    """Return what takes these fields out of a parameter set; ``itemgetter`` is the fastest that does."""
    return itemgetter(*map(Rules._fields.index, names))


_average = itemgetter(Rules._fields.index("average"))
_limits_of = _fields(
    *("average", "periods", "min_volume", "max_spread", "max_discount", "max_premium"),
    *("min_apr", "gain", "exit_apr"),
)
_class_key = _fields("multiplier", "loss", "short_alone", "max_age", "max_exit_cost", "roll")
"""All that an exit depends on which the signal does not bring about."""
WALK_PARTS: Final = 3
"""Of ``_class_key``: what it depends on when funding covers the fees so often, or a stop is hit."""
_kind_key = _fields("multiplier", "loss", "short_alone", "max_age", "max_exit_cost", "roll", "min_age", "halts")
KIND_PARTS: Final = 2
"""Of the whole numbers of a kind: those before the ones of its tables."""
_numbers_of = _fields(
    *("multiplier", "max_age", "min_age", "max_exit_cost", "loss", "short_alone", "support"),
    *("min_apr", "exit_apr", "gain"),
)


def _limit_key(rules: Rules) -> tuple[object, ...]:
    """Return all that a signal, its limits, and what follows from them depend on."""
    key = _limits_of(rules)
    return key if rules.average else (False, 0, *key[2:])


@lru_cache(maxsize=1024)
def _reached(hours: float, cycle_ms: int) -> tuple[int, int]:
    """Return the shortest time, in whole milliseconds, that is an age of so many hours, and how many checks that is."""
    found = NEVER_STEP
    if hours <= MOST_HOURS:
        found = max(0, round(hours * 3_600_000) - 2)
        while found / 1000.0 / 3600.0 < hours:
            found += 1
    return found, -(-found // cycle_ms)
