"""Variables from the process and from ``.env``: read strictly, shown never."""

import re
from pathlib import Path

import pytest

import hedgerow
from hedgerow.app.venues.environment import NAMES, Environment, parse_variables, read_environment
from hedgerow.aster import MAINNET, TESTNET
from hedgerow.domain.errors import ConfigError
from support.local_aster import KEY, SIGNER, USER

GIVEN = {"API_USER": USER, "API_SIGNER": SIGNER, "API_PRIVATE_KEY": KEY}
SOURCE = Path(hedgerow.__file__).parent
LITERAL = re.compile(r'"(HEDGEROW_[A-Z0-9_]+)"')


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("  A = 1  ", "1"),
        ("export A=1", "1"),
        ("A='x y'", "x y"),
        ('A="x # y"  # why', "x # y"),
        ("A=x#y # why", "x#y"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=''", ""),
        ("A=a=b", "a=b"),
    ],
)
def test_a_line_gives_its_value(line: str, value: str) -> None:
    assert parse_variables(f"# comment\n\n{line}\n", ".env") == {"A": value}


@pytest.mark.parametrize("line", ["secret-words", "1A=x", "A='x", 'A="x" y', "A B=1"])
def test_a_line_that_is_no_assignment_is_refused_without_being_shown(line: str) -> None:
    with pytest.raises(ConfigError, match=r"^home/\.env line 2: allowed are NAME=value") as refused:
        parse_variables(f"\n{line}", "home/.env")
    assert line not in str(refused.value)


def test_the_process_wins_over_the_file_and_strangers_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("API_USER=file\nAPI_SIGNER=file\nPATH=x\n")
    environment = read_environment(file, {"API_USER": "process", "API_SIGNER": "", "HOME": "x"})
    assert repr(environment) == "Environment(API_SIGNER, API_USER)"
    assert environment._values == {"API_USER": "process", "API_SIGNER": "file"}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfAPI_USER=x\n")
    assert repr(read_environment(file, {})) == "Environment(API_USER)"


def test_the_proxy_of_the_file_or_of_the_process_is_taken(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("HEDGEROW_PROXY=http://user:word@own:1\n")
    own = read_environment(file, {"HTTPS_PROXY": "http://common:2"}).proxy()
    common = read_environment(tmp_path / "none", {"HTTPS_PROXY": "http://common:2"}).proxy()
    assert own is not None
    assert common is not None
    assert (own.address, common.address, read_environment(tmp_path / "none", {}).proxy()) == (
        "http://own:1",
        "http://common:2",
        None,
    )


def test_no_text_of_it_shows_a_value() -> None:
    assert KEY not in repr(Environment(GIVEN)) + str(Environment(GIVEN))
    assert not hasattr(Environment(GIVEN), "__dict__")


def test_a_file_with_secrets_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("API_PRIVATE_KEY=x\n")
    file.chmod(0o640)
    assert read_environment(file, {}).warnings == (
        f"{file} holds credentials and can be read by others: chmod 600 {file}",
    )
    file.chmod(0o600)
    assert read_environment(file, {}).warnings == ()
    file.write_text("HEDGEROW_NETWORK=testnet\n")
    file.chmod(0o644)
    assert read_environment(file, {}).warnings == ()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_environment(tmp_path / ".env", {})
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_environment(tmp_path / "bytes", {})


def test_credentials_are_all_none_or_refused() -> None:
    assert Environment({}).credentials() is None
    assert not Environment({"HEDGEROW_NETWORK": "testnet"}).has_credentials
    found = Environment(GIVEN).credentials()
    assert found is not None
    assert found.account == USER
    with pytest.raises(ConfigError, match="API_SIGNER is missing"):
        Environment({"API_USER": USER}).credentials()
    legacy = Environment({"APIV1_PUBLIC_KEY": "public", "APIV1_PRIVATE_KEY": "secret"}).credentials()
    assert legacy is not None
    assert legacy.legacy


def test_the_network_is_a_name_or_an_emulators_address() -> None:
    assert Environment({}).hosts() == MAINNET
    assert Environment({"HEDGEROW_NETWORK": "Testnet"}).hosts() == TESTNET
    local = Environment({"HEDGEROW_NETWORK": "http://127.0.0.1:8900", "HEDGEROW_CHAIN_ID": "714"}).hosts()
    assert (local.futures_rest, local.spot_rest) == ("http://127.0.0.1:8900", "http://127.0.0.1:8901")
    assert (local.futures_user_ws, local.spot_market_ws) == ("ws://127.0.0.1:8900", "ws://127.0.0.1:8901")
    assert local.chain_id == 714
    assert Environment({"HEDGEROW_NETWORK": "http://[::1]:8900"}).hosts().spot_rest == "http://[::1]:8901"


def test_the_patience_of_lockstep_is_a_positive_number_of_seconds() -> None:
    assert Environment({}).lockstep_patience() == 30
    assert Environment({"HEDGEROW_LOCKSTEP_PATIENCE": " 0.5 "}).lockstep_patience() == 0.5
    for text in ("0", "-1", "soon", "inf", "nan"):
        with pytest.raises(ConfigError, match="allowed is a positive number of seconds"):
            Environment({"HEDGEROW_LOCKSTEP_PATIENCE": text}).lockstep_patience()


@pytest.mark.parametrize("text", ["moon", "http://127.0.0.1", "ftp://127.0.0.1:1", "http://x:y", "http://x:1/path"])
def test_a_network_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="allowed are mainnet, testnet, or an emulator"):
        Environment({"HEDGEROW_NETWORK": text}).hosts()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HEDGEROW_NETWRK", "HEDGEROW_NETWORK"),
        ("HEDGEROW_FUTURE_REST", "HEDGEROW_FUTURES_REST"),
        ("HEDGEROW_PROXI", "HEDGEROW_PROXY"),
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_a_misspelled_variable_is_not_ignored_in_silence(
    tmp_path: Path, name: str, meant: str, *, in_file: bool
) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{name}=testnet\n" if in_file else "")

    (line,) = read_environment(file, {} if in_file else {name: "testnet"}).warnings

    assert line == f"{name} is no variable of Hedgerow, and is not read: the nearest one is {meant}"


def test_every_variable_that_is_read_is_known(tmp_path: Path) -> None:
    assert read_environment(tmp_path / ".env", dict.fromkeys(NAMES, "1")).warnings == ()
    assert len(NAMES) == len(set(NAMES))
    named = {name for path in SOURCE.rglob("*.py") for name in LITERAL.findall(path.read_text(encoding="utf-8"))}
    assert "HEDGEROW_NETWORK" in named
    assert named <= set(NAMES)
