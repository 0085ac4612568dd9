"""Alerts as texts for a phone. Pure."""

from hedgerow.dashboard.formats import date_time
from hedgerow.notify.alerts import Alert, AlertLevel
from hedgerow.notify.state import Message

__all__ = ["alert_text", "message_text"]

MARKS = {AlertLevel.INFO: "", AlertLevel.WARN: "WARN ", AlertLevel.PAGE: "PAGE "}
REPEATED = "(Maybe a repeat: the answer to an earlier attempt was lost.)"


def message_text(message: Message, *, who: str = "", repeated: bool = False) -> str:
    """Return an alert on its way; ``repeated``: it may have arrived already. ``who`` names the bot."""
    text = alert_text(message.alert, who=who)
    return f"{text}\n{REPEATED}" if repeated else text


def alert_text(alert: Alert, *, who: str = "") -> str:
    """Return an alert: what, why, what the bot does, what can be done, when."""
    head = f"{MARKS[alert.level]}{alert.what}"
    lines = [
        f"[{who}] {head}" if who else head,
        f"Why: {alert.why.rstrip('.')}." if alert.why else "",
        f"Bot: {alert.does}" if alert.does else "",
        f"You: {alert.can_do}" if alert.can_do else "",
        f"{date_time(alert.at)} UTC{f', event {alert.seq}' if alert.seq else ''}",
    ]
    return "\n".join(line for line in lines if line)
