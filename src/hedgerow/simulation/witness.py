"""Watches one run: hears every event, sees every order leave, and looks at the exchange itself."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import Command, PlaceOrder, TransferFunds
from hedgerow.domain.folding import apply
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.emulator.world import World
from hedgerow.engine.moments import CycleFailed, Moment, Recorded
from hedgerow.ports import TapePrices
from hedgerow.simulation.doors import RunDoor
from hedgerow.simulation.exposure import Trade
from hedgerow.simulation.invariants import (
    Exposure,
    Rule,
    Violation,
    check_event,
    check_exposure,
    check_order,
    check_slice,
    own_tolerance,
    unsold_dust,
)
from hedgerow.simulation.reckoning import check_end, check_equity, hand_effect

__all__ = ["Naked", "Witness"]

HOUR = timedelta(hours=1)
NEAR_SETTLEMENT = timedelta(seconds=90)
"""Rows of a settlement may come this much before or after the full hour."""
EXCUSED = ("VenueError", "RateLimited", "Unauthorized")
"""A cycle may fail of what the exchange did to it, and of nothing else."""


class Naked(Struct, frozen=True, kw_only=True):
    """The worst of a run."""

    seconds: float = 0.0
    """Longest time that the legs differed by the bot's own trading."""
    notional: Decimal = ZERO
    taken_seconds: float = 0.0
    """Longest time that the legs differed because the owner or the venue took from one."""
    dead_seconds: float = 0.0
    """Longest time that the legs differed while no bot lived; no part of the other two."""


