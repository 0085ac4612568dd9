"""The table of settings: section, key, type, allowed range and meaning of everything the configuration file may hold.

Validation, ``hedgerow config``, the file that ``hedgerow init`` writes and the documentation all come from these rows;
the defaults are those of ``StrategyParameters``. Percent and APRs are percent in the file and fractions inside.
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from hedgerow.domain.execution import ExecutionStyle
from hedgerow.strategy.parameters import AdoptMode, DailyLossAction, SamePair, StopOn, StrategyParameters

__all__ = ["SETTINGS", "ConfigValue", "Kind", "Setting", "config_table", "default_config_text", "render_config"]

ConfigValue = bool | int | float | str | None
"""What a key holds in the file."""
HOUSE_POLICIES: Final = ("volume_farming",)
_PERCENT: Final = Decimal(100)
_DOTTED_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class Kind(StrEnum):
    """Type of a setting; the value is the word for it."""

    NUMBER = "a number"
    """Kept as a float: ratios, durations, APRs."""
    AMOUNT = "an amount"
    """Kept as a Decimal: money, basis points, parts of money."""
    COUNT = "a whole number"
    FLAG = "true or false"
    CHOICE = "one of"
    POLICY = "a policy"


class Setting(Struct, frozen=True, kw_only=True):
    """One key of the file. ``low`` and ``high`` are in the file's units and allowed themselves unless marked open."""

    section: str
    """Empty for a key outside every section."""
    key: str
    kind: Kind
    meaning: str
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    low_open: bool = False
    high_open: bool = False
    optional: bool = False
    """Whether null is allowed."""
    choices: tuple[str, ...] = ()
    percent: bool = False
    """Percent in the file, a fraction inside."""
    field: str | None = None
    """Name inside, where it differs from the key."""
    in_guide: bool = False
    """Whether the guide's own file has it."""

    @property
    def name(self) -> str:
        """The key with its section, as error lines spell it."""
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def inner(self) -> str:
        """Name of the field that holds it."""
        return self.field or self.key

    @property
    def default(self) -> ConfigValue:
        """The default, in the file's units."""
        return self.shown(StrategyParameters())

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        words = {
            Kind.FLAG: self.kind.value,
            Kind.CHOICE: " or ".join(f'"{choice}"' for choice in self.choices),
            Kind.POLICY: " or ".join(f'"{policy}"' for policy in HOUSE_POLICIES) + ', or "package.module.Class"',
        }
        text = words.get(self.kind) or f"{self._number_word} {self._range}"
        return f"{text}, or null" if self.optional else text

    def shown(self, parameters: StrategyParameters) -> ConfigValue:
        """Return its value in ``parameters`` as it stands in a file."""
        holder: object = getattr(parameters, self.section) if self.section else parameters
        value: object = getattr(holder, self.inner)
        if isinstance(value, float | Decimal):
            return _plain_number(Decimal(str(value)) * (_PERCENT if self.percent else 1))
        return value if value is None or isinstance(value, bool | int) else str(value)

    def accept(self, raw: object) -> object:
        """Return what ``raw``, as read from the file, means inside.

        Raises:
            ValueError: it is of another type or out of range.
        """
        if raw is None and self.optional:
            return None
        if self.kind in {Kind.FLAG, Kind.CHOICE, Kind.POLICY}:
            return self._accept_word(raw)
        number = _as_number(raw)
        if number is None or (self.kind is Kind.COUNT and not isinstance(number, int)):
            raise ValueError(self.allowed)
        return self._accept_number(number)

    def _accept_word(self, raw: object) -> object:
        if self.kind is Kind.FLAG and isinstance(raw, bool):
            return raw
        if self.kind is Kind.CHOICE and isinstance(raw, str) and raw in self.choices:
            return self.choices[self.choices.index(raw)]
        if self.kind is Kind.POLICY and isinstance(raw, str) and (raw in HOUSE_POLICIES or _DOTTED_PATH.fullmatch(raw)):
            return raw
        raise ValueError(self.allowed)

    def _accept_number(self, raw: int | Decimal) -> object:
        exact = Decimal(raw) if self.kind is not Kind.NUMBER else Decimal(repr(float(raw)))
        too_low = exact <= self.low if self.low_open else exact < self.low
        too_high = exact >= self.high if self.high_open else exact > self.high
        if too_low or too_high:
            raise ValueError(self.allowed)
        if self.kind is Kind.COUNT:
            return raw
        inside = exact / _PERCENT if self.percent else exact
        return inside if self.kind is Kind.AMOUNT else float(inside)

    @property
    def _number_word(self) -> str:
        return Kind.COUNT.value if self.kind is Kind.COUNT else Kind.NUMBER.value

    @property
    def _range(self) -> str:
        if self.low_open:
            return f"above {self.low:f} and at most {self.high:f}"
        return f"from {self.low:f} to {'below ' if self.high_open else ''}{self.high:f}"


