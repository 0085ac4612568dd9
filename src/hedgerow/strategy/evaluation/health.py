"""Health of a hedge: hedge ratio of the legs, distance to liquidation, leverage, trading status.

Only what the ledger owns counts: other coins of the user are never part of it.
"""

from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.instrument import BasisPair, Market, TradingStatus
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import plain
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy import rules
from hedgerow.strategy.evaluation.shared_margin import shared_margin_wanted
from hedgerow.strategy.evidence.absence import at_most_shown, is_in_doubt, shown_coins, shown_short
from hedgerow.strategy.observation import FindingKind, HealthFinding, HealthLevel, HealthReport, Observation
from hedgerow.strategy.parameters import LEVERAGE

__all__ = [
    "CLOSE_DISTANCE",
    "CLOSE_IMBALANCE",
    "REDUCE_DISTANCE",
    "REPAIR_IMBALANCE",
    "RESTORED_DISTANCE",
    "TOP_UP_DISTANCE",
    "LegState",
    "Legs",
    "account_findings",
    "distance_of",
    "health_of",
    "leg_difference",
    "leg_grade",
    "leg_state",
    "leg_to_trim",
    "legs_of",
    "margin_wanted",
    "residue_tolerance",
]

CLOSE_DISTANCE = 0.15
"""Fraction of the mark; nearer is critical, and the hedge is closed."""
REDUCE_DISTANCE = 0.20
"""Fraction of the mark; nearer asks for a smaller hedge, when no idle USDT is left."""
TOP_UP_DISTANCE = 0.25
"""Fraction of the mark; nearer asks for idle USDT as margin."""
RESTORED_DISTANCE = Decimal("0.30")
"""What a top-up and a reduction aim at."""
REPAIR_IMBALANCE = 0.02
"""Fraction of the larger leg; above it the larger leg is trimmed."""
CLOSE_IMBALANCE = 0.10
"""Fraction of the larger leg; above it the hedge is closed."""
_LEVELS = (HealthLevel.OK, HealthLevel.REPAIR, HealthLevel.CLOSE, HealthLevel.CRITICAL)


class Legs(Struct, frozen=True, kw_only=True):
    """What the account still holds of a hedge, base units, both positive."""

    spot: Decimal
    short: Decimal

    @property
    def imbalance(self) -> float:
        """Signed difference as a fraction of the larger leg; positive = more spot."""
        return rules.imbalance(float(self.spot), float(self.short))


class LegState(Struct, frozen=True, kw_only=True):
    """How both legs of a hedge stand to one another."""

    gone: bool
    """Whether nothing that could be sold is left of the coins, or nothing of the short."""
    difference: float
    """As of ``leg_difference``."""
    grade: int
    """As of ``leg_grade``."""
    imbalance: float
    """As of ``Legs.imbalance``: what differs, whether it could be traded or not."""


def legs_of(hedge: HedgedPosition, account: AccountView) -> Legs:
    """Return the hedge's own legs: at most what the ledger owns and the account holds.

    A leg that the account does not show readably counts as the ledger has it: it is neither held nor flat.
    """
    asked: dict[str, tuple[AccountView, Legs]] = vars(hedge)  # beside the fields: a check asks for the same legs often
    known = asked.get("_legs")
    if known is None or known[0] is not account:
        legs = Legs(
            spot=at_most_shown(hedge.tally.spot_quantity, shown_coins(hedge, account)),
            short=at_most_shown(hedge.short, shown_short(hedge, account)),
        )
        known = asked["_legs"] = account, legs
    return known[1]


def residue_tolerance(pair: BasisPair, price: Decimal | None) -> Decimal:
    """Return the base units of spot that can be neither hedged nor sold: a common lot, or the spot minimum."""
    lot = pair.lot_step
    return max(lot, pair.spot.ceil_quantity(pair.spot.min_notional / price)) if price else lot


