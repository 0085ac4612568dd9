"""``hedgerow status --json``: one document for monitors; money as decimal strings, ratios as fractions, times UTC."""

from typing import Any

from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.status_lines import BotView, halt_remedy, since_the_start
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.domain.money import plain_or_none
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.hedge_result import HedgeResult, StrategyResult
from hedgerow.strategy.observation import HealthReport

__all__ = ["status_document"]


def status_document(view: BotView) -> dict[str, object]:
    """Return the whole status; a value that is not known is null."""
    return {**_state(view), **_ledger(view.ledger), "positions": _positions(view), **_seen(view)}


def _state(view: BotView) -> dict[str, object]:
    report, naked = view.report, view.report.naked
    return {
        "state": report.state,
        "title": report.title,
        "does": report.does,
        "can_do": report.can_do,
        "since": report.since,
        "severity": report.severity,
        "hedged": bool(view.ledger.open_hedges) and naked is None and not view.ledger.jobs,
        "running": view.process.state is ProcessState.RUNNING,
        "process": view.process.state,
        "pid": view.process.pid,
        "last_beat": view.process.last_beat,
        "naked": naked and {"since": naked.since, "usd": plain_or_none(naked.notional)},
        "longest_naked_seconds": report.longest_naked_seconds,
    }


def _ledger(ledger: Ledger) -> dict[str, object]:
    hedge, totals, imported = ledger.largest, ledger.totals, ledger.imported
    return {
        "position": hedge and _position(hedge),
        "in_flight": ledger.shown_job.state if ledger.shown_job else None,
        "halt": ledger.halt and _halt(ledger.halt),
        "total_profit_loss": plain_or_none(ledger.total_profit_loss),
        "funding": plain_or_none(totals.funding),
        "basis_pnl": plain_or_none(totals.basis_pnl),
        "fees": plain_or_none(totals.fees),
        "positions_opened": totals.opened,
        "positions_closed": totals.closed,
        "total_positions_opened": totals.opened + imported.positions_opened,
        "total_positions_closed": totals.closed + imported.positions_closed,
        "cycles": totals.cycles,
        "dust": {lot.asset: plain_or_none(lot.quantity) for lot in ledger.dust.values()},
        "max_naked_seconds": ledger.max_naked_seconds,
        "max_naked_usd": plain_or_none(ledger.max_naked_notional),
    }


def _position(hedge: HedgedPosition) -> dict[str, object]:
    return {
        "symbol": hedge.symbol,
        "adopted": hedge.adopted,
        "opened_at": hedge.opened_at,
        "spot_quantity": plain_or_none(hedge.spot_quantity),
        "perp_quantity": plain_or_none(hedge.perp_quantity),
        "entry_notional": plain_or_none(hedge.entry_notional),
        "funding_received": plain_or_none(hedge.funding_received),
        "fees_paid": plain_or_none(hedge.tally.fees),
        "entry_apr": hedge.entry_apr,
    }


def _positions(view: BotView) -> list[dict[str, object]]:
    """Return every live hedge, oldest first, with its trade in flight and its last reading."""
    found: list[dict[str, object]] = []
    for hedge in view.ledger.live_hedges:
        job, held = view.ledger.job_of(hedge.symbol), view.reading_of(hedge)
        seen = {"in_flight": job.state if job else None, "result": held and _result(held.result)}
        found.append({**_position(hedge), **seen, "health": held and _health(held.health)})
    return found


def _health(health: HealthReport) -> dict[str, object]:
    return {
        "level": health.level,
        "findings": [finding.text for finding in health.findings],
        "unknown": health.unknown,
        "imbalance": health.imbalance,
        "liquidation_distance": health.liquidation_distance,
    }


def _halt(halt: StandingHalt) -> dict[str, object]:
    return {
        "reason": halt.reason,
        "detail": halt.detail,
        "since": halt.since,
        "lifts_itself": halt.lifts_itself,
        "remedy": halt_remedy(halt),
    }


def _seen(view: BotView) -> dict[str, object]:
    outlook, held = view.outlook, view.held
    payment = held.next_payment if held else None
    return {
        "checked_at": outlook.checked_at if outlook else None,
        "next_check_at": outlook.next_check_at if outlook else None,
        "read_at": outlook.read_at if outlook else None,
        "blind_since": outlook.blind_since if outlook else None,
        "unread": outlook.unread if outlook else (),
        "failure": (outlook.failure or None) if outlook else None,
        "equity": plain_or_none(outlook.equity) if outlook else None,
        "reason": (outlook.reason or None) if outlook else None,
        "foreign": (*outlook.foreign, *outlook.longs) if outlook else (),
        "result": held and _result(held.result),
        "since_the_start": _whole(since_the_start(view)),
        "prices": held and {name: plain_or_none(getattr(held.prices, name)) for name in held.prices.__struct_fields__},
        "signal": held
        and held.signal
        and {"rate": held.signal.mean, "apr": held.signal.apr, "interval_hours": held.signal.interval_hours},
        "next_payment": payment and {"at": payment.at, "rate": payment.rate, "amount": plain_or_none(payment.amount)},
        "exits": held
        and [
            {
                "rule": each.rule,
                "pair": each.pair or None,
                "unit": each.unit,
                "value": each.value,
                "threshold": each.threshold,
                "left": each.left,
                "due_at": each.due_at,
            }
            for each in held.exits
        ],
        "health": held and _health(held.health),
    }


def _result(result: HedgeResult) -> dict[str, Any]:
    money = (
        "funding",
        "basis",
        "fees_paid",
        "exit_fees",
        "exit_spread",
        "net_so_far",
        "net_if_closed",
        "spot_pnl",
        "perp_pnl",
    )
    return {
        "symbol": result.symbol,
        "at": result.at,
        **{name: plain_or_none(getattr(result, name)) for name in money},
        "net_on_notional": result.net_on_notional,
        "net_on_capital": result.net_on_capital,
        "break_even_at": result.break_even_at,
    }


def _whole(result: StrategyResult) -> dict[str, Any]:
    return {
        "net_so_far": plain_or_none(result.net_so_far),
        "net_if_closed": plain_or_none(result.net_if_closed),
        "dust_gain": plain_or_none(result.dust_gain),
    }
