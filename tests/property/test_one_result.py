"""One result: whatever shows what the hedges made shows the same figures, and the figures are what the cash says.

Logs are drawn, folded, and shown in every view: log lines, books (tables, JSON, CSV), report (text, JSON, HTML),
status (lines, JSON), state file. Every number is parsed back from what a reader would see, and held against sums of
cash of the test's own.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

import hedgerow.cli.books as books_command
import hedgerow.dashboard.status_document as status_document_module
import hedgerow.dashboard.status_lines as status_lines_module
from hedgerow.app.state_file import StateFile
from hedgerow.cli.books import show_books
from hedgerow.dashboard.books import report as books
from hedgerow.dashboard.books import statement
from hedgerow.dashboard.books.report import BooksReport, VenueSide
from hedgerow.dashboard.books.statement import read_statement
from hedgerow.dashboard.bot_state import Process, ProcessState, bot_state
from hedgerow.dashboard.narration import cycle as narration_cycle
from hedgerow.dashboard.narration import events as narration_events
from hedgerow.dashboard.narration import lifecycle as narration_lifecycle
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.dashboard.outlook import OutlookBuilder
from hedgerow.dashboard.report import page, recorder, report
from hedgerow.dashboard.report.page import html_page
from hedgerow.dashboard.report.recorder import RunEnd, RunRecorder
from hedgerow.dashboard.report.report import RunReport, report_lines
from hedgerow.dashboard.status_document import status_document
from hedgerow.dashboard.status_lines import BotView, status_lines
from hedgerow.domain.account import PerpPosition
from hedgerow.domain.events import HedgeAborted, HedgeClosed, HedgeLost
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.notices import CycleEnded, Evaluated, Recorded, Started, Stopped
from hedgerow.store import guide_state
from hedgerow.strategy.evaluation import exits
from hedgerow.strategy.evaluation.exits import evaluate
from hedgerow.strategy.evidence.prices import prices_of
from hedgerow.strategy.hedge_result import ExitPrices, HedgeResult, coin_prices, exit_prices, result_of
from hedgerow.strategy.observation import Evaluation, Observation
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy
from support.drawing import examples
from support.golden_cases import IDENTITY
from support.histories import ABORTED, CLOSED, HELD, LOST, HedgeMade, HedgePlan, History, histories, history_of
from support.ledger_builder import SPOT_FEE
from support.toy_venue import toy_pair
from support.views import FixedMarket, account, listing, market_of, short_of

SYMBOL, COIN = "ABCUSDT", "ABC"
CENTS = st.integers(9_000, 11_000).map(lambda cents: Decimal(cents) / 100)
SPREADS = st.integers(0, 40).map(lambda cents: Decimal(cents) / 100)
CENT, ROW = Decimal("0.01"), Decimal("1e-8")
"""What screens show at least, and what the state file is rounded to."""
NUMBER = re.compile(r"([-+]?)\$?(-?[\d,]+\.\d+|-?\d+)")
Shown = Iterator[tuple[str, str, str | None]]
"""View, figure, and the text a reader sees; None for an unknown that has no text."""


class Prices(Struct, frozen=True, kw_only=True):
    """The books as they are seen; half spreads on both sides of the middle."""

    spot: Decimal
    perp: Decimal
    spot_half: Decimal
    perp_half: Decimal
    spot_bid_gone: bool = False
    """Nobody buys coins: closing now cannot be valued, and the coins are valued at the index."""

    @property
    def market(self) -> FixedMarket:
        """The market that shows them."""
        pair = toy_pair()
        bid = None if self.spot_bid_gone else str(self.spot - self.spot_half)
        return market_of(
            listing(
                pair=pair,
                spot=(bid, str(self.spot + self.spot_half)),
                perp=(str(self.perp - self.perp_half), str(self.perp + self.perp_half)),
                mark=str(self.perp),
                index=str(self.spot),
            )
        )


PRICES = st.builds(Prices, spot=CENTS, perp=CENTS, spot_half=SPREADS, perp_half=SPREADS, spot_bid_gone=st.booleans())
SIGNAL = FundingSignal(symbol=SYMBOL, mean=0.0002, stdev=0.0, apr=0.219, periods=10, interval_hours=8)


# --- what must be shown ----------------------------------------------------------------------------------------------


def expected(history: History, prices: Prices) -> dict[str, Decimal | None]:
    """Return every figure by the cash that moved; None = cannot be known."""
    found: dict[str, Decimal | None] = {}
    for made in history.made:
        found |= {f"{made.hedge_id} {name}": value for name, value in _figures(made, prices).items()}
    ended = history.ended
    sums = {
        "funding": sum((made.funding for made in ended), Decimal(0)),
        "basis": sum((made.basis() for made in ended), Decimal(0)),
        "fees": sum((made.fees for made in ended), Decimal(0)),
        "net": sum((made.net() for made in ended), Decimal(0)),
    }
    found |= {f"ended {name}": value for name, value in sums.items()}
    first = history.events[0]
    found["cumulative"] = sums["net"] + getattr(first, "total_profit_loss", Decimal(0))
    gain = history.dust * prices.spot - history.dust_cost
    found |= {"dust gain": gain, "dust worth": history.dust * prices.spot}
    held = history.held
    for name, part in (("so far", "net"), ("if closed", "if closed")):
        own = Decimal(0) if held is None else found[f"{held.hedge_id} {part}"]
        found[f"since the start {name}"] = None if own is None else sums["net"] + own + gain
    live = {"funding": Decimal(0), "basis": Decimal(0), "fees": Decimal(0), "net": Decimal(0)}
    if held is not None:
        live = {name: found[f"{held.hedge_id} {name}"] or Decimal(0) for name in live}
    for name, value in live.items():
        found[f"all {name}"] = sums[name] + value
        found[f"with dust {name}"] = sums[name] + value + (gain if name in {"basis", "net"} else Decimal(0))
    return found


def _figures(made: HedgeMade, prices: Prices) -> dict[str, Decimal | None]:
    net = made.net(prices.spot, prices.perp)
    figures: dict[str, Decimal | None] = {
        "funding": made.funding,
        "fees": made.fees,
        "basis": made.basis(prices.spot, prices.perp),
        "net": net,
        "exit fees": Decimal(0),
        "exit spread": Decimal(0),
        "if closed": net,
    }
    if made.end == HELD:
        fees = SPOT_FEE * (made.coins * prices.spot + made.short * prices.perp)
        spread = None
        if not prices.spot_bid_gone:
            spread = made.coins * prices.spot_half + made.short * prices.perp_half
        figures |= {"exit fees": fees, "exit spread": spread}
        figures["if closed"] = None if spread is None else net - fees - spread
    return figures


# --- the views -------------------------------------------------------------------------------------------------------


class Case(Struct, frozen=True, kw_only=True):
    """One history with everything that the views are given."""

    history: History
    prices: Prices
    ledger: Ledger
    recorded: tuple[Recorded, ...]
    observation: Observation
    evaluation: Evaluation | None
    exit_prices: ExitPrices
    coins: dict[str, Decimal]
    place: Path


def case_of(history: History, prices: Prices, place: Path) -> Case:
    """Fold a history, and look at it through the engine's own functions."""
    ledger, recorded = Ledger(), list[Recorded]()
    for event in history.events:
        before, ledger = ledger, apply(ledger, event)
        recorded.append(Recorded(event=event, before=before, after=ledger))
    market, at = prices.market, history.ended_at
    evaluation, known = None, ExitPrices(spot=None, perp=None)
    shorts, coins_held = list[PerpPosition](), dict[str, str]()
    if ledger.largest is not None:
        shorts.append(short_of(SYMBOL, str(ledger.largest.short)))
        coins_held = {COIN: str(ledger.largest.spot_quantity)}
    observation = Observation(at=at, market=market, account=account(*shorts, coins=coins_held))
    if ledger.largest is not None:
        evaluation = evaluate(ledger.largest, observation, SIGNAL)
        known = exit_prices(ledger.largest, prices_of(SYMBOL, market, None), market)
    coins = coin_prices(ledger.dust, market)
    return Case(
        history=history,
        prices=prices,
        ledger=ledger,
        recorded=tuple(recorded),
        observation=observation,
        evaluation=evaluation,
        exit_prices=known,
        coins=coins,
        place=place,
    )


