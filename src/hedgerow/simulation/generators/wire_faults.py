"""Draws faults of the wire: requests, streams, network cuts, wrong clocks."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import chain
from random import Random

from msgspec.structs import replace

from hedgerow.domain.instrument import Market
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import VenueFault
from hedgerow.emulator.wire.rest.failures import ErrorShape
from hedgerow.emulator.wire.rest.faults import MessageFaultKind, RequestFault, StreamFault
from hedgerow.emulator.wire.rest.mutations import FIELD_MUTATIONS, Mutation
from hedgerow.simulation.faults.wire import (
    Cut,
    DeadKey,
    LaggingAccount,
    NetworkFault,
    RequestFaultAct,
    StoppedBooks,
    StreamFaultAct,
    WrongClock,
)
from hedgerow.simulation.generators.faults import COMMON, Draw, relabelled
from hedgerow.simulation.scenario import Fault, Hearing, RunPlan, Transport

__all__ = ["UNDECIDED_CODES", "drawn_for_wire"]

FAULTS_PER_HOUR = 2.0
COMMON_SHARE = 1 / 3
"""Share of the faults that every run has: of the market, of the owner, crashes."""
ORDERS = ("/fapi/v3/order", "/api/v3/order", "/v3/order")
READS = (
    "",
    "account",
    "order",
    "openOrders",
    "allOrders",
    "userTrades",
    "income",
    "transactionHistory",
    "depth",
    "ticker/bookTicker",
    "premiumIndex",
    "exchangeInfo",
    "fundingRate",
    "balance",
    "/v3/time",
)
CANCELS = "DELETE"
OTHERS = ("noop", CANCELS, "asset/wallet/transfer", "leverage", "marginType", "listenKey", "countdownCancelAll")
ON_ORDERS = (
    FaultKind.HTML_500,
    FaultKind.UNAVAILABLE_BEFORE,
    FaultKind.UNAVAILABLE_AFTER,
    FaultKind.SILENT_BEFORE,
    FaultKind.SILENT_AFTER,
    FaultKind.CUT_BEFORE,
    FaultKind.CUT_AFTER,
    FaultKind.LATE,
    FaultKind.NONCE_EXPIRED,
    FaultKind.REJECT,
    FaultKind.ORDER_LIMIT,
    FaultKind.SLOW,
    FaultKind.ABSORB,
    FaultKind.PARTIAL,
)
ON_READS = (
    FaultKind.HTML_500,
    FaultKind.UNAVAILABLE_BEFORE,
    FaultKind.SILENT_BEFORE,
    FaultKind.CUT_AFTER,
    FaultKind.NONCE_EXPIRED,
    FaultKind.RATE_LIMITED,
    FaultKind.SLOW,
)
ON_MESSAGES = (MessageFaultKind.LOSE, MessageFaultKind.DUPLICATE, MessageFaultKind.DELAY, MessageFaultKind.DISCONNECT)
CONSISTENT = {FaultKind.BANNED, FaultKind.NONCE_EXPIRED}
"""What an exchange does to all requests or to none: one that refuses now this nonce, now that one, would be lying."""
CODES = (-4024, -2019, -4003, -2015, -1000, -1121, -2022)
"""Price, margin, quantity, permission, unknown, symbol, reduce-only."""
TOPICS = (
    "",
    "ORDER_TRADE_UPDATE",
    "executionReport",
    "ACCOUNT_UPDATE",
    "outboundAccountPosition",
    "markPrice",
    "bookTicker",
)


REWRITTEN: Sequence[tuple[str, Sequence[str]]] = (
    (
        "accountWithJoinMargin",
        ("", "positions", "assets", "positions.*", "positions.*.positionAmt", "positions.*.leverage"),
    ),
    ("/api/v3/account", ("", "balances", "balances.*", "balances.*.free", "balances.*.locked")),
    ("positionRisk", ("", "*", "*.positionAmt", "*.markPrice", "*.liquidationPrice")),
    ("premiumIndex", ("", "*", "*.markPrice", "*.indexPrice", "*.lastFundingRate", "*.nextFundingTime")),
    ("ticker/bookTicker", ("", "*", "*.bidPrice", "*.askPrice")),
    ("depth", ("", "bids", "asks", "bids.0.0", "asks.0.0")),
    ("openOrders", ("", "*")),
    ("userTrades", ("", "*", "*.qty", "*.price", "*.commission")),
    ("income", ("", "*", "*.income", "*.time")),
    ("exchangeInfo", ("", "symbols", "symbols.*.status", "symbols.*.filters")),
    ("fundingRate", ("", "*", "*.fundingRate", "*.fundingTime")),
    ("/v3/order", ("", "executedQty", "status", "avgPrice", "updateTime")),
)
"""Replies that a bot decides by, and what of each is changed: the whole, its lists, rows or fields."""


MESSAGES: Sequence[tuple[str, Sequence[str]]] = (
    ("markPrice", ("", "*", "*.p", "*.i", "*.r", "*.T")),
    ("bookTicker", ("", "b", "a", "B", "A")),
    ("depth", ("b", "a", "b.0.0", "a.0.0")),
    ("ORDER_TRADE_UPDATE", ("", "o", "o.z", "o.X", "o.ap", "o.c", "o.i", "T")),
    ("executionReport", ("", "z", "X", "Z", "c", "i", "E")),
    ("ACCOUNT_UPDATE", ("a", "a.B", "a.P", "a.B.*.wb", "a.P.*.pa", "a.P.*.ep")),
    ("outboundAccountPosition", ("B", "B.*.f", "B.*.l", "B.*.a")),
)
"""Messages that a bot reads, and what of each is changed."""
UNDECIDED_CODES = (-1000, -1001, -1006, -1007, -1008, -1016)
"""Refusals that leave open whether the request was carried out (docs/aster-api.md 9)."""


def drawn_for_wire(plan: RunPlan, *, faults: bool) -> RunPlan:
    """Return a run of the same account and market through the wire: hedges held more briefly, faults of the wire."""
    random = Random(f"wire/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
    management = replace(
        plan.parameters.position_management,
        max_position_age_hours=random.choice((0.1, 0.25, 0.6)),
        loop_interval_seconds=random.choice((60.0, 150.0, 300.0)),
        fee_coverage_multiplier=1000,
    )
    wired = replace(
        plan,
        transport=Transport.WIRE,
        drawn_faults=(),
        parameters=replace(plan.parameters, position_management=management),
        hearing=random.choice((Hearing.ALL, Hearing.ACCOUNT, Hearing.ACCOUNT, Hearing.NOTHING)),
        spot_delay_seconds=random.choice((0.0, 0.02, 0.3)),
        hide_orders_seconds=random.choice((0.0, 0.0, 0.5)) if faults else 0.0,
    )
    if not faults:
        return wired
    count = max(1, round(plan.days * 24 * FAULTS_PER_HOUR * random.uniform(0.3, 1.7)))
    draw = Draw(random, wired)
    drawn = (_common(draw) if random.random() < COMMON_SHARE else _of_wire(draw) for _ in range(count))
    drawn_faults = tuple(chain.from_iterable(drawn))
    # A source of its own: what a seed draws otherwise stays as it is.
    more = Random(f"wire answers/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
    chosen = more.choices(ANSWERS, [weight for _, weight in ANSWERS], k=max(1, round(count * ANSWERS_SHARE)))
    return replace(wired, drawn_faults=(*drawn_faults, *(choose(Draw(more, wired)) for choose, _ in chosen)))


def _common(draw: Draw) -> tuple[Fault, ...]:
    """Draw what happens over every transport; a storm's overload comes as answers of the wire."""
    choose, _ = draw.random.choices(COMMON, [weight for _, weight in COMMON])[0]
    found = choose(draw)
    parts = found if isinstance(found, tuple) else (found,)
    return tuple(chain.from_iterable(_overload(part) if isinstance(part, VenueFault) else (part,) for part in parts))


