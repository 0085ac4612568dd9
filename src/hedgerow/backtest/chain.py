"""Many parameter sets over one window: openings are remembered and chained from one closing to the next.

``compiled_chain`` plays them; this is what it needs, computed when it is first needed and kept: blocks of the market,
signals, and what was found out about openings. The result is that of ``kernel`` to the last bit.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import chain as joined
from itertools import count as counting
from itertools import groupby, repeat
from operator import itemgetter
from typing import Any, Final

import numpy as np
from msgspec import Struct

from hedgerow.backtest.blocks import LEADERS, Aprs, Filters, Places, blocks_of, fill_aprs, fill_filters
from hedgerow.backtest.compiled_chain import (
    COUNT,
    ENTRY_FIELDS,
    EXIT_FIELDS,
    PAID_FIELDS,
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
from hedgerow.backtest.tables import Floats, Ints

__all__ = ["Chain", "Outcome"]

OPENINGS: Final = 1 << 18
"""Openings remembered at most, a power of two; all are forgotten when there are more."""
EXITS: Final = 4
"""Exits remembered for each opening, on average."""
WALKS, CLASSES, CHANGES = 8, 64, 64
"""Slots: multipliers with their stops, those with an age, and signals with their limits and a rest, for which openings
are remembered at the same time."""
ALIKE: Final = 4
"""So many sets at once must share age and multiplier for their exits to be remembered together, or signal and rest for
those for better pairs."""
TOGETHER: Final = 512
"""Sets played at once."""
MOST_TRADES: Final = 1 << 20
"""Of the sets that are played at once."""
MOST_BYTES: Final = 1 << 26
"""Of the tables of signals, and of those of what follows from a signal and its limits."""
FILTERS, MOST_SLOTS = 2, 64
DIGEST: Final = 16
"""Bytes."""
APART: Final = 65 * 16
"""Elements between rows of openings, so that those of one opening do not share a set of the processor's cache."""
NOWHERE: Final = -1
"""No slot."""


