"""The folder of requests: in order of time, once, not after their time, and closed to other users."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from hedgerow.clock import SystemClock
from hedgerow.domain.errors import MailboxError
from hedgerow.domain.operator_requests import Answer, Claim, HaltRequested
from hedgerow.store import mailbox as module
from hedgerow.store.mailbox import FolderMailbox
from support.mail import asked, mailbox_in

DONE = Answer(done=True, text="done")
ROOT = os.geteuid() == 0


class Clocks(SystemClock):
    """A wall clock that can be changed, and the machine's steady one."""

    def __init__(self) -> None:
        self.wall = SystemClock().now()
        self.steady = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def advance_time(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds


def names(mailbox: FolderMailbox) -> list[str]:
    return [request.request_id for request in mailbox.take()]


# --- order and time --------------------------------------------------------------------------------------------------


def test_requests_are_taken_in_the_order_of_time_and_not_of_their_ids(tmp_path: Path) -> None:
    clock = Clocks()
    mailbox = mailbox_in(tmp_path / "requests", clock)
    for name in ("c", "a", "b"):
        mailbox.post(asked(name, HaltRequested(), clock=clock))
        clock.advance_time(0.001)
    assert names(mailbox) == ["c", "a", "b"]


def test_a_wall_clock_put_back_between_two_requests_does_not_turn_their_order(tmp_path: Path) -> None:
    clock = Clocks()
    mailbox = mailbox_in(tmp_path / "requests", clock)
    mailbox.post(asked("first", HaltRequested(), clock=clock))
    clock.advance_time(1)
    clock.wall -= timedelta(hours=1)
    mailbox.post(asked("second", HaltRequested(), clock=clock))
    assert names(mailbox) == ["first", "second"]


def test_a_request_is_not_begun_after_its_time(tmp_path: Path) -> None:
    clock = Clocks()
    mailbox = mailbox_in(tmp_path / "requests", clock)
    mailbox.post(asked("a", HaltRequested(), clock=clock))
    clock.advance_time(59)
    assert names(mailbox) == ["a"]
    clock.advance_time(1)
    assert mailbox.claim("a") is Claim.EXPIRED
    assert names(mailbox) == ["a"], "the asker still gets an answer"


def test_a_wall_clock_put_back_makes_no_late_request_valid(tmp_path: Path) -> None:
    clock = Clocks()
    mailbox = mailbox_in(tmp_path / "requests", clock)
    mailbox.post(asked("a", HaltRequested(), clock=clock))
    clock.advance_time(3600)
    clock.wall -= timedelta(seconds=3590)
    assert names(mailbox) == ["a"]
    assert mailbox.claim("a") is Claim.EXPIRED


def test_a_wall_clock_put_back_before_the_request_makes_it_doubtful_hence_expired(tmp_path: Path) -> None:
    clock = Clocks()
    mailbox = mailbox_in(tmp_path / "requests", clock)
    mailbox.post(asked("a", HaltRequested(), clock=clock))
    clock.wall -= timedelta(seconds=5)
    assert names(mailbox) == ["a"]
    assert mailbox.claim("a") is Claim.EXPIRED


@pytest.mark.parametrize(("boot", "claim"), [("another", Claim.EXPIRED), ("", Claim.TAKEN)])
def test_a_request_from_before_the_machine_was_started_again_is_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot: str, claim: Claim
) -> None:
    known, other = tmp_path / "boot_id", tmp_path / "missing"
    known.write_text("this one\n")
    clock = Clocks()
    if boot:
        other.write_text(boot)
    monkeypatch.setattr(module, "BOOT_ID", other)
    mailbox_in(tmp_path / "requests", clock).post(asked("a", HaltRequested(), clock=clock))
    monkeypatch.setattr(module, "BOOT_ID", known)
    clock.steady = 1.0
    mailbox = mailbox_in(tmp_path / "requests", clock)
    assert names(mailbox) == ["a"]
    assert mailbox.claim("a") is claim, "a system that does not tell is judged by the wall clock alone"


# --- once ------------------------------------------------------------------------------------------------------------


def test_a_request_is_one_process_s_to_carry_out(tmp_path: Path) -> None:
    first, second = mailbox_in(tmp_path / "requests"), mailbox_in(tmp_path / "requests")
    first.post(asked("a", HaltRequested()))
    assert names(first) == names(second) == ["a"]
    assert first.claim("a") is Claim.TAKEN
    assert second.claim("a") is Claim.WITHDRAWN
    assert first.begun("a")
    assert not first.waits("a")
    assert names(second) == []


