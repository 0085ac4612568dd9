"""Every command on a real terminal: no line longer than the screen, no number cut, the verdict always there."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedgerow.cli.main import COMMANDS
from hedgerow.config import load_settings
from hedgerow.config.presets import PRESETS, PresetName
from hedgerow.domain.formats import signed_amount
from support.command_runner import COMMAND, EAGER, process, write_config
from support.local_aster import KEY, SIGNER, USER, LocalAster, local_aster
from support.telegram_server import ADMIN, GROUP, TOKEN, TelegramServer
from support.terminal import Terminal, TerminalOutput, on_terminal

CONFIG = "config_volume_farming_strategy.json"
NARROW, USUAL, WIDE = 60, 80, 120
WIDTHS = pytest.mark.parametrize("columns", [NARROW, USUAL, WIDE])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A paper home with a hedge."""
    folder = tmp_path_factory.mktemp("paper")
    write_config(folder / CONFIG, EAGER)
    bot = process(COMMAND, "run", "--paper", "--once", home=folder)
    out, err = bot.communicate(timeout=120)
    assert bot.returncode == 0, out + err
    return folder


@pytest.fixture(scope="module")
def aster() -> Iterator[LocalAster]:
    with local_aster() as exchange:
        yield exchange


def fits(seen: TerminalOutput) -> TerminalOutput:
    """Check that nothing is longer than the screen; a single word, a path for example, is left whole."""
    assert [line for line in seen.too_long if len(line.split()) > 1] == []
    assert "Traceback" not in seen.text
    return seen


def piped(*words: object, home: Path) -> list[str]:
    """Return the words of what a program reads of the same command."""
    done = process(COMMAND, *words, home=home, stderr=subprocess.STDOUT)
    return done.communicate(timeout=120)[0].split()


def rows_below(seen: TerminalOutput, title: str) -> tuple[str, list[str]]:
    """Return the heading line and the lines of a table."""
    lines = seen.lines
    at = next(index for index, line in enumerate(lines) if line.startswith(title))
    end = lines.index("", at)
    return lines[at + 1], lines[at + 3 : end]


def block_of(first: str, lines: Sequence[str]) -> list[str]:
    """Return the words of one row, its wrapped lines included."""
    at = next(index for index, line in enumerate(lines) if line.split()[:1] == [first])
    end = next((i for i in range(at + 1, len(lines)) if not lines[i].startswith("   ")), len(lines))
    return " ".join(lines[at:end]).split()


def in_order(words: Sequence[str], text: Sequence[str]) -> bool:
    """Tell whether all words stand in a text, in this order."""
    rest = iter(text)
    return all(word in rest for word in words)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# --- scan ------------------------------------------------------------------------------------------------------------


def percent(value: float | None, places: int) -> str:
    """Return a figure as the table has it; a market of the hour may leave one unknown, such as a one-sided book's."""
    return "-" if value is None else f"{value:.{places}%}"


@WIDTHS
def test_scan_shows_the_verdict_of_every_pair_and_no_cut_number(home: Path, columns: int) -> None:
    seen = fits(on_terminal("scan", "--paper", "--json", "scan.json", home=home, columns=columns))
    head, lines = rows_below(seen, "Funding")
    assert head.split()[:2] == ["symbol", "verdict"]
    for row in read(home / "scan.json"):
        words = block_of(row["symbol"], lines)
        verdict = "eligible" if row["eligible"] else "; ".join(each["detail"] for each in row["refusals"])
        assert in_order(verdict.split(), words), row["symbol"]
        figures = {
            "APR": percent(row["funding_apr"], 2),
            "rate": percent(row["rate"], 4),
            "stdev": percent(row["stdev"], 4),
            "predicted": percent(row["predicted_rate"], 4),
            "basis": percent(row["basis"], 3),
            "volume": "-" if row["volume_usd"] is None else f"${Decimal(row['volume_usd']):,.0f}",
        }
        shown = {name: text for name, text in figures.items() if name in head.split()}
        assert {"APR"} <= set(shown)
        assert all(text in words for text in shown.values()), (row["symbol"], shown)


