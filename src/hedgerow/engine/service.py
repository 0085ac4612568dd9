"""Carries out what a person asks of the bot; the same door serves a running bot and a one-shot command."""

from typing import assert_never

from hedgerow.domain import events as ev
from hedgerow.domain.errors import HedgerowError, MailboxError
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.money import plain
from hedgerow.domain.position import Reason
from hedgerow.domain.requests import AdoptRequested, Answer, CloseRequested, HaltRequested, Request, ResumeRequested
from hedgerow.engine.cycle import Cycle, Tools
from hedgerow.engine.moments import Warned
from hedgerow.engine.observe import observe
from hedgerow.ports import Mailbox
from hedgerow.strategy.fitness import unfit
from hedgerow.strategy.reconcile import candidate_of

__all__ = ["Service"]


class Service:
    """Answers requests, one at a time, between two cycles."""

    def __init__(self, tools: Tools, cycle: Cycle, mailbox: Mailbox | None = None) -> None:
        self._tools = tools
        self._cycle = cycle
        self._mailbox = mailbox

    @property
    def reachable(self) -> bool:
        """Whether requests can come in while the bot runs."""
        return self._mailbox is not None

    async def answer_mail(self) -> None:
        """Carry out every waiting request; one that fails is answered so before the failure goes on.

        Raises:
            HedgerowError: a request failed.
        """
        if self._mailbox is None:
            return
        for request_id, request in self._mailbox.take():
            try:
                answer = await self.carry_out(request)
            except HedgerowError as error:
                self._reply(self._mailbox, request_id, Answer(done=False, text=f"{type(error).__name__}: {error}"))
                raise
            self._reply(self._mailbox, request_id, answer)

    def _reply(self, mailbox: Mailbox, request_id: str, answer: Answer) -> None:
        """Answer a request; that the answer cannot be written is a warning."""
        try:
            mailbox.answer(request_id, answer)
        except MailboxError as error:
            self._tools.journal.say(Warned(at=self._tools.clock.now(), text=f"{error}; it was: {answer.text}"))

    async def carry_out(self, request: Request) -> Answer:
        """Carry out one request and say how it ended."""
        match request:
            case CloseRequested():
                return await self._close(request)
            case AdoptRequested():
                return await self._adopt(request.symbol)
            case HaltRequested():
                return await self._halt(request.detail or "by hand")
            case ResumeRequested():
                return await self._resume()
        assert_never(request)

    async def _close(self, request: CloseRequested) -> Answer:
        await self._cycle.finish_what_is_in_flight()
        if self._tools.journal.ledger.active is None and request.take_over and request.symbol:
            taken = await self._adopt(request.symbol, to_close=True)
            if not taken.done:
                return taken
        held = self._tools.journal.ledger.hedge
        if held is None:
            return Answer(done=False, text="No position is held.")
        if request.symbol and request.symbol != held.symbol:
            return Answer(done=False, text=f"{request.symbol} is not held; {held.symbol} is.")
        await self._halt(f"{held.symbol} was closed by hand")
        obstacle = await self._cycle.close_now(Reason.USER)
        if obstacle is not None:
            return Answer(done=False, text=f"{held.symbol} could not be closed: {obstacle}")
        closed = self._tools.journal.ledger.closed[-1]
        return Answer(
            done=True,
            text=f"Closed {held.symbol}: net ${closed.net_profit:.4f}. Openings are halted until: hedgerow resume",
        )

    async def _adopt(self, symbol: str, *, to_close: bool = False) -> Answer:
        """Make a position the bot's; one that is ``to_close`` need not be fit to be held."""
        await self._cycle.finish_what_is_in_flight()
        tools, ledger = self._tools, self._tools.journal.ledger
        if ledger.active or ledger.execution:
            held = ledger.active.symbol if ledger.active else "a job in flight"
            return Answer(done=False, text=f"{symbol} cannot be adopted while {held} is held.")
        periods = tools.policy.parameters.funding_rate_strategy.funding_ma_periods
        observation = await tools.settler.examined(await observe(tools.venue, tools.clock, periods))
        if observation.account is None or observation.market is None:
            return Answer(done=False, text=f"Could not read {', '.join(observation.missing)}.")
        candidate = candidate_of(symbol, ledger, observation.account, observation.market)
        if candidate is None:
            return Answer(done=False, text=f"{symbol}: no short with coins against it was found.")
        why = None if to_close else unfit(candidate, observation.account, observation.market)
        if why is not None:
            return Answer(done=False, text=f"{symbol} is not adopted: {why}. `hedgerow close {symbol}` closes it.")
        doubt = await tools.settler.contradiction((symbol,), observation.account)
        if doubt:
            return Answer(done=False, text=f"{symbol} cannot be adopted now: {doubt}.")
        if not await tools.settler.set_leverage(symbol, observation.account) and not to_close:
            return Answer(done=False, text=f"{symbol} is not adopted: its leverage is not 1, and setting it failed.")
        hedge = await tools.settler.adopt(candidate, observation, at_start=False)
        return Answer(
            done=True,
            text=f"Adopted {symbol}: {plain(hedge.spot_quantity)} coins against a short of {plain(hedge.short)}.",
        )

    async def _halt(self, detail: str) -> Answer:
        now = self._tools.clock.now()
        await self._tools.journal.record(ev.Halted(at=now, reason=ev.HaltReason.USER, detail=detail))
        return Answer(done=True, text="Openings are halted; a held position is still watched and closed by its rules.")

    async def _resume(self) -> Answer:
        halt = self._tools.journal.ledger.halt
        if halt is None:
            return Answer(done=True, text="Openings were not halted.")
        job = self._tools.journal.ledger.execution
        if job is not None and job.state is ExecutionState.NAKED:
            text = f"{job.symbol}: a leg is naked: openings stay halted until both legs match again."
            return Answer(done=False, text=text)
        await self._tools.journal.record(ev.Lifted(at=self._tools.clock.now(), detail="by hand"))
        again = " The next check halts them again unless the cause is gone." if halt.lifts_itself else ""
        return Answer(done=True, text=f"Openings are allowed again.{again}")
