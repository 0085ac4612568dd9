"""Values of options that typer cannot validate; each is refused in one line that says what is allowed."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import isfinite

from hedgerow.config.presets import PresetName
from hedgerow.domain.errors import ConfigError

__all__ = [
    "days_option",
    "money_option",
    "pairs_option",
    "preset_option",
    "speed_option",
    "symbols_option",
    "time_option",
]

MOST_DAYS = 3660
MOST_PAIRS = 500
MOST_MONEY = Decimal(1_000_000_000)
FIRST_YEAR, LAST_YEAR = 2000, 2100


def money_option(name: str, text: str, *, least: Decimal) -> Decimal:
    """Return an amount of USDT.

    Raises:
        ConfigError: it is no number, below ``least``, or more than the maximum.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not least <= amount <= MOST_MONEY:
        raise ConfigError(f"{name} {text}: allowed is a number from {least} to {MOST_MONEY}")
    return amount


def speed_option(text: str) -> float | None:
    """Return simulated seconds per real second; None for ``max``.

    Raises:
        ConfigError: it is neither ``max`` nor a positive number.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not (isfinite(speed) and speed > 0):
        raise ConfigError(f"--speed {text}: allowed are max or a positive number")
    return speed


def time_option(name: str, text: str) -> datetime:
    """Return a time given as an ISO date or time; UTC unless it has another zone.

    Raises:
        ConfigError: it is no ISO date, or in a year without markets.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{name} {text}: allowed is a date such as 2024-11-01") from error
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ConfigError(f"{name} {text}: allowed are the years {FIRST_YEAR} to {LAST_YEAR}")
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def preset_option(text: str) -> PresetName:
    """Return a preset by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    try:
        return PresetName(text)
    except ValueError as error:
        raise ConfigError(f"--preset {text}: allowed are {', '.join(PresetName)}") from error


def symbols_option(text: str | None) -> tuple[str, ...] | None:
    """Return symbols that are separated by commas; None = none were given.

    Raises:
        ConfigError: the list is empty, or a part of it is.
    """
    if text is None:
        return None
    symbols = tuple(part.strip().upper() for part in text.split(","))
    if not all(symbols):
        raise ConfigError(f"--symbols {text}: allowed are symbols and commas between them, e.g. BTCUSDT,ETHUSDT")
    return symbols


def days_option(days: float) -> float:
    """Return a number of days to simulate.

    Raises:
        ConfigError: zero, negative, or more than ten years.
    """
    if not 0 < days <= MOST_DAYS:
        raise ConfigError(f"--days {days:g}: allowed is more than 0 and at most {MOST_DAYS}")
    return days


def pairs_option(pairs: int) -> int:
    """Return a number of pairs to generate.

    Raises:
        ConfigError: none, or more than any exchange lists.
    """
    if not 1 <= pairs <= MOST_PAIRS:
        raise ConfigError(f"--pairs {pairs}: allowed are 1 to {MOST_PAIRS}")
    return pairs
