"""The guide's example as notices: its symbols, its times, its numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hedgerow.domain import events as ev
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionPlan, ExecutionState, HedgeExecution
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.ledger.books import BookLine, Books
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import ImportedState, Ledger, Totals
from hedgerow.domain.position import HedgedPosition, Reason, Tally
from hedgerow.domain.run_identity import RunIdentity, RunMode
from hedgerow.engine import notices as mo
from hedgerow.strategy import observation as ob
from hedgerow.strategy.decisions import verdicts as vd
from hedgerow.strategy.hedge_result import HedgeResult
from hedgerow.strategy.parameters import CapitalManagement, StrategyParameters
from support.views import ledger_of, pair_of

__all__ = [
    "AT",
    "BTC",
    "ETH",
    "GOLDEN_CASES",
    "HEDGE",
    "HEDGE_ID",
    "IDENTITY",
    "PLAN",
    "adopted",
    "candidate",
    "decided",
    "evaluation",
    "hedge",
    "job",
    "notice_of",
    "opportunity",
    "reconciled",
    "recorded",
    "signal",
    "started",
]

AT = datetime(2025, 1, 15, 18, 45, 10, 789012, tzinfo=UTC)
OPENED = datetime(2025, 1, 15, 14, 30, 22, 123456, tzinfo=UTC)
BTC, ETH = pair_of("BTCUSDT"), pair_of("ETHUSDT")
HEDGE_ID = "1hn2k3abcd"
IDENTITY = RunIdentity(
    mode=RunMode.LIVE,
    network="mainnet",
    account="0x1234...cdef",
    home="/home/bot",
    config_file="/home/bot/config_volume_farming_strategy.json",
    version="1.2.3",
    capital_fraction=Decimal("0.95"),
    max_capital_usd=Decimal(500),
)
PLAN = ExecutionPlan(spot_quantity=Decimal("0.00362"), perp_quantity=Decimal("0.00362"), slice_notional=Decimal(100))


def hedge(**changes: Any) -> HedgedPosition:
    """Return the guide's position on BTCUSDT."""
    values: dict[str, Any] = {
        "hedge_id": HEDGE_ID,
        "pair": BTC,
        "opened_at": OPENED,
        "counted_from": OPENED,
        "entry_rate": 0.000123,
        "entry_apr": 0.4532,
        "entry_notional": Decimal(250),
        "entry_fees": Decimal("0.50"),
        "tally": Tally(
            spot_quantity=Decimal("0.00362"),
            perp_quantity=Decimal("-0.00362"),
            spot_bought=Decimal(250),
            perp_sold=Decimal(250),
            fees=Decimal("0.50"),
        ),
        "funding_received": Decimal("0.0856"),
        "funding_payments": 4,
    }
    return HedgedPosition(**{**values, **changes})


HEDGE = hedge()


def notice_of(event: ev.Event, before: Ledger | None = None) -> mo.Recorded:
    """Return an event as the journal tells it: between the ledgers before and after it."""
    return recorded(event, before or ledger_of(HEDGE))


def recorded(event: ev.Event, before: Ledger) -> mo.Recorded:
    return mo.Recorded(event=event, before=before, after=apply(before, event))


def job(**changes: Any) -> HedgeExecution:
    """Return a closing job on BTCUSDT."""
    values: dict[str, Any] = {
        "hedge_id": HEDGE_ID,
        "kind": ExecutionKind.CLOSE,
        "pair": BTC,
        "reason": Reason.FEES_COVERED,
        "plan": PLAN,
        "limits": ExecutionLimits(),
        "state": ExecutionState.LEADING,
        "started_at": AT,
        "stage_since": AT,
    }
    return HedgeExecution(**{**values, **changes})


def started(**changes: Any) -> mo.Started:
    limited = StrategyParameters(capital_management=CapitalManagement(max_capital_usd=Decimal(500)))
    values: dict[str, Any] = {
        "at": AT,
        "parameters": limited,
        "dry_run": False,
        "venue": "Aster",
        "ledger": Ledger(),
        "identity": IDENTITY,
    }
    return mo.Started(**{**values, **changes})