def test_a_request_that_was_begun_cannot_be_withdrawn(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path / "requests")
    mailbox.post(asked("a", HaltRequested()))
    mailbox.take()
    mailbox.claim("a")
    assert not mailbox.withdraw("a")
    mailbox.answer("a", DONE)
    assert not mailbox.begun("a")
    assert mailbox.collect("a") == DONE


def test_a_request_that_was_withdrawn_is_not_begun(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path / "requests")
    mailbox.post(asked("a", HaltRequested()))
    mailbox.take()
    assert mailbox.withdraw("a")
    assert mailbox.claim("a") is Claim.WITHDRAWN


def test_what_a_process_began_and_never_answered_is_known_to_the_next_one(tmp_path: Path) -> None:
    dead = mailbox_in(tmp_path / "requests")
    assert dead.abandoned() == ()
    dead.post(asked("a", HaltRequested()))
    dead.take()
    dead.claim("a")
    assert dead.abandoned() == ()
    following = mailbox_in(tmp_path / "requests")
    assert names(following) == []
    assert [request.request_id for request in following.abandoned()] == ["a"]


def test_a_request_that_cannot_be_claimed_is_not_carried_out(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path / "requests")
    mailbox.post(asked("a", HaltRequested()))
    mailbox.take()
    (tmp_path / "requests" / "a.begun.json").mkdir()
    with pytest.raises(MailboxError, match="cannot be taken"):
        mailbox.claim("a")
    assert names(mailbox) == []


def test_a_request_whose_answer_cannot_be_written_is_not_carried_out_again(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path / "requests")
    mailbox.post(asked("a", HaltRequested()))
    (tmp_path / "requests" / "a.answer.json").mkdir()
    ((request),) = mailbox.take()
    mailbox.claim(request.request_id)
    with pytest.raises(MailboxError, match="cannot be written"):
        mailbox.answer(request.request_id, DONE)
    assert mailbox.take() == ()
    following = mailbox_in(tmp_path / "requests")
    assert following.take() == following.abandoned() == (), "the request is gone, for the next run as well"


def test_a_request_that_can_be_neither_answered_nor_removed_is_carried_out_once(tmp_path: Path) -> None:
    folder = tmp_path / "requests"
    mailbox = mailbox_in(folder)
    (folder / "b.request.json").mkdir(parents=True)
    (folder / "b.answer.json").mkdir()
    assert mailbox.take() == (), "an unreadable request is answered so, as far as that is possible"
    assert mailbox.take() == ()


def test_a_request_that_is_withdrawn_while_the_folder_is_read_is_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "requests"
    mailbox = mailbox_in(folder)
    mailbox.post(asked("a", HaltRequested()))
    listed = list(folder.glob("*"))
    mailbox.withdraw("a")
    monkeypatch.setattr(Path, "glob", lambda *_: iter(listed))
    assert mailbox.take() == ()
    monkeypatch.undo()
    assert list(folder.iterdir()) == [], "nobody waits for an answer"


def test_a_request_cannot_be_left_in_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("a file")
    with pytest.raises(MailboxError, match="cannot be written"):
        mailbox_in(tmp_path / "requests").post(asked("a", HaltRequested()))


def test_an_answer_is_collected_once(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path / "requests")
    mailbox.post(asked("a", HaltRequested()))
    assert mailbox.collect("a") is None
    mailbox.answer("a", DONE)
    assert mailbox.collect("a") == DONE
    assert mailbox.collect("a") is None
    assert not mailbox.withdraw("a")


def test_answers_that_nobody_collects_and_drafts_of_a_crash_are_removed(tmp_path: Path) -> None:
    clock = Clocks()
    folder = tmp_path / "requests"
    mailbox = mailbox_in(folder, clock)
    mailbox.post(asked("a", HaltRequested(), clock=clock))
    mailbox.answer("a", DONE)
    (folder / ".b.request.json.tmp").write_text("{")
    mailbox.take()
    assert len(list(folder.iterdir())) == 2
    clock.advance_time(700)
    mailbox.take()
    assert list(folder.iterdir()) == []


# --- other users -----------------------------------------------------------------------------------------------------


def test_folder_and_files_are_closed_to_other_users(tmp_path: Path) -> None:
    folder = tmp_path / "requests"
    folder.mkdir(mode=0o755)
    mailbox = mailbox_in(folder)
    mailbox.post(asked("a", HaltRequested()))
    mailbox.post(asked("b", HaltRequested()))
    mailbox.answer("b", DONE)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "a.request.json": 0o600,
        "b.answer.json": 0o600,
    }


