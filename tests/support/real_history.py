"""The archive of real market data. Not everybody has it: what is proven on it is proven on made data as well."""

import os
from pathlib import Path

import pytest

__all__ = ["REAL_HISTORY", "needs_real_history"]

REAL_HISTORY = Path(os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_real_history = pytest.mark.skipif(
    not (REAL_HISTORY / "prices_hourly.parquet").is_file(),
    reason=f"no market archive at {REAL_HISTORY} (HEDGEROW_DATA names one); a made one is played",
)
