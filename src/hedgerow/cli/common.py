"""What the commands share: options, the home folder, JSON output."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer
from rich.console import Console

from hedgerow.app.session import settings_or_defaults
from hedgerow.app.storage.select import with_database
from hedgerow.cli.arguments import preset_option
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.tables import screen_width
from hedgerow.clock import SystemClock
from hedgerow.config import Home, Settings
from hedgerow.config.home import HomeMode
from hedgerow.config.presets import PresetName
from hedgerow.dashboard.wrapping import wrapped
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.money import plain, plain_or_none
from hedgerow.domain.operator_requests import LONGEST_VALID, Answer
from hedgerow.domain.run_identity import RunIdentity

__all__ = [
    "ConfigOption",
    "DemoOption",
    "DryRunOption",
    "HomeOption",
    "JsonOption",
    "MaPeriodsOption",
    "PaperOption",
    "PresetOption",
    "StoreOption",
    "ValidForOption",
    "YesOption",
    "answered",
    "bot_inputs",
    "echo",
    "history_files",
    "home_of",
    "is_stdout",
    "others_here",
    "refuse_outputs",
    "refuse_unwritable",
    "say",
    "settings_with_warning",
    "warn_of_broken_settings",
    "write_json",
    "write_json_rows",
    "write_text",
]

HomeOption = Annotated[
    Path, typer.Option("--home", metavar="DIR", help="Folder with the bot's configuration, state, log and event log.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration file instead of the one in the home folder."),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the result as JSON to this file; - is standard output.", allow_dash=True
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Use the dry run's own position, log and state.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="PostgreSQL database that holds the log, instead of a file in the home; else HEDGEROW_DATABASE.",
        show_default=False,
    ),
]
PaperOption = Annotated[bool, typer.Option("--paper", help="Use the paper bot and the home folder's own exchange.")]
DemoOption = Annotated[bool, typer.Option("--demo", help="Use the files of hedgerow demo --home; no exchange is read.")]
MaPeriodsOption = Annotated[
    int | None,
    typer.Option("--ma-periods", metavar="N", help="Settled rates in the moving average, instead of the file's."),
]
PresetOption = Annotated[
    PresetName | None,
    typer.Option(
        "--preset",
        metavar=f"<{'|'.join(PresetName)}>",
        parser=preset_option,
        autocompletion=lambda: list(PresetName),
        help="A configuration by its name (docs/presets.md) instead of a file.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
ValidForOption = Annotated[
    int,
    typer.Option(
        "--valid-for",
        metavar="SECONDS",
        min=1,
        max=LONGEST_VALID // timedelta(seconds=1),
        help="A bot that has not begun it by then does not carry it out.",
    ),
]


MODES = {"--paper": HomeMode.PAPER, "--dry-run": HomeMode.DRY_RUN, "--demo": HomeMode.DEMO}


def home_of(
    folder: Path, *, paper: bool = False, dry_run: bool = False, demo: bool = False, store: str | None = None
) -> Home:
    """Return the home in ``folder``, which need not be there yet, with the database of ``--store`` or the environment.

    Raises:
        ConfigError: the path is a file, it may not be read, two bots are named at once, or the database cannot be.
    """
    named = {"--paper": paper, "--dry-run": dry_run, "--demo": demo}
    given = [option for option, chosen in named.items() if chosen]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} are different bots: give one of them")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--home {folder}: is a file; allowed is a folder, or a name that does not exist yet")
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigError(f"--home {folder}: you have no permission to read this folder")
    if demo and store is not None:
        raise ConfigError("--store: the demo keeps its log in its folder; give one of --demo and --store")
    return with_database(Home(folder=folder, mode=MODES[given[0]] if given else HomeMode.LIVE), store)


def settings_with_warning(home: Home, config: Path | None) -> Settings:
    """Return the settings for a command that only reads; where their file is broken, its defaults, and say so.

    Raises:
        ConfigError: a file was named, and there is none.
    """
    settings, broken = settings_or_defaults(home, config)
    warn_of_broken_settings(broken)
    return settings


def warn_of_broken_settings(broken: str) -> None:
    """Say on standard error that the command does without the settings; empty = they can be used."""
    if broken:
        echo(f"hedgerow: {broken}; this command goes on without it, the next start of the bot will not", err=True)


def others_here(home: Home) -> str:
    """Return a hint about other bots that have run in this folder; empty when there are none."""
    flags = {HomeMode.LIVE: "the live bot: without --paper and --dry-run"}
    flags |= {HomeMode.PAPER: "a paper bot: --paper", HomeMode.DRY_RUN: "a dry run: --dry-run"}
    others = [Home(folder=home.folder, mode=mode) for mode in flags if mode is not home.mode]
    found = [flags[other.mode] for other in others if other.events.exists()]
    return f" ({'; '.join(found)} has run here)" if found else ""


def say(text: str, *, style: str | None = None, hanging: int = 4) -> None:
    """Print a line: in colour and wrapped at blanks on a terminal, unchanged elsewhere.

    ``hanging`` is the further indentation of its later lines.
    """
    width = screen_width()
    for line in [text] if width is None else wrapped(text, width, hanging=hanging):
        Console(highlight=False, soft_wrap=True).print(line, style=style, markup=False)


def is_stdout(target: Path | None) -> bool:
    """Whether standard output is reserved for JSON."""
    return target is not None and str(target) == "-"


def write_json(target: Path | None, document: Any, identity: RunIdentity, *, prefix: str = "") -> None:
    """Write a result as JSON where the user asked for it, with its time and the bot that it is about.

    A list has these keys in each row; keys of the result itself are never replaced. ``prefix`` begins the names
    of the added keys.

    Raises:
        ConfigError: the file cannot be written.
    """
    if target is None:
        return
    text = msgspec.json.format(msgspec.json.encode(_named(document, identity, prefix)), indent=2).decode() + "\n"
    if is_stdout(target):
        sys.stdout.write(text)
    else:
        write_text("--json", target, text)


def write_json_rows(
    target: Path | None, document: Any, identity: RunIdentity, *, name: str, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write a result whose rows are too many to be held at once: as ``write_json``, the rows last, one a line.

    Raises:
        ConfigError: the file cannot be written.
    """
    if target is None:
        return
    head = msgspec.json.format(msgspec.json.encode(_named(document, identity, "")), indent=2).decode()
    parts = _with_rows(head.removesuffix("}").rstrip(), name, rows)
    if is_stdout(target):
        sys.stdout.writelines(parts)
        return
    try:
        with target.open("w", encoding="utf-8") as file:
            file.writelines(parts)
    except OSError as error:
        raise ConfigError(f"--json {target} cannot be written: {error.strerror or error}") from error


