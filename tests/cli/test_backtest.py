"""``hedgerow backtest`` and ``hedgerow bound``: figures as JSON, and one line for everything that cannot be used."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from hedgerow.backtest.figures import DEFINITIONS
from support.archives import FUNDING_COLUMNS, PRICE_COLUMNS, START, Row, hours, prints, write_archive, write_rows
from support.backtest_markets import FIRST, Coin, write_market
from support.command_runner import Shell

pytestmark = pytest.mark.slow
GRID = ("--grid", "funding_ma_periods=2,3")
END = f"{FIRST + timedelta(days=5):%Y-%m-%d}"
WINDOW = ("--start", f"{FIRST:%Y-%m-%d}", "--end", END)


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return write_market(tmp_path, 7, [Coin(level=5e-4), Coin(level=8e-4, gap=(30, 40))], days=5)


def test_the_figures_of_a_backtest_come_as_json_with_its_decisions(market: Path, tmp_path: Path, shell: Shell) -> None:
    lines, result = tmp_path / "decisions.jsonl", tmp_path / "result.json"
    done = shell(
        "backtest",
        *("--data", str(market), *WINDOW, "--cost-bps", "4", "--symbols", "AUSDT,BUSDT", "--exchange", "binance"),
        *("--set", "funding_ma_periods=3", "--decisions", str(lines), "--json", str(result)),
    )
    assert done.code == 0, done.err
    found = json.loads(result.read_text())
    assert DEFINITIONS.keys() <= found.keys()
    assert found["mode"] == "BACKTEST"
    assert found["symbols"] == ["AUSDT", "BUSDT"]
    assert found["entries"] == len(found["trades"]) > 0
    decisions = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [each["action"] for each in decisions].count("open") == found["entries"]
    assert decisions[0].keys() == {"at", "action", "symbol", "reason"}
    assert found["net_apr_on_notional"] <= found["bound_apr"]
    assert "no readable price" in done.err
    assert "net_apr_on_notional" in done.out


def test_a_replay_makes_the_decisions_of_the_kernel(market: Path, tmp_path: Path, shell: Shell) -> None:
    hashes = set()
    for via in ("kernel", "replay"):
        result = tmp_path / f"{via}.json"
        options = ("--data", str(market), *WINDOW, "--cost-bps", "4", "--set", "funding_ma_periods=3")
        done = shell("backtest", *options, "--via", via, "--json", str(result))
        assert done.code == 0, done.err
        found = json.loads(result.read_text())
        hashes.add(found["decisions_sha256"])
        assert found["failed_checks"] == 0
    assert len(hashes) == 1


def test_carry_is_played_by_the_engine_with_settings_of_its_own(market: Path, tmp_path: Path, shell: Shell) -> None:
    options = ("--data", str(market), *WINDOW, "--cost-bps", "4", "--policy", "carry", "--config", tmp_path / "f.json")
    entries = []
    for hurdle in (0.01, 1.0):
        settings = {"least_periods": 12, "half_life_days": 1, "hurdle_apr": hurdle}
        (tmp_path / "f.json").write_text(json.dumps({"policy": "carry", "policy_settings": settings}))
        done = shell("backtest", *options, "--json", tmp_path / "carry.json")
        assert done.code == 0, done.err
        found = json.loads((tmp_path / "carry.json").read_text())
        assert found["via"] == "replay"
        assert found["net_apr_on_notional"] <= found["bound_apr"]
        entries.append(found["entries"])
    assert entries[0] > 0
    assert entries[1] == 0


FAILING = """
from hedgerow.strategy.policies import VolumeFarming

class Fails(VolumeFarming):
    def rank(self, market):
        if market.at.day == 3:
            raise ValueError("no rates\\nof the third day")
        if (market.at.day, market.at.hour) == (2, 7):
            raise KeyError("seven")
        return super().rank(market)
