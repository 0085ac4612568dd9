"""What review should not have to look for: public names, floats, stray places, dead links, locks."""

import ast
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hedgerow.cli.main import COMMANDS
from hedgerow.config import config_table, decode_config

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hedgerow"
MODULES = sorted(SOURCE.rglob("*.py"))
PROGRAMS = [
    *MODULES,
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
    *sorted(ROOT.glob("*.py")),
]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
FOREIGN = ("conformance-", "site")
"""Beginnings of the names of locks whose environments hold other people's programs and nothing of ours."""
IMPORT_NAMES = {"prometheus_client": "prometheus-client", "Crypto": "pycryptodome"}
"""Packages that are not imported under their own name."""
SHOWN = {".ci", ".github", ".gitignore", ".dockerignore"}
"""Hidden files and folders of the root that belong to the project."""
MADE_BY_TOOLS = {".venv", ".git", ".conformance", "__pycache__", "dist", "build", "htmlcov", "hedgerow-home"}

ESTIMATES = ("rate", "apr", "mean", "stdev", "seconds", "hours")
"""The only things in the domain that are no exact figures: estimates and durations."""
WRITES_NUMBERS = "formats.py"
"""Turns numbers of any kind into text, and computes none."""
PLACES = re.compile(
    r"(?<![\w.])/(?:work|farm|root)/"
    r"|\bpypi\.org|pythonhosted\.org|\bdeb\.debian\.org|registry\.npmjs\.org|\bindex-url\b.*://"
)
"""Paths of one machine, and hosts that packages come from: nobody else's are the same."""
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|raise NotImplemented" + r"Error")
COMMAND = re.compile(r"`hedgerow ([a-z]+)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!\w+:)([^)\s]+)\)|!\[[^\]]*\]\((?!\w+:)([^)\s]+)\)")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder of the project; it does not look into what tools made there: 100,000 files."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        hidden = folder == ROOT and entry.name.startswith(".")
        if entry.name in MADE_BY_TOOLS or (hidden and entry.name not in SHOWN):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from files_of(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


@cache
def texts() -> list[tuple[str, str]]:
    found = []
    for path in files_of(ROOT):
        try:
            found.append((name_of(path), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


# --- public names ----------------------------------------------------------------------------------------------------


def is_public_module(path: Path) -> bool:
    return not path.stem.startswith("_") and "cli" not in path.relative_to(SOURCE).parts


def declared(tree: ast.Module) -> list[str] | None:
    """Return the names in ``__all__``, or None where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names = ast.literal_eval(node.value)
            return [str(name) for name in names]
    return None


def top_level_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)
            case _:
                pass


def reading_order(name: str) -> tuple[int, str]:
    """Constants, then types, then functions, as ruff sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def faults_of_names(tree: ast.Module) -> Iterator[str]:
    """Yield what is wrong with ``__all__`` of a module."""
    offered = declared(tree)
    if offered is None:
        yield "no __all__"
        return
    if offered != sorted(offered, key=reading_order):
        yield f"not sorted: {offered}"
    yield from (f"declared, but not there: {name}" for name in sorted(set(offered) - set(top_level_names(tree))))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}
    yield from (f"public, but not declared: {name}" for name in sorted(defined - set(offered)))


def test_a_public_module_declares_what_it_offers() -> None:
    public = [path for path in MODULES if is_public_module(path)]
    assert [f"{name_of(path)}: {fault}" for path in public for fault in faults_of_names(tree_of(path))] == []


def test_what_a_package_offers_is_there() -> None:
    packages = [(path, tree_of(path)) for path in MODULES if path.stem == "__init__"]
    missing = {name_of(path): set(declared(tree) or []) - set(top_level_names(tree)) for path, tree in packages}
    assert {name: names for name, names in missing.items() if names} == {}


def test_a_module_says_what_it_is_for() -> None:
    silent = [path for path in MODULES if not ast.get_docstring(tree_of(path))]
    assert [name_of(path) for path in silent if path.read_text(encoding="utf-8").strip()] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("class A: ...", "no __all__"),
        ('__all__ = ["A", "B"]\nclass A: ...', "declared, but not there: B"),
        ('__all__ = ["A"]\nclass A: ...\ndef b(): ...', "public, but not declared: b"),
        ('__all__ = ["b", "A"]\nclass A: ...\ndef b(): ...', "not sorted: ['b', 'A']"),
    ],
)
def test_a_name_that_is_not_declared_or_not_there_would_be_found(text: str, fault: str) -> None:
    assert list(faults_of_names(ast.parse(text))) == [fault]


