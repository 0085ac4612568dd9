"""Compares the legs of every pair on the exchange: what differs, since when, and why."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import (
    DustKept,
    DustSwept,
    Event,
    ExecutionStarted,
    ExecutionTakenUp,
    ExternalFills,
    HedgeAborted,
    HedgeClosed,
    HedgeLost,
    HedgeOpened,
    HedgeRepaired,
)
from hedgerow.domain.execution import ExecutionState, HedgeExecution
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import DustLot, HedgedPosition
from hedgerow.emulator.core.wallets import ROW
from hedgerow.emulator.core.world import World
from hedgerow.ports import MarketPrices
from hedgerow.simulation.causes import AWAY, Cause, explained_until, obstacles, ways
from hedgerow.simulation.checks.exposure import TradeExposure
from hedgerow.simulation.checks.invariants import Exposure, Invariant, check_exposure, own_tolerance, unsold_dust
from hedgerow.simulation.harness import ExchangeHarness

__all__ = ["LegWatch", "Naked", "coins_worth", "prices_of"]

BACK_OFF = timedelta(seconds=60)
"""How long a bot may wait before it repeats what was refused or not answered."""
CONTRADICTED_FOR = timedelta(minutes=15)
"""So long coins may wait for a price that the perpetual's index supports."""
COIN_ROUNDING = Decimal("1e-7")
BUSY_SECONDS = 75.0
"""How long the job of one pair may keep a bot from the legs of another: it follows for 30 s, goes back for 30 s, and is
set aside 5 s later at the latest, or prepares for 60 s."""
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


def prices_of(world: World, symbol: str) -> MarketPrices:
    """Return the prices of a pair now.

    Raises:
        ValueError: there are none.
    """
    prices = world.prices(symbol)
    if prices is None:
        raise ValueError(f"{symbol} has no price at {world.now}")
    return prices


def coins_worth(world: World, hedges: Iterable[HedgedPosition]) -> Decimal:
    """Return what the coins of hedges are worth at the higher one of spot price and mark, if any, in quote units."""
    prices = ((hedge.spot_quantity, world.prices(hedge.symbol)) for hedge in hedges)
    return sum((quantity * max(price.spot, price.mark) for quantity, price in prices if price is not None), ZERO)


class _Dust(Struct, kw_only=True):
    """Coins of earlier hedges, base units by coin."""

    swept: dict[str, Decimal]
    """What became a hedge's again since its last job."""
    kept: dict[str, Decimal]
    """What is kept: of each part as many as were too few for an order when it was kept."""
    old: dict[str, tuple[Decimal, Decimal]]
    """What the ledger had when its coins were exchanged, and for how many of them a new one stands."""