class Outcome(Struct, frozen=True, gc=False):
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

    def __init__(
        self,
        market: Market,
        *,
        openings: int = OPENINGS,
        walks: int = WALKS,
        classes: int = CLASSES,
        changes: int = CHANGES,
    ) -> None:
        """Prepare for a market.

        The numbers say how many openings, multipliers, those with ages, and signals with rests are remembered.
        """
        self._market = market
        self._tables: dict[bool, _SharedTables] = {}
        symbols = len(market.ended_ms)
        self._walks, self._classes, self._changes = _Slots(walks), _Slots(classes), _Slots(changes)
        self._rests: dict[int, int] = {}
        self._memory = _empty_memory(len(market.row_ms), openings, walks, classes, changes)
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
        return joined.from_iterable(self._played(sets))

    def _played(self, sets: Sequence[Rules]) -> Iterator[Iterable[Outcome]]:
        """Play sets of one kind of signal at once, as many as there are slots for."""
        if self._one_by_one:
            yield map(self._alone, sets)
            return
        for average, alike in groupby(sets, key=_average):
            group = list(alike)
            if average is not self._average:  # what is remembered names blocks, and those are others then
                self._forget()
                self._average = average
            start = 0
            while start < len(group):
                several = group[start : start + TOGETHER]
                described = self._described(several)
                yield from self._together(several, described)
                start += len(described.whole)

    def _shared_tables(self, rules: Rules) -> "_SharedTables":
        if rules.average not in self._tables:
            self._tables[rules.average] = _SharedTables(self._market, average=rules.average)
        return self._tables[rules.average]

    def _described(self, sets: Sequence[Rules]) -> Sets:
        """Describe sets, as many of the first ones as there are slots for."""
        tables = self._shared_tables(sets[0])
        for slots in (self._walks, self._classes, self._changes, *tables.slots):
            slots.release()
        kinds, kind = _numbered(sets, _kind_key)
        limits, limit = _numbered(sets, _limits_of if sets[0].average else _limit_key)
        alike = Counter[tuple[object, ...]]()
        for rules, count in zip(kinds, np.bincount(kind).tolist(), strict=True):
            alike[_class_key(rules)] += count
        owns = _while_known(self._kind(rules, alike[_class_key(rules)]) for rules in kinds)
        kind = kind[: _before(kind, len(owns))]
        limit = limit[: len(kind)]
        places = _while_known(tables.placed(rules) for rules in limits[: 1 + int(np.max(limit))])
        limit = limit[: _before(limit, len(places))]
        kind = kind[: len(limit)]
        whole = np.array(owns)[kind], np.array(places)[limit], self._changes_of(sets, kinds, kind, limit)
        numbers = _columns(kinds, _kind_numbers)[kind], _columns(limits, _limit_numbers)[limit]
        return Sets(whole=np.hstack(whole), numbers=np.hstack(numbers))

    def _kind(self, rules: Rules, alike: int) -> tuple[int, ...] | None:
        """Return the whole numbers of all sets of a kind, ``WALK_SLOT`` to ``HALTS``; None while there is no slot."""
        key, cycle = _class_key(rules), self._market.cycle_ms
        walk = self._walks.of(key[:WALK_PARTS], self._forget_walk)
        if walk is None:
            return None
        exits = self._classes.of(key, self._forget_class) if alike >= ALIKE else None
        (age, age_steps), (rest, rest_steps) = _reached(rules.max_age, cycle), _reached(rules.min_age, cycle)
        delays = age, age_steps, rest, rest_steps, self._rests.setdefault(rest, len(self._rests) + 1)
        return walk, NOWHERE if exits is None else exits, *delays, int(rules.roll), int(rules.halts)

    def _changes_of(self, sets: Sequence[Rules], kinds: Sequence[Rules], kind: Ints, limit: Ints) -> Ints:
        """Return for each set where its exits for better pairs are remembered together with those of others."""
        _, delays = _numbered(kinds, _delay_key)
        changes, change = _numbered_by(limit * len(kinds) + delays[kind])
        slots = [
            self._changes.of((*_limit_key(sets[index]), *_delay_key(sets[index])), self._forget_changes)
            if count >= ALIKE
            else None
            for index, count in zip(changes, np.bincount(change).tolist(), strict=True)
        ]
        return np.array([NOWHERE if slot is None else slot for slot in slots])[change].reshape(-1, 1)

    def _together(self, sets: Sequence[Rules], described: Sets) -> Iterator[Iterable[Outcome]]:
        """Play sets at once."""
        count = len(described.whole)
        out = Outcomes(
            trades=self._trades,
            state=np.zeros((count, STATE_FIELDS), dtype=np.int64),
            net=np.zeros(count),
            digest=np.zeros((count, 2), dtype=np.uint64),
            cost=self._cost,
        )
        waiting = [(0, count)]
        while waiting:
            first, end = waiting.pop()
            had_room = self._chained(sets[0], described, first, end, out)
            if not had_room and self._is_full():
                self._forget()
                had_room = self._chained(sets[0], described, first, end, out)
            if had_room:
                yield self._outcomes(out, first, end)
            elif end - first > 1:
                waiting += [((first + end) // 2, end), (first, (first + end) // 2)]
            else:
                yield [self._alone(sets[first])]

    def _chained(self, rules: Rules, sets: Sets, first: int, end: int, out: Outcomes) -> bool:
        """Play the sets from ``first`` to before ``end``; returns whether there was room for it."""
        tables = self._shared_tables(rules)
        had_room: bool = chain_sets(
            *(self._market, tables.blocks, tables.filters, tables.aprs, tables.following),
            *(self._memory, rules, sets, first, end),
            *(self._one, *self._scratch[:2], out),
        )
        return had_room

    def _outcomes(self, out: Outcomes, first: int, end: int) -> Iterable[Outcome]:
        nets, counts = out.net[first:end].tolist(), out.state[first:end, COUNT].tolist()
        digests: list[bytes] = out.digest[first:end].view(f"V{DIGEST}")[:, 0].tolist()
        return map(Outcome, nets, counts, digests, map(partial, repeat(self._expanded), repeat(out), range(first, end)))

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
        for by_slot in (memory.walks, memory.funding, memory.classes, memory.changes):
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

    def _forget_changes(self, slot: int) -> None:
        self._memory.changes[slot, : int(self._memory.size[0])] = 0


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
        self._limits = [0] * limits
        """Numbers of what fills the slots of limits: another number for each filling."""
        self._filled = counting(1)
        self.slots = _Slots(signals), _Slots(FILTERS), _Slots(limits), _Slots(signals)

    def placed(self, rules: Rules) -> tuple[int, ...] | None:
        """Return the slots of a set's signal, filters, limits and leavings, filled; None while there is none free."""
        signals, filters, limits, leavings = self.slots
        signal = signals.of(_signal_key(rules), lambda slot: self._fill_signal(slot, rules))
        passed = filters.of(_filter_key(rules), lambda slot: self._fill_filters(slot, rules))
        if signal is None or passed is None:
            return None
        limit = limits.of(_limit_key(rules), lambda slot: self._fill_limit(slot, signal, passed, rules))
        leaving = leavings.of(
            (*_signal_key(rules), rules.exit_apr), lambda slot: self._fill_leaving(slot, signal, rules)
        )
        return None if limit is None or leaving is None else (signal, passed, limit, leaving, self._limits[limit])

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
        self._limits[slot] = next(self._filled)
        if self.slots[2].was_used(slot):
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


def _empty_memory(rows: int, openings: int, walks: int, classes: int, changes: int) -> Memory:
    whole, part, row = np.int32, np.float64, openings + APART
    return Memory(
        heads=sparse_zeros(whole, rows),
        entries=sparse_zeros(whole, openings, ENTRY_FIELDS),
        numbers=sparse_zeros(part, openings, PARTS),
        paid=sparse_zeros(part, openings, PAID_FIELDS),
        walks=sparse_zeros(whole, walks, openings, WALK_FIELDS),
        funding=sparse_zeros(part, walks, openings),
        classes=sparse_zeros(whole, classes + 1, row),
        changes=sparse_zeros(whole, changes + 1, row),
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
_kind_key = _fields(
    *("multiplier", "loss", "short_alone", "max_age", "max_exit_cost", "roll", "min_age", "halts", "support")
)
_delay_key = _fields("min_age", "max_exit_cost")
"""Beside signal and limits, all that an exit for a better pair depends on where no other comes before."""
_kind_numbers = _fields("multiplier", "max_age", "min_age", "max_exit_cost", "loss", "short_alone", "support")
_limit_numbers = _fields("min_apr", "exit_apr", "gain")


def _limit_key(rules: Rules) -> tuple[object, ...]:
    """Return all that a signal, its limits, and what follows from them depend on."""
    key = _limits_of(rules)
    return key if rules.average else (False, 0, *key[2:])


def _numbered(sets: Sequence[Rules], key_of: Callable[[Rules], tuple[object, ...]]) -> tuple[list[Rules], Ints]:
    """Return the first set of each key, and for each set the number of its key."""
    number: defaultdict[tuple[object, ...], int] = defaultdict(counting().__next__)
    numbers = np.fromiter(map(number.__getitem__, map(key_of, sets)), np.int64, len(sets))
    return [sets[index] for index in _numbered_by(numbers)[0]], numbers


def _numbered_by(codes: Ints) -> tuple[list[int], Ints]:
    """Return the place of the first of each code, by code, and for each code its number in that order."""
    found: Any = np.unique(codes, return_index=True, return_inverse=True)
    first: list[int] = found[1].tolist()
    return first, found[2].reshape(-1)


def _before(numbers: Ints, end: int) -> int:
    """Return how many of the first numbers are below ``end``."""
    return int(np.argmax(np.append(numbers, end) >= end))


def _while_known(found: Iterable[tuple[int, ...] | None]) -> list[tuple[int, ...]]:
    """Return what comes before the first None."""
    known: list[tuple[int, ...]] = []
    for each in found:
        if each is None:
            break
        known.append(each)
    return known


def _columns(sets: Sequence[Rules], numbers_of: Callable[[Rules], tuple[object, ...]]) -> Floats:
    return np.array(list(map(numbers_of, sets)), dtype=np.float64)


@lru_cache(maxsize=1024)
def _reached(hours: float, cycle_ms: int) -> tuple[int, int]:
    """Return the shortest time, in whole milliseconds, that is an age of so many hours, and how many checks that is."""
    found = NEVER_STEP
    if hours <= MOST_HOURS:
        found = max(0, round(hours * 3_600_000) - 2)
        while found / 1000.0 / 3600.0 < hours:
            found += 1
    return found, -(-found // cycle_ms)
