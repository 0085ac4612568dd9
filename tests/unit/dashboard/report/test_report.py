"""The report of a run: its JSON, its console lines and its page say exactly what the value says."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from unittest.mock import ANY

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.report.alternatives import Hold
from hedgerow.dashboard.report.page import html_page
from hedgerow.dashboard.report.report import Curve, HedgeRow, RunReport, as_json, drawdown_texts, report_lines
from hedgerow.strategy.hedge_result import HedgeResult

START = datetime(2025, 5, 1, tzinfo=UTC)
END = START + timedelta(days=10)
HOLD = Hold(
    symbol="BTCUSDT",
    since=START,
    notional=Decimal(4750),
    funding=Decimal("20.5"),
    basis=Decimal(-1),
    fees=Decimal("3.5"),
)
VOID = {"meta", "circle", "line", "rect", "path"}


def curve(*values: str) -> Curve:
    return tuple((START + timedelta(days=day), Decimal(value)) for day, value in enumerate(values))


def row(number: int, *, symbol: str = "BTCUSDT", closed: bool = True, funding: str = "3.21") -> HedgeRow:
    opened = START + timedelta(days=number, hours=1)
    return HedgeRow(
        hedge_id=f"h{number}",
        opened_at=opened,
        closed_at=opened + timedelta(hours=22, minutes=30) if closed else None,
        reason="maximum age" if closed else "still open",
        entry_apr=0.1708,
        result=HedgeResult(
            symbol=symbol,
            at=opened,
            funding=Decimal(funding),
            spot_pnl=Decimal(-2),
            perp_pnl=Decimal("1.5"),
            fees_paid=Decimal("7.125"),
            exit_fees=Decimal(0),
            exit_spread=Decimal(0),
            entry_notional=Decimal("4750.125"),
            committed_capital=Decimal("9500.25"),
        ),
    )


def report(**changes: Any) -> RunReport:
    whole = RunReport(
        title="Ten days",
        seed=7,
        sources={"BTCUSDT": "funding aster, prices binance"},
        started_at=START,
        ended_at=END,
        cycles=2880,
        positions_opened=3,
        positions_closed=2,
        funding_received=Decimal("9.63"),
        fees_paid=Decimal("21.375"),
        basis_pnl=Decimal("-1.50"),
        net_profit=Decimal("-13.245"),
        equity_start=Decimal(10000),
        equity_end=Decimal("9986.755"),
        books_difference=Decimal(0),
        max_naked_seconds=1.75,
        max_naked_usd=Decimal("237.5"),
        events_sha256="ab" * 32,
        elapsed_seconds=12.5,
        equity=curve("10000", "9995.5", "9986.755"),
        funding_curve=curve("0", "3.21", "9.63"),
        fees_curve=curve("0", "7.125", "21.375"),
        hedges=(row(0), row(1, symbol="ETHUSDT", funding="12.00"), row(2, closed=False)),
        preset="patient",
        hold=HOLD,
        notes=("XUSDT skipped: no funding in the window",),
    )
    return replace(whole, **changes)


def empty_run() -> RunReport:
    nothing = dict.fromkeys(
        ("funding_received", "fees_paid", "basis_pnl", "net_profit", "equity_start", "equity_end", "max_naked_usd"),
        Decimal(0),
    )
    return report(
        **nothing,
        cycles=0,
        positions_opened=0,
        positions_closed=0,
        ended_at=START,
        equity=(),
        funding_curve=(),
        fees_curve=(),
        hedges=(),
        notes=(),
        sources={},
        preset=None,
        hold=None,
        seed=None,
        max_naked_seconds=0.0,
    )


class Page(HTMLParser):
    """A page taken apart; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.flat_text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.flat_text.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.flat_text).split())

    def classes(self, tag: str) -> Iterator[str]:
        return (str(attributes.get("class")) for name, attributes in self.tags if name == tag)


