"""One folder per bot, and no two modes that share a file but the configuration."""

from pathlib import Path

import pytest

from hedgerow.config import Home, HomeMode
from hedgerow.domain.errors import ConfigError


def test_a_live_bot_uses_the_guides_names(tmp_path: Path) -> None:
    home = Home(folder=tmp_path)
    assert home.config == tmp_path / "config_volume_farming_strategy.json"
    assert home.state == tmp_path / "volume_farming_state.json"
    assert home.log == tmp_path / "volume_farming.log"
    assert home.events == tmp_path / "hedgerow.db"


def test_the_modes_share_nothing_but_the_configuration(tmp_path: Path) -> None:
    homes = [Home(folder=tmp_path, mode=mode) for mode in HomeMode]
    files = [path for home in homes for path in (home.state, home.log, home.events, home.exchange, home.requests)]
    assert len(set(files)) == len(files) == 5 * len(HomeMode)
    assert len({home.config for home in homes}) == 1


def test_a_folder_is_made_when_missing_and_refused_when_it_cannot_be(tmp_path: Path) -> None:
    home = Home(folder=tmp_path / "a" / "b")
    home.prepare()
    home.prepare()
    assert home.folder.is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--home .*file cannot be used"):
        Home(folder=tmp_path / "file").prepare()
