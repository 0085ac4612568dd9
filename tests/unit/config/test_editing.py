"""A changed value is the only thing that changes in the text of a configuration file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.config.editing import edited

KEYS = st.sampled_from(["a", "b"]) | st.text(st.characters(codec="utf-8"), max_size=3)
NAMES = st.sampled_from(["a", "b", "new"])
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | KEYS
FILES = st.dictionaries(KEYS, st.dictionaries(KEYS, SCALARS, max_size=3) | SCALARS, max_size=4)


@given(FILES, st.sampled_from([None, 0, 1, 4]), NAMES, NAMES, st.booleans())
def test_every_other_value_stays_and_the_new_one_is_there(
    file: dict[str, object],
    indent: int | None,
    section: str,
    key: str,
    plain: bool,  # noqa: FBT001 - drawn
) -> None:
    section = section if isinstance(file.get(section, {}), dict) else ""
    text = json.dumps(file, indent=indent, ensure_ascii=plain)
    after = json.loads(edited(text, section, key, "7.50"))
    wanted = json.loads(text)
    (wanted.setdefault(section, {}) if section else wanted)[key] = 7.5
    assert after == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": {"b":1.50 , "_c": "x"}}', '{"a": {"b":2 , "_c": "x"}}'),
        ('{ "a": { "c" : 1 } }', '{ "a": { "c" : 1, "b": 2 } }'),
        ('{\r\n\t"a": {\r\n\t\t"c": [1, 2]\r\n\t}\r\n}', '{\r\n\t"a": {\r\n\t\t"c": [1, 2],\r\n\t\t"b": 2\r\n\t}\r\n}'),
        ('{\n  "z": 1\n}\n', '{\n  "z": 1,\n  "a": {\n    "b": 2\n  }\n}\n'),
        ("{\n}\n", '{\n  "a": {\n    "b": 2\n  }\n}\n'),
        ("{}", '{"a": {"b": 2}}'),
    ],
)
def test_what_is_added_stands_as_the_rest_does(before: str, after: str) -> None:
    assert edited(before, "a", "b", "2") == after
