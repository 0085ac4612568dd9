"""The owner's requests to a running bot."""

from datetime import datetime, timedelta
from typing import Final

from hedgerow.domain.operator_requests import Answer, Claim, HedgeSeen, OperatorRequest, Request, ResumeRequested
from hedgerow.ports import Clock

__all__ = ["OwnersMailbox"]

VALID: Final = timedelta(hours=1)


class OwnersMailbox:
    """A mailbox in memory, which also notes what is wrong with how its requests are answered."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, OperatorRequest] = {}
        self._begun: dict[str, OperatorRequest] = {}
        self._posted: dict[str, OperatorRequest] = {}
        self.answers: dict[str, Answer] = {}
        """By request id, in the order in which they came."""
        self.flaws: list[str] = []
        """Requests that were answered twice, begun twice, or begun after their time."""

    def post(self, action: Request, valid: timedelta = VALID, *, hedge: HedgeSeen | None = None) -> OperatorRequest:
        """Leave a request."""
        now = self._clock.now()
        request = OperatorRequest(
            request_id=str(len(self._posted) + 1),
            action=action,
            user="owner",
            asked_at=now,
            valid_until=now + valid,
            hedge=hedge,
        )
        self._posted[request.request_id] = self._waiting[request.request_id] = request
        return request

    def resume(self) -> None:
        """Ask for openings to be allowed again, unless that is asked for already."""
        if not any(isinstance(request.action, ResumeRequested) for request in self._waiting.values()):
            self.post(ResumeRequested())

    @property
    def waiting(self) -> bool:
        """Whether a request was not answered yet."""
        return bool(self._waiting or self._begun)

    def unanswered(self, asked_before: datetime) -> tuple[OperatorRequest, ...]:
        """Return the requests of before a time that were never answered."""
        open_ones = (*self._waiting.values(), *self._begun.values())
        return tuple(request for request in open_ones if request.asked_at < asked_before)

    def take(self) -> tuple[OperatorRequest, ...]:
        """Return what was not begun, in the order in which it was asked."""
        return tuple(self._waiting.values())

    def claim(self, request_id: str) -> Claim:
        """Make a request the bot's to carry out, unless it has expired."""
        request = self._waiting.get(request_id)
        if request is None:
            self.flaws.append(f"request {request_id} is begun twice")
            return Claim.WITHDRAWN
        if self._clock.now() >= request.valid_until:
            return Claim.EXPIRED
        self._begun[request_id] = self._waiting.pop(request_id)
        return Claim.TAKEN

    def abandoned(self) -> tuple[OperatorRequest, ...]:
        """Return what a bot that ended had begun."""
        return tuple(self._begun.values())

    def answer(self, request_id: str, answer: Answer) -> None:
        """Keep an answer and put its request away."""
        late = self._waiting.pop(request_id, None)
        if request_id in self.answers:
            self.flaws.append(f"request {request_id} is answered twice")
        if late is not None and answer.done:
            self.flaws.append(f"request {request_id} is carried out though it was never begun")
        self._begun.pop(request_id, None)
        self.answers[request_id] = answer
