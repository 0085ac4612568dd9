"""Compares the legs of every pair on the exchange, and keeps what differs, since when, and why."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.execution import HedgeExecution
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.emulator.world import World
from hedgerow.ports import TapePrices
from hedgerow.simulation.causes import Cause, explained_until, obstacles, ways
from hedgerow.simulation.doors import RunDoor
from hedgerow.simulation.exposure import Trade
from hedgerow.simulation.invariants import Exposure, Rule, check_exposure, own_tolerance, unsold_dust

__all__ = ["LegWatch", "Naked", "prices_of"]

BACK_OFF = timedelta(seconds=60)
"""How long a bot may wait before it repeats what was refused or not answered."""
UNSEEN = timedelta(seconds=5)
"""Legs that match for no longer, and then differ again, have not matched for a bot that still looks orders up."""


class Naked(Struct, frozen=True, kw_only=True):
    """The worst of a run."""

    seconds: float = 0.0
    """Longest time that the legs differed by the bot's own trading."""
    notional: Decimal = ZERO
    taken_seconds: float = 0.0
    """Longest time that the legs differed because the owner or the venue took from one."""
    dead_seconds: float = 0.0
    """Longest time that the legs differed while no bot lived; no part of the other two."""


def prices_of(world: World, symbol: str) -> TapePrices:
    """Return the prices of a pair now.

    Raises:
        ValueError: there are none.
    """
    prices = world.prices(symbol)
    if prices is None:
        raise ValueError(f"{symbol} has no price at {world.now}")
    return prices


