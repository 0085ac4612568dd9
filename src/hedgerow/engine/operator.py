"""Carries out operator requests, in a running bot and in a one-shot command alike."""

from collections.abc import Awaitable, Sequence
from typing import assert_never

from hedgerow.domain import events as ev
from hedgerow.domain.errors import ConfigError, HedgerowError, MailboxError, StoreError
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.formats import log_funding, utc_second
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.operator_requests import (
    QUESTIONS,
    AdoptRequested,
    Answer,
    Claim,
    CloseAllRequested,
    CloseOnExitRequested,
    CloseRequested,
    ClosingPriced,
    HaltRequested,
    HedgeSeen,
    OperatorRequest,
    Request,
    RequestOutcome,
    ResumeRequested,
    SettingsForeseen,
    SettingsRequested,
)
from hedgerow.domain.position import Reason
from hedgerow.engine.cycle import Cycle
from hedgerow.engine.in_force import PolicyInForce, SettingsKeeper
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import Warned
from hedgerow.engine.observation_reader import ObservationReader
from hedgerow.engine.questions import NO_SETTINGS, Questions
from hedgerow.engine.reconciliation import Reconciler
from hedgerow.ports import Clock, Mailbox
from hedgerow.strategy.decisions.fitness import unfit
from hedgerow.strategy.decisions.reconcile import candidate_of
from hedgerow.strategy.hedge_result import result_of_ended
from hedgerow.strategy.settings_changes import refusal_of_changes

__all__ = ["Service"]

HALTED_UNTIL = "Openings are halted until: hedgerow resume"
STOPPING = "The bot is stopping: ask again once it has stopped."
INTERRUPTED = "The bot ended while it carried this out: see its log; a trade in flight is finished at the next start."