def cycle_ended(seen: Case) -> CycleEnded:
    """Return what observers get after the last cycle."""
    held, evaluation = seen.ledger.largest, seen.evaluation
    return CycleEnded(
        at=seen.history.ended_at,
        ledger=seen.ledger,
        evaluation=evaluation,
        equity=None,
        observation=seen.observation,
        evaluations={held.hedge_id: evaluation} if held and evaluation else {},
    )


def log_lines(seen: Case) -> Shown:
    """What the log says when hedges end, at a check, and at the stop."""
    for notice in seen.recorded:
        if isinstance(notice.event, HedgeClosed | HedgeLost | HedgeAborted):
            said = _labelled(line.text for line in narrate(notice))
            hedge_id = notice.event.hedge_id
            names = {"Total funding received": "funding", "Total fees paid": "fees", "Basis P/L": "basis"}
            names["Net profit (this position)"] = "net"
            for label, name in names.items():
                if not isinstance(notice.event, HedgeAborted):
                    yield "log", f"{hedge_id} {name}", said[label]
            if isinstance(notice.event, HedgeAborted):
                yield "log", f"{hedge_id} -net", said["Cost of the attempt"]
    yield from _check_lines(seen)
    said = _labelled(line.text for line in narrate(Stopped(at=seen.history.ended_at, ledger=seen.ledger, cycles=1)))
    yield "log, stop", "ended funding", said["Funding received (closed positions)"]
    yield "log, stop", "ended basis", said["Basis P/L (closed positions)"]
    yield "log, stop", "ended fees", said["Fees paid (closed positions)"]
    yield "log, stop", "cumulative", said["Cumulative P/L"]


