"""Findings of ``doctor`` about account, market and configuration. What cannot be read is a finding, never healthy."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from hedgerow.app.findings.keys import DoctorFinding, Severity
from hedgerow.aster.endpoints import Hosts
from hedgerow.aster.http.proxy import Proxy
from hedgerow.aster.schema.account_rows import TradeRow
from hedgerow.domain.account import QUOTE_ASSET, AccountView, OpenOrder
from hedgerow.domain.errors import VenueError
from hedgerow.domain.formats import percent
from hedgerow.domain.instrument import FeeRates, Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import plain
from hedgerow.strategy.decisions.first_check import first_actionable
from hedgerow.strategy.decisions.reconcile import reconcile
from hedgerow.strategy.decisions.scan import Scan
from hedgerow.strategy.decisions.verdicts import InFlight, Unreadable, Verdict, halt_for, symbols_of
from hedgerow.strategy.parameters import AdoptMode, StrategyParameters

__all__ = [
    "account_findings",
    "clock_finding",
    "config_findings",
    "fee_coin_finding",
    "fee_findings",
    "host_finding",
    "hosts_of",
    "ledger_findings",
    "mode_findings",
    "ok",
    "order_findings",
    "position_findings",
    "problem",
    "scan_findings",
    "spot_reads_finding",
    "unread",
    "warning",
]

CLOCK_FINE_SECONDS, CLOCK_BAD_SECONDS = 1.0, 5.0
"""Aster refuses a nonce that is 10 to 60 s off (docs/aster-api.md 2); a machine that is 5 s off drifts further."""
HOURS_A_YEAR = 8760
SHOWN_PAIRS = 3
MODES_PAGE = "on the exchange's futures page, under preferences"


def ok(subject: str, text: str) -> DoctorFinding:
    """Return a finding without a problem."""
    return DoctorFinding(subject=subject, level=Severity.OK, text=text)


def warning(subject: str, text: str, fix: str) -> DoctorFinding:
    """Return a finding with which the bot can trade."""
    return DoctorFinding(subject=subject, level=Severity.WARNING, text=text, fix=fix)


def problem(subject: str, text: str, fix: str) -> DoctorFinding:
    """Return a finding that keeps the bot from trading, or from trading safely."""
    return DoctorFinding(subject=subject, level=Severity.PROBLEM, text=text, fix=fix)


def unread(subject: str, error: VenueError) -> DoctorFinding:
    """Return the finding of something that could not be read."""
    return problem(subject, f"could not be read ({error})", "try again; if it stays, ask the exchange's support")


def config_findings(warnings: Sequence[str], notices: Sequence[str], secrets: Sequence[str]) -> list[DoctorFinding]:
    """Judge the configuration and the file of the credentials."""
    found = [warning("configuration", text, "see hedgerow config") for text in warnings]
    found += [ok("configuration", text) for text in notices]
    if not found:
        found = [ok("configuration", "read, no warnings")]
    return found + [warning("credentials", text.split(":")[0], text.rpartition(": ")[2]) for text in secrets]


def host_finding(name: str, address: str, error: VenueError | None, proxy: Proxy | None = None) -> DoctorFinding:
    """Judge one address, asked through ``proxy`` where it covers it."""
    way = f" through the proxy {proxy.address}" if proxy and proxy.covers(address) else ""
    if error is None:
        return ok("hosts", f"{name} {address} answers{way}")
    return problem(
        "hosts",
        f"{name} {address}{way}: {error}",
        "check network, firewall and the HEDGEROW_ variables; HEDGEROW_PROXY sets a proxy",
    )


def clock_finding(offset_seconds: float | VenueError) -> DoctorFinding:
    """Judge the clocks: positive = the exchange is ahead."""
    if isinstance(offset_seconds, VenueError):
        return unread("clock", offset_seconds)
    off = abs(offset_seconds)
    if off <= CLOCK_FINE_SECONDS:
        return ok("clock", f"{off:.1f} s off the exchange's")
    text = f"{off:.1f} s {'behind' if offset_seconds > 0 else 'ahead of'} the exchange's"
    fix = "set this machine's clock, by NTP for example (the bot corrects its signatures by the difference)"
    return (problem if off >= CLOCK_BAD_SECONDS else warning)("clock", text, fix)


def mode_findings(*, hedge_mode: bool | VenueError, multi_assets: bool | VenueError) -> list[DoctorFinding]:
    """Judge position mode and asset mode."""
    found: list[DoctorFinding] = []
    if isinstance(hedge_mode, VenueError):
        found.append(unread("position mode", hedge_mode))
    elif hedge_mode:
        found.append(problem("position mode", "hedge mode: nothing is opened", f"choose one-way mode {MODES_PAGE}"))
    else:
        found.append(ok("position mode", "one-way"))
    if isinstance(multi_assets, VenueError):
        found.append(unread("asset mode", multi_assets))
    elif multi_assets:
        fix = f"choose single-asset mode {MODES_PAGE}"
        found.append(problem("asset mode", "multi-assets mode: nothing is opened", fix))
    else:
        found.append(ok("asset mode", "single-asset"))
    return found


def spot_reads_finding(error: VenueError | None) -> DoctorFinding:
    """Judge whether signed reads of the spot market work: they failed for weeks in 2026 (docs/aster-api.md 13, Q1)."""
    if error is None:
        return ok("spot account", "signed reads work")
    fix = "until then nothing can be opened; this has failed on the exchange's side before: try again later"
    return problem("spot account", f"signed reads fail ({error})", fix)


def fee_findings(
    fees: dict[Market, FeeRates | VenueError], documented: dict[Market, FeeRates], hours: float
) -> list[DoctorFinding]:
    """Judge commissions; ``hours`` is how long a hedge is held at most."""
    found: list[DoctorFinding] = []
    for market, rates in fees.items():
        if isinstance(rates, VenueError):
            used = documented[market].taker
            text = f"{market} commission could not be read ({rates}): {used:.4%} taker is assumed"
            found.append(warning("fees", text, "try again"))
        else:
            found.append(ok("fees", f"{market} taker {rates.taker:.4%}, maker {rates.maker:.4%}"))
    known = {market: documented[market] if isinstance(rates, VenueError) else rates for market, rates in fees.items()}
    return [*found, ok("fees", _round_trip(known, hours))]


def _round_trip(fees: dict[Market, FeeRates], hours: float) -> str:
    """Return what four taker fills cost, and the APR that pays for them until a hedge is too old."""
    cost = float(2 * sum(rates.taker for rates in fees.values()))
    needed = percent(cost * HOURS_A_YEAR / hours)
    return f"a round trip of four taker fills costs {percent(cost)} of a leg: {needed} APR pays for it in {hours:g} h"


def fee_coin_finding(trades: Sequence[TradeRow] | VenueError) -> DoctorFinding:
    """Judge in which coin fees are paid: no endpoint has the setting, recent trades show it (docs/aster-api.md 12)."""
    fix = "see on the exchange's account page that fees are not paid in another coin"
    if isinstance(trades, VenueError):
        return unread("fee coin", trades)
    if not trades:
        return warning("fee coin", "no spot trade within 7 days that would show in which coin fees are paid", fix)
    newest = trades[-1]
    if newest.commission_asset in {QUOTE_ASSET, newest.symbol.removesuffix(QUOTE_ASSET)}:
        return ok("fee coin", f"the last trade paid in {newest.commission_asset}")
    text = f"the last trade paid its fee in {newest.commission_asset}: the bot must be able to value it"
    return warning("fee coin", text, "switch that off on the exchange's account page")


def account_findings(
    account: AccountView | VenueError, ledger: Ledger | None, parameters: StrategyParameters
) -> list[DoctorFinding]:
    """Judge balances."""
    if isinstance(account, VenueError):
        return [unread("account", account)]
    held = ledger is not None and ledger.hedges
    spot, perp = account.spot_usdt, account.perp.transferable
    text = f"{spot:.2f} USDT on spot, {perp:.2f} USDT on perpetuals"
    limits = parameters.capital_management
    least, reserve = limits.min_capital_usd, limits.reserve_usd
    if held or spot + perp - reserve >= least:
        return [ok("balances", text)]
    without = f" without reserve_usd ({plain(reserve)})" if reserve else ""
    text = f"{text}: below the minimum of ${plain(least)}{without}"
    return [problem("balances", text, "deposit USDT, or wait")]


def position_findings(
    account: AccountView | VenueError,
    market: MarketView | VenueError,
    ledger: Ledger | None,
    adopt: AdoptMode,
    slots: int = 1,
) -> list[DoctorFinding]:
    """Return for every position what the first check of ``hedgerow run`` does with it, by the rules of that check."""
    if isinstance(account, VenueError):
        return []
    known = ledger or Ledger()
    others = [
        symbol for symbol, position in account.positions.items() if position.quantity and known.held(symbol) is None
    ]
    verdicts = reconcile(known, account, None if isinstance(market, VenueError) else market, adopt, slots)
    judged = {symbol for verdict in verdicts for symbol in symbols_of(verdict)}
    found = [_unjudged(account, symbol, first_actionable(verdicts)) for symbol in others if symbol not in judged]
    found += [_judged(verdict, account) for verdict in verdicts if symbols_of(verdict)]
    found += [_held(account, hedge.symbol, hedge.short) for hedge in known.live_hedges]
    return found


def _judged(verdict: Verdict, account: AccountView) -> DoctorFinding:
    halt = halt_for(verdict)
    if halt is not None:
        fix = "; ".join(f"hedgerow adopt {symbol}, or close it manually" for symbol in halt.symbols)
        return warning("positions", f"the first check halts openings: {halt.reason.value} ({halt.detail})", fix)
    (symbol,) = symbols_of(verdict)
    leverage = account.positions[symbol].leverage
    first = "" if leverage == 1 else f" once its leverage, now {leverage}x, is set to 1x"
    text = f"{symbol}: {plain(account.short(symbol))} short and its coins are not the bot's yet: the first check adopts"
    return warning("positions", f"{text} them{first}", f"close it manually, or set adopt to {AdoptMode.NEVER.value}")


def _unjudged(account: AccountView, symbol: str, verdict: Verdict) -> DoctorFinding:
    what = f"{symbol}: {plain(account.position_quantity(symbol))} is not the bot's"
    if isinstance(verdict, Unreadable):
        return warning("positions", f"{what}, and cannot be judged now ({verdict.what} unreadable)", "try again")
    if isinstance(verdict, InFlight):
        return warning("positions", f"{what}; it is judged once the trade in flight has ended", "hedgerow reconcile")
    text = f"{what}: the first check leaves it alone, and nothing is opened on that symbol"
    return warning("positions", text, f"hedgerow adopt {symbol}, or close it manually")


def _held(account: AccountView, symbol: str, short: Decimal) -> DoctorFinding:
    if account.short(symbol) == short:
        return ok("positions", f"{symbol}: the short is as the log says")
    text = f"{symbol}: the exchange shows a short of {plain(account.short(symbol))}, the log {plain(short)}"
    return problem("positions", text, "hedgerow reconcile")


def ledger_findings(ledger: Ledger | None) -> list[DoctorFinding]:
    """Judge the log."""
    if ledger is None:
        return [ok("log", "none yet: the bot has not run here")]
    found = [ok("log", f"readable, {ledger.events} events")]
    if ledger.shown_job is not None:
        text = f"a trade of {ledger.shown_job.symbol} is in flight ({ledger.shown_job.state.value})"
        found.append(warning("log", text, "hedgerow run finishes it, or hedgerow reconcile"))
    if ledger.halt is not None:
        text = f"openings are halted: {ledger.halt.reason.value} ({ledger.halt.detail})"
        lifts_itself = ledger.halt.lifts_itself
        remedy = (
            "the halt ends by itself once the cause is gone"
            if lifts_itself
            else "remove the cause, then hedgerow resume"
        )
        found.append(warning("log", text, remedy))
    return found


def scan_findings(seen: Scan | VenueError) -> list[DoctorFinding]:
    """Return the pair that would be traded, or why the best ones are refused."""
    if isinstance(seen, VenueError):
        return [unread("market", seen)]
    best = seen.best
    if best is not None and best.signal is not None:
        return [
            ok(
                "market",
                f"the best pair that passes every filter is {best.pair.symbol} at {percent(best.signal.apr)} APR",
            )
        ]
    found = [ok("market", "no pair passes every filter (hedgerow scan shows them all)")]
    why = [(row.pair.symbol, "; ".join(each.detail for each in row.refusals)) for row in seen.rows[:SHOWN_PAIRS]]
    return found + [ok("market", f"{symbol}: {text}") for symbol, text in why]


def order_findings(symbol: str, orders: Sequence[OpenOrder] | VenueError) -> list[DoctorFinding]:
    """Judge what rests on a symbol: the bot's own orders never do."""
    if isinstance(orders, VenueError):
        return [unread(f"open orders on {symbol}", orders)]
    if not orders:
        return []
    text = f"{len(orders)} on {symbol} that are not the bot's: while they rest it opens nothing there"
    return [warning("open orders", text, "cancel them, or let them be filled")]


def hosts_of(hosts: Hosts) -> Iterable[tuple[str, str]]:
    """Return every address once, with what it is for."""
    named = {getattr(hosts, name): name.replace("_", " ") for name in reversed(hosts.__struct_fields__[:-1])}
    return [(name, address) for address, name in reversed(named.items())]