def test_the_json_has_the_promised_keys_with_money_as_exact_strings() -> None:
    found = json.loads(json.dumps(as_json(report())))
    hedges = found.pop("hedges")
    assert found == {
        "cycles": 2880,
        "positions_opened": 3,
        "positions_closed": 2,
        "funding_received": "9.63",
        "fees_paid": "21.375",
        "basis_pnl": "-1.5",
        "dust_gain": "0",
        "net_profit": "-13.245",
        "equity_start": "10000",
        "equity_end": "9986.755",
        "books_difference": "0",
        "max_naked_seconds": 1.75,
        "max_naked_usd": "237.5",
        "events_sha256": "ab" * 32,
        "elapsed_seconds": 12.5,
        "started_at": START.isoformat(),
        "ended_at": END.isoformat(),
        "interrupted": False,
        "max_drawdown": "13.245",
        "time_in_market": pytest.approx(report().time_in_market),
        "settings": {},
        "preset": "patient",
        "net_on_capital": pytest.approx(-0.0013245),
        "net_on_notional": pytest.approx(-13.245 / 4750.125),
        "mean_notional": "4750.125",
        "hold": {
            "symbol": "BTCUSDT",
            "since": START.isoformat(),
            "notional": "4750",
            "funding": "20.5",
            "basis_pnl": "-1",
            "fees": "3.5",
            "net_profit": "16",
            "on_capital": pytest.approx(0.0016),
            "margin_gone_at": None,
        },
        "cash": {"apr": 0.04, "interest": ANY, "on_capital": pytest.approx(0.04 * 10 / 365)},
    }
    assert [hedge["net_profit"] for hedge in hedges] == ["-4.415", "4.375", "-4.415"]
    assert hedges[0]["held_seconds"] == 22.5 * 3600
    assert hedges[2]["closed_at"] is None


def test_money_in_json_never_has_an_exponent() -> None:
    found = as_json(report(net_profit=Decimal("1E+3"), books_difference=Decimal("1E-9")))
    assert (found["net_profit"], found["books_difference"]) == ("1000", "0.000000001")


def test_a_hedges_net_is_the_sum_of_its_parts() -> None:
    assert row(0).net_profit == Decimal("3.21") - Decimal("0.5") - Decimal("7.125")


def test_the_console_says_every_figure() -> None:
    text = "\n".join(report_lines(report()))
    for figure in ("-$13.24", "+$9.63", "-$21.38", "-$1.50", "$9,986.76", "$10,000.00", "$237.50", "1.8 s", "ab" * 32):
        assert figure in text
    assert "-0.13 % of equity, -4.83 % a year" in text
    assert "seed 7" in text
    assert "the books agree with the exchange" in text
    assert "Note: XUSDT skipped: no funding in the window" in text
    assert "22 h 30 min" in text


def test_console_and_page_name_the_preset_and_what_holding_and_cash_would_have_made() -> None:
    text, page = "\n".join(report_lines(report())), Page(html_page(report())).text
    for words in (
        "preset patient",
        "+$16.00",
        "+0.16 % of equity: BTCUSDT, opened once and kept",
        "+$10.96",
        "+0.11 % of equity: at 4 % APR",
    ):
        assert words in text
        assert words in page
    own = report(preset=None)
    assert "settings of one's own" in "\n".join(report_lines(own))
    assert as_json(own)["preset"] is None


def test_a_hold_that_would_have_been_liquidated_is_not_shown_as_a_gain_alone() -> None:
    lost = report(hold=replace(HOLD, margin_gone_at=START + timedelta(days=3)))
    assert "opened once and kept; liquidated by 2025-05-04 00:00" in "\n".join(report_lines(lost))
    assert as_json(lost)["hold"]["margin_gone_at"] == "2025-05-04T00:00:00+00:00"


def test_where_nothing_was_held_nothing_is_compared() -> None:
    document = as_json(empty_run())
    assert (document["hold"], document["net_on_notional"], document["mean_notional"]) == (None, None, None)
    assert "nothing to compare with" in "\n".join(report_lines(empty_run()))


