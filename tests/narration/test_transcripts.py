"""Golden transcripts: whole blocks, word for word and blank line for blank line."""

from pathlib import Path

import pytest

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.engine.notices import Notice
from support.golden_cases import GOLDEN_CASES

GOLDEN = Path(__file__).parent / "golden"


def transcript(*notices: Notice) -> str:
    return "".join(f"{line.text}\n" for notice in notices for line in narrate(notice))


@pytest.mark.parametrize("name", GOLDEN_CASES)
def test_an_example_is_narrated_in_exactly_these_words(name: str) -> None:
    assert transcript(*GOLDEN_CASES[name]) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_transcript_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(GOLDEN_CASES)
