"""Settings changed through a database: in the file, in the log and answered, also when the bot dies in the midst."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hedgerow.domain.events import RequestHandled, SettingsChanged
from hedgerow.domain.operator_requests import RequestOutcome
from hedgerow.ports import Mailbox, Store
from hedgerow.simulation.faults.crashes import SimulatedCrash
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import PostgresStore
from hedgerow.store.postgres.mailbox import PostgresMailbox
from support.changed_settings import NEW, OLD, POINTS, WRITTEN, BotsOfOneHome
from support.postgres import PostgresServer, new_bot


class _Bots(BotsOfOneHome):
    """Bots whose log and requests are in a database."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self._server, self._row = server, new_bot()
        self.closing = ExitStack()
        self.asker = self._mailbox(0)
        self._present = ExitStack()
        super().__init__(folder / "config.json", self._next, self.asker.post)

    def _mailbox(self, epoch: int) -> PostgresMailbox:
        connection = Connection(self._server.url(), "the database", writes=True)
        mailbox = PostgresMailbox(connection, self._row.account, epoch=epoch)
        self.closing.callback(mailbox.release)
        return mailbox

    def _next(self) -> tuple[Store, Mailbox]:
        self._present.close()  # the session of a process that died ends with it
        store = PostgresStore(self._server.url(), "the database", self._row)
        self._present.callback(store.release)
        self.closing.callback(self._present.close)
        return store, self._mailbox(store.epoch)


@pytest.fixture
def bots(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[_Bots]:
    found = _Bots(tmp_path, postgres_server)
    with found.closing:
        yield found


@pytest.mark.parametrize("point", [None, "after claim", "after write", "after append SettingsChanged", "before answer"])
def test_a_change_asked_for_in_a_database_is_whole_or_absent_wherever_the_bot_dies(
    bots: _Bots, point: str | None
) -> None:
    if point is None:
        bots.live(ask=True)
    else:
        with pytest.raises(SimulatedCrash):
            bots.live(POINTS.index(point), ask=True)
        assert bots.crash_point.passed[-1] == point
        assert bots.config == (NEW if POINTS.index(point) >= WRITTEN else OLD)
        bots.live()
    happened = point not in {"after claim", "before write"}
    assert bots.config == (NEW if happened else OLD)
    assert bots.in_force == ("12" if happened else "24")
    assert [each.request_id for each in bots.harness.logged(SettingsChanged)] == ["r"] * happened
    (handled,) = bots.harness.logged(RequestHandled)
    assert handled.outcome is (RequestOutcome.DONE if happened else RequestOutcome.INTERRUPTED)
    answer = bots.asker.collect("r")
    assert answer is not None
    assert (answer.done, answer.text) == (happened, handled.text)