def test_scan_names_the_columns_that_a_narrow_terminal_has_no_room_for(home: Path) -> None:
    narrow = on_terminal("scan", "--paper", home=home, columns=USUAL)
    wide = on_terminal("scan", "--paper", home=home, columns=220)

    assert "(a wider terminal shows also: stdev," in narrow.text
    assert "a wider terminal" not in wide.text
    assert {"stdev", "interval", "predicted", "basis"} <= set(rows_below(wide, "Funding")[0].split())


# --- books -----------------------------------------------------------------------------------------------------------


@WIDTHS
def test_books_show_amounts_whole_and_the_verdict(home: Path, columns: int) -> None:
    seen = fits(on_terminal("books", "--paper", "--json", "books.json", home=home, columns=columns))
    document = read(home / "books.json")
    head, lines = rows_below(seen, "Wallets")
    words = " ".join(lines).split()
    assert {"wallet", "expected", "exchange", "difference"} <= set(head.split())
    for wallet in document["wallets"]:
        for name in ("expected", "exchange", "difference", "opening", "trades"):
            if name in head.split():
                assert wallet[name] in words, (wallet["asset"], name)
    head, lines = rows_below(seen, "Hedges")
    (hedge,) = document["hedges"]
    words = block_of(hedge["hedge"], lines)
    assert signed_amount(Decimal(hedge["net_profit"])) in words
    assert signed_amount(Decimal(hedge["net_if_closed"])) in words
    assert "The books agree with the exchange: difference 0." in seen.flat_text


@WIDTHS
def test_one_hedge_is_shown_with_every_digit(home: Path, columns: int) -> None:
    hedge_id = json.loads(" ".join(piped("books", "--paper", "--offline", "--json", "-", home=home)))["hedges"][0][
        "hedge"
    ]

    seen = fits(on_terminal("books", "--paper", "--hedge", hedge_id, "--json", "one.json", home=home, columns=columns))

    words = seen.text.split()
    for fee in read(home / "one.json")["fees"]:
        assert any(
            word.lstrip("+-$").replace(",", "").rstrip("0") == fee["value"].lstrip("-").rstrip("0") for word in words
        )


# --- config ----------------------------------------------------------------------------------------------------------


@WIDTHS
def test_config_shows_every_setting_with_its_value(home: Path, columns: int) -> None:
    seen = fits(on_terminal("config", home=home, columns=columns))
    document = json.loads(" ".join(piped("config", "--json", "-", home=home)))
    known = set(piped("config", home=home))
    text = seen.text.split()

    sections = {
        name: content for name, content in document.items() if not name.startswith("_") and isinstance(content, dict)
    }
    for section, content in sections.items():
        assert section in text
        assert set(content) <= set(text)
    notes = {
        "hedgerow",
        "config",
        "KEY",
        "shows",
        "full,",
        "them",
        "what",
        "means.",
        "(a",
        "wider",
        "terminal",
        "also:",
        "default)",
    }
    assert {word for word in text if word not in known and not set(word) <= {"─"}} <= notes
    # On a narrow terminal the section with the longest name shows each of its settings in a block of five or six lines.
    assert len(seen.lines) < sum(map(len, sections.values())) * (4 if columns == NARROW else 2.4)


def test_one_setting_is_shown_with_what_it_means(home: Path) -> None:
    for name in ("min_funding_apr", "funding_rate_strategy.min_funding_apr"):
        seen = fits(on_terminal("config", name, home=home))
        assert seen.lines[:4] == [
            "funding_rate_strategy.min_funding_apr",
            "  value    0",
            "  default  15",
            "  allowed  a number from 0 to 10000",
        ]
        assert "least funding APR to open, percent" in seen.text