def health_of(
    hedge: HedgedPosition, observation: Observation, price: Decimal | None, shared: float | None = None
) -> HealthReport:
    """Grade the hedge by what could be seen; ``price`` is the coin's, None when unknown.

    ``shared`` is how far liquidation is of all hedges together, None for a hedge alone: the nearer one counts.
    """
    account, market = observation.account, observation.market
    pair = market.pair(hedge.symbol) if market else None
    doubt = observation.listing_doubts.get(hedge.symbol) or _listing_doubt(hedge.symbol, pair, market)
    findings = [] if doubt or pair is None else _listing_findings(pair)
    unknown = [doubt] if doubt else []
    if account is None:
        unknown.append("account: balance of the legs, liquidation distance, leverage")
        level = HealthLevel.CRITICAL if findings else HealthLevel.OK
        return HealthReport(level=level, findings=tuple(findings), unknown=tuple(unknown))
    if is_in_doubt(hedge, account):
        unknown.append("account: its replies contradict each other")
    legs = legs_of(hedge, account)
    position, state = account.positions.get(hedge.symbol), leg_state(hedge, legs, price)
    own = distance_of(position)
    distance = own if shared is None else min(shared, own if own is not None else shared)
    findings += account_findings(position, distance, legs, state, together=distance != own)
    sound = not findings or not any(f.kind in {FindingKind.LEVERAGE, FindingKind.NOT_TRADING} for f in findings)
    code = rules.health_class(
        state.grade,
        leg_gone=state.gone,
        distance=1.0 if distance is None else distance,
        min_distance=CLOSE_DISTANCE,
        sound=sound,
    )
    market_to_trim, quantity = leg_to_trim(hedge.pair, legs) if code == 1 else (None, None)
    return HealthReport(
        level=_LEVELS[code],
        findings=tuple(findings),
        unknown=tuple(unknown),
        imbalance=state.imbalance,
        liquidation_distance=distance,
        trim_market=market_to_trim,
        trim_quantity=quantity,
    )


def margin_wanted(hedge: HedgedPosition, account: AccountView, shared: float | None = None) -> Decimal | None:
    """Return the USDT that would bring liquidation back to 30 % of the mark; None while it is 25 % away.

    ``shared`` as in ``health_of``.
    """
    position = account.positions.get(hedge.symbol)
    distance = distance_of(position)
    if shared is not None and shared < TOP_UP_DISTANCE and (distance is None or shared < distance):
        return shared_margin_wanted(account, shared, RESTORED_DISTANCE)
    if position is None or distance is None or distance >= TOP_UP_DISTANCE:
        return None
    return (RESTORED_DISTANCE - Decimal(str(distance))) * position.mark_price * abs(position.quantity)


def distance_of(position: PerpPosition | None) -> float | None:
    """Return how far liquidation is, as a fraction of the mark; None = none is shown, or it is unknown."""
    if position is None or not position.quantity or position.liquidation_price is None or position.mark_price <= 0:
        return None
    return rules.liquidation_distance(float(position.mark_price), float(position.liquidation_price))


def leg_grade(difference: float) -> int:
    """Return 0 for legs that match, 1 for legs to be trimmed, 2 for legs that end the hedge."""
    return rules.imbalance_class(difference, REPAIR_IMBALANCE, CLOSE_IMBALANCE)


def leg_difference(hedge: HedgedPosition, legs: Legs, price: Decimal | None) -> float:
    """Return the imbalance as a fraction; zero when it asks for nothing, and when what differs could not be traded."""
    return _tradable_difference(hedge, legs, price, legs.imbalance)


def _tradable_difference(hedge: HedgedPosition, legs: Legs, price: Decimal | None, difference: float) -> float:
    if not leg_grade(difference):
        return 0.0  # as in most checks: what could be traded need not be known
    surplus, lot = legs.spot - legs.short, hedge.pair.lot_step
    if abs(surplus) <= lot or (surplus > 0 and surplus <= residue_tolerance(hedge.pair, price)):
        return 0.0
    return difference


