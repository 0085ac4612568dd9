"""A bot needs nothing of what backtests need."""

import subprocess
import sys

import pytest

PROGRAM = "import sys, hedgerow.cli.run; print([name for name in ('numpy', 'numba', 'pyarrow') if name in sys.modules])"


@pytest.mark.slow
def test_a_running_bot_loads_neither_numpy_nor_numba() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.strip() == "[]"
