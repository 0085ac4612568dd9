"""What Prometheus scrapes: every series with its meaning and its value of a view. Pure.

Money is in quote units, ratios are fractions, times are seconds. A value that is not known has no sample: never zero.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from hedgerow.dashboard.bot_state import BotState, ProcessState, Severity
from hedgerow.dashboard.view import HedgeView, View

__all__ = ["SERIES", "Sample", "Series", "SeriesKind", "bot_label"]


class SeriesKind(StrEnum):
    """What a series is to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """Only grows, over the life of the log."""


class Sample(Struct, frozen=True):
    """A value and the labels of its own, in the order of the series."""

    value: float
    labels: tuple[str, ...] = ()


Value: TypeAlias = Callable[[View], Iterable[Sample]]


class Series(Struct, frozen=True, kw_only=True):
    """One series."""

    name: str
    help: str
    value: Value
    labels: tuple[str, ...] = ()
    """Beside ``bot``."""
    kind: SeriesKind = SeriesKind.GAUGE


def bot_label(view: View) -> str:
    """Return the name of a bot: its home folder and its mode; no account, no key."""
    identity = view.identity
    mode = identity.mode.value.lower().replace(" ", "-") if identity.mode else ""
    return f"{identity.name or 'bot'}{f'-{mode}' if mode and mode != 'live' else ''}"


_Number: TypeAlias = Decimal | float | int | timedelta | None


