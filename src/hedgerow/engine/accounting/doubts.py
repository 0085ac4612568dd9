"""What a reply says and may not be so: believed when readings go on saying it."""

from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import Warned
from hedgerow.ports import Clock

__all__ = ["Doubts"]

MOST_DOUBTS = 1000


class Doubts:
    """Remembers since when readings have said what; that may be lost without harm."""

    def __init__(self, *, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._known: dict[str, tuple[object, float]] = {}

    def outlasted(self, key: str, subject: object, seconds: float, text: str = "") -> bool:
        """Return whether readings have said the same for so long; the first one is reported by ``text``, if any."""
        now = self._clock.monotonic()
        known, since = self._known.get(key, (None, now))
        if known == subject:
            return now - since >= seconds
        if len(self._known) >= MOST_DOUBTS:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (subject, now)
        if text:
            self._journal.say(Warned(at=self._clock.now(), text=f"{text}; not booked until that is read again"))
        return False