def test_one_section_is_shown_alone_and_a_misspelled_setting_names_the_nearest(home: Path) -> None:
    section = on_terminal("config", "risk_management", home=home)
    assert "daily_loss_action" in section.text
    assert "min_funding_apr" not in section.text

    wrong = fits(on_terminal("config", "min_fundin_apr", home=home))
    assert wrong.code == 2
    assert "the nearest one is funding_rate_strategy.min_funding_apr" in wrong.flat_text


# --- everything else -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [USUAL, WIDE])
@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (["books", "--paper", "--offline"], "Only the log was read"),
        (["reconcile", "--paper"], ""),
        (
            ["halt", "--paper", "--reason", "a reason that is rather long, and longer than sixty columns by far"],
            "halted",
        ),
        (["resume", "--paper"], "penings "),
        (["adopt", "BTCUSDT", "--paper"], ""),
        (["init", "--home", "new", "--yes"], "hedgerow run --paper --home new"),
        (["run"], "no credentials"),
        (["run", "--paper", "--once"], "Mode: PAPER (its own market, no real money)"),
        (["simulate", "--seed", "1", "--days", "0.05", "--faults", "none"], "all well"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_no_line_is_longer_than_the_screen(home: Path, words: list[str], verdict: str, columns: int) -> None:
    seen = fits(on_terminal(*words, home=home, columns=columns, env={"HEDGEROW_NETWORK": "http://127.0.0.1:9"}))

    assert verdict in seen.flat_text


@pytest.mark.parametrize("name", ["run", "demo", "status"])
def test_help_fits_the_usual_screen(home: Path, name: str) -> None:
    assert fits(on_terminal(name, "--help", home=home)).code == 0


@WIDTHS
def test_every_finding_of_the_doctor_is_there_word_for_word(aster: LocalAster, home: Path, columns: int) -> None:
    words = ("doctor", "--json", "doctor.json")
    seen = fits(on_terminal(*words, home=home, columns=columns, env=aster.variables))

    findings = read(home / "doctor.json")
    assert {"first check", "fees", "market"} <= {finding["subject"] for finding in findings}
    for finding in findings:
        assert " ".join(f"{finding['subject']}: {finding['text']}".split()) in seen.flat_text


@WIDTHS
def test_the_demo_gives_each_hedge_one_line(home: Path, columns: int) -> None:
    words = ("demo", "--days", "0.6", "--pairs", "6", "--json", "demo.json")
    seen = fits(on_terminal(*words, home=home, columns=columns))

    document = read(home / "demo.json")
    head, lines = rows_below(seen, "Hedges")
    assert {"Pair", "Net", "Ended", "because"} <= set(head.split())
    table = [line for line in lines if "wider terminal" not in line]
    if columns >= USUAL:
        assert len(table) == len(document["hedges"])
    for hedge, line in zip(document["hedges"], [line for line in table if not line.startswith("   ")], strict=True):
        assert hedge["symbol"] in line.split()
        assert signed_amount(Decimal(hedge["net_profit"])) in line.split()
    assert signed_amount(Decimal(document["net_profit"])) in seen.text
    assert seen.text.count("UTC (14 h 24 min)") == 1


def test_an_interrupted_demo_reports_what_was_played(home: Path) -> None:
    with Terminal("demo", "--days", "300", "--json", "part.json", "--report", "part.html", home=home) as terminal:
        terminal.wait_for("Position opened successfully!")
        terminal.interrupt()
        seen = fits(terminal.end())

    document = read(home / "part.json")
    assert seen.code == 1
    assert document["interrupted"] is True
    assert 0 < document["cycles"] < 300 * 288
    assert "Note: interrupted before " in seen.flat_text
    assert "Net profit" in seen.text
    assert "interrupted before" in (home / "part.html").read_text(encoding="utf-8")


def test_a_running_bot_wraps_its_log_at_words(home: Path) -> None:
    with Terminal("run", "--paper", "--defaults", "--home", "other", home=home, columns=NARROW) as terminal:
        terminal.wait_for("CYCLE #1")
        terminal.interrupt()
        seen = fits(terminal.end())

    assert "Capital cap: none, up to 95% of the smaller wallet a leg" in seen.flat_text
    assert "SHUTDOWN" in seen.text


def test_the_shell_completes_commands_and_their_options(home: Path) -> None:
    def completed(line: str) -> set[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1), "_HEDGEROW_COMPLETE": "complete_bash"}
        return set(on_terminal(home=home, env=words).text.split())

    assert completed("hedgerow sc") == {"scan"}
    assert completed("hedgerow st") == {"status", "store"}
    assert {"--paper"} == completed("hedgerow run --pap")


