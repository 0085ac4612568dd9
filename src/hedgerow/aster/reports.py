"""Lines for the user, each passed on once."""

from collections.abc import Callable, Iterable

__all__ = ["Report"]

MOST_REPORTS = 1000
"""Distinct lines of one run; after that nothing more is said here."""
NAMES_SHOWN = 5


class Report:
    """Passes lines for the user on, each once; the user interface sets ``show``."""

    def __init__(self) -> None:
        self.show: Callable[[str], None] = lambda _: None
        self._said: set[str] = set()

    def __call__(self, text: str, detail: str = "") -> None:
        """Pass a line on, unless it was said before, with this detail or with another one."""
        if self._is_new(text):
            self.show(f"{text}: {detail}" if detail else text)

    def named(self, text: str, names: Iterable[str]) -> None:
        """Pass a line on about those names that it was not said of before; ``{}`` in it stands for them."""
        new = [name for name in sorted(names) if self._is_new(text.format(name))]
        if new:
            shown = ", ".join(new[:NAMES_SHOWN])
            self.show(text.format(shown if len(new) <= NAMES_SHOWN else f"{shown} and {len(new) - NAMES_SHOWN} more"))

    def again(self, text: str) -> None:
        """Pass a line on even if it was said before: the caller counts for itself."""
        self.show(text)

    def _is_new(self, text: str) -> bool:
        if text in self._said or len(self._said) >= MOST_REPORTS:
            return False
        self._said.add(text)
        return True
