"""How benchmarks print: the machine, for each budget the figure and whether it holds, the result of a campaign."""

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["Budgets", "machine", "offer_output", "tell", "workplace"]


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


def offer_output(parser: argparse.ArgumentParser) -> None:
    """Offer to keep what a campaign leaves behind."""
    parser.add_argument("--json", type=Path, help="write the result here; - = standard output")
    parser.add_argument("--keep", type=Path, help="folder for log and exchange, kept; a temporary one without it")


@contextmanager
def workplace(kept: Path | None) -> Iterator[Path]:
    """Give a campaign its folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = kept or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def tell(result: Struct, target: Path | None) -> None:
    """Write the result of a campaign as JSON."""
    text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
    if target is None or str(target) == "-":
        print(text)
    else:
        target.write_text(text + "\n", encoding="utf-8")