def _overload(venue_fault: VenueFault) -> tuple[Fault, ...]:
    kinds = (FaultKind.UNAVAILABLE_BEFORE, FaultKind.UNAVAILABLE_AFTER)
    return tuple(
        RequestFaultAct(at=venue_fault.after, fault=RequestFault(fault=kind, chance=0.25, until=venue_fault.until))
        for kind in kinds
    )


def _of_wire(draw: Draw) -> tuple[Fault, ...]:
    choose, _ = draw.random.choices(KINDS, [weight for _, weight in KINDS])[0]
    return (choose(draw),)


def _order(draw: Draw) -> RequestFaultAct:
    random = draw.random
    fault = RequestFault(
        fault=random.choice(ON_ORDERS),
        path=random.choice(ORDERS),
        method="POST",
        contains=random.choice(("", "", "side=BUY", "side=SELL")),
        nth=random.randint(1, 8),
        times=random.choice((1, 1, 1, 2, 3, 12, 60)),
        chance=random.choice((1.0, 1.0, 0.5)),
        seconds=round(random.uniform(0.1, 30.0), 3),
        code=random.choice(CODES),
        fraction=draw.fraction("0.1", "0.5", "0.9"),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


def _read(draw: Draw) -> RequestFaultAct:
    random = draw.random
    fault = RequestFault(
        fault=random.choice(ON_READS),
        path=random.choice(READS),
        method="GET",
        chance=random.choice((1.0, 0.5, 0.2)),
        for_seconds=round(random.choice((10.0, 120.0, 900.0)) * random.random(), 3),
        seconds=round(random.uniform(0.1, 8.0), 3),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


def _other(draw: Draw) -> RequestFaultAct:
    random = draw.random
    other = random.choice(OTHERS)
    faults = set(ON_ORDERS) - {FaultKind.ABSORB, FaultKind.PARTIAL, FaultKind.REJECT, FaultKind.NONCE_EXPIRED}
    fault = RequestFault(
        fault=random.choice(sorted(faults)),
        path="/v3/order" if other == CANCELS else other,
        method=CANCELS if other == CANCELS else "",
        nth=random.randint(1, 4),
        times=random.choice((1, 2, 5)),
        seconds=round(random.uniform(0.1, 30.0), 3),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


def _everything(draw: Draw) -> RequestFaultAct:
    """Let the whole exchange fail: a ban, limits, a web page, or answers at random."""
    random = draw.random
    kinds = (FaultKind.BANNED, FaultKind.RATE_LIMITED, FaultKind.ORDER_LIMIT, *ON_READS)
    fault = random.choice(kinds)
    return RequestFaultAct(
        at=draw.at,
        fault=RequestFault(
            fault=fault,
            path="/v3/order" if fault is FaultKind.ORDER_LIMIT else "",
            method="POST" if fault is FaultKind.ORDER_LIMIT else "",
            chance=1.0 if fault in CONSISTENT else random.choice((1.0, 0.5)),
            for_seconds=round(random.choice((20.0, 300.0, 1200.0)) * random.random(), 3),
            seconds=round(random.uniform(0.1, 8.0), 3) if fault is FaultKind.SLOW else 0.0,
        ),
    )


def _stream(draw: Draw) -> StreamFaultAct:
    random = draw.random
    fault = StreamFault(
        fault=random.choice(ON_MESSAGES),
        stream=random.choice(TOPICS),
        chance=random.choice((1.0, 0.3)),
        for_seconds=round(random.choice((60.0, 1800.0)) * random.random(), 3),
    )
    return StreamFaultAct(at=draw.at, fault=fault)


def _cut(draw: Draw) -> Cut:
    random = draw.random
    at = draw.at
    return Cut(
        at=at,
        until=at + timedelta(seconds=round(2.0 * 300.0 ** random.random(), 3)),
        network_fault=random.choice(tuple(NetworkFault)),
    )


def _clock(draw: Draw) -> WrongClock:
    at, until = draw.window(900)
    return WrongClock(at=at, until=until, seconds=round(draw.random.choice((-90.0, -20.0, 5.0, 20.0, 90.0)), 3))


def _lag(draw: Draw) -> LaggingAccount:
    at, until = draw.window(draw.random.choice((120.0, 1800.0)))
    return LaggingAccount(at=at, until=until, seconds=round(draw.random.uniform(0.5, 6.0), 3))


def _books(draw: Draw) -> StoppedBooks:
    at, until = draw.window(600)
    return StoppedBooks(at=at, until=until)


def _key(draw: Draw) -> DeadKey:
    return DeadKey(at=draw.at, market=draw.random.choice(tuple(Market)), announced=draw.random.random() < 1 / 2)


def _rewrite(draw: Draw) -> RequestFaultAct:
    """Let replies of one endpoint lie, for seconds or minutes: rows left out, fields absent, null or out of range."""
    random = draw.random
    path, fields = random.choice(REWRITTEN)
    field = random.choice(fields)
    fault = RequestFault(
        fault=FaultKind.REWRITE,
        path=path,
        method="GET",
        mutation=random.choice(FIELD_MUTATIONS if field else (Mutation.EMPTY, Mutation.TRUNCATED, Mutation.WEB_PAGE)),
        field=field,
        chance=random.choice((1.0, 1.0, 0.5)),
        for_seconds=round(random.choice((3.0, 60.0, 600.0)) * random.random(), 3),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


def _nothing_to_change(draw: Draw) -> RequestFaultAct:
    """Let the venue refuse margin types that are right already."""
    fault = RequestFault(
        fault=FaultKind.REJECT,
        path="marginType",
        method="POST",
        code=-4067,
        message="Position side cannot be changed if there exists open orders.",
        times=draw.random.choice((1, 3, 0)),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


def _idle_noop(draw: Draw) -> RequestFaultAct:
    """Let a noop answer success and kill nothing, and an order without an answer land later."""
    fault = RequestFault(fault=FaultKind.IDLE_NOOP, path="noop", for_seconds=round(draw.random.uniform(60, 1800), 3))
    return RequestFaultAct(at=draw.at, fault=fault)


def _late_rows(draw: Draw) -> RequestFaultAct:
    """Let a list lack its newest rows."""
    random = draw.random
    fault = RequestFault(
        fault=FaultKind.LATE_ROWS,
        path=random.choice(("income", "userTrades", "fundingRate")),
        method="GET",
        seconds=round(random.uniform(1, 900), 3),
        for_seconds=round(random.uniform(60, 3600), 3),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


def _page(draw: Draw) -> RequestFaultAct:
    """Let a web page answer instead of the exchange, before or after a request was carried out."""
    random = draw.random
    fault = RequestFault(
        fault=random.choice((FaultKind.PAGE_BEFORE, FaultKind.PAGE_AFTER)),
        path=random.choice(("", *ORDERS)),
        status=random.choice((302, 403, 404, 408, 415, 499)),
        times=random.choice((1, 3, 20)),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


def _rewritten_message(draw: Draw) -> StreamFaultAct:
    """Let messages of one stream lie, for seconds or minutes."""
    random = draw.random
    stream, fields = random.choice(MESSAGES)
    field = random.choice(fields)
    fault = StreamFault(
        fault=MessageFaultKind.REWRITE,
        stream=stream,
        mutation=random.choice(
            FIELD_MUTATIONS if field else (Mutation.EMPTY, Mutation.TRUNCATED, Mutation.INVALID_UTF8)
        ),
        field=field,
        chance=random.choice((1.0, 1.0, 0.3)),
        for_seconds=round(random.choice((3.0, 60.0, 600.0)) * random.random(), 3),
    )
    return StreamFaultAct(at=draw.at, fault=fault)


def _no_funding_terms(draw: Draw) -> RequestFaultAct:
    """Let interval, cap and floor of every pair's funding be null for a while."""
    seconds = round(draw.random.uniform(60, 3600), 3)
    fault = RequestFault(fault=FaultKind.NULL_FUNDING, path="fundingInfo", method="GET", for_seconds=seconds)
    return RequestFaultAct(at=draw.at, fault=fault)


def _undecided_refusal(draw: Draw) -> RequestFaultAct:
    """Let a write be carried out and refused all the same, with a code that leaves open which of both happened.

    A refusal that says for certain that nothing was done is never one after execution: that would be a lie about an
    order it has called final, which no client could find out in time.
    """
    random = draw.random
    fault = RequestFault(
        fault=FaultKind.REJECT_AFTER,
        path=random.choice((*ORDERS, "asset/wallet/transfer", "leverage")),
        method=random.choice(("POST", "POST", CANCELS)),
        code=random.choice(UNDECIDED_CODES),
        error_shape=random.choice(tuple(ErrorShape)),
        status=random.choice((400, 408, 500, 504)),
        nth=random.randint(1, 6),
        times=random.choice((1, 2, 8)),
    )
    return RequestFaultAct(at=draw.at, fault=fault)


ANSWERS_SHARE = 1 / 8
"""Of those below for each other fault."""
ANSWERS: Sequence[tuple[Callable[[Draw], Fault], int]] = (
    (_rewritten_message, 5),
    (_no_funding_terms, 1),
    (_undecided_refusal, 4),
    (relabelled, 1),
)
"""How often each kind is drawn, relative to the others here."""
KINDS: Sequence[tuple[Callable[[Draw], Fault], int]] = (
    (_order, 16),
    (_read, 6),
    (_other, 4),
    (_everything, 4),
    (_stream, 5),
    (_cut, 5),
    (_clock, 1),
    (_lag, 2),
    (_books, 2),
    (_key, 2),
    (_rewrite, 10),
    (_nothing_to_change, 1),
    (_idle_noop, 1),
    (_late_rows, 2),
    (_page, 2),
)
"""How often each kind of fault is drawn, relative to the others."""
