"""Options of a window of market history, shared by the commands that play one."""

from decimal import Decimal, InvalidOperation
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from hedgerow.cli.arguments import money_option, time_option
from hedgerow.cli.common import echo
from hedgerow.domain.errors import ConfigError, HistoryError
from hedgerow.strategy.parameters import StrategyParameters

if TYPE_CHECKING:
    from hedgerow.backtest.study import Study

__all__ = [
    "CapitalOption",
    "CashOption",
    "CostOption",
    "CycleOption",
    "DataOption",
    "EndOption",
    "ExchangeOption",
    "LeverageOption",
    "ReportOption",
    "RulesOption",
    "StartOption",
    "SymbolsOption",
    "ViaOption",
    "Window",
]

DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder with the market history (Parquet).")]
StartOption = Annotated[str, typer.Option("--start", metavar="DATE", help="First day, UTC.")]
EndOption = Annotated[str, typer.Option("--end", metavar="DATE", help="What is held is closed then; UTC.")]
ExchangeOption = Annotated[
    str | None,
    typer.Option("--exchange", metavar="NAME", help="Venue of the funding; prices of another one are used and said."),
]
SymbolsOption = Annotated[
    str | None,
    typer.Option("--symbols", metavar="A,B", help="Pairs that take part, the first one is held by hold  [all]"),
]
CostOption = Annotated[
    str | None,
    typer.Option(
        "--cost-bps", metavar="N", help="Cost of a round trip in basis points  [the venue's fees and declared books]"
    ),
]
CashOption = Annotated[float, typer.Option("--cash-apr", metavar="PERCENT", help="What idle capital earns a year.")]
LeverageOption = Annotated[float, typer.Option("--leverage", metavar="L", help="Notional of the short / its margin.")]
CapitalOption = Annotated[str, typer.Option("--capital", metavar="USD", help="Both legs together; never compounded.")]
CycleOption = Annotated[float, typer.Option("--cycle", metavar="SECONDS", help="Time between two checks.")]
ViaOption = Annotated[
    str, typer.Option("--via", metavar="kernel|replay", help="The compiled rules, or the engine that trades live.")
]
RulesOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration file; without it the guide's.")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write the report as one HTML page.")
]

MOST_COST_BPS = Decimal(10_000)
PERCENT = 100.0
MOST_CASH_PERCENT = 1000.0
LEAST_CYCLE, MOST_CYCLE = 60.0, 86_400.0
MOST_LEVERAGE = 125.0


class Window(Struct, frozen=True, kw_only=True):
    """A window as the options name it."""

    data: Path
    start: str
    end: str
    exchange: str | None
    symbols: str | None
    cost_bps: str | None
    cash_apr: float
    leverage: float
    capital: str
    cycle: float

    @staticmethod
    def require() -> None:
        """Make sure that what backtests need is installed.

        Raises:
            HistoryError: it is not.
        """
        for name in ("numpy", "numba", "pyarrow"):
            if find_spec(name) is None:
                raise HistoryError(
                    f"backtests need {name}, which is not installed: pip install '.[research]' in the checkout"
                )

    def load(self, parameters: StrategyParameters, *, most_periods: int | None = None) -> "Study":
        """Read the history, and print on standard error what of it is left out.

        ``most_periods`` settled rates of each pair are wanted at the start; None = those of the moving average.

        Raises:
            ConfigError: an option is out of range, or the window is empty or reversed.
            HistoryError: the history cannot be read or holds nothing for the window.
        """
        _within("--cash-apr", self.cash_apr, -PERCENT, MOST_CASH_PERCENT)
        _within("--leverage", self.leverage, 0.1, MOST_LEVERAGE)
        _within("--cycle", self.cycle, LEAST_CYCLE, MOST_CYCLE)
        cost = None if self.cost_bps is None else _cost(self.cost_bps)
        capital = float(money_option("--capital", self.capital, least=Decimal(10)))
        start, end = time_option("--start", self.start), time_option("--end", self.end)
        from hedgerow.backtest.figures import Money  # noqa: PLC0415 - needs an extra, and is heavy
        from hedgerow.backtest.study import Study, StudyPlan  # noqa: PLC0415 - as above

        plan = StudyPlan(
            data=self.data,
            start=start,
            end=end,
            symbols=_symbols(self.symbols),
            exchange=self.exchange,
            cost_bps=cost,
            cycle_seconds=self.cycle,
            guard_seconds=parameters.execution.settlement_guard_seconds,
            most_periods=most_periods or parameters.funding_rate_strategy.funding_ma_periods,
            money=Money(capital=capital, leverage=self.leverage, cash_apr=self.cash_apr / PERCENT),
        )
        study = Study.load(plan)
        for note in study.notes:
            echo(note, err=True)
        return study


def _symbols(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    found = tuple(part.strip() for part in text.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise ConfigError(f"--symbols {text or repr(text)}: allowed are different symbols with commas between them")
    return found


def _cost(text: str) -> Decimal:
    try:
        cost = Decimal(text)
    except InvalidOperation:
        cost = Decimal("NaN")
    if not cost.is_finite() or not 0 <= cost <= MOST_COST_BPS:
        raise ConfigError(f"--cost-bps {text}: allowed is a number from 0 to {MOST_COST_BPS}")
    return cost


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{name} {value:g}: allowed are {least:g} to {most:g}")
