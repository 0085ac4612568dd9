"""The owner's requests to a running bot: he allows openings again, some hours after they were halted."""

from hedgerow.domain.requests import Answer, Request, ResumeRequested

__all__ = ["OwnersMailbox"]


class OwnersMailbox:
    """A mailbox in memory that only ever holds ``resume``; one request for every time openings are halted."""

    def __init__(self) -> None:
        self._waiting: dict[str, Request] = {}
        self._posted = 0
        self.answers: list[Answer] = []

    def resume(self) -> None:
        """Ask for openings to be allowed again, unless that is asked for already."""
        if not self._waiting:
            self._posted += 1
            self._waiting[str(self._posted)] = ResumeRequested()

    @property
    def waiting(self) -> bool:
        """Whether a request was not answered yet."""
        return bool(self._waiting)

    def take(self) -> tuple[tuple[str, Request], ...]:
        """Return what was not answered yet."""
        return tuple(self._waiting.items())

    def answer(self, request_id: str, answer: Answer) -> None:
        """Keep an answer and put its request away."""
        self._waiting.pop(request_id, None)
        self.answers.append(answer)
