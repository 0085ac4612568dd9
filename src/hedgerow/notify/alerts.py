"""Alerts: what a person should know, with its cause, what the bot does about it and what the person can do. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

__all__ = ["KINDS", "Alert", "AlertKind", "AlertLevel", "KindOfAlert", "alert_of"]


class AlertLevel(StrEnum):
    """How urgent an alert is."""

    INFO = "info"
    WARN = "warn"
    PAGE = "page"
    """Wakes people: neither quiet hours nor a mute hold it back."""


class AlertKind(StrEnum):
    """What an alert is about."""

    OPENED = "opened"
    NOT_OPENED = "not opened"
    CLOSED = "closed"
    ROLLED = "rolled"
    FUNDING = "funding digest"
    HALF_OPEN = "half open"
    NAKED = "naked"
    REPAIRED = "repaired"
    HALTED = "halted"
    LIFTED = "lifted"
    DAILY_LOSS = "daily loss"
    MARGIN_MOVED = "margin moved"
    MARGIN_LOW = "margin low"
    LIQUIDATED = "liquidation or ADL"
    INTERVAL_CHANGED = "interval changed"
    VENUE_DOWN = "venue down"
    VENUE_BACK = "venue back"
    BOOKS_DIFFER = "books differ"
    FOREIGN_POSITION = "foreign position"
    KEY_EXPIRING = "key expiring"
    SETTINGS_CHANGED = "settings changed"
    REQUEST = "request"
    STOPPED = "bot stopped"
    DEAD = "bot dead"
    RESTARTED = "restarted"


class KindOfAlert(Struct, frozen=True, kw_only=True):
    """What is common to the alerts of a kind."""

    level: AlertLevel
    """Unless an alert says otherwise."""
    when: str
    """When it is sent; for the documentation."""
    does: str
    """What the bot does about it."""
    can_do: str
    """What a person can do."""


class Alert(Struct, frozen=True, kw_only=True):
    """One alert."""

    kind: AlertKind
    level: AlertLevel
    at: datetime
    """By the bot's clock."""
    what: str
    why: str
    does: str
    can_do: str
    symbol: str = ""
    seq: int | None = None
    """Number of the event in the log that it follows from; None where the companion saw it from outside."""

    @property
    def subject(self) -> str:
        """Alerts of one subject within a short time are repeats."""
        return f"{self.kind}/{self.symbol}"


def alert_of(  # noqa: PLR0913 - the parts of an alert
    kind: AlertKind,
    at: datetime,
    what: str,
    why: str,
    *,
    symbol: str = "",
    seq: int | None = None,
    level: AlertLevel | None = None,
    does: str | None = None,
    can_do: str | None = None,
) -> Alert:
    """Return an alert with what its kind says, unless something else is given."""
    common = KINDS[kind]
    return Alert(
        kind=kind,
        level=level or common.level,
        at=at,
        what=what,
        why=why,
        does=common.does if does is None else does,
        can_do=common.can_do if can_do is None else can_do,
        symbol=symbol,
        seq=seq,
    )


