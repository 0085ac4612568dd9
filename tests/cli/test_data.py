"""``hedgerow data`` against an Aster over sockets: what a user downloads, interrupts, resumes, lists and checks."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from pyarrow import parquet

from hedgerow.clock import SystemClock
from hedgerow.testing import LocalAster, local_aster
from support.archives import hours, prints, write_archive
from support.command_runner import COMMAND, CommandResult, Shell, process

START = datetime(2025, 1, 1, 0, 2, tzinfo=UTC)
FIRST = "2024-11-20"
HOSTS = ("FUTURES_REST", "SPOT_REST", "FUTURES_MARKET_WS", "FUTURES_USER_WS", "SPOT_MARKET_WS", "SPOT_USER_WS")
FILES = ("prices_hourly.parquet", "funding.parquet")
ASKED = ("data", "download", "--data", "history", "--symbols", "BTCUSDT,ETHUSDT", "--start", FIRST)


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAster]:
    with local_aster(start=START, speed=0) as served:
        for name, value in served.environment.items():
            if name.startswith("HEDGEROW_"):
                monkeypatch.setenv(name, value)
        yield served


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def series_requests(aster: LocalAster) -> int:
    """Return how many pages of history were asked for."""
    return len([seen for seen in aster.requests() if "lines" in seen.path or "fundingRate" in seen.path])


def wait_until(is_so: Callable[[], bool]) -> None:
    clock = SystemClock()

    async def main() -> None:
        async with clock.timeout(60):
            while not is_so():
                await clock.sleep(0.01)

    asyncio.run(main())


# --- what is downloaded ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("aster")
def test_a_downloaded_folder_is_played_by_the_demo(shell: Shell) -> None:
    said = shell(*ASKED)
    assert said.code == 0, said.err
    assert "2024-11-20 00:00 to 2025-01-01 00:00 UTC; 10 series read" in said.out
    command = said.out.partition("Play it with: hedgerow ")[2].split()
    assert command == ["demo", "--data", "history", "--start", "2024-12-11"]
    played = shell(*command, "--days", "2")
    assert played.code == 0, played.err
    assert "Books difference          0" in played.out


@pytest.mark.usefixtures("aster")
def test_every_column_is_what_the_exchange_lists(shell: Shell, place: Path) -> None:
    shell(*ASKED)
    prices = parquet.read_table(place / "history" / FILES[0]).to_pylist()
    bitcoin = [row for row in prices if row["symbol"] == "BTCUSDT"]
    assert len(bitcoin) == 42 * 24
    assert [row["open_time"] for row in bitcoin[:2]] == [1_732_060_800_000, 1_732_064_400_000]
    assert {row["exchange"] for row in prices} == {"aster"}
    for row in bitcoin:
        assert row["spot_close"] == pytest.approx(row["index_close"], rel=1e-3)
        assert row["perp_close"] == pytest.approx(row["mark_close"], rel=1e-2)
        assert row["perp_quote_volume"] > row["spot_quote_volume"] > 0
    funding = parquet.read_table(place / "history" / FILES[1]).to_pylist()
    rates = [row for row in funding if row["symbol"] == "BTCUSDT"]
    assert [row["funding_time"] for row in rates[:2]] == [1_732_060_800_000, 1_732_089_600_000]
    assert {row["interval_hours"] for row in rates} == {8.0}
    assert all(-0.01 < row["rate"] < 0.01 for row in rates)
    assert {path.name for path in (place / "history" / "aster").iterdir()} == {
        "futures_exchangeInfo_2025-01-01.json.gz",
        "futures_fundingInfo_2025-01-01.json.gz",
        "spot_exchangeInfo_2025-01-01.json.gz",
    }


def test_an_hour_that_is_not_over_is_not_downloaded(aster: LocalAster, shell: Shell, place: Path) -> None:
    aster.advance(minutes=30)
    shell(*ASKED)
    times = parquet.read_table(place / "history" / FILES[0]).column("open_time").to_pylist()
    assert max(times) == 1_735_686_000_000, "the hour from 2024-12-31 23:00"


def test_without_symbols_all_pairs_of_both_markets_are_read(aster: LocalAster, shell: Shell, place: Path) -> None:
    aster.set_status("ETHUSDT", "SETTLING")
    said = shell("data", "download", "--data", "history", "--start", "2024-12-31")
    assert said.code == 0, said.err
    symbols = set(parquet.read_table(place / "history" / FILES[0]).column("symbol").to_pylist())
    assert symbols == set(aster.symbols) - {"ETHUSDT"}


# --- resumed ---------------------------------------------------------------------------------------------------------


def test_nothing_that_is_there_is_read_again_and_a_longer_window_reads_the_rest(
    aster: LocalAster, shell: Shell, place: Path
) -> None:
    shell(*ASKED, "--end", "2024-12-20")
    before, count = contents(place / "history"), series_requests(aster)
    assert "nothing was missing" in shell(*ASKED, "--end", "2024-12-20").out
    assert (contents(place / "history"), series_requests(aster)) == (before, count)
    shell(*ASKED)
    newer = aster.requests("klines")[-1].parameters
    assert newer["startTime"] == "1734652800000", "from 2024-12-20 on"
    shell("data", "download", "--data", "whole", "--symbols", "BTCUSDT,ETHUSDT", "--start", FIRST)
    assert contents(place / "history") == contents(place / "whole")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_goes_on_and_has_the_bytes_of_an_uninterrupted_one(
    aster: LocalAster, shell: Shell, place: Path, sign: signal.Signals
) -> None:
    running = process(COMMAND, *ASKED, home=place)
    parts = place / "history" / ".download"
    wait_until(lambda: len(list(parts.glob("*.parquet"))) >= 3)
    running.send_signal(sign)
    _, err = running.communicate(timeout=60)
    if sign is signal.SIGINT:
        assert running.returncode == 1
        assert "interrupted; what was read is kept, and the same command goes on from there" in err
        assert "Traceback" not in err
    assert not (place / "history" / FILES[0]).exists()
    kept, asked = {path.name for path in parts.glob("*.parquet")}, series_requests(aster)

    said = shell(*ASKED)
    assert said.code == 0, said.err
    assert f"going on with an earlier download: {len(kept)} series of it are read" in said.err
    assert not parts.exists()
    assert series_requests(aster) - asked < 14, "all ten series, two pages of eight of them, would be 18"
    shell("data", "download", "--data", "whole", "--symbols", "BTCUSDT,ETHUSDT", "--start", FIRST)
    assert contents(place / "history") == contents(place / "whole")


@pytest.mark.usefixtures("aster")
def test_a_cut_between_the_two_files_is_finished_by_the_next_download(shell: Shell, place: Path) -> None:
    shell(*ASKED)
    whole = contents(place / "history")
    (place / "cut").mkdir()
    running = process(COMMAND, *ASKED[:3], "cut", *ASKED[4:], home=place)
    parts = place / "cut" / ".download"
    wait_until(lambda: len(list(parts.glob("*.parquet"))) >= 9 or running.poll() is not None)
    running.kill()
    running.communicate(timeout=60)
    (place / "cut" / ".prices_hourly.parquet.tmp").write_bytes(whole[FILES[0]][:1000])
    said = shell(*ASKED[:3], "cut", *ASKED[4:])
    assert said.code == 0, said.err
    assert contents(place / "cut") == whole


# --- what the exchange does meanwhile --------------------------------------------------------------------------------


def test_a_series_that_is_refused_is_named_and_the_others_are_kept(
    aster: LocalAster, shell: Shell, place: Path
) -> None:
    aster.inject(
        "reject", path="indexPriceKlines", contains="pair=ETHUSDT", times=0, code=-1121, message="Invalid symbol."
    )
    said = shell(*ASKED, "--end", "2024-11-25")
    assert said.code == 1
    assert "ETHUSDT index: " in said.err
    assert "Invalid symbol." in said.err
    rows = parquet.read_table(place / "history" / FILES[0]).to_pylist()
    assert {row["symbol"] for row in rows if row["index_close"] is None} == {"ETHUSDT"}
    aster.clear_faults()
    assert "1 series read" in shell(*ASKED, "--end", "2024-11-25").out


def test_a_row_that_cannot_be_read_is_left_out_and_said(aster: LocalAster, shell: Shell, place: Path) -> None:
    aster.inject("rewrite", path="/fapi/v3/klines", mutation="nan", field="7.4", symbol="", nth=1, times=1)
    said = shell(*ASKED, "--end", "2024-11-25")
    assert said.code == 0, said.err
    assert "BTCUSDT perp: 1 rows of the exchange cannot be read and are left out" in said.err
    rows = parquet.read_table(place / "history" / FILES[0]).to_pylist()
    assert [row["symbol"] for row in rows if row["perp_close"] is None] == ["BTCUSDT"]


def test_a_perpetual_without_a_spot_market_has_no_spot_closes(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_aster(start=START, speed=0, universe="2026-09") as aster:
        for name, value in aster.environment.items():
            monkeypatch.setenv(name, value)
        with urlopen(f"{aster.spot_rest}/api/v3/exchangeInfo") as reply:  # noqa: S310 - our own address
            spots = {row["symbol"] for row in json.load(reply)["symbols"]}
        alone = next(symbol for symbol in aster.symbols if symbol not in spots)
        said = shell("data", "download", "--data", "history", "--symbols", alone, "--start", "2024-12-30")
    assert said.code == 0, said.err
    assert f"{alone} has no spot market at the exchange: its spot_close stays empty" in said.err


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("aster")
def test_a_symbol_that_is_not_listed_is_named_with_those_near_it(shell: Shell) -> None:
    text = shell.refused("data", "download", "--data", "history", "--symbols", "BTCUSD", "--start", FIRST)
    assert text.startswith("--symbols BTCUSD: the exchange lists no such perpetual; near it are BTCUSDT")
    assert "--symbols BTCUSDT,,: allowed are symbols" in shell.refused("data", "download", "--symbols", "BTCUSDT,,")


@pytest.mark.usefixtures("aster")
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--start", "1 January"), "--start 1 January: allowed is a date such as 2024-11-01"),
        (("--start", "2024-12-01", "--end", "2024-11-01"), "--end 2024-11-01 00:00: is not after --start"),
        (("--start", "2025-02-01"), "--start 2025-02-01 00:00: no whole hour has passed since then"),
        (("--data", "file"), "--data file cannot be written: File exists"),
        (("--data", "/proc/history"), "--data /proc/history cannot be written: No such file or directory"),
    ],
)
def test_dates_and_folders_that_cannot_be_used_are_refused(
    shell: Shell, place: Path, words: tuple[str, ...], text: str
) -> None:
    (place / "file").write_text("")
    assert text in shell.refused("data", "download", *words)


@pytest.mark.usefixtures("aster")
def test_data_of_another_network_is_not_mixed_in(shell: Shell, place: Path) -> None:
    shell(*ASKED, "--end", "2024-11-21")
    table = parquet.read_table(place / "history" / FILES[0])
    other = {**table.schema.metadata, b"hedgerow.source": b"https://fapi.asterdex.com"}
    parquet.write_table(table.replace_schema_metadata(other), place / "history" / FILES[0])
    assert "holds data of https://fapi.asterdex.com: use another folder for http://127.0.0.1:" in shell.refused(*ASKED)


@pytest.mark.usefixtures("aster")
def test_two_downloads_do_not_write_to_one_folder(shell: Shell, place: Path) -> None:
    running = process(COMMAND, *ASKED, home=place)
    wait_until((place / "history" / ".download").exists)
    text = shell.refused(*ASKED)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert f"process {running.pid} already writes to this folder" in text


@pytest.mark.parametrize(
    "words", [("data", "download"), ("data", "list"), ("data", "check"), ("record",)], ids=" ".join
)
def test_without_pyarrow_the_extra_is_named(
    shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    write_archive(place, hours(3), prints(1))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install '.[research]'" in shell.refused(*words, "--data", place)


def test_an_exchange_that_does_not_answer_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HOSTS:
        monkeypatch.delenv(f"HEDGEROW_{name}")
    monkeypatch.setenv("HEDGEROW_NETWORK", "http://127.0.0.1:9")
    said = shell(*ASKED)
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "what was read is kept" in said.err


def test_a_group_alone_shows_its_commands_and_an_unknown_one_is_refused(shell: Shell) -> None:
    said = shell("data")
    assert said == shell("data", "--help")
    assert said.code == 0
    for name in ("download", "list", "check"):
        assert f"\n  {name} " in said.out
    assert shell.refused("data", "upload") == "No such command 'upload'."


# --- list and check --------------------------------------------------------------------------------------------------


def test_what_a_folder_holds_is_listed(shell: Shell, place: Path) -> None:
    write_archive(place, hours(48), [*prints(6), *prints(12, venue="aster", interval=4)])
    said = shell("data", "list", "--data", place)
    assert said.code == 0
    assert "prices   binance   BTCUSDT  2025-03-01  2025-03-02    48    48    48    48\n" in said.out
    assert "funding  aster     BTCUSDT  2025-03-01  2025-03-02    12\n" in said.out
    document = shell("data", "list", "--data", place, "--json", "-").document
    assert document["files"][0]["last"] == "2025-03-02T23:00:00Z"
    assert document["files"][0]["values"] == {"spot_close": 48, "perp_close": 48, "mark_close": 48}


def test_findings_are_one_line_each_and_the_exit_code_says_that_there_are_some(shell: Shell, place: Path) -> None:
    rows = [row for index, row in enumerate(hours(48)) if index not in {10, 11}]
    write_archive(place, rows, prints(6))
    said = shell("data", "check", "--data", place)
    assert said.code == 1
    assert said.out.splitlines() == [
        "prices_hourly.parquet binance BTCUSDT 2025-03-01 10:00 gap: spot_close, perp_close, mark_close: 2 h missing",
        "1 finding",
    ]
    assert [row["kind"] for row in shell("data", "check", "--data", place, "--json", "-").document] == ["gap"]
    write_archive(place, hours(48), prints(6))
    assert shell("data", "check", "--data", place) == CommandResult(0, "Nothing found.\n", "")


def test_a_rate_that_is_missing_is_called_so(shell: Shell, place: Path) -> None:
    rates = prints(6)
    rates[3] = (*rates[3][:3], None, *rates[3][4:])
    write_archive(place, hours(48), rates)
    line = "funding.parquet binance BTCUSDT 2025-03-02 00:00 unusable: rate: missing"
    assert line in shell("data", "check", "--data", place).out.splitlines()


@pytest.mark.parametrize("word", ["list", "check"])
@pytest.mark.parametrize("empty", [0, 1])
def test_a_file_without_rows_is_refused_by_name(shell: Shell, place: Path, word: str, empty: int) -> None:
    rows = [hours(48), prints(6)]
    rows[empty] = []
    write_archive(place, *rows)
    assert shell.refused("data", word, "--data", place) == f"{place / FILES[empty]}: no rows"


def test_a_pair_of_which_one_file_has_nothing_is_found(shell: Shell, place: Path) -> None:
    write_archive(place, hours(48), [*prints(6), *prints(6, symbol="ETHUSDT")])
    said = shell("data", "check", "--data", place)
    assert said.code == 1
    assert said.out.splitlines() == [
        (
            "funding.parquet binance ETHUSDT 2025-03-01 00:00 gap: "
            "not in prices_hourly.parquet; the pair cannot be replayed"
        ),
        "1 finding",
    ]


@pytest.mark.parametrize("word", ["list", "check"])
def test_a_folder_without_history_is_refused(shell: Shell, place: Path, word: str) -> None:
    assert shell.refused("data", word, "--data", "nowhere").startswith("--data nowhere: no such folder")
    (place / "note").write_text("")
    assert shell.refused("data", word, "--data", "note").startswith("--data note: a file, not a folder")
    (place / "empty").mkdir()
    assert "no such file" in shell.refused("data", word, "--data", "empty")
    (place / "empty" / FILES[0]).mkdir()
    assert f"{FILES[0]}: a directory, not a file" in shell.refused("data", word, "--data", "empty")
    (place / "empty" / FILES[0]).rmdir()
    write_archive(place / "empty", hours(3), prints(1))
    (place / "empty" / FILES[1]).write_bytes(b"PAR1 cut in the middle")
    assert "not a readable Parquet file" in shell.refused("data", word, "--data", "empty")