class Witness:
    """Knows the ledger after every event, what is safely in the log, and whose coins are whose."""

    def __init__(
        self,
        door: RunDoor,
        *,
        owners: dict[str, Decimal],
    ) -> None:
        self._door = door
        self.owners = owners
        self.ledger = Ledger()
        self.violations: list[Violation] = []
        self.naked = Naked()
        self._durable: set[str] = set()
        self._sent: set[str] = set()
        self._by_hand = ZERO
        self._last_trouble = self._world.now
        self._struck: int = 0
        self._exposed: dict[str, Exposure] = {}
        self.trades: list[Trade] = []
        """Every job so far, the last one may still be at work."""
        self._seen_revision = -1
        self._died_at = self._revived_at = self._world.now
        self._dead = False
        self._state: object = None
        self._state_since = self._world.now
        self._quiet_cycles = 0
        self.noticed: Callable[[], None] = lambda: None
        """Called when legs begin to differ, and when something is wrong."""
        self._taken: dict[str, Decimal] = {}
        """Base units by which others made a symbol's coins exceed its short (or lack), until the legs match."""
        self._residues: dict[str, Decimal] = {}
        """Coins that the owner traded by hand, and what the ledger may be wrong about them."""

    @property
    def _world(self) -> World:
        return self._door.world

    # --- the log ----------------------------------------------------------------------------------------------------

    def appended(self, events: Sequence[ev.Event], *, durable: bool) -> None:
        """Take note of what is in the log now."""
        for event in events:
            if isinstance(event, ev.CommandIssued) and durable:
                command = event.command
                if isinstance(command, PlaceOrder):
                    self._durable.add(command.order.client_id)
                elif isinstance(command, TransferFunds):
                    self._durable.add(command.transfer_id)

    def loaded(self, unheard: Sequence[ev.Event], ledger: Ledger) -> None:
        """Compare what a new life knows with what the old ones wrote; ``unheard`` was written by a dying one."""
        for event in unheard:
            self._note(self.ledger, event, apply(self.ledger, event))
        if ledger != self.ledger:
            self._add(Rule.RESTART, "the ledger loaded at start is not what the log was folded to before")

    def hear(self, moment: Moment) -> None:
        """Judge an event."""
        if isinstance(moment, Recorded):
            self._note(moment.before, moment.event, moment.after)
        elif isinstance(moment, CycleFailed) and not moment.error.startswith(EXCUSED):
            self._add(Rule.FAILURE, moment.error)

    def _note(self, before: Ledger, event: ev.Event, after: Ledger) -> None:
        self._follow_troubles()
        self.ledger = after
        self._all(check_event(before, event, after))
        if isinstance(event, ev.ExecutionStarted):
            self.trades.append(Trade(style=event.execution.limits.style.value, kind=event.execution.kind))
            price = self.price(event.execution.symbol).spot
            account = self._world.account()
            self._all(check_slice(event.execution, account.spot_usdt + account.perp.margin_balance, price))
        if isinstance(event, ev.FillsElsewhere):
            self._by_hand += hand_effect(before, event, after)
        state = after.execution.state if after.execution else None
        if state is not self._state:
            self._state, self._state_since = state, self._world.now
        self.look(telling=isinstance(event, ev.ExecutionStepped | ev.NakedAlarmed))
        if isinstance(event, ev.CycleCompleted):
            self._cycle()

    # --- the exchange -----------------------------------------------------------------------------------------------

    def sending(self, command: Command) -> None:
        """Judge a command that leaves now."""
        self._follow_troubles()
        if isinstance(command, PlaceOrder):
            order = command.order
            self._all(check_order(order, self.ledger, durable=self._durable, sent=self._sent))
            self._sent.add(order.client_id)
        elif isinstance(command, TransferFunds) and command.transfer_id not in self._durable:
            self._add(Rule.LOGGED, f"{command.transfer_id} leaves before it is safely in the log")
        self.look()

    def troubled(self) -> None:
        """Take note that something went wrong just now."""
        self._last_trouble = self._world.now
        self._quiet_cycles = 0

    def died(self) -> None:
        """Take note that no bot is at work from now on."""
        self.look()
        self._died_at, self._dead = self._world.now, True
        self.troubled()

    def revived(self) -> None:
        """Take note that a bot is at work again: what was exposed meanwhile counts as the time of the dead."""
        self._revived_at, self._dead = self._world.now, False
        away = self._world.now - self._died_at
        if self._exposed:
            self.naked = replace(self.naked, dead_seconds=max(self.naked.dead_seconds, away.total_seconds()))
        self._exposed = {s: replace(e, begun=e.begun + away, since=e.begun + away) for s, e in self._exposed.items()}
        self.troubled()

    def befell(self, before: AccountView, after: AccountView) -> None:
        """Take note of coins that the owner bought or sold: his own first, then the bot's."""
        self.troubled()
        difference = {pair.symbol: self._difference(pair, before) for pair in self._world.tape.pairs}
        for pair in self._world.tape.pairs:
            change = after.coin(pair.base).total - before.coin(pair.base).total
            if change:
                self.owners[pair.base] = max(ZERO, self.owners.get(pair.base, ZERO) + change)
                self._residues[pair.base] = own_tolerance(pair, self.price(pair.symbol).spot, ZERO)
            made = self._difference(pair, after) - difference[pair.symbol]
            self._taken[pair.symbol] = self._taken.get(pair.symbol, ZERO) + made
        self.look(taken=True)

    @property
    def exposed(self) -> bool:
        """Whether any legs differ now."""
        return bool(self._exposed)

    def price(self, symbol: str) -> TapePrices:
        """Return the prices of a pair now."""
        prices = self._world.prices(symbol)
        if prices is None:
            raise ValueError(f"{symbol} has no price at {self._world.now}")
        return prices

    def look(self, *, taken: bool = False, telling: bool = False) -> None:
        """Compare both legs of every pair on the exchange, and judge what differs."""
        world = self._world
        now = world.now
        if world.revision != self._seen_revision:
            self._seen_revision = world.revision
            account = world.account()
            for pair in world.tape.pairs:
                self._compare(pair, account, taken=taken)
        for exposure in self._exposed.values():
            excused = replace(
                exposure,
                since=max(exposure.begun, self._last_trouble),
                state_since=max(self._state_since, exposure.begun, self._revived_at),
                telling=telling,
            )
            if not self._dead:
                self._worsen(exposure, now)
                self._all(check_exposure(excused, self.ledger, now, patience=self._door.patience_seconds))

    def _compare(self, pair: BasisPair, account: AccountView, *, taken: bool) -> None:
        own = account.coin(pair.base).total - self.owners.get(pair.base, ZERO)
        short = account.short(pair.symbol)
        before = self._exposed.pop(pair.symbol, None)
        if before is not None and not self._dead:
            self._worsen(before, self._world.now)
        if own == short == 0:
            return
        price, dust = self.price(pair.symbol).spot, self.ledger.dust.get(pair.base)
        least = own_tolerance(pair, price, ZERO)
        own -= min(dust.quantity, least) if dust else ZERO
        swept = min(unsold_dust(self.ledger, pair), least)
        own -= min(swept, max(ZERO, own - short))  # it excuses coins too many, never too few
        if abs(own - short) <= least:
            self._taken.pop(pair.symbol, None)
        if abs(own - short) <= own_tolerance(pair, price, max(own, short)):
            return
        if before is None:
            self.noticed()
        now = self._world.now
        taken = taken or self._was_taken(pair, own - short, before)
        begun = before.begun if before and before.taken is taken else now
        self._exposed[pair.symbol] = Exposure(
            symbol=pair.symbol,
            quantity=own - short,
            notional=abs(own - short) * price,
            begun=begun,
            since=begun,
            state_since=now,
            taken=taken,
        )

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
        """Whether the venue itself traded lately: a liquidation between two looks."""
        since = self._world.now - timedelta(hours=30)
        return any(fill.forced for fill in self._world.fills(Market.PERP, pair.symbol, since))

    def _worsen(self, exposure: Exposure, now: datetime) -> None:
        seconds = (now - exposure.begun).total_seconds()
        if exposure.taken:
            self.naked = replace(self.naked, taken_seconds=max(self.naked.taken_seconds, seconds))
            return
        worst = max(self.naked.notional, exposure.notional)
        self.naked = replace(self.naked, seconds=max(self.naked.seconds, seconds), notional=worst)
        if self.trades:
            last = self.trades[-1]
            usd = max(last.usd, exposure.notional)
            self.trades[-1] = replace(last, seconds=max(last.seconds, seconds), usd=usd)

    # --- quiet ------------------------------------------------------------------------------------------------------

    def _cycle(self) -> None:
        """Count cycles in which nothing went wrong; from the second on, everything must add up."""
        ledger, now = self.ledger, self._world.now
        busy = ledger.execution or ledger.opening or ledger.transfer or not ledger.books.opened
        settling = (now + NEAR_SETTLEMENT - now.replace(minute=0, second=0)) % HOUR < 2 * NEAR_SETTLEMENT
        if busy or settling or self._exposed:
            return
        self._quiet_cycles += 1
        if self._quiet_cycles > 2:  # noqa: PLR2004 - one to notice, one to book
            self._all(check_equity(ledger, self._world.account(), self._prices(), self._by_hand))

    def judge_end(self, log: Sequence[ev.Event], payments: Sequence[FundingPayment]) -> None:
        """Judge what is left at the end."""
        account = self._world.account()
        self._all(check_equity(self.ledger, account, self._prices(), self._by_hand))
        pairs = self._world.tape.pairs
        self._all(
            check_end(
                self.ledger,
                account,
                log,
                pairs=pairs,
                owners=self.owners,
                residues=self._residues,
                payments=payments,
            )
        )
        for symbol, exposure in self._exposed.items():
            self._add(Rule.RESTART, f"{symbol}: {exposure.quantity} unhedged at the end")

    def _prices(self) -> dict[str, TapePrices]:
        return {pair.symbol: self.price(pair.symbol) for pair in self._world.tape.pairs}

    def _follow_troubles(self) -> None:
        """Note faults that struck, and windows of them that were open since the last look."""
        now = self._world.now
        if self._door.struck != self._struck:
            self._struck = self._door.struck
            self.troubled()
        for begin, end in self._door.windows:
            if begin <= now and min(now, end) > self._last_trouble:
                self._last_trouble, self._quiet_cycles = min(now, end), 0

    def _all(self, found: Iterable[tuple[Rule, str]]) -> None:
        for rule, text in found:
            self._add(rule, text)

    def _add(self, rule: Rule, text: str) -> None:
        self.violations.append(Violation(rule=rule, at=self._world.now, text=text))
        self.noticed()
