"""The libraries of the dashboard are those of npm, unchanged."""

import hashlib
import re
from pathlib import Path

from hedgerow.web.files import STATIC

VENDOR = Path(__file__).parents[3] / "src" / "hedgerow" / "web" / "static" / "vendor"


def test_each_vendored_file_has_the_sum_that_its_page_names() -> None:
    page = (VENDOR / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| \w+ [\d.]+ \| .* \| ([0-9a-f]{64}) \|$", page, re.MULTILINE)
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.min.*")}
    assert dict(rows) == found
    assert {path.name for path in VENDOR.glob("*.LICENSE")} == {"uPlot.LICENSE", "idiomorph.LICENSE"}


def test_every_static_file_is_there_and_nothing_else() -> None:
    folder = VENDOR.parent
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert found - set(STATIC) == {"vendor/README.md", "vendor/uPlot.LICENSE", "vendor/idiomorph.LICENSE"}
    assert set(STATIC) <= found