# --- every command ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_every_command_fits(home: Path, command: str) -> None:
    seen = on_terminal(command, "--help", home=home, columns=USUAL)
    assert seen.too_long == []
    assert f"Usage: hedgerow {command}" in seen.text


@pytest.mark.parametrize("columns", [USUAL, WIDE])
def test_a_backup_and_a_closing_say_what_they_did(home: Path, tmp_path: Path, columns: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)

    saved = fits(on_terminal("backup", "--paper", "saved.db", home=copy, columns=columns))
    closed = fits(on_terminal("close", "--paper", "--yes", home=copy, columns=columns))
    again = fits(on_terminal("close", "--paper", "--yes", home=copy, columns=columns))

    assert (copy / "saved.db").exists()
    assert "saved.db" in saved.text
    assert "net $" in closed.flat_text or "net -$" in closed.flat_text
    assert "No position is held" in again.flat_text


@WIDTHS
def test_init_asks_each_question_until_its_answer_can_be_used(tmp_path: Path, columns: int) -> None:
    with Terminal("init", home=tmp_path, columns=columns) as terminal:
        terminal.wait_for("Which preset (guide, patient, cautious): ")
        terminal.press("the best\r")
        terminal.wait_for("the best: allowed: guide, patient, cautious\nWhich preset (guide, patient, cautious): ")
        terminal.press("patient\r")
        terminal.wait_for("[none]: ")
        terminal.press("-5\r")
        terminal.wait_for("none\nmax_capital_usd [none]: ")
        terminal.press("750.50\r")
        terminal.wait_for("[taker]: ")
        assert not (tmp_path / CONFIG).exists()
        terminal.press("maker\r")
        terminal.wait_for("Enter the keys now? [y/N]: ")
        terminal.press("\r")
        terminal.wait_for("Set up alerts now? [y/N]: ")
        terminal.press("\r")
        seen = fits(terminal.end())

    assert seen.code == 0
    for preset in PRESETS.values():
        assert preset.what in seen.flat_text
        assert preset.what_not in seen.flat_text
    settings = load_settings(tmp_path / CONFIG, named=True).parameters
    assert settings.capital_management.max_capital_usd == Decimal("750.50")
    assert settings.execution.style == "maker"
    assert settings.funding_rate_strategy == PRESETS[PresetName.PATIENT].parameters.funding_rate_strategy
    assert not (tmp_path / ".env").exists()


