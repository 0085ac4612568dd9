"""Verdicts of a reconciliation, as values."""

from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from hedgerow.domain.events import HaltReason
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.money import plain
from hedgerow.strategy.observation import HaltOpenings

__all__ = [
    "BALANCED_WITHIN",
    "Adopt",
    "Ambiguous",
    "Candidate",
    "ClosedExternally",
    "Consistent",
    "ForeignShort",
    "HalfOpen",
    "InFlight",
    "NakedForeign",
    "NotAdopted",
    "Nothing",
    "Replaced",
    "Unreadable",
    "Verdict",
    "agreement",
    "halt_for",
    "symbols_of",
]

BALANCED_WITHIN = Decimal("0.02")
"""Largest |spot - short| / larger leg of a position that is a hedge (the guide's delta-neutral test)."""


class Candidate(Struct, frozen=True, kw_only=True):
    """Coins and a short of one symbol that are not the ledger's."""

    pair: BasisPair
    spot: Decimal
    """Coins the ledger does not own."""
    short: Decimal
    """Positive; the part that is not the ledger's."""
    entry_price: Decimal
    """The venue's average price of the short."""

    @property
    def symbol(self) -> str:
        """The pair's symbol."""
        return self.pair.symbol

    @property
    def balanced(self) -> bool:
        """Whether both legs match within 2 %."""
        return abs(self.spot - self.short) <= BALANCED_WITHIN * max(self.spot, self.short)

    @property
    def covered(self) -> bool:
        """Whether there are coins enough for the whole short."""
        return self.spot >= self.short * (1 - BALANCED_WITHIN)

    @property
    def adopted_spot(self) -> Decimal:
        """Coins that would become the ledger's: never more than the short needs; the rest stays the user's."""
        return min(self.spot, self.short)

    @property
    def adopted_short(self) -> Decimal:
        """The short that would become the ledger's: all of a balanced one, else as much as there are coins."""
        return self.short if self.balanced else self.pair.perp.floor_quantity(min(self.spot, self.short))


class ForeignShort(Struct, frozen=True, kw_only=True):
    """A short, or a part of one, that is not the ledger's and has too few coins against it."""

    symbol: str
    quantity: Decimal


class Consistent(Struct, frozen=True, kw_only=True, tag="consistent"):
    """The tracked hedge is on the exchange."""

    symbol: str
    spot_quantity: Decimal
    """The ledger's coins as the balance confirms them."""
    perp_quantity: Decimal
    """Signed, the ledger's part."""
    foreign: tuple[ForeignShort, ...] = ()
    """Naked shorts beside the hedge, to be warned of."""


class ClosedExternally(Struct, frozen=True, kw_only=True, tag="closed_elsewhere"):
    """Both legs of the tracked hedge are gone."""

    symbol: str


class Adopt(Struct, frozen=True, kw_only=True, tag="adopt"):
    """Nothing is tracked and exactly one balanced position is there."""

    candidate: Candidate


class Replaced(Struct, frozen=True, kw_only=True, tag="replaced"):
    """The tracked hedge is gone and exactly one other is there."""

    symbol: str
    candidate: Candidate


class HalfOpen(Struct, frozen=True, kw_only=True, tag="half_open"):
    """One leg of the tracked hedge is missing or short of what the ledger owns."""

    symbol: str
    market: Market
    """The leg that lacks more."""
    missing_spot: Decimal
    missing_short: Decimal

    @property
    def balanced(self) -> bool:
        """Whether both legs lack the same, within 2 %: what is left is a hedge."""
        apart = abs(self.missing_spot - self.missing_short)
        return apart <= BALANCED_WITHIN * max(self.missing_spot, self.missing_short)


class Ambiguous(Struct, frozen=True, kw_only=True, tag="ambiguous"):
    """Several positions could be adopted: none is."""

    candidates: tuple[Candidate, ...]


class NakedForeign(Struct, frozen=True, kw_only=True, tag="naked_foreign"):
    """Shorts that are not the bot's and have no sufficient spot against them."""

    shorts: tuple[ForeignShort, ...]


class NotAdopted(Struct, frozen=True, kw_only=True, tag="not_adopted"):
    """A short with more coins than it needs, where only the user knows which belong to it; or one that is not fit."""

    candidate: Candidate
    unfit: str = ""
    """Why it may not be adopted as it is; empty = it may, by name."""


class Nothing(Struct, frozen=True, kw_only=True, tag="nothing"):
    """Nothing is tracked and nothing is there."""


class InFlight(Struct, frozen=True, kw_only=True, tag="in_flight"):
    """A job is at work: the account cannot be judged before it ends."""

    hedge_id: str


class Unreadable(Struct, frozen=True, kw_only=True, tag="unreadable"):
    """The account, or the listing it is judged by, could not be read."""

    what: str


Verdict: TypeAlias = (
    Consistent
    | ClosedExternally
    | Adopt
    | Replaced
    | HalfOpen
    | Ambiguous
    | NakedForeign
    | NotAdopted
    | Nothing
    | InFlight
    | Unreadable
)


def agreement(first: Verdict, second: Verdict) -> Verdict | None:
    """Return what two readings agree on; of a leg that went on shrinking between them, what both saw missing."""
    if first == second:
        return second
    if not isinstance(first, HalfOpen) or not isinstance(second, HalfOpen) or first.symbol != second.symbol:
        return None
    spot, short = min(first.missing_spot, second.missing_spot), min(first.missing_short, second.missing_short)
    if spot <= 0 and short <= 0:
        return None
    market = Market.SPOT if spot >= short else Market.PERP
    return HalfOpen(symbol=second.symbol, market=market, missing_spot=spot, missing_short=short)


def halt_for(verdict: Verdict) -> HaltOpenings | None:
    """Return the halt of openings that the verdict asks for, if any."""
    if isinstance(verdict, NakedForeign):
        shorts = ", ".join(f"{short.symbol} {plain(short.quantity)}" for short in verdict.shorts)
        text = f"{shorts}: close it, or buy the coins and adopt it"
        return HaltOpenings(reason=HaltReason.FOREIGN_SHORT, detail=text, symbols=symbols_of(verdict))
    if isinstance(verdict, Ambiguous):
        symbols = ", ".join(candidate.symbol for candidate in verdict.candidates)
        text = f"{symbols}: adopt one by name, or close them"
        return HaltOpenings(reason=HaltReason.SEVERAL_POSITIONS, detail=text, symbols=symbols_of(verdict))
    if isinstance(verdict, NotAdopted):
        found = verdict.candidate
        if verdict.unfit:
            text = f"{found.symbol}: {verdict.unfit}; put it right, or `hedgerow close {found.symbol}`"
            return HaltOpenings(reason=HaltReason.UNFIT_POSITION, detail=text, symbols=symbols_of(verdict))
        text = f"{found.symbol}: short {plain(found.short)} beside {plain(found.spot)} coins; adopt it by name,"
        text += " or close it"
        return HaltOpenings(reason=HaltReason.UNFIT_POSITION, detail=text, symbols=symbols_of(verdict))
    return None


def symbols_of(verdict: Verdict) -> tuple[str, ...]:
    """Return the perpetuals of which a verdict says that the account holds something that is not the ledger's."""
    if isinstance(verdict, NakedForeign):
        return tuple(short.symbol for short in verdict.shorts)
    if isinstance(verdict, Ambiguous):
        return tuple(candidate.symbol for candidate in verdict.candidates)
    if isinstance(verdict, Adopt | Replaced | NotAdopted):
        return (verdict.candidate.symbol,)
    return ()
