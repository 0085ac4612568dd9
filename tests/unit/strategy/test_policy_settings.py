import re
import sys
from decimal import Decimal
from enum import StrEnum
from types import ModuleType
from typing import Annotated, Literal, cast

import pytest
from msgspec import Meta, Struct
from msgspec.structs import replace

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.declaration import Setting, Unit
from hedgerow.strategy.parameters import PolicyValue, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming, load_policy, policy_settings

MODULE = "policies_with_settings"


class Speed(StrEnum):
    SLOW = "slow"
    FAST = "fast"


class Every(Struct, frozen=True, kw_only=True):
    """One field of each type that is allowed."""

    count: Annotated[int, Meta(ge=1, le=9, description="how many")] = 3
    part: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    money: Annotated[Decimal, Meta(description="least capital")] = Decimal("12.50")
    limit: Annotated[Decimal | None, Meta(description="none = no limit")] = None
    steps: Annotated[int, Meta(ge=0, description="steps")] | None = None
    on: bool = True
    name: str = "x"
    mode: Literal["a", "b"] = "a"
    speed: Speed = Speed.SLOW
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if self.count > 5 and not self.on:
            raise ValueError("count above 5 needs on")


class Own(VolumeFarming):
    """A policy with settings."""

    Settings = Every

    def __init__(self, parameters: StrategyParameters, settings: Every) -> None:
        super().__init__(parameters)
        self.settings = settings


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType(MODULE)
    made.__dict__.update(Own=Own, Plain=VolumeFarming)
    monkeypatch.setitem(sys.modules, MODULE, made)
    return made


def loaded(name: str = "Own", /, **given: PolicyValue) -> object:
    return load_policy(f"{MODULE}.{name}", replace(StrategyParameters(), policy_settings=given))


def settings(**given: PolicyValue) -> Every:
    policy = loaded(**given)
    assert isinstance(policy, Own)
    return policy.settings


def test_settings_that_the_configuration_leaves_out_have_the_class_s_defaults() -> None:
    assert settings() == Every()


def test_every_type_of_setting_reaches_the_policy() -> None:
    given = settings(
        count=4,
        part=Decimal("0.25"),
        money=7,
        limit=Decimal("1.5"),
        steps=0,
        on=False,
        name="y",
        mode="b",
        speed="fast",
        ratio=2,
    )
    assert given == Every(
        count=4,
        part=0.25,
        money=Decimal(7),
        limit=Decimal("1.5"),
        steps=0,
        on=False,
        name="y",
        mode="b",
        speed=Speed.FAST,
        ratio=2.0,
    )
    assert settings(limit=None).limit is None


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"cuont": 3}, "unknown key policy_settings.cuont; the nearest known one is policy_settings.count"),
        ({"count": 10}, "policy_settings.count is 10; allowed: a whole number at least 1 and at most 9"),
        ({"count": Decimal("2.5")}, "policy_settings.count is 2.5; allowed: a whole number at least 1 and at most 9"),
        ({"part": 1}, "policy_settings.part is 1; allowed: a number above 0 and below 1"),
        ({"part": True}, "policy_settings.part is true; allowed: a number above 0 and below 1"),
        ({"money": "12"}, 'policy_settings.money is "12"; allowed: a number'),
        ({"limit": "many"}, 'policy_settings.limit is "many"; allowed: a number, or null'),
        ({"steps": -1}, "policy_settings.steps is -1; allowed: a whole number at least 0, or null"),
        ({"on": 1}, "policy_settings.on is 1; allowed: true or false"),
        ({"name": None}, "policy_settings.name is null; allowed: text"),
        ({"mode": "c"}, 'policy_settings.mode is "c"; allowed: "a" or "b"'),
        ({"speed": "x" * 90}, f'policy_settings.speed is "{"x" * 39}...; allowed: "slow" or "fast"'),
        ({"ratio": Decimal("1e400")}, "policy_settings.ratio is 1E+400; allowed: a number"),
        ({"count": 6, "on": False}, "policy_settings: must hold: count above 5 needs on"),
    ],
)
def test_a_policy_setting_that_is_not_allowed_is_refused_in_one_line(given: dict[str, PolicyValue], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(**given)
    assert str(refused.value) == line


@pytest.mark.parametrize("path", ["volume_farming", f"{MODULE}.Plain"])
def test_a_setting_for_a_policy_without_settings_is_refused(path: str) -> None:
    with pytest.raises(
        ConfigError, match=re.escape(f"policy_settings.depth: policy {path!r} has no settings of its own")
    ):
        load_policy(path, replace(StrategyParameters(), policy_settings={"depth": 3}))
    assert policy_settings(path) == ()


class Bare(Struct, frozen=True):
    """Declares nothing."""


class Needy(Struct, frozen=True):
    """A field without a default."""

    depth: int


class Listy(Struct, frozen=True):
    """A type that no configuration file holds."""

    depths: tuple[int, ...] = ()


class Wordy(Struct, frozen=True):
    """A default of another type."""

    depth: Annotated[int, Meta(ge=5)] = cast("int", "no")


class Low(Struct, frozen=True):
    """A default out of its range."""

    depth: Annotated[int, Meta(ge=5)] = 3


class Strange(Struct, frozen=True):
    """A default that no file holds."""

    depth: int = cast("int", object)


class Nameless(Struct, frozen=True):
    """An annotation that names nothing."""

    depth: "Nonexistent" = 0  # type: ignore[name-defined]  # noqa: F821 - what is tested


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        (Wordy, "the default of Settings.depth is 'no'; allowed: a whole number at least 5"),
        (Low, "the default of Settings.depth is 3; allowed: a whole number at least 5"),
        (Strange, "the default of Settings.depth is <class 'object'>; allowed: a whole number"),
        (Nameless, "its Settings cannot be read: NameError: name 'Nonexistent' is not defined"),
        (3, "Settings is not a class of msgspec.Struct"),
        (dict, "Settings is not a class of msgspec.Struct"),
        (Needy, "Settings.depth has no default"),
        (Listy, "Settings has a field of type VarTuple; allowed: bool, int, float"),
    ],
)
def test_settings_that_a_class_declares_wrongly_are_refused_in_one_line(
    declared: object, line: str, module: ModuleType
) -> None:
    module.__dict__["Wrong"] = type("Wrong", (Own,), {"Settings": declared})
    with pytest.raises(ConfigError, match=re.escape(f"policy '{MODULE}.Wrong': {line}")):
        loaded("Wrong")


