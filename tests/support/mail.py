"""Requests as a person leaves them for a running bot."""

from pathlib import Path

from msgspec.structs import replace

from hedgerow.app.companion.asking import new_request
from hedgerow.clock import SystemClock
from hedgerow.domain.operator_requests import VALID_SECONDS, HedgeSeen, OperatorRequest, Request, RequestOrigin
from hedgerow.ports import Clock
from hedgerow.store.mailbox import FolderMailbox

__all__ = ["asked", "mailbox_in"]


def mailbox_in(folder: Path, clock: Clock | None = None) -> FolderMailbox:
    """Return the mailbox in a folder, on the system's clock unless a test owns the time."""
    return FolderMailbox(folder, clock or SystemClock())


def asked(
    request_id: str,
    action: Request,
    *,
    clock: Clock | None = None,
    hedge: HedgeSeen | None = None,
    seconds: float = VALID_SECONDS,
    user: str = "anna",
    origin: RequestOrigin = RequestOrigin.CLI,
) -> OperatorRequest:
    """Return a request made now, under an id that a test knows."""
    made = new_request(action, clock or SystemClock(), user=user, origin=origin, hedge=hedge, seconds=seconds)
    return replace(made, request_id=request_id)
