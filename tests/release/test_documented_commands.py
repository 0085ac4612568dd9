"""Every command that a page, a unit, a container or a message names is one that the command line accepts."""

import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from hedgerow.cli.main import COMMANDS, GROUPS, HOMES
from hedgerow.domain.errors import ConfigError
from support.documented import FENCE, INLINE, OPTION, PAGES, PLACEHOLDER, ROOT, in_page

pytestmark = pytest.mark.slow

MESSAGE = re.compile(r"\bhedgerow ([a-z]+)((?: (?:--[a-z][a-z-]*|[A-Z]+)\b)*)")
OF_THE_PROGRAM = {"--version", "--help", "--install-completion", "--show-completion"}
ENDS = "X"
"""In place of a value that the text leaves out."""


@cache
def command(name: str, inner: str = "") -> Any:
    found = getattr(import_module(f"hedgerow.cli.{HOMES.get(name, name)}"), name)
    if name in GROUPS:
        group: Any = typer.main.get_command(found)
        return group.commands[inner]
    app = typer.Typer(add_completion=False)
    app.command(name)(found)
    return typer.main.get_command(app)


def refused(words: list[str]) -> str:
    """Return why the command line does not accept the words after ``hedgerow``; empty = it does."""
    if words[0] in OF_THE_PROGRAM or PLACEHOLDER.fullmatch(words[0]) or words in [[name] for name in GROUPS]:
        return ""
    if words[0] not in COMMANDS:
        return "no such command"
    try:
        found = command(words[0], words[1] if words[0] in GROUPS else "")
        return _not_taken(found, words[2:] if words[0] in GROUPS else words[1:])
    except KeyError:
        return "no such command of the group"
    except TyperException as error:
        return error.format_message()
    except ConfigError as error:
        return str(error)


def _not_taken(found: Any, given: list[str]) -> str:
    """Return what a command has no use for; raises what the command line would for what it refuses."""
    if "--help" in given:
        return ""
    if given and OPTION.fullmatch(given[-1]) and not _is_flag(found, given[-1]):
        given = [*given, ENDS]
    context = found.make_context(found.name, [], resilient_parsing=True)
    context.resilient_parsing = False
    values, rest, _ = found.make_parser(context).parse_args(given)
    for each in (each for each in found.params if values.get(each.name) is not None):
        value = values[each.name]
        many = value if isinstance(value, list | tuple) else [value]
        if not any(one == ENDS or PLACEHOLDER.fullmatch(str(one)) for one in many):
            each.process_value(context, value)
    left = [word for word in rest if word != "..."]
    return f"nothing takes {left}" if left else ""


def _is_flag(found: Any, option: str) -> bool:
    return next((getattr(each, "is_flag", False) for each in found.params if option in each.opts), True)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_names_no_command_or_option_that_is_refused(page: Path) -> None:
    found = [(" ".join(words), refused(words)) for words in in_page(page.read_text(encoding="utf-8"))]
    assert [(words, why) for words, why in found if why] == []


def test_every_command_of_the_first_hour_is_one_that_its_script_runs() -> None:
    script = (ROOT / "scripts" / "first_hour.py").read_text(encoding="utf-8")
    runs = script.replace("{HOME}", "my-bot").replace("{REHEARSAL}", "rehearsal")
    blocks = FENCE.findall((ROOT / "docs" / "first_hour.md").read_text(encoding="utf-8"))
    lines = [line.partition(" #")[0].strip() for _, body in blocks for line in body.splitlines()]
    assert len(lines) > 10
    assert [line for line in lines if line not in runs] == []


def test_the_options_in_the_readmes_table_are_those_of_their_command() -> None:
    rows = re.findall(
        r"^\| (`hedgerow .*?) \| (.*) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) >= len(COMMANDS) - len(GROUPS)
    wrong = []
    for names, text in rows:
        commands = [[word for word in words if not PLACEHOLDER.fullmatch(word)] for words in in_page(names)]
        beside = INLINE.findall(re.sub(r"`hedgerow [^`]*`", "", text))
        options = {option for code in beside for option in OPTION.findall(code)}
        wrong += [(names, each) for each in options if all(refused([*words, each]) for words in commands)]
    assert wrong == []


def test_units_and_containers_start_commands_that_are_accepted() -> None:
    units = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "deploy").glob("*.service"))]
    starts = [found for unit in units for found in re.findall(r"^ExecStart=\S*/hedgerow (.*)$", unit, re.MULTILINE)]
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    given = [json.loads(found) for found in re.findall(r"^ +command: (\[.*\])$", compose, re.MULTILINE)]
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    given += [json.loads(found) for found in re.findall(r"^CMD (\[.*\])$", image, re.MULTILINE)]
    assert len(starts) >= 3
    assert len(given) >= 4
    assert [words for words in [*map(str.split, starts), *given] if refused(words)] == []


def test_messages_name_commands_and_options_that_are_there() -> None:
    found = set()
    for path in sorted((ROOT / "src").rglob("*.py")):
        for name, rest in MESSAGE.findall(path.read_text(encoding="utf-8")):
            if name in COMMANDS and name not in GROUPS:
                found.add((name, rest.strip()))
    assert len(found) > 30
    assert [each for each in sorted(found) if refused([each[0], *each[1].split()])] == []


@pytest.mark.parametrize(
    "text",
    [
        "hedgerow launch",
        "hedgerow run --papier",
        "hedgerow data upload",
        "hedgerow run --port many",
        "hedgerow halt now",
        "hedgerow init --preset GUIDED1",
        "hedgerow simulate --seed",
    ],
)
def test_what_is_wrong_is_noticed(text: str) -> None:
    (words,) = in_page(f"```bash\n{text} # why\n```")
    assert bool(refused(words)) is (text != "hedgerow simulate --seed")