def _check_lines(seen: Case) -> Shown:
    held, at = seen.history.held, seen.history.ended_at
    if held is None or seen.evaluation is None:
        return
    notice = Evaluated(at=at, evaluation=seen.evaluation, multiplier=1.5)
    said = _labelled(line.text for line in narrate(notice))
    closing = said["Net if closed now"]
    yield "log, check", f"{held.hedge_id} net", said["Unrealized PnL"].split(" (")[0]
    yield "log, check", f"{held.hedge_id} funding", said["Estimated funding received"]
    yield "log, check", f"{held.hedge_id} if closed", closing.split(" (")[0]
    yield "log, check", f"{held.hedge_id} exit fees", closing.split("closing ")[1].split(",")[0]
    yield "log, check", f"{held.hedge_id} exit spread", closing.split("spread ")[1].rstrip(")")


def _labelled(lines: Iterator[str]) -> dict[str, str]:
    pairs = (line.strip().partition(": ") for line in lines)
    return {label: text for label, _, text in pairs}


def books_views(seen: Case) -> Shown:
    """The tables, the JSON and the CSV of ``hedgerow books``."""
    whole = _books(seen)
    yield from _books_text(seen, whole)
    document = json.loads(json.dumps(books.as_json(whole), default=str))
    columns = ("funding", "basis_pnl", "fees", "net_profit", "exit_fees", "exit_spread", "net_if_closed")
    names = ("funding", "basis", "fees", "net", "exit fees", "exit spread", "if closed")
    for table in (document["hedges"], books.csv_rows(whole)["hedges"]):
        for row in table:
            for column, name in zip(columns, names, strict=True):
                yield "books JSON, CSV", f"{row['hedge']} {name}", _text(row[column])
    for column, name in list(zip(columns, names, strict=True))[:4]:
        yield "books JSON", f"ended {name}", document["totals"]["ended"][column]
        yield "books JSON", f"all {name}", document["totals"][column]
    start = document["since_start"]
    yield "books JSON", "ended net", start["ended"]
    yield "books JSON", "dust gain", start["dust_gain"]
    yield "books JSON", "since the start so far", start["net_so_far"]
    yield "books JSON", "since the start if closed", start["net_if_closed"]
    yield "books JSON", "cumulative", start["cumulative"]


def _text(cell: object) -> str | None:
    """Return what stands in a cell."""
    return None if cell is None else str(cell)


def _books(seen: Case) -> BooksReport:
    prices = {SYMBOL: replace(seen.exit_prices, spot=seen.exit_prices.spot or seen.coins.get(COIN))}
    read = read_statement(seen.history.events, prices)
    side = VenueSide(name="exchange", at=seen.history.ended_at, account=account(), lines=(), prices=prices)
    return BooksReport(statement=read, hedges=read.hedges, wallets=(), venue=side)


