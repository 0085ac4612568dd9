"""``hedgerow status``: what the bot holds, earned and is waiting for, from its log alone."""

import asyncio
from pathlib import Path

from hedgerow.app.identity import identity_of
from hedgerow.app.session import read_ledger, read_settings
from hedgerow.cli.codes import Exit
from hedgerow.cli.common import (
    ConfigOption,
    DryRunOption,
    HomeOption,
    JsonOption,
    PaperOption,
    home_of,
    is_stdout,
    json_money,
    others_here,
    say,
    show_table,
    write_json,
)
from hedgerow.domain.ledger import Halt, Ledger
from hedgerow.domain.money import plain

__all__ = ["status"]


def status(
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = None,
) -> int:
    """Show the position, the totals and any halt; changes nothing, also while the bot runs. Exit code 3: halted."""
    place = home_of(home, paper=paper, dry_run=dry_run)
    settings = read_settings(place, config)
    ledger = asyncio.run(read_ledger(place))
    write_json(json, _document(ledger or Ledger()), identity_of(place, settings))
    if not is_stdout(json):
        if ledger is None:
            say(f"No log at {place.events}: the bot has not run here yet{others_here(place)}.")
        else:
            show_table("Hedgerow", ["", "value "], _rows(ledger))
    return Exit.HALTED if ledger and ledger.halt else Exit.DONE


def _rows(ledger: Ledger) -> list[list[str]]:
    hedge, totals = ledger.hedge, ledger.totals
    rows: list[list[str]] = []
    if hedge:
        rows += [
            ["Position", f"{hedge.symbol}{' (adopted)' if hedge.adopted else ''}"],
            ["Opened", f"{hedge.opened_at:%Y-%m-%d %H:%M:%S} UTC"],
            ["Spot", plain(hedge.spot_quantity)],
            ["Perp", plain(hedge.perp_quantity)],
            ["Entry notional (one leg)", f"${hedge.entry_notional:.2f}"],
            ["APR at entry (1x)", f"{hedge.entry_apr:.2%}"],
            ["Funding received", f"${hedge.funding_received:.4f}"],
            ["Fees paid", f"${hedge.tally.fees:.4f}"],
        ]
    else:
        rows.append(["Position", "none"])
    if ledger.execution:
        rows.append(["In flight", f"{ledger.execution.kind.value} {ledger.execution.state.value}"])
    rows += [
        ["Halted", _halted(ledger.halt) if ledger.halt else "no"],
        ["Cumulative P/L", f"${ledger.total_profit_loss:.2f}"],
        ["  funding (ended)", f"${totals.funding:.4f}"],
        ["  basis (ended)", f"${totals.basis_pnl:.4f}"],
        ["  fees (ended)", f"${totals.fees:.4f}"],
        ["Positions opened / closed", f"{totals.opened} / {totals.closed}"],
        ["Cycles", str(totals.cycles)],
    ]
    rows += [[f"Dust {lot.asset}", f"{plain(lot.quantity)} (${lot.cost:.4f})"] for lot in ledger.dust.values()]
    return rows


def _halted(halt: Halt) -> str:
    end = "lifts itself once the cause is gone" if halt.lifts_itself else "lifted by hedgerow resume"
    return f"{halt.reason.value}: {halt.detail} (since {halt.since:%Y-%m-%d %H:%M:%S} UTC; {end})"


def _document(ledger: Ledger) -> dict[str, object]:
    hedge, totals = ledger.hedge, ledger.totals
    position = hedge and {
        "symbol": hedge.symbol,
        "adopted": hedge.adopted,
        "opened_at": hedge.opened_at,
        "spot_quantity": json_money(hedge.spot_quantity),
        "perp_quantity": json_money(hedge.perp_quantity),
        "entry_notional": json_money(hedge.entry_notional),
        "funding_received": json_money(hedge.funding_received),
        "fees_paid": json_money(hedge.tally.fees),
        "entry_apr": hedge.entry_apr,
    }
    return {
        "position": position,
        "in_flight": ledger.execution.state if ledger.execution else None,
        "halt": ledger.halt
        and {
            "reason": ledger.halt.reason,
            "detail": ledger.halt.detail,
            "since": ledger.halt.since,
        },
        "total_profit_loss": json_money(ledger.total_profit_loss),
        "funding": json_money(totals.funding),
        "basis_pnl": json_money(totals.basis_pnl),
        "fees": json_money(totals.fees),
        "positions_opened": totals.opened,
        "positions_closed": totals.closed,
        "cycles": totals.cycles,
        "dust": {lot.asset: json_money(lot.quantity) for lot in ledger.dust.values()},
        "max_naked_seconds": ledger.max_naked_seconds,
        "max_naked_usd": json_money(ledger.max_naked_notional),
    }