def test_the_mean_leg_counts_each_hedge_for_as_long_as_it_was_held() -> None:
    short, long = row(0), replace(row(1), closed_at=row(1).opened_at + 3 * timedelta(hours=22.5))
    small = replace(short, result=replace(short.result, entry_notional=Decimal(1000)))
    large = replace(long, result=replace(long.result, entry_notional=Decimal(2000)))
    assert report(hedges=(small, large)).mean_notional == Decimal(1750)


def test_the_console_lists_the_newest_hedges_and_counts_the_rest() -> None:
    lines = report_lines(report(hedges=tuple(row(n, symbol=f"N{n}USDT") for n in range(20))))
    assert any("8 earlier hedges" in line for line in lines)
    assert any("N19USDT" in line for line in lines)
    assert not any("N7USDT" in line for line in lines)


def test_the_deepest_fall_is_measured_from_the_high_before_it_and_not_from_the_start() -> None:
    fall = report(equity=curve("100", "90", "120", "104", "119", "103", "130")).drawdown
    assert fall is not None
    assert fall.amount == Decimal(17)
    assert fall.fraction == pytest.approx(17 / 120)
    assert fall.high_at < fall.low_at
    assert report(equity=curve("1", "2")).drawdown is None
    assert "equity never fell" in "\n".join(report_lines(report(equity=curve("1", "2"))))


def test_page_and_console_say_the_same_of_the_largest_drawdown() -> None:
    fallen = report(equity=curve("100", "120", "103", "110"))
    for text in drawdown_texts(fallen):
        assert text in html_page(fallen)
        assert text in "\n".join(report_lines(fallen))


def test_a_hedge_counts_for_the_time_in_market_only_within_the_run() -> None:
    day = timedelta(days=1)
    early = replace(row(0), opened_at=START - 5 * day, closed_at=START + day)
    late = replace(row(1), opened_at=END - day, closed_at=None)
    before = replace(row(2), opened_at=START - 5 * day, closed_at=START - 4 * day)
    assert report(hedges=(before, early, late)).time_in_market == pytest.approx(0.2)
    assert report(hedges=()).time_in_market == 0.0
    assert empty_run().time_in_market is None


def test_hedges_held_at_the_same_time_count_once_for_the_time_and_together_for_the_leg() -> None:
    day = timedelta(days=1)
    whole = replace(row(0), opened_at=START, closed_at=None)
    within = replace(row(1), opened_at=START + day, closed_at=START + 3 * day)
    after = replace(row(2), opened_at=START + 2 * day, closed_at=END)
    assert report(hedges=(within, whole, after)).time_in_market == 1
    assert report(hedges=(within, after)).time_in_market == pytest.approx(1 - day / (END - START))
    alone, beside = report(hedges=(whole,)), report(hedges=(whole, replace(whole, hedge_id="h9")))
    assert alone.mean_notional == whole.notional
    assert beside.mean_notional == 2 * whole.notional


def test_the_settings_of_the_run_are_named_the_changed_ones_first() -> None:
    settings = {"a.one": "1", "b.two": "2", "c.three": "none"}
    changed = report(settings=settings, changed=frozenset({"b.two"}))
    assert "Settings: b.two 2" in report_lines(changed)
    page = html_page(changed)
    assert page.index("b.two") < page.index("a.one")
    assert "2 (changed)" in page
    assert "1 of 3 are not at their defaults." in page
    assert "Settings: all at their defaults" in report_lines(report(settings=settings))


def test_an_interrupted_run_says_so_to_programs() -> None:
    assert as_json(report(interrupted=True))["interrupted"] is True


def test_a_phone_shows_the_net_of_each_hedge_without_scrolling_sideways() -> None:
    page = html_page(report())
    narrow = page[page.index("@media (max-width: 640px)") : page.index("@media print")]
    assert "min-width" not in narrow, "a chart wider than the screen"
    assert ".wide tbody td:nth-child(9) { grid-row: 1; grid-column: 3; }" in narrow
    heads = page[page.index("<thead>") : page.index("</thead>")].split("<th ")[1:]
    assert heads[8].endswith(">Net</th>")