"""


def test_of_checks_that_fail_the_most_frequent_cause_and_its_first_time_are_named(
    market: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy_that_fails.py").write_text(FAILING)
    monkeypatch.syspath_prepend(tmp_path)
    options = ("--data", str(market), *WINDOW, "--cost-bps", "4", "--policy", "policy_that_fails.Fails")
    done = shell("backtest", *options, "--json", tmp_path / "found.json")
    assert done.code == 0, done.err
    failed = json.loads((tmp_path / "found.json").read_text())["failed_checks"]
    assert 280 < failed < 310
    why = f"most often ValueError: no rates of the third day, the first time at {FIRST:%Y-%m}-03 00:00 UTC"
    assert f"The engine did not complete {failed} of 1,440 checks; {why}" in done.err.splitlines()


def test_hold_is_its_own_yardstick(market: Path, tmp_path: Path, shell: Shell) -> None:
    result = tmp_path / "hold.json"
    options = ("--data", str(market), *WINDOW, "--cost-bps", "4", "--symbols", "BUSDT,AUSDT", "--policy", "hold")
    assert shell("backtest", *options, "--json", str(result)).code == 0
    found = json.loads(result.read_text())
    assert found["net_apr_on_notional"] == pytest.approx(found["hold_apr"])
    assert [trade["symbol"] for trade in found["trades"]] == ["BUSDT"]


def test_the_bound_of_a_window_comes_with_its_path(market: Path, shell: Shell) -> None:
    done = shell("bound", "--data", str(market), *WINDOW, "--cost-bps", "4", "--json", "-")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["bound_apr"] > 0
    assert {stretch["symbol"] for stretch in found["path"]} <= {"AUSDT", "BUSDT"}
    assert len(found["path"]) >= 1


def test_two_hedges_earn_no_more_each_than_one(market: Path, shell: Shell) -> None:
    options = ("--data", str(market), *WINDOW, "--cost-bps", "4", "--json", "-")
    one, two = (json.loads(shell("bound", *options, "--hedges", count).out) for count in (1, 2))
    assert 0 < two["bound_apr"] <= one["bound_apr"]
    assert {stretch["symbol"] for stretch in two["path"]} == {"AUSDT", "BUSDT"}
    assert "--hedges 0: allowed are 1 to 1000" in shell("bound", *options, "--hedges", 0).err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--end", "2024-12-01"), "--end 2024-12-01 00:00: must be after --start (2025-01-01 00:00)"),
        (("--end", f"{FIRST:%Y-%m-%d}"), "must be after --start"),
        (("--start", "2031-01-01", "--end", "2031-02-01"), "no prices from 2031-01-01 00:00"),
        (("--symbols", "DOGUSDT"), "no symbol DOGUSDT; there are AUSDT, BUSDT"),
        (("--symbols", "ausdt"), "no symbol ausdt (do you mean AUSDT?); there are AUSDT, BUSDT"),
        (("--symbols", "BUSDT,B/USD"), "no symbol B/USD (do you mean BUSDT?); there are AUSDT, BUSDT"),
        (("--symbols", ""), "--symbols '': allowed are different symbols"),
        (("--symbols", "AUSDT,,"), "--symbols AUSDT,,: allowed are different symbols"),
        (("--exchange", "kraken"), "no funding of kraken in the window; there is some of binance"),
        (("--policy", "dreams"), "policy 'dreams' is unknown"),
        (("--policy", "carry", "--via", "kernel"), "--policy carry: compiled are volume_farming and hold"),
        (("--via", "magic"), "--via magic: allowed are kernel and replay"),
        (
            ("--set", "min_funding=3"),
            "unknown key min_funding; the nearest known one is funding_rate_strategy.min_funding_apr",
        ),
        (("--set", "=3"), "--set =3: allowed is KEY=VALUE"),
        (
            ("--set", "max_position_age_hours=5", "--set", "position_management.max_position_age_hours=6"),
            "--set position_management.max_position_age_hours is given twice",
        ),
        (
            ("--set", "max_position_usd=49"),
            "must hold: max_position_usd is at least min_capital_usd, or nothing could be opened",
        ),
        (("--set", "min_funding_apr"), "--set min_funding_apr: allowed is KEY=VALUE"),
        (("--set", "max_position_age_hours=-1"), "position_management.max_position_age_hours is -1; allowed"),
        (("--set", "after_emergency=rest"), "after_emergency rest: the compiled rules do not follow it"),
        (("--set", "daily_loss_limit_usd=100"), "daily_loss_limit: the compiled rules do not follow it"),
        (("--set", "max_positions=2"), "max_positions 2: the compiled rules do not follow it"),
        (("--cost-bps", "cheap"), "--cost-bps cheap: allowed is a number from 0"),
        (("--leverage", "0"), "--leverage 0: allowed are 0.1 to 125"),
        (("--cycle", "1"), "--cycle 1: allowed are 60 to 86400"),
        (("--data", "nowhere"), "nowhere: no such directory"),
        (("--data", __file__), "test_backtest.py: a file, not a directory; it should hold funding.parquet and"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    market: Path, options: tuple[str, ...], line: str, shell: Shell
) -> None:
    done = shell("backtest", "--data", str(market), *WINDOW, "--cost-bps", "4", *options)
    assert done.code == 2
    assert line in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (("backtest", "--via", "kernel"), "btcusdt"),
        (("backtest", "--via", "replay"), "BTC"),
        (("sweep", *GRID), "BTCUSD"),
        (("walkforward", *GRID), "BTC-USDT"),
        (("bound",), "btc/usdc"),
        (("bound",), "BTCUSDT-PERP"),
        (("bound",), "BCTUSDT"),
    ],
)
def test_a_symbol_that_is_written_in_another_way_is_named(
    tmp_path: Path, shell: Shell, command: tuple[str, ...], typed: str
) -> None:
    other = [f"X{number:02}USDT" for number in range(30)]
    rows = [row for symbol in ("BTCUSDT", *other) for row in hours(48, symbol=symbol)]
    write_archive(tmp_path, rows, [row for symbol in ("BTCUSDT", *other) for row in prints(7, symbol=symbol)])
    done = shell(*command, "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-03", "--symbols", typed)
    assert done.code == 2
    listed = ", ".join(["BTCUSDT", *other[:19]])
    assert (
        done.err == f"hedgerow: {tmp_path}: no symbol {typed} (do you mean BTCUSDT?); there are {listed} and 11 more\n"
    )


def test_rows_that_are_no_prices_and_rates_are_left_out_and_said(tmp_path: Path, shell: Shell) -> None:
    rows = hours(60)
    rows[5] = (*rows[5][:3], float("nan"), *rows[5][4:])
    rows[9] = (*rows[9][:4], -3.0, rows[9][5])
    rates = prints(7)
    rates[2] = (*rates[2][:3], float("nan"), *rates[2][4:])
    wild = prints(7, symbol="WILDUSDT")
    wild[3] = (*wild[3][:3], 5.0, *wild[3][4:])
    twice = hours(60, symbol="TWICEUSDT")
    clash = [(*row[:3], row[3] + 1, *row[4:]) for row in twice[:1]]
    prices = [*rows, *hours(60, symbol="WILDUSDT"), *twice, *clash]
    write_archive(
        tmp_path, prices[::-1], [*rates, *wild, *prints(7, symbol="TWICEUSDT"), *prints(3, symbol="LONEUSDT")]
    )
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-03")
    assert done.code == 0, done.err
    assert "BTCUSDT: 1 spot_close left out that is no price, the first of 2025-03-01 05:00" in done.err
    assert "BTCUSDT: 1 perp_close left out that is no price" in done.err
    assert "BTCUSDT: 1 funding rate left out that is no number" in done.err
    assert "WILDUSDT skipped: funding rate of 2025-03-02 00:00 is 500%" in done.err
    assert "TWICEUSDT skipped: two different closes" in done.err
    assert "LONEUSDT skipped: no spot and perpetual prices in the window" in done.err


def _changed(rows: list[Row], index: int, columns: Sequence[str], **values: object) -> list[Row]:
    row = tuple(values.get(name, value) for name, value in zip(columns, rows[index], strict=True))
    return [*rows[:index], row, *rows[index + 1 :]]


FIFTH = "2025-03-01 05:00"
LEFT_OUT = [
    ({"spot_close": 1e300}, "BTCUSDT: 1 spot_close left out that is no price, the first of " + FIFTH),
    ({"perp_close": 1e-300}, "BTCUSDT: 1 perp_close left out that is no price, the first of " + FIFTH),
    ({"mark_close": 1e300}, "BTCUSDT: 1 mark_close left out that is no price, the first of " + FIFTH),
    ({"mark_close": 0.0}, "BTCUSDT: 1 mark_close left out that is no price, the first of " + FIFTH),
    ({"mark_close": -3.0}, "BTCUSDT: 1 mark_close left out that is no price, the first of " + FIFTH),
    ({"mark_close": float("nan")}, "BTCUSDT: 1 mark_close left out that is no price, the first of " + FIFTH),
    ({"mark_close": 9e4}, "BTCUSDT: 1 mark_close left out more than a factor of 2 from the perpetual's close"),
    ({"perp_close": 9e4}, "BTCUSDT: 1 hour left out whose spot and perpetual are more than a factor of 2 apart"),
    ({"symbol": "A B\n"}, "1 row left out whose symbol is no name; allowed are 1 to 40 characters without blanks"),
    ({"symbol": "X" * 41}, "1 row left out whose symbol is no name"),
    ({"funding_time": 1_740_931_270_000}, "BTCUSDT: 1 settlement left out more than a minute from the full hour"),
    (
        {"spot_close": 1e5, "perp_close": 1e5},
        "BTCUSDT: 1 hour left out more than a factor of 10 from the prices of most",
    ),
    ({"symbol": None}, "prices_hourly.parquet: 1 row left out without symbol"),
    ({"exchange": ""}, "prices_hourly.parquet: 1 row left out without exchange"),
    ({"open_time": None}, "prices_hourly.parquet: 1 row left out without open_time"),
    (
        {"open_time": 2**62},
        "1 row left out whose open_time is no time, the first 4611686018427387904 of BTCUSDT; allowed",
    ),
    ({"open_time": 1_740_804_300_000}, "BTCUSDT: 1 hour left out that does not begin on the hour"),
    ({"rate": None}, "BTCUSDT: 1 settlement left out without a funding rate, the first of 2025-03-02 16:00"),
    ({"rate": float("inf")}, "BTCUSDT: 1 funding rate left out that is no number, the first of 2025-03-02 16:00"),
    ({"funding_time": -8}, "funding.parquet: 1 row left out whose funding_time is no time, the first -8 of BTCUSDT"),
    ({"funding_time": 1_740_931_200}, "1 row left out whose funding_time is no time, the first 1740931200 of BTCUSDT"),
]


@pytest.mark.parametrize(("change", "line"), LEFT_OUT)
def test_each_row_that_is_not_played_has_one_line_and_both_ways_play_the_rest_alike(
    tmp_path: Path, shell: Shell, change: dict[str, object], line: str
) -> None:
    prices, rates = hours(72), [(*row[:3], 3e-4, *row[4:]) for row in prints(10)]
    if change.keys() <= set(PRICE_COLUMNS):
        prices = _changed(prices, 5, PRICE_COLUMNS, **change)
    else:
        rates = _changed(rates, 5, FUNDING_COLUMNS, **change)
    write_archive(tmp_path, prices, rates)
    window = ("--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-04", "--cost-bps", "4")
    found = []
    for via in ("kernel", "replay"):
        done = shell("backtest", *window, "--set", "funding_ma_periods=3", "--via", via, "--json", "-")
        assert done.code == 0, done.err
        assert done.err.count(line) == 1
        assert "Warning" not in done.err
        found.append(json.loads(done.out))
    assert found[0]["decisions_sha256"] == found[1]["decisions_sha256"]
    assert found[0]["entries"] > 0
    assert found[1]["failed_checks"] == 0
    checked = shell("data", "check", "--data", str(tmp_path))
    assert checked.code == 1
    for command in (("bound",), ("sweep", "--grid", "min_funding_apr=5,10")):
        done = shell(*command, *window)
        assert done.code == 0, done.err
        assert done.err.count(line) == 1


@pytest.mark.parametrize("hours_apart", [3.0, 1e9, 0.0, -8.0, 1.5, float("nan"), float("inf"), None])
def test_an_interval_that_no_venue_has_is_refused_in_one_line(
    tmp_path: Path, shell: Shell, hours_apart: float | None
) -> None:
    write_archive(tmp_path, hours(72), _changed(prints(10), 3, FUNDING_COLUMNS, interval_hours=hours_apart))
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-04")
    assert done.code == 2
    shown = "missing" if hours_apart is None else f"{hours_apart:g}"
    assert f"BTCUSDT: funding interval of 2025-03-02 00:00 must be 1, 2, 4 or 8 hours, not {shown}" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert f"interval_hours: {shown}, and not 1, 2, 4 or 8" in shell("data", "check", "--data", str(tmp_path)).out


def test_a_rate_of_three_hundred_digits_is_shown_in_a_few(tmp_path: Path, shell: Shell) -> None:
    write_archive(tmp_path, hours(72), _changed(prints(10), 3, FUNDING_COLUMNS, rate=1e300))
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-04")
    assert done.code == 2
    assert "funding rate of 2025-03-02 00:00 is 1e+302%; at most 100% is plausible" in done.err
    assert (
        "rate: +1e+302% of notional for one interval is no rate" in shell("data", "check", "--data", str(tmp_path)).out
    )


def _scaled(rows: list[Row], factor: float, which: range) -> list[Row]:
    return [(*row[:3], *(value * factor for value in row[3:])) if n in which else row for n, row in enumerate(rows)]


OTHER_UNIT = "left out more than a factor of 10 from the prices of most hours: another unit, the first of"
SPIKES = "left out a factor of 3 or more from the hours before and after"


@pytest.mark.parametrize(
    ("factor", "which", "line"),
    [
        (1000, range(1), f"1 hour {OTHER_UNIT} 2025-03-01 00:00"),
        (1e-3, range(1), f"1 hour {OTHER_UNIT} 2025-03-01 00:00"),
        (1000, range(70), f"70 hours {OTHER_UNIT} 2025-03-01 00:00"),
        (1000, range(170, 240), f"70 hours {OTHER_UNIT} 2025-03-08 02:00"),
        (1e-3, range(30, 240), f"30 hours {OTHER_UNIT} 2025-03-01 00:00"),
        (1000, range(50, 52), f"2 hours {OTHER_UNIT} 2025-03-03 02:00"),
        (5, range(50, 51), f"1 hour {SPIKES} it, the first of 2025-03-03 02:00"),
        (0.2, range(50, 51), f"1 hour {SPIKES} it, the first of 2025-03-03 02:00"),
        (5, range(50, 60, 2), f"5 hours {SPIKES} them, the first of 2025-03-03 02:00"),
    ],
)
def test_hours_in_another_unit_than_most_and_hours_that_the_next_takes_back_are_left_out_by_both_ways(
    tmp_path: Path, shell: Shell, factor: float, which: range, line: str
) -> None:
    write_archive(tmp_path, _scaled(hours(240), factor, which), [(*row[:3], 3e-4, *row[4:]) for row in prints(31)])
    window = ("--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-11", "--cost-bps", "4")
    found = []
    for via in ("kernel", "replay"):
        done = shell("backtest", *window, "--set", "funding_ma_periods=3", "--via", via, "--json", "-")
        assert done.code == 0, done.err
        assert done.err.count(f"BTCUSDT: {line}") == 1
        found.append(json.loads(done.out))
    assert found[0]["decisions_sha256"] == found[1]["decisions_sha256"]
    assert found[0]["entries"] > 0
    assert found[1]["failed_checks"] == 0
    assert abs(found[0]["basis_apr"]) < 0.01
    checked = shell("data", "check", "--data", str(tmp_path))
    edge = which[0] or which[-1] + 1
    at = format(START + timedelta(hours=edge), "%Y-%m-%d %H:%M")
    assert f"BTCUSDT {at} outlier: spot_close: " in checked.out


@pytest.mark.parametrize(
    ("factor", "which"),
    [(2.9, range(50, 51)), (5, range(50, 52)), (5, range(1)), (5, range(239, 240)), (5, range(120, 240))],
)
def test_a_move_that_the_next_hour_does_not_take_back_is_played_and_named_by_the_check(
    tmp_path: Path, shell: Shell, factor: float, which: range
) -> None:
    write_archive(tmp_path, _scaled(hours(240), factor, which), prints(31))
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-11")
    assert done.code == 0, done.err
    assert "left out" not in done.err
    assert "outlier: perp_close: " in shell("data", "check", "--data", str(tmp_path)).out


def _every_other(rows: list[Row]) -> list[Row]:
    return [row for n, row in enumerate(rows) if n % 2 == 0 or n < 4]


IN_DOUBT = [
    pytest.param(
        lambda rows: _scaled(rows, 2.5, range(100, 240)),
        list[Row],
        "1 hour with prices that change by a factor of 2 or more within an hour, the first of 2025-03-05 04:00",
        "spot_close: +",
        id="a jump that stays",
    ),
    pytest.param(
        lambda rows: [(*row[:3], row[3] * 1.7, *row[4:]) for row in rows],
        list[Row],
        "spot and perpetual are more than 5% apart in 240 of 240 hours",
        "perp_close -41.2% from spot_close",
        id="spot of another coin",
    ),
    pytest.param(
        lambda rows: [(*row[:3], 100.0, 100.0, 100.0) for row in rows],
        list[Row],
        "prices stand still in 239 of 240 hours",
        "frozen: spot_close: 100 for 240 h",
        id="prices that stand still",
    ),
    pytest.param(
        list[Row],
        lambda rows: [(*row[:3], row[3] * 100, *row[4:]) for row in rows],
        "funding rates look like percent instead of fractions: half of them are beyond 0.2% of notional for one",
        "rate: most look like percent",
        id="rates in percent",
    ),
    pytest.param(
        list[Row],
        lambda rows: _changed(rows, 12, FUNDING_COLUMNS, rate=0.02),
        "1 funding rate beyond 1% of notional for one interval, the first of 2025-03-05 00:00",
        "rate: +2.000% of notional",
        id="one high rate",
    ),
    pytest.param(
        list[Row],
        _every_other,
        "13 settlements missing, the first of 2025-03-02 16:00; nothing is paid for them",
        "1 of the settlements every 8 h missing",
        id="settlements missing",
    ),
    pytest.param(
        list[Row],
        lambda _: [(*row[:4], 8.0, None) for row in prints(61, interval=4)],
        "60 settlements sooner after the one before than the interval, the first of 2025-03-01 04:00 with 8 h",
        "4 h after the settlement before, with an interval of 8 h",
        id="settlements too early",
    ),
]


@pytest.mark.parametrize(("prices", "funding", "line", "found"), IN_DOUBT)
def test_what_is_played_and_in_doubt_is_said_in_one_line_and_listed_by_the_check(
    tmp_path: Path,
    shell: Shell,
    prices: Callable[[list[Row]], list[Row]],
    funding: Callable[[list[Row]], list[Row]],
    line: str,
    found: str,
) -> None:
    rates = [(*row[:3], 3e-4, *row[4:]) for row in prints(31)]
    write_archive(tmp_path, prices(hours(240)), funding(rates))
    window = ("--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-11", "--cost-bps", "4")
    hint = f"played all the same; hedgerow data check --data {tmp_path} lists"
    for command in (("backtest", "--via", "kernel"), ("backtest", "--via", "replay"), ("bound",)):
        done = shell(*command, *window, "--json", "-")
        assert done.code == 0, done.err
        assert done.err.count(f"BTCUSDT: {line}") == 1
        assert done.err.count(hint) == 1
    assert f"BTCUSDT: {line}" in "\n".join(json.loads(done.out)["notes"])
    checked = shell("data", "check", "--data", str(tmp_path))
    assert (checked.code, found in checked.out) == (1, True), checked.out


@pytest.mark.parametrize("pairs", [3, 4])
def test_a_doubt_that_many_pairs_share_is_one_line(tmp_path: Path, shell: Shell, pairs: int) -> None:
    symbols = ["BTCUSDT", *(f"X{number}USDT" for number in range(4))]
    rates = [
        (*row[:3], 0.03 if symbol in symbols[:pairs] else 3e-4, *row[4:])
        for symbol in symbols
        for row in prints(31, symbol=symbol)
    ]
    write_archive(tmp_path, [row for symbol in symbols for row in hours(240, symbol=symbol)], rates)
    window = ("--data", str(tmp_path), "--start", "2025-03-01 01:00", "--end", "2025-03-11", "--cost-bps", "4")
    what = "funding rates look like percent instead of fractions"
    text = f"{what}: half of them are beyond 0.2% of notional for one interval"
    one_each = [f"{symbol}: {text}" for symbol in symbols[:pairs]]
    together = [f"4 of 5 pairs: {what} ({', '.join(symbols[:4])}); of BTCUSDT: {text}"]
    for command in (("backtest", "--via", "kernel"), ("bound",)):
        done = shell(*command, *window, "--json", "-")
        assert done.code == 0, done.err
        *lines, hint = json.loads(done.out)["notes"]
        assert lines == (together if pairs == 4 else one_each)
        assert hint.startswith("What looks wrong is played all the same")
        assert done.err.splitlines() == [*lines, hint]


def test_history_without_a_doubt_says_nothing(tmp_path: Path, shell: Shell) -> None:
    write_archive(tmp_path, hours(240), prints(31))
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01 01:00", "--end", "2025-03-11")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "seconds"), (1e3, "microseconds"), (1e6, "nanoseconds")])
def test_stamps_in_another_unit_are_called_so(tmp_path: Path, shell: Shell, factor: float, unit: str) -> None:
    write_archive(tmp_path, hours(72), [(*row[:2], int(row[2] * factor), *row[3:]) for row in prints(10)])
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-04")
    assert done.code == 2
    assert f"(it looks like {unit}); allowed are milliseconds since 1970-01-01 UTC" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_no_pair_is_left_where_no_settlement_has_a_time(tmp_path: Path, shell: Shell) -> None:
    write_archive(tmp_path, hours(72), [(*row[:2], row[2] // 1000, *row[3:]) for row in prints(10)])
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-04")
    assert done.code == 2
    assert "BTCUSDT: no funding in the window; funding.parquet: 10 rows left out whose funding_time is no" in done.err


def test_a_pair_of_two_units_is_skipped_with_the_reason(tmp_path: Path, shell: Shell) -> None:
    thousands = [(*row[:3], row[3] / 1000, *row[4:]) for row in hours(72, symbol="PEPEUSDT")]
    write_archive(tmp_path, [*hours(72), *thousands], [*prints(10), *prints(10, symbol="PEPEUSDT")])
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-04")
    assert done.code == 0, done.err
    why = "72 hours left out whose spot and perpetual are more than a factor of 2 apart, the first of 2025-03-01 00:00"
    assert f"PEPEUSDT skipped: no spot and perpetual prices in the window ({why})" in done.err


def test_a_missing_column_is_named(tmp_path: Path, shell: Shell) -> None:
    write_rows(tmp_path / "funding.parquet", FUNDING_COLUMNS, prints(7))
    write_rows(tmp_path / "prices_hourly.parquet", PRICE_COLUMNS[:-1], [row[:-1] for row in hours(60)])
    done = shell("backtest", "--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-03")
    assert done.code == 2
    assert "column 'mark_close' is missing" in done.err