def candidate(pair: Any = BTC, spot: str = "0.00362", short: str = "0.00362") -> vd.Candidate:
    return vd.Candidate(pair=pair, spot=Decimal(spot), short=Decimal(short), entry_price=Decimal(69000))


def reconciled(verdict: vd.Verdict, **changes: Any) -> mo.Reconciled:
    values: dict[str, Any] = {
        "at": AT,
        "verdict": verdict,
        "at_start": True,
        "hedge_before": None,
        "funding_before": Decimal(0),
        "value_before": None,
        "hedge": None,
        "value": None,
    }
    return mo.Reconciled(**{**values, **changes})


def adopted(held: HedgedPosition = HEDGE, **changes: Any) -> mo.Adopted:
    values: dict[str, Any] = {
        "at": AT,
        "at_start": True,
        "hedge": held,
        "value": Decimal(250),
        "rate": 0.000123,
        "apr": 0.4532,
        "moving_average": True,
    }
    return mo.Adopted(**{**values, **changes})


def signal(symbol: str = "BTCUSDT", **changes: Any) -> FundingSignal:
    values: dict[str, Any] = {
        "symbol": symbol,
        "mean": 0.000123,
        "stdev": 0.000008,
        "apr": 0.000123 * 3 * 365,
        "periods": 10,
        "interval_hours": 8,
    }
    return FundingSignal(**{**values, **changes})


def evaluation(**changes: Any) -> ob.Evaluation:
    values: dict[str, Any] = {
        "at": AT,
        "symbol": "BTCUSDT",
        "spot_price": Decimal(69000),
        "perp_price": Decimal(69000),
        "position_value": Decimal(250),
        "entry_notional": Decimal(250),
        "unrealized_pnl": Decimal("2.34"),
        "pnl_fraction": 2.34 / 250,
        "stop_pnl": Decimal("2.34"),
        "age_hours": 4.2467,
        "counted_hours": 4.2467,
        "funding_periods": 0.5308,
        "interval_hours": 8,
        "funding_received": Decimal("0.0856"),
        "funding_payments": 4,
        "entry_fees": Decimal("0.50"),
        "exit_fees": Decimal("0.25"),
        "coverage": 0.0856 / 0.75,
        "history_known": True,
        "signal": signal(),
        "result": HedgeResult(
            symbol="BTCUSDT",
            at=AT,
            funding=Decimal("0.0856"),
            spot_pnl=Decimal("2.7544"),
            perp_pnl=Decimal(0),
            fees_paid=Decimal("0.50"),
            exit_fees=Decimal("0.25"),
            exit_spread=Decimal("0.02"),
            entry_notional=Decimal(250),
            committed_capital=Decimal(500),
        ),
    }
    return ob.Evaluation(**{**values, **changes})


def opportunity(**changes: Any) -> ob.Opportunity:
    values: dict[str, Any] = {
        "pair": ETH,
        "signal": signal("ETHUSDT", mean=0.000156, stdev=0.000012, apr=0.000156 * 3 * 365),
        "next_funding": datetime(2025, 1, 15, 20, tzinfo=UTC),
        "basis": Decimal("0.0002"),
    }
    return ob.Opportunity(**{**values, **changes})


def decided(decision: ob.Decision) -> mo.Decided:
    return mo.Decided(at=AT, decision=decision)


_START = mo.ReconcileStarted(at=AT, tracked="BTCUSDT")
_ETH_HEDGE = hedge(pair=ETH)
_CLOSING = ledger_of(
    hedge(
        funding_received=Decimal("1.2345"),
        tally=Tally(
            spot_bought=Decimal(250),
            spot_sold=Decimal("250.10"),
            perp_sold=Decimal("250.05"),
            perp_bought=Decimal("250.15"),
            fees=Decimal("0.75"),
        ),
    ),
    totals=Totals(cycles=47, opened=8, closed=7, basis_pnl=Decimal("15.1855")),
)
_MOVED = ob.Rebalance(direction=TransferDirection.PERP_TO_SPOT, amount=Decimal("150.25"))


