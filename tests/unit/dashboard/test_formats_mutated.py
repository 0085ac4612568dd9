"""Every formatter that screens use is held: changed in one way or the other, a test of the formats fails."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hedgerow.dashboard import formats

TESTS = Path(__file__).with_name("test_formats.py")
FORMATTERS = tuple(
    name
    for name, each in ((name, getattr(formats, name)) for name in formats.__all__)
    if callable(each) and not isinstance(each, type)
)


def another_digit(text: Any) -> Any:
    """Return a result with its last digit changed; a text without one with another ending."""
    if not isinstance(text, str):
        return None if text is None else text + 0.25
    place = max((index for index, each in enumerate(text) if each.isdecimal()), default=-1)
    return f"{text}." if place < 0 else f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"


def zero_for_unknown(text: Any) -> Any:
    return "0" if text == formats.UNKNOWN else text


def says_unknown(name: str) -> bool:
    for given in (None,), (None, None):
        try:
            return bool(getattr(formats, name)(*given) == formats.UNKNOWN)
        except (TypeError, AttributeError):
            continue
    return False


MUTANTS = [
    *((name, another_digit) for name in FORMATTERS),
    *((name, zero_for_unknown) for name in FORMATTERS if says_unknown(name)),
]


def failures() -> Iterator[str]:
    """Run the tests of the formats on the module as it is now; yield those that fail."""
    for name, test in runpy.run_path(str(TESTS)).items():
        if not name.startswith("test_"):
            continue
        for case in cases_of(test):
            try:
                test(**case)
            except Exception as error:  # noqa: BLE001 - whatever it is, it was noticed
                yield f"{name}: {error}"


def cases_of(test: Callable[..., None]) -> list[dict[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    if not marks:
        return [{}]
    names, values = marks[0].args
    keys = [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names)
    return [dict(zip(keys, each if len(keys) > 1 else (each,), strict=True)) for each in values]


def test_unchanged_the_formats_pass_their_tests() -> None:
    assert list(failures()) == []
    assert len(MUTANTS) > len(FORMATTERS) > 25


@pytest.mark.parametrize(("name", "change"), MUTANTS, ids=lambda each: getattr(each, "__name__", each))
def test_a_changed_formatter_fails_a_test(
    name: str, change: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    formatter = getattr(formats, name)
    monkeypatch.setattr(formats, name, lambda *given, **more: change(formatter(*given, **more)))
    assert next(failures(), None) is not None