class Service:
    """Answers requests one at a time, in the order in which they were asked: between two cycles and between two slices.

    A closing that is asked for during a trade waits for its end, and later requests wait for the closing.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and each is one thing it needs
        self,
        *,
        clock: Clock,
        journal: Journal,
        reader: ObservationReader,
        reconciler: Reconciler,
        cycle: Cycle,
        questions: Questions,
        in_force: PolicyInForce,
        settings: SettingsKeeper | None = None,
        mailbox: Mailbox | None = None,
    ) -> None:
        """``mailbox`` is where requests come in while the bot runs; None = nowhere.

        ``settings`` is the configuration file that a person may change; None = there is none.
        """
        self._clock = clock
        self._journal = journal
        self._reader = reader
        self._reconciler = reconciler
        self._cycle = cycle
        self._questions = questions
        self._in_force = in_force
        self._settings = settings
        self._mailbox = mailbox
        self._pending: OperatorRequest | None = None
        """A closing that waits for the end of the trade at work."""
        self._about: HedgeSeen | None = None
        """The hedge of that trade."""
        self._closing = False
        self._alone = False
        """Whether a one-shot command asks: no bot runs."""
        self._resumed = False
        self._close_on_exit: bool | None = None
        self._settled_abandoned = False

    @property
    def reachable(self) -> bool:
        """Whether requests can come in while the bot runs."""
        return self._mailbox is not None

    @property
    def closing(self) -> bool:
        """Whether nothing new is to be traded: a person's closing is at work or waits, or a one-shot command acts."""
        return self._alone or self._closing or self._pending is not None

    @property
    def close_on_exit(self) -> bool | None:
        """Whether a person said that positions are closed, or kept, when the bot stops; None = nothing was said."""
        return self._close_on_exit

    def act_alone(self) -> None:
        """Serve a one-shot command: what a stop left in flight ends hedged or flat, and no opening leads further."""
        self._alone = True

    def take_resumed(self) -> bool:
        """Return, once, whether openings were allowed again since this was asked last."""
        resumed, self._resumed = self._resumed, False
        return resumed

    def settings_asked(self) -> frozenset[str]:
        """Return the settings that an earlier process wrote for a request and could not answer: it logs them."""
        abandoned = () if self._mailbox is None else self._mailbox.abandoned()
        found: set[str] = set()
        for request in abandoned:
            action = request.action
            if isinstance(action, SettingsRequested) and self._in_file(action):
                found.update(name for name, _ in action.changes)
        return frozenset(found)

    def _in_file(self, action: SettingsRequested) -> bool:
        """Return whether the bot began with all that a request asks for."""
        try:
            return self._settings is not None and not self._missing(self._settings, action)
        except ConfigError:
            return False

    def _missing(self, settings: SettingsKeeper, action: SettingsRequested) -> tuple[ev.SettingChange, ...]:
        """Return what of a request is not in the file; raises ``ConfigError`` when the file cannot be used."""
        return settings.prepared(dict(action.changes), self._in_force.coming).changes

    # --- a running bot -----------------------------------------------------------------------------------------------

    async def answer_mail(self) -> None:
        """Carry out every waiting request; one that fails is answered so before the failure goes on.

        Raises:
            HedgerowError: a request failed.
        """
        await self._answer(stopping=False)

    async def answer_at_the_end(self) -> None:
        """Answer what waits while the bot stops: halts are kept, and nothing that trades is begun any more.

        A closing that was begun already is carried out.

        Raises:
            HedgerowError: a request failed.
        """
        await self._answer(stopping=True)

    async def _answer(self, *, stopping: bool) -> None:
        if self._mailbox is None:
            return
        await self._close_pending(self._mailbox)
        await self._settle_abandoned(self._mailbox)
        for request in self._mailbox.take():
            if stopping and isinstance(request.action, CloseRequested | CloseAllRequested | AdoptRequested):
                await self._ended(self._mailbox, request, RequestOutcome.REFUSED, Answer(done=False, text=STOPPING))
            elif await self._is_due(self._mailbox, request):
                await self._carried_out(self._mailbox, request)

    async def answer_in_trade(self, job: HedgeExecution) -> None:
        """Answer what waits while ``job`` is at work; a closing is begun when the job has ended.

        Raises:
            StoreError: the log cannot be written.
        """
        if self._mailbox is None or self.closing:
            return
        try:
            for request in self._mailbox.take():
                await self._answer_one_in_trade(self._mailbox, request, job)
                if self.closing:
                    return
        except StoreError:
            raise
        except (HedgerowError, OSError) as error:
            self._warn(f"requests cannot be answered during the trade: {error}")

    async def _answer_one_in_trade(self, mailbox: Mailbox, request: OperatorRequest, job: HedgeExecution) -> None:
        if not await self._is_due(mailbox, request):
            return
        refusal = self._refusal_in_trade(request, job)
        if refusal:
            await self._ended(mailbox, request, RequestOutcome.REFUSED, Answer(done=False, text=refusal))
        elif isinstance(request.action, CloseRequested | CloseAllRequested):
            self._pending, self._about = request, self._meant(request.action, job)
        else:
            await self._carried_out(mailbox, request)

    def _refusal_in_trade(self, request: OperatorRequest, job: HedgeExecution) -> str | None:
        action = request.action
        if isinstance(action, QUESTIONS):
            return f"{job.symbol} is traded now: ask again after it."
        if isinstance(action, AdoptRequested):
            return f"{action.symbol} cannot be adopted while {job.symbol} is traded."
        ledger = self._journal.ledger
        if isinstance(action, CloseRequested) and action.symbol and ledger.held(action.symbol) is None:
            return f"{action.symbol} is not held; {_which(ledger, job.symbol)}."
        if isinstance(action, CloseRequested) and not action.symbol and len(ledger.hedges) > 1:
            return _several(ledger)
        return self._changed(request)

    def _meant(self, action: CloseRequested | CloseAllRequested, job: HedgeExecution) -> HedgeSeen:
        """Return the hedge that a closing is about which is asked for while ``job`` is at work."""
        symbol = action.symbol if isinstance(action, CloseRequested) else None
        held = self._journal.ledger.held(symbol) if symbol else None
        if held is None:
            return HedgeSeen(hedge_id=job.hedge_id, symbol=job.symbol)
        return HedgeSeen(hedge_id=held.hedge_id, symbol=held.symbol)

    async def _is_due(self, mailbox: Mailbox, request: OperatorRequest) -> bool:
        """Claim a request; returns whether it is to be carried out. One that is not any more is answered."""
        if self._answered_again(mailbox, request):
            return False
        try:
            claim = mailbox.claim(request.request_id)
        except MailboxError as error:
            self._warn(f"{error}; it was: {request.text}")
            return False
        if claim is Claim.EXPIRED:
            text = f"Expired: it was valid until {request.valid_until:%H:%M:%S} UTC. Nothing was done."
            await self._ended(mailbox, request, RequestOutcome.EXPIRED, Answer(done=False, text=text))
        return claim is Claim.TAKEN

    async def _carried_out(self, mailbox: Mailbox, request: OperatorRequest) -> None:
        await self._answered(mailbox, request, self._obeyed(request))

    async def _answered(self, mailbox: Mailbox, request: OperatorRequest, work: Awaitable[Answer]) -> None:
        """Answer a request with what ``work`` returns; one that fails is answered so before the failure goes on."""
        try:
            answer = await work
        except Exception as error:
            if isinstance(error, StoreError) and isinstance(request.action, SettingsRequested):
                raise  # the file may have them already: the next start reads it, logs what it finds, and answers
            failure = Answer(done=False, text=f"{type(error).__name__}: {error}")
            await self._ended(mailbox, request, RequestOutcome.FAILED, failure)
            raise
        await self._ended(mailbox, request, _outcome(answer), answer)

    async def _close_pending(self, mailbox: Mailbox) -> None:
        request, about = self._pending, self._about
        self._pending = self._about = None
        if request is None or about is None:
            return
        if isinstance(request.action, CloseAllRequested):
            await self._answered(mailbox, request, self._close_all())
        else:
            await self._answered(mailbox, request, self._closed_after_trade(about))

    async def _closed_after_trade(self, about: HedgeSeen) -> Answer:
        """Close what a trade left that was at work when the closing was asked for; say so where it left nothing."""
        await self._cycle.finish_what_is_in_flight()
        ledger = self._journal.ledger
        if ledger.held(about.symbol) is not None:
            return await self._close(CloseRequested(symbol=about.symbol))
        await self._halted(_asked_to_close((about.symbol,)))
        ended = next((each for each in ledger.closed if each.hedge.hedge_id == about.hedge_id), None)
        net = f" (net {log_funding(result_of_ended(ended).net_so_far)})" if ended and ended.net_profit else ""
        text = f"Nothing of {about.symbol} is held{net}. {HALTED_UNTIL}"
        return Answer(done=True, text=text)

    async def _settle_abandoned(self, mailbox: Mailbox) -> None:
        """Answer, once, what an earlier process had begun: it is not begun again."""
        if self._settled_abandoned:
            return
        self._settled_abandoned = True
        for request in mailbox.abandoned():
            if self._answered_again(mailbox, request):
                continue
            if isinstance(request.action, SettingsRequested):
                answer = await self._settings_after(request, request.action)
            else:
                answer = Answer(done=False, text=INTERRUPTED)
            outcome = RequestOutcome.DONE if answer.done else RequestOutcome.INTERRUPTED
            await self._ended(mailbox, request, outcome, answer)

    async def _settings_after(self, request: OperatorRequest, action: SettingsRequested) -> Answer:
        """Say what became of settings that an earlier process was to change; log what it wrote and did not log.

        Whether it wrote them is read from the file, which this process began with.
        """
        if self._settings is None:
            return Answer(done=False, text=INTERRUPTED)
        try:
            missing = self._missing(self._settings, action)
        except ConfigError as error:
            return Answer(done=False, text=f"The bot ended while it carried this out, and now {error}")
        if missing:
            found = ", ".join(f"{each.name} is {each.before}" for each in missing)
            return Answer(done=False, text=f"The bot ended before it wrote this: {found}. Ask again.")
        if self._journal.ledger.settings_request != request.request_id:
            written = tuple(ev.SettingChange(name=name, before="?", after=value) for name, value in action.changes)
            await self._log_settings(request.user, request.request_id, written)
        changes = ", ".join(f"{name} is {value}" for name, value in action.changes)
        return Answer(done=True, text=f"Written to the file and in force, though the bot ended meanwhile: {changes}.")

    async def _log_settings(self, user: str, request_id: str, changes: tuple[ev.SettingChange, ...]) -> None:
        now = self._clock.now()
        await self._journal.record(ev.SettingsChanged(at=now, user=user, changes=changes, request_id=request_id))

    def _answered_again(self, mailbox: Mailbox, request: OperatorRequest) -> bool:
        """Give a request the answer that the log has for it; returns whether it has one."""
        for known in reversed(self._journal.ledger.requests):
            if known.request_id == request.request_id:
                self._reply(mailbox, request.request_id, Answer(done=known.done, text=known.text))
                return True
        return False

    async def _ended(self, mailbox: Mailbox, request: OperatorRequest, outcome: RequestOutcome, answer: Answer) -> None:
        """Answer a request and log how it ended; who asked is answered also when the log cannot be written."""
        try:
            await self._logged(request, outcome, answer)
        finally:
            self._reply(mailbox, request.request_id, answer)

    async def _logged(self, request: OperatorRequest, outcome: RequestOutcome, answer: Answer) -> None:
        if isinstance(request.action, QUESTIONS):
            return
        now = self._clock.now()
        await self._journal.record(ev.RequestHandled(at=now, request=request, outcome=outcome, text=answer.text))

    def _reply(self, mailbox: Mailbox, request_id: str, answer: Answer) -> None:
        """Answer a request; that the answer cannot be written is a warning."""
        try:
            mailbox.answer(request_id, answer)
        except MailboxError as error:
            self._warn(f"{error}; it was: {answer.text}")

    def _warn(self, text: str) -> None:
        self._journal.say(Warned(at=self._clock.now(), text=text))

    # --- a one-shot command ------------------------------------------------------------------------------------------

    async def handle(self, request: OperatorRequest) -> Answer:
        """Carry a request out where no bot runs, log how it ended, and say how.

        Raises:
            HedgerowError: it failed.
        """
        self.act_alone()
        try:
            answer = await self._obeyed(request)
        except StoreError:
            raise
        except HedgerowError as error:
            failure = Answer(done=False, text=f"{type(error).__name__}: {error}")
            await self._logged(request, RequestOutcome.FAILED, failure)
            raise
        if answer.done and not isinstance(request.action, CloseRequested):
            answer = Answer(done=True, text=f"{answer.text.removesuffix('.')}. {self._unwatched()}")
        await self._logged(request, _outcome(answer), answer)
        return answer

    def _unwatched(self) -> str:
        """Return what it means that no bot runs."""
        held = ", ".join(hedge.symbol for hedge in self._journal.ledger.live_hedges)
        return f"No bot is running: nothing watches {held} until one is started." if held else "No bot is running."

    # --- requests ----------------------------------------------------------------------------------------------------

    async def _obeyed(self, request: OperatorRequest) -> Answer:
        changed = self._changed(request)
        if changed:
            return Answer(done=False, text=changed)
        return await self.carry_out(request.action, request.user, request.request_id)

    def _changed(self, request: OperatorRequest) -> str | None:
        """Return why a request is not about what is held now; None when it is, or says nothing of it."""
        seen, active = request.hedge, self._journal.ledger.foremost
        if seen is None or seen.hedge_id in self._journal.ledger.hedges:
            return None
        if active is None:
            return f"{seen.symbol} is not held any more. Nothing was done."
        if self._journal.ledger.held(seen.symbol):
            which = f"another position on {seen.symbol} is"
        else:
            which = _which(self._journal.ledger, active.symbol)
        return f"The position on {seen.symbol} is not held any more; {which}. Nothing was done."

    async def carry_out(self, request: Request, user: str = "", request_id: str = "") -> Answer:  # noqa: C901 - one case each
        """Carry out one request of ``user`` and say how it ended."""
        match request:
            case CloseRequested():
                return await self._close(request)
            case CloseAllRequested():
                return await self._close_all()
            case AdoptRequested():
                return await self._adopt(request.symbol)
            case HaltRequested():
                return await self._halt(request.detail)
            case ResumeRequested():
                return await self._resume()
            case CloseOnExitRequested():
                return self._set_close_on_exit(on=request.on)
            case SettingsRequested():
                return await self._change_settings(request, user, request_id)
            case SettingsForeseen() | ClosingPriced():
                return await self._questions.answer(request)
        assert_never(request)

    def _set_close_on_exit(self, *, on: bool) -> Answer:
        self._close_on_exit = on
        text = "closes its positions when it stops" if on else "keeps its positions when it stops"
        return Answer(done=True, text=f"This bot {text}; the next one does as it is started.")

    async def _change_settings(self, request: SettingsRequested, user: str, request_id: str) -> Answer:
        """Write changed settings to the file, then log them: the next check begins with them."""
        if self._settings is None:
            return Answer(done=False, text=NO_SETTINGS)
        try:
            new = self._settings.prepared(dict(request.changes), self._in_force.coming)
            refusal = refusal_of_changes(new.changes, self._journal.ledger)
            if refusal or not new.changes:
                return Answer(done=not refusal, text=f"Nothing was changed: {refusal or 'that is in force already.'}")
            new.write()
        except ConfigError as error:
            return Answer(done=False, text=f"Nothing was changed: {error}")
        await self._log_settings(user, request_id, new.changes)
        self._in_force.propose(new.policy)
        changes = ", ".join(f"{each.name} is {each.after}" for each in new.changes)
        return Answer(done=True, text=f"Written to the file, in force at the next check: {changes}.")

    async def _close(self, request: CloseRequested) -> Answer:
        self._closing = True
        try:
            return await self._closed(request)
        finally:
            self._closing = False

    async def _close_all(self) -> Answer:
        self._closing = True
        try:
            return await self._closed_all()
        finally:
            self._closing = False

    async def _closed_all(self) -> Answer:
        await self._cycle.finish_what_is_in_flight()
        held = self._journal.ledger.live_hedges
        if not held:
            return Answer(done=False, text="No position is held.")
        await self._halted(_asked_to_close([hedge.symbol for hedge in held]))
        left = await self._cycle.close_all(Reason.USER)
        ids = {hedge.hedge_id for hedge in held}
        ended = [closed for closed in self._journal.ledger.closed if closed.hedge_id in ids]
        symbols, net = ", ".join(closed.symbol for closed in ended), sum((closed.net_profit for closed in ended), ZERO)
        said = [f"Closed {symbols}: net {log_funding(net)}"] if ended else []
        said += ["; ".join(f"{symbol} could not be closed: {why}" for symbol, why in left.items())] if left else []
        return Answer(done=not left, text=". ".join((*said, HALTED_UNTIL)))

    async def _closed(self, request: CloseRequested) -> Answer:
        await self._cycle.finish_what_is_in_flight()
        ledger = self._journal.ledger
        fits = request.take_over and request.symbol and ledger.held(request.symbol) is None
        if fits and request.symbol and self._reconciler.free_slots > 0:
            taken = await self._adopt(request.symbol, to_close=True)
            if not taken.done:
                return taken
            ledger = self._journal.ledger
        if not ledger.hedges:
            return Answer(done=False, text="No position is held.")
        if not request.symbol and len(ledger.hedges) > 1:
            return Answer(done=False, text=_several(ledger))
        held = ledger.held(request.symbol) if request.symbol else ledger.foremost
        if held is None:
            return Answer(done=False, text=f"{request.symbol} is not held; {_which(ledger)}.")
        await self._halted(_asked_to_close((held.symbol,)))
        obstacle = await self._cycle.close_now(Reason.USER, held.hedge_id)
        if obstacle is not None:
            return Answer(done=False, text=f"{held.symbol} could not be closed: {obstacle}")
        closed = next(each for each in reversed(self._journal.ledger.closed) if each.hedge_id == held.hedge_id)
        net = log_funding(result_of_ended(closed).net_so_far)
        by_others = closed.reason is Reason.CLOSED_EXTERNALLY
        said = f"{held.symbol} was closed elsewhere" if by_others else f"Closed {held.symbol}"
        return Answer(done=True, text=f"{said}: net {net}. {HALTED_UNTIL}")

    async def _adopt(self, symbol: str, *, to_close: bool = False) -> Answer:
        """Make a position the bot's; one that is ``to_close`` need not be fit to be held."""
        await self._cycle.finish_what_is_in_flight()
        ledger = self._journal.ledger
        if ledger.open_hedge_of(symbol) is not None:
            return Answer(done=False, text=f"{symbol} is held already: what else the account holds of it stays yours.")
        if ledger.execution or ledger.held(symbol) or self._reconciler.free_slots <= 0:
            which = _which(ledger, "a job in flight")
            return Answer(done=False, text=f"{symbol} cannot be adopted while {which} held.")
        observation = await self._reader.read()
        if observation.account is None or observation.market is None:
            return Answer(done=False, text=f"Could not read {', '.join(observation.missing)}.")
        candidate = candidate_of(symbol, ledger, observation.account, observation.market)
        if candidate is None:
            return Answer(done=False, text=f"{symbol}: no short with coins against it was found.")
        why = None if to_close else unfit(candidate, observation.account, observation.market)
        if why is not None:
            return Answer(done=False, text=f"{symbol} is not adopted: {why}. `hedgerow close {symbol}` closes it.")
        doubt = await self._reader.contradiction((symbol,), observation.account)
        if doubt:
            return Answer(done=False, text=f"{symbol} cannot be adopted now: {doubt}.")
        if not await self._reconciler.set_leverage(symbol, observation.account) and not to_close:
            return Answer(done=False, text=f"{symbol} is not adopted: its leverage is not 1, and setting it failed.")
        hedge = await self._reconciler.adopt(candidate, observation, at_start=False)
        return Answer(
            done=True,
            text=f"Adopted {symbol}: {plain(hedge.spot_quantity)} coins against a short of {plain(hedge.short)}.",
        )

    async def _halt(self, detail: str) -> Answer:
        standing = self._journal.ledger.standing_halt
        if standing is not None and (not detail or standing.reason is not ev.HaltReason.USER):
            since = f"since {utc_second(standing.since)} UTC"
            text = f"Openings are halted already, {since}: {standing.reason} ({standing.detail})."
            return Answer(done=True, text=text)
        now = self._clock.now()
        await self._journal.record(ev.Halted(at=now, reason=ev.HaltReason.USER, detail=detail or "by hand"))
        if self._alone:
            return Answer(done=True, text="Openings are halted.")
        job = self._journal.ledger.execution
        if job is not None and job.kind is ExecutionKind.OPEN:
            rest = f"the opening of {job.symbol} leads no further: what is filled of it ends hedged or flat."
        else:
            rest = "a held position is still watched and closed by its rules."
        return Answer(done=True, text=f"Openings are halted; {rest}")

    async def _halted(self, detail: str) -> None:
        """Halt openings; a halt that only a person lifts keeps its cause."""
        if self._journal.ledger.standing_halt is not None:
            return
        now = self._clock.now()
        await self._journal.record(ev.Halted(at=now, reason=ev.HaltReason.USER, detail=detail))

    async def _resume(self) -> Answer:
        halt = self._journal.ledger.halt
        if halt is None:
            return Answer(done=True, text="Openings were not halted.")
        job = self._journal.ledger.execution
        if job is not None and job.state is ExecutionState.NAKED:
            text = f"{job.symbol}: a leg is naked: openings stay halted until both legs match again."
            return Answer(done=False, text=text)
        await self._journal.record(ev.Lifted(at=self._clock.now(), detail="by hand"))
        self._resumed = True
        again = " The next check halts them again unless the cause is gone." if halt.lifts_itself else ""
        return Answer(done=True, text=f"Openings are allowed again.{again}")


def _asked_to_close(symbols: Sequence[str]) -> str:
    return f"a person asked to close {', '.join(symbols)}"


def _which(ledger: Ledger, otherwise: str = "") -> str:
    """Return which positions are held, as the end of a sentence."""
    symbols = [hedge.symbol for hedge in ledger.live_hedges] or [otherwise]
    return f"{', '.join(symbols)} {'is' if len(symbols) == 1 else 'are'}"


def _several(ledger: Ledger) -> str:
    symbols = [hedge.symbol for hedge in ledger.live_hedges]
    text = f"Several positions are held: {', '.join(symbols)}. Say which one, as in `hedgerow close {symbols[0]}`,"
    return f"{text} or all of them: `hedgerow close --all`."


def _outcome(answer: Answer) -> RequestOutcome:
    return RequestOutcome.DONE if answer.done else RequestOutcome.REFUSED
