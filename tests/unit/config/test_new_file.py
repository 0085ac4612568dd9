"""A settings file that is written keeps what its user wrote, and its schema accepts it."""

import json
from decimal import Decimal

import pytest

from hedgerow.config.loading import decode_config
from hedgerow.config.new_file import SCHEMA_FILE, changed_file, new_file, schema_text
from hedgerow.config.presets import PRESETS, PresetName
from hedgerow.domain.errors import ConfigError
from support.json_schema import is_valid


@pytest.mark.parametrize("name", PresetName)
def test_a_new_file_holds_the_preset_and_its_schema_accepts_it(name: PresetName) -> None:
    text = new_file(name, {})
    assert decode_config(text.encode(), name="new") == PRESETS[name].parameters
    assert json.loads(text)["$schema"] == SCHEMA_FILE
    assert is_valid(json.loads(schema_text(), parse_float=Decimal), json.loads(text, parse_float=Decimal))


def test_answers_replace_their_keys_and_every_other_byte_of_meaning_stays() -> None:
    before = '{"_why": "mine", "execution": {"_style": "old", "style": "maker", "price_cap_bps": 10.50}}'
    after = changed_file(
        before, {"execution.style": "taker", "capital_management.max_capital_usd": Decimal(300)}, name="f"
    )
    assert json.loads(after, parse_float=str) == {
        "$schema": SCHEMA_FILE,
        "_why": "mine",
        "execution": {"_style": "old", "style": "taker", "price_cap_bps": "10.50"},
        "capital_management": {"max_capital_usd": 300},
    }


def test_answers_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="max_cap_bps"):
        changed_file('{"execution": {"price_cap_bps": 90}}', {"execution.max_cap_bps": 20}, name="f")


def test_a_schema_key_that_names_another_schema_stays() -> None:
    assert json.loads(changed_file('{"$schema": "./mine.json"}', {}, name="f"))["$schema"] == "./mine.json"