_NOTHING: Final = "Nothing needs to be done."
_RESUME: Final = "Look into the cause, then /resume or `hedgerow resume`."
KINDS: Final[Mapping[AlertKind, KindOfAlert]] = {
    AlertKind.OPENED: KindOfAlert(
        level=AlertLevel.INFO,
        when="both legs of an opening are in place, or a position found on the exchange was adopted",
        does="It checks every rule that would end the hedge, at every check.",
        can_do="/hedges shows it; /close leaves it.",
    ),
    AlertKind.NOT_OPENED: KindOfAlert(
        level=AlertLevel.INFO,
        when="an opening ended flat: nothing was filled, or what was filled was sold again",
        does="It lets the pair rest and looks for another one.",
        can_do=_NOTHING,
    ),
    AlertKind.CLOSED: KindOfAlert(
        level=AlertLevel.INFO,
        when="a hedge ended; with its result. `warn` where no order of the bot ended it",
        does="It looks for the next pair, unless openings are halted.",
        can_do="`hedgerow books` shows every part of the result.",
    ),
    AlertKind.ROLLED: KindOfAlert(
        level=AlertLevel.INFO,
        when="fees were covered and the pair is still the best: its counters start again, nothing is traded",
        does="It keeps the hedge.",
        can_do=_NOTHING,
    ),
    AlertKind.FUNDING: KindOfAlert(
        level=AlertLevel.INFO,
        when="once a day, at the hour of the digest: what was paid since the one before",
        does="It collects the next payment.",
        can_do="/money shows the result so far.",
    ),
    AlertKind.HALF_OPEN: KindOfAlert(
        level=AlertLevel.WARN,
        when="one leg fell short, an order is in doubt, a trade is being reversed, or trades of others changed a leg",
        does="It makes the legs match: it tries the missing leg again, or reverses the open part.",
        can_do="Wait: it ends hedged or flat. /status shows for how long the legs have differed.",
    ),
    AlertKind.NAKED: KindOfAlert(
        level=AlertLevel.PAGE,
        when="the legs differed for longer than the settings allow",
        does="It halts openings and goes on making the legs match, with wider price limits.",
        can_do="Look at the exchange's page; close the open part there if the bot cannot.",
    ),
    AlertKind.REPAIRED: KindOfAlert(
        level=AlertLevel.INFO,
        when="the legs match again after a repair, a trim, or a closing that could not go on",
        does="It holds the hedge.",
        can_do=_NOTHING,
    ),
    AlertKind.HALTED: KindOfAlert(
        level=AlertLevel.PAGE,
        when="openings are blocked. `warn` where a person asked for it or where the halt ends by itself",
        does="It opens nothing; exits and the guard go on.",
        can_do=_RESUME,
    ),
    AlertKind.LIFTED: KindOfAlert(
        level=AlertLevel.INFO,
        when="openings are allowed again",
        does="It opens the next pair that passes every filter.",
        can_do=_NOTHING,
    ),
    AlertKind.DAILY_LOSS: KindOfAlert(
        level=AlertLevel.PAGE,
        when="the loss of a UTC day reached the limit of the settings",
        does="It opens nothing, and closes what it holds where the settings say so.",
        can_do=_RESUME,
    ),
    AlertKind.MARGIN_MOVED: KindOfAlert(
        level=AlertLevel.INFO,
        when="USDT was moved between the two wallets by the bot",
        does="It keeps enough margin behind the short.",
        can_do=_NOTHING,
    ),
    AlertKind.MARGIN_LOW: KindOfAlert(
        level=AlertLevel.PAGE,
        when="the price is near the liquidation price of a short. `warn` while idle USDT is moved to the margin",
        does="It closes a part of both legs, and all of it before the exchange would.",
        can_do="Move USDT to the perpetual wallet, or /close.",
    ),
    AlertKind.LIQUIDATED: KindOfAlert(
        level=AlertLevel.PAGE,
        when="the exchange closed a short by force: a liquidation or an auto-deleveraging",
        does="It sells the coins that have no short against them, and halts openings.",
        can_do="Look at the exchange's page for what is left, and at the margin.",
    ),
    AlertKind.INTERVAL_CHANGED: KindOfAlert(
        level=AlertLevel.WARN,
        when="the exchange changed the funding interval of a held pair",
        does="It judges the pair by its new interval at the next check.",
        can_do=_NOTHING,
    ),
    AlertKind.VENUE_DOWN: KindOfAlert(
        level=AlertLevel.PAGE,
        when="market or account could not be read for five minutes. `warn` while nothing is held",
        does="It tries again, opens nothing, and closes nothing for profit.",
        can_do="Look at the exchange's status and at the network of the machine; `hedgerow doctor`.",
    ),
    AlertKind.VENUE_BACK: KindOfAlert(
        level=AlertLevel.INFO,
        when="everything can be read again after `venue down`",
        does="It judges what it holds again.",
        can_do=_NOTHING,
    ),
    AlertKind.BOOKS_DIFFER: KindOfAlert(
        level=AlertLevel.PAGE,
        when="money is missing from the exchange that nothing explains. `warn` for a difference in two readings that is"
        " too small to halt",
        does="It books what a trade, fee or transfer explains; openings are halted where too much is missing.",
        can_do="`hedgerow books` names the difference. When it is known: /resume.",
    ),
    AlertKind.FOREIGN_POSITION: KindOfAlert(
        level=AlertLevel.WARN,
        when="the account holds a short, or a long on the same margin, that is not the bot's",
        does="It does not touch it. Openings are halted where the bot could mistake it for its own.",
        can_do="Close it, or keep it on another account.",
    ),
    AlertKind.KEY_EXPIRING: KindOfAlert(
        level=AlertLevel.WARN,
        when="the agent key expires within seven days; `page` within one day",
        does="It trades until the key expires, and can neither read the account nor close after that.",
        can_do="Make a new agent on the exchange's page, put it into .env, restart the bot.",
    ),
    AlertKind.SETTINGS_CHANGED: KindOfAlert(
        level=AlertLevel.INFO,
        when="a person changed settings of the running bot, or it was started with others than before",
        does="It judges by the new ones from the next check on.",
        can_do="If it was not one of you: set them back on the screen, and see who can sign in or write to its home.",
    ),
    AlertKind.REQUEST: KindOfAlert(
        level=AlertLevel.INFO,
        when="a person's request that trades or allows openings was handled, from any sender",
        does="It is done, or refused, as the answer says.",
        can_do="If it was not one of you: /halt, and change the access.",
    ),
    AlertKind.STOPPED: KindOfAlert(
        level=AlertLevel.INFO,
        when="the bot ended regularly. `warn` while it holds a position",
        does="Nothing is watched or traded any more.",
        can_do="`hedgerow run` starts it again.",
    ),
    AlertKind.DEAD: KindOfAlert(
        level=AlertLevel.PAGE,
        when="the process is gone without a regular end, or its heartbeat is older than 15 seconds",
        does="Nothing is watched or traded; what is held stays on the exchange.",
        can_do="`hedgerow run` restarts it; it finishes what was in flight.",
    ),
    AlertKind.RESTARTED: KindOfAlert(
        level=AlertLevel.INFO,
        when="another process of the bot runs than before, or one that did not answer does so again",
        does="It compares its log with the exchange, then goes on.",
        can_do=_NOTHING,
    ),
}
"""In the order of the documentation."""
