"""The report of a run as one HTML page: no script, no request, readable on a phone and on paper, light and dark."""

from collections.abc import Iterator
from decimal import Decimal
from html import escape

from hedgerow.dashboard.report.charts import Bar, ChartLine, line_chart, timeline
from hedgerow.dashboard.report.parts import card, legend, nothing, page_of, panel
from hedgerow.dashboard.report.report import (
    HedgeRow,
    RunReport,
    cash_texts,
    drawdown_texts,
    hold_texts,
    preset_text,
)
from hedgerow.domain.formats import (
    amount,
    duration,
    percent,
    seconds,
    signed_amount,
    signed_percent,
    utc_minute,
    utc_second,
)
from hedgerow.domain.money import plain

__all__ = ["html_page"]


def html_page(report: RunReport) -> str:
    """Return the whole page."""
    return page_of(report.title, _sections(report))


def _sections(report: RunReport) -> Iterator[str]:
    yield _heading(report)
    yield _result(report)
    yield _cards(report)
    yield _equity(report)
    yield _funding_and_fees(report)
    yield _positions(report)
    yield _hedges(report)
    yield _settings(report)
    yield _origin(report)


def _heading(report: RunReport) -> str:
    facts = [
        escape(preset_text(report)),
        f"<time>{utc_minute(report.started_at)}</time> to <time>{utc_minute(report.ended_at)}</time> UTC",
        duration(report.period),
        f"{report.cycles:,} cycles",
        f"computed in {seconds(report.elapsed_seconds)}",
    ]
    if report.seed is not None:
        facts.append(f"seed {report.seed}")
    return f'<header><p class="brand">Hedgerow</p><h1>{escape(report.title)}</h1><p>{" · ".join(facts)}</p></header>'


def _result(report: RunReport) -> str:
    """The net profit, and the sum that leads to it."""
    share = "" if report.net_return is None else f"{signed_percent(report.net_return)} of the equity at the start"
    if report.annual_return is not None:
        share += f" · {signed_percent(report.annual_return)} a year, not compounded"
    parts = (
        ("Funding received", report.funding_received),
        ("Basis P/L", report.basis_pnl),
        ("Fees paid", -report.fees_paid),
    )
    terms = "".join(f"<div><dt>{name}</dt><dd>{_amount(value)}</dd></div>" for name, value in parts)
    return (
        f'<section class="result" aria-label="Result"><div class="net"><h2>Net profit</h2>'
        f'<p class="figure">{_amount(report.net_profit)}</p><p class="remark">{share}</p></div>'
        f'<dl class="sum">{terms}</dl></section>'
    )


def _cards(report: RunReport) -> str:
    return f'<section class="cards" aria-label="Figures">{"".join(_each_card(report))}</section>'


def _each_card(report: RunReport) -> Iterator[str]:
    yield card("Equity", _exact(report.equity_end), f"from {amount(report.equity_start)}")
    yield card("If held instead", *hold_texts(report))
    yield card("Cash instead", *cash_texts(report))
    opened = f"{report.positions_opened:,} opened"
    yield card("Positions", opened, f"{report.positions_closed:,} closed")
    yield card("Largest drawdown", *drawdown_texts(report))
    yield card("Time in market", percent(report.time_in_market, 1), "of the run a hedge was held")
    naked = f"longest {seconds(report.max_naked_seconds)} with unequal legs"
    yield card("Largest exposure", _exact(report.max_naked_usd), naked)
    differing = ", ".join(f"{name} {plain(value)}" for name, value in report.books_lines.items())
    difference = plain(report.books_difference) if differing else amount(report.books_difference)
    remark = escape(differing) or "the books agree with the exchange"
    yield card("Books difference", difference, remark, alarm=bool(report.books_lines))


def _equity(report: RunReport) -> str:
    line = ChartLine(name="Equity", style="equity", points=report.equity, filled=True)
    chart = line_chart([line], title="Equity", start=report.started_at, end=report.ended_at, formatted=amount)
    return panel("Equity", "What the strategy owns, in USDT.", chart or nothing("No equity was sampled."))


def _funding_and_fees(report: RunReport) -> str:
    lines = [
        ChartLine(name="Funding", style="funding", points=report.funding_curve, stepped=True),
        ChartLine(name="Fees", style="fees", points=report.fees_curve, stepped=True),
    ]
    booked = [line for line in lines if any(value for _, value in line.points)]
    chart = line_chart(booked, title="Funding and fees", start=report.started_at, end=report.ended_at, formatted=amount)
    styles = legend(("funding", "funding received"), ("fees", "fees paid"))
    lead = "Both since the start; what lies between the lines is left before the basis."
    return panel("Funding against fees", lead, styles + chart if chart else nothing("Nothing was booked."))


