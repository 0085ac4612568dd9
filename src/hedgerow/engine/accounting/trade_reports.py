"""Trade reports that contradict their order wait for later readings that agree."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.engine.accounting.doubts import Doubts
from hedgerow.engine.journal import Journal
from hedgerow.ports import Clock
from hedgerow.strategy.evidence.trade_reports import average_entry, contradiction, expected_pnl, unusual

__all__ = ["TradeReports"]

UNUSUAL_SECONDS, CONTRADICTION_SECONDS = 60.0, 3600.0
"""How long readings have to say the same: of a trade that would be most unusual, and of one that cannot be so."""


class TradeReports:
    """Decides which reports may be booked now; what it remembers may be lost without harm."""

    def __init__(self, *, journal: Journal, clock: Clock) -> None:
        self._doubts = Doubts(journal=journal, clock=clock)

    def trusted(
        self, hedge: HedgedPosition, record: OrderRecord, fills: Sequence[Fill], fees: Mapping[str, Decimal]
    ) -> list[Fill]:
        """Return the reports of one order that may be booked; ``fees`` are their commissions in quote units by key."""
        wrong = contradiction(record, fills)
        if wrong is not None:
            wrong, key = f"{hedge.symbol}: {wrong}", record.request.client_id
            return list(fills) if self._doubts.outlasted(key, tuple(fills), CONTRADICTION_SECONDS, wrong) else []
        rates = hedge.pair.instrument(record.request.market).fees
        entry_price = average_entry(hedge.orders, record)
        trusted: list[Fill] = []
        for fill in fills:
            text = unusual(
                fill,
                fees[fill.key],
                expected_rate=record.fee_rate,
                may_be_free=min(rates.maker, rates.taker, record.fee_rate) <= 0,
                pnl=expected_pnl(record, fill, entry_price),
            )
            if text is None or self._doubts.outlasted(fill.key, fill, UNUSUAL_SECONDS, f"{hedge.symbol}: {text}"):
                trusted.append(fill)
        return trusted