def test_differing_books_are_named_line_by_line() -> None:
    lines = {"spot:BTC": Decimal("-0.5"), "perp:USDT": Decimal(1)}
    differing = report(books_difference=Decimal("1.5"), books_lines=lines)
    assert any("1.5  spot:BTC -0.5, perp:USDT 1" in line for line in report_lines(differing))
    page = Page(html_page(differing))
    assert "card alarm" in page.classes("div")
    assert "spot:BTC -0.5, perp:USDT 1" in page.text
    assert "card alarm" not in Page(html_page(report())).classes("div")


def test_the_page_shows_the_figures_of_the_value() -> None:
    page = Page(html_page(report()))
    for figure in ("-$13.24", "+$9.63", "-$21.38", "-$1.50", "$9,986.76", "$237.50", "3 opened", "2 closed", "ab" * 32):
        assert figure in page.text
    exact = {attributes.get("title") for _, attributes in page.tags}
    assert {"-13.245 USDT", "9986.755 USDT", "-4.415 USDT", "237.5 USDT"} <= exact
    assert "funding aster, prices binance" in page.text
    assert "17.08 %" in page.text


def test_the_page_asks_nobody_for_anything() -> None:
    text = html_page(report())
    assert re.findall(r"https?:|//[a-z]|url\(|@import|<script|<link|<iframe|<img", text) == []
    assert not any({"src", "href"} & set(attributes) for _, attributes in Page(text).tags)


def saying(words: str) -> RunReport:
    """A report that says ``words`` wherever text comes from outside."""
    return report(
        title=words,
        hedges=(row(0, symbol=words), replace(row(1), reason=words)),
        sources={words: words},
        notes=(words,),
        books_lines={words: Decimal(1)},
        events_sha256=words,
    )


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "A&B'USDT", "</title>"])
def test_text_from_outside_stays_text(hostile: str) -> None:
    page, harmless = (Page(html_page(saying(words))) for words in (hostile, "a" * len(hostile)))
    assert [(tag, set(attributes)) for tag, attributes in page.tags] == [
        (tag, set(attributes)) for tag, attributes in harmless.tags
    ]
    assert page.text.count(hostile) >= 6


def test_bars_distinguish_gain_loss_and_open_and_say_why() -> None:
    page = Page(html_page(report()))
    assert [c for c in page.classes("g") if c.startswith("bar")] == ["bar loss", "bar gain", "bar open"]
    assert "BTCUSDT, 2025-05-01 01:00, 22 h 30 min, net -$4.42, maximum age" in page.text


def test_every_chart_has_a_name_that_is_read_aloud() -> None:
    names = [str(attributes.get("aria-label")) for tag, attributes in Page(html_page(report())).tags if tag == "svg"]
    assert names[0] == "Equity: Equity from $10,000.00 to $9,986.76"
    assert names[1] == "Funding and fees: Funding from $0.00 to $9.63; Fees from $0.00 to $21.38"
    assert names[2].startswith("Positions: 3 bars in 2 lanes")


def test_an_empty_run_has_a_page_and_lines() -> None:
    page = Page(html_page(empty_run()))
    assert "svg" not in {tag for tag, _ in page.tags}
    for words in ("No equity was sampled.", "Nothing was booked.", "No hedge was opened."):
        assert words in page.text
    assert "No hedge was opened." in report_lines(empty_run())
    assert as_json(empty_run())["hedges"] == []


def test_a_run_with_one_sample_draws_a_dot() -> None:
    page = Page(html_page(replace(empty_run(), equity=((START, Decimal(5)),))))
    assert "dot equity" in page.classes("circle")


def test_a_short_run_says_nothing_about_a_year() -> None:
    short = report(ended_at=START + timedelta(hours=5))
    assert short.annual_return is None
    assert "a year" not in Page(html_page(short)).text


def test_a_run_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        report(ended_at=START - timedelta(seconds=1))
