"""Log lines as JSON: one object a line, with what the line is about, for programs that collect logs."""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from hedgerow.dashboard.narration.wording import one_line
from hedgerow.engine.notices import Notice, Recorded

__all__ = ["JsonFormatter", "facts_of"]

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def facts_of(notice: Notice) -> dict[str, str | int]:
    """Return what a notice is about: ``event``, ``hedge``, ``symbol``, ``leg``, ``order``, ``order_id``.

    ``event`` is its tag in the event log, or the name of the notice; ``order`` is the bot's own id of an order and
    ``order_id`` the exchange's; what does not apply is left out.
    """
    if not isinstance(notice, Recorded):
        return _known(event=_CAPITAL.sub("_", type(notice).__name__).lower(), symbol=getattr(notice, "symbol", ""))
    event: Any = notice.event
    command = getattr(event, "command", None)
    order = getattr(command, "order", None)
    client_id = getattr(event, "client_id", None) or getattr(order or command, "client_id", None)
    record = notice.after.orders.get(client_id) or notice.before.orders.get(client_id) if client_id else None
    request = order or (record.request if record else None) or getattr(event, "fill", None)
    part = getattr(event, "execution", None) or getattr(event, "hedge", None)
    hedge = getattr(event, "hedge_id", "") or getattr(part, "hedge_id", "") or (record.hedge_id if record else "")
    held = notice.after.hedges.get(hedge) or notice.before.hedges.get(hedge)
    return _known(
        event=str(event.__struct_config__.tag),
        hedge=hedge or getattr(command, "hedge_id", ""),
        symbol=getattr(request or part or command, "symbol", "") or (held.symbol if held else ""),
        leg=str(getattr(request, "market", "")),
        order=client_id or "",
        order_id=getattr(event, "order_id", None),
    )


def _known(**facts: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in facts.items() if value not in {None, ""} and value is not None}


class JsonFormatter(logging.Formatter):
    """``{"time": ..., "level": ..., "text": ...}`` and the facts of the line; times are UTC, by the bot's own clock."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one object."""
        at = datetime.fromtimestamp(record.created, UTC)
        facts: Mapping[str, object] = getattr(record, "facts", {})
        found: dict[str, object] = {
            "time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "text": one_line(record.getMessage()),
            **facts,
        }
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(found).decode()
