"""A setting is declared once, beside its field: the row says everything else."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct, structs

from hedgerow.domain.settings.declaration import Setting, Unit
from hedgerow.domain.settings.rows import Kind, SettingRow, check_ranges, plain_number, setting_row, setting_rows


class Speed(StrEnum):
    SLOW = "slow"
    FAST = "fast"


class Every(Struct, frozen=True, kw_only=True):
    """One field of each kind."""

    least: Annotated[float, Setting(text="least APR, {unit}", ge=-5, lt=50, unit=Unit.PERCENT, key="least_pct")] = 0.15
    money: Annotated[Decimal | None, Setting(text="most", gt=0, le=Decimal("9.5"), unit=Unit.USDT)] = None
    share: Annotated[Decimal, Setting(text="part", gt=0, unit=Unit.PERCENT)] = Decimal("0.5")
    count: Annotated[int, Setting(text="how many", ge=1)] = 3
    most: Annotated[float, Setting(text="a limit", le=7)] = 2
    on: Annotated[bool, Setting(text="whether")] = True
    speed: Annotated[Speed, Setting(text="how fast", is_choice=True)] = Speed.SLOW
    mode: Annotated[Literal["a", "b"] | None, Setting(text="how")] = None
    name: Annotated[str, Setting(text="display name")] = "x"
    made: Annotated[str, Setting(text="made later")] = msgspec.field(default_factory=lambda: "later")
    free: Annotated[float, Setting(text="any number")] = 1.5


ROWS = {row.field: row for row in setting_rows(Every, "section")}


def test_what_a_user_chooses_comes_first_and_the_rest_in_the_order_of_the_class() -> None:
    assert list(ROWS) == ["speed", *(name for name in Every.__struct_fields__ if name != "speed")]


def test_a_field_that_is_percent_in_the_file_has_the_key_default_and_meaning_of_the_file() -> None:
    row = ROWS["least"]
    assert (row.name, row.key, row.kind, row.default) == ("section.least_pct", "least_pct", Kind.NUMBER, 15)
    assert (row.meaning, row.allowed) == ("least APR, percent", "a number from -5 to below 50")
    assert row.accept(Decimal("2.5")) == 0.025


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("money", "a number above 0 and at most 9.5, or null"),
        ("share", "a number above 0"),
        ("count", "a whole number at least 1"),
        ("most", "a number at most 7"),
        ("on", "true or false"),
        ("speed", '"slow" or "fast"'),
        ("mode", '"a" or "b", or null'),
        ("name", "text"),
        ("free", "a number"),
    ],
)
def test_what_is_allowed_is_said_in_words(field: str, allowed: str) -> None:
    assert ROWS[field].allowed == allowed


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("money", None, None),
        ("money", 7, Decimal(7)),
        ("share", Decimal("12.5"), Decimal("0.125")),
        ("count", 9, 9),
        ("on", False, False),
        ("speed", "fast", Speed.FAST),
        ("mode", "b", "b"),
        ("name", "y", "y"),
    ],
)
def test_a_value_of_the_file_becomes_the_field_s(field: str, raw: object, value: object) -> None:
    found = ROWS[field].accept(raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("least", 50),
        ("least", Decimal("-5.1")),
        ("least", None),
        ("money", 0),
        ("money", Decimal("9.51")),
        ("money", "7"),
        ("count", 0),
        ("count", Decimal(2)),
        ("count", True),
        ("most", Decimal("1e999")),
        ("free", Decimal("1e999")),
        ("on", 1),
        ("speed", "medium"),
        ("name", 3),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(field: str, raw: object) -> None:
    with pytest.raises(ValueError, match=ROWS[field].allowed):
        ROWS[field].accept(raw)


class Holder(Struct, frozen=True, kw_only=True):
    section: Every = Every()
    policy: Annotated[str, Setting(text="the rules", is_class=True)] = "built_in"


def policy_row() -> SettingRow:
    return setting_row(structs.fields(Holder)[1], built_in=("built_in", "other"))


def test_a_class_is_the_name_of_one_that_is_built_in_or_a_dotted_path() -> None:
    row = policy_row()
    assert (row.name, row.kind, row.allowed) == (
        "policy",
        Kind.CLASS,
        '"built_in" or "other", or "package.module.Class"',
    )
    assert [row.accept(raw) for raw in ("other", "mine.Policy")] == ["other", "mine.Policy"]
    for raw in ("unknown", "a b.c", 3):
        with pytest.raises(ValueError, match="built_in"):
            row.accept(raw)


def test_a_value_is_shown_as_it_stands_in_the_file() -> None:
    held = Holder(section=Every(least=0.07, money=Decimal("5.50"), speed=Speed.FAST))
    shown = {row.field: row.shown(held) for row in (*ROWS.values(), policy_row())}
    assert (shown["least"], shown["money"], shown["speed"], shown["mode"]) == (7, 5.5, "fast", None)
    assert (shown["policy"], shown["on"], shown["most"]) == ("built_in", True, 2)


def test_a_value_given_in_the_file_is_shown_or_else_the_default() -> None:
    assert ROWS["least"].given({"least_pct": Decimal("12.0")}) == 12
    assert ROWS["name"].given({"name": "y"}) == "y"
    assert ROWS["least"].given({}) == 15


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (Every(least=0.5), "least is 0.5; allowed in the file: a number from -5 to below 50"),
        (Every(money=Decimal(10)), "money is 10; allowed in the file: a number above 0 and at most 9.5, or null"),
        (Every(most=float("nan")), "most is nan; allowed in the file: a number at most 7"),
    ],
)
def test_a_section_with_a_number_out_of_its_range_is_refused(value: Every, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{line}$"):
        check_ranges(value)
    check_ranges(Every(money=Decimal("9.5"), least=-0.05))


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        (
            "least",
            {
                "description": "least APR, percent",
                "type": "number",
                "minimum": -5,
                "exclusiveMaximum": 50,
                "default": 15,
                "x-unit": "percent",
            },
        ),
        (
            "money",
            {
                "description": "most",
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 9.5,
                "default": None,
                "x-unit": "USDT",
            },
        ),
        ("count", {"description": "how many", "type": "integer", "minimum": 1, "default": 3}),
        ("on", {"description": "whether", "type": "boolean", "default": True}),
        ("speed", {"description": "how fast", "enum": ["slow", "fast"], "default": "slow"}),
        ("mode", {"description": "how", "enum": ["a", "b", None], "default": None}),
        ("name", {"description": "display name", "type": "string", "default": "x"}),
    ],
)
def test_the_schema_has_type_range_default_and_unit(field: str, schema: dict[str, object]) -> None:
    assert ROWS[field].schema() == schema


def test_the_schema_of_a_class_is_a_pattern() -> None:
    assert policy_row().schema() == {
        "description": "the rules",
        "type": "string",
        "pattern": r"^(built_in|other|[A-Za-z_]\w*(\.[A-Za-z_]\w*)+)$",
        "default": "built_in",
    }


class WithMeta(Struct, frozen=True, kw_only=True):
    """As the settings of a policy are declared with ``msgspec.Meta``."""

    count: Annotated[int, Meta(ge=1, le=9, description="how many")] = 3
    part: Annotated[float, Meta(gt=0, lt=1)] = 1 / 2
    name: Annotated[str, Meta(min_length=2, description="{unit}")] = "xy"
    ratio: float = 1.0


def test_a_range_declared_with_meta_is_the_row_s() -> None:
    count, part, name, ratio = setting_rows(WithMeta)
    assert (count.allowed, count.meaning) == ("a whole number at least 1 and at most 9", "how many")
    assert part.allowed == "a number above 0 and below 1"
    assert (name.meaning, ratio.default) == ("{unit}", 1.0)
    for row, raw in ((count, 10), (part, 1), (name, "x")):
        with pytest.raises(ValueError, match=row.allowed):
            row.accept(raw)


def test_a_number_is_written_whole_where_it_is() -> None:
    assert [plain_number(Decimal(text)) for text in ("2.0", "2.5")] == [2, 2.5]
    assert type(plain_number(Decimal("2.0"))) is int
    assert plain_number(Decimal("Infinity")) == float("inf")
