"""The guide's sample blocks: each of its lines appears, with its words, its decimals and in its order.

Numbers are wildcards, but for how many decimals they have; lines between the guide's are allowed.
"""

import re

import pytest

from hedgerow.dashboard.narration.wording import narrate
from support.golden_cases import GOLDEN_CASES

STARTUP = """
Volume Farming Strategy initialized (Dry Run: False)
Capital Range: $50.0 - $500.0
Min Funding APR: 15.0%
Fee Coverage Multiplier: 1.5x
Funding Rate Mode: Moving Average (10 periods)

Checking for existing delta-neutral positions...
Discovered existing position: BTCUSDT
  Spot balance: 0.003620
  Perp position: -0.003620
  Position value: $250.00
  Position opened: 2025-01-15 14:30:22
  Funding received: $0.0856
  Funding payments: 4
Successfully adopted existing position
  Current funding rate: 0.0123% (MA)
  Effective APR: 45.32%
"""
CASE_1 = """
Reconciling position state with exchange...
Position BTCUSDT tracked in state but not found on exchange
Position was likely closed externally. Clearing state.
"""
CASE_2 = """
Reconciling position state with exchange...
Exchange has delta-neutral position but not tracked in state
Checking for existing delta-neutral positions...
Discovered existing position: ETHUSDT
  Position opened: 2025-01-15 14:30:22
  Funding received: $0.0856
Successfully adopted existing position
"""
CASE_3 = """
Reconciling position state with exchange...
Tracked position BTCUSDT not found on exchange
Exchange has: ETHUSDT
Adopting the exchange position...
"""
CASE_4 = """
Reconciling position state with exchange...
Position BTCUSDT confirmed on exchange
  Updating funding from exchange: $0.0856 -> $0.1234
  Updating position value: $250.00 -> $252.34
"""
CYCLE = """
================================================================================
CYCLE #12 - 2025-01-15 18:45:10
================================================================================
Performing health check...
Spot USDT: $1250.00
Perp USDT: $1180.00
Health check passed (Existing DN positions: 1)

Evaluating position on BTCUSDT...
  Unrealized PnL: $2.34 (0.94%)
  Position age: 4.25 hours
  Funding periods: 0.53
  Estimated funding received: $0.0856
  Total fees (entry + exit): $0.75
  Fees coverage ratio: 0.11x (target: 1.5x)
Position healthy, continuing to hold...
"""
ROTATION = """
Fees covered! Ready to close and rotate.
Closing position on BTCUSDT...
Position closed successfully!
  Total funding received: $1.2345
  Total fees paid: $0.75
  Net profit (this position): $0.4845
  Cumulative P/L: $15.67
  Total positions closed: 8

Rebalancing USDT between spot and perp wallets...
Rebalanced $150.25 USDT (PERP_TO_SPOT)
  Spot USDT: $500.00 -> $825.12
  Perp USDT: $1150.25 -> $825.12

Scanning for best funding rate opportunity (MA 10 periods)...
Best opportunity: ETHUSDT
  Funding Rate: 0.0156% (MA)
  Effective APR (1x): 56.94%
  MA Periods: 10
  MA StDev: 0.0012%
  Next Funding: 2025-01-15T20:00:00

Opening position on ETHUSDT...
Rebalancing USDT before opening position...
USDT wallets already balanced (difference < $1)
"""
BLOCKS = {
    "startup": STARTUP,
    "reconcile-1-closed-elsewhere": CASE_1,
    "reconcile-2-discovered": CASE_2,
    "reconcile-3-replaced": CASE_3,
    "reconcile-4-confirmed": CASE_4,
    "cycle": CYCLE,
    "rotation": ROTATION,
}
SAME_NUMBERS = {name for name in BLOCKS if name != "rotation"}
"""Printed with the guide's own numbers; its rotation says 56.94 % where 0.0156 % per 8 h are 17.08 %."""


def pattern(line: str) -> re.Pattern[str]:
    """Return a pattern for a line: whole numbers are wildcards, fractions keep their number of decimals."""

    def wildcard(number: re.Match[str]) -> str:
        decimals = number["decimals"]
        return rf"\d+\.\d{{{len(decimals)}}}" if decimals else r"\d+"

    return re.compile(re.sub(r"\d+(?:\\\.(?P<decimals>\d+))?", wildcard, re.escape(line)))


def lines_of(block: str) -> list[str]:
    return [line for line in block.splitlines() if line]


def reported(name: str) -> list[str]:
    return [line.text for notice in GOLDEN_CASES[name] for line in narrate(notice)]


@pytest.mark.parametrize("name", BLOCKS)
def test_every_line_of_the_guide_appears_in_its_order(name: str) -> None:
    rest = iter(reported(name))
    missing = [line for line in lines_of(BLOCKS[name]) if not any(pattern(line).fullmatch(text) for text in rest)]
    assert missing == []


@pytest.mark.parametrize("name", sorted(SAME_NUMBERS))
def test_the_guides_own_numbers_give_the_guides_own_lines(name: str) -> None:
    rest = iter(reported(name))
    assert [line for line in lines_of(BLOCKS[name]) if line not in rest] == []


def test_the_rotation_differs_from_the_guide_in_the_effective_apr_alone() -> None:
    texts = reported("rotation")
    assert [line for line in lines_of(ROTATION) if line not in texts] == ["  Effective APR (1x): 56.94%"]
    assert "  Effective APR (1x): 17.08%" in texts


def test_a_pattern_keeps_words_and_decimals() -> None:
    assert pattern("  Spot USDT: $500.00 -> $825.12").fullmatch("  Spot USDT: $7.10 -> $12345.99")
    assert not pattern("  Funding received: $0.0856").fullmatch("  Funding received: $0.09")
    assert not pattern("Exchange has: ETHUSDT").fullmatch("Exchange has: BTCUSDT")


def test_a_banner_is_eighty_signs_wide() -> None:
    assert reported("cycle")[1:4:2] == ["=" * 80, "=" * 80]
