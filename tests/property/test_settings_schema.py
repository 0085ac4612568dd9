"""The JSON Schema of the settings file and its loader allow and refuse the same values of every key."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hedgerow.config import config_table, decode_config, default_config_text, render_config
from hedgerow.config.schema import config_schema
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import Kind, SettingRow
from hedgerow.strategy.parameters import StrategyParameters
from support.json_schema import is_valid

ROWS = config_table()
NUMBERS = [row for row in ROWS if row.kind.is_number]
SCHEMA = config_schema()
STEP = Decimal("0.001")
WORDS = (
    "true",
    "null",
    "[]",
    "{}",
    '"5"',
    '""',
    '"taker"',
    '"roll"',
    '"volume_farming"',
    '"a.B"',
    '"a b.C"',
    "0.5",
    "1",
)


def file_of(row: SettingRow, value: str) -> str:
    pair = f'{{"{row.key}": {value}}}'
    return f'{{"{row.section}": {pair}}}' if row.section else pair


def is_allowed_by_schema(text: str) -> bool:
    document: Any = json.loads(text, parse_float=Decimal)
    return is_valid(SCHEMA, document)


def is_allowed_by_loader(row: SettingRow, text: str) -> bool:
    """Return whether the loader accepts the key by itself; settings that contradict each other are another matter."""
    try:
        decode_config(text.encode(), name="file")
    except ConfigError as error:
        return not (str(error).startswith(f"file: {row.name} is ") and str(error).endswith(f"; allowed: {row.allowed}"))
    return True


def bounds(row: SettingRow) -> tuple[Decimal, Decimal]:
    low = row.setting.gt if row.setting.ge is None else row.setting.ge
    high = row.setting.lt if row.setting.le is None else row.setting.le
    assert low is not None
    assert high is not None
    return Decimal(low), Decimal(high)


def outside(row: SettingRow) -> st.SearchStrategy[Decimal]:
    low, high = bounds(row)
    beyond = st.decimals(min_value=STEP, max_value=10**15, places=3, allow_nan=False)
    return st.one_of(beyond.map(lambda by: low - by), beyond.map(lambda by: high + by))


@pytest.mark.parametrize("text", [json.dumps(render_config(StrategyParameters())), default_config_text(), "{}"])
def test_every_default_is_allowed_by_the_schema_and_by_the_loader(text: str) -> None:
    assert is_allowed_by_schema(text)
    assert decode_config(text.encode(), name="file") == StrategyParameters()


@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: row.name)
def test_the_ends_of_a_range_are_judged_alike_by_the_schema_and_by_the_loader(row: SettingRow) -> None:
    low, high = bounds(row)
    step = 1 if row.kind is Kind.COUNT else STEP
    for value in (low - step, low, high, high + step):
        text = file_of(row, f"{value:f}")
        is_allowed = low <= value <= high and value not in {row.setting.gt, row.setting.lt}
        assert is_allowed_by_schema(text) is is_allowed, text
        assert is_allowed_by_loader(row, text) is is_allowed, text


@given(data=st.data(), row=st.sampled_from(NUMBERS))
def test_a_number_out_of_range_is_refused_by_the_schema_and_by_the_loader(data: st.DataObject, row: SettingRow) -> None:
    text = file_of(row, f"{data.draw(outside(row)):f}")
    assert not is_allowed_by_schema(text)
    assert not is_allowed_by_loader(row, text)


@given(data=st.data(), row=st.sampled_from(NUMBERS))
def test_a_number_within_its_range_is_allowed_by_the_schema_and_by_the_loader(
    data: st.DataObject, row: SettingRow
) -> None:
    low, high = bounds(row)
    places = 0 if row.kind is Kind.COUNT else 3
    value = data.draw(st.decimals(min_value=low, max_value=high, places=places, allow_nan=False))
    assume(value not in {row.setting.gt, row.setting.lt})
    text = file_of(row, f"{value:f}")
    assert is_allowed_by_schema(text)
    assert is_allowed_by_loader(row, text)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_value_of_any_type_is_judged_alike_by_the_schema_and_by_the_loader(row: SettingRow) -> None:
    texts = [file_of(row, word) for word in WORDS]
    assert [is_allowed_by_schema(text) for text in texts] == [is_allowed_by_loader(row, text) for text in texts]


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ('{"_why": [1], "execution": {"_x": null}}', True),
        ('{"execution": 3}', False),
        ('{"execution": {"price_cap": 10}}', False),
        ('{"price_cap_bps": 10}', False),
        ('{"policy_settings": {"depth": 3, "_note": [], "name": "x", "limit": null}}', True),
        ('{"policy_settings": {"depth": [3]}}', False),
    ],
)
def test_comments_sections_and_unknown_keys_are_judged_alike(text: str, is_allowed: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_allowed_by_schema(text) is is_allowed
    if is_allowed:
        decode_config(text.encode(), name="file")
    else:
        with pytest.raises(ConfigError):
            decode_config(text.encode(), name="file")
