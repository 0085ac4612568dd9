"""What is decided while the short's liquidation comes nearer: idle USDT, a smaller hedge, the end of it."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.instrument import TradingStatus
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.strategy.decisions.held import decide_held
from hedgerow.strategy.observation import Close, Decision, Hold, HoldReason, Observation, Reduce, TopUpMargin
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.views import NOW, hedge, holding, ledger_of, listing, market_of, pair_of, short_of

GUIDE = VolumeFarming(StrategyParameters())
HELD = listing(pair=pair_of())
CALM = market_of(HELD)


def decided(seen: AccountView, held: HedgedPosition | None = None, market: MarketView | None = CALM) -> Decision:
    unread = () if market else ("market: down",)
    observation = Observation(at=NOW, market=market, account=seen, unread=unread)
    return decide_held(observation, ledger_of(held or hedge("10")), GUIDE)


NEAR = short_of(quantity="10", liquidation_price=Decimal("119.9"))


def test_without_idle_usdt_both_legs_are_reduced_before_liquidation_is_too_near() -> None:
    found = decided(holding(NEAR, coins="10", usdt="0"))
    assert isinstance(found, Reduce)
    assert found.plan.spot_quantity == found.plan.perp_quantity == found.quantity
    assert 0 < found.quantity < 2
    assert found.plan.urgent
    assert "19.9%" in found.detail


def test_idle_usdt_is_tried_before_anything_is_sold() -> None:
    assert isinstance(decided(holding(NEAR, coins="10", usdt="2")), TopUpMargin)


def test_nearer_than_that_the_hedge_is_closed() -> None:
    nearer = replace(NEAR, liquidation_price=Decimal("114.9"))
    found = decided(holding(nearer, coins="10", usdt="0"))
    assert isinstance(found, Close)
    assert found.reason is Reason.HEALTH


def test_a_hedge_too_small_to_be_reduced_is_held_until_it_must_be_closed() -> None:
    near = replace(NEAR, quantity=Decimal("-0.12"))
    seen = holding(near, coins="0.12", usdt="0")
    found = decided(seen, hedge("0.12"))
    assert isinstance(found, Hold)
    assert found.reason is HoldReason.HEALTHY


def test_a_market_that_cannot_be_read_does_not_keep_a_hedge_from_being_reduced() -> None:
    assert isinstance(decided(holding(NEAR, coins="10", usdt="0"), market=None), Reduce)


def test_nothing_is_reduced_while_the_perpetual_takes_no_orders() -> None:
    pair = pair_of()
    gone = replace(pair, perp=replace(pair.perp, status=TradingStatus.CLOSED))
    found = decided(holding(NEAR, coins="10", usdt="0"), market=market_of(replace(HELD, pair=gone)))
    assert isinstance(found, Hold)
    assert found.reason is HoldReason.CANNOT_TRADE


def test_nothing_is_reduced_while_the_short_is_held_in_hedge_mode() -> None:
    seen = replace(holding(NEAR, coins="10", usdt="0"), one_way=False, sided_positions=frozenset({NEAR.symbol}))
    found = decided(seen)
    assert isinstance(found, Hold)