def _positions(report: RunReport) -> str:
    bars = [
        Bar(
            lane=row.symbol,
            start=max(row.opened_at, report.started_at),
            end=min(row.closed_at or report.ended_at, report.ended_at),
            style=_style(row),
            label=row.reason,
            detail=f"{row.symbol}, {utc_minute(row.opened_at)}, {duration(row.held(report.ended_at))}, "
            f"net {signed_amount(row.net_profit)}, {row.reason}",
        )
        for row in report.hedges
    ]
    chart = timeline(bars, title="Positions", start=report.started_at, end=report.ended_at)
    styles = legend(("gain", "net gain"), ("loss", "net loss (outlined)"), ("open", "still open (dashed)"))
    return panel("Positions over time", "", styles + chart if chart else nothing("No hedge was opened."))


def _hedges(report: RunReport) -> str:
    if not report.hedges:
        return ""
    heads = (
        "Pair",
        "Opened (UTC)",
        "Held",
        "One leg",
        "APR at entry",
        "Funding",
        "Basis",
        "Fees",
        "Net",
        "Ended because",
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "\n".join(_hedge_row(row, report) for row in report.hedges)
    sums = (report.funding_received, report.basis_pnl, -report.fees_paid, report.net_profit)
    names = ("funding", "basis", "fees", "net")
    total = "".join(f'<td class="{name}">{_amount(value)}</td>' for name, value in zip(names, sums, strict=True))
    dust = ""
    if report.dust_gain:
        gain = _amount(report.dust_gain)
        cells = f'<td class="basis">{gain}</td><td></td><td class="net">{gain}</td><td></td>'
        dust = f'<tr><th scope="row" colspan="6">Gain of kept dust</th>{cells}</tr>'
    return (
        '<section class="panel"><h2>Hedges</h2><div class="wide" tabindex="0" role="region" aria-label="Hedges">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
        f'<tfoot>{dust}<tr><th scope="row" colspan="5">All together</th>{total}<td></td></tr></tfoot></table></div>'
        "</section>"
    )


def _hedge_row(row: HedgeRow, report: RunReport) -> str:
    parts = (row.funding, row.basis_pnl, -row.fees)
    return (
        f'<tr><th scope="row">{escape(row.symbol)}</th><td>{utc_minute(row.opened_at)}</td>'
        f"<td>{duration(row.held(report.ended_at))}</td><td>{_exact(row.notional)}</td>"
        f"<td>{percent(row.entry_apr)}</td>"
        + "".join(f"<td{_title(part)}>{signed_amount(part)}</td>" for part in parts)
        + f"<td><b>{_amount(row.net_profit)}</b></td><td>{escape(row.reason)}</td></tr>"
    )


def _settings(report: RunReport) -> str:
    """The settings of the run, those that are not at their defaults first."""
    if not report.settings:
        return ""
    ordered = sorted(report.settings.items(), key=lambda item: item[0] not in report.changed)
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{' (changed)' if name in report.changed else ''}</dd></div>"
        for name, value in ordered
    )
    lead = f"{len(report.changed)} of {len(report.settings)} are not at their defaults."
    return panel("Settings", lead, f'<dl class="facts">{rows}</dl>')


def _origin(report: RunReport) -> str:
    """Where the data came from, what else there is to say, and how to recognise the same run."""
    by_source: dict[str, list[str]] = {}
    for symbol, source in report.sources.items():
        by_source.setdefault(source, []).append(symbol)
    rows = [(escape(source), escape(", ".join(symbols))) for source, symbols in by_source.items()]
    rows.append(("events, SHA-256", f"<code>{escape(report.events_sha256)}</code>"))
    rows.append(("ended", f"{utc_second(report.ended_at)} UTC"))
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    facts = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    return panel("Origin", "", (f"<ul>{notes}</ul>" if notes else "") + f'<dl class="facts">{facts}</dl>')


def _style(row: HedgeRow) -> str:
    if row.closed_at is None:
        return "open"
    return "gain" if (row.net_profit or 0) > 0 else "loss"


def _amount(value: Decimal | None) -> str:
    """A signed amount; its colour only repeats the sign."""
    style = "even" if not value else "gain" if value > 0 else "loss"
    return f'<span class="{style}"{_title(value)}>{signed_amount(value)}</span>'


def _title(value: Decimal | None) -> str:
    """Return the attribute that shows every digit."""
    return "" if value is None else f' title="{plain(value)} USDT"'


def _exact(value: Decimal) -> str:
    return f'<span title="{plain(value)} USDT">{amount(value)}</span>'
