"""``hedgerow scan``: every pair with its signal, and what speaks against it."""

import asyncio
from pathlib import Path

from hedgerow.app.identity import identity_of
from hedgerow.app.look import look_at_market
from hedgerow.app.session import read_settings
from hedgerow.cli.common import (
    ConfigOption,
    DryRunOption,
    HomeOption,
    JsonOption,
    MaPeriodsOption,
    PaperOption,
    home_of,
    is_stdout,
    json_money,
    show_table,
    write_json,
)
from hedgerow.strategy.scan import ScanRow

__all__ = ["scan"]


def scan(
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    ma_periods: MaPeriodsOption = None,
    json: JsonOption = None,
) -> None:
    """Show every pair, best first, with its signal and why it would not be opened; changes nothing."""
    place = home_of(home, paper=paper, dry_run=dry_run)
    seen = asyncio.run(look_at_market(place, config, ma_periods))
    write_json(json, [_document(row) for row in seen.rows], identity_of(place, read_settings(place, config)))
    if is_stdout(json):
        return
    columns = ["symbol", "rate ", "APR (1x) ", "stdev ", "interval ", "predicted ", "basis ", "volume 24h ", "verdict"]
    show_table("Funding", columns, [_cells(row) for row in seen.rows])


def _cells(row: ScanRow) -> list[str]:
    signal, predicted = row.signal, row.predicted
    return [
        row.pair.symbol,
        f"{signal.mean:.4%}" if signal else "-",
        f"{signal.apr:.2%}" if signal else "-",
        f"{signal.stdev:.4%}" if signal else "-",
        f"{signal.interval_hours} h" if signal else "-",
        f"{predicted.rate:.4%}" if predicted else "-",
        f"{row.basis:.3%}" if row.basis is not None else "-",
        f"${row.volume:,.0f}" if row.volume is not None else "-",
        "eligible" if row.eligible else "; ".join(refusal.detail for refusal in row.refusals),
    ]


def _document(row: ScanRow) -> dict[str, object]:
    signal = row.signal
    return {
        "symbol": row.pair.symbol,
        "rate": signal.mean if signal else None,
        "funding_apr": signal.apr if signal else None,
        "stdev": signal.stdev if signal else None,
        "interval_hours": signal.interval_hours if signal else None,
        "predicted_rate": float(row.predicted.rate) if row.predicted else None,
        "basis": float(row.basis) if row.basis is not None else None,
        "volume_usd": json_money(row.volume),
        "eligible": row.eligible,
        "refusals": [{"kind": r.kind, "detail": r.detail} for r in row.refusals],
    }