def test_init_again_keeps_what_is_there_and_hides_what_is_secret(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text('{"_why": "mine", "position_management": {"max_positions": 3}}')
    (tmp_path / ".env").write_text("# mine\nHEDGEROW_NETWORK=testnet\nAPI_USER=old\n")
    with Terminal("init", home=tmp_path) as terminal:
        for asked, answer in (
            ("keep) [keep]: ", ""),
            ("[none]: ", "400"),
            ("[taker]: ", ""),
            ("[y/N]: ", "y"),
            ("API_USER: ", "0x1"),
            ("API_SIGNER: ", "0x12"),
            ("API_PRIVATE_KEY: ", "0xabc"),
            ("optional 0x\nAPI_USER: ", USER),
            (f"{USER}\nAPI_SIGNER: ", SIGNER),
            (f"{SIGNER}\nAPI_PRIVATE_KEY: ", KEY),
            ("Set up alerts now? [y/N]: ", ""),
        ):
            terminal.wait_for(asked)
            terminal.press(f"{answer}\r")
        seen = terminal.end()

    assert seen.code == 0
    assert "API_SIGNER" in seen.text
    assert KEY not in seen.text
    assert "0xabc" not in seen.text
    document = json.loads((tmp_path / CONFIG).read_text())
    assert (document["_why"], document["position_management"]) == ("mine", {"max_positions": 3})
    assert document["capital_management"] == {"max_capital_usd": 400}
    variables = (tmp_path / ".env").read_text().splitlines()
    assert variables == [
        *("# mine", "HEDGEROW_NETWORK=testnet"),
        *(f"API_USER={USER}", f"API_SIGNER={SIGNER}", f"API_PRIVATE_KEY={KEY}"),
    ]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    schema = json.loads((tmp_path / document["$schema"]).read_text())
    assert "max_positions" in schema["properties"]["position_management"]["properties"]


def test_init_asks_for_alerts_until_a_test_message_arrives_and_hides_the_token(tmp_path: Path) -> None:
    wrong = TOKEN.replace("nobody", "nobodY")
    with TelegramServer() as server:
        server.say("/help", now=1)
        (tmp_path / ".env").write_text(f"HEDGEROW_TELEGRAM_API={server.address}\n")
        with Terminal("init", home=tmp_path, columns=WIDE) as terminal:
            for asked, times, answer in (
                ("cautious): ", 1, "patient"),
                ("[none]: ", 1, ""),
                ("[taker]: ", 1, ""),
                ("Enter the keys now? [y/N]: ", 1, ""),
                ("Set up alerts now? [y/N]: ", 1, "y"),
                ("TOKEN [none]: ", 1, "no token"),
                ("TOKEN [none]: ", 2, wrong),
                ("CHATS [none]: ", 1, "my group"),
                ("CHATS [none]: ", 2, str(GROUP)),
                ("USERS [none]: ", 1, str(ADMIN)),
                ("URLS [none]: ", 1, "nonsense"),
                ("URLS [none]: ", 2, ""),
                ("QUIET [none]: ", 1, "22"),
                ("QUIET [none]: ", 2, "22:00-07:00"),
                ("ZONE [none]: ", 1, ""),
                ("Enter them again? [Y/n]: ", 1, ""),
                ("TOKEN [kept]: ", 1, TOKEN),
                (f"CHATS [{GROUP}]: ", 1, ""),
                (f"USERS [{ADMIN}]: ", 1, ""),
                ("URLS [none]: ", 3, ""),
                ("QUIET [22:00-07:00]: ", 1, "none"),
            ):
                terminal.wait_for(asked, times=times)
                terminal.press(f"{answer}\r")
            seen = fits(terminal.end())

    assert seen.code == 0
    assert "Telegram refused getMe: Unauthorized (code 401); the token is kept, and tried below" in seen.flat_text
    assert f"Test message to telegram:{GROUP}: not sent (Telegram refused sendMessage: Unauthorized" in seen.flat_text
    assert (
        f"Telegram knows the bot @hedge_test_bot. Lately wrote to it: u7 is user {ADMIN} in chat {GROUP}." in seen.text
    )
    assert f"Test message to telegram:{GROUP}: sent" in seen.text
    assert not any(secret in seen.text for secret in ("no token\n", "nonsense", wrong, TOKEN))
    assert server.texts == [(GROUP, "Hedgerow: this is a test message. Alerts arrive here.")]
    assert (tmp_path / ".env").read_text().splitlines() == [
        f"HEDGEROW_TELEGRAM_API={server.address}",
        *(f"HEDGEROW_TELEGRAM_CHATS={GROUP}", f"HEDGEROW_TELEGRAM_USERS={ADMIN}"),
        *(f"HEDGEROW_TELEGRAM_TOKEN={TOKEN}", "HEDGEROW_ALERTS_QUIET="),
    ]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_an_interrupted_init_writes_nothing(tmp_path: Path) -> None:
    with Terminal("init", home=tmp_path) as terminal:
        terminal.wait_for("Which preset")
        terminal.interrupt()
        assert terminal.end().code == 1

    assert not (tmp_path / CONFIG).exists()
