"""How benchmarks print: the machine, and for each budget the figure and whether it holds."""

import os
import platform
from pathlib import Path

__all__ = ["Budgets", "machine"]


def machine() -> str:
    """Return what the figures were taken on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {processor}, Python {platform.python_version()}, load {load}"


class Budgets:
    """Prints figures beside their budgets, and remembers whether all of them held."""

    def __init__(self) -> None:
        self.held = True
        print(machine())

    def title(self, text: str) -> None:
        """Begin a table."""
        print(f"\n{text}")

    def line(self, what: str, figure: str, *, budget: str = "", holds: bool | None = None) -> None:
        """Print one figure; ``holds`` is None where there is no budget for it."""
        verdict = {None: "", True: "holds", False: "DOES NOT HOLD"}[holds]
        self.held = self.held and holds is not False
        print(f"  {what:<58} {figure:>26}  {budget:<24} {verdict}".rstrip())

    def most(self, what: str, figure: float, budget: float, unit: str = "") -> None:
        """Print a figure that may be at most its budget."""
        self.line(what, f"{figure:g}{unit}", budget=f"<= {budget:g}{unit}", holds=figure <= budget)
