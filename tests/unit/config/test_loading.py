"""A configuration is obeyed or refused, in one line; it is never ignored."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.config import Settings, config_table, decode_config, load_settings, with_overrides
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import Kind, SettingRow
from hedgerow.strategy.parameters import AdoptMode, SamePair, StopOn, StrategyParameters

NAME = "config_volume_farming_strategy.json"
ROWS = config_table()
NUMBERS = [row for row in ROWS if row.kind.is_number]
NUMBER_WORDS = ("true", '"5"', "[]", "{}", "NaN", "Infinity", "-Infinity")
WRONG_TYPES = {
    Kind.NUMBER: NUMBER_WORDS,
    Kind.AMOUNT: NUMBER_WORDS,
    Kind.COUNT: (*NUMBER_WORDS, "10.5", "10.0"),
    Kind.FLAG: ("1", '"true"', "null", "[]"),
    Kind.CHOICE: ("true", "0", "null", "[]", '"market"', '""'),
    Kind.CLASS: ("true", "0", "null", "[]", '"carrry"', '"a b.c"', '""'),
}


def _file(row: SettingRow, value: str) -> bytes:
    pair = f'{{"{row.key}": {value}}}'
    return (f'{{"{row.section}": {pair}}}' if row.section else pair).encode()


def _refusal(content: bytes) -> str:
    with pytest.raises(ConfigError) as refused:
        decode_config(content, name=NAME)
    text = str(refused.value)
    assert text.startswith(f"{NAME}: ")
    assert "\n" not in text
    assert len(text) < 250
    return text.removeprefix(f"{NAME}: ")


def _wrong_types() -> list[tuple[SettingRow, str]]:
    words = [(row, word) for row in ROWS for word in WRONG_TYPES[row.kind]]
    return words + [(row, "null") for row in NUMBERS if not row.optional]


def _out_of_range() -> list[tuple[SettingRow, str]]:
    return [
        (row, str(value))
        for row in NUMBERS
        for bound, sign, is_open in (
            (row.setting.ge, -1, False),
            (row.setting.gt, -1, True),
            (row.setting.le, 1, False),
            (row.setting.lt, 1, True),
        )
        if bound is not None
        for value in (bound + sign, Decimal("1e999") * sign, *([bound] if is_open else []))
    ]


@pytest.mark.parametrize(("row", "value"), _wrong_types(), ids=lambda part: getattr(part, "name", part))
def test_a_value_of_the_wrong_type_is_refused_in_one_line(row: SettingRow, value: str) -> None:
    refusal = _refusal(_file(row, value))
    if value.lstrip("-") in {"NaN", "Infinity"}:
        assert refusal == f"{value} is not a number"
    else:
        assert refusal == f"{row.name} is {value}; allowed: {row.allowed}"


@pytest.mark.parametrize(("row", "value"), _out_of_range(), ids=lambda part: getattr(part, "name", part))
def test_a_value_out_of_range_is_refused_in_one_line_that_names_the_range(row: SettingRow, value: str) -> None:
    refusal = _refusal(_file(row, value))
    assert refusal.startswith(f"{row.name} is ")
    assert refusal.endswith(f"; allowed: {row.allowed}")


@pytest.mark.parametrize("row", [row for row in NUMBERS if row.key != "max_cap_bps"], ids=lambda row: row.name)
def test_both_ends_of_a_range_are_allowed_unless_marked_open(row: SettingRow) -> None:
    related = {"capital_management": {"min_capital_usd": 0}, "execution": {"max_cap_bps": 2000}}
    for value in (bound for bound in (row.setting.ge, row.setting.le) if bound is not None):
        section = {**related.get(row.section, {}), "_note": "", row.key: int(value)}
        decoded = decode_config(json.dumps({row.section: section}).encode(), name=NAME)
        assert row.shown(decoded) == value


def test_percent_becomes_a_fraction_and_words_become_choices() -> None:
    content = """{
      "funding_rate_strategy": {"min_funding_apr": 12.5, "exit_funding_apr": -3},
      "position_management": {"better_opportunity_apr_points": 7, "same_pair": "roll", "adopt": "never"},
      "risk_management": {"emergency_stop_loss_pct": -3.5, "stop_on": "perp_leg"},
      "capital_management": {"max_capital_usd": 1234.56},
      "execution": {"price_cap_bps": 7.5, "style": "taker"},
      "policy": "my_policies.weekend.Weekend"
    }"""
    decoded = decode_config(content.encode(), name=NAME)
    assert decoded.funding_rate_strategy.min_funding_apr == 0.125
    assert decoded.funding_rate_strategy.exit_funding_apr == -0.03
    assert decoded.position_management.better_opportunity_apr == 0.07
    assert decoded.position_management.same_pair is SamePair.ROLL
    assert decoded.position_management.adopt is AdoptMode.NEVER
    assert decoded.risk_management.emergency_stop_loss == -0.035
    assert decoded.risk_management.stop_on is StopOn.PERP_LEG
    assert decoded.capital_management.max_capital_usd == Decimal("1234.56")
    assert decoded.execution.price_cap_bps == Decimal("7.5")
    assert decoded.policy == "my_policies.weekend.Weekend"


def test_keys_that_start_with_an_underscore_are_comments_at_every_level() -> None:
    content = b'{"_why": [1], "execution": {"_x": null, "price_cap_bps": 12}, "_execution": {"style": 3}}'
    assert decode_config(content, name=NAME).execution.price_cap_bps == 12


def test_an_empty_object_and_a_byte_order_mark_are_fine() -> None:
    assert decode_config(b"\xef\xbb\xbf{}", name=NAME) == StrategyParameters()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON: Expecting value (line 1, column 1)"),
        (b'{\n  "policy": ,\n}', "not JSON: Expecting value (line 2, column 13)"),
        (b'{"policy": "volume_farming"', "not JSON: Expecting ',' delimiter (line 1, column 28)"),
        (b"\xff\xfe{}", "not UTF-8 text (byte 0)"),
        (b"[]", "the file holds []; allowed: one JSON object of sections"),
        (b"null", "the file holds null; allowed: one JSON object of sections"),
        (b"[" * 100_000, "not a configuration: nested too deeply"),
        (b'{"policy": 1e99999999999999999999}', "not JSON: a number is too long to be read"),
        (b'{"execution": 3}', "execution is 3; allowed: an object of keys"),
        (b'{"execution": null}', "execution is null; allowed: an object of keys"),
        (b'{"execution": {}, "execution": {}}', '"execution" occurs twice in one object'),
        (
            b'{"capital_management": {"capital_fraction": ' + b"9" * 5000 + b"}}",
            f"capital_management.capital_fraction is {'9' * 40}...; allowed: a number above 0 and at most 1",
        ),
    ],
    ids=range(12),
)
def test_a_file_that_is_no_configuration_is_refused_saying_why(content: bytes, said: str) -> None:
    assert _refusal(content) == said


@pytest.mark.parametrize(
    ("content", "unknown", "nearest"),
    [
        (b'{"capital_management": {"capital_fracton": 1}}', "capital_management.capital_fracton", "capital_fraction"),
        (b'{"capital_management": {"min_funding_apr": 1}}', "capital_management.min_funding_apr", "min_funding_apr"),
        (b'{"min_funding_apr": 1}', "min_funding_apr", "funding_rate_strategy.min_funding_apr"),
        (b'{"risk_managment": {}}', "risk_managment", "risk_management"),
        (b'{"Policy": "volume_farming"}', "Policy", "policy"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(content: bytes, unknown: str, nearest: str) -> None:
    refusal = _refusal(content)
    assert refusal.startswith(f"unknown key {unknown}; the nearest known one is ")
    assert refusal.endswith(nearest)


def test_an_unknown_key_that_is_like_no_other_is_refused_without_a_nearest_one() -> None:
    assert _refusal(b'{"xyzzy": 1}') == "unknown key xyzzy; hedgerow config lists those there are"


@pytest.mark.parametrize(
    ("section", "key", "instead"),
    [
        ("leverage_settings", "leverage", "leverage is always 1x"),
        ("risk_management", "leverage", "leverage is always 1x"),
        ("position_management", "enable_forced_rotation", "position_management.better_opportunity_apr_points"),
        ("position_management", "forced_rotation_min_hours", "position_management.better_opportunity_min_hours"),
        ("position_management", "forced_rotation_apr_multiplier", "position_management.better_opportunity_apr_points"),
        ("funding_rate_strategy", "min_volume_threshold", "funding_rate_strategy.min_volume_usd"),
        ("funding_rate_strategy", "funding_avg_days", "funding_rate_strategy.funding_ma_periods"),
        ("position_management", "min_hold_days", "position_management.better_opportunity_min_hours"),
        ("position_management", "rotation_min_apr_gain", "position_management.better_opportunity_apr_points"),
    ],
)
def test_a_key_of_an_earlier_bot_is_refused_with_what_replaces_it(section: str, key: str, instead: str) -> None:
    refusal = _refusal(json.dumps({section: {key: 1}}).encode())
    assert "is not used by Hedgerow" in refusal
    assert instead in refusal


def test_settings_that_contradict_each_other_are_refused() -> None:
    assert "max_cap_bps is 200; allowed: not below price_cap_bps (300)" in _refusal(
        b'{"execution": {"price_cap_bps": 300}}'
    )
    assert "max_capital_usd" in _refusal(b'{"capital_management": {"max_capital_usd": 49}}')


def test_a_broken_default_file_is_never_answered_with_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text('{"funding_rate_strategy": {"min_funding_apr": 60.0},}')
    with pytest.raises(ConfigError, match=r"not JSON: .* \(line 1, column 5[23]\)"):
        load_settings(path, named=False)


def test_a_missing_default_file_means_the_guides_defaults_and_says_so(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / NAME, named=False)
    assert settings.parameters == StrategyParameters()
    assert settings.source is None
    assert settings.warnings == ()
    assert settings.notices == (f"{tmp_path / NAME} not found: running on the guide's defaults",)


def test_a_missing_file_that_the_user_named_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--config .*mine\.json: there is no such file"):
        load_settings(tmp_path / "mine.json", named=True)


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path, named=False)


def test_a_file_that_is_read_is_named_as_the_source_and_in_errors(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("{}")
    assert load_settings(path, named=False) == Settings(parameters=StrategyParameters(), source=path)
    path.write_text('{"policy": 3}')
    with pytest.raises(ConfigError, match=str(path)):
        load_settings(path, named=True)


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ('{"funding_rate_strategy": {"funding_ma_periods": 51}}', ["funding_ma_periods is 51"]),
        ('{"position_management": {"loop_interval_seconds": 59.5}}', ["loop_interval_seconds is 59.5"]),
        (
            (
                '{"funding_rate_strategy": {"funding_ma_periods": 50},'
                ' "position_management": {"loop_interval_seconds": 60}}'
            ),
            [],
        ),
    ],
)
def test_what_is_allowed_but_unwise_is_warned_about(tmp_path: Path, content: str, warned: list[str]) -> None:
    path = tmp_path / NAME
    path.write_text(content)
    warnings = load_settings(path, named=False).warnings
    assert [line.split(":")[0] for line in warnings] == warned


def test_the_command_line_overrides_the_periods_and_is_checked_like_the_file(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / NAME, named=False)
    assert with_overrides(settings) is settings
    changed = with_overrides(settings, ma_periods=60)
    assert changed.parameters.funding_rate_strategy.funding_ma_periods == 60
    assert len(changed.warnings) == 1
    assert changed.notices == settings.notices
    assert with_overrides(changed, ma_periods=5).warnings == ()
    with pytest.raises(ConfigError, match="--ma-periods is 0; allowed: a whole number from 1 to 1000"):
        with_overrides(settings, ma_periods=0)
