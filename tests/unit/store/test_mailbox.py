from pathlib import Path

import pytest

from hedgerow.domain.errors import ConfigError, MailboxError
from hedgerow.domain.requests import Answer, HaltRequested
from hedgerow.store.mailbox import FolderMailbox

DONE = Answer(done=True, text="done")


def test_a_request_whose_answer_cannot_be_written_is_not_carried_out_again(tmp_path: Path) -> None:
    mailbox = FolderMailbox(tmp_path / "requests")
    mailbox.post("a", HaltRequested())
    (tmp_path / "requests" / "a.answer.json").mkdir()
    ((request_id, _),) = mailbox.take()
    with pytest.raises(MailboxError, match="cannot be written"):
        mailbox.answer(request_id, DONE)
    assert mailbox.take() == ()
    assert FolderMailbox(tmp_path / "requests").take() == (), "the request is gone, for the next run as well"


def test_a_request_that_can_be_neither_answered_nor_removed_is_carried_out_once(tmp_path: Path) -> None:
    folder = tmp_path / "requests"
    mailbox = FolderMailbox(folder)
    (folder / "b.request.json").mkdir(parents=True)
    (folder / "b.answer.json").mkdir()
    assert mailbox.take() == (), "an unreadable request is answered so, as far as that is possible"
    assert mailbox.take() == ()


def test_a_request_that_is_withdrawn_while_the_folder_is_read_is_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "requests"
    mailbox = FolderMailbox(folder)
    mailbox.post("a", HaltRequested())
    listed = list(folder.glob("*"))
    mailbox.withdraw("a")
    monkeypatch.setattr(Path, "glob", lambda *_: iter(listed))
    assert mailbox.take() == ()
    monkeypatch.undo()
    assert list(folder.iterdir()) == [], "nobody waits for an answer"


def test_a_request_cannot_be_left_in_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be written"):
        FolderMailbox(tmp_path / "requests").post("a", HaltRequested())


def test_an_answer_is_collected_once(tmp_path: Path) -> None:
    mailbox = FolderMailbox(tmp_path)
    mailbox.post("a", HaltRequested())
    assert mailbox.collect("a") is None
    mailbox.answer("a", DONE)
    assert mailbox.collect("a") == DONE
    assert mailbox.collect("a") is None
    mailbox.withdraw("a")