class LegWatch:
    """Knows whose coins are whose, which legs differ, and what in the world has kept them apart."""

    def __init__(self, door: RunDoor, *, owners: dict[str, Decimal]) -> None:
        self._door = door
        self.owners = owners
        self.residues: dict[str, Decimal] = {}
        """Coins that the owner traded by hand, and what the ledger may be wrong about them."""
        self.naked = Naked()
        self.trades: list[Trade] = []
        """Every job so far, the last one may still be at work."""
        self.exposed: dict[str, Exposure] = {}
        """By symbol."""
        self.ledger = Ledger()
        self.state_since = self._world.now
        """When the job at work came into its present state."""
        self._taken: dict[str, Decimal] = {}
        """Base units by which others made a symbol's coins exceed its short (or lack), until the legs match."""
        self._apart: dict[str, tuple[datetime, datetime | None]] = {}
        """Since when the legs of a symbol are apart, whether a bot lives or not, and when they matched again."""
        self._even_at: dict[str, datetime] = {}
        """When the legs of a symbol matched last."""
        self._begun_at = self._world.now
        self._seen_revision = -1
        self._looked_at = self._died_at = self._revived_at = self._world.now
        self._dead = False
        self._last_active: dict[Cause, datetime] = {}
        """Until when a cause that concerns all symbols was active last."""
        self._blocked: dict[str, frozenset[Cause]] = {}
        """What kept a symbol's legs apart at the last look."""

    @property
    def _world(self) -> World:
        return self._door.world

    # --- what happens ------------------------------------------------------------------------------------------------

    def note(self, cause: Cause) -> None:
        """Take note that a cause is active now, whatever the symbol."""
        lasts = BACK_OFF if cause is Cause.REFUSED else timedelta(0)
        self._last_active[cause] = self._world.now + lasts

    def died(self) -> None:
        """Take note that no bot is at work from now on."""
        self._died_at, self._dead = self._world.now, True

    def revived(self) -> None:
        """Take note that a bot is at work again: what was exposed meanwhile counts as the time of the dead."""
        self._compare_all(taken=False)  # an order that rested may have filled meanwhile
        self._revived_at, self._dead = self._world.now, False
        for symbol, exposure in self.exposed.items():
            away = self._revived_at - max(self._died_at, exposure.begun)
            self.naked = replace(self.naked, dead_seconds=max(self.naked.dead_seconds, away.total_seconds()))
            self.exposed[symbol] = replace(
                exposure,
                begun=exposure.begun + away,
                own_begun=exposure.own_begun + away,
                since=self._revived_at,
                causes=exposure.causes | {Cause.DEAD},
            )

    def took(self, before: AccountView, after: AccountView) -> None:
        """Take note of coins that the owner traded, his own first, and of what he or the venue took of shorts."""
        difference = {pair.symbol: self._difference(pair, before) for pair in self._world.tape.pairs}
        for pair in self._world.tape.pairs:
            change = after.coin(pair.base).total - before.coin(pair.base).total
            if change:
                self.owners[pair.base] = max(ZERO, self.owners.get(pair.base, ZERO) + change)
                self.residues[pair.base] = own_tolerance(pair, prices_of(self._world, pair.symbol).spot, ZERO)
            made = self._difference(pair, after) - difference[pair.symbol]
            self._taken[pair.symbol] = self._taken.get(pair.symbol, ZERO) + made

    def difference(self, pair: BasisPair) -> Decimal:
        """Return by how many base units the bot's coins, dust left out, exceed its short now."""
        dust = self.ledger.dust.get(pair.base)
        return self._difference(pair, self._world.account()) - (dust.quantity if dust else ZERO)

    def apart_since(self, symbol: str) -> datetime | None:
        """Return since when the legs of a symbol are apart by what a bot can know; None when they never were.

        Time without a bot counts, and so does a match that was over before orders in doubt were certain.
        """
        found = self._apart.get(symbol)
        return found[0] if found else None

    # --- looking -----------------------------------------------------------------------------------------------------

    def look(self, *, taken: bool = False, telling: bool = False) -> Iterator[tuple[Rule, str]]:
        """Compare both legs of every pair on the exchange, and judge what differs."""
        world = self._world
        self._compare_all(taken=taken)
        for symbol, exposure in self.exposed.items():
            self.exposed[symbol] = explained = self._explained(exposure, world.now)
            if not self._dead:
                self._worsen(explained, world.now)
                judged = replace(
                    explained,
                    state_since=max(self.state_since, explained.begun, self._revived_at),
                    telling=telling,
                )
                yield from check_exposure(judged, self.ledger, world.now, patience=self._door.patience_seconds)

    def _compare_all(self, *, taken: bool) -> None:
        world = self._world
        if world.revision != self._seen_revision:
            self._seen_revision = world.revision
            account = world.account()
            for pair in world.tape.pairs:
                held = account.spot.get(pair.base)
                own = (held.total if held else ZERO) - self.owners.get(pair.base, ZERO)
                if own or pair.symbol in account.positions or pair.symbol in self.exposed:
                    self._compare(pair, account, own, taken=taken)
        self._looked_at = world.now

    def _compare(self, pair: BasisPair, account: AccountView, own: Decimal, *, taken: bool) -> None:
        short = account.short(pair.symbol)
        before = self.exposed.pop(pair.symbol, None)
        blocked = self._blocked.pop(pair.symbol, frozenset())
        if before is not None and not self._dead:
            self._worsen(before, self._world.now)
        price, dust = prices_of(self._world, pair.symbol).spot, self.ledger.dust.get(pair.base)
        self._note_apart(pair, apart=abs(own - short) > own_tolerance(pair, price, max(own, short)))
        if own == short == 0:
            self._even_at[pair.symbol] = self._world.now
            return
        pair = self._world.pair(pair.symbol) or pair  # its grids may have changed
        least = own_tolerance(pair, price, ZERO)
        own -= min(dust.quantity, least) if dust else ZERO
        swept = min(unsold_dust(self.ledger, pair), least)
        own -= min(swept, max(ZERO, own - short))  # it excuses coins too many, never too few
        if abs(own - short) <= least:
            self._taken.pop(pair.symbol, None)
        if abs(own - short) <= own_tolerance(pair, price, max(own, short)):
            self._even_at[pair.symbol] = self._world.now
            return
        taken = taken or self._was_taken(pair, own - short, before)
        begun = before.begun if before else self._since_the_fill(pair)
        self.exposed[pair.symbol] = Exposure(
            symbol=pair.symbol,
            quantity=own - short,
            notional=abs(own - short) * price,
            begun=begun,
            own_begun=before.own_begun
            if before and before.taken is taken
            else begun
            if not before
            else self._world.now,
            since=before.since if before else begun,
            state_since=begun,
            taken=taken,
            causes=before.causes if before else frozenset(),
        )
        if before is not None:
            self._blocked[pair.symbol] = blocked

    def _note_apart(self, pair: BasisPair, *, apart: bool) -> None:
        """Take note of whether legs are apart, by the grids that the pair had at first."""
        now, known = self._world.now, self._apart.get(pair.symbol)
        if not apart:
            if known and known[1] is None:
                self._apart[pair.symbol] = (known[0], now)
            return
        unseen = timedelta(seconds=self._door.patience_seconds) + UNSEEN
        goes_on = known is not None and (known[1] is None or now - known[1] <= unseen)
        self._apart[pair.symbol] = (known[0] if known and goes_on else self._since_the_fill(pair), None)

    def _since_the_fill(self, pair: BasisPair) -> datetime:
        """Return when the first trade since the last look was made: with it the legs began to differ."""
        since = self._looked_at
        fills = (fill.at for market in Market for fill in self._world.fills(market, pair.symbol, since))
        return min((at for at in fills if at > since), default=self._world.now)

    def _difference(self, pair: BasisPair, account: AccountView) -> Decimal:
        """Return by how many base units the bot's coins exceed its short."""
        return account.coin(pair.base).total - self.owners.get(pair.base, ZERO) - account.short(pair.symbol)

    def _was_taken(self, pair: BasisPair, quantity: Decimal, before: Exposure | None) -> bool:
        """Whether the owner or the venue made the legs differ: then, or before, and it matters now that they shrank."""
        taken = self._taken.get(pair.symbol, ZERO)
        if taken * quantity > 0 and abs(quantity) <= abs(taken) + pair.lot_step:
            return True
        return before.taken if before else self._forced(pair)

    def _forced(self, pair: BasisPair) -> bool:
        """Whether the venue itself traded since the legs matched last: a liquidation between two looks."""
        since = self._even_at.get(pair.symbol, self._begun_at)
        return any(fill.forced for fill in self._world.fills(Market.PERP, pair.symbol, since) if fill.at > since)

    def _explained(self, exposure: Exposure, now: datetime) -> Exposure:
        """Return an exposure with the causes added that were active since it was last explained."""
        job = self.ledger.execution
        symbol = exposure.symbol
        active = self._obstacles(exposure, job if job and job.symbol == symbol else None)
        blocked, self._blocked[symbol] = active | self._blocked.get(symbol, frozenset()), active
        since = exposure.since
        found = [(now, cause) for cause in blocked]  # one that is over now may have ended just before
        found += [(min(at, now), cause) for cause, at in self._last_active.items() if at > since]
        found += explained_until(self._door.spans, since, now)
        if not found:
            return exposure
        latest = max(since, *(at for at, _ in found))
        return replace(exposure, since=latest, causes=exposure.causes | {cause for _, cause in found})

    def _obstacles(self, exposure: Exposure, job: HedgeExecution | None) -> frozenset[Cause]:
        world, symbol = self._world, exposure.symbol
        pair = world.pair(symbol)
        if pair is None:
            return frozenset({Cause.CLOSED})
        limits = job.limits if job else None
        return obstacles(
            pair,
            {market: world.depth(market, symbol) for market in Market},
            world.prices(symbol),
            ways(job, exposure.quantity),
            quantity=abs(exposure.quantity),
            cap_bps=limits.max_cap_bps if limits else Decimal(200),
        )

    def _worsen(self, exposure: Exposure, now: datetime) -> None:
        seconds = (now - exposure.own_begun).total_seconds()
        if exposure.taken:
            self.naked = replace(self.naked, taken_seconds=max(self.naked.taken_seconds, seconds))
            return
        worst = max(self.naked.notional, exposure.notional)
        self.naked = replace(self.naked, seconds=max(self.naked.seconds, seconds), notional=worst)
        if self.trades:
            last = self.trades[-1]
            self.trades[-1] = replace(
                last,
                seconds=max(last.seconds, seconds),
                usd=max(last.usd, exposure.notional),
                causes=tuple(sorted({*last.causes, *exposure.causes})),
            )
