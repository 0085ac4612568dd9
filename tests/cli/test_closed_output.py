"""An output that was closed before the start: Python has no file for it, and nothing may fail because of it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_written_to_by_nobody(closed: str) -> None:
    command = f'exec "$0" -m hedgerow config max_positions {closed}'
    done = subprocess.run(  # noqa: S603 - our own command
        ["/bin/sh", "-c", command, sys.executable], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    assert done.stderr == ""
