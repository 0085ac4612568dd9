"""``hedgerow scan``: every pair with its funding signal and the filter that refuses it."""

import asyncio
from pathlib import Path

from hedgerow.app.commands.scan import look_at_market
from hedgerow.app.identity import identity_of
from hedgerow.app.session import read_settings
from hedgerow.cli.common import (
    ConfigOption,
    DryRunOption,
    HomeOption,
    JsonOption,
    MaPeriodsOption,
    PaperOption,
    bot_inputs,
    home_of,
    is_stdout,
    refuse_outputs,
    write_json,
)
from hedgerow.cli.tables import Column, show_table
from hedgerow.domain.formats import whole_amount
from hedgerow.domain.money import plain_or_none
from hedgerow.strategy.decisions.scan import ScanRow

__all__ = ["scan"]

COLUMNS = (
    Column(title="symbol"),
    Column(title="verdict", least=30),
    Column(title="APR (1x)", number=True),
    Column(title="rate", number=True, drop=1),
    Column(title="stdev", number=True, drop=6),
    Column(title="interval", number=True, drop=4),
    Column(title="predicted", number=True, drop=5),
    Column(title="basis", number=True, drop=3),
    Column(title="volume 24h", number=True, drop=2),
)


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
    refuse_outputs({"--json": json}, bot_inputs(place, config))
    seen = asyncio.run(look_at_market(place, config, ma_periods))
    write_json(json, [_document(row) for row in seen.rows], identity_of(place, read_settings(place, config)))
    if is_stdout(json):
        return
    show_table("Funding", COLUMNS, [_cells(row) for row in seen.rows])


def _cells(row: ScanRow) -> list[str]:
    signal, predicted = row.signal, row.predicted
    return [
        row.pair.symbol,
        "eligible" if row.eligible else "; ".join(refusal.detail for refusal in row.refusals),
        f"{signal.apr:.2%}" if signal else "-",
        f"{signal.mean:.4%}" if signal else "-",
        f"{signal.stdev:.4%}" if signal else "-",
        f"{signal.interval_hours} h" if signal else "-",
        f"{predicted.rate:.4%}" if predicted else "-",
        f"{row.basis:.3%}" if row.basis is not None else "-",
        whole_amount(row.volume) if row.volume is not None else "-",
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
        "volume_usd": plain_or_none(row.volume),
        "eligible": row.eligible,
        "refusals": [{"kind": r.kind, "detail": r.detail} for r in row.refusals],
    }
