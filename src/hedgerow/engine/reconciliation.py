"""Reconciliation of ledger and account: adopts, releases, books external trades, halts in doubt."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import SetLeverage
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import Wallet
from hedgerow.domain.funding import FundingPayment, FundingSignal
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import ImportedState
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.domain.position import DustLot, HedgedPosition, Reason
from hedgerow.engine.accounting.external_trades import ExternalTrades, Missing, newest
from hedgerow.engine.accounting.late_fills import LateFills
from hedgerow.engine.accounting.position_history import read_history
from hedgerow.engine.execution.executor import Executor
from hedgerow.engine.ids import IdSource
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import Adopted, Reconciled, Warned
from hedgerow.engine.observation_reader import ObservationReader
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.decisions.adoption import PositionHistory, adoption
from hedgerow.strategy.decisions.allocation import free_slots
from hedgerow.strategy.decisions.reconcile import reconcile
from hedgerow.strategy.decisions.verdicts import (
    Adopt,
    Candidate,
    ClosedExternally,
    Consistent,
    HalfOpen,
    InFlight,
    NotAdopted,
    Nothing,
    Replaced,
    Unreadable,
    Verdict,
    agreement,
    halt_for,
    symbols_of,
)
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import LEVERAGE
from hedgerow.strategy.policy import Policy

__all__ = ["Reconciler"]

SECOND_READING_SECONDS = 2.0
"""Balances lag: a verdict that changes anything is acted on only when a read this much later agrees."""
_SETTLED = (Consistent, Nothing)
_QUIET = (*_SETTLED, InFlight, Unreadable)
"""Verdicts that nothing is done about."""


class Reconciler:
    """Turns verdicts of the reconciliation into events."""

    def __init__(  # noqa: PLR0913 - keyword-only, and each is one thing it needs
        self,
        *,
        venue: Venue,
        clock: Clock,
        journal: Journal,
        in_force: PolicyInForce,
        ids: IdSource,
        executor: Executor,
        reader: ObservationReader,
        external_trades: ExternalTrades,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._in_force = in_force
        self._ids = ids
        self._executor = executor
        self._reader = reader
        self._external_trades = external_trades
        self._late = LateFills(venue=venue, clock=clock, journal=journal, ids=ids)
        self._leverage_refused: set[str] = set()
        """Found positions whose leverage the venue did not set to 1: asked again by the next run only."""

    @property
    def _policy(self) -> Policy:
        return self._in_force.policy

    @property
    def free_slots(self) -> int:
        """How many more hedges may be held."""
        return free_slots(self._journal.ledger, self._policy)

    def fill_doubts(self) -> dict[str, str]:
        """Return which own orders may have filled further than the log has it, in words, by symbol."""
        return self._late.doubts()

    async def settle(self, observation: Observation, *, at_start: bool = False) -> tuple[Verdict, ...]:
        """Reconcile, and act on each verdict once a second reading agrees with it; both come from the reader."""
        verdicts = self._verdicts(observation)
        if observation.account is not None and observation.account.doubts:
            await self._halt_in_doubt(observation.account)
        if observation.account is not None and await self._late.book(
            verdicts, observation.account, slots=self._policy.parameters.position_management.max_positions
        ):
            verdicts = self._verdicts(observation)
        loud = [each for each in verdicts if not isinstance(each, _QUIET)]
        if not loud:
            await self._quiet(verdicts, observation)
            return verdicts
        await self._clock.sleep(SECOND_READING_SECONDS)
        again = await self._reader.read()
        present = self._verdicts(again)
        for verdict in loud:
            await self._act_on_both(verdict, present, again, first_at=observation.at, at_start=at_start)
        if len(verdicts) > 1:
            await self._keep_up(verdicts, observation)
        return verdicts

    def _verdicts(self, observation: Observation) -> tuple[Verdict, ...]:
        management = self._policy.parameters.position_management
        slots = management.max_positions
        return reconcile(self._journal.ledger, observation.account, observation.market, management.adopt, slots)

    async def _act_on_both(
        self,
        verdict: Verdict,
        present: tuple[Verdict, ...],
        again: Observation,
        *,
        first_at: datetime,
        at_start: bool,
    ) -> None:
        """Act on a verdict that one of the present ones agrees with."""
        if again.account is None:
            return
        agreed = ((agreement(verdict, each), each) for each in present)
        found = next(((both, each) for both, each in agreed if both is not None), None)
        if found is not None and await self._shown_twice(found[0], again.account):
            missing = Missing(first_at=first_at, went_on=found[0] != found[1])
            await self._act(found[0], again, at_start=at_start, missing=missing)

    async def _quiet(self, verdicts: tuple[Verdict, ...], observation: Observation) -> None:
        """Nothing is wrong: lift a halt whose cause is gone, and ask again for a history that was unreadable."""
        halted, account = self._journal.ledger.halt is not None, observation.account
        if halted and account is not None and all(isinstance(verdict, _SETTLED) for verdict in verdicts):
            await self._lift(verdicts, account)
        await self._keep_up(verdicts, observation)

    async def _keep_up(self, verdicts: tuple[Verdict, ...], observation: Observation) -> None:
        """Ask again for what could not be read of hedges that stand as the ledger has them."""
        for hedge in self._journal.ledger.open_hedges:
            if hedge.adopted and not hedge.history_known and _is_sound(hedge, verdicts):
                await self._complete_history(hedge, observation)
        if any(isinstance(verdict, _SETTLED) for verdict in verdicts):
            await self._external_trades.true_up()
            if observation.account is not None and self._journal.ledger.dust:
                await self._book_absent_dust(observation.account)

    async def _halt_in_doubt(self, account: AccountView) -> None:
        """Halt openings while the account's replies contradict each other."""
        ledger = self._journal.ledger
        if ledger.halt is not None:
            return
        symbols = tuple(hedge.symbol for hedge in ledger.open_hedges)
        await self._halt_for_doubt("; ".join(account.doubts), symbols)

    async def _halt_for_doubt(self, detail: str, symbols: tuple[str, ...]) -> None:
        reason = ev.HaltReason.ACCOUNT_IN_DOUBT
        await self._journal.record(ev.Halted(at=self._clock.now(), reason=reason, detail=detail, symbols=symbols))

    async def _lift(self, verdicts: tuple[Verdict, ...], account: AccountView) -> None:
        """Lift a halt whose cause is gone, when two endpoints agree on every position that it is about."""
        halt = self._journal.ledger.halt
        if halt is None or not halt.lifts_itself or account.doubts:
            return
        if any(isinstance(verdict, Consistent) and verdict.foreign for verdict in verdicts):
            return
        if halt.reason is ev.HaltReason.LEGS_DIFFER:
            return  # prices say when it ends, not positions
        if await self._reader.contradiction(halt.symbols, account) is None:
            agreed = halt.reason is ev.HaltReason.ACCOUNT_IN_DOUBT
            detail = "the account's replies agree again" if agreed else "the positions it was for are gone"
            await self._journal.record(ev.Lifted(at=self._clock.now(), detail=detail))

    async def _shown_twice(self, verdict: Verdict, account: AccountView) -> bool:
        """Return whether a second endpoint shows what would be adopted or halted for; else openings are halted."""
        symbols = symbols_of(verdict)
        contradiction = await self._reader.contradiction(symbols, account)
        if contradiction and self._journal.ledger.halt is None:
            await self._halt_for_doubt(contradiction, symbols)
        return contradiction is None

    async def _act(self, verdict: Verdict, observation: Observation, *, at_start: bool, missing: Missing) -> None:
        halt = self._journal.ledger.halt
        if isinstance(verdict, Adopt) and halt is not None and halt.reason is ev.HaltReason.ANOTHER_BOT:
            return  # it is the other bot's, which trades it
        if isinstance(verdict, Adopt):
            await self._adopt_fit(verdict, observation, at_start=at_start)
        elif isinstance(verdict, ClosedExternally | Replaced):
            self._say(verdict, observation, at_start=at_start)
            await self._let_go(verdict, observation, at_start=at_start)
        elif isinstance(verdict, HalfOpen):
            self._say(verdict, observation, at_start=at_start)
            hedge = self._journal.ledger.open_hedge_of(verdict.symbol)
            if hedge is not None:
                await self._book_missing(
                    hedge, verdict.missing_spot, verdict.missing_short, observation.account, "half open", missing
                )
        else:
            await self._halt(verdict, observation, at_start=at_start)

    async def _halt(self, verdict: Verdict, observation: Observation, *, at_start: bool) -> None:
        halt, present = halt_for(verdict), self._journal.ledger.halt
        if halt is None or (present is not None and present.reason is not ev.HaltReason.ACCOUNT_IN_DOUBT):
            return
        self._say(verdict, observation, at_start=at_start)
        await self._journal.record(
            ev.Halted(at=self._clock.now(), reason=halt.reason, detail=halt.detail, symbols=halt.symbols)
        )

    def _say(self, verdict: Verdict, observation: Observation, *, at_start: bool) -> None:
        if isinstance(verdict, ClosedExternally | Replaced | HalfOpen):
            hedge = self._journal.ledger.open_hedge_of(verdict.symbol)
        else:
            hedge = self._journal.ledger.largest
        self._journal.say(
            Reconciled(
                at=observation.at,
                verdict=verdict,
                at_start=at_start,
                hedge_before=hedge,
                funding_before=hedge.funding_received if hedge else ZERO,
                value_before=None,
                hedge=hedge,
                value=None,
            )
        )

    # --- letting go ------------------------------------------------------------------------------------------------

    async def _let_go(self, verdict: ClosedExternally | Replaced, observation: Observation, *, at_start: bool) -> None:
        hedge = self._journal.ledger.open_hedge_of(verdict.symbol)
        if hedge is None:
            await self._forget_imported(self._journal.ledger.imported)
        else:
            await self._lose(hedge, verdict, observation)
        if isinstance(verdict, Replaced):
            await self._adopt_fit(verdict, observation, at_start=at_start)

    async def _forget_imported(self, imported: ImportedState) -> None:
        """Count the position of the guide's state file as closed: it is not on the exchange."""
        await self._journal.record(
            ev.StateImported(
                at=self._clock.now(),
                cycle_count=imported.cycle_count,
                total_profit_loss=imported.total_profit_loss,
                positions_opened=imported.positions_opened,
                positions_closed=imported.positions_closed + 1,
            )
        )

    async def _lose(
        self, hedge: HedgedPosition, verdict: ClosedExternally | Replaced, observation: Observation
    ) -> None:
        # Less than a lot may be left of the coins: it was not sold, and stays the bot's.
        left = (
            min(hedge.spot_quantity, observation.account.coin(hedge.pair.base).total) if observation.account else ZERO
        )
        await self._book_missing(
            hedge, hedge.spot_quantity - left, hedge.short, observation.account, "closed elsewhere"
        )
        reason = Reason.REPLACED if isinstance(verdict, Replaced) else Reason.CLOSED_EXTERNALLY
        worth = left * await self._price(hedge, observation.account) if left > 0 else ZERO
        lost = ev.HedgeLost(at=self._clock.now(), hedge_id=hedge.hedge_id, reason=reason, residue_value=worth)
        lot = DustLot(asset=hedge.pair.base, quantity=left, cost=worth)
        await self._journal.record(*((lost, ev.DustKept(at=lost.at, lot=lot)) if left > 0 else (lost,)))

    async def _book_absent_dust(self, account: AccountView) -> None:
        """Book coins kept of hedges that ended and not in the wallet: others sold or moved them, maybe before the end.

        A closing sells no more than the balance shows, and keeps the rest of what the log owns. Where the books agree
        with the balance, the statement says as well that it is not there.
        """
        ledger = self._journal.ledger
        if account.doubts or not ledger.books.opened or ledger.jobs:
            return
        absent = [lot for lot in ledger.dust.values() if lot.quantity > account.coin(lot.asset).total]
        if not absent:
            return
        unsure = {key.removeprefix(f"{Wallet.SPOT}:") for key in books_difference(ledger.books, account)}
        unsure |= account.unreadable_balances | {hedge.pair.base for hedge in ledger.open_hedges}
        for lot in [each for each in absent if each.asset not in unsure]:
            missing = lot.quantity - account.coin(lot.asset).total
            ended = (closed.hedge for closed in reversed(ledger.closed) if closed.hedge.pair.base == lot.asset)
            for hedge in ended:
                part = min(missing, hedge.spot_quantity)
                if part >= hedge.pair.spot.lot and not await self._book_part_of_dust(hedge, part, lot):
                    return
                missing -= max(part, ZERO)

    async def _book_part_of_dust(self, hedge: HedgedPosition, part: Decimal, lot: DustLot) -> bool:
        """Book coins of a hedge that ended as sold by others; returns whether the account's trades could be read.

        What no trade explains was moved away, and leaves the result as it was.
        """
        known = await self._external_trades.unknown(hedge, Market.SPOT, Side.SELL)
        if known is None:
            return False
        fills, now = newest(known, part), self._clock.now()
        left = part - sum((fill.quantity for fill in fills), ZERO)
        if left > 0:
            fills.append(_placeholder(hedge, Market.SPOT, Side.SELL, left, lot.cost / lot.quantity, now))
        await self._journal.record(
            ev.ExternalFills(at=now, hedge_id=hedge.hedge_id, fills=tuple(fills), cause="kept coins are gone")
        )
        return True

    async def _book_missing(
        self,
        hedge: HedgedPosition,
        missing_spot: Decimal,
        missing_short: Decimal,
        account: AccountView | None,
        cause: str,
        missing: Missing | None = None,
    ) -> None:
        """Book the trades that took a leg from us; what no trade explains is booked at the present price."""
        fills = [
            *await self._missing(hedge, Market.SPOT, Side.SELL, missing_spot, account, missing),
            *await self._missing(hedge, Market.PERP, Side.BUY, missing_short, account, missing),
        ]
        if fills:
            await self._journal.record(
                ev.ExternalFills(at=self._clock.now(), hedge_id=hedge.hedge_id, fills=tuple(fills), cause=cause)
            )

    async def _missing(
        self,
        hedge: HedgedPosition,
        market: Market,
        side: Side,
        quantity: Decimal,
        account: AccountView | None,
        missing: Missing | None,
    ) -> list[Fill]:
        if quantity <= 0:
            return []
        known = await self._external_trades.unknown(hedge, market, side) or []
        found = newest(known if missing is None else missing.explaining(known, quantity), quantity)
        left = quantity - sum((fill.quantity for fill in found), ZERO)
        if left > 0:
            found.append(await self._assumed(hedge, market, side, left, account))
        return found

    async def _assumed(
        self, hedge: HedgedPosition, market: Market, side: Side, quantity: Decimal, account: AccountView | None
    ) -> Fill:
        """Return a placeholder fill for a change without a trade: coins moved away, or rows unreadable."""
        return _placeholder(hedge, market, side, quantity, await self._price(hedge, account), self._clock.now())

    async def _price(self, hedge: HedgedPosition, account: AccountView | None) -> Decimal:
        try:
            depth = await self._venue.depth(Market.SPOT, hedge.symbol)
        except VenueError:
            depth = None
        bid = depth.touch(Side.SELL) if depth else None
        if bid is not None:
            return bid
        position = account.positions.get(hedge.symbol) if account else None
        return position.mark_price if position and position.mark_price > 0 else hedge.entry_price

    # --- adopting ----------------------------------------------------------------------------------------------------

    async def adopt(self, candidate: Candidate, observation: Observation, *, at_start: bool) -> HedgedPosition:
        """Make a position found on the venue ours, with its real age, fees and funding where they can be read."""
        now, history = self._clock.now(), await self._history(candidate)
        signal = self._signal(candidate.symbol, observation.market)
        hedge = adoption(candidate, history, hedge_id=self._ids.next(), at=now, signal=signal)
        price = await self._price(hedge, observation.account)
        payments = _payments(hedge, history, now)
        await self._journal.record(ev.HedgeAdopted(at=now, hedge=hedge, payments=payments, spot_price=price))
        self._journal.say(
            Adopted(
                at=now,
                at_start=at_start,
                hedge=hedge,
                value=hedge.spot_quantity * price,
                rate=signal.mean if signal else None,
                apr=signal.apr if signal else None,
                moving_average=signal.moving_average if signal else True,
            )
        )
        return hedge

    async def _adopt_fit(self, verdict: Adopt | Replaced, observation: Observation, *, at_start: bool) -> None:
        """Adopt once the leverage is 1; refused once, it is the owner's to set."""
        symbol, account = verdict.candidate.symbol, observation.account
        if symbol in self._leverage_refused and not _at_leverage(symbol, account):
            return
        if await self.set_leverage(symbol, account):
            if isinstance(verdict, Adopt):
                self._say(verdict, observation, at_start=at_start)
            await self.adopt(verdict.candidate, observation, at_start=at_start)
            return
        self._leverage_refused.add(symbol)
        why = f"its leverage is not {LEVERAGE}x, and the exchange did not confirm a change"
        await self._halt(NotAdopted(candidate=verdict.candidate, unfit=why), observation, at_start=at_start)

    async def set_leverage(self, symbol: str, account: AccountView | None) -> bool:
        """Set a found position's leverage to 1 where it is another; returns whether it is 1 now."""
        if _at_leverage(symbol, account):
            return True
        return await self._executor.issue(SetLeverage(symbol=symbol, leverage=LEVERAGE))

    async def _complete_history(self, hedge: HedgedPosition, observation: Observation) -> None:
        candidate = Candidate(
            pair=hedge.pair, spot=hedge.spot_quantity, short=hedge.short, entry_price=hedge.entry_price
        )
        now, history = self._clock.now(), await self._history(candidate)
        signal = self._signal(hedge.symbol, observation.market)
        known = adoption(candidate, history, hedge_id=hedge.hedge_id, at=now, signal=signal)
        if known.history_known:
            payments = _payments(known, history, now)
            await self._journal.record(ev.HedgeAdopted(at=now, hedge=known, payments=payments))

    def _signal(self, symbol: str, market: MarketView | None) -> FundingSignal | None:
        return self._policy.rank(market).held_signal(symbol) if market else None

    async def _history(self, candidate: Candidate) -> PositionHistory | None:
        """Read trades back to the opening, and the payments since; None when they cannot be read."""
        now = self._clock.now()
        try:
            return await read_history(self._venue, candidate, now)
        except VenueError as unreadable:
            self._journal.say(Warned(at=now, text=f"Could not fetch funding history: {unreadable}"))
            return None


def _is_sound(hedge: HedgedPosition, verdicts: Sequence[Verdict]) -> bool:
    """Return whether a hedge stands as the ledger has it."""
    return any(isinstance(verdict, Consistent) and verdict.symbol == hedge.symbol for verdict in verdicts)


def _placeholder(
    hedge: HedgedPosition, market: Market, side: Side, quantity: Decimal, price: Decimal, now: datetime
) -> Fill:
    """Return a fill that stands for a change of which no trade is known."""
    return Fill(
        market=market,
        symbol=hedge.symbol,
        trade_id=-int(now.timestamp() * 1000),
        order_id=0,
        side=side,
        quantity=quantity,
        price=price,
        fee=ZERO,
        fee_asset=hedge.pair.perp.quote,
        at=now,
    )


def _payments(hedge: HedgedPosition, history: PositionHistory | None, now: datetime) -> tuple[FundingPayment, ...]:
    if history is None or not hedge.history_known:
        return ()
    return tuple(p for p in history.payments if p.symbol == hedge.symbol and hedge.opened_at <= p.at <= now)


def _at_leverage(symbol: str, account: AccountView | None) -> bool:
    position = account.positions.get(symbol) if account else None
    return position is None or position.leverage == LEVERAGE
