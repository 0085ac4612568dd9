"""What an account reading means for the ledger.

Every verdict but ``Consistent`` and ``Nothing`` deserves a second reading before it is acted on: balances lag. Verdicts
are values, so that two of them can be compared.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.decisions.fitness import unfit
from hedgerow.strategy.decisions.verdicts import (
    Adopt,
    Ambiguous,
    Candidate,
    ClosedExternally,
    Consistent,
    ForeignShort,
    HalfOpen,
    InFlight,
    NakedForeign,
    NotAdopted,
    Nothing,
    Replaced,
    Unreadable,
    Verdict,
)
from hedgerow.strategy.evaluation.dust import dust_limit
from hedgerow.strategy.evaluation.health import Legs, legs_of
from hedgerow.strategy.evidence.absence import OWN_TRADE_LAG, is_in_doubt
from hedgerow.strategy.parameters import AdoptMode

__all__ = ["candidate_of", "coins_unread", "lacking_of", "reconcile", "standing_of", "value_of"]


def reconcile(
    ledger: Ledger,
    account: AccountView | None,
    market: MarketView | None,
    adopt: AdoptMode = AdoptMode.BALANCED,
    slots: int = 1,
) -> tuple[Verdict, ...]:
    """Compare the ledger with the account; ``slots`` is how many hedges may be held.

    Returns one verdict on each open hedge, oldest first, and then those on what else the account holds, while a slot
    is free for it. There is always one.
    """
    if ledger.execution is not None:
        return (InFlight(hedge_id=ledger.execution.hedge_id),)
    if account is None:
        return (Unreadable(what="account"),)
    hedges = ledger.judged_hedges
    free = 0 if ledger.suspended else slots - len(hedges)
    if not hedges and ledger.suspended:
        return tuple(InFlight(hedge_id=hedge_id) for hedge_id in ledger.suspended)
    if not hedges:
        return _without_hedges(ledger, account, market, adopt, free)
    if len(hedges) == slots == 1 and not ledger.suspended:
        return (_sole(hedges[0], ledger, account, market, adopt),)
    tracked = [standing_of(hedge, account, market) for hedge in hedges]
    others = _untracked(ledger, account, market, adopt, free) if market is not None and free > 0 else ()
    return (*tracked, *(verdict for verdict in others if not isinstance(verdict, Nothing)))


def _without_hedges(
    ledger: Ledger, account: AccountView, market: MarketView | None, adopt: AdoptMode, free: int
) -> tuple[Verdict, ...]:
    found, tracked = _untracked(ledger, account, market, adopt, free), ledger.awaited_import
    if tracked is None or tracked in account.unreadable_positions or account.short(tracked) > 0:
        return found
    first, *others = found
    if others:
        return (ClosedExternally(symbol=tracked), *found)
    if isinstance(first, Adopt):
        return (Replaced(symbol=tracked, candidate=first.candidate),)
    return (ClosedExternally(symbol=tracked),) if isinstance(first, Nothing) else found


def candidate_of(symbol: str, ledger: Ledger, account: AccountView, market: MarketView) -> Candidate | None:
    """Return what ``hedgerow adopt SYMBOL`` would take, or None without coins, a short, or a pair."""
    found = next((c for c in _candidates(ledger, account, market) if c.symbol == symbol), None)
    return found if found and found.adopted_short > 0 and found.adopted_spot > 0 else None


def _sole(
    hedge: HedgedPosition, ledger: Ledger, account: AccountView, market: MarketView | None, adopt: AdoptMode
) -> Verdict:
    """Return the verdict on the only hedge that may be held: another one may have replaced it, or lie beside it."""
    verdict = standing_of(hedge, account, market)
    if isinstance(verdict, ClosedExternally):
        return _gone(hedge, ledger, account, market, adopt)
    if isinstance(verdict, Consistent) and market is not None:
        naked = _naked(ledger, account, market)
        return replace(verdict, foreign=naked) if naked else verdict
    return verdict


def standing_of(
    hedge: HedgedPosition, account: AccountView, market: MarketView | None
) -> ClosedExternally | HalfOpen | Unreadable | Consistent:
    """Return how one open hedge stands on the account; ``market`` says what can be traded of coins without a short."""
    legs = legs_of(hedge, account)
    if legs.short <= 0 and _is_dust(hedge, legs.spot, account, market):
        return ClosedExternally(symbol=hedge.symbol)
    lacking = lacking_of(hedge, legs)
    if lacking is not None:
        return lacking
    if is_in_doubt(hedge, account):
        return Unreadable(what="account: its replies contradict each other")
    return Consistent(symbol=hedge.symbol, spot_quantity=legs.spot, perp_quantity=-legs.short)


def _is_dust(hedge: HedgedPosition, coins: Decimal, account: AccountView, market: MarketView | None) -> bool:
    """Whether coins that no short is against are dust by the lot of spot as it is listed now, which may be coarser."""
    pair = market.pair(hedge.symbol) if market else None
    price = _price(hedge.symbol, account, market)
    if pair is None or price is None or coins >= pair.spot.lot or is_in_doubt(hedge, account):
        return False
    return coins * price <= dust_limit(hedge.entry_notional)


def value_of(standing: Consistent, account: AccountView | None, market: MarketView | None) -> Decimal | None:
    """Return what one leg of a hedge is worth now, quote units: at the spot book's middle, else at the mark."""
    price = _price(standing.symbol, account, market)
    return None if price is None else standing.spot_quantity * price


