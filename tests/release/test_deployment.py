"""Units for systemd and the compose file: they are sound, and what cannot be used is not started again for ever."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from hedgerow.cli.codes import ExitCode
from hedgerow.notify.variables import APPRISE, TOKEN
from support.command_runner import COMMAND
from support.components import needed

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
INSTALLED = "/opt/hedgerow/bin/hedgerow"
ANALYZE = shutil.which("systemd-analyze")


class Unit(ConfigParser):
    """A unit file; its keys have capitals."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def settings(path: Path) -> Unit:
    parser = Unit(interpolation=None, delimiters=("=",))
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def test_there_is_a_unit_for_the_bot_for_its_companions_and_for_its_watchdog() -> None:
    names = ["hedgerow-dashboard@.service", "hedgerow-notify@.service", "hedgerow-watchdog@.service"]
    names += ["hedgerow@.service"]
    assert [path.name for path in UNITS] == names


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_has_nothing_to_say_about_a_unit(unit: Path, tmp_path: Path) -> None:
    for path in UNITS:
        text = path.read_text(encoding="utf-8").replace(INSTALLED, COMMAND)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    instance = tmp_path / unit.name.replace("@", "@main")
    instance.write_text((tmp_path / unit.name).read_text(encoding="utf-8"), encoding="utf-8")
    said = subprocess.run(  # noqa: S603 - the system's own tool, on our files
        [str(ANALYZE), "verify", str(instance)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", ""), "it exits with 0 for an unknown key as well"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_configuration_that_cannot_be_used_does_not_restart_for_ever(unit: Path) -> None:
    service = settings(unit)["Service"]
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == [str(ExitCode.USAGE.value)]


def test_the_bot_has_time_to_end_a_trade_and_a_stop_while_halted_is_no_failure() -> None:
    service = settings(ROOT / "deploy" / "hedgerow@.service")["Service"]
    assert (int(service["TimeoutStopSec"]), service["KillMode"]) == (90, "mixed")
    assert service["SuccessExitStatus"] == str(ExitCode.HALTED.value)


def test_the_container_is_not_restarted_for_ever_and_has_the_same_time() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert re.findall(r"^ +restart: (on-failure.*)$", compose, re.MULTILINE) == ["on-failure:5"] * 2
    assert re.findall(r"^ +stop_grace_period: (.*)$", compose, re.MULTILINE) == ["90s"]


def test_compose_starts_the_bot_alone_and_the_others_by_their_profile() -> None:
    services = (ROOT / "docker-compose.yml").read_text(encoding="utf-8").partition("\nservices:\n")[2]
    parts = re.split(r"^  (\w+):$", services.partition("\nvolumes:\n")[0], flags=re.MULTILINE)[1:]
    found = {
        name: re.findall(r"^    profiles: \[(.*)\]$", text, re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
    assert found == {
        "bot": [],
        "notify": ["alerts"],
        "companion": ["companion"],
        "dashboard": ["metrics, fleet"],
        "prometheus": ["metrics"],
        "postgres": ["fleet"],
    }


def test_every_target_that_compose_can_be_given_is_in_the_image() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert {TOKEN, APPRISE} < set(re.findall(r"^ +- (HEDGEROW_\w+)$", compose, re.MULTILINE))
    image = (ROOT / "requirements" / "image.txt").read_text(encoding="utf-8")
    assert re.search(r"^apprise==", image, re.MULTILINE), "the container would not know an address of Apprise"


@pytest.mark.parametrize("profile", ["alerts", "companion", "metrics", "fleet"])
def test_compose_accepts_the_file_with_each_profile(profile: str) -> None:
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("docker-compose is not installed")
    done = subprocess.run(  # noqa: S603 - the tool that reads the file
        [compose, "-f", str(ROOT / "docker-compose.yml"), "--profile", profile, "config", "--quiet"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_promtool_accepts_the_configuration_of_the_profile() -> None:
    done = subprocess.run(  # noqa: S603 - Prometheus' own tool
        [needed("promtool"), "check", "config", str(ROOT / "deploy" / "prometheus" / "prometheus.yml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
