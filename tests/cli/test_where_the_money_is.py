"""No command leaves it open which bot it is about: mode, network, account, home, configuration, cap, version."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from hedgerow import __version__
from hedgerow.config import load_settings
from support.command_runner import EAGER, Shell, write_config
from support.local_aster import LocalAster, local_aster

CONFIG = "config_volume_farming_strategy.json"
FACTS = ("time", "version", "mode", "network", "account", "home", "config_file", "capital_fraction", "max_capital_usd")


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAster]:
    with local_aster() as exchange:
        for name, value in exchange.variables.items():
            monkeypatch.setenv(name, value)
        yield exchange


def start_block(said: str) -> dict[str, str]:
    lines = [line.split(" - INFO - ")[-1] for line in said.splitlines()]
    return {name: text for name, _, text in (line.partition(": ") for line in lines) if text}


@pytest.mark.parametrize(
    "words",
    [
        ["scan", "--paper"],
        ["status", "--paper"],
        ["books", "--paper"],
        ["books", "--paper", "--offline"],
        ["demo", "--days", "0.05"],
        ["simulate", "--seed", "1", "--days", "0.05", "--faults", "none"],
    ],
    ids=" ".join,
)
def test_a_json_document_that_does_not_say_which_bot_it_is_about(words: list[str], shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, {**EAGER, "capital_management": {"max_capital_usd": 500}})
    shell("run", "--paper", "--once")

    said = shell(*words, "--json", "-")
    assert said.out, said
    document = said.document

    rows = document if isinstance(document, list) else [document]
    modes = {"demo": "DEMO", "simulate": "SIMULATION"}
    assert rows
    for row in rows:
        assert set(FACTS) <= set(row)
        assert (row["mode"], row["version"]) == (modes.get(words[0], "PAPER"), __version__)
        assert datetime.fromisoformat(row["time"]).tzinfo is not None
        if words[0] in {"scan", "status", "books"}:
            assert row["network"] == "generated market"
            assert (row["home"], row["config_file"]) == (str(place), str(place / CONFIG))
            assert row["max_capital_usd"] == "500"


def test_findings_of_the_doctor_that_do_not_say_of_which_account(aster: LocalAster, shell: Shell) -> None:
    account = aster.variables["API_USER"]

    findings = shell("doctor", "--json", "-").document

    assert {finding["account"] for finding in findings} == {f"{account[:6]}...{account[-4:]}"}
    assert {finding["mode"] for finding in findings} == {"LIVE"}
    assert findings[0]["network"].startswith("http://127.0.0.1:")


def test_the_json_of_config_is_still_a_configuration_file(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, {"capital_management": {"max_capital_usd": 500}})

    document = shell("config", "--json", "-").document
    (place / "copy.json").write_text(json.dumps(document))

    assert {f"_{name}" for name in FACTS} <= set(document)
    settings = load_settings(place / "copy.json", named=True)
    assert settings.parameters == load_settings(place / CONFIG, named=True).parameters


def test_a_paper_bot_that_looks_like_a_live_one_at_its_start(shell: Shell, place: Path) -> None:
    said = shell("run", "--paper", "--once", "--defaults")

    block = start_block(said.out)
    assert "Volume Farming Strategy initialized (Dry Run: False)" in said.out
    assert block["Mode"] == "PAPER (its own market, no real money)"
    assert block["Network"] == "generated market"
    assert block["Account"] == "emulated"
    assert block["Home"] == str(place)
    assert block["Configuration"] == "none, the guide's defaults"
    assert block["Capital cap"] == "none, up to 95% of the smaller wallet a leg"
    assert block["Version"] == __version__


def test_a_live_bot_that_does_not_say_whose_money_it_moves(aster: LocalAster, shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, {"capital_management": {"max_capital_usd": 500}})
    account = aster.variables["API_USER"]

    block = start_block(shell("run", "--once").out)

    assert block["Mode"] == "LIVE (real orders on this account)"
    assert block["Network"].startswith("http://127.0.0.1:")
    assert block["Account"] == f"{account[:6]}...{account[-4:]}"
    assert block["Configuration"] == str(place / CONFIG)
    assert block["Capital cap"].startswith("$500.00 for both legs together")


@pytest.mark.parametrize("missing", ["nothing", "a dangling link", "another name"])
def test_a_live_bot_that_trades_everything_because_its_file_is_not_found(
    missing: str, aster: LocalAster, shell: Shell, place: Path
) -> None:
    if missing == "a dangling link":
        (place / CONFIG).symlink_to(place / "gone.json")
    if missing == "another name":
        write_config(place / "config.json", {})

    line = shell.refused("run", "--once")

    assert line.startswith(f"{CONFIG} not found") or f"{CONFIG} not found" in line
    assert "--defaults" in line
    assert aster.world.account().positions == {}
    assert not (place / "hedgerow.db").exists()


def test_the_guides_defaults_are_taken_when_they_are_asked_for(aster: LocalAster, shell: Shell) -> None:
    assert shell("run", "--once", "--defaults").code == 0
    assert aster.venue is not None


def test_defaults_beside_a_file_leave_no_doubt_which_limit_holds(aster: LocalAster, shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, {"capital_management": {"max_capital_usd": 500}})

    assert "--defaults" in shell.refused("run", "--once", "--defaults")
    assert aster.world.account().positions == {}


@pytest.mark.parametrize("flag", ["--paper", "--dry-run"])
def test_without_money_a_missing_file_is_only_warned_about(flag: str, aster: LocalAster, shell: Shell) -> None:
    said = shell("run", flag, "--once")

    assert said.code == 0
    assert "not found: running on the guide's defaults" in said.out
    assert aster.world.account().positions == {}


def test_init_does_not_send_a_newcomer_straight_to_real_money(shell: Shell) -> None:
    lines = shell("init", "--home", "bot").out.splitlines()

    steps = [line.strip() for line in lines if line.strip().startswith("hedgerow ")]
    assert [step.split("  ")[0].strip() for step in steps] == [
        "hedgerow run --paper --home bot",
        "hedgerow run --dry-run --home bot",
        "hedgerow doctor --home bot",
        "hedgerow run --home bot",
    ]
    assert "max_capital_usd" in "\n".join(lines)
    assert "real money" in steps[-1]
