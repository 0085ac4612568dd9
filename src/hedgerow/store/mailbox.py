"""Operator requests in a folder: one file per request, replaced by its answer."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import MailboxError
from hedgerow.domain.operator_requests import Answer, Claim, OperatorRequest
from hedgerow.ports import Clock
from hedgerow.small_files import read_small_file
from hedgerow.store.files import PRIVATE, replace_file

__all__ = ["FolderMailbox"]

REQUEST, BEGUN, ANSWER, DRAFT = ".request.json", ".begun.json", ".answer.json", ".tmp"
LARGEST_BYTES: Final = 65_536
SLACK_SECONDS: Final = 1.0
"""A wall clock may be put back by so much between a request and its reading."""
KEPT_SECONDS: Final = 600.0
"""Answers that nobody collected, and drafts that a crash left, are removed after this."""
CLEAN_EVERY_SECONDS: Final = 60.0
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class _Posted(Struct, frozen=True, kw_only=True):
    """A request as it waits in the folder."""

    request: OperatorRequest
    uptime: float
    """The machine's own steady clock when it was posted, seconds: it does not follow changes of the wall clock."""
    boot: str = ""
    """Which start of which machine that clock counts from; empty where the system does not say."""


class FolderMailbox:
    """Requests as ``ID.request.json``, claimed ones as ``ID.begun.json``, answers as ``ID.answer.json``.

    The folder belongs to the owner of the home and is closed to everybody else; files of others are refused.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        """``clock`` is the system's, whatever the bot lives by: those who ask know no other."""
        self._folder = folder
        self._clock = clock
        self._boot = _boot_id()
        self._waiting: dict[str, _Posted] = {}
        self._settled: set[str] = set()
        """Requests that are not to be taken again though their file could not be changed."""
        self._claimed: set[str] = set()
        self._clean_at = 0.0
        self._report: Callable[[str], None] = lambda _text: None
        self._closed = False
        """Whether the folder was reported as unusable."""

    def report_to(self, report: Callable[[str], None]) -> None:
        """Pass to ``report`` the requests that are refused unread."""
        self._report = report

    def release(self) -> None:
        """Do nothing: the folder is not held open."""

    # --- who asks ----------------------------------------------------------------------------------------------------

    def post(self, request: OperatorRequest) -> None:
        """Leave a request for the bot.

        Raises:
            MailboxError: the folder cannot be written, or belongs to another user.
        """
        posted = _Posted(request=request, uptime=self._clock.monotonic(), boot=self._boot)
        try:
            self._put(f"{request.request_id}{REQUEST}", msgspec.json.encode(posted))
        except UnicodeEncodeError as error:
            raise MailboxError(f"{error.object!a} is not UTF-8 text: no request can be") from error
        except OSError as error:
            raise MailboxError(f"{self._folder} cannot be written: {error.strerror or error}") from error

    def waits(self, request_id: str) -> bool:
        """Return whether a request was neither begun nor answered."""
        return self._path(request_id, REQUEST).exists()

    def begun(self, request_id: str) -> bool:
        """Return whether a bot is carrying a request out."""
        return self._path(request_id, BEGUN).exists()

    def collect(self, request_id: str) -> Answer | None:
        """Return and remove the answer to a request; None while there is none."""
        path = self._path(request_id, ANSWER)
        try:
            answer = msgspec.json.decode(path.read_bytes(), type=Answer)
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            return None
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return answer

    def withdraw(self, request_id: str) -> bool:
        """Withdraw a request; return whether nothing had begun it yet."""
        try:
            self._path(request_id, REQUEST).unlink()
        except OSError:
            return False
        return True

    # --- the bot -----------------------------------------------------------------------------------------------------

    def take(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that nobody has begun or answered, in the order in which they were posted.

        One that cannot be read, or that another user left, is answered so and reported.
        """
        if not self._usable():
            return ()
        self._clean()
        self._waiting = {each.request.request_id: each for each in self._found(REQUEST)}
        return tuple(each.request for each in sorted(self._waiting.values(), key=self._order))

    def claim(self, request_id: str) -> Claim:
        """Make a request this process's to carry out: the file is renamed, which succeeds for one process only.

        Raises:
            MailboxError: it cannot be renamed; the request is not taken again.
        """
        posted = self._waiting.get(request_id)
        if posted is not None and self._is_late(posted):
            return Claim.EXPIRED
        try:
            self._path(request_id, REQUEST).rename(self._path(request_id, BEGUN))
        except FileNotFoundError:
            return Claim.WITHDRAWN
        except OSError as error:
            self._settled.add(request_id)
            text = f"a request in {self._folder} cannot be taken: {error.strerror or error}"
            raise MailboxError(text) from error
        self._claimed.add(request_id)
        return Claim.TAKEN

    def abandoned(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that an earlier process claimed and never answered, in the order of their posting."""
        if not self._usable():
            return ()
        found = [each for each in self._found(BEGUN) if each.request.request_id not in self._claimed]
        return tuple(each.request for each in sorted(found, key=self._order))

    def answer(self, request_id: str, answer: Answer) -> None:
        """Say how a request ended and put it away; it is not taken again, whatever of this fails.

        Raises:
            MailboxError: the folder cannot be written.
        """
        self._settled.add(request_id)
        try:
            try:
                self._put(f"{request_id}{ANSWER}", msgspec.json.encode(answer))
            finally:
                for kind in (REQUEST, BEGUN):
                    self._path(request_id, kind).unlink(missing_ok=True)
        except OSError as error:
            raise MailboxError(
                f"the answer to a request cannot be written to {self._folder}: {error.strerror or error}"
            ) from error
        self._settled.discard(request_id)

    # --- files -------------------------------------------------------------------------------------------------------

    def _path(self, request_id: str, kind: str) -> Path:
        return self._folder / f"{request_id}{kind}"

    def _put(self, name: str, content: bytes) -> None:
        """Write a file that belongs to the owner of the home, also when root writes it.

        Raises:
            MailboxError: the folder belongs to another user.
            OSError: it cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self._owner()
        if os.geteuid() == 0 and owner:
            os.chown(self._folder, owner, -1)
        problem = self._problem()
        if problem:
            raise MailboxError(problem)
        path = self._folder / name
        replace_file(path, content, durable=False, mode=PRIVATE)
        if os.geteuid() == 0 and owner:
            os.chown(path, owner, -1)

    def _owner(self) -> int:
        """Return the user id of the home's owner."""
        return self._folder.absolute().parent.stat().st_uid

    def _usable(self) -> bool:
        """Return whether the folder is there and may be trusted; one that may not is reported once."""
        try:
            problem = self._problem()
        except FileNotFoundError:
            return False
        except OSError as error:
            problem = f"{self._folder} cannot be read: {error.strerror or error}"
        if problem and not self._closed:
            self._report(f"{problem}: requests are not read")
        self._closed = bool(problem)
        return not problem

    def _problem(self) -> str:
        """Return why the folder may not be trusted, after closing it to others where that is what was wrong."""
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return f"{self._folder} is no folder"
        if found.st_uid not in {os.geteuid(), self._owner()}:
            return f"{self._folder} belongs to another user (uid {found.st_uid})"
        if found.st_mode & 0o077:
            self._folder.chmod(0o700)
        return ""

    def _found(self, kind: str) -> Iterator[_Posted]:
        for path in sorted(self._folder.glob(f"*{kind}")):
            request_id = path.name.removesuffix(kind)
            if request_id in self._settled:
                continue
            try:
                posted = self._read(path, request_id)
            except FileNotFoundError:
                continue  # withdrawn since the folder was listed
            except (OSError, ValueError, ArithmeticError, RecursionError, msgspec.MsgspecError) as error:
                self._report(f"A request could not be read and is not carried out ({path.name}): {error}")
                with suppress(MailboxError):
                    self.answer(request_id, Answer(done=False, text=f"unreadable request: {error}"))
                continue
            yield posted

    def _read(self, path: Path, request_id: str) -> _Posted:
        """Return what a file holds.

        Raises:
            OSError: it cannot be read.
            ValueError: another user left it, it can be changed by others, or it is not the request it is named after.
        """
        content = read_small_file(path, largest=LARGEST_BYTES, owners={os.geteuid(), self._owner()})
        posted = msgspec.json.decode(content, type=_Posted)
        if posted.request.request_id != request_id:
            raise ValueError(f"it holds the request {posted.request.request_id}")
        return posted

    def _order(self, posted: _Posted) -> tuple[float, float, str]:
        """Return what sorts requests: by the machine's steady clock where it is this machine's, else by what they say.

        The wall clock may be changed between two of them.
        """
        comparable = posted.boot == self._boot
        return (
            posted.uptime if comparable else 0.0,
            posted.request.asked_at.timestamp(),
            posted.request.request_id,
        )

    def _is_late(self, posted: _Posted) -> bool:
        """Return whether a request may not be begun any more, by the wall clock and by one that nobody can change."""
        request, now = posted.request, self._clock.now()
        if now >= request.valid_until or (request.asked_at - now).total_seconds() > SLACK_SECONDS:
            return True
        if posted.boot != self._boot:
            return bool(posted.boot and self._boot)  # the machine was started again since, or it is another one
        waited = self._clock.monotonic() - posted.uptime
        return not 0 <= waited < (request.valid_until - request.asked_at).total_seconds()

    def _clean(self) -> None:
        """Remove answers and drafts that nobody will ask for."""
        if self._clock.monotonic() < self._clean_at:
            return
        self._clean_at = self._clock.monotonic() + CLEAN_EVERY_SECONDS
        now = self._clock.now().timestamp()
        for path in (*self._folder.glob(f"*{ANSWER}"), *self._folder.glob(f".*{DRAFT}")):
            with suppress(OSError):
                if abs(now - path.lstat().st_mtime) > KEPT_SECONDS:
                    path.unlink()


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