class LegWatch:
    """Knows whose coins are whose, which legs differ, and what in the world has kept them apart."""

    def __init__(self, harness: ExchangeHarness, *, owners: dict[str, Decimal]) -> None:
        self._harness = harness
        self.owners = owners
        self.residues: dict[str, Decimal] = {}
        """Coins that the owner traded by hand, and what the ledger may be wrong about them."""
        self.naked = Naked()
        self.trades: list[TradeExposure] = []
        """Every job so far, the last one may still be at work."""
        self._trade_of, self._aside_until = dict[str, int](), dict[str, datetime]()
        """Place of a symbol's newest trade, and until when another pair was traded while its legs differed."""
        self.exposed: dict[str, Exposure] = {}
        """By symbol."""
        self.ledger = Ledger()
        self.state_since: dict[str, datetime] = {}
        """When the newest job of a symbol came into its present state."""
        self._taken: dict[str, Decimal] = {}
        """Base units by which others made a symbol's coins exceed its short (or lack): what is left of it now."""
        self._recounted, self._relabelled = set[str](), dict[str, tuple[datetime, datetime]]()
        """Coins whose balances were counted again in other units; from when until when perpetuals are another's."""
        self._unknown: set[str] = set()
        """Symbols of which the log does not have yet what others took."""
        self._forced_seen: set[int] = set()
        """Trades that the venue forced and that are in it already."""
        self._dust = _Dust(swept={}, kept={}, old={})
        self._apart: dict[str, tuple[datetime, datetime | None]] = {}
        """Since when the legs of a symbol are apart, whether a bot runs or not, and when they matched again."""
        self._even_at: dict[str, datetime] = {}
        """When the legs of a symbol matched last."""
        self._begun_at = self._at_work_since = self._world.now
        self._seen_revision = -1
        self._looked_at = self._died_at = self._revived_at = self._world.now
        self._dead = False
        self._last_active: dict[Cause, datetime] = {}
        """Until when a cause that concerns all symbols was active last."""
        self._blocked: dict[str, frozenset[Cause]] = {}
        """What kept a symbol's legs apart at the last look."""

    @property
    def _world(self) -> World:
        return self._harness.world

    # --- what happens ------------------------------------------------------------------------------------------------

    def note(self, cause: Cause) -> None:
        """Take note that a cause is active now, whatever the symbol."""
        lasts = BACK_OFF if cause is Cause.REFUSED else timedelta(0)
        self._last_active[cause] = self._harness.now + lasts

    def logged(self, event: Event) -> None:
        """Take note of an event in the log: dust that is swept, the end of a job, and what others were seen to take."""
        if isinstance(event, DustSwept):
            asset, quantity = event.lot.asset, event.lot.quantity
            self._dust.swept[asset] = self._dust.swept.get(asset, ZERO) + quantity
            self._dust.kept.pop(asset, None)
        elif isinstance(event, DustKept):
            self._keep(event.lot)
        elif isinstance(event, HedgeOpened | HedgeClosed | HedgeAborted | HedgeRepaired):
            aside = [job for job in self.ledger.jobs if job.hedge_id != event.hedge_id]
            traded = {job.pair.base for job in aside}  # they go on later
            self._dust.swept = {asset: swept for asset, swept in self._dust.swept.items() if asset in traded}
        if isinstance(event, ExecutionStarted | ExecutionTakenUp):
            self._at_work_since = self._world.now
        if isinstance(event, ExternalFills | HedgeClosed | HedgeAborted | HedgeLost):
            about = next((h.symbol for h in self.ledger.known_hedges if h.hedge_id == event.hedge_id), None)
            self._unknown = {each for each in self._unknown if each != about and self.ledger.held(each)}

    def begins(self, job: HedgeExecution) -> None:
        """Take note of a job of two legs that begins: what its legs differ by from now on is of this trade."""
        self._trade_of[job.symbol] = len(self.trades)
        self.trades.append(TradeExposure(style=job.limits.style.value, kind=job.kind))

    def trade_of(self, symbol: str) -> TradeExposure | None:
        """Return the newest trade of a pair; None without one."""
        number = self._trade_of.get(symbol)
        return None if number is None else self.trades[number]

    def _keep(self, lot: DustLot) -> None:
        """Take note of dust as it is kept: a rise of its price makes it worth an order later, and no exposure.

        Nor does more dust: what one job after the other left was each time too little for an order.
        """
        pairs = [pair for pair in self._world.market_data.pairs if pair.base == lot.asset]
        few, kept = max((self._least(pair) for pair in pairs), default=ZERO), self.ledger.dust.get(lot.asset)
        parts = self._dust.kept.get(lot.asset, ZERO) + min(few / 2, lot.quantity)
        self._dust.kept[lot.asset] = min(max(few, parts), kept.quantity if kept else ZERO)

    def _least(self, pair: BasisPair) -> Decimal:
        """Return the base units that no order can change, by the grids that a pair is listed with now."""
        return own_tolerance(self._world.pair(pair.symbol) or pair, prices_of(self._world, pair.symbol).spot, ZERO)

    @property
    def dead(self) -> bool:
        """Whether no bot is at work."""
        return self._dead

    def died(self) -> None:
        """Take note that no bot is at work from now on."""
        self._died_at, self._dead = self._harness.now, True

    def revived(self) -> None:
        """Take note that a bot is at work again: what was exposed meanwhile counts as the time of the dead."""
        self._compare_all()  # an order that rested may have filled meanwhile
        self._revived_at, self._dead = self._harness.now, False
        for symbol, exposure in self.exposed.items():
            away = self._revived_at - max(self._died_at, exposure.begun)
            self.naked = replace(self.naked, dead_seconds=max(self.naked.dead_seconds, away.total_seconds()))
            self.exposed[symbol] = replace(
                exposure,
                notional=abs(exposure.quantity) * prices_of(self._world, symbol).spot,  # what a new bot can know of
                begun=exposure.begun + away,
                own_begun=exposure.own_begun + away,
                since=self._revived_at,
                causes=exposure.causes | {Cause.DEAD},
            )

    def took(self, before: AccountView, after: AccountView) -> None:
        """Take note of coins that the owner traded, his own first, and of what he or the venue took of shorts.

        ``look`` has been called right before: what differed then was not made by this.
        """
        difference = {pair.symbol: self._difference(pair, before) for pair in self._world.market_data.pairs}
        for pair in self._world.market_data.pairs:
            change = after.coin(pair.base).total - before.coin(pair.base).total
            if change:
                self.owners[pair.base] = max(ZERO, self.owners.get(pair.base, ZERO) + change)
                self.residues[pair.base] = self._least(pair)
            made = self._difference(pair, after) - difference[pair.symbol]
            if made:
                self._forced_since(pair)  # the act itself may be one
                self._take(pair.symbol, made)

    def _take(self, symbol: str, made: Decimal) -> None:
        """Take note that others made the legs differ by so much."""
        self._taken[symbol] = self._taken.get(symbol, ZERO) + made
        self._unknown.add(symbol)

    def redenominated(self, pair: BasisPair, factor: Decimal) -> None:
        """Count in new coins, each of which stands for ``factor`` old ones; balances have eight decimals."""
        base = pair.base
        self.owners[base] = self.owners.get(base, ZERO) / factor
        self.residues[base] = max(self.residues.get(base, ZERO) / factor, COIN_ROUNDING)
        self._dust.kept[base] = self._dust.kept.get(base, ZERO) / factor
        self._recounted.add(base)
        dust = self.ledger.dust.get(base)
        if dust is not None:
            self._dust.old[base] = dust.quantity, factor
        self._taken.pop(pair.symbol, None)
        self.exposed.pop(pair.symbol, None)
        self._apart.pop(pair.symbol, None)

    def relabelled(self, symbol: str, until: datetime) -> None:
        """Take note that a perpetual has prices of another coin from now on, while its symbol says nothing of it."""
        self._relabelled[symbol] = (self._world.now, until)

    def named_again(self) -> None:
        """Take note that every perpetual has the prices of its own coin from now on."""
        self._relabelled = {symbol: (since, self._world.now) for symbol, (since, _) in self._relabelled.items()}

    def difference(self, pair: BasisPair) -> Decimal:
        """Return by how many base units the bot's coins, dust left out, exceed its short now."""
        return self._difference(pair, self._world.account()) - self._dust_of(pair.base)

    def apart_since(self, symbol: str) -> datetime | None:
        """Return since when the legs of a symbol are apart by what a bot can know; None when they never were.

        Time without a bot counts, and so does a match that was over before orders in doubt were certain.
        """
        found = self._apart.get(symbol)
        return found[0] if found else None

    def matches_unseen(self, symbol: str) -> bool:
        """Return whether the legs of a symbol match for a few seconds only, by what others took and the log lacks."""
        known = self._apart.get(symbol)
        return symbol in self._unknown and known is not None and known[1] is not None and self._is_unseen(known[1])

    def _is_unseen(self, matched_at: datetime) -> bool:
        """Return whether a bot that still looks orders up cannot know yet that the legs matched."""
        return self._world.now - matched_at <= timedelta(seconds=self._harness.patience_seconds) + UNSEEN

    def only_waits(self, symbol: str) -> bool:
        """Return whether others have made the legs of a pair differ, and nothing but another trade keeps them apart."""
        exposure, now = self.exposed.get(symbol), self._world.now
        if exposure is None or not exposure.taken or self._blocked.get(symbol, frozenset()) - {Cause.BUSY}:
            return False
        faulty = any(span.begin <= now <= span.end for span in self._harness.spans)
        return not faulty and all(until <= now for until in self._last_active.values())

    # --- looking -----------------------------------------------------------------------------------------------------

    def look(self, *, being_logged: bool = False) -> Iterator[tuple[Invariant, str]]:
        """Compare both legs of every pair on the exchange, and judge what differs."""
        world = self._world
        self._compare_all()
        for symbol, exposure in self.exposed.items():
            self.exposed[symbol] = explained = self._explained(exposure, world.now)
            if not self._dead:
                self._worsen(explained, world.now)
                judged = replace(
                    explained,
                    state_since=max(self._in_state_since(symbol), explained.begun, self._revived_at),
                    being_logged=being_logged,
                )
                yield from check_exposure(judged, self.ledger, world.now, patience=self._harness.patience_seconds)

    def _in_state_since(self, symbol: str) -> datetime:
        """Return since when the job of a symbol has had its present state, and could go on in it.

        It cannot while another pair is traded; nor, with an order in doubt, while the exchange is out of order.
        """
        since = max(self.state_since.get(symbol, self._begun_at), self._aside_until.get(symbol, self._begun_at))
        job, now = self.ledger.job_of(symbol), self._world.now
        if job is None or job.state is not ExecutionState.IN_DOUBT:
            return since
        outages = (min(now, s.end) for s in self._harness.spans if s.cause is Cause.OUTAGE and s.begin <= now)
        return max((since, *outages))

    def _compare_all(self) -> None:
        world = self._world
        if world.revision != self._seen_revision:
            self._seen_revision = world.revision
            account = world.account()
            for pair in world.market_data.pairs:
                held = account.spot.get(pair.base)
                own = (held.total if held else ZERO) - self.owners.get(pair.base, ZERO)
                if own or pair.symbol in account.positions or pair.symbol in self.exposed:
                    self._compare(pair, account, own)
        self._looked_at = world.now

    def _compare(self, pair: BasisPair, account: AccountView, own: Decimal) -> None:
        short, now = account.short(pair.symbol), self._world.now
        before = self.exposed.pop(pair.symbol, None)
        blocked = self._blocked.pop(pair.symbol, frozenset())
        if before is not None and not self._dead:
            self._worsen(before, now)
        price, dust = prices_of(self._world, pair.symbol).spot, self._dust_of(pair.base)
        pair = self._world.pair(pair.symbol) or pair  # its grids may have changed
        self._note_apart(pair, apart=abs(own - short) > own_tolerance(pair, price, max(own, short)))
        if own == short == 0:
            self._taken.pop(pair.symbol, None)
            self._unknown.discard(pair.symbol)
            self._note_even(pair)
            return
        least = own_tolerance(pair, price, ZERO)
        kept = min(dust, max(least, self._dust.kept.get(pair.base, ZERO)))
        swept = min(unsold_dust(self.ledger, pair, self._dust.swept.get(pair.base, ZERO)), least)
        # It excuses coins too many, never makes too few: others may have sold it, and the log say so later.
        own -= min(kept + swept, max(ZERO, own - short))
        taken = self._left_of_taken(pair, own - short, least)
        # The owner's part of a balance that was rounded is known to its smallest amount only.
        rounded = ROW if pair.base in self._recounted else ZERO
        if abs(own - short) <= max(own_tolerance(pair, price, max(own, short)), rounded):
            self._note_even(pair)
            return
        by_others = abs(own - short) - abs(taken) <= least
        begun = before.begun if before else self._since_the_fill(pair)
        goes_on = before is not None and before.taken is by_others
        took_more = before is not None and abs(taken) > abs(before.taken_quantity)
        causes = before.causes if before else frozenset[Cause]()
        self.exposed[pair.symbol] = Exposure(
            symbol=pair.symbol,
            quantity=own - short,
            notional=abs(own - short) * price,
            begun=begun,
            own_begun=before.own_begun if before and goes_on else now if before else begun,
            since=now if took_more else before.since if before else begun,
            state_since=begun,
            taken=by_others,
            taken_quantity=taken,
            causes=causes | {Cause.TAKEN} if taken else causes,
        )
        if before is not None:
            self._blocked[pair.symbol] = blocked

    def _note_even(self, pair: BasisPair) -> None:
        """Take note that legs match now, whatever was forced before; a trade of this very time may still follow."""
        self._forced_since(pair)
        self._even_at[pair.symbol] = self._world.now

    def _left_of_taken(self, pair: BasisPair, quantity: Decimal, least: Decimal) -> Decimal:
        """Return how much of what others took is left in legs that differ by ``quantity``: at most all of it.

        What the bot has put right counts no more, and what it makes differ beyond it never did. Until the log has what
        was taken, the bot puts nothing of it right: legs that match meanwhile match by chance.
        """
        if abs(quantity) > least + abs(self._taken.get(pair.symbol, ZERO)):
            for made in self._forced_since(pair):
                self._take(pair.symbol, made)
        taken = self._taken.get(pair.symbol, ZERO)
        gone = taken * quantity <= 0 or (abs(quantity) <= least and self.ledger.held(pair.symbol) is None)
        left = ZERO if gone else taken if abs(taken) <= abs(quantity) else quantity
        if pair.symbol not in self._unknown:
            self._taken[pair.symbol] = left
        return left

    def _note_apart(self, pair: BasisPair, *, apart: bool) -> None:
        """Take note of whether legs are apart."""
        now, known = self._world.now, self._apart.get(pair.symbol)
        if not apart:
            if known and known[1] is None:
                self._apart[pair.symbol] = (known[0], now)
            return
        goes_on = known is not None and (known[1] is None or self._is_unseen(known[1]))
        self._apart[pair.symbol] = (known[0] if known and goes_on else self._since_the_fill(pair), None)

    def _dust_of(self, base: str) -> Decimal:
        """Return the coins that the ledger keeps as dust, in present ones: it learns later that they were exchanged."""
        lot, (before, factor) = self.ledger.dust.get(base), self._dust.old.get(base, (None, Decimal(1)))
        if lot is None:
            return ZERO
        return lot.quantity / factor if lot.quantity == before else lot.quantity

    def _since_the_fill(self, pair: BasisPair) -> datetime:
        """Return when the first trade since the last look was made: with it the legs began to differ."""
        since = self._looked_at
        fills = (fill.at for market in Market for fill in self._world.fills(market, pair.symbol, since))
        return min((at for at in fills if at > since), default=self._world.now)

    def _difference(self, pair: BasisPair, account: AccountView) -> Decimal:
        """Return by how many base units the bot's coins exceed its short."""
        return account.coin(pair.base).total - self.owners.get(pair.base, ZERO) - account.short(pair.symbol)

    def _forced_since(self, pair: BasisPair) -> list[Decimal]:
        """Return what the venue itself bought of the short since the legs matched last, each trade once.

        A liquidation may come between two looks, with no act of anybody's.
        """
        since = self._even_at.get(pair.symbol, self._begun_at)
        forced = [fill for fill in self._world.fills(Market.PERP, pair.symbol, since) if fill.forced]
        fresh = [fill for fill in forced if fill.trade_id not in self._forced_seen]
        self._forced_seen.update(fill.trade_id for fill in forced)
        return [fill.quantity * fill.side.sign for fill in fresh]

    def _explained(self, exposure: Exposure, now: datetime) -> Exposure:
        """Return an exposure with the causes added that were active since it was last explained."""
        at_work, symbol = self.ledger.execution, exposure.symbol
        active = self._obstacles(exposure, self.ledger.job_of(symbol))
        if at_work and at_work.symbol != symbol and self._may_be_busy(exposure, now):
            active |= {Cause.BUSY}
            self._aside_until[symbol] = now
        blocked, self._blocked[symbol] = active | self._blocked.get(symbol, frozenset()), active
        since = exposure.since
        found = [(now, cause) for cause in blocked]  # one that is over now may have ended just before
        found += [(min(at, now), cause) for cause, at in self._last_active.items() if at > since]
        found += explained_until(self._harness.spans, since, now)
        if not found:
            return exposure
        latest = max(since, *(at for at, _ in found))
        return replace(exposure, since=latest, causes=exposure.causes | {cause for _, cause in found})

    def _may_be_busy(self, exposure: Exposure, now: datetime) -> bool:
        """Whether the job of another pair may still keep a bot from legs that differ: it has to give way in time."""
        begun = max(self._at_work_since, exposure.begun, self._revived_at)
        return (now - begun).total_seconds() <= BUSY_SECONDS + self._harness.patience_seconds

    def _obstacles(self, exposure: Exposure, job: HedgeExecution | None) -> frozenset[Cause]:
        world, symbol = self._world, exposure.symbol
        pair = world.pair(symbol)
        if pair is None:
            return frozenset({Cause.CLOSED})
        if exposure.quantity > 0 and world.now - exposure.begun < CONTRADICTED_FOR and self._contradicted(symbol):
            return frozenset({Cause.MISLEADING})
        limits, routes = job.limits if job else None, ways(job, exposure.quantity)
        if self._counts_in_former_prices(job):
            routes = tuple(route for route in routes if route[0] is not Market.PERP)
            if not routes:
                return frozenset({Cause.RELABELLED})
        return obstacles(
            pair,
            {market: world.depth(market, symbol) for market in Market},
            world.prices(symbol),
            routes,
            quantity=abs(exposure.quantity),
            cap_bps=limits.max_cap_bps if limits else Decimal(200),
        )

    def _counts_in_former_prices(self, job: HedgeExecution | None) -> bool:
        """Whether a job began before its perpetual became that of another coin, which it is still.

        To the job it looks like a redenomination, and it waits (docs/decisions, page 10). One that begins later
        has seen both books, and counts each leg in its own unit.
        """
        span = self._relabelled.get(job.symbol) if job else None
        return job is not None and span is not None and job.started_at < span[0] and self._world.now < span[1]

    def _contradicted(self, symbol: str) -> bool:
        """Whether the price of the coin is not what the perpetual's index says."""
        prices = self._world.prices(symbol)
        index = None if prices is None else prices.index
        return prices is not None and index is not None and abs(prices.spot / index - 1) > AWAY

    def _worsen(self, exposure: Exposure, now: datetime) -> None:
        seconds = (now - exposure.own_begun).total_seconds()
        if seconds <= 0:
            return  # a bot that dies at this very time has nothing to report
        if exposure.taken:
            self.naked = replace(self.naked, taken_seconds=max(self.naked.taken_seconds, seconds))
            return
        notional = exposure.notional * (1 - abs(exposure.taken_quantity / exposure.quantity))
        worst = max(self.naked.notional, notional)
        self.naked = replace(self.naked, seconds=max(self.naked.seconds, seconds), notional=worst)
        number = self._trade_of.get(exposure.symbol)
        if number is not None:
            last = self.trades[number]
            self.trades[number] = replace(
                last,
                seconds=max(last.seconds, seconds),
                usd=max(last.usd, notional),
                causes=tuple(sorted({*last.causes, *exposure.causes})),
            )
