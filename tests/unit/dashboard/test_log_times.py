"""Times of log lines never run backwards, but where the bot's own clock was put back."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

from hedgerow.dashboard.console import LogObserver, close_logging, configure_logging
from hedgerow.domain.events import Lifted, TargetDecided
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.notices import CycleBegan, Notice, Recorded, Warned

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def times(tmp_path: Path, *notices: Notice) -> list[str]:
    log = tmp_path / "log"
    configure_logging(log, console=False, stream=StringIO())
    observer = LogObserver()
    for notice in notices:
        observer.on_notice(notice)
    close_logging()
    return [line[11:19] for line in log.read_text().splitlines() if line]


def recorded(seconds: float) -> Recorded:
    event = Lifted(at=AT + seconds * SECOND, detail="by hand")
    return Recorded(event=event, before=Ledger(), after=Ledger())


def test_what_the_exchange_dates_back_does_not_turn_the_log_back(tmp_path: Path) -> None:
    late = Recorded(
        event=TargetDecided(at=AT - 10 * SECOND, symbol="AUSDT", expires_at=AT), before=Ledger(), after=Ledger()
    )
    assert times(tmp_path, recorded(2), late, recorded(0), Warned(at=AT + SECOND, text="read before"), recorded(3)) == [
        "12:00:02",
        "12:00:02",
        "12:00:02",
        "12:00:02",
        "12:00:03",
    ]


def test_a_clock_that_was_put_back_is_followed_from_the_next_check_on(tmp_path: Path) -> None:
    back = CycleBegan(at=AT - 3600 * SECOND, number=1)
    stamps = times(tmp_path, recorded(0), recorded(-3600), back, recorded(-3599))
    assert stamps[:2] == ["12:00:00", "12:00:00"]
    assert stamps[-1] == "11:00:01"


def test_a_check_that_begins_a_little_before_the_exchanges_time_does_not_turn_the_log_back(tmp_path: Path) -> None:
    stamps = times(tmp_path, recorded(1), CycleBegan(at=AT, number=1), recorded(2))
    assert stamps == sorted(stamps)
