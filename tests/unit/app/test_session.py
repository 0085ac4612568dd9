"""A home that is opened for trading is left as it was found: nothing stays locked or open."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from hedgerow.app.session import open_session, read_settings
from hedgerow.app.venues.paper import paper_venue_access
from hedgerow.config import Home, HomeMode
from hedgerow.domain.errors import ConfigError, StoreError


def test_the_log_is_released_when_the_policy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(folder=tmp_path, mode=HomeMode.PAPER)
    monkeypatch.setattr(sys, "path", [*sys.path])
    home.config.write_text(json.dumps({"policy": "no_such_module.Policy"}))
    settings = read_settings(home, None)

    with open_session(home, settings, paper_venue_access(home, speed=None)) as session:

        async def start() -> None:
            async with session.awake():
                pass

        with pytest.raises(ConfigError, match="no_such_module"):
            asyncio.run(start())
    with pytest.raises(StoreError, match="closed database"):
        asyncio.run(session.storage.store.load())


def test_the_log_is_released_when_the_state_file_cannot_be_read(tmp_path: Path) -> None:
    home = Home(folder=tmp_path, mode=HomeMode.PAPER)
    home.prepare()
    home.state.mkdir()
    # That no database stays open is checked after every test (tests/conftest.py).
    with (
        pytest.raises(StoreError, match=home.state.name),
        open_session(home, read_settings(home, None), paper_venue_access(home, speed=None)),
    ):
        pass