def leg_state(hedge: HedgedPosition, legs: Legs, price: Decimal | None) -> LegState:
    """Judge the legs of a hedge; ``price`` is the coin's, None when unknown."""
    imbalance = legs.imbalance
    difference = _tradable_difference(hedge, legs, price, imbalance)
    gone, grade = legs.spot < hedge.pair.spot.lot or legs.short <= 0, leg_grade(difference) if difference else 0
    return LegState(gone=gone, difference=difference, grade=grade, imbalance=imbalance)


def account_findings(
    position: PerpPosition | None, distance: float | None, legs: Legs, state: LegState, *, together: bool = False
) -> list[HealthFinding]:
    """Return what an account shows that is wrong with a hedge, whatever the market shows.

    ``distance`` is how far liquidation is: of the position, or of all shorts ``together`` where that is nearer.
    """
    return _margin_findings(position, distance, legs, together=together) + _leg_findings(legs, state)


def leg_to_trim(pair: BasisPair, legs: Legs) -> tuple[Market, Decimal]:
    """Return the leg that exceeds the other, and by how many base units on its lot."""
    surplus = legs.spot - legs.short
    if surplus > 0:
        return Market.SPOT, pair.spot.floor_quantity(surplus)
    return Market.PERP, pair.perp.floor_quantity(-surplus)


def _listing_doubt(symbol: str, pair: BasisPair | None, market: MarketView | None) -> str | None:
    """Return why the listing does not say whether the ``pair`` that it has of a symbol may be traded; None = it does.

    A symbol that is missing from a list, and quoted by the same market, is one that the list leaves out; not so where
    the other market lists it as not trading.
    """
    if market is None:
        return "market: trading status"
    if pair is None:
        return f"market: {symbol} is not on the list of both markets"
    if pair.tradable:
        return None
    if {pair.spot.status, pair.perp.status} - {TradingStatus.TRADING, TradingStatus.UNLISTED}:
        return None
    for name, leg in ((Market.SPOT, pair.spot), (Market.PERP, pair.perp)):
        quote = market.quote(name, symbol) if leg.status is TradingStatus.UNLISTED else None
        if quote is not None and quote.two_sided:
            return f"market: {symbol} is missing from the {name} list and quoted all the same"
    return None


def _listing_findings(pair: BasisPair) -> list[HealthFinding]:
    if pair.tradable:
        return []
    text = f"{pair.symbol} leaves trading: spot {pair.spot.status}, perpetual {pair.perp.status}"
    return [HealthFinding(kind=FindingKind.NOT_TRADING, text=text)]


def _margin_findings(
    position: PerpPosition | None, distance: float | None, legs: Legs, *, together: bool
) -> list[HealthFinding]:
    findings: list[HealthFinding] = []
    if position is None or legs.short <= 0:
        return findings
    if position.leverage != LEVERAGE:
        findings.append(HealthFinding(kind=FindingKind.LEVERAGE, text=f"leverage is {position.leverage}x, not 1x"))
    if together and distance is not None and distance < CLOSE_DISTANCE:
        text = f"liquidation of all shorts together is {distance:.1%} from their marks"
        findings.append(HealthFinding(kind=FindingKind.LIQUIDATION, text=text))
    elif position.liquidation_price is not None and distance is not None and distance < CLOSE_DISTANCE:
        text = f"liquidation at {plain(position.liquidation_price)} is {distance:.1%} from the mark"
        findings.append(HealthFinding(kind=FindingKind.LIQUIDATION, text=text))
    return findings


def _leg_findings(legs: Legs, state: LegState) -> list[HealthFinding]:
    if state.gone:
        missing = "short" if legs.short <= 0 else "spot"
        return [HealthFinding(kind=FindingKind.LEG_GONE, text=f"the {missing} leg is gone")]
    if state.grade:
        text = f"imbalance {state.difference:.2%} (spot {plain(legs.spot)}, short {plain(legs.short)})"
        return [HealthFinding(kind=FindingKind.IMBALANCE, text=text)]
    return []
