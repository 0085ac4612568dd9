"""A bot loads nothing that it does not use: that is what keeps it small."""

import subprocess
import sys

import pytest

UNASKED = (
    "numpy",
    "numba",
    "pyarrow",
    "apprise",
    "textual",
    "psycopg",
    "prometheus_client",
    "aiohttp.web",
    "hedgerow.web",
)
"""Of backtests, of alerts, of the terminal dashboard, of a database, of metrics and of the dashboard in a browser."""
PROGRAM = f"""
import sys, hedgerow.cli.run, hedgerow.cli.running, hedgerow.app.venues.live
print([name for name in {UNASKED} if name in sys.modules])
"""


@pytest.mark.slow
def test_a_running_bot_loads_nothing_unasked() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.strip() == "[]"
