"""Which bot a home is about: found from its mode, its ``.env`` and its configuration."""

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow import __version__
from hedgerow.app.identity import identity_of, network_name
from hedgerow.app.session import read_settings
from hedgerow.aster import MAINNET
from hedgerow.config import Home, HomeMode
from hedgerow.domain.run_identity import RunIdentity, RunMode

AGENT = {"API_USER": f"0x{'12' * 20}", "API_SIGNER": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"}
KEY = f"{1:064x}"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_USER", "API_SIGNER", "API_PRIVATE_KEY", "APIV1_PUBLIC_KEY", "APIV1_PRIVATE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("HEDGEROW_NETWORK", raising=False)


def identity(folder: Path, mode: HomeMode = HomeMode.LIVE) -> RunIdentity:
    home = Home(folder=folder, mode=mode)
    return identity_of(home, read_settings(home, None))


def env(folder: Path, **lines: str) -> None:
    text = "".join(f"{name}={value}\n" for name, value in {**AGENT, "API_PRIVATE_KEY": KEY, **lines}.items())
    (folder / ".env").write_text(text)
    (folder / ".env").chmod(0o600)


def test_a_live_bot_names_network_and_account_without_its_key(tmp_path: Path) -> None:
    env(tmp_path)

    found = identity(tmp_path)

    assert (found.mode, found.network, found.account) == (RunMode.LIVE, "mainnet", "0x1212...1212")
    assert (found.home, found.version) == (str(tmp_path), __version__)
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("said", "named"), [("testnet", "testnet"), ("http://127.0.0.1:18900", "http://127.0.0.1:18900")]
)
def test_testnet_and_an_emulator_are_not_called_like_the_real_exchange(tmp_path: Path, said: str, named: str) -> None:
    env(tmp_path, HEDGEROW_NETWORK=said)

    assert identity(tmp_path).network == named


def test_a_single_address_elsewhere_is_named_beside_the_network() -> None:
    changed = replace(MAINNET, spot_rest="http://127.0.0.1:9")

    assert network_name(changed) == "mainnet, but spot_rest http://127.0.0.1:9"


def test_the_dry_run_reads_a_real_network_and_trades_no_real_account(tmp_path: Path) -> None:
    env(tmp_path)

    found = identity(tmp_path, HomeMode.DRY_RUN)

    assert (found.mode, found.network, found.account) == (RunMode.DRY_RUN, "mainnet", "emulated")


@pytest.mark.parametrize("mode", [HomeMode.PAPER, HomeMode.DEMO])
def test_paper_and_demo_ask_no_network(tmp_path: Path, mode: HomeMode) -> None:
    env(tmp_path)

    assert (identity(tmp_path, mode).network, identity(tmp_path, mode).account) == ("generated market", "emulated")


def test_what_cannot_be_found_out_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("not a variable\n")
    broken = identity(tmp_path)
    env(tmp_path, HEDGEROW_NETWORK="nowhere", API_SIGNER="0x1")
    wrong = identity(tmp_path)

    assert (broken.network, broken.account) == (None, None)
    assert (wrong.network, wrong.account) == (None, None)
    assert identity(tmp_path, HomeMode.DRY_RUN).account == "emulated"


def test_without_credentials_there_is_no_account(tmp_path: Path) -> None:
    assert identity(tmp_path).account == "none"


def test_configuration_and_cap_are_those_in_force(tmp_path: Path) -> None:
    assert identity(tmp_path).config_file is None
    Home(folder=tmp_path).config.write_text('{"capital_management": {"max_capital_usd": 500}}')

    found = identity(tmp_path)

    assert found.config_file == str(tmp_path / "config_volume_farming_strategy.json")
    assert found.max_capital_usd == Decimal(500)