def _books_text(seen: Case, whole: BooksReport) -> Shown:
    out = StringIO()
    with redirect_stdout(out):
        show_books(whole)
    for line in out.getvalue().splitlines():
        cells = line.split()
        made = next((m for m in seen.history.made if cells[:1] == [m.hedge_id]), None)
        row = made.hedge_id if made else {"Ended": "ended", "Total": "all"}.get((cells or [""])[0])
        if row is not None:
            for name, text in zip(("funding", "basis", "-fees", "net"), cells[-5:-1], strict=True):
                yield "books", f"{row} {name}", text
            if made:
                yield "books", f"{row} if closed", cells[-1]
        for label, name in (("so far", "so far"), ("if closed now", "if closed")):
            if line.strip().startswith(f"Result since the start, {label}"):
                yield "books", f"since the start {name}", cells[-1]
        if line.strip().startswith("Gain of kept dust"):
            yield "books", "dust gain", cells[-1]


def report_views(seen: Case) -> Shown:
    """The text, the JSON and the page of a run's report."""
    made = _report(seen)
    yield from _report_text(seen, made)
    document = report.as_json(made)
    for row in document["hedges"]:
        for column, name in (("funding", "funding"), ("basis_pnl", "basis"), ("fees", "fees"), ("net_profit", "net")):
            yield "report JSON", f"{row['hedge_id']} {name}", row[column]
        yield "report JSON", f"{row['hedge_id']} if closed", row["net_if_closed"]
    for column, name in (("funding_received", "funding"), ("basis_pnl", "basis"), ("fees_paid", "fees")):
        yield "report JSON", f"with dust {name}", document[column]
    yield "report JSON", "with dust net", document["net_profit"]
    yield "report JSON", "dust gain", document["dust_gain"]
    yield from _report_page(made)


def _report(seen: Case) -> RunReport:
    run = RunRecorder(title="A run", started_at=seen.history.events[0].at)
    for notice in seen.recorded:
        run.record(notice.event, notice.after)
    end = RunEnd(
        at=seen.history.ended_at + timedelta(days=1),
        elapsed_seconds=1,
        events_sha256="ff",
        prices=seen.exit_prices,
        coins=seen.coins,
    )
    return run.finish(end)


def _report_text(seen: Case, made: RunReport) -> Shown:
    lines = report_lines(made)
    labels = {"Net profit": "net", "Funding received": "funding", "Basis P/L": "basis", "Fees paid": "-fees"}
    for line in lines:
        for label, name in labels.items():
            if line.startswith(f"  {label}  "):
                yield "report", f"with dust {name}", line.removeprefix(f"  {label}").split()[0]
    rows = [line.split(f"{SYMBOL}  ")[1] for line in lines if line.startswith(f"  {SYMBOL}")]
    for row, hedge in zip(rows, made.hedges, strict=True):
        cells = [cell for cell in re.split(r"\s{2,}", row.strip()) if cell]
        for name, text in zip(("funding", "basis", "-fees", "net"), cells[2:6], strict=True):
            yield "report", f"{hedge.hedge_id} {name}", text
    assert len(rows) == len(seen.history.made)


class _Table(HTMLParser):
    """The rows of the page's table: the text of each cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def _report_page(made: RunReport) -> Shown:
    rows = _Table(html_page(made)).rows[1:]
    for hedge, cells in zip(made.hedges, rows, strict=False):
        for name, text in zip(("funding", "basis", "-fees", "net"), cells[5:9], strict=True):
            yield "page", f"{hedge.hedge_id} {name}", text
    for cells in rows[len(made.hedges) :]:
        if cells[0] == "Gain of kept dust":
            yield "page", "dust gain", cells[1]
        elif cells[0] == "All together":
            for name, text in zip(("funding", "basis", "-fees", "net"), cells[1:5], strict=True):
                yield "page", f"with dust {name}", text.rstrip("\n")


def state_file(seen: Case) -> Shown:
    """The guide's state file, as the bot's own listener writes it."""
    path = seen.place / "state.json"
    path.unlink(missing_ok=True)
    writer = StateFile(path)
    for notice in seen.recorded:
        writer.on_notice(notice)
    writer.on_notice(cycle_ended(seen))
    state = json.loads(path.read_bytes(), parse_float=str, parse_int=str)
    yield "state file", "cumulative", state["total_profit_loss"]
    held = seen.history.held
    if held is not None:
        yield "state file", f"{held.hedge_id} funding", state["total_funding_received"]
        yield "state file", f"{held.hedge_id} fees", state["entry_fees_paid"]
        worth = held.coins * seen.prices.spot
        assert agrees("state file", state["current_position"]["capital"], worth), "the value of one leg"


UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example says which view and which figure; making it smaller takes minutes and says no more."""