def test_a_request_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox, reports = mailbox_in(tmp_path / "requests"), list[str]()
    mailbox.report_to(reports.append)
    mailbox.post(asked("a", HaltRequested()))
    true = os.fstat

    def foreign(handle: int) -> os.stat_result:
        found = true(handle)
        return os.stat_result((*found[:4], 54321, *found[5:10]))

    monkeypatch.setattr(os, "fstat", foreign)
    assert mailbox.take() == ()
    assert reports == [
        "A request could not be read and is not carried out (a.request.json): it belongs to another user (uid 54321)"
    ]
    answer = mailbox.collect("a")
    assert answer is not None
    assert not answer.done


def test_a_folder_of_another_user_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "requests"
    mailbox, reports = mailbox_in(folder), list[str]()
    mailbox.report_to(reports.append)
    mailbox.post(asked("a", HaltRequested()))
    true = Path.lstat

    def foreign(path: Path) -> os.stat_result:
        found = true(path)
        return os.stat_result((*found[:4], 54321, *found[5:10])) if path == folder else found

    monkeypatch.setattr(Path, "lstat", foreign)
    assert mailbox.take() == mailbox.abandoned() == mailbox.take() == ()
    assert reports == [f"{folder} belongs to another user (uid 54321): requests are not read"]
    with pytest.raises(MailboxError, match="belongs to another user"):
        mailbox.post(asked("b", HaltRequested()))


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "requests").symlink_to(tmp_path / "elsewhere")
    mailbox = mailbox_in(tmp_path / "requests")
    assert mailbox.take() == ()
    with pytest.raises(MailboxError, match="no folder"):
        mailbox.post(asked("a", HaltRequested()))


@pytest.mark.parametrize("flaw", ["open to others", "a link", "another id", "too large", "garbage"])
def test_a_request_that_others_could_have_written_is_refused(tmp_path: Path, flaw: str) -> None:
    folder = tmp_path / "requests"
    mailbox = mailbox_in(folder)
    mailbox.post(asked("a", HaltRequested()))
    path = folder / "a.request.json"
    match flaw:
        case "open to others":
            path.chmod(0o666)
        case "a link":
            path.rename(tmp_path / "a.json")
            path.symlink_to(tmp_path / "a.json")
        case "another id":
            path.rename(folder / "b.request.json")
        case "too large":
            path.write_bytes(path.read_bytes() + b" " * 70_000)
        case _:
            path.write_text("{nonsense")
    assert mailbox.take() == ()
    answer = mailbox.collect("b" if flaw == "another id" else "a")
    assert answer is not None
    assert "unreadable request" in answer.text
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("asked_at", "valid_until"),
    [
        ("9999-12-31T23:59:00Z", "9999-12-31T23:59:30Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:10+14:00"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:30"),
    ],
)
def test_a_request_with_an_impossible_time_keeps_no_other_one_from_being_carried_out(
    tmp_path: Path, asked_at: str, valid_until: str
) -> None:
    folder = tmp_path / "requests"
    mailbox = mailbox_in(folder)
    for name in ("a", "b"):
        mailbox.post(asked(name, HaltRequested()))
    path = folder / "a.request.json"
    posted = msgspec.json.decode(path.read_bytes())
    posted["request"] |= {"asked_at": asked_at, "valid_until": valid_until}
    path.write_bytes(msgspec.json.encode(posted))
    assert names(mailbox) == ["b"]
    answer = mailbox.collect("a")
    assert answer is not None
    assert "asked_at: allowed is a time with its zone" in answer.text


def test_a_request_of_brackets_without_end_keeps_no_other_one_from_being_carried_out(tmp_path: Path) -> None:
    mailbox = mailbox_in(tmp_path / "requests")
    mailbox.post(asked("b", HaltRequested()))
    path = tmp_path / "requests" / "a.request.json"
    path.write_bytes(b'{"more":' + b"[" * 30_000 + b"]" * 30_000 + b"}")
    path.chmod(0o600)
    assert names(mailbox) == ["b"]


@pytest.mark.skipif(not ROOT, reason="only root may leave a request for another user's bot")
def test_a_request_that_root_leaves_belongs_to_the_owner_of_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 54321, 54321)
    mailbox_in(home / "requests").post(asked("a", HaltRequested()))
    assert (home / "requests").stat().st_uid == (home / "requests" / "a.request.json").stat().st_uid == 54321