# --- exact money -----------------------------------------------------------------------------------------------------


def is_estimate(name: str) -> bool:
    return any(word in name.split("_") for word in ESTIMATES)


def inexact(path: Path) -> Iterator[str]:
    """Yield every float of a module that is no field, argument or result named as an estimate."""
    allowed: set[ast.AST] = set()
    tree = tree_of(path)
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.arg(arg=name) if is_estimate(name):
                allowed.update(ast.walk(node))
            case ast.FunctionDef(name=name, returns=ast.expr() as returns) if is_estimate(name):
                allowed.update(ast.walk(returns))
            case _:
                pass
    for node in ast.walk(tree):
        is_float = isinstance(node, ast.Name) and node.id == "float"
        if (is_float or (isinstance(node, ast.Constant) and isinstance(node.value, float))) and node not in allowed:
            yield f"{name_of(path)}:{getattr(node, 'lineno', 0)} {ast.unparse(node)}"


def test_money_and_quantities_of_the_domain_are_never_floats() -> None:
    computing = [path for path in sorted((SOURCE / "domain").glob("*.py")) if path.name != WRITES_NUMBERS]
    assert [at for path in computing for at in inexact(path)] == []


def test_a_float_that_is_no_estimate_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "module.py"
    module.write_text("class A:\n    price: float\n    naked_seconds: float = 0.0\nLIMIT = 0.5\n", encoding="utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert list(inexact(module)) == ["module.py:4 0.5", "module.py:2 float"]


def test_money_is_written_by_one_module() -> None:
    """A dollar before a number with decimals of its own would be a second formatter."""
    found = [
        f"{name_of(path)}:{number}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name != WRITES_NUMBERS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"\$\{[^}]*:[^}]*f\}", line)
    ]
    assert found == []


# --- text ------------------------------------------------------------------------------------------------------------


def test_no_file_names_a_place_that_others_do_not_have() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if PLACES.search(line) and name != name_of(Path(__file__))
    ]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        if name.endswith((".py", ".sh", ".toml", ".yml", "Makefile", "Dockerfile"))
        for number, line in enumerate(text.splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert found == []


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, spelled as the usual renderers spell them."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> Iterator[str]:
    for link in ("".join(pair) for pair in LINK.findall(page.read_text(encoding="utf-8"))):
        file, _, anchor = link.partition("#")
        target = (page.parent / file) if file else page
        if not target.exists() or (anchor and anchor not in anchors(target.resolve())):
            yield f"{name_of(page)}: {link}"


def test_links_of_the_pages_lead_somewhere() -> None:
    assert [link for page in PAGES for link in dead_links(page)] == []


def test_every_citation_of_the_exchanges_interface_names_a_section_that_is_there() -> None:
    page = (ROOT / "docs" / "aster-api.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)", page, flags=re.MULTILINE))
    cited = re.compile(r"aster-api\.md`? (?:sections? )?(\d+(?:\.\d+)?)")
    found = [(name, section) for name, text in texts() for section in cited.findall(text)]
    assert len(found) > 90
    assert [(name, section) for name, section in found if section not in sections] == []
    assert [name for name, text in texts() if "API " + "reference" in text] == []


