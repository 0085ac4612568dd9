"""Allocation: how much of the money the next hedge gets while several may be held."""

from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.evaluation.rebalancing import TRANSFER_STEP
from hedgerow.strategy.evaluation.sizing import Funds, funds_of
from hedgerow.strategy.policy import Policy

__all__ = ["beyond_reserve", "coins_held", "committed", "free_slots", "funds_for_next", "leg_of_next", "parts"]


HELD_DRIFT: Final = Decimal("0.02")
"""Part of the notional of the shorts that are held which stays free while another one is opened: a rise of their marks
takes it twice, as a loss and as margin."""


def funds_for_next(account: AccountView, ledger: Ledger) -> Funds:
    """Return what is free in both wallets for another hedge, after the transfer that makes them equal."""
    if not ledger.hedges:
        return funds_of(account)
    # Below zero the margin of the shorts that are held is less than they are worth: that comes first.
    notional = sum((abs(row.quantity) * row.mark_price / row.leverage for row in account.positions.values()), ZERO)
    shorts = sum((account.short(row.symbol) * row.mark_price for row in account.positions.values()), ZERO)
    margin = account.perp.balance + min(ZERO, account.perp.unrealized_pnl)
    free = min(account.perp.transferable, margin - notional) - HELD_DRIFT * shorts
    seen = replace(account, perp=replace(account.perp, transferable=free.quantize(TRANSFER_STEP)))
    funds = funds_of(seen, [hedge.symbol for hedge in ledger.hedges.values()])
    return replace(funds, equity=funds.equity + coins_held(ledger, account))


def coins_held(ledger: Ledger, account: AccountView, *, but: str = "") -> Decimal:
    """Return what the coins of the hedges are worth, quote units: of all but the hedge with the id ``but``."""
    return sum((_worth(hedge, account) for key, hedge in ledger.hedges.items() if key != but), ZERO)


def beyond_reserve(funds: Funds, policy: Policy) -> Funds:
    """Return the funds that an opening and its fees may use: half of the reserve stays in each wallet."""
    kept = policy.parameters.capital_management.reserve_usd / 2
    return replace(funds, spot=funds.spot - kept, perp=funds.perp - kept) if kept else funds


def _worth(hedge: HedgedPosition, account: AccountView) -> Decimal:
    """Return what the coins of a hedge are worth at the mark that the account shows; nothing where it shows none.

    The result of the short is counted at the same mark, so that both together change with nothing but the basis.
    """
    row = account.positions.get(hedge.symbol)
    return ZERO if row is None else hedge.spot_quantity * row.mark_price


def free_slots(ledger: Ledger, policy: Policy) -> int:
    """Return how many more hedges may be held; negative after the limit was lowered."""
    return policy.parameters.position_management.max_positions - len(ledger.hedges)


def parts(total: Decimal, slots: int, least: Decimal) -> int:
    """Return into how many equal parts ``total`` is divided: one for each slot, fewer where a part would be too small.

    The next hedge gets one of them. What a pair cannot take of its part is left to the slots after it.
    """
    return max(1, slots if least <= 0 else min(slots, int(total / least)))


def committed(ledger: Ledger) -> Decimal:
    """Return what the live hedges were opened with, quote units of both legs."""
    return 2 * sum((hedge.entry_notional for hedge in ledger.hedges.values()), ZERO)


def leg_of_next(ledger: Ledger, funds: Funds, policy: Policy) -> Decimal:
    """Return the quote units per leg of the next hedge; zero = nothing may be opened.

    ``funds`` are what is free in both wallets. With one slot, it is what the policy wants of them.
    """
    limits, slots = policy.parameters.capital_management, free_slots(ledger, policy)
    usable = beyond_reserve(funds, policy)
    spot, perp = usable.spot, usable.perp
    held, total = committed(ledger), 2 * min(spot, perp)
    several = policy.parameters.position_management.max_positions > 1
    left = None if limits.max_capital_usd is None or not several else limits.max_capital_usd - held
    total = total if left is None else min(total, left)
    count = parts(total, slots, limits.min_capital_usd)
    capital = policy.capital(spot, perp) if count == 1 else policy.capital(spot / count, perp / count)
    caps = [limits.max_position_usd, None if left is None else left / count]
    if limits.max_position_equity is not None:
        caps.append(limits.max_position_equity * funds.equity)
    most = min((cap / 2 for cap in caps if cap is not None), default=capital)
    if most >= capital:
        return capital
    return most if 2 * most >= limits.min_capital_usd and most > 0 else ZERO
