"""What the account means for the ledger. The venue is right; the ledger says whose the coins are.

Every verdict but ``Consistent`` and ``Nothing`` deserves a second reading before it is acted on: balances lag. Verdicts
are values, so that two of them can be compared.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.events import HaltReason
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.health import legs_of
from hedgerow.strategy.observation import Halt
from hedgerow.strategy.parameters import AdoptMode

__all__ = [
    "BALANCED_WITHIN",
    "Adopt",
    "Ambiguous",
    "Candidate",
    "ClosedElsewhere",
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
    "candidate_of",
    "halt_for",
    "reconcile",
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
    position_value: Decimal | None
    """One leg now in quote units; None without a price."""
    foreign: tuple[ForeignShort, ...] = ()
    """Naked shorts beside the hedge, to be warned of."""


class ClosedElsewhere(Struct, frozen=True, kw_only=True, tag="closed_elsewhere"):
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


class Ambiguous(Struct, frozen=True, kw_only=True, tag="ambiguous"):
    """Several positions could be adopted: none is."""

    candidates: tuple[Candidate, ...]


class NakedForeign(Struct, frozen=True, kw_only=True, tag="naked_foreign"):
    """Shorts that are not the bot's and have no sufficient spot against them."""

    shorts: tuple[ForeignShort, ...]


class NotAdopted(Struct, frozen=True, kw_only=True, tag="not_adopted"):
    """A short with more coins than it needs: which of them belong to it only the user knows."""

    candidate: Candidate


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
    | ClosedElsewhere
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


def reconcile(
    ledger: Ledger,
    account: AccountView | None,
    market: MarketView | None,
    adopt: AdoptMode = AdoptMode.BALANCED,
) -> Verdict:
    """Compare the ledger with the account."""
    if ledger.execution is not None:
        return InFlight(hedge_id=ledger.execution.hedge_id)
    if account is None:
        return Unreadable(what="account")
    if ledger.hedge is not None:
        return _tracked(ledger.hedge, ledger, account, market, adopt)
    return _untracked(ledger, account, market, adopt)


def candidate_of(symbol: str, ledger: Ledger, account: AccountView, market: MarketView) -> Candidate | None:
    """Return what ``hedgerow adopt SYMBOL`` would take, or None without coins, a short, or a pair."""
    found = next((c for c in _candidates(ledger, account, market) if c.symbol == symbol), None)
    return found if found and found.adopted_short > 0 and found.adopted_spot > 0 else None


def halt_for(verdict: Verdict) -> Halt | None:
    """Return the halt of openings that the verdict asks for, if any."""
    if isinstance(verdict, NakedForeign):
        shorts = ", ".join(f"{short.symbol} {short.quantity}" for short in verdict.shorts)
        return Halt(reason=HaltReason.FOREIGN_SHORT, detail=f"{shorts}: close it, or buy the coins and adopt it")
    if isinstance(verdict, Ambiguous):
        symbols = ", ".join(candidate.symbol for candidate in verdict.candidates)
        return Halt(reason=HaltReason.SEVERAL_POSITIONS, detail=f"{symbols}: adopt one by name, or close them")
    if isinstance(verdict, NotAdopted):
        found = verdict.candidate
        text = f"{found.symbol}: short {found.short} beside {found.spot} coins; adopt it by name, or close it"
        return Halt(reason=HaltReason.SEVERAL_POSITIONS, detail=text)
    return None


def _tracked(
    hedge: HedgedPosition, ledger: Ledger, account: AccountView, market: MarketView | None, adopt: AdoptMode
) -> Verdict:
    legs, tolerance = legs_of(hedge, account), hedge.pair.lot_step
    spot_gone, short_gone = legs.spot < hedge.pair.spot.lot, legs.short <= 0
    if spot_gone and short_gone:
        return _gone(hedge, ledger, account, market, adopt)
    missing_spot, missing_short = hedge.spot_quantity - legs.spot, hedge.short - legs.short
    lacks_spot = missing_spot > (0 if spot_gone else tolerance)
    if lacks_spot or missing_short > (0 if short_gone else tolerance):
        market_short = Market.SPOT if missing_spot >= missing_short else Market.PERP
        return HalfOpen(
            symbol=hedge.symbol, market=market_short, missing_spot=missing_spot, missing_short=missing_short
        )
    price = _price(hedge.symbol, account, market)
    return Consistent(
        symbol=hedge.symbol,
        spot_quantity=legs.spot,
        perp_quantity=-legs.short,
        position_value=None if price is None else legs.spot * price,
        foreign=_naked(ledger, account, market) if market else (),
    )


def _gone(
    hedge: HedgedPosition, ledger: Ledger, account: AccountView, market: MarketView | None, adopt: AdoptMode
) -> Verdict:
    if market and adopt is AdoptMode.BALANCED and not _naked(ledger, account, market):
        others = _adoptable(ledger, account, market)
        if len(others) == 1 and others[0].balanced and others[0].symbol != hedge.symbol:
            return Replaced(symbol=hedge.symbol, candidate=others[0])
    return ClosedElsewhere(symbol=hedge.symbol)


def _untracked(ledger: Ledger, account: AccountView, market: MarketView | None, adopt: AdoptMode) -> Verdict:
    if not any(position.quantity < 0 for position in account.positions.values()):
        return Nothing()
    if market is None:
        return Unreadable(what="market")
    naked = _naked(ledger, account, market)
    if naked:
        return NakedForeign(shorts=naked)
    if adopt is AdoptMode.NEVER:
        return Nothing()
    # Every short is either naked or adoptable, and there is at least one.
    first, *others = _adoptable(ledger, account, market)
    if others:
        return Ambiguous(candidates=(first, *others))
    return Adopt(candidate=first) if first.balanced else NotAdopted(candidate=first)


def _adoptable(ledger: Ledger, account: AccountView, market: MarketView) -> list[Candidate]:
    return [candidate for candidate in _candidates(ledger, account, market) if candidate.covered]


def _naked(ledger: Ledger, account: AccountView, market: MarketView) -> tuple[ForeignShort, ...]:
    found = [
        ForeignShort(symbol=candidate.symbol, quantity=candidate.short - candidate.spot)
        for candidate in _candidates(ledger, account, market)
        if not candidate.covered
    ]
    # A perpetual without a spot market here cannot have coins against it.
    found += [
        ForeignShort(symbol=position.symbol, quantity=-position.quantity)
        for position in account.positions.values()
        if position.quantity < 0 and market.pair(position.symbol) is None and not _is_ours(position, ledger)
    ]
    return tuple(found)


def _candidates(ledger: Ledger, account: AccountView, market: MarketView) -> Iterator[Candidate]:
    """Yield every short, less the ledger's part, with the coins that are not the ledger's."""
    for position in account.positions.values():
        pair = market.pair(position.symbol)
        ours = ledger.hedge.short if ledger.hedge and _is_ours(position, ledger) else ZERO
        short = -position.quantity - ours
        if pair is None or short <= (pair.lot_step if ours else 0):
            continue
        coins = account.coin(pair.base).total - ledger.owned(pair.base)
        price = position.entry_price or position.mark_price
        yield Candidate(pair=pair, spot=max(ZERO, coins), short=short, entry_price=price)


def _is_ours(position: PerpPosition, ledger: Ledger) -> bool:
    return ledger.hedge is not None and ledger.hedge.symbol == position.symbol


def _price(symbol: str, account: AccountView, market: MarketView | None) -> Decimal | None:
    quote = market.quote(Market.SPOT, symbol) if market else None
    if quote and quote.mid is not None:
        return quote.mid
    position = account.positions.get(symbol)
    return position.mark_price if position else None
