"""One view of a bot from outside: its log opened for reading, its heartbeat and its last outlook."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.app.home_past import CASH_RATE, HomePast
from hedgerow.app.session import read_ledger
from hedgerow.app.storage.parts import Shown
from hedgerow.app.storage.select import shown_by
from hedgerow.config import Home
from hedgerow.dashboard.bot_state import bot_state
from hedgerow.dashboard.status_lines import BotView
from hedgerow.dashboard.view import View, view_of_bot
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.ports import Clock

__all__ = ["Look", "look_at_bot", "look_of", "view_of_home"]


class Look(Struct, frozen=True, kw_only=True):
    """One view of a bot."""

    view: BotView
    has_log: bool


async def look_at_bot(home: Home, clock: Clock, load: Callable[[Home], Awaitable[Ledger | None]] = read_ledger) -> Look:
    """Read the state of the bot of a home; takes no lock, writes nothing. ``clock`` is real time.

    ``load`` reads the ledger: of the whole log, or of what is new in it.

    Raises:
        StoreError: the log is corrupt or newer than this version.
    """
    # The heartbeat first: a bot that ends in between is then seen as running in its last state, not as half stopped.
    now, shown = clock.now(), shown_by(home, clock)
    return look_of(shown, await load(home), now)


def look_of(shown: Shown, ledger: Ledger | None, now: datetime) -> Look:
    """Return the view of a bot from what it shows and its ledger, None = it has no log; ``now`` is real time."""
    outlook, process = shown.outlook, shown.process
    # The bot's own clock may be another one: a paper bot that plays faster, or a machine that is off.
    ahead = outlook.at - outlook.written_at if outlook else timedelta()
    if process.last_beat is not None:
        process = replace(process, last_beat=process.last_beat + ahead)
    known = ledger or Ledger()
    report = bot_state(known, process, outlook, now + ahead)
    view = BotView(ledger=known, process=process, outlook=outlook, report=report, now=now + ahead)
    return Look(view=view, has_log=ledger is not None)


async def view_of_home(
    home: Home, clock: Clock, identity: RunIdentity | None = None, *, cash_rate: float = CASH_RATE
) -> View:
    """Return the view of the bot of a home, with its past where its time series can be read; writes nothing.

    ``identity`` is that of its settings, ``cash_rate`` a fraction a year that cash is compared at.

    Raises:
        StoreError: the event log is corrupt or newer than this version.
    """
    look = await look_at_bot(home, clock)
    return view_of_bot(look.view, HomePast(home, clock, cash_rate=cash_rate).of(look.view), identity)
