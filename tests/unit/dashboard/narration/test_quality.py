"""Words for how well a job was carried out."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.dashboard.narration.events import quality_lines
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain import events as ev
from hedgerow.domain.execution_quality import ExecutionQuality, LegQuality
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import OrderRequest, OrderStatus, TimeInForce
from hedgerow.domain.position import OrderRecord, Reason
from support.golden_cases import AT, HEDGE, HEDGE_ID, notice_of
from support.views import fill, ledger_of, opening_of

QUALITY = ExecutionQuality(
    spot=LegQuality(arrival=Decimal(100), filled=Decimal(10), shortfall=Decimal("-0.1")),
    perp=LegQuality(arrival=Decimal(100), filled=Decimal(10), shortfall=Decimal("0.35")),
    fill_ratio=Decimal("0.9875"),
    seconds=61.25,
    worst_naked_seconds=0.44,
    naked_seconds=1.61,
    largest_exposure=Decimal("118.004"),
    orders=9,
    maker_share=Decimal("0.4512"),
)
LINES = [
    "  Execution: 9 orders, 98.75% filled, 45.12% by resting in 61.2 s",
    "  Slippage from arrival: spot $-0.1000 (-1.00 bp), perp $0.3500 (3.50 bp)",
    "  Unhedged: 0.4 s at worst, 1.6 s in all, at most $118.00",
]


def texts(quality: ExecutionQuality | None) -> list[str]:
    return [line.text for line in quality_lines(quality)]


def test_what_trading_cost_and_how_long_the_legs_differed_is_reported() -> None:
    assert texts(QUALITY) == LINES


def test_a_leg_that_was_not_traded_or_never_seen_is_no_number() -> None:
    blind = replace(QUALITY, spot=LegQuality(filled=Decimal(1)), perp=LegQuality(), maker_share=Decimal(0))
    assert texts(blind)[:2] == [
        "  Execution: 9 orders, 98.75% filled in 61.2 s",
        "  Slippage from arrival: spot unknown, perp not traded",
    ]


def test_nothing_is_reported_of_a_job_that_sent_no_order_or_was_not_measured() -> None:
    assert texts(None) == texts(ExecutionQuality()) == []


def test_the_lines_stand_at_the_end_of_the_guides_blocks() -> None:
    opened = notice_of(ev.HedgeOpened(at=AT, hedge_id=HEDGE_ID, quality=QUALITY), opening_of(HEDGE))
    closed = notice_of(
        ev.HedgeClosed(at=AT, hedge_id=HEDGE_ID, reason=Reason.MAX_AGE, quality=QUALITY), ledger_of(HEDGE)
    )
    for notice, before in ((opened, "Total positions opened"), (closed, "Total positions closed")):
        reported = [line.text for line in narrate(notice)]
        assert reported[-3:] == LINES
        assert before in reported[-4]


def test_a_hedge_remembers_how_it_was_opened_and_closed() -> None:
    opened = notice_of(ev.HedgeOpened(at=AT, hedge_id=HEDGE_ID, quality=QUALITY), opening_of(HEDGE)).after
    assert opened.largest is not None
    assert opened.largest.opening_quality == QUALITY
    closing = ev.HedgeClosed(at=AT, hedge_id=HEDGE_ID, reason=Reason.MAX_AGE, quality=QUALITY)
    assert notice_of(closing, opened).after.closed[-1].quality == QUALITY


def test_an_order_that_was_moved_with_nothing_filled_is_not_reported() -> None:
    request = OrderRequest(
        client_id="h-s-1",
        market=Market.SPOT,
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(100),
        time_in_force=TimeInForce.GTX,
    )
    record = OrderRecord(request=request, hedge_id=HEDGE_ID, fee_rate=Decimal(0), issued_at=AT)
    before = Ledger(orders={"h-s-1": record})
    end = ev.OrderEnded(at=AT, client_id="h-s-1", order_id=1, status=OrderStatus.CANCELED)
    assert narrate(notice_of(end, before)) == ()
    part = replace(end, filled_quantity=Decimal("0.5"), filled_notional=Decimal(50))
    assert [line.text for line in narrate(notice_of(part, before))] == [
        "  Spot BUY 1 BTCUSDT: filled 0.5 of 1 at $100.00"
    ]


def test_the_cost_of_an_attempt_is_followed_by_how_it_was_made() -> None:
    record = OrderRecord.of_fill(fill(Market.SPOT, Side.BUY, "1"), hedge_id=HEDGE_ID, base="BTC", fee_quote=Decimal(0))
    aborted = ev.HedgeAborted(at=AT, hedge_id=HEDGE_ID, reason=Reason.UNWOUND, detail="", quality=QUALITY)
    reported = narrate(notice_of(aborted, opening_of(replace(HEDGE, orders=(record,)))))
    assert [line.text for line in reported][-3:] == LINES