def test_an_unknown_key_of_a_class_with_no_fields_has_no_nearest_one(module: ModuleType) -> None:
    module.__dict__["Empty"] = type("Empty", (Own,), {"Settings": Bare})
    with pytest.raises(ConfigError, match=r"^unknown key policy_settings\.depth$"):
        loaded("Empty", depth=1)


def test_the_rows_say_default_range_and_meaning() -> None:
    rows = {row.key: (row.default, row.allowed, row.meaning) for row in policy_settings(f"{MODULE}.Own")}
    assert rows["count"] == (3, "a whole number at least 1 and at most 9", "how many")
    assert rows["money"] == (12.5, "a number", "least capital")
    assert rows["limit"] == (None, "a number, or null", "none = no limit")
    assert rows["steps"] == (None, "a whole number at least 0, or null", "steps")
    assert rows["on"] == (True, "true or false", "")


class Declared(Struct, frozen=True):
    """Settings that are declared as the built-in ones are."""

    margin: Annotated[
        Decimal, Setting(text="least margin, {unit}", gt=0, le=50, unit=Unit.PERCENT, key="margin_pct")
    ] = Decimal("0.05")


def test_a_setting_declared_as_the_built_in_ones_is_percent_in_the_file(module: ModuleType) -> None:
    module.__dict__["Percent"] = type("Percent", (Own,), {"Settings": Declared})
    policy = loaded("Percent", margin_pct=Decimal("2.5"))
    assert isinstance(policy, Own)
    assert cast("object", policy.settings) == Declared(margin=Decimal("0.025"))
    (row,) = policy_settings(f"{MODULE}.Percent")
    assert (row.name, row.default, row.meaning) == ("policy_settings.margin_pct", 5, "least margin, percent")
    with pytest.raises(
        ConfigError, match=r"^policy_settings\.margin_pct is 51; allowed: a number above 0 and at most 50$"
    ):
        loaded("Percent", margin_pct=51)


class Failing(Struct, frozen=True):
    """Fails by a mistake of its author."""

    depth: int = 0

    def __post_init__(self) -> None:
        raise RuntimeError("one\nand another line")


def test_settings_that_fail_by_a_mistake_are_refused_in_one_line(module: ModuleType) -> None:
    module.__dict__["Wrong"] = type("Wrong", (Own,), {"Settings": Failing})
    with pytest.raises(ConfigError, match=r"its Settings cannot be built: RuntimeError: one and another line \(.*\)$"):
        loaded("Wrong")