def _wallets(spot: str, perp: str) -> Ledger:
    lines = {"spot:USDT": BookLine(opening=Decimal(spot)), "perp:USDT": BookLine(opening=Decimal(perp))}
    return Ledger(books=Books(lines=lines))


GOLDEN_CASES: dict[str, tuple[mo.Notice, ...]] = {
    "startup": (
        started(),
        _START,
        reconciled(vd.Adopt(candidate=candidate())),
        adopted(),
    ),
    "reconcile-1-closed-elsewhere": (_START, reconciled(vd.ClosedExternally(symbol="BTCUSDT"))),
    "reconcile-2-discovered": (_START, reconciled(vd.Adopt(candidate=candidate(ETH))), adopted(_ETH_HEDGE)),
    "reconcile-3-replaced": (
        _START,
        reconciled(vd.Replaced(symbol="BTCUSDT", candidate=candidate(ETH))),
        adopted(_ETH_HEDGE),
    ),
    "reconcile-4-confirmed": (
        _START,
        reconciled(
            vd.Consistent(
                symbol="BTCUSDT",
                spot_quantity=Decimal("0.00362"),
                perp_quantity=Decimal("-0.00362"),
            ),
            hedge_before=HEDGE,
            funding_before=Decimal("0.0856"),
            value_before=Decimal(250),
            hedge=hedge(funding_received=Decimal("0.1234"), funding_payments=5),
            value=Decimal("252.34"),
        ),
    ),
    "cycle": (
        mo.CycleBegan(at=AT, number=12),
        mo.BalancesRead(at=AT, spot_usdt=Decimal(1250), perp_usdt=Decimal(1180)),
        mo.HealthJudged(at=AT, hedges=1, report=ob.HealthReport(level=ob.HealthLevel.OK)),
        mo.Evaluated(at=AT, evaluation=evaluation(), multiplier=1.5),
        decided(ob.Hold(reason=ob.HoldReason.HEALTHY)),
    ),
    "rotation": (
        decided(ob.Close(reason=Reason.FEES_COVERED, plan=PLAN)),
        recorded(ev.ExecutionStarted(at=AT, execution=job()), _CLOSING),
        recorded(ev.HedgeClosed(at=AT, hedge_id=HEDGE_ID, reason=Reason.FEES_COVERED), _CLOSING),
        mo.RebalanceStarted(at=AT, before_opening=False, needed=_MOVED),
        # The guide's own figures do not add up ($150.25 cannot level these wallets); the words are what is held here.
        mo.Recorded(
            event=ev.FundsTransferred(at=AT, transfer_id="t", amount=_MOVED.amount, direction=_MOVED.direction),
            before=_wallets("500", "1150.25"),
            after=_wallets("825.12", "825.12"),
        ),
        mo.ScanStarted(at=AT, periods=10, moving_average=True),
        mo.OpportunityFound(at=AT, opportunity=opportunity()),
        decided(ob.Open(opportunity=opportunity(), plan=PLAN)),
        mo.RebalanceStarted(at=AT, before_opening=True, needed=None),
    ),
    "shutdown": (
        mo.StoppedByUser(at=AT, closing=False),
        mo.Stopped(
            at=AT,
            cycles=12,
            ledger=ledger_of(
                HEDGE,
                totals=Totals(
                    cycles=30,
                    opened=3,
                    closed=2,
                    funding=Decimal("1.8"),
                    basis_pnl=Decimal("0.2"),
                    fees=Decimal("1.5"),
                ),
                imported=ImportedState(
                    cycle_count=17, total_profit_loss=Decimal("15.17"), positions_opened=5, positions_closed=5
                ),
                max_naked_seconds=0.84,
                max_naked_notional=Decimal("12.5"),
            ),
        ),
    ),
}
"""Notices of each of the guide's sample blocks."""