def config_table() -> tuple[Setting, ...]:
    """Return every setting, in the order of the file."""
    return SETTINGS


def render_config(parameters: StrategyParameters) -> dict[str, ConfigValue | dict[str, ConfigValue]]:
    """Return the file that would give ``parameters``: every key, in the file's units."""
    return _document(parameters, SETTINGS)


def default_config_text() -> str:
    """Return the file that a new user starts with: the guide's keys at the guide's defaults."""
    about = "hedgerow config lists every key with its default and its range"
    settings = [setting for setting in SETTINGS if setting.in_guide]
    document = {"_about": about, **_document(StrategyParameters(), settings)}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _document(
    parameters: StrategyParameters, settings: "list[Setting] | tuple[Setting, ...]"
) -> dict[str, ConfigValue | dict[str, ConfigValue]]:
    document: dict[str, ConfigValue | dict[str, ConfigValue]] = {}
    for section in dict.fromkeys(setting.section for setting in settings):
        rows = {row.key: row.shown(parameters) for row in settings if row.section == section}
        document.update({section: rows} if section else rows)
    return document


def _as_number(raw: object) -> int | Decimal | None:
    return raw if isinstance(raw, int | Decimal) and not isinstance(raw, bool) else None


def _plain_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _number(section: str, key: str, low: str, high: str, meaning: str, **more: object) -> Setting:
    """Return a row; a bound that is not allowed itself is written with a leading ``>`` or ``<``."""
    row = Setting(section=section, key=key, kind=Kind.NUMBER, meaning=meaning)
    return msgspec.structs.replace(
        row,
        low=Decimal(low.removeprefix(">")),
        low_open=low.startswith(">"),
        high=Decimal(high.removeprefix("<")),
        high_open=high.startswith("<"),
        **more,
    )


def _amount(section: str, key: str, low: str, high: str, meaning: str, **more: object) -> Setting:
    return _number(section, key, low, high, meaning, kind=Kind.AMOUNT, **more)


def _choice(section: str, key: str, choices: type[StrEnum], meaning: str) -> Setting:
    return Setting(section=section, key=key, kind=Kind.CHOICE, choices=tuple(choices), meaning=meaning)


_CAPITAL, _FUNDING, _POSITION = "capital_management", "funding_rate_strategy", "position_management"
_RISK, _EXECUTION = "risk_management", "execution"