def _float(value: Decimal | float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _one(number: Callable[[View], _Number]) -> Value:
    """Return a series of one sample; none where its number is not known."""

    def value(view: View) -> Iterator[Sample]:
        found = number(view)
        if found is not None:
            yield Sample(_float(found))

    return value


def _each(number: Callable[[HedgeView, datetime], _Number]) -> Value:
    """Return a series of one sample for each hedge of which its number is known."""

    def value(view: View) -> Iterator[Sample]:
        for hedge in view.hedges:
            found = number(hedge, view.times.now)
            if found is not None:
                yield Sample(_float(found), (hedge.symbol,))

    return value


def _since(at: datetime | None, view: View) -> timedelta | None:
    return None if at is None else max(view.times.now - at, timedelta())


def _states(view: View) -> Iterator[Sample]:
    for state in BotState:
        yield Sample(float(state is view.report.state), (state.value,))


def _info(view: View) -> Iterator[Sample]:
    identity = view.identity
    mode = identity.mode.value if identity.mode else ""
    yield Sample(1.0, (identity.version, mode, identity.policy, identity.venue, identity.network))


def _free(view: View) -> Iterator[Sample]:
    for wallet, value in (("spot", view.totals.free_spot), ("perp", view.totals.free_perp)):
        if value is not None:
            yield Sample(float(value), (wallet,))


def _halts(view: View) -> Iterator[Sample]:
    for halt in view.halts:
        yield Sample(1.0, (halt.reason,))


def _differences(view: View) -> Iterator[Sample]:
    for place, value in sorted(view.health.differences.items()):
        yield Sample(float(value), (place,))


def _naked(view: View) -> timedelta:
    naked = view.report.naked
    return timedelta() if naked is None else max(view.times.now - naked.since, timedelta())


def _naked_usd(view: View) -> Decimal | None:
    naked = view.report.naked
    return Decimal(0) if naked is None else naked.notional


_SYMBOL: Final = ("symbol",)
SERIES: Final = (
    Series(
        name="hedgerow_info",
        help="1, with version, mode, policy, venue and network as labels",
        labels=("version", "mode", "policy", "venue", "network"),
        value=_info,
    ),
    Series(
        name="hedgerow_up",
        help="1 while the process runs and its heartbeat is young, else 0",
        value=_one(lambda view: float(view.process.state is ProcessState.RUNNING)),
    ),
    Series(name="hedgerow_state", help="1 for the state it is in, 0 for each other", labels=("state",), value=_states),
    Series(
        name="hedgerow_severity",
        help="how urgently a person should look: 0 ok, 1 a trade is in flight, 2 warning, 3 alarm",
        value=_one(lambda view: list(Severity).index(view.report.severity)),
    ),
    Series(
        name="hedgerow_heartbeat_age_seconds",
        help="since the last heartbeat",
        value=_one(lambda view: _since(view.process.last_beat, view)),
    ),
    Series(
        name="hedgerow_check_age_seconds",
        help="since the last check ended",
        value=_one(lambda view: _since(view.times.checked_at, view)),
    ),
    Series(
        name="hedgerow_reading_age_seconds",
        help="since market and account were read",
        value=_one(lambda view: _since(view.times.read_at, view)),
    ),
    Series(
        name="hedgerow_blind_seconds",
        help="for how long market or account cannot be read; 0 while they can",
        value=_one(lambda view: _since(view.times.blind_since, view) or timedelta()),
    ),
    Series(
        name="hedgerow_halted",
        help="1 while openings are halted for that reason; no sample while they are allowed",
        labels=("reason",),
        value=_halts,
    ),
    Series(
        name="hedgerow_naked_seconds",
        help="for how long the legs have differed by more than is tolerated; 0 while they match",
        value=_one(_naked),
    ),
    Series(
        name="hedgerow_naked_usd",
        help="what one leg has more than the other while they differ",
        value=_one(_naked_usd),
    ),
    Series(
        name="hedgerow_longest_naked_seconds",
        help="longest time that the legs differed, of the whole log",
        value=_one(lambda view: view.totals.longest_naked_seconds),
    ),
    Series(
        name="hedgerow_hedges",
        help="hedges that own coins or a short now",
        value=_one(lambda view: len(view.hedges)),
    ),
    Series(
        name="hedgerow_hedge_notional_usd",
        help="one leg at entry",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.entry_notional),
    ),
    Series(
        name="hedgerow_hedge_age_seconds",
        help="since it was opened",
        labels=_SYMBOL,
        value=_each(lambda hedge, now: max(now - hedge.opened_at, timedelta())),
    ),
    Series(
        name="hedgerow_hedge_difference_ratio",
        help="by how much the coins exceed the short, of the larger leg",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.difference.fraction if hedge.difference else None),
    ),
    Series(
        name="hedgerow_hedge_difference_usd",
        help="the same in quote units",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.difference.value if hedge.difference else None),
    ),
    Series(
        name="hedgerow_hedge_liquidation_distance_ratio",
        help="from the mark to the liquidation price, of the mark; no sample where it is out of reach",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.liquidation_distance),
    ),
    Series(
        name="hedgerow_hedge_net_if_closed_usd",
        help="result of closing it now, after all fees",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.result.net_if_closed if hedge.result else None),
    ),
    Series(
        name="hedgerow_hedge_funding_usd",
        help="funding received since it was opened",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.funding_received),
    ),
    Series(
        name="hedgerow_hedge_basis_usd",
        help="both legs before fees and funding",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.result.basis if hedge.result else None),
    ),
    Series(
        name="hedgerow_hedge_fees_usd",
        help="fees paid",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.fees_paid),
    ),
    Series(
        name="hedgerow_hedge_exit_cost_usd",
        help="fees and spread of closing it now",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.result.exit_cost if hedge.result else None),
    ),
    Series(
        name="hedgerow_hedge_next_payment_usd",
        help="the next funding payment as announced; negative = paid by the short",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.funding.next.amount if hedge.funding.next else None),
    ),
    Series(
        name="hedgerow_hedge_next_payment_seconds",
        help="until the next funding payment",
        labels=_SYMBOL,
        value=_each(lambda hedge, now: max(hedge.funding.next.at - now, timedelta()) if hedge.funding.next else None),
    ),
    Series(
        name="hedgerow_hedge_funding_rate_ratio",
        help="announced rate of the next payment, of the notional, per interval",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.funding.next.rate if hedge.funding.next else None),
    ),
    Series(
        name="hedgerow_hedge_apr_ratio",
        help="APR of the signal on one leg",
        labels=_SYMBOL,
        value=_each(lambda hedge, _: hedge.funding.apr_on_leg),
    ),
    Series(
        name="hedgerow_equity_usd",
        help="what the strategy is worth",
        value=_one(lambda view: view.totals.equity),
    ),
    Series(name="hedgerow_free_usd", help="free USDT", labels=("wallet",), value=_free),
    Series(
        name="hedgerow_net_usd",
        help="result since the log began if everything were closed now, without dust that has no price",
        value=_one(lambda view: view.totals.net_if_closed),
    ),
    Series(
        name="hedgerow_closed_net_usd",
        help="result of the hedges that ended: funding + basis - fees",
        value=_one(lambda view: view.totals.net_closed),
    ),
    Series(
        name="hedgerow_closed_funding_usd",
        help="funding of the hedges that ended",
        value=_one(lambda view: view.totals.funding),
    ),
    Series(
        name="hedgerow_closed_fees_usd",
        help="fees of the hedges that ended",
        value=_one(lambda view: view.totals.fees),
    ),
    Series(
        name="hedgerow_hedges_opened",
        help="hedges that were opened",
        kind=SeriesKind.COUNTER,
        value=_one(lambda view: view.totals.opened),
    ),
    Series(
        name="hedgerow_hedges_closed",
        help="hedges that ended",
        kind=SeriesKind.COUNTER,
        value=_one(lambda view: view.totals.closed),
    ),
    Series(
        name="hedgerow_openings_aborted",
        help="openings that ended flat",
        kind=SeriesKind.COUNTER,
        value=_one(lambda view: view.totals.aborted),
    ),
    Series(
        name="hedgerow_checks",
        help="checks that ended",
        kind=SeriesKind.COUNTER,
        value=_one(lambda view: view.totals.cycles),
    ),
    Series(
        name="hedgerow_pairs_enterable",
        help="pairs that pass every entry filter but depth",
        value=_one(lambda view: sum(row.may_enter for row in view.pairs) if view.pairs else None),
    ),
    Series(
        name="hedgerow_books_difference",
        help="what the exchange shows more than the books, in units of the asset, while they differ",
        labels=("place",),
        value=_differences,
    ),
    Series(
        name="hedgerow_doubtful_orders",
        help="orders whose outcome is not certain",
        value=_one(lambda view: view.health.doubtful_orders),
    ),
    Series(
        name="hedgerow_clock_skew_seconds",
        help="by how much the exchange's clock is ahead",
        value=_one(lambda view: view.health.clock_skew_seconds),
    ),
    Series(
        name="hedgerow_key_expires_seconds",
        help="until the agent key expires; no sample where it does not",
        value=_one(lambda view: view.health.key_expires_at - view.times.now if view.health.key_expires_at else None),
    ),
)
"""In the order of the documentation; the name of a counter ends with ``_total`` where it is scraped."""
