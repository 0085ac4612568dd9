"""The commands that pages name: the words after ``hedgerow`` of each, in code blocks and between backticks."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["FENCE", "INLINE", "OPTION", "PAGES", "PLACEHOLDER", "ROOT", "documented", "in_page"]

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)
FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE: Final = re.compile(r"`([^`\n]+)`")
OPTION: Final = re.compile(r"--[a-z][a-z-]*")
PLACEHOLDER: Final = re.compile(r"\.\.\.|[A-Z][A-Z_]*|<\w+>|\$\{\w+\}")
_CALL: Final = re.compile(r"(?:^|&& |; )(?:\$ )?(?:[A-Z_]+=\S+ )*(?:sudo -u \S+ )?(?:\S*/)?hedgerow (.*)$")
_SHELL: Final = re.compile(r"^(?:[|&;]{1,2}|\d?>.*)$")


def in_page(text: str) -> Iterator[list[str]]:
    """Return the words after ``hedgerow`` of each command in code of a page."""
    blocks = [line for _, body in FENCE.findall(text) for line in body.replace("\\\n", " ").splitlines()]
    found = [_CALL.search(line.strip()) for line in blocks]
    found += [_CALL.match(code) for code in INLINE.findall(FENCE.sub("", text))]
    for each in found:
        if each is not None:
            words = shlex.split(re.sub(r"\[.*?\]", "", each[1]), comments=True)
            end = next((at for at, word in enumerate(words) if _SHELL.match(word)), len(words))
            yield words[:end]


def documented() -> dict[str, list[str]]:
    """Return the pages that name each command."""
    found: dict[str, list[str]] = {}
    for page in PAGES:
        for words in in_page(page.read_text(encoding="utf-8")):
            pages = found.setdefault(" ".join(words), [])
            pages += [page.name] if page.name not in pages else []
    return found
