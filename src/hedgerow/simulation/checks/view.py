"""Holds what screens show of a bot against the exchange: hedged or not, naked time, and what is worth how much.

It judges plain values; who shows them is none of its business.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.emulator.core.world import World
from hedgerow.simulation.checks.invariants import Exposure, Invariant
from hedgerow.simulation.checks.legs import Naked

__all__ = ["Shown", "check_shown", "check_values"]

OWN_SECONDS = 20.0
"""How long legs that the bot's own trading left apart may be shown as hedged: the slack of every order's report."""
TAKEN_SECONDS = 360.0
"""The same where others took from a leg: a bot looks every five minutes while nothing is reported, and reads twice."""
REPORT_SECONDS = 3.0
"""What a shown naked time may lack: the way of a trade's report."""
MOVED = Decimal("0.0002")
"""How far a price may move between a reading and the write that follows it, as a fraction."""
ROUNDING = Decimal("1e-6")


class Shown(Struct, frozen=True, kw_only=True):
    """What is shown of a bot at one time."""

    state: str
    """Name of the state."""
    hedged: bool
    """Whether the state says that both legs match."""
    flat: bool
    """Whether it says that nothing is held."""
    longest_naked_seconds: float
    net_so_far: Decimal | None = None
    """Result of the held hedge before the costs of closing it, quote units; None = shown as unknown."""
    file_symbol: str | None = None
    """Pair of the state file; None = it shows no position."""
    file_value: Decimal | None = None
    """Value of one leg in the state file, quote units."""


def check_shown(
    shown: Shown, ledger: Ledger, exposed: dict[str, Exposure], naked: Naked, now: datetime, *, patience: float
) -> Iterator[tuple[Invariant, str]]:
    """Yield where a state is better than the truth; ``patience`` are seconds more that this exchange may take."""
    if shown.hedged or shown.flat:
        for exposure in exposed.values():
            seconds = (now - exposure.since).total_seconds()
            allowed = (TAKEN_SECONDS if exposure.taken else OWN_SECONDS) + patience
            if seconds > allowed:
                what = f"{exposure.quantity} ({exposure.notional:.2f} USDT) of {exposure.symbol} are unhedged"
                yield Invariant.SHOWN, f"shown as {shown.state} while {what} for {seconds:.0f} s"
    if shown.hedged and not ledger.open_hedges:
        yield Invariant.SHOWN, f"shown as {shown.state} and nothing is held"
    job = ledger.execution
    sold = job is not None and job.state is ExecutionState.FLAT  # the job has still to book its fees and to end
    if shown.flat and ledger.hedges and not sold:
        held = ", ".join(hedge.symbol for hedge in ledger.live_hedges)
        yield Invariant.SHOWN, f"shown as {shown.state} while {held} is held"
    if shown.longest_naked_seconds < ledger.max_naked_seconds:
        text = f"{shown.longest_naked_seconds:.1f} s naked are shown, the log has {ledger.max_naked_seconds:.1f} s"
        yield Invariant.SHOWN, text
    if not exposed and shown.longest_naked_seconds < naked.seconds - REPORT_SECONDS - patience:
        text = f"{shown.longest_naked_seconds:.1f} s naked are shown, there were {naked.seconds:.1f} s"
        yield Invariant.SHOWN, text


def check_values(
    shown: Shown, ledger: Ledger, world: World, naked: Naked, *, patience: float
) -> Iterator[tuple[Invariant, str]]:
    """Yield where a value differs from the truth by more than the books' spreads; asked after a quiet check alone."""
    reported, taken = shown.longest_naked_seconds, naked.taken_seconds
    if reported < taken - TAKEN_SECONDS - REPORT_SECONDS - patience:
        yield Invariant.SHOWN, f"{reported:.1f} s naked are shown, others made them {taken:.1f} s"
    hedge = ledger.largest
    held = hedge.symbol if hedge else None
    if shown.file_symbol != held:
        yield Invariant.WORTH, f"the state file shows {shown.file_symbol or 'no position'}, {held or 'nothing'} is held"
        return
    prices = world.prices(hedge.symbol) if hedge else None
    if hedge is None or prices is None:
        return
    tally = hedge.tally
    coins, short = tally.spot_quantity, -tally.perp_quantity
    index = prices.spot if prices.index is None else prices.index
    spot_room = _room(world, Market.SPOT, hedge.symbol, prices.spot, index) * coins
    perp_room = _room(world, Market.PERP, hedge.symbol, prices.perp, prices.mark) * short
    value = coins * prices.spot
    if shown.file_value is None or abs(shown.file_value - value) > spot_room:
        yield Invariant.WORTH, f"the state file values {held} at {shown.file_value}, it is worth {value:.4f}"
    cash = tally.spot_sold - tally.spot_bought + tally.coin_fee_value + tally.perp_sold - tally.perp_bought
    net = cash + value - short * prices.perp + hedge.funding_received - tally.fees
    if shown.net_so_far is None or abs(shown.net_so_far - net) > spot_room + perp_room:
        yield Invariant.WORTH, f"{held} is shown to have made {shown.net_so_far}, it made {net:.4f}"


def _room(world: World, market: Market, symbol: str, price: Decimal, instead: Decimal) -> Decimal:
    """Return by how much a reading of one price may be off: the spread of its book, and what prices move meanwhile.

    A book with one side alone shows no middle: the leg is then valued at ``instead``, the index or the mark.
    """
    depth = world.depth(market, symbol)
    bid, ask = depth.touch(Side.SELL), depth.touch(Side.BUY)
    spread = ask - bid if bid is not None and ask is not None else abs(instead - price)
    return spread + price * MOVED + ROUNDING