def _price(symbol: str, account: AccountView | None, market: MarketView | None) -> Decimal | None:
    quote = market.quote(Market.SPOT, symbol) if market else None
    if quote and quote.mid is not None:
        return quote.mid
    position = account.positions.get(symbol) if account else None
    return position.mark_price if position else None


def lacking_of(hedge: HedgedPosition, legs: Legs) -> ClosedExternally | HalfOpen | None:
    """Return what the account lacks of an open hedge; None = both legs are whole."""
    # A short is a whole number of lots and known exactly; coins are known to what a fee in coin is rounded by.
    tolerance = hedge.pair.spot.lot
    spot_gone, short_gone = legs.spot < tolerance, legs.short <= 0
    if spot_gone and short_gone:
        return ClosedExternally(symbol=hedge.symbol)
    missing_spot, missing_short = hedge.spot_quantity - legs.spot, hedge.short - legs.short
    lacks_spot = missing_spot > (0 if spot_gone else tolerance)
    if lacks_spot or missing_short > 0:
        market_short = Market.SPOT if missing_spot >= missing_short else Market.PERP
        return HalfOpen(
            symbol=hedge.symbol, market=market_short, missing_spot=missing_spot, missing_short=missing_short
        )
    return None


def _gone(
    hedge: HedgedPosition, ledger: Ledger, account: AccountView, market: MarketView | None, adopt: AdoptMode
) -> Verdict:
    if market and adopt is AdoptMode.BALANCED and not _naked(ledger, account, market):
        others = _adoptable(ledger, account, market)
        other = others[0] if len(others) == 1 and others[0].balanced and others[0].symbol != hedge.symbol else None
        if other is not None and unfit(other, account, market) is None:
            return Replaced(symbol=hedge.symbol, candidate=other)
    return ClosedExternally(symbol=hedge.symbol)


def _untracked(
    ledger: Ledger, account: AccountView, market: MarketView | None, adopt: AdoptMode, free: int
) -> tuple[Verdict, ...]:
    """Return the verdicts on shorts that are not the ledger's: each is adopted if it is fit, while slots are free."""
    if not any(position.quantity < 0 for position in account.positions.values()):
        return (Nothing(),)
    if market is None:
        return (Unreadable(what="market"),)
    unread = coins_unread(account, market)
    if unread:
        return (Unreadable(what=f"the balance of {', '.join(unread)}"),)
    naked = _naked(ledger, account, market)
    if naked:
        return (NakedForeign(shorts=naked),)
    if adopt is AdoptMode.NEVER:
        return (Nothing(),)
    # Every short is either naked or adoptable; what lies on a pair that is held is its owner's.
    candidates = [each for each in _adoptable(ledger, account, market) if ledger.held(each.symbol) is None]
    return _adoptions(candidates, ledger, account, market, free)


def _adoptions(
    candidates: Sequence[Candidate], ledger: Ledger, account: AccountView, market: MarketView, free: int
) -> tuple[Verdict, ...]:
    if not candidates:
        return (Nothing(),)
    lately = {ended.symbol for ended in ledger.closed if timedelta() <= account.at - ended.closed_at < OWN_TRADE_LAG}
    again = ", ".join(each.symbol for each in candidates if each.symbol in lately)
    if again:
        return (Unreadable(what=f"account: it may show {again} as before the closing"),)
    if len(candidates) > free or len({each.pair.base for each in candidates}) < len(candidates):
        return (Ambiguous(candidates=tuple(candidates)),)
    return tuple(_adoption(each, account, market) for each in candidates)


def _adoption(candidate: Candidate, account: AccountView, market: MarketView) -> Adopt | NotAdopted:
    why = unfit(candidate, account, market)
    fit = candidate.balanced and why is None
    return Adopt(candidate=candidate) if fit else NotAdopted(candidate=candidate, unfit=why or "")


def coins_unread(account: AccountView, market: MarketView) -> list[str]:
    """Return the coins that would have to be against a short and whose balance is not known."""
    pairs = (market.pair(position.symbol) for position in account.positions.values() if position.quantity < 0)
    return [pair.base for pair in pairs if pair and pair.base in account.unreadable_balances]


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
        if position.quantity < 0 and market.pair(position.symbol) is None and ledger.held(position.symbol) is None
    ]
    return tuple(found)


def _candidates(ledger: Ledger, account: AccountView, market: MarketView) -> Iterator[Candidate]:
    """Yield every short, less the ledger's part, with the coins that are not the ledger's."""
    for position in account.positions.values():
        held = ledger.held(position.symbol)
        ours = held.short if held else ZERO
        short = -position.quantity - ours
        pair = market.pair(position.symbol) if short > 0 else None
        if pair is None or (ours and short <= pair.lot_step):
            continue
        coins = account.coin(pair.base).total - ledger.owned(pair.base)
        price = position.entry_price or position.mark_price
        yield Candidate(pair=pair, spot=max(ZERO, coins), short=short, entry_price=price)
