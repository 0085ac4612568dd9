"""Every command here is a process of its own on a pty; nothing leaves the machine."""

from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path