def test_every_setting_has_its_line_in_the_guide_with_its_default() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8").replace(",", "")
    missing = []
    for setting in config_table():
        if setting.section in {"execution", ""}:
            continue
        default = "none" if setting.default is None else str(setting.default).lower()
        if not re.search(rf"^\| `{setting.key}` \| `?{re.escape(default)}`? \|", guide, flags=re.MULTILINE):
            missing.append(f"{setting.name} {default}")
    assert missing == []


def test_settings_that_the_guide_shows_are_accepted() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    shown = [block for block in re.findall(r"```json\n(.*?)```", guide, flags=re.DOTALL) if "_management" in block]
    assert shown
    for block in shown:
        decode_config(block.encode(), name="docs/guide.md")


def test_the_readme_lists_the_commands_there_are() -> None:
    rows = re.findall(r"^\| (`hedgerow .*?) \|", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`hedgerow ([a-z]+)", row)} == COMMANDS.keys()


def test_no_page_names_a_command_that_is_not_there() -> None:
    named = {(name_of(page), word) for page in PAGES for word in COMMAND.findall(page.read_text(encoding="utf-8"))}
    assert {(page, word) for page, word in named if word not in COMMANDS} == set()


# --- files of the root -----------------------------------------------------------------------------------------------


def test_the_shipped_configuration_is_json_of_sections() -> None:
    content = json.loads((ROOT / "config_volume_farming_strategy.json").read_text(encoding="utf-8"))
    assert {key for key, value in content.items() if isinstance(value, dict)} == {
        "capital_management",
        "funding_rate_strategy",
        "position_management",
        "risk_management",
    }


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the pinned versions of every package of a lock file; more than one where markers tell them apart."""
    found: dict[str, set[str]] = {}
    pinned = re.compile(r"^([a-z0-9_.-]+)(?:\[[a-z0-9_,-]+\])?==([^ ;\\]+)", re.MULTILINE)
    for name, version in pinned.findall(lock.read_text(encoding="utf-8")):
        found.setdefault(name.replace("_", "-"), set()).add(version)
    return found


def wanted(requirements: list[object]) -> set[str]:
    texts_only = [text for text in requirements if isinstance(text, str)]
    return {re.split(r"[\[<>=!~; ]", text, maxsplit=1)[0].lower() for text in texts_only}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.split(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.split(".")[0]
            case _:
                pass


def test_what_the_package_imports_is_declared_as_its_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    declared_names = wanted([*project["dependencies"], *extras]) | set(sys.stdlib_module_names) | {"hedgerow"}
    used = {(name_of(path), IMPORT_NAMES.get(name, name)) for path in MODULES for name in imported(path)}
    undeclared = {f"{path}: {name}" for path, name in used if name not in declared_names}
    assert undeclared == set()


def test_locks_hold_everything_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    core, groups = wanted(project["project"]["dependencies"]), project["dependency-groups"]
    extras = [text for extra in project["project"].get("optional-dependencies", {}).values() for text in extra]
    build = wanted([*groups["build"], *project["build-system"]["requires"]])
    everything = core | build | wanted([*extras, *groups["dev"]])
    small = pins(ROOT / "requirements" / "core.txt")
    assert core - small.keys() == set()
    driver = wanted(project["project"]["optional-dependencies"]["postgres"])
    assert (small.keys() | driver) - pins(ROOT / "requirements" / "image.txt").keys() == set()
    assert build - pins(ROOT / "requirements" / "build.txt").keys() == set()
    assert everything - pins(ROOT / "requirements" / "dev.txt").keys() == set()


def test_the_small_locks_follow_the_large_one() -> None:
    large = pins(ROOT / "requirements" / "dev.txt")
    other = {
        f"{lock.name}: {name}"
        for lock in LOCKS
        if not lock.name.startswith(FOREIGN)
        for name, versions in pins(lock).items()
        if versions != large[name]
    }
    assert other == set()


def test_every_pin_has_its_hashes() -> None:
    for lock in LOCKS:
        text = re.sub(r"^#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", "")
        bare = [line for line in text.splitlines() if line.strip() and "--hash=sha256:" not in line]
        assert bare == [], lock.name


# --- names -----------------------------------------------------------------------------------------------------------

MOST_MODULES = 16
"""Of a folder; the command line has one module per command."""
RETIRED = (
    *("archivist", "befall", "disorder", "door", "elsewhere", "fate", "gate", "harm", "hear", "hub", "member", "mend"),
    *("mirrored", "plug", "reckoning", "settler", "strike", "struck", "tape", "ticket", "tidings", "witness"),
)
"""Words that other systems have other names for; see "Names" in CONTRIBUTING.md."""
RETIRED_HELPERS = frozenset(
    (
        *("bench", "diary", "ear", "farm", "hands", "kept", "mirrored", "outside", "paper", "place", "said", "scene"),
        *("screens", "site", "stage", "story", "watched"),
    )
)
"""Classes of the tests that are a harness, fixture, builder, observer, output or script now."""
RETIRED_IN_TESTS = {
    *(
        "diary",
        "farm",
        "guilty",
        "heard",
        "life",
        "scene",
        "site",
        "stage",
        "stories",
        "story",
        "strike",
        "tell",
        "told",
    ),
}
"""What functions and variables of the tests are not called any more; also not in attributes that they use."""
RETIRED_IN_TEST_NAMES = {"guilty", "heard", "hears", "mend", "moment", "moments", "story", "strikes"}
"""Words of which the name of a test has none."""
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
RETIRED_IN_TEXT = (
    *("anew", "befall", "heard", "hears", "lest", "mend", "mended", "mends", "moment", "moments", "news", "oftener"),
    *(
        "somebody",
        "stand-in",
        "stand-ins",
        "tell",
        "telling",
        "tells",
        "tidily",
        "tidings",
        "told",
        "trouble",
        "troubles",
    ),
)
"""Words that code and pages have plainer words for."""
RETIRED_IN_OUTPUT = (*RETIRED_IN_TEXT, "anybody", "by hand", "meanwhile", "nobody", "whatever", "whoever")
"""The same of the packages that write what a user reads."""
OUTPUT_PACKAGES = ("app", "cli", "dashboard")
KEPT_WORDS = {
    "src/hedgerow/app/findings/keys.py": {"mend"},
    "src/hedgerow/backtest/search/inference.py": {"moments"},
    "src/hedgerow/backtest/search/trials.py": {"tell"},
    "src/hedgerow/emulator/inprocess/venue.py": {"told"},
    "src/hedgerow/emulator/wire/admin/fault_routes.py": {"trouble"},
    "src/hedgerow/simulation/faults/wire.py": {"trouble"},
}
"""A key of JSON, statistical moments, a method of a library, a detail in event logs, former names still accepted."""


GENERATED = re.compile(r"<!-- \w+:begin -->.*?<!-- \w+:end -->", re.DOTALL)
"""Tables that are printed from the code of all packages."""
SEARCHED = {
    "hedge ratio": ("strategy/evaluation/health",),
    "idempotent": ("domain/ledger/booked",),
    "liquidation": ("strategy/evaluation/health",),
    "market data": ("aster/market/__init__",),
    "order book": ("aster/market/streams", "emulator/core/order_book"),
    "partial fill": ("strategy/hedging/quantities",),
    "position sizing": ("strategy/evaluation/sizing",),
    "rate limit": ("aster/http/rate_limits", "aster/http/rest"),
    "rebalanc": ("strategy/evaluation/rebalancing",),
    "reconnect": ("aster/http/reconnecting_stream",),
    "slippage": ("domain/execution_quality", "strategy/hedging/orders"),
}
"""What a reader of other trading systems searches for, and the modules that do it: their docstrings say the word."""


FACTS_OF_A_VENUE = re.compile(r"aster|binance|autoclose|-[1-4]\d{3}\b(?!\.\d)", re.IGNORECASE)


def test_decisions_and_values_know_no_venue() -> None:
    layers = [SOURCE / name for name in ("domain", "strategy", "engine")]
    lines = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in MODULES
        if any(layer in path.parents for layer in layers)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FACTS_OF_A_VENUE.search(line)
    ]
    assert lines == [], "what only one venue does belongs into its adapter, and reaches others by the port"


def test_a_folder_has_no_more_modules_than_a_reader_takes_in() -> None:
    folders = {path.parent for path in MODULES} - {SOURCE / "cli"}
    many = {name_of(folder): len([path for path in folder.glob("*.py") if path.stem[0] != "_"]) for folder in folders}
    assert {name: count for name, count in many.items() if count > MOST_MODULES} == {}


def test_no_public_class_name_stands_twice_in_a_layer() -> None:
    owners: dict[tuple[str, str], list[str]] = {}
    for path in MODULES:
        layer = path.relative_to(SOURCE).parts[0]
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners.setdefault((layer, node.name), []).append(name_of(path))
    assert {name: paths for name, paths in owners.items() if len(paths) > 1} == {}


def names_of(tree: ast.Module) -> set[str]:
    """Return the names that a module defines or uses."""
    nodes = list(ast.walk(tree))
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.name for node in nodes if isinstance(node, kinds)}
    return names | {node.arg for node in nodes if isinstance(node, ast.arg)}


def test_no_name_has_a_word_that_was_given_up() -> None:
    found = set()
    for path in MODULES:
        for name in {*names_of(tree_of(path)), path.stem}:
            words = {word.lower() for word in WORD.findall(name)}
            found |= {f"{name_of(path)}: {name}" for word in RETIRED if word in words or f"{word}s" in words}
    assert sorted(found) == []


def test_no_helper_of_the_tests_has_a_name_that_was_given_up() -> None:
    found = set()
    for path in (path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "programs"):
        tree = tree_of(path)
        classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        found |= {f"{path.relative_to(ROOT)}: {name}" for name in classes if name.lower() in RETIRED_HELPERS}
        names = names_of(tree)
        found |= {f"{path.relative_to(ROOT)}: {name}" for name in names & RETIRED_IN_TESTS}
        found |= {
            f"{path.relative_to(ROOT)}: {name}"
            for name in names
            if name.startswith("test_") and RETIRED_IN_TEST_NAMES & {*name.split("_")}
        }
    assert sorted(found) == []


def retired_words(name: str, text: str, words: tuple[str, ...]) -> set[str]:
    """Return each use of ``words`` in a text, with its line; those of ``KEPT_WORDS`` may be used there."""
    pattern = re.compile(rf"(?<![a-z])(?:{'|'.join(words)})(?![a-z])", re.IGNORECASE)
    kept = KEPT_WORDS.get(name, set())
    uses = (
        (number, word.lower()) for number, line in enumerate(text.splitlines(), 1) for word in pattern.findall(line)
    )
    return {f"{name}:{number}: {word}" for number, word in uses if word not in kept}


def test_code_and_pages_use_plain_words() -> None:
    found = set()
    for path in MODULES:
        layer = path.relative_to(SOURCE).parts[0]
        words = RETIRED_IN_OUTPUT if layer in OUTPUT_PACKAGES else RETIRED_IN_TEXT
        found |= retired_words(name_of(path), path.read_text(encoding="utf-8"), words)
    for page in (page for page in (ROOT / "docs").glob("*.md") if page.stem != "aster-api"):
        found |= retired_words(name_of(page), GENERATED.sub("", page.read_text(encoding="utf-8")), RETIRED_IN_OUTPUT)
    assert sorted(found) == []


@pytest.mark.parametrize("term", SEARCHED)
def test_a_search_for_a_usual_term_finds_the_code_that_does_it(term: str) -> None:
    for name in SEARCHED[term]:
        tree = tree_of(SOURCE / f"{name}.py")
        nodes = [tree, *(node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))]
        texts = " ".join(ast.get_docstring(node) or "" for node in nodes)
        assert term in " ".join(texts.split()).lower(), name