def status_views(seen: Case) -> Shown:
    """The lines and the JSON of ``hedgerow status``, while the bot runs that looked last."""
    view = _view(seen)
    document = json.loads(json.dumps(status_document(view), default=str))
    names = {"funding": "funding", "basis_pnl": "basis", "fees": "fees"}
    for key, name in names.items():
        yield "status JSON", f"ended {name}", document[key]
    yield "status JSON", "cumulative", document["total_profit_loss"]
    start = document["since_the_start"]
    yield "status JSON", "since the start so far", start["net_so_far"]
    yield "status JSON", "since the start if closed", start["net_if_closed"]
    yield "status JSON", "dust gain", start["dust_gain"]
    held = seen.history.held
    if held is not None:
        own, result = document["position"], document["result"]
        yield "status JSON", f"{held.hedge_id} funding", own["funding_received"]
        yield "status JSON", f"{held.hedge_id} fees", own["fees_paid"]
        keys = ("funding", "basis", "fees_paid", "net_so_far", "exit_fees", "exit_spread", "net_if_closed")
        figures = ("funding", "basis", "fees", "net", "exit fees", "exit spread", "if closed")
        for key, name in zip(keys, figures, strict=True):
            yield "status JSON", f"{held.hedge_id} {name}", result[key]
    lines = {line.label: line.text for line in status_lines(view, IDENTITY)}
    yield from _status_text(seen, lines["Result"])
    yield from _status_of_a_stopped_bot(seen, view)
    if seen.history.dust:
        yield "status", "dust worth", lines["Dust"].split("worth ")[1]


def _view(seen: Case) -> BotView:
    at, policy = seen.history.ended_at, load_policy("volume_farming", StrategyParameters())
    builder = OutlookBuilder(policy)
    begun = Started(
        at=at, parameters=policy.parameters, dry_run=False, venue="exchange", ledger=seen.ledger, identity=IDENTITY
    )
    builder.on_notice(begun, at)
    outlook = builder.on_notice(cycle_ended(seen), at)
    process = Process(state=ProcessState.RUNNING, pid=os.getpid(), last_beat=at)
    state = bot_state(seen.ledger, process, outlook, at)
    return BotView(ledger=seen.ledger, process=process, outlook=outlook, report=state, now=at)


def _status_of_a_stopped_bot(seen: Case, view: BotView) -> Shown:
    """Nobody reads prices: what is held and what dust is worth now are not known, and what ended still is."""
    alone = replace(view, outlook=None, process=Process(state=ProcessState.NEVER))
    text = next(line.text for line in status_lines(alone, IDENTITY) if line.label == "Result")
    if seen.history.held is not None or seen.history.dust:
        assert "since the start" not in text
    yield "status", "ended net", re.split(r"\s(?:by ended hedges|since the start)", text)[0].split()[-1]


def _status_text(seen: Case, text: str) -> Shown:
    held = seen.history.held
    if held is not None and "not known" in text:
        yield "status", f"{held.hedge_id} if closed", None
        yield "status", f"{held.hedge_id} funding", text.split("(funding ")[1].split(", ", maxsplit=1)[0]
        yield "status", f"{held.hedge_id} fees", text.split("fees ")[1].split(")", maxsplit=1)[0]
    elif held is not None:
        yield "status", f"{held.hedge_id} if closed", text.split(" if closed", maxsplit=1)[0]
    for words_behind, name in (("since the start", "since the start if closed"), ("by ended hedges", "ended net")):
        found = re.search(rf"(\S+) {words_behind}", text)
        if found is not None:
            yield "status", name, found[1]


VIEWS: tuple[Callable[[Case], Shown], ...] = (log_lines, books_views, report_views, state_file, status_views)


# --- the comparison --------------------------------------------------------------------------------------------------


def parsed(text: str) -> Decimal:
    """Return the number that a reader takes from a text."""
    found = NUMBER.fullmatch(text)
    assert found is not None, f"no number: {text!r}"
    value = Decimal(found[2].replace(",", ""))
    return -value if found[1] == "-" else value


def agrees(view: str, text: str, exact: Decimal) -> bool:
    """Tell whether a text is the figure: every digit where programs read it, else rounded to at least cents."""
    value = parsed(text)
    if "JSON" in view:
        return value == exact
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    digits = ROW if view == "state file" else Decimal(1).scaleb(exponent)
    return digits <= CENT and value == exact.quantize(digits, ROUND_HALF_EVEN)