SETTINGS: Final[tuple[Setting, ...]] = (
    _amount(_CAPITAL, "capital_fraction", ">0", "1", "part of the smaller wallet used per leg", in_guide=True),
    _amount(_CAPITAL, "min_capital_usd", "0", "1000000000", "nothing is opened with less, both legs together"),
    _amount(_CAPITAL, "max_capital_usd", ">0", "1000000000", "most that is used, both legs together", optional=True),
    _number(
        _FUNDING, "min_funding_apr", "0", "10000", "least funding APR to open, percent", percent=True, in_guide=True
    ),
    Setting(
        section=_FUNDING,
        key="use_funding_ma",
        kind=Kind.FLAG,
        meaning="rank by the moving average of settled rates; false: by the predicted rate",
        in_guide=True,
    ),
    _number(
        _FUNDING,
        "funding_ma_periods",
        "1",
        "1000",
        "settled rates in the moving average; 1 to 50 is usual",
        kind=Kind.COUNT,
        in_guide=True,
    ),
    _amount(_FUNDING, "min_volume_usd", "0", "1000000000000", "least 24 h volume of the perpetual, USDT"),
    _amount(_FUNDING, "max_spread_bps", "0", "10000", "widest spot spread to open, basis points"),
    _amount(
        _FUNDING,
        "max_entry_discount_bps",
        "-10000",
        "10000",
        "how far the perpetual's bid may lie below the spot ask to open, basis points",
    ),
    _number(
        _FUNDING, "exit_funding_apr", "-10000", "10000", "a held pair below this APR is closed, percent", percent=True
    ),
    _number(
        _POSITION,
        "fee_coverage_multiplier",
        ">0",
        "1000",
        "close once funding is this many times all fees",
        in_guide=True,
    ),
    _number(_POSITION, "max_position_age_hours", ">0", "87600", "close after this time, hours", in_guide=True),
    _number(
        _POSITION, "loop_interval_seconds", "1", "86400", "time between checks, seconds; 60 or more", in_guide=True
    ),
    _number(
        _POSITION,
        "better_opportunity_apr_points",
        "0",
        "10000",
        "move when another pair offers this many APR points more",
        percent=True,
        field="better_opportunity_apr",
    ),
    _number(_POSITION, "better_opportunity_min_hours", "0", "87600", "hold at least this long before moving, hours"),
    _choice(_POSITION, "same_pair", SamePair, "fees covered and still the best pair: close, or roll without orders"),
    _choice(_POSITION, "adopt", AdoptMode, "take over a balanced position found on the exchange, or never"),
    _number(
        _RISK,
        "emergency_stop_loss_pct",
        "-100",
        "<0",
        "close when PnL falls below this, percent of one leg at entry",
        percent=True,
        field="emergency_stop_loss",
        in_guide=True,
    ),
    _choice(_RISK, "stop_on", StopOn, "PnL that the stop watches: of the pair, or of the short alone"),
    _amount(
        _RISK, "daily_loss_limit_usd", ">0", "1000000000", "openings halt when a UTC day loses more", optional=True
    ),
    _amount(
        _RISK,
        "daily_loss_limit_pct",
        ">0",
        "100",
        "the same, percent of the equity at the day's first check",
        percent=True,
        field="daily_loss_limit",
        optional=True,
    ),
    _choice(_RISK, "daily_loss_action", DailyLossAction, "what the limit does: halt openings, or close as well"),
    _choice(
        _EXECUTION,
        "style",
        ExecutionStyle,
        "how the first leg is placed: taker = capped orders that fill or expire; maker = they rest first",
    ),
    _number(_EXECUTION, "maker_timeout_seconds", "1", "600", "maker: a slice that rested for longer is taken, seconds"),
    _amount(
        _EXECUTION, "max_order_usd", "20", "1000000000", "largest order, USDT; larger ones are split", optional=True
    ),
    _amount(
        _EXECUTION,
        "max_resting_loss_usd",
        ">0",
        "1000000000",
        "maker: most that a resting spot order may lose while nobody is there, USDT; twice that may rest",
    ),
    _amount(_EXECUTION, "price_cap_bps", ">0", "1000", "worst price accepted, basis points from the best one"),
    _amount(_EXECUTION, "widen_after_2s_bps", "0", "1000", "added to the cap once a leg was naked for 2 s"),
    _amount(_EXECUTION, "widen_after_5s_bps", "0", "1000", "added to the cap once a leg was naked for 5 s"),
    _number(_EXECUTION, "flatten_after_seconds", ">0", "600", "then the open part is undone, not completed, seconds"),
    _amount(_EXECUTION, "max_cap_bps", ">0", "2000", "widest cap ever used, basis points"),
    _number(_EXECUTION, "max_naked_seconds", ">0", "600", "a leg naked for longer is reported, seconds"),
    _amount(_EXECUTION, "max_naked_equity_fraction", ">0", "1", "largest slice, as a part of equity"),
    _amount(_EXECUTION, "slice_depth_fraction", ">0", "1", "largest slice, as a part of the depth within the cap"),
    _number(_EXECUTION, "book_stale_seconds", ">0", "60", "an older order book is not traded on, seconds"),
    _number(
        _EXECUTION, "settlement_guard_seconds", "0", "3600", "no new slice this close to a settlement, seconds; 0 = off"
    ),
    Setting(section="", key="policy", kind=Kind.POLICY, meaning="the rules that decide"),
)
