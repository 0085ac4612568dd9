"""A folder through which commands reach a running bot: one file per request, replaced by its answer."""

from contextlib import suppress
from pathlib import Path

import msgspec

from hedgerow.domain.errors import ConfigError, MailboxError
from hedgerow.domain.requests import Answer, Request
from hedgerow.store.files import replace_file

__all__ = ["FolderMailbox"]


class FolderMailbox:
    """Requests as ``ID.request.json``, answers as ``ID.answer.json``, each written as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answered: set[str] = set()
        """Requests that were carried out though neither answer nor request could be changed on disk."""

    def post(self, request_id: str, request: Request) -> None:
        """Leave a request for the bot.

        Raises:
            ConfigError: the folder cannot be written.
        """
        try:
            self._put(f"{request_id}.request.json", msgspec.json.encode(request))
        except OSError as error:
            raise ConfigError(f"{self._folder} cannot be written: {error.strerror or error}") from error

    def take(self) -> tuple[tuple[str, Request], ...]:
        """Return the requests that were not answered yet, oldest id first; an unreadable one is answered so."""
        found: list[tuple[str, Request]] = []
        for path in sorted(self._folder.glob("*.request.json")):
            request_id = path.name.removesuffix(".request.json")
            if request_id in self._answered:
                continue
            try:
                found.append((request_id, msgspec.json.decode(path.read_bytes(), type=Request)))
            except FileNotFoundError:
                continue  # withdrawn since the folder was listed
            except (OSError, msgspec.DecodeError) as error:
                with suppress(MailboxError):
                    self.answer(request_id, Answer(done=False, text=f"unreadable request: {error}"))
        return tuple(found)

    def answer(self, request_id: str, answer: Answer) -> None:
        """Say how a request ended and put it away; it is not taken again, whatever of this fails.

        Raises:
            MailboxError: the folder cannot be written.
        """
        self._answered.add(request_id)
        try:
            try:
                self._put(f"{request_id}.answer.json", msgspec.json.encode(answer))
            finally:
                (self._folder / f"{request_id}.request.json").unlink(missing_ok=True)
        except OSError as error:
            raise MailboxError(
                f"the answer to a request cannot be written to {self._folder}: {error.strerror or error}"
            ) from error
        self._answered.discard(request_id)

    def collect(self, request_id: str) -> Answer | None:
        """Return and remove the answer to a request; None while there is none."""
        path = self._folder / f"{request_id}.answer.json"
        try:
            answer = msgspec.json.decode(path.read_bytes(), type=Answer)
        except (OSError, msgspec.DecodeError):
            return None
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return answer

    def withdraw(self, request_id: str) -> None:
        """Take back a request that nobody answered."""
        with suppress(OSError):
            (self._folder / f"{request_id}.request.json").unlink(missing_ok=True)

    def _put(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / name, content, durable=False)