def check(history: History, prices: Prices, place: Path) -> set[str]:
    """Hold every figure of every view against the cash; returns the views that showed something."""
    figures, seen, views = expected(history, prices), case_of(history, prices, place), set[str]()
    for show in VIEWS:
        for name, figure, text in show(seen):
            key, sign = (figure.replace(" -", " "), -1) if " -" in figure else (figure, 1)
            exact = figures[key]
            views.add(name)
            if exact is None:
                assert text in {"unknown", None}, f"{name}: {figure} cannot be known and is shown as {text}"
            else:
                assert text is not None, f"{name}: {figure} is {exact} and is not shown"
                assert agrees(name, text, sign * exact), f"{name}: {figure} is {sign * exact} and is shown as {text}"
    return views


@settings(
    phases=UNSHRUNK,
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(), prices=PRICES)
def test_every_place_that_shows_a_result_shows_the_same(history: History, prices: Prices, tmp_path: Path) -> None:
    check(history, prices, tmp_path)


# --- it can fail -----------------------------------------------------------------------------------------------------


def _plan(end: Any, **changes: Any) -> HedgePlan:
    values: dict[str, Any] = {
        "slices": ((Decimal("3.217"), Decimal("99.37"), Decimal("99.91")),),
        "fee_in_coin": True,
        "booked": True,
        "payments": (Decimal("1.2347"), Decimal("-0.3129")),
        "end": end,
        "spot_price": Decimal("97.13"),
        "perp_price": Decimal("98.27"),
        "residue": Decimal("0.0007"),
    }
    return HedgePlan(**{**values, **changes})


EXAMPLE = history_of(
    [_plan(CLOSED), _plan(LOST, booked=False), _plan(ABORTED, fee_in_coin=False), _plan(HELD)], Decimal("15.67")
)
"""A hedge of each kind, with figures that no rounding makes equal."""
SEEN = Prices(spot=Decimal("101.37"), perp=Decimal("101.93"), spot_half=Decimal("0.13"), perp_half=Decimal("0.21"))


def test_the_example_is_shown_everywhere(tmp_path: Path) -> None:
    views = check(EXAMPLE, SEEN, tmp_path)
    assert views == {
        *("log", "log, check", "log, stop"),
        *("books", "books JSON", "books JSON, CSV"),
        *("report", "report JSON", "page"),
        *("state file", "status", "status JSON"),
    }


def _cut(value: Decimal | None) -> str:
    """Write money as a table that is too narrow would: the last digit is missing."""
    return "unknown" if value is None else f"${value:.2f}"[:-1]


def _shifted(value: Decimal | None) -> str:
    """Write money a cent off."""
    return "unknown" if value is None else f"${value + Decimal('0.01'):.4f}"


@pytest.mark.parametrize("wrong", [_cut, _shifted])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (narration_events, "log_funding"),
        (narration_events, "log_money"),
        (narration_cycle, "log_funding"),
        (narration_cycle, "log_money"),
        (narration_lifecycle, "log_funding"),
        (narration_lifecycle, "log_money"),
        (books_command, "signed_amount"),
        (books, "plain_or_none"),
        (status_lines_module, "signed_amount"),
        (status_lines_module, "amount"),
        (status_document_module, "plain_or_none"),
        (report, "signed_amount"),
        (report, "plain"),
        (page, "signed_amount"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_formatter_that_is_wrong_in_one_place_is_noticed(
    module: object, name: str, wrong: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(AssertionError):
        check(EXAMPLE, SEEN, tmp_path)


def test_a_state_file_that_cuts_its_money_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide_state, "CENT_FRACTION", Decimal("0.1"))
    with pytest.raises(AssertionError):
        check(EXAMPLE, SEEN, tmp_path)


def _without_fees(*arguments: Any, **options: Any) -> HedgeResult:
    return replace(result_of(*arguments, **options), fees_paid=Decimal(0))


def _free_to_close(*arguments: Any, **options: Any) -> HedgeResult:
    return replace(result_of(*arguments, **options), exit_spread=Decimal(0))


@pytest.mark.parametrize("wrong", [_without_fees, _free_to_close])
@pytest.mark.parametrize("module", [exits, statement, recorder], ids=lambda module: module.__name__)
def test_a_second_computation_that_differs_is_noticed(
    module: object, wrong: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "result_of", wrong)
    with pytest.raises(AssertionError):
        check(EXAMPLE, SEEN, tmp_path)
