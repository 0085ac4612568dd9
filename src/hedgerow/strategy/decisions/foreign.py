"""Positions on the account that are not the bot's, in words: shorts with or without coins, and longs beside a hedge."""

from hedgerow.domain.account import AccountView
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import plain
from hedgerow.strategy.decisions.verdicts import (
    Ambiguous,
    Candidate,
    Consistent,
    ForeignShort,
    NakedForeign,
    NotAdopted,
    Verdict,
)

__all__ = ["foreign_longs", "foreign_positions", "hedges_found"]


def hedges_found(verdict: Verdict | None) -> int:
    """Return how many delta-neutral positions the account holds that are not the ledger's."""
    if isinstance(verdict, Ambiguous):
        return len(verdict.candidates)
    return 1 if isinstance(verdict, NotAdopted) else 0


def foreign_positions(verdict: Verdict | None) -> tuple[str, ...]:
    """Return every short on the account that is not the ledger's, one line each."""
    if isinstance(verdict, Ambiguous):
        return tuple(map(_candidate, verdict.candidates))
    if isinstance(verdict, NotAdopted):
        return (_candidate(verdict.candidate),)
    if isinstance(verdict, NakedForeign):
        return tuple(map(_short, verdict.shorts))
    return tuple(map(_short, verdict.foreign)) if isinstance(verdict, Consistent) else ()


def foreign_longs(account: AccountView | None, ledger: Ledger) -> tuple[str, ...]:
    """Return every long on the perpetual wallet, one line each: none is the bot's, and all share one cross margin."""
    positions = () if account is None else account.positions.values()
    longs = sorted((each.symbol, each.quantity) for each in positions if each.quantity > 0)
    if not longs:
        return ()
    held = ", ".join(hedge.symbol for hedge in ledger.open_hedges) or "a short of the bot"
    return tuple(
        f"A long of {plain(quantity)} {symbol} is not the bot's and shares its cross margin: a loss of it brings"
        f" liquidation of {held} nearer"
        for symbol, quantity in longs
    )


def _candidate(found: Candidate) -> str:
    return f"{found.symbol}: a short of {plain(found.short)} with {plain(found.spot)} coins against it"


def _short(found: ForeignShort) -> str:
    return f"{found.symbol}: {plain(found.quantity)} short without coins against it"