def _with_rows(head: str, name: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield f'{head},\n  "{name}": ['
    between = "\n    "
    for row in rows:
        yield between + msgspec.json.encode(row).decode()
        between = ",\n    "
    yield "\n  ]\n}\n"


def _named(document: Any, identity: RunIdentity, prefix: str) -> object:
    facts = {
        "time": SystemClock().now(),
        "version": identity.version,
        "mode": identity.mode,
        "network": identity.network,
        "account": identity.account,
        "home": identity.home,
        "config_file": identity.config_file,
        "capital_fraction": plain(identity.capital_fraction),
        "max_capital_usd": plain_or_none(identity.max_capital_usd),
    }
    named = {f"{prefix}{key}": value for key, value in facts.items()}
    built = cast("dict[str, Any] | list[dict[str, Any]]", msgspec.to_builtins(document))
    return {**named, **built} if isinstance(built, dict) else [{**named, **row} for row in built]


def write_text(option: str, target: Path, text: str) -> None:
    """Write a file that the user named with ``option``.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{option} {target} cannot be written: {error.strerror or error}") from error


def refuse_unwritable(option: str, target: Path | None) -> None:
    """Find out before long work whether its result can be kept.

    Raises:
        ConfigError: ``target`` is a folder, or cannot be written.
    """
    if target is None or is_stdout(target):
        return
    folder = target.absolute().parent
    if target.is_dir():
        problem = "Is a directory"
    elif not folder.is_dir():
        problem = "there is no such folder"
    elif not os.access(target if target.exists() else folder, os.W_OK):
        problem = "Permission denied"
    else:
        return
    raise ConfigError(f"{option} {target} cannot be written: {problem}")


def refuse_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, Iterable[Path]]) -> None:
    """Find out before long work whether its results can be kept, each in a file of its own that is not read.

    ``outputs`` are by option; ``inputs`` are files by what they are, in words.

    Raises:
        ConfigError: an output cannot be written, is one of the inputs, also under another name, or another output.
    """
    files: dict[str, Path] = {}
    for option, target in outputs.items():
        refuse_unwritable(option, target)
        if target is not None and not is_stdout(target) and (target.is_file() or not target.exists()):
            files[option] = target
    for option, target in files.items():
        for what, paths in inputs.items():
            if any(_is_same_file(target, path) for path in paths):
                raise ConfigError(f"{option} {target}: would overwrite {what}; name another file")
    for (option, target), (other, another) in combinations(files.items(), 2):
        if _is_same_file(target, another):
            raise ConfigError(f"{option} {target} and {other} {another} are one file; name two")


def history_files(folder: Path | None) -> tuple[Path, ...]:
    """Return what commands read of a folder with market history: history, recordings, captures."""
    patterns = ("*.parquet", "*/*.parquet", "*/*.jsonl", "aster/*.json.gz")
    return () if folder is None else tuple(path for pattern in patterns for path in folder.glob(pattern))


def bot_inputs(place: Home, config: Path | None) -> dict[str, tuple[Path, ...]]:
    """Return the files that a command about a bot must not overwrite, by what they are, for ``refuse_outputs``."""
    return {
        f"a file of a bot in {place.folder}": place.files,
        "the configuration file": (config or place.config,),
    }


def _is_same_file(one: Path, other: Path) -> bool:
    """Return whether two names are of one file, whether it exists or not."""
    try:
        return os.path.realpath(one) == os.path.realpath(other) or one.samefile(other)
    except OSError:
        return False


def echo(text: str, *, err: bool = False) -> None:
    """Print a line without colour, on standard error if ``err``: broken at blanks where that is a terminal."""
    stream = sys.stderr if err else sys.stdout
    lines = wrapped(text, Console(file=stream).width) if stream.isatty() else [text]
    typer.echo("\n".join(lines), err=err)


def answered(answer: Answer, place: Home) -> ExitCode:
    """Print how a request ended and return the exit code; a command that it names means the bot that was asked."""
    option = next((f" {flag}" for flag, mode in MODES.items() if mode is place.mode), "")
    echo(answer.text.replace("hedgerow resume", f"hedgerow resume{option}"), err=not answer.done)
    return ExitCode.DONE if answer.done else ExitCode.FAILED
